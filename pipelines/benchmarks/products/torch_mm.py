"""PyTorch's mm."""

from pipelines.benchmarks.products.base import Products

REQUIRES = ("torch",)


class Contestant(Products):
    """Writes into tensors that are there."""

    def build(self, products):
        """Flips views and makes room for the results."""
        import torch

        self._products = []
        for a, b, flip_a, flip_b in products:
            a, b = torch.from_numpy(a), torch.from_numpy(b)  # noqa: PLW2901 - the same matrices
            pair = (a.T if flip_a else a, b.T if flip_b else b)
            self._products.append((*pair, torch.empty(len(pair[0]), pair[1].shape[1])))

    def run(self, steps):
        """Runs the products one after another."""
        import torch

        with torch.inference_mode():
            for _ in range(steps):
                for a, b, out in self._products:
                    torch.mm(a, b, out=out)
