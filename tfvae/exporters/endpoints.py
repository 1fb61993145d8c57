"""What a trained model offers to other programs, by part and by signature.

Signatures that draw take their noise from outside. In a format that can draw random numbers
it is a seed for each row, so that a row's draw depends on its own seed alone; elsewhere it is the
noise itself, and then only the deterministic block z = g(eps, x) is exported. A signature takes the
noise that its part needs, as the part's `noise_shapes` say: standard normal `eps`, uniform `u`, or
none. The signatures of a conditional model have one more input, `condition`.
"""

import dataclasses
import inspect

import numpy as np
import tensorflow as tf

from tfvae.exporters import verification
from tfvae.exporters.base import Endpoint, ExportError

_MISSING = 0.25  # share of the values that are missing in a proof, where some may be


def endpoints(vae, noise):
    """Returns the endpoints of a model.

    Args:
        vae: The model.
        noise: "seed" or "eps".

    Returns:
        Dict of part, "encoder" and "decoder", to a tuple of `Endpoint`.
    """
    return {"seed": _from_seeds, "eps": _from_noise}[noise](vae)


def of_format(vae, exporter):
    """Returns the endpoints that a format is written with, for a model with a condition or without.

    Args:
        vae: The model.
        exporter: An `Exporter`.

    Returns:
        As `endpoints`. Where the model is conditional, each takes the condition of its rows last.

    Raises:
        ExportError: If the model can't have them.
    """

    def make(model):
        return exporter.endpoints(model, endpoints(model, exporter.noise))

    listed = make(vae)
    if vae.condition is not None:
        listed = {
            part: tuple(_conditional(vae, make, part, index) for index in range(len(several)))
            for part, several in listed.items()
        }
    if vae.mask_missing:
        listed = {part: tuple(map(_with_missing, several)) for part, several in listed.items()}
    return listed


def _conditional(vae, make, part, index):
    """Returns an endpoint with one more input: what it is of the model given its condition."""
    endpoint, condition = make(vae)[part][index], vae.condition

    def function(**inputs):
        given = vae.given(inputs.pop(condition.input.name))
        return make(given)[part][index].function(**inputs)

    def draw(rng, batch):
        inputs = verification.random_inputs(endpoint, batch, rng)
        return {**inputs, condition.input.name: condition.examples(batch)}

    return _endpoint(endpoint.name, function, (*endpoint.inputs, condition.input), draw)


def _with_missing(endpoint):
    """Returns an endpoint that is proven with missing values, if it takes examples."""
    if all(spec.name != "x" for spec in endpoint.inputs):
        return endpoint

    def draw(rng, batch):
        inputs = verification.random_inputs(endpoint, batch, rng)
        missing = rng.random(inputs["x"].shape) < _MISSING
        return {**inputs, "x": np.where(missing, np.float32("nan"), inputs["x"])}

    return dataclasses.replace(endpoint, draw=draw)


def weights(vae):
    """Returns the values of the variables of each part.

    Args:
        vae: The model.

    Returns:
        Dict of part to a list of arrays.
    """
    posterior = vae.posterior_layer
    shared = posterior.shared_variables
    encoder = [*vae.encoder.variables, *posterior.variables]
    decoder = [
        variable
        for layer in (vae.decoder, vae.likelihood_layer, vae.prior_layer)
        for variable in layer.variables
    ]
    # A prior that is made of posteriors takes the encoder along, a posterior what the prior shares.
    parts = {
        "encoder": [*encoder, *shared],
        "decoder": [*decoder, *(encoder if _asks_posterior(vae) else ())],
    }
    return {part: [variable.numpy() for variable in found] for part, found in parts.items()}


def _asks_posterior(vae):
    """Says whether the prior is made of posteriors."""
    asked = []

    def posterior_of(x):
        asked.append(x)
        return vae.posterior(x)

    known = None if vae.condition is None else tf.zeros([1, vae.condition.size])
    vae.prior_layer.distribution(posterior_of, known)
    return bool(asked)


def _from_seeds(vae):
    def sample_posterior(x, seed):
        return _float32(z=vae.posterior_layer.sample(vae.encode(_example(vae, x)), seed))

    def sample_likelihood(z, seed):
        return _rows(vae, x=vae.likelihood_layer.sample(vae.decode(z), seed))

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

    def reparameterize(x, **noise):
        posterior = vae.posterior(_example(vae, x))
        # A point mass takes no noise: its code is its mean.
        return _float32(z=posterior.bijector.forward(noise["eps"]) if noise else posterior.mean())

    def generate(**noise):
        # The code is the prior's: the model's own draw for the same noise.
        return {"mean": decode(vae.draw_codes(noise))["mean"]}

    x = _x(vae)
    return {
        "encoder": (
            Endpoint("encode", _posterior(vae), (x,)),
            _endpoint("reparameterize", reparameterize, (x, *_noise(vae.posterior_layer))),
        ),
        "decoder": (
            Endpoint("decode", decode, (_code(vae, "z"),)),
            _endpoint("generate", generate, _noise(vae.prior_layer)),
        ),
    }


def _noise(part):
    """Returns the inputs that the noise of a posterior or a prior comes by."""
    return tuple(
        tf.TensorSpec((None, *shape), tf.float32, name) for name, shape in part.noise_shapes.items()
    )


def _endpoint(name, function, inputs, draw=None):
    """Returns the `Endpoint` of a function that takes its inputs as keywords.

    TensorFlow reads the names of inputs from a signature: the function gets one that names them.
    """
    parameters = [
        inspect.Parameter(i.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for i in inputs
    ]
    signature = inspect.Signature(parameters)

    def with_names(*args, **kwargs):
        return function(**signature.bind(*args, **kwargs).arguments)

    with_names.__signature__ = signature  # type: ignore[attr-defined]
    return Endpoint(name, with_names, inputs, draw)


def _posterior(vae):
    """Returns the function x -> the moments of q(z|x)."""

    def posterior(x):
        return _float32(**_moments(vae.posterior_layer, vae.encode(_example(vae, x))))

    return posterior


def _likelihood(vae):
    """Returns the function z -> the moments of p(x|z)."""

    def likelihood(z):
        return _rows(vae, **_moments(vae.likelihood_layer, vae.decode(z)))

    return likelihood


def _moments(layer, params):
    distribution = layer(params)
    return {name: getattr(distribution, name)() for name in layer.moments}


def _x(vae):
    shape = vae.event_shape if vae.transform is None else vae.transform.row_shape
    return tf.TensorSpec((None, *shape), tf.float32, "x")


def _code(vae, name):
    return tf.TensorSpec((None, vae.latent_size), tf.float32, name)


def _example(vae, x):
    """Returns what the encoder sees of a row as it came."""
    return vae.seen(x if vae.transform is None else vae.transform.encode(x))


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
