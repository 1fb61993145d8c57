"""TensorFlow Serving's REST interface, with the standard library and NumPy.

References:
    [1] https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
import http.client
import json
import urllib.error
import urllib.request

import numpy as np

from tfvae.serving.errors import ServingError, UnavailableError

_BUSY = (429, 502, 503, 504)  # statuses that may pass


class Rest:
    """Carries requests to a server over HTTP.

    Args:
        url: Such as "http://localhost:8501".
        timeout: Seconds for one request.
    """

    def __init__(self, url, timeout):
        self._url = url.rstrip("/")
        self._timeout = timeout

    def predict(self, model, which, signature, inputs, single):
        """Calls a signature; `single` names its output if it has only one.

        Columns rather than rows: the names of the inputs are written once.
        """
        columns = {name: _plain(array) for name, array in inputs.items()}
        body = {"signature_name": signature, "inputs": columns}
        path = f"{_path(model, which)}:predict"
        answer = self._ask(path, body)
        if "outputs" not in answer:
            raise ServingError(f"{self._url}{path} answered without `outputs`: {_short(answer)}")
        outputs = answer["outputs"]
        if isinstance(outputs, dict):
            return {name: _array(values) for name, values in outputs.items()}
        array = _array(outputs)
        # Bytes come from outputs whose names end so, and from no others [1].
        return {f"{single}_bytes" if array.dtype.kind == "S" else single: array}

    def states(self, model):
        """Returns the state of each version."""
        listed = self._ask(_path(model, (None, None)))["model_version_status"]
        return {int(item["version"]): item["state"] for item in listed}

    def signatures(self, model, which):
        """Returns the names of the inputs and outputs of each signature."""
        metadata = self._ask(f"{_path(model, which)}/metadata")["metadata"]
        definitions = metadata["signature_def"]["signature_def"]
        return {
            name: {kind: sorted(body.get(kind, {})) for kind in ("inputs", "outputs")}
            for name, body in definitions.items()
            if not name.startswith("__")
        }

    def _ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self._url + path, data, {"Content-Type": "application/json"} if data else {}
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            kind = UnavailableError if error.code in _BUSY else ServingError
            raise kind(f"{self._url}{path} answered {error.code}: {_reason(error)}") from error
        except TimeoutError as error:
            raise self._too_slow(path) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise self._too_slow(path) from error
            raise UnavailableError(f"{self._url} can't be reached: {reason}.") from error
        except ValueError as error:
            raise ServingError(f"{self._url}{path} answered no JSON: {error}.") from error

    def _too_slow(self, path):
        return ServingError(
            f"{self._url}{path} did not answer within {self._timeout:g} s. Give it more time with "
            f"`timeout`, or ask for fewer rows."
        )


def _path(model, which):
    version, label = which
    path = f"/v1/models/{model}"
    if version is not None:
        return f"{path}/versions/{version}"
    return path if label is None else f"{path}/labels/{label}"


def _reason(error):
    """Returns what a server says of an error, which is JSON where the server knows it."""
    text = error.read().decode(errors="replace").strip()
    try:
        return _short(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return _short(text) or error.reason


def _short(text):
    words = " ".join(str(text).split())
    return words if len(words) < 400 else f"{words[:400]}..."


def _plain(array):
    """Returns an array as JSON can hold it, bytes in base64 [1]."""
    if array.dtype.kind == "S":
        return [{"b64": base64.b64encode(content).decode()} for content in array]
    return array.tolist()


def _array(values):
    if values and isinstance(values[0], dict) and "b64" in values[0]:
        return np.array([base64.b64decode(value["b64"]) for value in values])
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype.kind == "f" else array
