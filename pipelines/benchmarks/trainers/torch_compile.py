"""PyTorch, torch.compile."""

from pipelines.benchmarks.pytorch import PyTorch

REQUIRES = ("torch",)


class Contestant(PyTorch):
    """The loss and its gradient are compiled; the optimizer is fused already."""

    def prepare(self, loss):
        """Compiles the loss."""
        import torch

        return torch.compile(loss)
