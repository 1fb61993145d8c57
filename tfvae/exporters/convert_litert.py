"""Converts SavedModels to LiteRT files. A program that `litert.py` runs, without this project.

    echo '[["SAVED_MODEL", ["SIGNATURE", ...], "FILE.tflite"], ...]' | python convert_litert.py

TensorFlow is imported while the request is still awaited.
"""

import json
import pathlib
import sys


def main():
    """Converts each SavedModel of a JSON list of source, signatures and target."""
    # TensorFlow would import Keras, which takes a second or two and is not needed here.
    for name in ("keras", "tf_keras"):
        sys.modules[name] = None  # type: ignore[assignment]
    import tensorflow as tf

    for source, signatures, target in json.load(sys.stdin):
        converter = tf.lite.TFLiteConverter.from_saved_model(source, signature_keys=signatures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        pathlib.Path(target).write_bytes(converter.convert())


if __name__ == "__main__":
    main()
