"""LiteRT."""

import pathlib

from pipelines.benchmarks.runtimes.base import INPUT, OUTPUTS, Runtime

REQUIRES = ("ai_edge_litert",)
_SIGNATURE = {"encoder": "encode", "decoder": "decode"}


class Contestant(Runtime):
    """An interpreter for each batch size, by tensor: a signature runner costs 5 us more a call."""

    def build(self, directory, threads):
        """Notes where the files lie: an interpreter is for one batch size."""
        self._files = {
            part: str(next(pathlib.Path(directory).glob(f"litert/*/{part}.tflite")))
            for part in OUTPUTS
        }
        self._threads = threads

    def program(self, part, batch_size):
        """Opens an interpreter for this batch size."""
        from ai_edge_litert.interpreter import Interpreter

        source, shape, targets = _tensors(self._files[part], part)
        interpreter = Interpreter(model_path=self._files[part], num_threads=self._threads)
        interpreter.resize_tensor_input(source, (batch_size, *shape))
        interpreter.allocate_tensors()

        def call(x):
            interpreter.set_tensor(source, x)
            interpreter.invoke()
            return [interpreter.get_tensor(target) for target in targets]

        return call


def _tensors(file, part):
    """Returns the index and shape of the input and the indices of the outputs.

    The signature is the file's first, so its tensors are those of the interpreter. They are read by
    an interpreter of their own: one with a runner can't be resized.
    """
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=file).get_signature_runner(_SIGNATURE[part])
    source = runner.get_input_details()[INPUT[part]]
    targets = [runner.get_output_details()[name]["index"] for name in OUTPUTS[part]]
    return source["index"], source["shape"][1:], targets
