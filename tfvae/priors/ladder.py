"""A prior of several stochastic layers that share a deterministic path from the top down."""

from tfvae import layered, top_down
from tfvae.options import check_count
from tfvae.priors.base import Prior


class Ladder(Prior, name="ladder"):
    """Stochastic layers as one vector of codes, each generated from all those above it.

        p(z) = N(z_L | 0, I) prod_l N(z_l | loc(d_(l+1)), diag(scale(d_(l+1))**2)),  l < L
        d_L = f(z_L),  d_l = d_(l+1) + f(d_(l+1), z_l),  z = (z_1, ..., z_L)
        p(x|z) = p(x | z_1, d_2)

    The path d is deterministic. The decoder reads it together with the codes of the lowest layer,
    so that every layer speaks to it directly, and the posterior `ladder` goes down the same path,
    by the same weights. It goes with every other posterior too. With two layers its density is that
    of `hierarchical`, whose decoder hears the lower layer alone. The KL divergence from it has no
    closed form: `elbo` takes the mean over its samples.

    Args:
        latent_size: Length of a code, all layers together.
        sizes: Latents of each layer, the lowest first, such as (20, 10, 5); None for two halves.
        hidden: Units of each of the two hidden layers between two stochastic ones, and width of
            the path.

    Raises:
        ValueError: If an option is out of range.

    References:
        [1] Sonderby et al. Ladder variational autoencoders. https://arxiv.org/abs/1602.02282
        [2] Maaloe et al. BIVA: the deterministic path, from every layer to the decoder.
            https://arxiv.org/abs/1902.02102
    """

    def __init__(self, latent_size, *, sizes=None, hidden=100, **kwargs):
        super().__init__(latent_size, **kwargs)
        check_count("hidden", hidden)
        self.path_down = top_down.Path(self, top_down.check_sizes(latent_size, sizes), hidden)

    @property
    def decoded_size(self):
        """The codes of the lowest layer and the path."""
        return self.path_down.decoded_size

    def _decoded(self, z):
        return self.path_down.decoded(z)

    def _distribution(self, posterior_of):
        del posterior_of
        bijector = top_down.TopDown(self.path_down.weights(), self.path_down.sizes)
        return layered.of_layers(self.latent_size, bijector)

    def _draw(self, noise, posterior_of):
        return self._distribution(posterior_of).bijector.forward(noise["eps"])
