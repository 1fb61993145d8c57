"""How tight the importance-weighted bound is: log p(x) from both sides, on data of the model."""

import tensorflow as tf

from tfvae import noise
from tfvae.evaluation import annealing, importance
from tfvae.evaluation.moments import Moments
from tfvae.noise import Stream

NUM_CHAINS = 8


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
            `3 * num_steps`.

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
    drawn = model.generate(noise.row_seeds(noise.fold_in(root, 0), num_examples))
    x, z = drawn["x"], drawn["z"]
    betas = annealing.temperatures(num_steps)
    starts = _prior_codes(model, root, num_examples)

    def seeds_of(run):
        return _chain_seeds(noise.fold_in(root, run), num_examples)

    given = {"betas": betas, "on_steps": on_steps}
    trial, starts = tf.split(starts, 2)
    given["step_sizes"] = annealing.forward(model, x, trial, seeds_of(2), **given)[1]
    weights, _ = annealing.forward(model, x, starts, seeds_of(3), **given)
    ends = tf.repeat(z[tf.newaxis], NUM_CHAINS, axis=0)
    back = annealing.reverse(model, x, ends, seeds_of(4), **given)
    log_num = tf.math.log(float(NUM_CHAINS))
    return {
        "x": x,
        "lower": tf.reduce_logsumexp(weights, axis=0) - log_num,
        "upper": log_num - tf.reduce_logsumexp(-back, axis=0),
    }


def _prior_codes(model, root, num_examples):
    """Returns draws of the prior for the trial run and for the one that counts."""
    num = 2 * NUM_CHAINS * num_examples
    z = model.sample_codes(noise.row_seeds(noise.fold_in(root, 1), num))
    return tf.reshape(z, [2 * NUM_CHAINS, num_examples, -1])


def _chain_seeds(seed, num_examples):
    """Returns int32 `[chain, example, 2]`."""
    return tf.reshape(noise.row_seeds(seed, NUM_CHAINS * num_examples), [NUM_CHAINS, -1, 2])
