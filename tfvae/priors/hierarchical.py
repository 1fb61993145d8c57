"""A prior of two stochastic layers."""

import tensorflow as tf

from tfvae import layered
from tfvae.options import check_count
from tfvae.priors.base import Prior


class Hierarchical(Prior, name="hierarchical"):
    """Two stochastic layers as one vector of codes: the upper one generates the lower one.

        p(z) = p(upper) p(lower | upper),  z = (lower, upper)
        p(upper) = N(0, I),  p(lower | upper) = N(loc(upper), diag(scale(upper)**2))

    The decoder reads the lower layer alone: p(x|z) = p(x | lower). With the posterior
    `hierarchical` it is the VAE of two stochastic layers of [1]; it goes with every other posterior
    too. The KL divergence from it has no closed form: `elbo` takes the mean over its samples.

    Args:
        latent_size: Length of a code, both layers together.
        top: Latents of the upper layer; None for half of them.
        hidden: Units of each of the two hidden layers between.

    Raises:
        ValueError: If an option is out of range.

    References:
        [1] Burda et al., section 5 and appendix C. https://arxiv.org/abs/1509.00519
    """

    def __init__(self, latent_size, *, top=None, hidden=100, **kwargs):
        super().__init__(latent_size, **kwargs)
        self.top = layered.default_top(latent_size, top)
        check_count("hidden", hidden)
        shapes = layered.weight_shapes(self.top, self.decoded_size, hidden)
        self.network = layered.add_weights(self, shapes)

    @property
    def decoded_size(self):
        """The lower layer: what the decoder reads."""
        return self.latent_size - self.top

    def _distribution(self, posterior_of):
        del posterior_of
        weights = {name: tf.convert_to_tensor(w) for name, w in self.network.items()}
        bijector = layered.Conditioned(weights, self.decoded_size, "upper")
        return layered.of_layers(self.latent_size, bijector)

    def _draw(self, noise, posterior_of):
        return self._distribution(posterior_of).bijector.forward(noise["eps"])
