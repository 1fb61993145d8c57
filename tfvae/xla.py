"""Where XLA pays off, and functions that are compiled by it only there."""

import functools

import keras
import tensorflow as tf

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


def pays_off(model):
    """Says whether XLA makes a model's steps faster on this machine.

    On CPU it makes dense layers nearly twice as fast and convolutions ten times slower than
    TensorFlow's own kernels; on GPU and TPU it helps both.

    Args:
        model: May have an `encoder` and a `decoder`, Keras models.
    """
    if any(device.device_type != "CPU" for device in tf.config.list_logical_devices()):
        return True
    networks = [getattr(model, name, None) for name in ("encoder", "decoder")]
    layers = [layer for net in networks if net is not None for layer in net._flatten_layers()]
    return not any(isinstance(layer, _CONVOLUTIONS) for layer in layers)


def function(python_function):
    """Makes a TensorFlow function of a model and tensors, compiled by XLA where that pays off.

    A model whose condition is given comes in as its two halves, the condition as a tensor: it is
    compiled once, and not for each batch.
    """

    def run(model, condition, *arguments):
        return python_function(model if condition is None else model.given(condition), *arguments)

    functions = {
        flag: tf.function(run, jit_compile=flag, autograph=False) for flag in (True, False)
    }

    @functools.wraps(python_function)
    def call(model, *arguments):
        model, condition = model.halves() if hasattr(model, "halves") else (model, None)
        return functions[pays_off(model)](model, condition, *arguments)

    call.python_function = python_function  # type: ignore[attr-defined]  # as tf.function has it
    return call
