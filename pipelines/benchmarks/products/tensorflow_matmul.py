"""TensorFlow's matmul, in a graph."""

from pipelines import cli
from pipelines.benchmarks.products.base import Products

REQUIRES = ("tensorflow",)


class Contestant(Products):
    """One call of a graph is one step."""

    jit_compile = False

    def build(self, products):
        """Traces a function of the operands: constants would be folded."""
        cli.load_tensorflow()
        import tensorflow as tf

        flips = [flip for *_, fa, fb in products for flip in [(fa, fb)]]
        self._operands = [(tf.constant(a), tf.constant(b)) for a, b, *_ in products]

        @tf.function(jit_compile=self.jit_compile, autograph=False)
        def step(operands):
            return [
                tf.matmul(a, b, transpose_a=fa, transpose_b=fb)
                for (a, b), (fa, fb) in zip(operands, flips, strict=True)
            ]

        self._step = step

    def run(self, steps):
        """Calls the graph."""
        for _ in range(steps):
            results = self._step(self._operands)
        results[-1].numpy()
