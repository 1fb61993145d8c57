"""Converts SavedModels to LiteRT files."""

import pathlib

import tensorflow as tf


def main(jobs):
    """Converts each of a list of (SavedModel, names of its signatures, file to write)."""
    for source, signatures, target in jobs:
        converter = tf.lite.TFLiteConverter.from_saved_model(source, signature_keys=signatures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        pathlib.Path(target).write_bytes(converter.convert())
