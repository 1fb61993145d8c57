"""PyTorch, eager."""

from pipelines.benchmarks.pytorch import PyTorch

REQUIRES = ("torch",)


class Contestant(PyTorch):
    """The loss runs op by op."""
