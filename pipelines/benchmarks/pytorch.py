"""The model of a work in PyTorch, eager or compiled."""

import itertools

import numpy as np

from pipelines.benchmarks import mnist
from pipelines.benchmarks.trainers.base import Trainer
from pipelines.benchmarks.weights import glorot


def encoder(work):
    """Returns x -> mean and log-variance, side by side: an `nn.Sequential`."""
    from torch import nn

    layers, size = [], 28 * 28
    for number, (before, after) in enumerate(itertools.pairwise((1, *work.channels))):
        if number == 2:  # 7 -> 4: Keras's "same" puts the odd row at the end
            layers += [nn.ZeroPad2d((0, 1, 0, 1))]
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU()]
        size = 16 * after
    layers += [nn.Flatten(), nn.Linear(size, work.hidden), nn.ReLU()]
    return _prepared(nn.Sequential(*layers, nn.Linear(work.hidden, 2 * work.latent_size)), work, 0)


def decoder(work):
    """Returns z -> logits: an `nn.Sequential`."""
    from torch import nn

    layers = [nn.Linear(work.latent_size, work.hidden), nn.ReLU()]
    if not work.channels:
        return _prepared(nn.Sequential(*layers, nn.Linear(work.hidden, 28 * 28)), work, 1)
    last = work.channels[-1]
    layers += [nn.Linear(work.hidden, 16 * last), nn.ReLU(), nn.Unflatten(1, (last, 4, 4))]
    for number, (before, after) in enumerate(
        itertools.pairwise((*work.channels[::-1], work.channels[0]))
    ):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1)]
        layers += [nn.ZeroPad2d((0, -1, 0, -1))] if number == 0 else []  # 4 -> 8 -> 7
        layers += [nn.ReLU()]
    layers += [nn.Conv2d(work.channels[0], 1, 3, 1, 1)]
    return _prepared(nn.Sequential(*layers), work, 1)


def loss_of(encode, decode):
    """Returns the function x -> mean of -ELBO(x), nats."""
    import torch
    from torch.nn import functional

    def loss(x):
        mean, log_variance = encode(x).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        cross_entropy = functional.binary_cross_entropy_with_logits(decode(z), x, reduction="sum")
        kl = 0.5 * torch.sum(log_variance.exp() + mean**2 - 1 - log_variance)
        return (cross_entropy + kl) / len(x)

    return loss


def images(array, work):
    """Returns images `[num, 28, 28, 1]` as the tensor that the networks read."""
    import torch

    if not work.channels:
        return torch.from_numpy(array.reshape(len(array), -1))
    return torch.from_numpy(array.reshape(-1, 1, 28, 28)).to(memory_format=torch.channels_last)


class PyTorch(Trainer):
    """A loop over batches in memory with the fused Adam, PyTorch's fastest."""

    def build(self, work):
        """Makes the model, the data and the optimizer."""
        import torch

        torch.manual_seed(work.seed)
        self._images = images(mnist.training_images(work.num_images), work)
        self._encoder, self._decoder = encoder(work), decoder(work)
        weights = [*self._encoder.parameters(), *self._decoder.parameters()]
        self._optimizer = torch.optim.Adam(weights, work.learning_rate, eps=1e-7, fused=True)
        self._loss = self.prepare(loss_of(self._encoder, self._decoder))

    def prepare(self, loss):
        """Returns the loss as it is run: eager here."""
        return loss

    def fit(self, first_epoch, epochs):
        """Runs the loop."""
        import torch

        del first_epoch
        for _ in range(epochs):
            for rows in torch.randperm(self.work.num_images).split(self.work.batch_size):
                self._optimizer.zero_grad(set_to_none=True)
                x = self._images[rows]
                # Drawn here, so that a compiled loss doesn't draw by a slower generator.
                x = torch.bernoulli(x) if self.work.binarized else x
                self._loss(x).backward()
                self._optimizer.step()

    def num_steps(self):
        """Returns the step that Adam has counted for each weight."""
        return next(iter(self._optimizer.state.values()))["step"].item()

    def encode(self, x):
        """Returns the encoder's output, by halves."""
        return np.split(_run(self._encoder, images(x, self.work)), 2, axis=1)

    def decode(self, z):
        """Returns the decoder's output."""
        import torch

        return _run(self._decoder, torch.from_numpy(z))


def _run(network, inputs):
    import torch

    with torch.inference_mode():
        return network(inputs).numpy()


def _prepared(network, work, part):
    """Begins where Keras's layers begin, and lays images out as the fastest kernels want them."""
    import torch

    rng = np.random.default_rng((work.seed, part))
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 1:
                weight.zero_()
                continue
            kernel = glorot(rng, (*weight.shape[2:], weight.shape[0], weight.shape[1]))
            weight.copy_(torch.from_numpy(np.moveaxis(kernel, (-2, -1), (0, 1))))
    return network.to(memory_format=torch.channels_last)
