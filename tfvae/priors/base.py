"""The family of priors p(z)."""

import abc

import keras

from tfvae import components


class Prior(components.Component, keras.layers.Layer, abc.ABC):
    """A distribution over codes; a layer, so that it may own weights.

    A member overrides `_distribution` and `_sample`, and `_quantile` where its latents are
    independent.

    Args:
        latent_size: Length of a code.
    """

    def __init__(self, latent_size, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_size = latent_size

    @abc.abstractmethod
    def _distribution(self, posterior_of):
        """Returns p(z)."""

    @abc.abstractmethod
    def _sample(self, seed):
        """Draws `[batch, latent_size]` from row seeds int32 `[batch, 2]`."""

    def distribution(self, posterior_of=None):
        """Returns p(z).

        Args:
            posterior_of: Function x -> q(z|x), for a prior that is made of posteriors.

        Returns:
            distribution: `tfd.Distribution`, batch shape `[]`, event shape `[latent_size]`.
        """
        return self._distribution(posterior_of)

    def sample(self, seed):
        """Draws codes, each row from its own seed.

        Args:
            seed: int32 `[batch, 2]`.

        Returns:
            z: Float tensor `[batch, latent_size]`.
        """
        return self._sample(seed)

    def quantile(self, u):
        """Maps the unit cube to codes by the inverse of each latent's distribution function.

        Args:
            u: Float tensor `[batch, latent_size]` in (0, 1).

        Returns:
            z: Float tensor `[batch, latent_size]`.

        Raises:
            ValueError: If the latents are not independent under this prior.
        """
        return self._quantile(u)

    def _quantile(self, u):
        del u
        raise ValueError(
            f"The quantiles of a prior need latents that are independent under it. Those of "
            f"`{self.spec}` are not. Draw from it with `sample(seed)` instead."
        )
