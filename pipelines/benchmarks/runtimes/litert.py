"""LiteRT, without TensorFlow."""

import pathlib

from pipelines.benchmarks.runtimes.base import INPUT, OUTPUTS, Runtime

REQUIRES = ("ai_edge_litert",)
_SIGNATURE = {"encoder": "encode", "decoder": "decode"}


class Contestant(Runtime):
    """A signature runner of each batch size, which then keeps its memory."""

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

        del batch_size  # the runner takes it from its first input
        interpreter = Interpreter(model_path=self._files[part], num_threads=self._threads)
        runner, name = interpreter.get_signature_runner(_SIGNATURE[part]), INPUT[part]

        def call(x):
            outputs = runner(**{name: x})
            return [outputs[key] for key in OUTPUTS[part]]

        call.interpreter = interpreter  # type: ignore[attr-defined] # kept alive with its runner
        return call
