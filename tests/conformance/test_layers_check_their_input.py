"""A distribution layer refuses what it can't read, and says what it reads."""

import math

import cases
import numpy as np
import pytest

from tfvae.distribution_layers.base import DistributionLayer


@pytest.mark.parametrize(("spec", "event_shape"), cases.layers_with_events())
def test_parameters_of_another_shape_are_refused(spec, event_shape):
    layer = cases.layer(spec, event_shape)
    shape = layer.params_shape
    wrong = [(4, *shape[:-1], shape[-1] + 1), (4, shape[0] + 1, *shape[1:])]
    for received in wrong:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
            layer(np.zeros(received, np.float32))
        message = (
            f"`{type(layer).__name__}` for event_shape={event_shape} reads parameters of shape "
            f"{('batch', *shape)}. Received an input of shape {received}. End the network before "
            f"it with `Dense({math.prod(shape)})` and `Reshape({shape})`."
        )
        assert message in str(caught.value)  # Keras adds the arguments of the call


@pytest.mark.parametrize("spec", cases.likelihoods())
@pytest.mark.parametrize(
    "event_shape", [(), (0,), (-1, 2), (2.5,), (None, 3), "ab", 0, 2.0, True, None]
)
def test_an_event_shape_that_is_none_is_refused(spec, event_shape):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        cases.build("distribution_layers", spec, event_shape)
    assert str(caught.value) == (
        "`event_shape` is a tuple of positive ints without the batch axis, such as (28, 28, 1) "
        f"or (16,). Received {event_shape!r}."
    )


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_an_int_is_the_event_shape_of_a_vector(spec):
    assert cases.build("distribution_layers", spec, 4).event_shape == (4,)


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_data_in_the_support_is_accepted(spec):
    layer = cases.layer(spec)
    x = cases.LAYERS[cases.name_of(spec)].data(layer, 100)
    assert layer.check_data(x) is None
    log_prob = layer(cases.params_of(layer, 1)).log_prob(x)
    assert np.isfinite(log_prob).all()


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_samples_lie_in_the_support(spec):
    layer = cases.layer(spec)
    params = cases.params_of(layer, 100)
    layer.check_data(layer.sample(params, np.arange(200, dtype=np.int32).reshape(100, 2)).numpy())


@pytest.mark.parametrize("spec", cases.likelihoods())
def test_data_outside_the_support_is_refused(spec):
    layer = cases.layer(spec)
    if type(layer)._in_support is DistributionLayer._in_support:
        assert layer.support == "the reals"
        return
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        layer.check_data(np.resize([0.0, 1.0, -1234.5], (1, *layer.event_shape)))
    assert str(caught.value).startswith(
        f"The likelihood `{layer.member_name}` is defined for values in {layer.support}. "
        "Received data with values from -1234.5 to 1. "
    )
