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

        interpreter = Interpreter(model_path=self._files[part], num_threads=self._threads)
        # The signature is the file's first, so its tensors are those of the interpreter.
        runner = interpreter.get_signature_runner(_SIGNATURE[part])
        detail = runner.get_input_details()[INPUT[part]]
        source, shape = detail["index"], detail["shape"][1:]
        targets = [runner.get_output_details()[name]["index"] for name in OUTPUTS[part]]
        interpreter.resize_tensor_input(source, (batch_size, *shape))
        interpreter.allocate_tensors()

        def call(x):
            interpreter.set_tensor(source, x)
            interpreter.invoke()
            return [interpreter.get_tensor(target) for target in targets]

        return call
