"""Draws from distributions without a batch, made of noise from outside."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import noise
from tfvae.distributions import reparameterize

tfd = tfp.distributions


def draw(distribution, seed):
    """Draws a code for each row from a distribution without a batch, such as a prior.

    Args:
        distribution: A bijector of standard normal noise, or a `tfd.MixtureSameFamily` of such,
            batch shape `[]`.
        seed: int32 `[batch, 2]`, one seed for each row.

    Returns:
        z: `[batch, *event]`.

    Raises:
        ValueError: If noise from outside can't be made into draws of it.
    """
    if isinstance(distribution, tfd.MixtureSameFamily):
        return _draw_from_mixture(distribution, seed)
    if not isinstance(distribution, tfd.TransformedDistribution):
        raise ValueError(
            f"Draws are made of noise from outside, for which a distribution is a bijector of "
            f"standard normal noise or a mixture of such. Received a "
            f"`{type(distribution).__name__}`."
        )
    return reparameterize(distribution, seed)


def _draw_from_mixture(mixture, seed):
    components = mixture.components_distribution
    eps = noise.normal(seed, tuple(components.event_shape))[:, tf.newaxis]
    z = components.bijector.forward(eps)  # [batch, component, latent]
    weights = tf.nn.softmax(mixture.mixture_distribution.logits_parameter())
    return tf.gather(z, choose(weights, noise.uniform(noise.fold_in(seed, 1), ())), batch_dims=1)


def choose(probabilities, u):
    """Chooses a category by the inverse of the distribution function.

    Args:
        probabilities: `[category]`.
        u: Uniforms in [0, 1), `[batch]`.

    Returns:
        index: int32 `[batch]`.

    Examples:
        >>> probabilities, u = [0.2, 0.5, 0.3], [0.1, 0.2, 0.69, 0.99]
        >>> choose(tf.constant(probabilities), tf.constant(u)).numpy().tolist()
        [0, 1, 1, 2]
    """
    ends = tf.cumsum(probabilities)[:-1]  # the last one is 1, which u never reaches
    return tf.reduce_sum(tf.cast(u[:, tf.newaxis] >= ends, tf.int32), axis=-1)
