"""What each latent costs: its share of KL(q(z|x) || p(z))."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.distributions import kl_terms

tfd = tfp.distributions

#: How the divergences of the latents are found, for protocols.
CLOSED_FORM = "closed form"
SAMPLED = "the mean of log q(z_i|x) - log p(z_i), one code an example"
LAYERED = (
    "the mean of log q(z_i|x, z') - log p(z_i|z''), of each latent given the layers that it is "
    "drawn by, one code an example: they add up to KL(q(z|x) || p(z))"
)
UNKNOWN = "left out: the marginals of {} aren't known in closed form"


def kl(posterior, prior, z):
    """Returns what each latent by itself tells of an example.

        KL_i(x) = KL(q(z_i|x) || p(z_i)),  of the marginals of both

    Where the latents are independent under both, the terms add up to KL(q(z|x) || p(z)). If they
    are so under the prior alone, what is missing is how much they depend on each other given x:

        KL(q(z|x) || p(z)) = sum_i KL_i(x) + KL(q(z|x) || prod_i q(z_i|x))

    Layers of Gaussians have no marginals that are known. There a latent is taken given those that
    it is drawn by, z' in q and z'' in p, and the terms add up to log q(z|x) - log p(z):

        KL_i(x) = log q(z_i|x, z') - log p(z_i|z'')

    Args:
        posterior: q(z|x), batch shape `[batch]`.
        prior: p(z), batch shape `[]`.
        z: Codes drawn from q, `[batch, latent]`, for the pairs without a closed form.

    Returns:
        terms: `[batch, latent]`, nats, or None where nothing of single latents is known.
    """
    terms = kl_terms(posterior, prior)
    if terms is not None:
        return terms
    if hasattr(posterior, "marginals") and hasattr(prior, "marginals"):
        return posterior.marginals().kl_divergence(prior.marginals())
    if _is_layered(posterior, prior):
        return posterior.element_log_prob(z) - prior.element_log_prob(z)
    q, p = _marginal_log_prob(posterior, z), _marginal_log_prob(prior, z)
    return None if q is None or p is None else q - p


def method(posterior, prior):
    """Says how `kl` finds its terms, or why it doesn't: a text for protocols."""
    if _is_layered(posterior, prior):
        return LAYERED
    for distribution in (posterior, prior):
        parts = getattr(distribution, "components_distribution", distribution)
        if not hasattr(parts, "marginals"):
            return UNKNOWN.format(type(distribution).__name__)
    closed = all(hasattr(distribution, "marginals") for distribution in (posterior, prior))
    return CLOSED_FORM if closed else SAMPLED


def _is_layered(posterior, prior):
    """Says whether one has layers, and both know the density of a code given those above."""
    both = (posterior, prior)
    known = all(hasattr(distribution, "element_log_prob") for distribution in both)
    return known and not all(hasattr(distribution, "marginals") for distribution in both)


def _marginal_log_prob(distribution, z):
    """Returns log p(z_i) `[..., latent]` of codes `[..., latent]`, or None."""
    if isinstance(distribution, tfd.MixtureSameFamily):
        each = _marginal_log_prob(distribution.components_distribution, z[..., tf.newaxis, :])
        if each is None:
            return None
        logits = distribution.mixture_distribution.logits_parameter()  # [component]
        weights = tf.nn.log_softmax(logits)[:, tf.newaxis]
        return tf.reduce_logsumexp(each + weights, axis=-2)
    marginals = getattr(distribution, "marginals", None)
    return None if marginals is None else marginals().log_prob(z)
