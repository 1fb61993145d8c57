"""Golden requests and answers: what a deployed export must answer, as a file.

    releases/3/golden.json
      {"version": 3,
       "tolerance": {"relative": 1e-4, "absolute": 1e-5, "flips": 1e-3},
       "requests": [{"format": "saved_model", "part": "decoder", "signature": "generate",
                     "inputs": {"seed": {"dtype": "int32", "values": [[1, 2], [3, 4]]}},
                     "outputs": {"z": {"dtype": "float32", "values": [[...], [...]]}, ...}}, ...]}

The answers are the model's own, and the files have been shown to give them. Bytes are of the dtype
"string" and written in base64. Needs NumPy alone.
"""

import base64
import dataclasses
import json
import pathlib

from tfvae.exporters import comparison
from tfvae.lazy import numpy as np

FILE = "golden.json"


@dataclasses.dataclass(frozen=True)
class Request:
    """A request whose answer is known.

    Attributes:
        format: Name of the exporter.
        part: "encoder" or "decoder".
        signature: Name of the signature.
        inputs: Dict of input name to array.
        outputs: Dict of output name to array: the answer.
    """

    format: str
    part: str
    signature: str
    inputs: dict
    outputs: dict


def text(version, requests):
    """Returns the content of the file.

    Args:
        version: The version that it is about.
        requests: Iterable of `Request`.
    """
    tolerance = {
        "relative": comparison.RELATIVE,
        "absolute": comparison.ABSOLUTE,
        "flips": comparison.FLIPS,
    }
    listed = [
        {
            **{key: getattr(request, key) for key in ("format", "part", "signature")},
            "inputs": _plain(request.inputs),
            "outputs": _plain(request.outputs),
        }
        for request in requests
    ]
    content = {"version": version, "tolerance": tolerance, "requests": listed}
    return json.dumps(content, separators=(",", ":")) + "\n"


def read(path):
    """Reads the file.

    Args:
        path: Path of a `golden.json`.

    Returns:
        List of `Request`.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        return [
            Request(**{**item, **{k: _arrays(item[k]) for k in ("inputs", "outputs")}})
            for item in content["requests"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}). Publish again with "
            f"`python -m pipelines.export`."
        ) from error


def _plain(arrays):
    return {
        name: {"dtype": dtype_name(array), "values": _shortest(array)}
        for name, array in arrays.items()
    }


def dtype_name(array):
    """Returns the name of an array's dtype as TensorFlow calls it: "string" for bytes."""
    return "string" if array.dtype.kind == "S" else array.dtype.name


def _shortest(array):
    """Returns nested lists with the fewest digits that give the same float32 again."""
    if array.dtype.kind == "S":
        return [base64.b64encode(content).decode() for content in array]
    if array.dtype != np.float32:
        return array.tolist()
    flat = [float(str(value)) for value in array.ravel()]
    return np.array(flat, np.float64).reshape(array.shape).tolist()


def _arrays(plain):
    return {name: _array(**item) for name, item in plain.items()}


def _array(dtype, values):
    if dtype == "string":
        return np.array([base64.b64decode(text) for text in values])
    return np.array(values, dtype)
