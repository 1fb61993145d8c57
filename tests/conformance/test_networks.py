"""A network is two functional models, from x and from z to parameters, that learn everywhere."""

import cases
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae.networks.mlp import MLP

LATENTS = 3


def _models(spec, event_shape):
    """Returns encoder and decoder, with a parameter shape that is not the event's."""
    network = cases.build("networks", spec)
    params_shape = (*event_shape[:-1], 2 * event_shape[-1])
    return network.encoder(event_shape, (2 * LATENTS,)), network.decoder(LATENTS, params_shape)


def _inputs(model, num):
    rng = np.random.default_rng(0)
    return rng.normal(size=(num, *model.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize(("spec", "event_shape"), cases.networks_with_events())
def test_a_network_maps_an_event_to_parameters_and_a_code_to_parameters(spec, event_shape):
    encoder, decoder = _models(spec, event_shape)
    assert (encoder.name, decoder.name) == ("encoder", "decoder")
    assert encoder.input_shape == (None, *event_shape)
    assert decoder.input_shape == (None, LATENTS)
    assert encoder(_inputs(encoder, 2)).shape == (2, 2 * LATENTS)
    params = decoder(_inputs(decoder, 2))
    assert params.shape == (2, *event_shape[:-1], 2 * event_shape[-1])
    assert params.dtype == tf.float32


@pytest.mark.parametrize(("spec", "event_shape"), cases.networks_with_events())
def test_every_variable_of_a_network_gets_a_gradient(spec, event_shape):
    for model in _models(spec, event_shape):
        with tf.GradientTape() as tape:
            outputs = model(_inputs(model, 16))
            loss = tf.reduce_sum(outputs * np.random.default_rng(1).normal(size=outputs.shape))
        assert model.trainable_variables
        gradients = tape.gradient(loss, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            assert gradient is not None, variable.path
            assert np.isfinite(gradient).all(), variable.path
            assert np.any(gradient), variable.path


@pytest.mark.parametrize("spec", cases.specs("networks"))
def test_a_network_ends_without_an_activation(spec):
    for model in _models(spec, (4, 4, 1)):
        *_, kernel, bias = model.weights
        bias.assign(tf.fill(bias.shape, -100.0))
        kernel.assign(tf.zeros_like(kernel))
        np.testing.assert_array_equal(model(_inputs(model, 2)), -100.0)


@pytest.mark.parametrize("spec", cases.specs("networks"))
def test_the_rows_of_a_batch_do_not_mix(spec):
    for model in _models(spec, (4, 4, 1)):
        inputs = _inputs(model, 5)
        rows = np.concatenate([model(inputs[i : i + 1]) for i in range(5)])
        # Matrix products add up in another order for another batch size.
        np.testing.assert_allclose(model(inputs), rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", cases.specs("networks"))
def test_initial_weights_follow_from_the_seed(spec):
    first, same, other = (cases.model(seed, network=spec).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    kernels = [(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1]
    assert kernels
    assert not any(np.array_equal(a, b) for a, b in kernels)


@pytest.mark.parametrize("spec", cases.specs("networks"))
def test_a_network_computes_the_same_from_its_config_and_weights(spec):
    for model in _models(spec, (7, 5, 3) if "conv" in spec else (2, 3)):
        again = keras.Model.from_config(model.get_config())
        again.set_weights(model.get_weights())
        inputs = _inputs(model, 2)
        np.testing.assert_array_equal(again(inputs), model(inputs))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("hidden", "(0,)"),
        ("hidden", "(2.0,)"),
        ("hidden", "(True,)"),
        ("hidden", "'ab'"),
        ("channels", "(-1,)"),
        ("kernel_size", "0"),
    ],
)
@pytest.mark.parametrize("name", cases.NETWORKS)
def test_a_size_that_is_no_positive_int_is_refused(name, option, value):
    if option not in cases.components.members("networks")[name].options:
        return
    with pytest.raises(
        ValueError, match=f"^`{option}` (holds positive ints|is a positive int), such as "
    ):
        cases.build("networks", f"{name}({option}={value})")


@pytest.mark.parametrize("name", cases.NETWORKS)
@pytest.mark.parametrize("value", ["'rellu'", "3", "None", "('relu',)"])
def test_an_unknown_activation_is_refused(name, value):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        cases.build("networks", f"{name}(activation={value})")
    assert str(caught.value) == (
        "`activation` is the name of a Keras activation, such as 'relu', 'tanh', 'gelu' or "
        f"'sigmoid'. Received {value}."
    )


def test_an_activation_that_a_spec_can_not_say_is_refused():
    with pytest.raises(ValueError, match=r"^`activation` is the name of a Keras activation"):
        MLP(activation=tf.nn.relu)


@pytest.mark.parametrize("event_shape", [(5,), (4, 4), (4, 4, 4, 1)])
def test_conv_refuses_what_is_no_image(event_shape):
    network = cases.build("networks", "conv")
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        network.encoder(event_shape, (4,))
    assert str(caught.value) == (
        "The network `conv` reads images: an event shape (height, width, channels). Received "
        f"{event_shape}. Use `--network mlp`, which reads any shape."
    )


def test_conv_has_a_layer_at_least():
    with pytest.raises(
        ValueError, match=r"^`channels` holds one size at least, such as \(32, 64\)"
    ):
        cases.build("networks", "conv(channels=())")


def test_conv_halves_and_doubles_once_for_each_entry_of_channels():
    encoder, decoder = _models("conv(channels=(3, 4, 5))", (16, 24, 1))
    down = [layer.output.shape[1:] for layer in encoder.layers if "conv2d" in layer.name]
    up = [layer.output.shape[1:] for layer in decoder.layers if "transpose" in layer.name]
    assert down == [(8, 12, 3), (4, 6, 4), (2, 3, 5)]
    assert [shape[:2] for shape in up] == [(4, 6), (8, 12), (16, 24)]
