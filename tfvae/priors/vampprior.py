"""The variational mixture of posteriors."""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.options import check_count
from tfvae.priors.base import Prior

tfd = tfp.distributions


class VampPrior(Prior, name="vampprior"):
    """A mixture of the posteriors of examples that are learned.

        p(z) = 1/K sum_k q(z | u_k),  u_k pseudo-inputs of the shape of an example

    The best prior for the ELBO is the mean of q(z|x) over the data; this is its approximation by
    K learned inputs of the encoder. Before the first step of training they are set to examples of
    the training split. A step runs the encoder on K more inputs; the decoder that is exported
    draws a code by running the encoder on the chosen one, and so holds the encoder's weights too.

    Args:
        latent_size: Length of a code.
        num_components: K; [1] takes 500 for MNIST.

    Raises:
        ValueError: If `num_components` is not a positive int, or no `posterior_of` is given.

    References:
        [1] Tomczak and Welling. VAE with a VampPrior, eq. 9. https://arxiv.org/abs/1705.07120
    """

    def __init__(self, latent_size, *, num_components=100, **kwargs):
        super().__init__(latent_size, **kwargs)
        self.num_components = check_count("num_components", num_components)

    def build(self, input_shape):
        """Makes the pseudo-inputs; `input_shape` is that of a batch of examples."""
        self.pseudo_inputs = self.add_weight(
            shape=(self.num_components, *input_shape[1:]),
            # The range of pixels, for models that are fitted without `adapt`.
            initializer=keras.initializers.RandomUniform(0.0, 1.0),
            name="pseudo_inputs",
        )

    @property
    def noise_shapes(self):
        """`eps` of the posterior, and `u`, which chooses the pseudo-input."""
        return {"eps": (self.latent_size,), "u": ()}

    def _distribution(self, posterior_of):
        components = self._posterior(posterior_of, tf.convert_to_tensor(self.pseudo_inputs))
        return tfd.MixtureSameFamily(tfd.Categorical(tf.zeros([self.num_components])), components)

    def _draw(self, noise, posterior_of):
        index = tf.cast(noise["u"] * self.num_components, tf.int32)
        # Another program may give any number for `u`: the nearest component, and no failure.
        index = tf.clip_by_value(index, 0, self.num_components - 1)
        chosen = self._posterior(posterior_of, tf.gather(self.pseudo_inputs, index))
        return chosen.bijector.forward(noise["eps"])

    def _adapt(self, examples_of):
        examples = np.nan_to_num(examples_of(self.num_components))  # as the encoder sees them
        # With fewer examples than pseudo-inputs, some begin at the same one, a little apart.
        times = -(-self.num_components // len(examples))
        inputs = np.concatenate([examples] * times)[: self.num_components]
        jitter = np.random.default_rng(0).normal(scale=1e-2, size=inputs.shape)
        self.pseudo_inputs.assign(inputs + jitter.astype(np.float32))

    def _posterior(self, posterior_of, inputs):
        if posterior_of is None:
            raise ValueError(
                f"The prior `{self.spec}` is a mixture of posteriors and needs the encoder: call "
                f"it with `posterior_of=vae.posterior`, or take `vae.prior()`."
            )
        return posterior_of(inputs)
