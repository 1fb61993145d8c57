"""A small server that speaks TensorFlow Serving's REST and gRPC protocols.

It serves what `serving/models.config` of an export names, by the Session loader, and answers as
`tensorflow_model_server` does: rows and columns, versions and labels, status, metadata, errors.

References:
    [1] https://www.tensorflow.org/tfx/serving/api_rest
    [2] predict.proto, get_model_status.proto and get_model_metadata.proto of the API package
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import re
import threading

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format, text_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from tfvae.exporters.runtimes.saved_model import Program

_PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<verb>:predict|/metadata)?"
)
AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


class RequestError(Exception):
    """What a request did wrong: an HTTP status, a gRPC code and words."""

    def __init__(self, text, status=400, code=grpc.StatusCode.INVALID_ARGUMENT):
        super().__init__(text)
        self.status, self.code = status, code


def _not_found(text):
    return RequestError(text, 404, grpc.StatusCode.NOT_FOUND)


class Models:
    """The models that a config names, opened; the root of the export stands for /models."""

    def __init__(self, root):
        config = model_server_config_pb2.ModelServerConfig()
        text_format.Parse((root / "serving" / "models.config").read_text(), config)
        self.programs, self.labels = {}, {}
        for model in config.model_config_list.config:
            folder = root / model.base_path.removeprefix("/models/")
            versions = model.model_version_policy.specific.versions
            self.programs[model.name] = {v: Program(folder / str(v)) for v in versions}
            self.labels[model.name] = dict(model.version_labels)

    def find(self, name, version=None, label=None):
        """Returns the version and the program that a request asks for."""
        versions = self.programs.get(name)
        if versions is None:
            raise _not_found(f"Servable not found for request: Latest({name})")
        if label is not None:
            if label not in self.labels[name]:
                raise RequestError(f"Unrecognized servable version label: {label}")
            version = self.labels[name][label]
        version = max(versions) if version is None else version
        if version not in versions:
            raise _not_found(f"Servable not found for request: Specific({name}, {version})")
        return version, versions[version]

    def status(self, name):
        """Returns a `GetModelStatusResponse`."""
        if name not in self.programs:
            raise _not_found(f"Could not find any versions of model {name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self.programs[name]:
            response.model_version_status.add(version=version, state=AVAILABLE).status.SetInParent()
        return response

    def metadata(self, name, version, program):
        """Returns a `GetModelMetadataResponse`."""
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = name
        response.model_spec.version.value = version
        definitions = get_model_metadata_pb2.SignatureDefMap()
        for key, definition in program._signatures.items():
            definitions.signature_def[key].CopyFrom(definition)
        response.metadata["signature_def"].Pack(definitions)
        return response

    def run(self, program, signature, inputs):
        """Calls a signature; `inputs` are arrays, or what JSON made of them."""
        definition = program._signatures.get(signature)
        if definition is None:
            raise RequestError(f'Serving signature name: "{signature}" not found in signature def')
        wanted = set(definition.inputs)
        if set(inputs) != wanted:
            raise RequestError(
                f"input size does not match signature: {len(inputs)}!={len(wanted)} len({{"
                f"{','.join(sorted(inputs))}}}) != len({{{','.join(sorted(wanted))}}})"
            )
        try:
            arrays = {
                name: np.asarray(_unpacked(value), _numpy_type(definition.inputs[name]))
                for name, value in inputs.items()
            }
            return program.run(signature, arrays)
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise RequestError(str(error)) from error


def _numpy_type(info):
    return tf.dtypes.as_dtype(info.dtype).as_numpy_dtype


def _unpacked(value):
    """Returns what JSON holds with the bytes that it holds in base64 [1]."""
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"], validate=True)
    return value


def _packed(name, array):
    """Returns an array for JSON: bytes in base64, where the name of the output says so [1]."""
    if array.dtype.kind != "S":
        return array.tolist()
    if not name.endswith("_bytes"):
        raise RequestError("JSON holds no bytes: the name of the output does not end in _bytes")
    return [{"b64": base64.b64encode(content).decode()} for content in array]


def _columns(body):
    """Returns the inputs of a request in rows or columns, None as the name of a single one."""
    if ("instances" in body) == ("inputs" in body):
        raise RequestError("Missing 'inputs' or 'instances' key")
    if "inputs" in body:
        inputs = body["inputs"]
        return inputs if isinstance(inputs, dict) else {None: inputs}
    rows = body["instances"]
    if not isinstance(rows, list) or not rows:
        raise RequestError("Expecting 'instances' value to be a non-empty list")
    if not isinstance(rows[0], dict):
        return {None: rows}
    if any(row.keys() != rows[0].keys() for row in rows):
        raise RequestError("Failed to process element: the keys of instances differ")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _answer(outputs, in_rows):
    """Returns the body of an answer; a single output goes without its name [1]."""
    plain = {name: _packed(name, array) for name, array in outputs.items()}
    if len(plain) == 1:
        (values,) = plain.values()
        return {"predictions" if in_rows else "outputs": values}
    if not in_rows:
        return {"outputs": plain}
    columns = plain.values()
    return {"predictions": [dict(zip(outputs, r, strict=True)) for r in zip(*columns, strict=True)]}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self._reply(self._get)

    def do_POST(self):
        self._reply(self._post)

    def _get(self, match, models):
        name = match["model"]
        version, program = models.find(name, _int(match["version"]), match["label"])
        if match["verb"] == "/metadata":
            response = models.metadata(name, version, program)
        elif match["verb"] is None:
            response = models.status(name)
        else:
            raise _not_found(f"Malformed request: GET {self.path}")
        return json.loads(json_format.MessageToJson(response, preserving_proto_field_name=True))

    def _post(self, match, models):
        if match["verb"] != ":predict":
            raise RequestError(f"Malformed request: POST {self.path}")
        content = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            body = json.loads(content)
        except ValueError as error:
            raise RequestError(f"JSON Parse error: {error}") from error
        _, program = models.find(match["model"], _int(match["version"]), match["label"])
        signature = body.get("signature_name", "serving_default")
        inputs = _columns(body)
        if None in inputs and signature in program.signatures:
            inputs = dict(zip(program.inputs(signature), inputs.values(), strict=False))
        return _answer(models.run(program, signature, inputs), "instances" in body)

    def _reply(self, method):
        server = self.server.stand_in
        match = _PATH.fullmatch(self.path)
        try:
            server.hold_up()
            if match is None:
                raise _not_found(f"Malformed request: {self.path}")
            status, content = 200, method(match, server.models)
        except RequestError as error:
            status, content = error.status, {"error": str(error)}
        body = json.dumps(content).encode()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Keeps quiet."""


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, stand_in):
        self._stand_in = stand_in

    def Predict(self, request, context):  # noqa: N802 - the protocol's name
        def answer(models):
            version, program = _found(models, request.model_spec)
            signature = request.model_spec.signature_name or "serving_default"
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            response = predict_pb2.PredictResponse()
            response.model_spec.version.value = version
            for name, array in models.run(program, signature, inputs).items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
            return response

        return _respond(self._stand_in, context, answer)

    def GetModelMetadata(self, request, context):  # noqa: N802 - the protocol's name
        def answer(models):
            found = _found(models, request.model_spec)
            return models.metadata(request.model_spec.name, *found)

        return _respond(self._stand_in, context, answer)


class _Status(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, stand_in):
        self._stand_in = stand_in

    def GetModelStatus(self, request, context):  # noqa: N802 - the protocol's name
        name = request.model_spec.name
        return _respond(self._stand_in, context, lambda models: models.status(name))


def _found(models, spec):
    version = spec.version.value if spec.HasField("version") else None
    return models.find(spec.name, version, spec.version_label or None)


def _respond(stand_in, context, answer):
    try:
        stand_in.hold_up()
        return answer(stand_in.models)
    except RequestError as error:
        context.abort(error.code, str(error))


def _int(text):
    return None if text is None else int(text)


class StandIn:
    """The server, for REST and gRPC, on ports of its own; a context manager.

    Args:
        root: `pathlib.Path` of an export.

    Attributes:
        models: The `Models` that it serves; what changes them changes the server.
        refusals: How many of the next requests are answered with "unavailable".
        delay: A `threading.Event`; requests wait until it is set.
        num_requests: How many requests have come in.
    """

    def __init__(self, root):
        self.models = Models(root)
        self.refusals = 0
        self.delay = threading.Event()
        self.delay.set()
        self.num_requests = 0

    def __enter__(self):
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.stand_in = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _Predictions(self), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(_Status(self), self._grpc)
        port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self.rest_url = f"http://127.0.0.1:{self._http.server_port}"
        self.grpc_url = f"grpc://127.0.0.1:{port}"
        return self

    def __exit__(self, *exception):
        self.delay.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._grpc.stop(None).wait()

    def hold_up(self):
        """Counts a request, and does with it what a test asks for."""
        self.num_requests += 1
        self.delay.wait(10)
        if self.refusals:
            self.refusals -= 1
            raise RequestError("not ready", 503, grpc.StatusCode.UNAVAILABLE)
