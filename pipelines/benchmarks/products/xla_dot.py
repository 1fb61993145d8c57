"""XLA's dot, by TensorFlow."""

from pipelines.benchmarks.products import tensorflow_matmul

REQUIRES = ("tensorflow",)


class Contestant(tensorflow_matmul.Contestant):
    """The same graph, compiled."""

    jit_compile = True
