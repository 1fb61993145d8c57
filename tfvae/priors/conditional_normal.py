"""A Gaussian prior whose mean and scale depend on the condition."""

import itertools

import keras
import tensorflow as tf

from tfvae.distributions import DiagonalNormal
from tfvae.options import check_steps
from tfvae.priors.base import Prior


class ConditionalNormal(Prior, name="conditional_normal"):
    """A Gaussian of its own for each condition, by a small network that learns with the model.

        p(z|c) = N(loc(c), diag(scale(c)**2)),  (loc, log scale) = W tanh(V c + v) + w

    Other priors leave it to the networks to tell the classes apart; with this one the codes of a
    class may lie where they like. It begins at N(0, I) up to the network's initial weights. In a
    model without a condition it is one Gaussian, N(loc, diag(scale**2)), that is learned.

    Args:
        latent_size: Length of a code.
        hidden: Units of the hidden layer; 0 for a linear map, which is enough for labels.

    Raises:
        ValueError: If `hidden` is not an int from 0 on.

    References:
        [1] Sohn, Lee and Yan. Learning structured output representation using deep conditional
            generative models, section 4. NeurIPS 2015.
    """

    conditional = True

    def __init__(self, latent_size, *, hidden=64, **kwargs):
        super().__init__(latent_size, **kwargs)
        self.hidden = check_steps("hidden", hidden)
        self.kernels, self.hidden_bias = [], None
        self.bias = self.add_weight(shape=(2 * latent_size,), initializer="zeros", name="bias")

    def build(self, input_shape):
        """Makes the weights that read the condition, if there is one."""
        del input_shape
        if not self.num_known:
            return
        between = [self.hidden] if self.hidden else []
        sizes = [self.num_known, *between, 2 * self.latent_size]
        for index, shape in enumerate(itertools.pairwise(sizes)):
            glorot = keras.initializers.GlorotUniform()
            name = f"kernel_{index}"
            self.kernels.append(self.add_weight(shape=shape, initializer=glorot, name=name))
        if self.hidden:
            self.hidden_bias = self.add_weight(
                shape=(self.hidden,), initializer="zeros", name="hidden_bias"
            )

    def _distribution(self, posterior_of, condition=None):
        del posterior_of
        return DiagonalNormal(*self._params(condition))

    def _draw(self, noise, posterior_of, condition=None):
        return self._distribution(posterior_of, condition).bijector.forward(noise["eps"])

    def _quantile(self, u, condition=None):
        loc, log_scale = self._params(condition)
        return loc + tf.exp(log_scale) * tf.math.ndtri(u)

    def _params(self, condition):
        """Returns loc and log-scale, `[batch, latent]`, or `[latent]` without a condition."""
        params = tf.convert_to_tensor(self.bias)
        if self.kernels:
            h = condition
            if self.hidden:
                h = tf.tanh(tf.matmul(h, self.kernels[0]) + self.hidden_bias)
            params = tf.matmul(h, self.kernels[-1]) + params
        return tf.split(params, 2, axis=-1)
