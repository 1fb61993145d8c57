"""The alarm that most latents of a model carry nothing."""

import numpy as np

#: A latent is active if its code varies over the data: Var_x(E[z_i|x]) above this [1].
LEAST_ACTIVITY = 0.01

#: Nats below which the divergence of a latent, on average over the data, counts as nothing.
LEAST_KL = 0.01


def active(activity):
    """Says which latents are active units.

        Var_x( E[z_i|x] ) > 0.01

    Args:
        activity: `[latent_size]`, as `activity.activity` returns it.

    Returns:
        active: bool `[latent_size]`.

    References:
        [1] Burda et al., section 5.2. https://arxiv.org/abs/1509.00519
    """
    return np.asarray(activity) > LEAST_ACTIVITY


def idle(activity, kl=None):
    """Says which latents carry nothing: inactive, and free of cost where the cost is known.

    Args:
        activity: `[latent_size]`.
        kl: Means over the data of each latent's divergence in nats, `[latent_size]`, or None.

    Returns:
        idle: bool `[latent_size]`.

    Examples:
        >>> idle([0.9, 0.001, 0.001], kl=[2.0, 0.001, 0.5]).tolist()
        [False, True, False]
    """
    found = ~active(activity)
    return found if kl is None else found & (np.asarray(kl) < LEAST_KL)


def alarm(activity, kl=None, independent=True):
    """Returns what to tell of a model more than half of whose latents carry nothing.

    Args:
        activity: `[latent_size]`.
        kl: As in `idle`.
        independent: Whether KL(q(z|x) || p(z)) is a sum over the latents, so that each may have
            some nats for free.

    Returns:
        text: A paragraph, or "" where there is nothing to tell.
    """
    num, size = int(idle(activity, kl).sum()), len(activity)
    if 2 * num <= size:
        return ""
    costs = "" if kl is None else f", each costs less than {LEAST_KL} nats"
    free = "leave the latents some nats for free, `elbo(free_bits=0.1)`; " if independent else ""
    remedies = (
        f'Let the KL divergence grow slowly, `--objective "elbo(warmup_steps=10000)"`; {free}weigh '
        f"the divergence less, `elbo(beta=0.5)`; or take a smaller decoder, which can't do without "
        f"the code."
    )
    if num == size:
        return (
            f"The posterior has collapsed: none of the {size} latents depends on the example"
            f"{costs}. The decoder draws the same for every code. {remedies}"
        )
    return (
        f"Most latents carry nothing: {num} of {size} don't depend on the example{costs}. If the "
        f"bound is as good as it should be, a code of length {size - num} does as well. If not, "
        f"the posterior has collapsed. {remedies}"
    )
