"""Conditional models: p(x|c) by the laws of p(x), in training, evaluation and after a reload."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import tfvae
from tfvae import components, noise, xla
from tfvae.conditions.label import Label
from tfvae.conditions.vector import Vector
from tfvae.datasets.base import Dataset
from tfvae.datasets.conditioned import Conditioned
from tfvae.exporters import endpoints
from tfvae.exporters.base import Exporter
from tfvae.exporters.verification import random_inputs
from tfvae.vae import VAE

CLASSES = 3
LABELS = np.array([0, 2, 1, 1, 2])


def small(event_shape=(5,), **parts):
    options = {"network": "mlp(hidden=(6,))", "likelihood": "normal", "seed": 1}
    return VAE(event_shape, 2, **{**options, "condition": f"label(num_classes={CLASSES})", **parts})


@pytest.fixture(scope="module")
def vae():
    return small(prior="conditional_normal")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(len(LABELS), 5)).astype(np.float32)


def ignoring(event_shape, **parts):
    """Returns a model without a condition, and one that has its weights and ignores its own."""
    plain, conditional = small(event_shape, condition=None), small(event_shape, **parts)
    for part in ("encoder", "decoder"):
        weights = [np.zeros(w.shape, w.dtype) for w in getattr(conditional, part).weights]
        *channel, kernel = weights[: len(weights) - 3]
        del channel  # what turns c into a channel: zeros make the channel zeros
        own = getattr(plain, part).get_weights()
        if part == "encoder" and len(event_shape) > 1:
            kernel[::2] = own[0]  # each pixel, and the channel at its place
        else:
            kernel[: len(own[0])] = own[0]
        for weight, value in zip(weights[-3:], own[1:], strict=True):
            weight[...] = value
        getattr(conditional, part).set_weights(weights)
    return plain, conditional


@pytest.mark.parametrize("event_shape", [(5,), (4, 3, 1)])
def test_a_model_that_ignores_its_condition_is_the_model_without(event_shape):
    plain, conditional = ignoring(event_shape)
    x = np.random.default_rng(0).normal(size=(len(LABELS), *event_shape)).astype(np.float32)
    # The same numbers, with zeros added between: in another order.
    np.testing.assert_allclose(conditional.elbo((x, LABELS)), plain.elbo(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        conditional.sample(5, seed=3, condition=LABELS), plain.sample(5, seed=3), atol=1e-5
    )


def linear(model, means, scale, **kwargs):
    """Returns a linear-Gaussian model of x given a label, with its exact posterior.

    p(z|c) = N(means[c], scale**2),  p(x|z, c) = N(W z + U[c] + b, variance)
    """
    rng = np.random.default_rng(2)
    size_x, size_z = model.weights.shape
    shifts = rng.normal(size=(CLASSES, size_x))  # U
    precision = scale**-2 + (model.weights**2).sum(axis=0) / model.variance
    gain = model.weights.T / model.variance / precision[:, None]
    vae = VAE(
        (size_x,), size_z, network="mlp(hidden=())", likelihood="normal",
        condition=f"label(num_classes={CLASSES})", **kwargs,
    )  # fmt: skip
    of_x = np.concatenate([gain, np.zeros_like(gain)]).T  # [x, 2 z]
    of_c = np.stack([means[c] / scale**2 / precision - gain @ shifts[c] for c in range(CLASSES)])
    of_c = np.concatenate([of_c, np.zeros_like(of_c)], axis=1)
    bias = np.concatenate([-gain @ model.offset, -np.log(precision)])
    vae.encoder.set_weights([np.concatenate([of_x, of_c]), bias])
    decode = np.concatenate([model.weights.T, shifts])
    decode = np.concatenate([decode, np.zeros_like(decode)], axis=1)
    bias = np.concatenate([model.offset, np.full(size_x, np.log(model.variance))])
    vae.decoder.set_weights([decode, bias])
    covariance = scale**2 * model.weights @ model.weights.T + model.variance * np.eye(size_x)
    log_prob = [
        stats.multivariate_normal(model.offset + shifts[c] + model.weights @ means[c], covariance)
        .logpdf(x)
        for x, c in zip(model.x, LABELS, strict=True)
    ]  # fmt: skip
    return vae, log_prob


@pytest.mark.parametrize("prior", ["standard_normal", "conditional_normal(hidden=0)"])
def test_the_bound_is_log_p_of_x_given_c_at_the_exact_posterior(prior, linear_gaussian):
    means, scale = np.zeros([CLASSES, 2]), 1.0
    if prior != "standard_normal":
        means, scale = np.array([[1.0, -2.0], [0.5, 0.0], [-1.0, 3.0]]), 0.8
    kl = {"objective": "elbo(kl='monte_carlo')", "prior": prior}
    vae, log_prob = linear(linear_gaussian, means, scale, **kl)
    if prior != "standard_normal":
        kernel = np.concatenate([means, np.zeros_like(means)], axis=1)
        bias, found = np.repeat([0.0, np.log(scale)], 2), vae.prior_layer
        found.bias.assign(bias)
        found.kernels[0].assign(kernel)
    pair = (linear_gaussian.x, LABELS)
    for seed in (0, 1):  # for every draw: log w is constant
        np.testing.assert_allclose(vae.elbo(pair, seed=seed), log_prob, rtol=1e-4)
    if prior != "standard_normal":  # one compilation
        estimate = vae.log_likelihood(pair, num_samples=3)
        np.testing.assert_allclose(estimate, log_prob, rtol=1e-4)


def test_a_row_is_a_function_of_its_seed_and_its_label(vae):
    seeds = noise.row_seeds(noise.seed_of(4), 5)
    first = vae.generate(seeds, LABELS)
    other = vae.generate(seeds, (LABELS + 1) % CLASSES)
    alone = vae.generate(seeds[2:3], LABELS[2])
    for name in ("z", "mean", "x"):
        assert np.all(np.any(first[name] != other[name], axis=-1))
        np.testing.assert_allclose(first[name][2:3], alone[name], rtol=1e-5, atol=1e-6)
    each = vae.sample(4, 1, [1] * 4)
    np.testing.assert_allclose(vae.sample(4, seed=1, condition=1), each, rtol=1e-5, atol=1e-6)


def test_a_prior_that_does_not_depend_on_the_label_draws_the_same_codes():
    vae = small()
    seeds = noise.row_seeds(noise.seed_of(4), 5)
    np.testing.assert_array_equal(vae.sample_codes(seeds, LABELS), vae.sample_codes(seeds, 1))


def test_a_model_that_is_given_its_condition_answers_as_the_model_asked_with_it(vae, x):
    given = vae.given(LABELS)
    np.testing.assert_array_equal(given.elbo(x), vae.elbo((x, LABELS)))
    np.testing.assert_array_equal(given.posterior(x).mean(), vae.posterior(x, LABELS).mean())
    z = np.random.default_rng(1).normal(size=(3, 5, 2)).astype(np.float32)
    likelihood = vae.likelihood(z, LABELS)
    assert likelihood.batch_shape == (3, 5)
    np.testing.assert_array_equal(likelihood.mean(), given.likelihood(z).mean())
    # A label for all is that label for each; the sum is over more rows at once.
    each = given.rows(1, 2).likelihood(z[:, 1:2]).mean()
    np.testing.assert_allclose(likelihood.mean()[:, 1:2], each, rtol=1e-5, atol=1e-6)
    eps = np.ones([5, 2], np.float32)
    mean, stddev = vae.posterior(x, LABELS).mean(), vae.posterior(x, LABELS).stddev()
    np.testing.assert_allclose(vae.reparameterize(x, eps, LABELS), mean + stddev, rtol=1e-6)
    assert vae.prior(LABELS).batch_shape == (5,)
    assert given.given(None) is given


def test_fit_takes_pairs_and_a_saved_model_goes_on_where_it_was(x, tmp_path):
    model = small(prior="conditional_normal")
    model.compile("adam", run_eagerly=True)
    model.fit(x, LABELS, batch_size=5, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    pair = (x, LABELS)
    np.testing.assert_array_equal(again(pair), model(pair))
    batches = tf.data.Dataset.from_tensor_slices(pair).batch(5)
    np.testing.assert_array_equal(again.predict(batches, verbose=0), model(pair))
    assert again.evaluate(batches, verbose=0) == model.evaluate(x, LABELS, verbose=0)


def test_a_block_of_pairs_is_so_many_steps(x):
    pair, weights = (x, LABELS), []
    block = tuple(np.stack([part, part]) for part in pair)
    single = tf.data.Dataset.from_tensors(pair).repeat(2)
    for data, by_xla in ((tf.data.Dataset.from_tensors(block), True), (single, False)):
        model = small()
        model.compile(keras.optimizers.SGD(0.01), jit_compile=by_xla)
        model.fit(data, shuffle=False, verbose=0)
        assert int(model.optimizer.iterations) == 2
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    np.testing.assert_allclose(*weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "spec", ["beta_tc", "dreg(num_samples=2)", "infovae", "elbo(free_bits=1.0)"]
)
def test_every_kind_of_objective_takes_a_prior_for_each_example(spec, x):
    model = small(prior="conditional_normal", objective=spec)
    seeds = noise.row_seeds(noise.seed_of(0), 5)
    with tf.GradientTape() as tape:
        terms = model.terms((x, LABELS), seeds)
        loss = tf.reduce_mean(terms.bound)
    assert terms.bound.shape == (5,)
    for weight, gradient in zip(
        model.prior_layer.weights, tape.gradient(loss, model.prior_layer.weights), strict=True
    ):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda vae, x: vae.posterior(x),
            r"^This model is conditional on `label\(num_cl",
        ),
        (lambda vae, x: vae.prior(), "Give the condition of each example"),
        (lambda vae, x: vae.sample(2), "Give the condition of each example"),
        (lambda vae, x: vae.elbo(x), "Give the condition of each example"),
        (lambda vae, x: vae.elbo((x, LABELS + 1)), "Received labels from 1 to 3"),
        (lambda vae, x: vae.posterior(x, LABELS / 2), "Received float64"),
        (lambda vae, x: vae.evaluate(x, verbose=0), "yields pairs .* Received 1 tensor"),
        (lambda vae, x: vae.evaluate(x, np.eye(5), verbose=0), r"shape \(5, 5\), which should be"),
    ],
)
def test_a_conditional_model_says_what_it_misses(ask, message, vae, x):
    vae.compile(run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        ask(vae, x)


def test_a_model_without_a_condition_takes_none(x):
    plain = small(condition=None)
    with pytest.raises(ValueError, match="has no condition, so none is given"):
        plain.posterior(x, LABELS)
    plain.compile(run_eagerly=True)
    with pytest.raises(ValueError, match=r"This VAE has no condition.*VAE\(\.\.\., condition"):
        plain.fit(x, LABELS, verbose=0)


def test_a_prior_that_is_made_of_posteriors_is_refused():
    with pytest.raises(ValueError, match=r"nobody knows their condition .* `conditional_normal`"):
        small(prior="vampprior(num_components=2)")


@pytest.mark.xla
def test_convolutions_are_found_inside_a_conditional_encoder():
    parts = {"event_shape": (4, 4, 1), "network": "conv(channels=(3,), hidden=5)"}
    assert xla.pays_off(small(**parts)) == xla.pays_off(small(**parts, condition=None))
    assert xla.pays_off(small()) == xla.pays_off(small(condition=None))


@pytest.mark.parametrize("spec", ["label(num_classes=3)", "vector(size=2, mean=(40.0, -1.0))"])
@pytest.mark.parametrize("format_name", ["saved_model(input='uint8')", "litert"])
def test_every_signature_takes_the_condition_last(format_name, spec):
    model = small((4, 3, 1), condition=spec, likelihood="bernoulli")
    listed = endpoints.of_format(model, components.build(Exporter, format_name))
    plain = endpoints.of_format(
        small((4, 3, 1), condition=None), components.build(Exporter, format_name)
    )
    rng = np.random.default_rng(0)
    for part, several in listed.items():
        for endpoint, without in zip(several, plain[part], strict=True):
            assert endpoint.name == without.name
            assert endpoint.inputs[:-1] == without.inputs
            assert endpoint.inputs[-1] == model.condition.input
            inputs = random_inputs(endpoint, 6, rng)
            answer = endpoint.function(**inputs)
            other = endpoint.function(**{**inputs, "condition": inputs["condition"][::-1]})
            for name, tensor in answer.items():
                assert tensor.shape[0] == 6
                assert np.isfinite(tensor).all()
                # A draw from {0, 1} or a byte may stay; a code of the prior does.
                assert name in ("x", "z", "image") or np.any(tensor != other[name])
            again = endpoint.function(**{name: array[2:3] for name, array in inputs.items()})
            for name, tensor in again.items():
                np.testing.assert_allclose(tensor, answer[name][2:3], rtol=1e-5, atol=1e-6)


# Data sets.


def numbered(num=40):
    """Returns examples that hold their own number, in both elements."""
    return np.repeat(np.arange(num, dtype=np.float32)[:, None], 2, axis=1)


def test_each_example_keeps_its_condition_in_every_order():
    x = numbered()
    data = tfvae.FromPython(x, conditions=np.stack([x[:, 0], -x[:, 0]], axis=1), test=0.2)
    pairs = Conditioned(data, Vector())
    assert pairs.condition.size == 2
    assert pairs.fingerprint() != data.fingerprint()
    assert pairs.splits == data.splits
    for split in pairs.splits:
        for examples, values in pairs.split(split, 7):
            np.testing.assert_array_equal(examples[:, 0], values[:, 0])
            np.testing.assert_array_equal(examples[:, 0], -values[:, 1])
    steps = pairs.steps_per_epoch(6)
    whole = list(pairs.training(6, seed=1).take(2 * steps).as_numpy_iterator())
    plain = list(data.training(6, seed=1).take(2 * steps).as_numpy_iterator())
    late = list(pairs.training(6, seed=1, start_step=steps + 1).take(steps - 1).as_numpy_iterator())
    for (examples, values), alone in zip(whole, plain, strict=True):
        np.testing.assert_array_equal(examples, alone)
        np.testing.assert_array_equal(examples[:, 0], values[:, 0])
    for again, before in zip(late, whole[steps + 1 :], strict=True):
        np.testing.assert_array_equal(again[1], before[1])
    for examples, values in pairs.blocks(6, 2, seed=1).take(3):
        np.testing.assert_array_equal(examples[..., 0], values[..., 0])


def test_how_examples_were_made_binary_is_said_of_pairs_too():
    data = components.build(Dataset, "digits(binarize='static')")
    assert Conditioned(data, Label()).binarization == data.binarization != "none"


def test_labels_and_columns_of_files_are_conditions(tmp_path):
    x = numbered()
    path = tmp_path / "all.npz"
    np.savez(path, x=x, y=np.arange(40) % 4, c=x[:, 0])
    arrays = components.build(Dataset, f"arrays(path='{path}', key='x', labels='y', condition='c')")
    labels, numbers = Conditioned(arrays, Label()), Conditioned(arrays, Vector())
    assert str(labels.condition.spec) == "label(num_classes=4)"
    for examples, values in labels.split("train", 9):
        np.testing.assert_array_equal(examples[:, 0] % 4, values)
    for examples, values in numbers.split("train", 9):
        np.testing.assert_array_equal(examples[:, 0], values[:, 0])

    rows = [f"{i / 8},{i},{'abc'[i % 3]}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["height,age,kind", *rows]))
    spec = f"table(path='{tmp_path}/t.csv', label='kind', condition='age')"
    table = components.build(Dataset, spec)
    assert table.event_shape == (1,)
    assert any("labels are of `kind`: 0 'a', 1 'b', 2 'c'" in note for note in table.notes)
    (height,) = (np.concatenate(list(table.split("train", 99).as_numpy_iterator())),)
    age = table.transform.decode(height).numpy()[:, 0] * 8
    np.testing.assert_allclose(table.conditions("train")[:, 0], age, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(table.labels("train"), np.rint(age) % 3)
    with pytest.raises(ValueError, match=r"names columns of numbers\. 'kind' holds"):
        components.build(Dataset, f"table(path='{tmp_path}/t.csv', condition='kind')")


def test_a_data_set_without_what_the_condition_is_made_of_is_refused():
    data = tfvae.FromPython(numbered())
    with pytest.raises(ValueError, match=r"has no labels\. Name them"):
        Conditioned(data, Label())
    with pytest.raises(ValueError, match=r"names none\. Name them"):
        Conditioned(data, Vector())
    with pytest.raises(ValueError, match=r"has the shape \(3, 1\). It is some numbers for each"):
        tfvae.FromPython(numbered(), conditions=np.zeros([3, 1]))


def test_streamed_examples_keep_their_conditions_in_every_order(place):
    """Those that they have where all are in memory; there, each is found by its index."""
    import samples

    def build(options):
        spec = f"tfrecord(pattern='{samples.folder()}/x-*.tfrecord', label='y', {options}, "
        return components.build(Dataset, spec + "features={'x': 'uint8[6,5,1]'})")

    def paired(batches):
        rows = [(x.reshape(-1, 30), values.reshape(-1)) for x, values in batches]
        return [(x.tobytes(), int(y)) for xs, ys in rows for x, y in zip(xs, ys, strict=True)]

    kept = Conditioned(build("stream=False"), Label())
    stream = Conditioned(build("stream=True, buffer=16"), Label())
    assert str(stream.condition.spec) == str(kept.condition.spec)
    for split in kept.splits:
        found = (paired(data.split(split, 7).as_numpy_iterator()) for data in (kept, stream))
        assert set(next(found)) == set(next(found))
    steps = stream.steps_per_epoch(7)
    known = set(paired(kept.blocks(7, 1).take(steps).as_numpy_iterator()))
    blocks = list(stream.blocks(7, 1, seed=3).take(2 * steps).as_numpy_iterator())
    first, second = paired(blocks[:steps]), paired(blocks[steps:])
    assert set(first) == set(second) == known
    assert first != second
    late = list(stream.blocks(7, 1, seed=3, start_step=steps + 2).take(2).as_numpy_iterator())
    assert paired(late) == paired(blocks[steps + 2 : steps + 4])

    drawn = Conditioned(build("stream=True, buffer=16, binarize='dynamic'"), Label())
    whole = drawn.training(7, seed=3).take(steps).as_numpy_iterator()
    plain = drawn.unconditioned.training(7, seed=3).take(steps).as_numpy_iterator()
    for (x, label), alone, (_, stored) in zip(whole, plain, blocks[:steps], strict=True):
        np.testing.assert_array_equal(x, alone)
        np.testing.assert_array_equal(label, stored[0])


def test_a_data_set_that_does_not_say_what_it_draws_has_no_condition():
    class Own(Dataset):
        event_shape = (2,)
        spec = "own()"
        num_examples = lambda self, split: 4  # noqa: E731
        value_range = fingerprint = lambda self: "0"
        labels = lambda self, split: np.arange(4) % 2  # noqa: E731
        _split = _blocks = None

    with pytest.raises(ValueError, match="`Own` doesn't say which example it draws"):
        Conditioned(Own(), Label()).blocks(2, 1)
