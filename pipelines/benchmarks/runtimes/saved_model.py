"""SavedModel signature."""

import pathlib

from pipelines import cli
from pipelines.benchmarks.runtimes.base import INPUT, OUTPUTS, Runtime

REQUIRES = ("tensorflow",)


class Contestant(Runtime):
    """What `tf.saved_model.load` gives."""

    def build(self, directory, threads):
        """Loads both parts."""
        cli.load_tensorflow()
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        paths = {part: next(pathlib.Path(directory, part).iterdir()) for part in OUTPUTS}
        self._loaded = {part: tf.saved_model.load(str(path)) for part, path in paths.items()}

    def program(self, part, batch_size):
        """Returns a call of the default signature."""
        import tensorflow as tf

        del batch_size
        signature, name = self._loaded[part].signatures["serving_default"], INPUT[part]

        def call(x):
            outputs = signature(**{name: tf.constant(x)})
            return [outputs[key].numpy() for key in OUTPUTS[part]]

        return call
