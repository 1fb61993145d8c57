"""What a trained model offers to other programs, by part and by signature.

Signatures that draw take their noise from outside. In a format that can draw random numbers
it is a seed for each row, so that a row's draw depends on its own seed alone; elsewhere it is the
standard normal `eps` itself, and then only the deterministic block z = g(eps, x) is exported.
"""

import tensorflow as tf

from tfvae.exporters.base import Endpoint, ExportError


def endpoints(vae, noise):
    """Returns the endpoints of a model.

    Args:
        vae: The model.
        noise: "seed" or "eps".

    Returns:
        Dict of part, "encoder" and "decoder", to a tuple of `Endpoint`.
    """
    return {"seed": _from_seeds, "eps": _from_noise}[noise](vae)


def weights(vae):
    """Returns the values of the variables of each part.

    Args:
        vae: The model.

    Returns:
        Dict of part to a list of arrays.
    """
    parts = {
        "encoder": (vae.encoder, vae.posterior_layer),
        "decoder": (vae.decoder, vae.likelihood_layer, vae.prior_layer),
    }
    return {
        part: [variable.numpy() for layer in layers for variable in layer.variables]
        for part, layers in parts.items()
    }


def _from_seeds(vae):
    def sample_posterior(x, seed):
        return _float32(z=vae.posterior_layer.sample(vae.encoder(_example(vae, x)), seed))

    def sample_likelihood(z, seed):
        return _rows(vae, x=vae.likelihood_layer.sample(vae.decoder(z), seed))

    def generate(seed):
        return _rows(vae, **vae.generate(seed))

    x, z, seed = _x(vae), _code(vae, "z"), tf.TensorSpec((None, 2), tf.int32, "seed")
    return {
        "encoder": (
            Endpoint("serving_default", _posterior(vae), (x,)),
            Endpoint("sample", sample_posterior, (x, seed)),
        ),
        "decoder": (
            Endpoint("serving_default", _likelihood(vae), (z,)),
            Endpoint("sample", sample_likelihood, (z, seed)),
            Endpoint("generate", generate, (seed,)),
        ),
    }


def _from_noise(vae):
    decode = _likelihood(vae)

    def reparameterize(x, eps):
        return _float32(z=_forward(vae.posterior(_example(vae, x)), eps, "posterior"))

    def generate(eps):
        # The code is the prior's: the model's own draw for the same eps.
        return {"mean": decode(_forward(vae.prior(), eps, "prior"))["mean"]}

    x, eps = _x(vae), _code(vae, "eps")
    return {
        "encoder": (
            Endpoint("encode", _posterior(vae), (x,)),
            Endpoint("reparameterize", reparameterize, (x, eps)),
        ),
        "decoder": (
            Endpoint("decode", decode, (_code(vae, "z"),)),
            Endpoint("generate", generate, (eps,)),
        ),
    }


def _posterior(vae):
    """Returns the function x -> the moments of q(z|x)."""

    def posterior(x):
        return _float32(**_moments(vae.posterior_layer, vae.encoder(_example(vae, x))))

    return posterior


def _likelihood(vae):
    """Returns the function z -> the moments of p(x|z)."""

    def likelihood(z):
        return _rows(vae, **_moments(vae.likelihood_layer, vae.decoder(z)))

    return likelihood


def _moments(layer, params):
    distribution = layer(params)
    return {name: getattr(distribution, name)() for name in layer.moments}


def _forward(distribution, eps, role):
    """Returns the draw that `eps` makes: z = bijector(eps)."""
    bijector = getattr(distribution, "bijector", None)
    if bijector is None:
        raise ExportError(
            f"A format without random numbers takes the noise of the {role} as an input, and "
            f"needs a {role} that is a bijector of standard normal noise. Received a "
            f"`{type(distribution).__name__}`. Export with `--format saved_model` alone."
        )
    return bijector.forward(eps)


def _x(vae):
    shape = vae.event_shape if vae.transform is None else vae.transform.row_shape
    return tf.TensorSpec((None, *shape), tf.float32, "x")


def _code(vae, name):
    return tf.TensorSpec((None, vae.latent_size), tf.float32, name)


def _example(vae, x):
    """Returns the example of a row as it came."""
    return x if vae.transform is None else vae.transform.encode(x)


def _rows(vae, **outputs):
    """Returns outputs in float32, those that are examples as rows in the units they came in."""
    outputs = _float32(**outputs)
    if vae.transform is None:
        return outputs
    decode = {
        "z": lambda z: z,
        "x": lambda x: vae.transform.decode(x, whole=True),
        "mean": vae.transform.decode,
        "stddev": vae.transform.decode_stddev,
    }
    unknown = [name for name in outputs if name not in decode]
    if unknown:
        raise ExportError(
            f"The likelihood `{vae.likelihood_layer.spec}` gives {', '.join(unknown)}, which have "
            f"no form as rows of a table. Choose one that gives a mean, such as `normal`."
        )
    return {name: decode[name](tensor) for name, tensor in outputs.items()}


def _float32(**outputs):
    """Returns the outputs in float32, whatever precision the networks compute in."""
    return {name: tf.cast(tensor, tf.float32) for name, tensor in outputs.items()}
