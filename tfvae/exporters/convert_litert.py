"""Converts SavedModels to LiteRT files. A program that `litert.py` runs, without this project.

    python convert_litert.py '[["SAVED_MODEL", ["SIGNATURE", ...], "FILE.tflite"], ...]'
"""

import json
import pathlib
import sys


def main(jobs):
    """Converts each SavedModel of a JSON list of source, signatures and target."""
    for name in ("keras", "tf_keras"):
        sys.modules[name] = None  # TensorFlow would import it, which takes a second or two
    import tensorflow as tf

    for source, signatures, target in json.loads(jobs):
        converter = tf.lite.TFLiteConverter.from_saved_model(source, signature_keys=signatures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        pathlib.Path(target).write_bytes(converter.convert())


if __name__ == "__main__":
    main(*sys.argv[1:])
