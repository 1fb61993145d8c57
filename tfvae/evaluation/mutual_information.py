"""How much the codes of a split tell of which example they came from."""

import math

import numpy as np
import tensorflow as tf

from tfvae import noise, xla
from tfvae.distributions import reparameterize
from tfvae.evaluation.moments import Moments
from tfvae.noise import Stream

_MOST = 10_000  # examples: their posteriors are held in memory
_MOST_NUMBERS = 10**10  # parameters that all pairs of codes and posteriors have together
_BLOCK = 500  # codes, and posteriors, at once
_PAIRED_NUMBERS = 10**8  # parameters that the pairs of a block have together
_SATURATED = 0.5  # nats below log N at which the examples are too few to tell more


def mutual_information(model, dataset, split, kl, *, seed=0):
    """Takes the rate apart: the mutual information of code and example, and what is left of it.

        I_q(n; z) = 1/N sum_n E_q(z|x_n)[ log q(z|x_n) - log q(z) ],  q(z) = 1/N sum_m q(z|x_m)
        1/N sum_n KL(q(z|x_n) || p(z)) = I_q(n; z) + KL(q(z) || p(z))

    after [1, eq. 8]. The aggregate q(z) is that of all N examples and not of a batch; the outer
    mean takes one code an example, which leaves it unbiased for these N examples. As an estimate
    for the distribution that they come from it is too small: N examples can be told apart by log N
    nats, and where the codes tell more, log N is what it gives.

    N is 10,000 at most, and fewer where a posterior has many parameters.

    Args:
        model: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.
        kl: KL(q(z|x) || p(z)) of each example of the split, nats `[num_examples]`.
        seed: Int.

    Returns:
        Dict of `mutual_information`, `marginal_kl`, which is KL(q(z) || p(z)), and `rate`, in nats,
        the first two with their standard errors, all of the same examples; `num_examples` N,
        `bound` log N, and `saturated`, whether the former is within half a nat of it: with more
        examples it would be larger, and `marginal_kl` smaller. Or None where the posterior has no
        density of codes that it hasn't drawn itself in one pass, and for a conditional model, whose
        codes share the telling with the condition.

    References:
        [1] Hoffman and Johnson. ELBO surgery. NIPS workshop on approximate inference, 2016.
            http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    """
    layer = model.posterior_layer
    if not layer.has_density or not layer.one_pass_density or model.condition is not None:
        return None
    size = math.prod(layer.params_shape)
    most = min(_MOST, int((_MOST_NUMBERS / size) ** 0.5))
    params = _parameters(model, dataset, split, most)
    num = len(params)
    seeds = noise.row_seeds(noise.seed_of(Stream.AGGREGATE, seed), num).numpy()
    block = max(1, min(_BLOCK, int((_PAIRED_NUMBERS / size) ** 0.5)))
    blocks = _blocks(params, block)
    found, left = Moments(), Moments()
    for start in range(0, num, block):
        # The last block is filled up, so that all have one shape, and cut again.
        rows = np.minimum(np.arange(start, start + block), num - 1)
        own, aggregate = _log_densities(model, params[rows], seeds[rows], blocks, tf.constant(num))
        ratios = (own - aggregate).numpy()[: num - start]
        found.add(ratios)
        left.add(np.float64(kl[start : start + len(ratios)]) - ratios)
    return {
        "mutual_information": float(found.mean),
        "mutual_information_standard_error": found.standard_error,
        "marginal_kl": float(left.mean),
        "marginal_kl_standard_error": left.standard_error,
        "rate": float(np.mean(kl[:num], dtype=np.float64)),
        "num_examples": num,
        "bound": math.log(num),
        "saturated": math.log(num) - float(found.mean) < _SATURATED,
    }


def _parameters(model, dataset, split, most):
    """Returns the parameters of q(z|x) of the first examples, `[at most most, *params_shape]`."""
    found, missing = [], most
    for batch in dataset.split(split, _BLOCK):
        given, x = model.bind(batch)
        found.append(given.encode(given.seen(x)).numpy()[:missing].astype(np.float32))
        missing -= len(found[-1])
        if not missing:
            break
    return np.concatenate(found)


def _blocks(params, size):
    """Returns parameters in blocks, `[blocks, size, *params_shape]`, the last one filled up."""
    num = len(params)
    rows = np.minimum(np.arange(-(-num // size) * size), num - 1)
    return tf.constant(params[rows].reshape(-1, size, *params.shape[1:]))


@xla.function
def _log_densities(model, params, seeds, blocks, num):
    """Draws a code from each posterior.

    Args:
        model: A `VAE`.
        params: Parameters of the posteriors, `[code, *params_shape]`.
        seeds: int32 `[code, 2]`.
        blocks: Parameters of all posteriors, `[blocks, size, *params_shape]`.
        num: How many of them count.

    Returns:
        own: log q(z|x) of the posterior that the code came from, `[code]`.
        aggregate: log q(z), `[code]`.
    """
    posterior = model.posterior_layer(params)
    # Not as it was drawn, so that its own density is rounded as the others are.
    z = tf.identity(reparameterize(posterior, seeds))
    codes = z[:, tf.newaxis]  # each code under the posterior of every example
    size = tf.shape(blocks)[1]
    inside = tf.range(size)

    def add(index, total):
        each = model.posterior_layer(blocks[index]).log_prob(codes)  # [code, example]
        counts = index * size + inside < num
        each = tf.where(counts, each, float("-inf"))
        block = tf.reduce_logsumexp(each, axis=1)
        return index + 1, tf.experimental.numpy.logaddexp(total, block)

    empty = tf.fill([tf.shape(params)[0]], float("-inf"))
    num_blocks = tf.shape(blocks)[0]
    _, total = tf.while_loop(lambda index, _: index < num_blocks, add, (tf.constant(0), empty))
    return posterior.log_prob(z), total - tf.math.log(tf.cast(num, tf.float32))
