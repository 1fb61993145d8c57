"""TensorFlow Serving's gRPC interface: binary tensors, several times faster than JSON.

Needs `tensorflow-serving-api`, which brings TensorFlow: `pip install 'tfvae[serving]'`.
"""

from typing import Any

import numpy as np

from tfvae.serving.errors import ServingError, UnavailableError

try:
    import grpc
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
except ImportError as error:
    raise ImportError(
        "gRPC needs `tensorflow-serving-api`. Install it with `pip install 'tfvae[serving]'`, or "
        "ask by REST: `Client('http://HOST:8501')`."
    ) from error

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_TYPES: dict[int, Any] = {
    types_pb2.DT_FLOAT: np.dtype(np.float32),
    types_pb2.DT_INT32: np.dtype(np.int32),
    types_pb2.DT_UINT8: np.dtype(np.uint8),
}
_NUMBERS = {dtype: number for number, dtype in _TYPES.items()}


class Rpc:
    """Carries requests to a server over gRPC.

    Args:
        address: Such as "localhost:8500".
        timeout: Seconds for one request.
        secure: Whether the connection is encrypted.
    """

    def __init__(self, address, timeout, *, secure=False):
        self._address = address
        self._timeout = timeout
        self._channel = (
            grpc.secure_channel(address, grpc.ssl_channel_credentials(), _UNLIMITED)
            if secure
            else grpc.insecure_channel(address, _UNLIMITED)
        )
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(self, model, which, signature, inputs, single):
        """Calls a signature; gRPC names even a single output."""
        del single
        request = predict_pb2.PredictRequest()
        _point(request.model_spec, model, which)
        request.model_spec.signature_name = signature
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(_tensor(array))
        answer = self._ask(self._predictions.Predict, request, model)
        return {name: self._array(name, tensor) for name, tensor in answer.outputs.items()}

    def states(self, model):
        """Returns the state of each version."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = model
        answer = self._ask(self._models.GetModelStatus, request, model)
        names = get_model_status_pb2.ModelVersionStatus.State
        return {item.version: names.Name(item.state) for item in answer.model_version_status}

    def signatures(self, model, which):
        """Returns the names of the inputs and outputs of each signature."""
        request = get_model_metadata_pb2.GetModelMetadataRequest()
        request.metadata_field.append("signature_def")
        _point(request.model_spec, model, which)
        answer = self._ask(self._predictions.GetModelMetadata, request, model)
        definitions = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(definitions)
        return {
            name: {"inputs": sorted(body.inputs), "outputs": sorted(body.outputs)}
            for name, body in definitions.signature_def.items()
            if not name.startswith("__")
        }

    def _ask(self, method, request, model):
        try:
            return method(request, timeout=self._timeout)
        except grpc.RpcError as error:
            code, details = error.code(), " ".join(str(error.details()).split())[:400]
            where = f"grpc://{self._address}, model `{model}`,"
            if code == grpc.StatusCode.UNAVAILABLE:
                raise UnavailableError(f"{where} can't be reached: {details}.") from error
            if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ServingError(
                    f"{where} did not answer within {self._timeout:g} s. Give it more time with "
                    f"`timeout`, or ask for fewer rows."
                ) from error
            raise ServingError(f"{where} answered {code.name}: {details}") from error

    def _array(self, name, tensor):
        shape = [dim.size for dim in tensor.tensor_shape.dim]
        if tensor.dtype == types_pb2.DT_STRING:
            return np.array(list(tensor.string_val)).reshape(shape)
        if tensor.dtype not in _TYPES:
            kind = types_pb2.DataType.Name(tensor.dtype)
            raise ServingError(f"Output `{name}` is {kind}; exports give floats of 32 bits.")
        dtype = _TYPES[tensor.dtype]
        if tensor.tensor_content:
            return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
        # The other form of the message: a list, whose last value stands for all that follow.
        values = np.array(tensor.float_val if dtype.kind == "f" else tensor.int_val, dtype)
        rest = np.full(int(np.prod(shape)) - len(values), values[-1] if len(values) else 0, dtype)
        return np.concatenate([values, rest]).reshape(shape)


def _point(spec, model, which):
    version, label = which
    spec.name = model
    if version is not None:
        spec.version.value = version
    elif label is not None:
        spec.version_label = label


def _tensor(array):
    array = np.ascontiguousarray(array)
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in array.shape]
    shape = tensor_shape_pb2.TensorShapeProto(dim=dims)
    if array.dtype.kind == "S":
        files = array.ravel().tolist()
        return tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING, tensor_shape=shape, string_val=files
        )
    dtype, content = _NUMBERS[array.dtype], array.tobytes()
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape=shape, tensor_content=content)
