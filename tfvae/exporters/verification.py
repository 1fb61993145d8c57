"""Proof that exported files compute what the model computes, before anything is published.

Every signature is run in a fresh process that can import neither this project nor Keras nor
TensorFlow Probability, at two batch sizes, and compared with the model's own values.
"""

import pathlib

import numpy as np
import tensorflow as tf

from tfvae.exporters.base import ExportError

BATCHES = (1, 3)

# Both sides sum some hundred to thousand float32 products in orders of their own: about 1e-6 of
# the largest value. A wrong weight, input or seed is off by more than 1e-1 of it. The absolute
# part is for outputs near zero, whose summands are of order 1.
_RELATIVE = 1e-4
_ABSOLUTE = 1e-5

# A draw of a discrete variable flips where the uniform number lies within rounding of its
# threshold, about one in a million. A draw with another seed differs in more than one in a hundred.
_FLIPS = 1e-3

_RUNTIMES = pathlib.Path(__file__).with_name("runtimes")


class Verification:
    """The proof of one format: begins when it is made, and is decided by `check`.

    Args:
        exporter: The `Exporter` that wrote the files.
        endpoints: Dict of part to a tuple of `Endpoint`.
        paths: Dict of part to the path of its files.
        process: The `Fresh` process to run them in.
        folder: An existing folder for the inputs and the answers.
    """

    def __init__(self, exporter, endpoints, paths, process, folder):
        self._format = exporter.member_name
        self._cases = _cases(endpoints)
        self._answers = pathlib.Path(folder, f"{self._format}_answers.npz")
        inputs = pathlib.Path(folder, f"{self._format}_inputs.npz")
        np.savez(inputs, **_flat({case: given for case, (_, given) in self._cases.items()}))
        runtime = _RUNTIMES / f"{exporter.runtime}.py"
        files = {part: str(path) for part, path in paths.items()}
        self._wait = process.run("replay", [str(runtime), str(inputs), str(self._answers), files])

    def check(self):
        """Compares the files with the model.

        Raises:
            ExportError: If a signature fails, is missing, or gives other values.
        """
        expected = {case: _run(*call) for case, call in self._cases.items()}
        self._wait()
        with np.load(self._answers) as answers:
            wrong = [*self._unexpected(answers), *self._differences(expected, answers)]
        if wrong:
            more = f" {len(wrong) - 1} more like it." if len(wrong) > 1 else ""
            raise ExportError(
                f"The exported files don't compute what the model computes. {wrong[0]}{more} "
                f"Nothing has been published."
            )

    def _unexpected(self, answers):
        """Yields a message for each part whose signatures are not those that were asked for."""
        for part in dict.fromkeys(case.split("/")[0] for case in self._cases):
            wanted = {case.split("/")[1] for case in self._cases if case.startswith(f"{part}/")}
            have = set(answers[f"{part}/!signatures"].tolist())
            if have != wanted:
                yield (
                    f"The {part} ({self._format}) has the signatures "
                    f"{', '.join(sorted(have))} instead of {', '.join(sorted(wanted))}."
                )

    def _differences(self, expected, answers):
        """Yields a message for each case that differs, failures of whole signatures first."""
        given: dict[str, dict] = {case: {} for case in expected}
        for key in answers:
            case, name = key.rsplit("/", 1)
            if case in given:
                given[case][name] = answers[key]
        for case, outputs in given.items():
            difference = _difference(expected[case], outputs)
            if difference:
                part, signature, batch = case.split("/")
                yield (
                    f"Signature `{signature}` of the {part} ({self._format}), batch {batch}: "
                    f"{difference}"
                )


def _cases(endpoints):
    """Returns the endpoint and the inputs of each case, "part/signature/batch"."""
    rng = np.random.default_rng(0)
    return {
        f"{part}/{endpoint.name}/{batch}": (
            endpoint,
            {spec.name: _random(rng, spec, batch) for spec in endpoint.inputs},
        )
        for part, listed in endpoints.items()
        for endpoint in listed
        for batch in BATCHES
    }


def _random(rng, spec, batch):
    """Returns an input: seeds over all of int32, floats of both signs around zero."""
    shape = (batch, *spec.shape[1:])
    if spec.dtype.is_integer:
        return rng.integers(-(2**31), 2**31, shape, dtype=np.int32)
    return rng.uniform(-1, 1, shape).astype(np.float32)


def _run(endpoint, inputs):
    """Returns the model's own values, computed where the files are run: on the CPU."""
    with tf.device("CPU:0"):
        outputs = endpoint.function(**{k: tf.constant(v) for k, v in inputs.items()})
        return {name: tensor.numpy() for name, tensor in outputs.items()}


def _flat(cases):
    return {f"{case}/{name}": a for case, arrays in cases.items() for name, a in arrays.items()}


def _difference(expected, given):
    """Returns what is wrong with the outputs of a case as text, or None."""
    if "!error" in given:
        return f"it fails. {given['!error']}"
    if given.keys() != expected.keys():
        return f"it gives {', '.join(given) or 'nothing'} instead of {', '.join(expected)}."
    for name, want in expected.items():
        wrong = _compare(want, given[name])
        if wrong:
            return f"output `{name}` {wrong}"
    return None


def _compare(want, have):
    """Returns how an output differs from the model's as text, or None where it agrees."""
    if not np.all(np.isfinite(want)):
        return "of the model itself holds values that are not finite. Train it again."
    if have.dtype != want.dtype or have.shape != want.shape:
        return f"is {have.dtype}{list(have.shape)} instead of {want.dtype}{list(want.shape)}."
    error = np.abs(have.astype(np.float64) - want)
    allowed = _ABSOLUTE + _RELATIVE * np.max(np.abs(want), initial=0.0)
    num_wrong = int(np.sum(~(error <= allowed)))  # NaN counts as wrong
    if num_wrong <= _num_flips(want):
        return None
    relative = np.max(error) / max(np.max(np.abs(want)), np.finfo(np.float32).tiny)
    return (
        f"differs in {num_wrong} of {want.size} elements, by at most {np.max(error):.3g} "
        f"({relative:.2g} of the largest value; {allowed:.2g} is allowed)."
    )


def _num_flips(want):
    """Returns how many elements of a discrete draw may differ; none of a continuous output."""
    discrete = np.array_equal(want, np.round(want))
    return 1 + int(_FLIPS * want.size) if discrete else 0
