"""The networks of a work in plain JAX: pure functions of a list of weights."""

import itertools

import numpy as np

from pipelines.benchmarks.weights import glorot

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def shapes(work):
    """Returns the kernel shapes of the encoder and of the decoder."""
    if not work.channels:
        return work.dense[:2], work.dense[2:]
    *_, last = work.channels
    down = zip((1, *work.channels), work.channels, strict=False)
    encoder: list[tuple] = [(4, 4, *sizes) for sizes in down]
    encoder += [(16 * last, work.hidden), (work.hidden, 2 * work.latent_size)]
    up = (*work.channels[::-1], work.channels[0])
    decoder: list[tuple] = [(work.latent_size, work.hidden), (work.hidden, 16 * last)]
    # Transposed kernels are (height, width, out, in), as in Keras.
    decoder += [(4, 4, out, size) for size, out in itertools.pairwise(up)]
    return encoder, [*decoder, (3, 3, work.channels[0], 1)]


def initial_weights(work):
    """Returns a pair of lists of (kernel, bias), NumPy arrays."""
    rng = np.random.default_rng(work.seed)
    encoder, decoder = shapes(work)
    return _layers(rng, encoder, ()), _layers(rng, decoder, range(2, 2 + len(work.channels)))


def networks(work):
    """Returns the functions `encode(weights, x)` and `decode(weights, z)` for flat images."""
    return _convolutional(work) if work.channels else (_perceptron, _perceptron)


def _layers(rng, kernels, transposed):
    sizes = [shape[-2] if i in transposed else shape[-1] for i, shape in enumerate(kernels)]
    return [
        (glorot(rng, shape), np.zeros(size, np.float32))
        for shape, size in zip(kernels, sizes, strict=True)
    ]


def _perceptron(weights, h):
    import jax

    *hidden, (kernel, bias) = weights
    for w, b in hidden:
        h = jax.nn.relu(h @ w + b)
    return h @ kernel + bias


def _convolutional(work):
    import jax

    relu, up = jax.nn.relu, _transposed_convolution()
    num = len(work.channels)

    def encode(weights, x):
        h = x.reshape(-1, 28, 28, 1)
        for kernel, bias in weights[:num]:
            h = relu(_convolution(h, kernel) + bias)
        return _perceptron(weights[num:], h.reshape(len(h), -1))

    def decode(weights, z):
        h = relu(_perceptron(weights[:2], z)).reshape(-1, 4, 4, work.channels[-1])
        for number, (kernel, bias) in enumerate(weights[2:-1]):
            h = up(h, kernel) + bias
            h = relu(h[:, :7, :7] if number == 0 else h)
        kernel, bias = weights[-1]
        return (_convolution(h, kernel, 1) + bias).reshape(len(h), -1)

    return encode, decode


def _convolution(h, kernel, stride=2):
    from jax import lax

    return lax.conv_general_dilated(h, kernel, (stride, stride), "SAME", dimension_numbers=_LAYOUT)


def _transposed_convolution():
    """Returns the transposed convolution with the gradient of a plain one.

    JAX's own gradient with respect to the kernel is a dilated convolution that XLA runs on CPUs by
    a naive loop: 13 times slower, where written out it is the gradient of the convolution that is
    transposed.
    """
    import jax
    from jax import lax

    @jax.custom_vjp
    def up(h, kernel):
        return lax.conv_transpose(
            h, kernel, (2, 2), "SAME", dimension_numbers=_LAYOUT, transpose_kernel=True
        )

    def backward(saved, gradient):
        h, kernel = saved
        _, pull = jax.vjp(lambda kernel: _convolution(gradient, kernel), kernel)
        return _convolution(gradient, kernel), pull(h)[0]

    up.defvjp(lambda h, kernel: (up(h, kernel), (h, kernel)), backward)
    return up
