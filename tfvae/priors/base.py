"""The family of priors p(z)."""

import abc
from typing import Any

import keras

from tfvae import components, noise

_UNIFORM = 1  # the stream of u; eps is drawn from the seed of the row itself


class Prior(components.Component, keras.layers.Layer, abc.ABC):
    """A distribution over codes; a layer, so that it may own weights.

    A draw is a function of noise from outside, so that exports which can't draw random numbers
    take it as an input. A member overrides `_distribution` and `_draw`, and `_quantile` where its
    latents are independent; `noise_shapes` if it needs more noise than `eps`, `decoded_size` if
    the decoder reads a part of the codes, and `_decoded` too if it reads something else of them;
    `path_down` if a posterior may go down its path, `build` if a weight has the shape of an
    example, and `_adapt` if weights begin at examples. Where `conditional` is set, it is p(z|c),
    and `_distribution`, `_draw` and `_quantile` take c last, float32 `[batch, num_known]` or None.

    Args:
        latent_size: Length of a code.
    """

    #: Whether the prior depends on the condition of a conditional model.
    conditional = False

    #: The `tfvae.top_down.Path` that its codes come down, for a posterior to share; None for none.
    path_down: Any = None

    def __init__(self, latent_size, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_size = latent_size
        self.num_known = 0

    @abc.abstractmethod
    def _distribution(self, posterior_of):
        """Returns p(z)."""

    @abc.abstractmethod
    def _draw(self, noise, posterior_of):
        """Makes noise, a dict with the names of `noise_shapes`, into codes."""

    @property
    def noise_shapes(self):
        """The noise that a draw is made of: name -> shape of one row.

        `eps` is standard normal, `u` uniform on [0, 1).
        """
        return {"eps": (self.latent_size,)}

    @property
    def decoded_size(self):
        """The length of what the decoder reads: so many of the first latents, by default all."""
        return self.latent_size

    def bind(self, num_known):
        """Tells the layer how long the condition's vector is, 0 for none; before it is built."""
        self.num_known = num_known

    def distribution(self, posterior_of=None, condition=None):
        """Returns p(z).

        Args:
            posterior_of: Function x -> q(z|x), for a prior that is made of posteriors.
            condition: float32 `[batch, num_known]`, for a conditional model; else None.

        Returns:
            distribution: `tfd.Distribution`, batch shape `[]`, or `[batch]` where it depends on the
                condition, event shape `[latent_size]`.
        """
        return self._distribution(posterior_of, *self._known(condition))

    def draw(self, noise, posterior_of=None, condition=None):
        """Makes noise from outside into codes: a deterministic function of it.

        Args:
            noise: Dict of float tensors `[batch, *shape]`, as `noise_shapes` names them.
            posterior_of: As in `distribution`.
            condition: As in `distribution`.

        Returns:
            z: Float tensor `[batch, latent_size]`.
        """
        return self._draw(noise, posterior_of, *self._known(condition))

    def sample(self, seed, posterior_of=None, condition=None):
        """Draws codes, each row from its own seed.

        Args:
            seed: int32 `[batch, 2]`.
            posterior_of: As in `distribution`.
            condition: As in `distribution`.

        Returns:
            z: Float tensor `[batch, latent_size]`.
        """
        return self.draw(self.noise_of(seed), posterior_of, condition)

    def decoded(self, z):
        """Returns what the decoder reads of codes.

        Args:
            z: Float tensor `[..., latent_size]`.

        Returns:
            Float tensor `[..., decoded_size]`.
        """
        return self._decoded(z)

    def _decoded(self, z):
        return z[..., : self.decoded_size]

    def noise_of(self, seed):
        """Returns the noise that `draw` takes, of row seeds int32 `[batch, 2]`."""
        kinds = {
            "eps": lambda shape: noise.normal(seed, shape),
            "u": lambda shape: noise.uniform(noise.fold_in(seed, _UNIFORM), shape),
        }
        return {name: kinds[name](shape) for name, shape in self.noise_shapes.items()}

    def adapt(self, examples_of):
        """Sets the weights that begin at examples; training does so once, before its first step.

        Args:
            examples_of: Function of a number -> so many examples of the training split, or all of
                them if there are fewer, float32 `[at most num, *event_shape]`.
        """
        self._adapt(examples_of)

    def _adapt(self, examples_of):
        del examples_of

    @property
    def has_quantiles(self):
        """Whether the latents are independent, so that `quantile` is defined."""
        return type(self)._quantile is not Prior._quantile

    def quantile(self, u, condition=None):
        """Maps the unit cube to codes by the inverse of each latent's distribution function.

        Args:
            u: Float tensor `[batch, latent_size]` in (0, 1).
            condition: As in `distribution`.

        Returns:
            z: Float tensor `[batch, latent_size]`.

        Raises:
            ValueError: If the latents are not independent under this prior.
        """
        return self._quantile(u, *self._known(condition))

    def _known(self, condition):
        """Returns the condition as an argument, for those that take it."""
        return (condition,) if self.conditional else ()

    def _quantile(self, u):
        del u
        raise ValueError(
            f"The quantiles of a prior need latents that are independent under it. Those of "
            f"`{self.spec}` are not. Draw from it with `sample(seed)` instead."
        )
