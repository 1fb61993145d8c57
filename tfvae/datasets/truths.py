"""The laws that `synthetic` draws from."""

import math

import numpy as np

from tfvae.datasets import rendering

_LOG_2PI = math.log(2 * math.pi)


class LinearGaussian:
    """x = weights z + offset + noise e: probabilistic principal components."""

    class_factors = ()

    def __init__(self, rng, size, latents, noise):
        self.factor_names = tuple(f"z{i}" for i in range(latents))
        self.weights = rng.normal(size=(size, latents))
        self.offset = rng.normal(size=size)
        self.noise = noise

    def draw(self, rng, num):
        """Returns float32 examples `[num, size]`, their z, and no labels."""
        z = rng.normal(size=(num, self.weights.shape[1]))
        e = rng.normal(size=(num, len(self.offset)))
        x = z @ self.weights.T + self.offset + self.noise * e
        return x.astype(np.float32), z.astype(np.float32), None

    def log_prob(self, x):
        """Returns log N(x | offset, weights weights^T + noise**2 I)."""
        covariance = self.weights @ self.weights.T + self.noise**2 * np.eye(len(self.offset))
        root = np.linalg.cholesky(covariance)
        white = np.linalg.solve(root, (x - self.offset).T)  # [size, num]
        log_det = 2 * np.log(np.diag(root)).sum()
        return -0.5 * ((white**2).sum(axis=0) + log_det + len(self.offset) * _LOG_2PI)


class Mixture:
    """x ~ N(mean_k, noise**2 I), with k uniform; the means lie about 3 from one another."""

    factor_names = class_factors = ("component",)

    def __init__(self, rng, size, latents, noise):
        self.means = 2 * rng.normal(size=(latents, size))
        self.noise = noise

    def draw(self, rng, num):
        """Returns float32 examples `[num, size]`, their component, and it again as a label."""
        k = rng.integers(len(self.means), size=num)
        x = self.means[k] + self.noise * rng.normal(size=(num, self.means.shape[1]))
        return x.astype(np.float32), k[:, np.newaxis].astype(np.float32), k

    def log_prob(self, x):
        """Returns log of the mean over k of N(x | mean_k, noise**2 I)."""
        size = self.means.shape[1]
        squares = ((x[:, np.newaxis] - self.means) ** 2).sum(axis=-1) / self.noise**2
        each = -0.5 * (squares + size * (_LOG_2PI + 2 * math.log(self.noise)))
        return np.logaddexp.reduce(each, axis=1) - math.log(len(self.means))


class Moons:
    """Two half circles that reach into one another, and noise."""

    factor_names, class_factors = ("moon", "angle"), ("moon",)

    def __init__(self, rng, size, latents, noise):
        del rng, size, latents
        self.noise = noise

    def draw(self, rng, num):
        """Returns float32 examples `[num, 2]`, their moon and angle, and the moon as a label."""
        moon, angle = rng.integers(2, size=num), rng.uniform(0, np.pi, num)
        sign = 1 - 2 * moon
        x = np.stack([sign * np.cos(angle) + moon, sign * np.sin(angle) + moon / 2], axis=1)
        x += self.noise * rng.normal(size=x.shape)
        return x.astype(np.float32), np.stack([moon, angle], axis=1).astype(np.float32), moon


class Shapes:
    """A white disc, square or triangle on black, at some scale, rotation and place."""

    shapes = ("disc", "square", "triangle")
    factor_names = ("shape", "scale", "rotation", "x", "y")
    class_factors = ("shape",)

    def __init__(self, rng, size, latents, noise):
        del rng, latents, noise
        self.size = size

    def draw(self, rng, num):
        """Returns uint8 images `[num, size, size, 1]`, their factors, the shape."""
        shape = rng.integers(3, size=num)
        scale = rng.uniform(0.2, 0.4, num)  # half of the diameter; the image is 2 wide
        rotation = rng.uniform(0, 2 * np.pi, num)
        centre = rng.uniform(-0.5, 0.5, (num, 2))
        covered = rendering.coverage(self.shapes, shape, scale, rotation, centre, self.size)
        factors = np.column_stack([shape, scale, rotation, centre]).astype(np.float32)
        return rendering.levels(covered), factors, shape


KINDS: dict = {
    "linear_gaussian": LinearGaussian,
    "mixture": Mixture,
    "moons": Moons,
    "shapes": Shapes,
}
