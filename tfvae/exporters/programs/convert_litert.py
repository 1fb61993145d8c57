"""Converts SavedModels to LiteRT files."""

import pathlib
import re

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_METADATA = "tfvae"


def main(jobs):
    """Converts each of a list of jobs, dicts of what `LiteRT` writes of a file."""
    for job in jobs:
        path = pathlib.Path(job["target"])
        try:
            content = _convert(job)
        except Exception as error:  # whatever it is, it gets a name
            raise ValueError(
                f"{path.name}, with the signatures {', '.join(job['signatures'])}, can't be "
                f"converted. {_reason(str(error))}"
            ) from error
        path.write_bytes(_with_metadata(content, job["metadata"]))


def _reason(text):
    """Returns what a message of the converter says, and of the pages that it may have the names."""
    found = re.search(r"(?:TF Select|Custom) ops: ([^\n]+)", text)
    if found:
        return (
            f"LiteRT has no operations for {found[1]}: write the signatures without them. Noise "
            f"is an input of a LiteRT file."
        )
    return f"{text[:1000]}..." if len(text) > 1000 else text


def _convert(job):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        job["source"], signature_keys=job["signatures"]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    _VARIANTS[job["variant"]](converter, job)
    return converter.convert()


def _as_it_is(converter, job):
    del converter, job


def _float16(converter, job):
    del job
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic_int8(converter, job):
    del job
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter, job):
    rows = dict(np.load(job["representative"]))

    def batches():
        for i in range(len(next(iter(rows.values())))):
            yield {name: array[i : i + 1] for name, array in rows.items()}

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.representative_dataset = batches


_VARIANTS = {
    "float32": _as_it_is,
    "batch1": _as_it_is,
    "float16": _float16,
    "dynamic_int8": _dynamic_int8,
    "int8": _int8,
}


def _with_metadata(content, text):
    """Returns a file with a text in it, found by any reader of LiteRT metadata."""
    model = flatbuffer_utils.convert_bytearray_to_object(content)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    model.buffers.append(buffer)
    entry.name, entry.buffer = _METADATA, len(model.buffers) - 1
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
