"""A mixture of Gaussians that is learned."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distributions import DiagonalNormal
from tfvae.draws import choose
from tfvae.options import check_count
from tfvae.priors.base import Prior

tfd = tfp.distributions


class Mixture(Prior, name="mixture"):
    """A mixture of Gaussians whose weights, means and scales are learned with the model.

        p(z) = sum_k weight_k N(z | loc_k, diag(scale_k**2))

    The KL divergence from it has no closed form: `elbo` takes the mean over its samples. A draw
    needs, beside `eps`, a uniform `u` that chooses the component.

    Args:
        latent_size: Length of a code.
        num_components: K.

    Raises:
        ValueError: If `num_components` is not a positive int.

    References:
        [1] Dilokthanakul et al. Deep unsupervised clustering with Gaussian mixture VAEs.
            https://arxiv.org/abs/1611.02648
    """

    def __init__(self, latent_size, *, num_components=10, **kwargs):
        super().__init__(latent_size, **kwargs)
        self.num_components = check_count("num_components", num_components)
        shape = (num_components, latent_size)
        # Apart from the start: equal components have equal gradients, and stay equal.
        apart = keras.initializers.RandomNormal(stddev=1.0)
        self.logits = self.add_weight(shape=shape[:1], initializer="zeros", name="logits")
        self.loc = self.add_weight(shape=shape, initializer=apart, name="loc")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")

    @property
    def noise_shapes(self):
        """`eps` within a component, and `u`, which chooses it."""
        return {"eps": (self.latent_size,), "u": ()}

    def _distribution(self, posterior_of):
        del posterior_of
        components = DiagonalNormal(
            tf.convert_to_tensor(self.loc), tf.convert_to_tensor(self.log_scale)
        )
        weights = tfd.Categorical(logits=tf.convert_to_tensor(self.logits))
        return tfd.MixtureSameFamily(weights, components)

    def _draw(self, noise, posterior_of):
        del posterior_of
        index = choose(tf.nn.softmax(self.logits), noise["u"])
        scale = tf.exp(tf.gather(self.log_scale, index))
        return tf.gather(self.loc, index) + scale * noise["eps"]
