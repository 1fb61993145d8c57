"""Probabilistic principal components: what a linear decoder can reach, in closed form."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ProbabilisticPCA:
    """A linear-Gaussian model of data.

        p(z) = N(0, I),  p(x|z) = N(loadings z + mean, variance I)
        p(x) = N(mean, loadings loadings^T + variance I)

    A VAE whose networks are one linear layer each, with one variance for all elements, is this
    model, and its best ELBO is the maximum of this likelihood [2].

    Attributes:
        mean: `[size]`.
        loadings: `[size, latent]`, with orthogonal columns.
        variance: Of what the loadings don't explain, along each axis.

    References:
        [1] Tipping and Bishop. Probabilistic principal component analysis, eq. 7 and 8.
            https://doi.org/10.1111/1467-9868.00196
        [2] Lucas et al. Don't blame the ELBO! https://arxiv.org/abs/1911.02469
    """

    mean: np.ndarray
    loadings: np.ndarray
    variance: float

    def log_prob(self, x):
        """Returns log p(x) in nats, `[num]`, of examples `[num, *event]`.

        Examples:
            >>> model = ProbabilisticPCA(np.zeros(2), np.array([[1.0], [0.0]]), 1.0)
            >>> model.log_prob(np.zeros([1, 2])).round(4).tolist()  # N(0, diag(2, 1))
            [-2.1845]
        """
        offset = np.reshape(x, (len(x), -1)).astype(np.float64) - self.mean
        size, num_latents = self.loadings.shape
        # By the small matrix M = loadings^T loadings + variance I, never by that of x.
        inner = self.loadings.T @ self.loadings + self.variance * np.eye(num_latents)
        projected = offset @ self.loadings
        explained = (projected * np.linalg.solve(inner, projected.T).T).sum(axis=1)
        distance = ((offset**2).sum(axis=1) - explained) / self.variance
        log_det = np.linalg.slogdet(inner).logabsdet
        log_det += (size - num_latents) * np.log(self.variance)
        return -0.5 * (distance + log_det + size * np.log(2 * np.pi))


def fit(batches, latent_size):
    """Finds the maximum of the likelihood, in closed form.

    Args:
        batches: Iterable of arrays `[batch, *event]`.
        latent_size: Number of latents, fewer than the elements of an event.

    Returns:
        A `ProbabilisticPCA`.

    Raises:
        ValueError: If `latent_size` leaves no element over, or the data has no variance there.
    """
    mean, covariance = _moments(batches)
    size = len(mean)
    if not 0 < latent_size < size:
        raise ValueError(
            f"Probabilistic PCA explains the rest of {size} elements by one variance, so it has "
            f"fewer latents. Received latent_size={latent_size}."
        )
    values, vectors = np.linalg.eigh(covariance)  # in rising order
    variance = values[:-latent_size].mean()
    if variance <= 0:
        raise ValueError("The data varies in no direction but those of the latents.")
    scales = np.sqrt(np.maximum(values[-latent_size:] - variance, 0))
    return ProbabilisticPCA(mean, vectors[:, -latent_size:] * scales, float(variance))


def _moments(batches):
    """Returns the mean `[size]` and the covariance `[size, size]` of all examples."""
    num, total, products = 0, np.zeros(()), np.zeros(())
    for batch in batches:
        x = np.reshape(batch, (len(batch), -1)).astype(np.float64)
        num += len(x)
        total = total + x.sum(axis=0)
        products = products + x.T @ x
    mean = total / num
    return mean, products / num - np.outer(mean, mean)
