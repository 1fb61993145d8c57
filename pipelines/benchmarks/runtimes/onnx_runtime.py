"""ONNX Runtime."""

from pipelines.benchmarks import onnx_graphs
from pipelines.benchmarks.runtimes.base import INPUT, OUTPUTS, Runtime

REQUIRES = ("onnx", "onnxruntime")


class Contestant(Runtime):
    """A session on graphs built from the same weights; it optimizes them fully by default."""

    def build(self, directory, threads):
        """Builds the graphs and opens them."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        models = onnx_graphs.build(directory)
        self._sessions = {
            part: onnxruntime.InferenceSession(
                models[part].SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            for part in OUTPUTS
        }

    def program(self, part, batch_size):
        """Returns a run of the session."""
        del batch_size
        run, names, name = self._sessions[part].run, list(OUTPUTS[part]), INPUT[part]

        def call(x):
            return run(names, {name: x})

        return call
