"""Proof that every signature of every variant of a LiteRT file runs, beside the main one.

What a variant loses is measured on the main signature. The others compute the same and a little
more, so they are run once: they must answer, in the shapes of the model and with finite numbers,
and those of `batch1` with the model's own.
"""

import pathlib

import numpy as np
import tensorflow as tf

from tfvae.exporters import comparison, verification
from tfvae.exporters.base import ExportError

_EXACT = "batch1"
_NUM_ROWS = 3
_RUNTIME = pathlib.Path(__file__).with_name("runtimes") / "litert.py"


def check(files, endpoints, process, folder):
    """Runs the signatures of variants and compares them with the model.

    Args:
        files: Dict of (part, variant) to the path of a file.
        endpoints: Dict of part to the `Endpoint`s of the float32 file, the main one first.
        process: A `Fresh` process.
        folder: An existing folder for inputs and answers.

    Raises:
        ExportError: If a signature fails, or gives other values.
    """
    rng = np.random.default_rng(0)
    cases = [
        (part, variant, endpoint, verification.random_inputs(endpoint, _NUM_ROWS, rng))
        for part, variant in files
        if variant not in ("float32", "int8")  # proven with the models; has the main one alone
        for endpoint in endpoints[part][1:]
    ]
    for part, variant, endpoint, inputs in cases:
        given = pathlib.Path(folder, f"{part}_{variant}_{endpoint.name}_inputs.npz")
        answers = given.with_name(f"{part}_{variant}_{endpoint.name}_answers.npz")
        np.savez(given, **inputs)
        job = [str(files[part, variant]), endpoint.name, str(given), str(answers)]
        where = f"Signature `{endpoint.name}` of the {part} (litert, {variant})"
        try:
            process.run("measure", [str(_RUNTIME), 1, [job]])()
        except ExportError as error:
            raise ExportError(f"{where} fails. {error} Nothing has been published.") from error
        want = endpoint.function(**{name: tf.constant(array) for name, array in inputs.items()})
        with np.load(answers) as given_back:
            outputs = {name: given_back[name] for name in given_back if name != "!seconds"}
        wrong = _wrong({k: v.numpy() for k, v in want.items()}, outputs, exact=variant == _EXACT)
        if wrong:
            raise ExportError(f"{where}: {wrong} Nothing has been published.")


def _wrong(want, outputs, *, exact):
    """Returns what is wrong with the outputs of a signature as text, or None."""
    if exact:
        return comparison.difference(want, outputs)
    for name, array in want.items():
        if name not in outputs or outputs[name].shape != array.shape:
            return f"it lacks the output `{name}` of the shape {list(array.shape)}."
        if not np.isfinite(outputs[name]).all():
            return f"output `{name}` holds values that are not finite."
    return None
