"""What a code costs: the terms of a bound that compare q(z|x) with p(z), in nats."""

import functools

import tensorflow as tf


def closed_kl(q, p):
    """Returns KL(q || p) `[batch]` in nats, or None where no closed form is known."""
    try:
        return q.kl_divergence(p)
    except NotImplementedError:
        return None


@functools.singledispatch
def log_ratio(q, p, z):
    """Returns what a code costs, log q(z) - log p(z) in nats: its mean over q is KL(q || p).

    Args:
        q: The posterior, batch shape `[batch]`.
        p: The prior, batch shape `[]`.
        z: Codes drawn from q, `[..., batch, latent]`.
    """
    return q.log_prob(z) - p.log_prob(z)


def frozen(distribution):
    """Returns a copy of a distribution whose parameters no gradient reaches.

    Its density still has a gradient by the value it is taken at: the score is left out and the
    path is kept.

    Args:
        distribution: One whose `parameters` hold every tensor that it is made of.
    """
    return distribution.copy(**tf.nest.map_structure(_stopped, distribution.parameters))


def _stopped(value):
    return tf.stop_gradient(value) if tf.is_tensor(value) else value
