"""Which latents a trained model uses."""

import numpy as np


def activity(means):
    """Measures for each latent how much of the data its code carries.

        activity_i = Var_x( E[z_i | x] ),  over q(z|x)

    A latent whose posterior is the prior whatever the data has the activity 0; under a standard
    normal prior a latent that pins the data down comes near 1.

    Args:
        means: Means of q(z|x), floats `[num_examples, latent_size]`.

    Returns:
        activity: float64 `[latent_size]`, in squared units of the latent.

    Examples:
        >>> activity([[-1.0, 0.5], [1.0, 0.5]]).tolist()
        [1.0, 0.0]

    References:
        [1] Burda et al., section 5.2. https://arxiv.org/abs/1509.00519
    """
    return np.var(np.asarray(means, np.float64), axis=0)


def most_active(means, num):
    """Returns the indices of the `num` most active latents, the most active first.

    Examples:
        >>> most_active([[0.0, 0.0, 2.0], [0.0, 1.0, 0.0]], 2)
        [2, 1]
    """
    # Stable, so that of latents with equal activity the lower index comes first.
    return np.argsort(-activity(means), kind="stable")[:num].tolist()
