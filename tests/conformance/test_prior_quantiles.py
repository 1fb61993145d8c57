"""quantile(u) is where a share u of the prior's draws lies below."""

import cases
import numpy as np
import pytest

from tfvae import noise

NUM = 100_000
LATENTS = 2


WITH_QUANTILES = [
    spec for spec in cases.specs("priors") if cases.build("priors", spec).has_quantiles
]


@pytest.mark.parametrize("spec", WITH_QUANTILES)
def test_a_share_u_of_the_samples_lies_below_the_quantile_of_u(spec):
    prior = cases.build("priors", spec, LATENTS)
    samples = prior.sample(noise.row_seeds(noise.seed_of(2), NUM)).numpy()
    u = np.array([0.001, 0.05, 0.3, 0.5, 0.9, 0.999])
    z = prior.quantile(np.repeat(u[:, None], LATENTS, axis=1).astype(np.float32)).numpy()
    assert z.shape == (len(u), LATENTS)
    share = (samples[None] < z[:, None]).mean(axis=1)
    # Five standard errors of a share among NUM draws.
    tolerance = 5 * (u * (1 - u) / NUM) ** 0.5
    assert np.all(np.abs(share - u[:, None]) < tolerance[:, None])


@pytest.mark.parametrize("spec", WITH_QUANTILES)
def test_the_density_is_the_slope_of_the_inverse_quantile(spec):
    prior = cases.build("priors", spec, 1)
    u = np.linspace(0.05, 0.95, 19, dtype=np.float64)
    step = 1e-2
    low, high = (prior.quantile((u + d)[:, None].astype(np.float32)) for d in (-step, step))
    density = np.exp(prior.distribution().log_prob(prior.quantile(np.float32(u)[:, None])))
    # The central difference of a quantile is off by step**2 / 6 times its third derivative: up
    # to a few percent at the ends, 1e-4 in the middle.
    np.testing.assert_allclose(2 * step / (high - low)[:, 0], density, rtol=3e-2)


def test_the_standard_normal_has_quantiles():
    assert "standard_normal" in WITH_QUANTILES


@pytest.mark.parametrize("spec", [s for s in cases.specs("priors") if s not in WITH_QUANTILES])
def test_a_prior_with_dependent_latents_refuses_quantiles(spec):
    prior = cases.build("priors", spec, LATENTS)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        prior.quantile(np.full((1, LATENTS), 0.5, np.float32))
    assert str(caught.value) == (
        "The quantiles of a prior need latents that are independent under it. Those of "
        f"`{prior.spec}` are not. Draw from it with `sample(seed)` instead."
    )
