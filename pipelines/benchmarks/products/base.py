"""The matrix products of a training step, and nothing else: the ceiling of a perceptron's training.

For each dense layer x W, with gradient g of its output:

    forward   x  W      [batch, in]  [in, out]
    weights   x^T g     [in, batch]  [batch, out]
    inputs    g  W^T    [batch, out] [out, in]        not for the first layer
"""

import abc

import numpy as np

from pipelines.benchmarks import works


def operands(work):
    """Returns the operands of each product in the order of a step, float32.

    Returns:
        List of (a, b, flip_a, flip_b): the product is `a @ b`, with `a.T` or `b.T` where flipped.
    """
    rng = np.random.default_rng(work.seed)

    def matrix(*shape):
        return rng.standard_normal(shape, np.float32)

    forward, backward = [], []
    for number, (size, out) in enumerate(work.dense):
        x, w, g = matrix(work.batch_size, size), matrix(size, out), matrix(work.batch_size, out)
        forward.append((x, w, False, False))
        backward.append((x, g, True, False))
        if number:
            backward.append((g, w, False, True))
    return forward + backward[::-1]


def flops(work):
    """Returns the floating-point operations of these products, two for each multiplication."""
    macs = [work.batch_size * size * out for size, out in work.dense]
    return 2 * (3 * sum(macs) - macs[0])


class Products(abc.ABC):
    """Computes the products of a step, by one library.

    Args:
        work: Fields of the `Work`.
    """

    def __init__(self, work):
        self.build(operands(works.from_json(work)))

    @abc.abstractmethod
    def build(self, products):
        """Makes the operands ready, where the library wants them."""

    @abc.abstractmethod
    def run(self, steps):
        """Computes the products of so many steps; returns when they are done."""
