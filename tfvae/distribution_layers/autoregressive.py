"""The distribution of an inverse autoregressive flow, made of tensors alone."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distribution_layers.estimated import EstimatedMoments
from tfvae.distributions import standard_normal_like

tfb = tfp.bijectors

# Gates begin open: sigmoid(1.5) = 0.82 of a latent passes as it is.
_OPEN = 1.5
# Logarithm of the least gate, 1e-3: one of zero could not be inverted, and float32 keeps four
# digits of what is divided by this one.
_LEAST_LOG_GATE = -7.0


def weight_shapes(size, hidden, context):
    """Returns the shapes of the weights of one step's network, by name."""
    return {
        "into_hidden": (size, hidden),
        "from_context": (context, hidden),
        "hidden_bias": (hidden,),
        "into_gate": (hidden, size),
        "into_shift": (hidden, size),
        "gate_bias": (size,),
        "shift_bias": (size,),
    }


class InverseAutoregressive(EstimatedMoments):
    """A diagonal Gaussian, bent by gates and shifts that depend on the latents before.

    Args:
        loc: Float tensor `[*batch, size]`.
        log_scale: Float tensor like `loc`.
        context: Float tensor `[*batch, context]`.
        weights: For each step a dict of tensors, as `weight_shapes` names them.
    """

    def __init__(self, loc, log_scale, context, weights, name="InverseAutoregressive"):
        parameters = dict(locals())
        # From step to step the order turns round, so that every latent may depend on every other.
        steps = [_Step(context, step, bool(i % 2)) for i, step in enumerate(weights)]
        super().__init__(
            distribution=standard_normal_like(loc),
            bijector=tfb.Chain([*reversed(steps), tfb.Shift(loc), tfb.Scale(log_scale=log_scale)]),
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        properties = tfp.util.ParameterProperties
        return {"loc": properties(event_ndims=1), "log_scale": properties(event_ndims=1)}


class _Step(tfb.Bijector):  # type: ignore[name-defined]
    """One step: y_i = gate_i x_i + (1 - gate_i) shift_i, both functions of x_j for j before i."""

    def __init__(self, context, weights, backwards):
        parameters = dict(locals())
        self._context, self._weights, self._backwards = context, weights, backwards
        super().__init__(forward_min_event_ndims=1, parameters=parameters, name="iaf_step")

    @classmethod
    def _parameter_properties(cls, dtype):
        return {"context": tfp.util.ParameterProperties(event_ndims=1)}

    def _forward(self, x):
        log_gate, shift = self._gate_and_shift(x)
        gate = tf.exp(log_gate)
        return gate * x + (1 - gate) * shift

    def _forward_log_det_jacobian(self, x):
        return tf.reduce_sum(self._gate_and_shift(x)[0], axis=-1)

    def _inverse(self, y):
        """Recovers the latents one after the other: each follows from those before it.

        The hidden units take up a latent as soon as it is known and give the numbers of the next
        one, so that all steps together cost one pass of the network. They are written out and no
        loop: XLA has no gradient of a loop within a loop over batches of any size.
        """
        size = y.shape[-1]
        into_hidden, into_gate, into_shift = self._kernels(size)
        weights = self._weights
        reached = self._from_context()
        found = {}
        for i in reversed(range(size)) if self._backwards else range(size):
            hidden = tf.nn.elu(reached)
            log_gate = self._log_gate(
                tf.tensordot(hidden, into_gate[:, i], 1) + weights["gate_bias"][i]
            )
            shift = tf.tensordot(hidden, into_shift[:, i], 1) + weights["shift_bias"][i]
            gate = tf.exp(log_gate)
            found[i] = (y[..., i] - (1 - gate) * shift) / gate
            reached += found[i][..., tf.newaxis] * into_hidden[i]
        return tf.stack([found[i] for i in range(size)], axis=-1)

    def _inverse_log_det_jacobian(self, y):
        return -self._forward_log_det_jacobian(self._inverse(y))

    def _gate_and_shift(self, x):
        """Returns the logarithm of the gates and the shifts, each like x."""
        into_hidden, into_gate, into_shift = self._kernels(x.shape[-1])
        hidden = tf.nn.elu(tf.tensordot(x, into_hidden, 1) + self._from_context())
        log_gate = self._log_gate(tf.tensordot(hidden, into_gate, 1) + self._weights["gate_bias"])
        return log_gate, tf.tensordot(hidden, into_shift, 1) + self._weights["shift_bias"]

    def _kernels(self, size):
        """Returns the kernels, zero where there is no weight."""
        weights = self._weights
        inward, outward = _masks(size, weights["hidden_bias"].shape[-1], self._backwards)
        return (
            inward * weights["into_hidden"],
            outward * weights["into_gate"],
            outward * weights["into_shift"],
        )

    def _from_context(self):
        """Returns what the hidden units know of x: `[*batch, hidden]`."""
        known = tf.tensordot(self._context, self._weights["from_context"], 1)
        return known + self._weights["hidden_bias"]

    def _log_gate(self, raw):
        return tf.maximum(tf.math.log_sigmoid(raw + _OPEN), _LEAST_LOG_GATE)


def _masks(size, hidden, backwards):
    """Returns which weights there are, `[size, hidden]` and `[hidden, size]`, as ones and zeros.

    A hidden unit of degree d sees the latents up to d and is seen by those after it. Degree 0 sees
    none: what it knows is of the context.
    """
    degrees = np.arange(hidden) % max(1, size)
    latents = np.arange(1, size + 1)
    latents = latents[::-1] if backwards else latents
    inward = latents[:, np.newaxis] <= degrees
    outward = degrees[:, np.newaxis] < latents
    return inward.astype(np.float32), outward.astype(np.float32)
