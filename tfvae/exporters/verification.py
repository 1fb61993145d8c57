"""Proof that exported files compute what the model computes, before anything is published.

First the files are read: operations, types, shapes and weights are what they should be. Then every
signature is run in fresh processes that can import neither this project nor Keras nor TensorFlow
Probability, by every loader that the format has, at two batch sizes, and compared with the model's
own values.
"""

import pathlib

import numpy as np
import tensorflow as tf

from tfvae.exporters import comparison
from tfvae.exporters.base import ExportError

BATCHES = (1, 3, 5)

_RUNTIMES = pathlib.Path(__file__).with_name("runtimes")
_NOTHING = "Nothing has been published."


class Verification:
    """The proof of one format: begins when it is made, and is decided by `check`.

    Args:
        exporter: The `Exporter` that wrote the files.
        endpoints: Dict of part to a tuple of `Endpoint`.
        paths: Dict of part to the path of its files.
        weights: Dict of part to the arrays of its variables.
        process_of: Function of a runtime's name that gives the `Fresh` process to run it in.
        folder: An existing folder for the inputs and the answers.

    Raises:
        ExportError: If what the files hold is wrong already; they are not run then.
    """

    def __init__(self, exporter, endpoints, paths, weights, process_of, folder):
        self._exporter = exporter
        problems = [
            f"The {part} ({exporter.member_name}). {problem}"
            for part, path in paths.items()
            for problem in exporter.inspect(
                path, endpoints[part], weights[part], _others(weights, part)
            )
        ]
        if problems:
            raise ExportError(f"The exported files are not fit to serve. {_first(problems)}")
        self._cases = _cases(endpoints)
        inputs = pathlib.Path(folder, f"{exporter.member_name}_inputs.npz")
        np.savez(inputs, **_flat({case: given for case, (_, given) in self._cases.items()}))
        files = {part: str(path) for part, path in paths.items()}
        self._runs = {}
        for runtime in (exporter.runtime, *exporter.other_runtimes):
            answers = inputs.with_name(f"{exporter.member_name}_{runtime}_answers.npz")
            request = [str(_RUNTIMES / f"{runtime}.py"), str(inputs), str(answers), files]
            self._runs[runtime] = answers, process_of(runtime).run("replay", request)

    def check(self):
        """Compares the files with the model.

        Returns:
            The golden requests of the format: a list of (part, signature, inputs, outputs) with
            a few rows each, and the model's own answers.

        Raises:
            ExportError: If a signature fails, is missing, or gives other values.
        """
        expected = {case: _run(*call) for case, call in self._cases.items()}
        for runtime, (answers, wait) in self._runs.items():
            wait()
            label = self._exporter.member_name
            if runtime != self._exporter.runtime:
                label = f"{label}, by {runtime}"
            with np.load(answers) as given:
                wrong = [*self._unexpected(label, given), *_differences(label, expected, given)]
            if wrong:
                raise ExportError(
                    f"The exported files don't compute what the model computes. {_first(wrong)}"
                )
        return self._golden(expected)

    def _unexpected(self, label, answers):
        """Yields a message for each part whose signatures are not those that were asked for."""
        for part in dict.fromkeys(case.split("/")[0] for case in self._cases):
            wanted = {case.split("/")[1] for case in self._cases if case.startswith(f"{part}/")}
            have = set(answers[f"{part}/!signatures"].tolist())
            if have != wanted:
                yield (
                    f"The {part} ({label}) has the signatures "
                    f"{', '.join(sorted(have))} instead of {', '.join(sorted(wanted))}."
                )

    def _golden(self, expected):
        """Returns the first rows of each signature's largest batch: a row's answer is its own."""
        num = min(2, *BATCHES[1:])
        return [
            (
                *case.split("/")[:2],
                {name: array[:num] for name, array in inputs.items()},
                {name: array[:num] for name, array in expected[case].items()},
            )
            for case, (_, inputs) in self._cases.items()
            if case.endswith(f"/{BATCHES[-1]}")
        ]


def random_inputs(endpoint, batch, rng):
    """Returns inputs of an endpoint: seeds over all of int32, floats of both signs around zero.

    The noise `u` is uniform on [0, 1). Where an endpoint draws its own, it is asked.

    Args:
        endpoint: An `Endpoint`.
        batch: Number of rows.
        rng: A NumPy `Generator`.

    Returns:
        Dict of input name to array `[batch, ...]`.
    """
    if endpoint.draw is not None:
        return endpoint.draw(rng, batch)
    return {spec.name: _random(rng, spec, batch) for spec in endpoint.inputs}


def _first(messages):
    more = f" {len(messages) - 1} more like it." if len(messages) > 1 else ""
    return f"{messages[0]}{more} {_NOTHING}"


def _others(weights, part):
    return [array for other, arrays in weights.items() if other != part for array in arrays]


def _differences(label, expected, answers):
    """Yields a message for each case that differs."""
    given: dict[str, dict] = {case: {} for case in expected}
    for key in answers:
        case, name = key.rsplit("/", 1)
        if case in given:
            given[case][name] = answers[key]
    for case, outputs in given.items():
        difference = comparison.difference(expected[case], outputs)
        if difference:
            part, signature, batch = case.split("/")
            yield f"Signature `{signature}` of the {part} ({label}), batch {batch}: {difference}"


def _cases(endpoints):
    """Returns the endpoint and the inputs of each case, "part/signature/batch"."""
    rng = np.random.default_rng(0)
    return {
        f"{part}/{endpoint.name}/{batch}": (endpoint, random_inputs(endpoint, batch, rng))
        for part, listed in endpoints.items()
        for endpoint in listed
        for batch in BATCHES
    }


def _random(rng, spec, batch):
    shape = (batch, *spec.shape[1:])
    if spec.dtype == tf.uint8:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if spec.dtype.is_integer:
        return rng.integers(-(2**31), 2**31, shape, dtype=np.int32)
    # Few digits: golden requests are written as text. `u` is noise from [0, 1).
    return np.round(rng.uniform(0 if spec.name == "u" else -1, 0.999, shape), 3).astype(np.float32)


def _run(endpoint, inputs):
    """Returns the model's own values, computed where the files are run: on the CPU."""
    with tf.device("CPU:0"):
        outputs = endpoint.function(**{k: _tensor(v) for k, v in inputs.items()})
        return {name: _array(tensor) for name, tensor in outputs.items()}


def _tensor(array):
    return tf.constant(array.astype(object) if array.dtype.kind == "S" else array)


def _array(tensor):
    """Returns the values of a tensor; bytes as NumPy's own type, which .npz files hold."""
    array = tensor.numpy()
    return array.astype(np.bytes_) if tensor.dtype == tf.string else array


def _flat(cases):
    return {f"{case}/{name}": a for case, arrays in cases.items() for name, a in arrays.items()}
