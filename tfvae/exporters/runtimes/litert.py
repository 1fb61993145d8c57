"""Runs LiteRT files with `ai_edge_litert`, without TensorFlow."""

from ai_edge_litert.interpreter import Interpreter

BLOCKED = ("tensorflow",)


class Program:
    """An opened .tflite file.

    Args:
        path: The file.

    Raises:
        ValueError: If it isn't a LiteRT file.
    """

    def __init__(self, path):
        self._interpreter = Interpreter(model_path=str(path))
        self.signatures = tuple(self._interpreter.get_signature_list())

    def inputs(self, signature):
        """Returns the shape of each input by name; None where any size fits."""
        details = self._interpreter.get_signature_runner(signature).get_input_details()
        return {name: _shape(detail) for name, detail in details.items()}

    def run(self, signature, inputs):
        """Calls a signature.

        Args:
            signature: One of `signatures`.
            inputs: Dict of input name to a NumPy array.

        Returns:
            Dict of output name to a NumPy array.
        """
        return self._interpreter.get_signature_runner(signature)(**inputs)


def _shape(detail):
    return tuple(None if size < 0 else int(size) for size in detail["shape_signature"])
