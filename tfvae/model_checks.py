"""What a `VAE` refuses: options, parts that don't fit together, examples of another kind."""

import functools

import keras
import numpy as np
import tensorflow as tf

from tfvae import masking

_ROWS = 1000  # examples that are looked at together


def check_latent_size(latent_size):
    """Returns the length of a code, or says what is wrong with it."""
    if type(latent_size) is not int or latent_size < 1:
        raise ValueError(
            f"`latent_size` is the length of a code, a positive int such as 20. Received "
            f"{latent_size!r}."
        )
    return latent_size


def check_seed(seed):
    """Returns the seed of a model, or says what is wrong with it."""
    if type(seed) is not int or not -(2**31) <= seed < 2**31:
        raise ValueError(f"`seed` is an int of 32 bits, such as 0. Received {seed!r}.")
    return seed


def check_strategy():
    """Refuses to make variables where Keras 3 and TensorFlow can't train them together.

    Raises:
        ValueError: Within a strategy with parameter servers, or a `keras.distribution`.
    """
    strategy = tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.ParameterServerStrategy):
        found = f"`{type(strategy).__name__}`, whose parameter servers Keras 3 doesn't support"
    elif keras.distribution.distribution() is not None:
        kind = type(keras.distribution.distribution()).__name__
        found = f"`keras.distribution.{kind}`, which Keras has for JAX alone"
    else:
        return
    raise ValueError(
        f"A VAE trains on one device, or under `tf.distribute.MirroredStrategy`, "
        f"`MultiWorkerMirroredStrategy` or `TPUStrategy`. Received {found}. Make the model outside "
        f"of it."
    )


def check_parts(model):
    """Refuses parts that don't make up a model.

    Args:
        model: A `VAE` with its layers.

    Raises:
        ValueError: If they don't.
    """
    posterior, likelihood = model.posterior_layer, model.likelihood_layer
    if model.mask_missing:
        masking.check_independent(likelihood(tf.zeros([1, *likelihood.params_shape])))
        likelihood.check_missing()
    if not posterior.reparameterized:
        raise ValueError(
            f"The posterior is a bijector of standard normal noise, so that gradients pass "
            f"through its samples. Received `{posterior.spec}`. Choose another, such as "
            f"`normal`."
        )
    if not likelihood.is_likelihood:
        raise ValueError(
            f"`{likelihood.member_name}` is a posterior, a distribution over codes, and no "
            f"likelihood of examples. Received `{likelihood.spec}`. Choose another, such as "
            f"`normal`."
        )
    if model.prior_layer.weights and not posterior.has_density:
        raise ValueError(
            f"The posterior `{posterior.spec}` has no density, so there is no term from which "
            f"the prior `{model.prior_layer.spec}` could learn. Choose the prior "
            f"`standard_normal`, or a posterior such as `normal`."
        )
    if model.objective.needs_density and not posterior.has_density:
        raise ValueError(
            f"The objective `{model.objective.spec}` is about log q(z|x), and the posterior "
            f"`{posterior.spec}` has no density. Choose the objective `elbo`, or a posterior such "
            f"as `normal`."
        )
    if model.condition is not None:
        zeros = tf.zeros([1, model.condition.size])
        model.prior_layer.distribution(functools.partial(_refuse_to_encode, model), zeros)
    sizes = (
        ("posterior", posterior.event_shape, (model.latent_size,)),
        ("likelihood", likelihood.event_shape, model.event_shape),
        ("prior", (model.prior_layer.latent_size,), (model.latent_size,)),
    )
    for name, received, wanted in sizes:
        if received != wanted:
            raise ValueError(
                f"The {name} of this model is over events of shape {wanted}. Received an "
                f"instance for {received}. Give its spec, and the model builds it."
            )


def _refuse_to_encode(model, x):
    """Stands for x -> q(z|x, c) of a conditional model, whose inputs c isn't known of."""
    del x
    raise ValueError(
        f"The prior `{model.prior_layer.spec}` is made of posteriors of inputs of its own, and "
        f"nobody knows their condition `{model.condition.spec}`. Choose another, such as "
        f"`conditional_normal`."
    )


def check_batch(data, event_shape, condition, blocks=False, as_stored=False):
    """Returns what Keras hands over, checked: examples, or examples with their conditions.

    Args:
        data: Examples, or a pair of examples and the values of their condition; as they are, or
            alone in a tuple, as Keras packs what is given to it.
        event_shape: Shape of one example.
        condition: The `Condition` of the model, or None.
        blocks: Whether `[steps, batch, ...]` will do as well as `[batch, ...]`.
        as_stored: Whether the examples are yet to be prepared, and may have any dtype.

    Returns:
        Tensor, or pair of tensors, like `data`.

    Raises:
        ValueError: If the data is of another kind.
    """
    parts = data if isinstance(data, tuple | list) else (data,)
    if len(parts) == 1 and isinstance(parts[0], tuple | list):
        (parts,) = parts
    if condition is None:
        if len(parts) != 1:
            raise ValueError(
                f"This VAE has no condition: a data set yields the examples alone. Received "
                f"a tuple of {len(parts)}. Drop the rest: `dataset.map(lambda x, *_: x)`; or build "
                f"the model with `VAE(..., condition=...)`."
            )
        return check_examples(parts[0], event_shape, blocks, as_stored)
    if len(parts) != 2:
        raise ValueError(
            f"This VAE is conditional on `{condition.spec}`: a data set yields pairs (examples, "
            f"conditions). Received {len(parts)} tensor{'s' * (len(parts) != 1)}. Give both, as in "
            f"`vae.fit(x, labels)`."
        )
    x = check_examples(parts[0], event_shape, blocks, as_stored)
    values = tf.convert_to_tensor(parts[1])
    axes = len(x.shape) - len(event_shape)
    given, wanted = tuple(values.shape), (*x.shape[:axes], *condition.shape)
    if len(given) != len(wanted) or any(
        have != want for have, want in zip(given, wanted, strict=True) if None not in (have, want)
    ):
        raise ValueError(
            f"Each example has its own condition `{condition.spec}`. Received examples of shape "
            f"{tuple(x.shape)} and conditions of shape {given}, which should be {wanted}."
        )
    return x, values


def check_examples(data, event_shape, blocks=False, as_stored=False):
    """Returns the examples of a batch or block, or says what is wrong with them.

    Args:
        data: Examples `[batch, *event_shape]`.
        event_shape: Shape of one example.
        blocks: Whether `[steps, batch, *event_shape]` will do as well.
        as_stored: Whether the examples are yet to be prepared, and may have any dtype.

    Returns:
        Tensor like `data`, float32 unless `as_stored`.

    Raises:
        ValueError: If the data is of another kind.
    """
    x = tf.convert_to_tensor(data)
    if x.shape.rank is None:  # Keras has met shapes that have no number of axes in common
        raise ValueError(_wrong_shape(event_shape, "of varying numbers of axes"))
    if not x.dtype.is_floating and not as_stored:
        raise ValueError(
            f"Examples are floats in the units of the likelihood. Received {x.dtype.name}. "
            f"Convert them: `x.astype('float32')`, and divide by 255 if they are pixels."
        )
    axes = len(x.shape) - len(event_shape)
    event = tuple(x.shape[max(0, axes) :])
    if event != event_shape or axes not in ((1, 2) if blocks else (1,)):
        raise ValueError(_wrong_shape(event_shape, f"of shape {tuple(x.shape)}"))
    return x if as_stored else tf.cast(x, tf.float32)


def check_support(model, x):
    """Refuses examples to which the likelihood gives no density: their nats would mean nothing.

    Args:
        model: A `VAE`.
        x: Examples `[num, *event_shape]`, or a pair of them and their conditions. Arrays and
            tensors with values are looked at, but for examples of which something is missing;
            what has another shape or dtype is refused elsewhere.

    Raises:
        ValueError: If a value lies outside the support, or is missing in a model that has no
            place for that.
    """
    x = x[0] if isinstance(x, tuple | list) and len(x) else x
    if not isinstance(x, np.ndarray | tf.Tensor) or (tf.is_tensor(x) and tf.is_symbolic_tensor(x)):
        return
    x = np.asarray(x)
    if x.dtype.kind != "f" or x.shape[1:] != model.event_shape:
        return
    for start in range(0, len(x), _ROWS):
        some = x[start : start + _ROWS]
        lacks = np.isnan(some).reshape(len(some), -1).any(axis=1)
        if lacks.any() and not model.mask_missing:
            raise ValueError(
                f"Examples are numbers. Received NaN in the one at {start + lacks.argmax()}. Fill "
                f"in what is missing, or leave it out of the likelihood: "
                f"`VAE(..., mask_missing=True)`."
            )
        model.likelihood_layer.check_data(some[~lacks])


def _wrong_shape(event_shape, received):
    return (
        f"Examples of this model have the shape {event_shape}, after the batch axis. Received a "
        f"batch {received}. Reshape the data, or build the model with another `event_shape`."
    )
