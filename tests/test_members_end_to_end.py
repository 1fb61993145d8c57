"""`pipelines.train` runs every objective, prior and posterior by its spec, and exports them."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

import tfvae
from pipelines import runs, train
from tfvae import components, noise
from tfvae.exporters import endpoints, litert, saved_model
from tfvae.exporters.base import write_saved_model
from tfvae.exporters.materials import Materials
from tfvae.exporters.verification import Verification
from tfvae.figures import gallery
from tfvae.training import images

SMALL = [
    "--dataset", "mnist(limit=100)", "--latent-size", "3", "--batch-size", "50", "--epochs", "1",
    "--no-export",
]  # fmt: skip

#: Small ones, for what is trained and what is exported.
NETWORKS = {
    "mlp": "mlp(hidden=(8,))",
    "conv": "conv(channels=(2,), hidden=8)",
    "residual": "residual(channels=(2,), blocks=1, hidden=8)",
}

#: Defaults that a run of two steps has no room for.
SHORT = {
    "capacity": "capacity(steps=2)",
    "ciwae": "ciwae(num_samples=3)",
    "dreg": "dreg(num_samples=3)",
    "iwae": "iwae(num_samples=3)",
    "miwae": "miwae(num_bounds=2, samples_per_bound=2)",
}


def networks():
    """Yields specs of all networks, and then of the quickest without end."""
    yield from (NETWORKS.get(name, name) for name in components.members("networks"))
    yield from itertools.repeat(NETWORKS["mlp"])


def combinations():
    """Yields (objective, prior, posterior, network) so that every member is in one of them."""
    from tfvae.distribution_layers.base import DistributionLayer

    objectives = [SHORT.get(name, name) for name in components.members("objectives")]
    priors = list(components.members("priors"))
    posteriors = [
        name
        for name in components.members("distribution_layers")
        if components.build(DistributionLayer, name, 3).reparameterized
    ]
    needs_marginals = objectives.pop(objectives.index("beta_tc"))
    has_no_density = posteriors.pop(posteriors.index("delta"))
    network = networks()
    yield needs_marginals, "mixture", "normal", next(network)
    yield "elbo", "standard_normal", has_no_density, next(network)
    for i in range(max(map(len, (objectives, priors, posteriors)))):
        parts = (family[i % len(family)] for family in (objectives, priors, posteriors))
        yield (*parts, next(network))


@pytest.fixture
def eagerly():
    """Without tracing a graph for each of a few steps; that members agree in one is a law."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly`")
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(("objective", "prior", "posterior", "network"), list(combinations()))
def test_a_run_trains_saves_draws_and_offers_what_is_exported(
    objective, prior, posterior, network, tmp_path, monkeypatch, capsys
):
    # Pictures take longer than all the rest: of one prior with quantiles and one without.
    with_figures = posterior == "delta" or objective == "beta_tc"
    if not with_figures:
        monkeypatch.setattr(gallery, "render_all", lambda *_, **__: {})
        monkeypatch.setattr(images.Images, "on_epoch_end", lambda *_, **__: None)
    run = tmp_path / "run"
    parts = ["--objective", objective, "--prior", prior, "--posterior", posterior]
    parts += ["--network", network]
    train.main([*SMALL, *parts, "--run", str(run)])
    has_quantiles = prior in ("conditional_normal", "standard_normal")
    if with_figures:
        assert (run / "figures" / "samples.png").is_file()
        assert (run / "figures" / "traversal.png").is_file() == has_quantiles
    assert ("Left out: manifold, traversal" in capsys.readouterr().out) != has_quantiles
    vae = runs.open_run(run).model()
    assert str(vae.objective.spec.name) == components.read(objective).name
    _check_endpoints(vae)


def _check_endpoints(vae):
    """Compares the signatures that take noise with those that make it of seeds."""
    num = 5
    x = np.random.default_rng(0).integers(0, 2, (num, *vae.event_shape)).astype(np.float32)
    seeds = noise.row_seeds(noise.seed_of(1), num)
    by_seed, by_noise = (
        {
            f"{part}.{e.name}": e
            for part, listed in endpoints.endpoints(vae, kind).items()
            for e in listed
        }
        for kind in ("seed", "eps")
    )
    prior_noise = vae.prior_layer.noise_of(noise.fold_in(seeds, 0))
    generate = by_noise["decoder.generate"]
    assert {spec.name for spec in generate.inputs} == set(prior_noise)
    mean = generate.function(**prior_noise)["mean"]
    expected = by_seed["decoder.generate"].function(seed=seeds)["mean"]
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    posterior_noise = {"eps": noise.normal(seeds, (vae.latent_size,))}
    reparameterize = by_noise["encoder.reparameterize"]
    wanted = {spec.name for spec in reparameterize.inputs} - {"x"}
    z = reparameterize.function(x=x, **{name: posterior_noise[name] for name in wanted})["z"]
    expected = by_seed["encoder.sample"].function(x=x, seed=seeds)["z"]
    np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(vae.reparameterize(x, **posterior_noise), z, rtol=1e-5, atol=1e-6)
    encoded = by_noise["encoder.encode"].function(x=x)
    assert set(encoded) == set(vae.posterior_layer.moments)


NOISY = ("reparameterize", "generate")

#: Options that keep the files of some members small.
SMALLER = {
    "coupling": "coupling(num_layers=2, hidden=8)",
    "hierarchical": "hierarchical(hidden=8)",
    "iaf": "iaf(hidden=8)",
    "ladder": "ladder(hidden=8)",
    "mixture": "mixture(num_components=3)",
    "vampprior": "vampprior(num_components=4)",
}


@pytest.fixture(scope="module")
def exportable():
    """Untrained models, with every posterior and every prior in one of them."""
    from tfvae.distribution_layers.base import DistributionLayer
    from tfvae.priors.base import Prior

    def specs(family, base, fits):
        built = [components.build(base, name, 3) for name in components.members(family)]
        return [SMALLER.get(part.member_name, part.member_name) for part in built if fits(part)]

    layers = "distribution_layers", DistributionLayer
    posteriors = specs(*layers, lambda q: q.reparameterized and q.has_density)
    # That of a conditional model has a test of its own, end to end.
    priors = specs("priors", Prior, lambda p: not p.conditional)
    points = specs(*layers, lambda q: q.reparameterized and not q.has_density)
    pairs = [(q, "standard_normal") for q in points]  # which learn no prior
    pairs += [(q, q) for q in posteriors if q in priors]  # made for each other
    for i in range(max(len(posteriors), len(priors))):
        pairs.append((posteriors[i % len(posteriors)], priors[i % len(priors)]))
    return [
        tfvae.VAE((4, 4, 1), 3, network=net, posterior=q, prior=p)
        for (q, p), net in zip(pairs, networks(), strict=False)
    ]


def test_litert_takes_exactly_the_noise_that_the_parts_need(
    tmp_path, exportable, tensorflow_process
):
    exporter = litert.LiteRT()
    models = [_noisy(vae) for vae in exportable]
    written = [
        exporter.write(
            {part: (e,) for part, e in noisy.items()},
            tmp_path / str(i),
            Materials(exportable[i], tensorflow_process),
        )
        for i, noisy in enumerate(models)
    ]
    rng = np.random.default_rng(0)
    for noisy, paths in zip(models, written, strict=True):
        for part, endpoint in noisy.items():
            runner = Interpreter(str(paths[part])).get_signature_runner(endpoint.name)
            inputs = {s.name: _random(rng, s) for s in endpoint.inputs}
            assert set(runner.get_input_details()) == set(inputs)
            expected = endpoint.function(**{k: tf.constant(v) for k, v in inputs.items()})
            for name, value in runner(**inputs).items():
                # Sums of some dozen products in another order, through exponentials.
                np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5)


def test_every_posterior_and_every_prior_is_served(tmp_path, exportable, bare_process):
    exporter = saved_model.SavedModel()
    exporter.runtime, exporter.other_runtimes = "c_api", ()  # the loader that servers run
    wanted, weights, paths = {}, {}, {}
    for number, vae in enumerate(exportable):
        listed, owned = endpoints.endpoints(vae, "seed"), endpoints.weights(vae)
        # `sample` of a decoder is the likelihood's, which has a test of its own.
        moments, _, generate = listed["decoder"]
        for part, several in (("encoder", listed["encoder"]), ("decoder", (moments, generate))):
            title = f"{part} {number} of {vae.posterior_layer.spec}, {vae.prior_layer.spec}"
            paths[title] = tmp_path / f"{part}{number}"
            wanted[title], weights[title] = several, owned[part]
            write_saved_model(several, paths[title])
    proof = Verification(exporter, wanted, paths, weights, lambda runtime: bare_process, tmp_path)
    answers = proof.check()
    signatures = {(title.split()[0], signature) for title, signature, *_ in answers}
    assert signatures == {
        ("encoder", "serving_default"),
        ("encoder", "sample"),
        ("decoder", "serving_default"),
        ("decoder", "generate"),
    }


def _noisy(vae):
    """Returns the endpoint of each part that takes noise."""
    listed = endpoints.endpoints(vae, "eps")
    return {part: e for part, es in listed.items() for e in es if e.name in NOISY}


def _random(rng, spec):
    shape = (5, *spec.shape[1:])
    uniform = rng.random(shape, np.float32)
    return uniform if spec.name == "u" else rng.standard_normal(shape, np.float32)


@pytest.mark.parametrize("prior", ["mixture(num_components=3)", "vampprior(num_components=3)"])
def test_a_uniform_out_of_its_range_takes_the_nearest_component(prior):
    vae = tfvae.VAE((4, 4, 1), 3, network=NETWORKS["mlp"], prior=prior)
    eps = np.zeros((4, 3), np.float32)
    u = np.array([-0.7, 0.0, 1.0 - 2**-24, 1.5], np.float32)
    z = vae.prior_layer.draw({"eps": eps, "u": u}, vae.posterior).numpy()
    np.testing.assert_allclose(z[0], z[1], rtol=1e-6)
    np.testing.assert_allclose(z[2], z[3], rtol=1e-6)
    assert not np.allclose(z[1], z[2])
