"""Distributions of single numbers, in the form that `tfd.Independent` makes events of."""

import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions


class Elementwise(tfd.Distribution):  # type: ignore[name-defined]
    """A distribution of independent numbers, one for each entry of a tensor of parameters.

    A subclass overrides `_log_prob`, `_mean` and `_variance`. Draws are the layer's matter, which
    has a seed for each row.

    Args:
        like: Tensor whose shape is the batch shape.
        parameters: Dict of the constructor's arguments, as TensorFlow Probability keeps them.
    """

    def __init__(self, like, parameters):
        self._like = like
        super().__init__(
            dtype=tf.float32,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=type(self).__name__,
        )

    def _batch_shape(self):
        return self._like.shape

    def _batch_shape_tensor(self, **parameters):
        del parameters
        return tf.shape(self._like)

    def _event_shape(self):
        return tf.TensorShape([])

    def _event_shape_tensor(self):
        return tf.constant([], tf.int32)


def flattened(function, *tensors):
    """Runs a function of single numbers with the last axes that all tensors share as one axis.

    The first axis of each, its batch, stays apart.

    The result is the same; XLA's loops on CPU take up to twice as long over the short last axes of
    images, such as 28 x 28 x 1, as over one of 784.

    Args:
        function: Of tensors that broadcast, element by element.
        *tensors: Float tensors of known rank.

    Examples:
        >>> flattened(tf.add, tf.ones([2, 5, 3, 4]), tf.ones([5, 3, 4])).shape
        TensorShape([2, 5, 3, 4])
    """
    shapes = [tensor.shape.as_list()[::-1] for tensor in tensors]
    same = [sizes[0] is not None and len(set(sizes)) == 1 for sizes in zip(*shapes, strict=False)]
    num = min([*same, False].index(False), min(map(len, shapes)) - 1)
    if num < 2:
        return function(*tensors)
    flat = [tf.reshape(t, tf.concat([tf.shape(t)[:-num], [-1]], axis=0)) for t in tensors]
    values = function(*flat)
    last = tensors[0].shape[-num:]
    return tf.reshape(values, tf.concat([tf.shape(values)[:-1], last], axis=0))


def log_rising(start, num):
    """Returns log (Gamma(start + num) / Gamma(start)) - num log(start + 8), without cancellation.

    Both gamma functions are of the size start log(start), their ratio of the size num: float32
    would leave nothing of it for a large `start`. With Stirling's series log Gamma(z) =
    (z - 1/2) log z - z + 1/2 log(2 pi) + c(z), taken at s = start + 8 where its third term is below
    1e-8, the large parts drop out:

        sum_{i<8} log((start + i) / (start + num + i))                     # the way from start to s
        + (s + num - 1/2) log1p(num / s) - num + c(s + num) - c(s)

    Args:
        start: Positive tensor.
        num: Tensor of whole numbers from 0.
    """
    ratios = tf.add_n([tf.math.log((start + i) / (start + num + i)) for i in range(8)])
    s = start + 8
    stirling = (s + num - 0.5) * tf.math.log1p(num / s) - num
    return ratios + stirling + stirling_rest(s + num) - stirling_rest(s)


def stirling_rest(z):
    """Returns c(z) = log Gamma(z) - (z - 1/2) log z + z - 1/2 log(2 pi), for z of 8 and above."""
    return (1 / 12 - 1 / (360 * z * z)) / z


def positive(x):
    """Returns numbers, and 1e-30 for those that are below it: its square root and inverse exist."""
    return tf.maximum(x, 1e-30)
