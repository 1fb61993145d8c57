"""What TensorFlow Serving reads inside a SavedModel's folder: warm-up records, batching.

    assets.extra/tf_serving_warmup_requests   one request for each signature and batch size
    batching_params.pbtxt                     --enable_per_model_batching_parameters

A server answers the warm-up requests before it takes a version into service: the first client
doesn't wait for kernels to be built, and a version that can't answer is never served. The file is
a TFRecord of `tensorflow.serving.PredictionLog`, whose few fields are written here by number, so
that an export doesn't need the package that has the class.

References:
    [1] tensorflow_serving/apis/prediction_log.proto, predict.proto and model.proto
    [2] The wire format of protocol buffers. https://protobuf.dev/programming-guides/encoding/
"""

import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

#: Batch sizes that a server forms: it fills up to the next one. The last is the largest.
BATCH_SIZES = (1, 4, 16, 64)

_RECORDS = "assets.extra/tf_serving_warmup_requests"
_BATCHING = f"""\
# How requests to this model are put together, with --enable_batching=true
# --enable_per_model_batching_parameters=true. Each size has been warmed up.
max_batch_size {{ value: {BATCH_SIZES[-1]} }}
batch_timeout_micros {{ value: 1000 }}
max_enqueued_batches {{ value: 100 }}
"""


def write(model, endpoints, path):
    """Writes the files into the folder of a SavedModel.

    Args:
        model: Name that the model is served by, such as "encoder".
        endpoints: Its `Endpoint`s.
        path: `pathlib.Path` of the folder.
    """
    records = pathlib.Path(path, _RECORDS)
    records.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(records)) as writer:
        for endpoint in endpoints:
            for batch in BATCH_SIZES:
                writer.write(_prediction_log(model, endpoint, batch))
    sizes = "".join(f"allowed_batch_sizes: {size}\n" for size in BATCH_SIZES)
    (path / "batching_params.pbtxt").write_text(_BATCHING + sizes, encoding="ascii")


def _prediction_log(model, endpoint, batch):
    """Returns a `PredictionLog` [1] as bytes."""
    spec = _field(1, model.encode()) + _field(3, endpoint.name.encode())  # ModelSpec
    inputs = b"".join(
        _field(2, _field(1, item.name.encode()) + _field(2, _tensor(endpoint, item, batch)))
        for item in endpoint.inputs
    )
    request = _field(1, spec) + inputs  # PredictRequest
    return _field(6, _field(1, request))  # PredictionLog.predict_log, PredictLog.request


def _tensor(endpoint, spec, batch):
    """Returns a `TensorProto` of zeros: one value stands for all, so it takes a few bytes.

    A string is one that the endpoint draws.
    """
    shape = tf.TensorShape([batch, *spec.shape[1:]]).as_proto()
    tensor = tensor_pb2.TensorProto(dtype=spec.dtype.as_datatype_enum, tensor_shape=shape)
    if spec.dtype != tf.string:
        (tensor.int_val if spec.dtype.is_integer else tensor.float_val).append(0)
    elif endpoint.draw is not None:
        tensor.string_val.append(endpoint.draw(np.random.default_rng(0), 1)[spec.name][0])
    return tensor.SerializeToString()


def _field(number, content):
    """Returns a field of bytes, text or a message [2]."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value):
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
