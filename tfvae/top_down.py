"""The path down a ladder of stochastic layers: what the codes above say of those below.

    d_L = f(z_L),  d_l = d_(l+1) + f(d_(l+1), z_l),  loc_l, log-variance_l = linear(d_(l+1))

for layers 1, the lowest, to L. The path is deterministic, and all of it is shared: the prior and
the posterior read loc and log-variance off it, the decoder reads z_1 and d_2.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import layered

tfb = tfp.bijectors


def check_sizes(latent_size, sizes):
    """Returns the number of latents of each layer, the lowest first.

    Examples:
        >>> check_sizes(5, None)
        (3, 2)
        >>> check_sizes(5, (3, 1, 1))
        (3, 1, 1)
        >>> check_sizes(5, (3, 1))
        Traceback (most recent call last):
        ValueError: `sizes` are the latents of each layer, the lowest first: positive ints that add
        up to these 5, such as (3, 2), or None for two halves. Received (3, 1).
    """
    halves = tuple(size for size in (latent_size - latent_size // 2, latent_size // 2) if size)
    if sizes is None:
        return halves
    layers = tuple(sizes) if isinstance(sizes, tuple | list) else ()
    if any(type(size) is not int or size < 1 for size in layers) or sum(layers) != latent_size:
        raise ValueError(
            f"`sizes` are the latents of each layer, the lowest first: positive ints that add up "
            f"to these {latent_size}, such as {halves}, or None for two halves. Received {sizes!r}."
        )
    return layers


class Path:
    """The weights of the path: a network from each layer but the lowest to the one below it.

    Args:
        layer: The Keras layer that owns the weights. Others that share the path hold this object,
            in which Keras doesn't look for weights.
        sizes: As `check_sizes` returns them.
        hidden: Units of each of the two hidden layers of a network; the last of them are the path.
    """

    def __init__(self, layer, sizes, hidden):
        self.sizes, self.hidden = sizes, hidden
        top = len(sizes) - 1
        self._networks = []
        for below, above in enumerate(range(1, top + 1)):
            num_given = sizes[above] + (hidden if above < top else 0)
            shapes = layered.weight_shapes(num_given, sizes[below], hidden)
            self._networks.append(layered.add_weights(layer, shapes, f"_{below}"))

    @property
    def variables(self):
        """All weights."""
        return [variable for network in self._networks for variable in network.values()]

    @property
    def decoded_size(self):
        """The length of what `decoded` returns."""
        return self.sizes[0] + (self.hidden if self._networks else 0)

    def weights(self):
        """Returns the weights as tensors, a dict for each network, that to the lowest layer first.

        With them a distribution is made of tensors alone.
        """
        return [{k: tf.convert_to_tensor(v) for k, v in n.items()} for n in self._networks]

    def decoded(self, z):
        """Returns the codes of the lowest layer, and what the path has gathered above it.

        Args:
            z: Float tensor `[..., latent]`.

        Returns:
            Float tensor `[..., decoded_size]`.
        """
        lowest, *upper = tf.split(z, self.sizes, axis=-1)
        path = None
        for network, codes in zip(reversed(self.weights()), reversed(upper), strict=True):
            path = _onwards(network, path, codes)
        return lowest if path is None else tf.concat([lowest, path], axis=-1)


def _onwards(network, path, codes):
    """Returns the path below a layer: `path` above it, None at the top, and what its codes add."""
    if path is None:
        return layered.features(network, codes)
    return path + layered.features(network, tf.concat([path, codes], axis=-1))


class TopDown(tfb.Bijector):  # type: ignore[name-defined]
    """Makes noise into codes, layer after layer from the top.

        z_l = loc_l + scale_l * eps_l,  z = (z_1, ..., z_L)

    As a prior by loc and scale off the path, 0 and 1 at the top. Given what an encoder says of the
    codes, both are combined, each weighed by its precision:

        scale**-2 = scale_e**-2 + scale_p**-2
        loc = scale**2 (scale_e**-2 loc_e + scale_p**-2 loc_p),  loc_e = (1 + scale_e**2) m

    where m is what loc would be under a prior N(0, 1). A draw goes down the layers once, and so
    does the density of given codes, all of whose layers are known at once.

    Args:
        weights: As `Path.weights` returns them.
        sizes: Number of latents of each layer, the lowest first.
        loc: m, what an encoder says, float tensor `[*batch, latent]`; None for the prior.
        log_variance: log scale_e**2, float tensor like `loc`, or None.
    """

    def __init__(self, weights, sizes, loc=None, log_variance=None):
        parameters = dict(locals())
        self._weights, self._sizes, self._encoded = weights, sizes, None
        if loc is not None:
            each = (tf.split(tensor, sizes, axis=-1) for tensor in (loc, log_variance))
            self._encoded = list(zip(*each, strict=True))
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name="top_down")

    @classmethod
    def _parameter_properties(cls, dtype):
        properties = tfp.util.ParameterProperties
        return {"loc": properties(event_ndims=1), "log_variance": properties(event_ndims=1)}

    def _forward(self, x):
        return tf.concat(self._made_of(x)[0], axis=-1)

    def _inverse(self, y):
        layers = zip(*self._of_codes(y), strict=True)
        noise = [(codes - loc) * tf.exp(-log_scale) for codes, loc, log_scale in layers]
        return tf.concat(noise, axis=-1)

    def _forward_log_det_jacobian(self, x):
        return _sum(self._made_of(x)[2])

    def _inverse_log_det_jacobian(self, y):
        return -_sum(self._of_codes(y)[2])

    def log_scales(self, z):
        """Returns the log-scale of each code given those above it, like z."""
        codes, _, log_scales = self._of_codes(z)
        whole = [s + tf.zeros_like(layer) for s, layer in zip(log_scales, codes, strict=True)]
        return tf.concat(whole, axis=-1)

    def _made_of(self, noise):
        eps = tf.split(noise, self._sizes, axis=-1)
        return self._descend(lambda layer, loc, scale: loc + scale * eps[layer])

    def _of_codes(self, z):
        codes = tf.split(z, self._sizes, axis=-1)
        return self._descend(lambda layer, loc, scale: codes[layer])

    def _descend(self, codes_of):
        """Goes down the layers.

        Args:
            codes_of: Function (layer, loc, scale) -> the codes of that layer.

        Returns:
            codes, loc, log_scale: Of each layer, the lowest first.
        """
        found, path = [], None
        for layer in reversed(range(len(self._sizes))):
            if path is None:
                loc = log_variance = tf.zeros([self._sizes[layer]])
            else:
                loc, log_variance = layered.params(self._weights[layer], path)
            if self._encoded is not None:
                encoded = self._encoded[layer]
                loc, log_variance = _combined(encoded, (loc, log_variance))
            codes = codes_of(layer, loc, tf.exp(0.5 * log_variance))
            found.append((codes, loc, 0.5 * log_variance))
            if layer:
                path = _onwards(self._weights[layer - 1], path, codes)
        return list(zip(*reversed(found), strict=True))


def _combined(encoder, prior):
    """Returns loc and log-variance of what an encoder and the prior say together.

    With d = log(variance_p / variance_e) the share of the encoder in the precision is
    precision_e / (precision_e + precision_p) = sigmoid(d), and the log of the sum of precisions is
    -log_variance_p + softplus(d): no exponential of a large number, on either side. Since
    sigmoid(d) variance_e is the variance of both together,

        loc = loc_p + sigmoid(d) ((1 + variance_e) m - loc_p)
            = loc_p + sigmoid(d) (m - loc_p) + variance m
    """
    (m, log_variance_e), (loc_p, log_variance_p) = encoder, prior
    d = log_variance_p - log_variance_e
    log_variance = log_variance_p - tf.nn.softplus(d)
    return loc_p + tf.sigmoid(d) * (m - loc_p) + tf.exp(log_variance) * m, log_variance


def _sum(log_scales):
    """Returns the sum over all latents: `[...]`."""
    return sum(tf.reduce_sum(log_scale, axis=-1) for log_scale in log_scales)
