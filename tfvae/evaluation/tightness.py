"""How tight the importance-weighted bound is: log p(x) from both sides, on data of the model."""

import tensorflow as tf

from tfvae import noise
from tfvae.evaluation import annealing, importance
from tfvae.evaluation.moments import Moments
from tfvae.noise import Stream

NUM_CHAINS = 8
_AT_ONCE = 64  # examples: each chain holds the gradients of a decoder


def tightness(model, num_examples, *, num_samples, num_steps=1000, seed=0, on_steps=None):
    """Brackets log p(x) by bidirectional Monte Carlo, and places the k-sample bound in it.

        z ~ p(z), x ~ p(x|z): examples of which a draw of the exact posterior is known, z itself
        lower = log mean_c w_c of chains from the prior to the posterior,  E[lower] <= log p(x)
        upper = -log mean_c 1/w_c of chains back from z,  E[upper] >= log p(x)

    Both come together as the steps grow. What the bound lacks of log p(x) on average lies between
    `lower - bound` and `upper - bound`. That holds for examples of the model; of real ones it says
    something as far as these look like them.

    Step sizes are found by a run of its own, with noise of its own, so that the weights of the
    others have the expectation that is claimed.

    Args:
        model: A `VAE`.
        num_examples: How many are drawn from it.
        num_samples: k of the bound; 0 leaves it out.
        num_steps: Temperatures between prior and posterior.
        seed: Int.
        on_steps: Called now and then with the number of steps since the last time; there are
            `num_steps_of` of them.

    Returns:
        Dict of means over the examples in nats, each beside its standard error: `lower`, `upper`,
        `gap` = upper - lower, and with `num_samples` the bound as `log_likelihood`, and
        `lack_at_least` = lower - bound and `lack_at_most` = upper - bound; and how it was made.

    References:
        [1] Grosse, Ghahramani and Adams, section 4. https://arxiv.org/abs/1511.02543
        [2] Wu et al. On the quantitative analysis of decoder-based generative models, section 3.
            https://arxiv.org/abs/1611.04273
    """
    found = bracket(model, num_examples, num_steps=num_steps, seed=seed, on_steps=on_steps)
    x = found.pop("x")
    values = {**found, "gap": found["upper"] - found["lower"]}
    if num_samples:
        seeds = noise.row_seeds(noise.seed_of(Stream.LIKELIHOOD, seed), num_examples)
        bound = importance.log_likelihood(model, x, seeds, num_samples)
        values |= {
            "log_likelihood": bound,
            "lack_at_least": found["lower"] - bound,
            "lack_at_most": found["upper"] - bound,
        }
    report: dict = {}
    for name, value in values.items():
        moments = Moments()
        moments.add(value.numpy())
        report |= {name: float(moments.mean), f"{name}_standard_error": moments.standard_error}
    return {
        **report,
        "num_examples": num_examples,
        "num_samples": num_samples,
        "num_steps": num_steps,
        "num_chains": NUM_CHAINS,
        "seed": seed,
        "data": "drawn from the model itself",
    }


def bracket(model, num_examples, *, num_steps, seed=0, on_steps=None):
    """Draws examples from a model and brackets the log p(x) of each.

    Args:
        model: As in `tightness`.
        num_examples: As in `tightness`.
        num_steps: As in `tightness`.
        seed: As in `tightness`.
        on_steps: As in `tightness`.

    Returns:
        Dict of `x` `[num_examples, *event_shape]`, and `lower` and `upper` `[num_examples]`.
    """
    root = noise.seed_of(Stream.ANNEALING, seed)
    given = {"betas": annealing.temperatures(num_steps), "on_steps": on_steps}
    size = -(-num_examples // _num_parts(num_examples))
    parts = [
        _bracket(model, root, slice(start, start + size), num_examples, given)
        for start in range(0, num_examples, size)
    ]
    return {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}


def num_steps_of(num_examples, num_steps):
    """Returns how many steps `tightness` takes in all.

    Args:
        num_examples: As in `tightness`.
        num_steps: As in `tightness`.
    """
    return 3 * num_steps * _num_parts(num_examples)


def _num_parts(num_examples):
    return -(-num_examples // _AT_ONCE)


def _bracket(model, root, rows, num_examples, given):
    """Returns what `bracket` does for some rows, whose noise is that of all of them."""

    def seeds_of(run, num_chains=NUM_CHAINS):
        seeds = noise.row_seeds(noise.fold_in(root, run), num_chains * num_examples)
        return tf.reshape(seeds, [num_chains, num_examples, 2])[:, rows]

    drawn = model.generate(seeds_of(0, num_chains=1)[0])
    x, z = drawn["x"], drawn["z"]
    codes = model.sample_codes(tf.reshape(seeds_of(1, 2 * NUM_CHAINS), [-1, 2]))
    trial, starts = tf.split(tf.reshape(codes, [2 * NUM_CHAINS, len(x), -1]), 2)
    _, sizes = annealing.forward(model, x, trial, seeds_of(2), **given)
    weights, _ = annealing.forward(model, x, starts, seeds_of(3), step_sizes=sizes, **given)
    ends = tf.repeat(z[tf.newaxis], NUM_CHAINS, axis=0)
    back = annealing.reverse(model, x, ends, seeds_of(4), step_sizes=sizes, **given)
    log_num = tf.math.log(float(NUM_CHAINS))
    return {
        "x": x,
        "lower": tf.reduce_logsumexp(weights, axis=0) - log_num,
        "upper": log_num - tf.reduce_logsumexp(-back, axis=0),
    }
