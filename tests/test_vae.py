"""The VAE as a Keras model, as distributions, and as an estimate of log p(x)."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfvae import noise
from tfvae.networks.mlp import MLP
from tfvae.noise import Stream
from tfvae.vae import VAE

SHAPE = (3, 2, 1)
METRICS = {"loss", "elbo", "reconstruction", "kl"}


def make(seed=0, *, compiled=True, learning_rate=0.01, **kwargs):
    """Returns a small VAE, without XLA unless asked for."""
    options = {"network": "mlp(hidden=(5,), activation='tanh')", "seed": seed, **kwargs}
    compile_options = {
        key: options.pop(key)
        for key in ("jit_compile", "run_eagerly", "steps_per_execution")
        if key in options
    }
    vae = VAE(SHAPE, 2, **options)
    if compiled:
        vae.compile(
            keras.optimizers.Adam(learning_rate), **{"jit_compile": False, **compile_options}
        )
    return vae


def weights_of(vae):
    return np.concatenate([np.ravel(weight) for weight in vae.get_weights()])


@pytest.fixture(scope="module")
def x():
    """Ten binary examples."""
    return np.random.default_rng(0).integers(0, 2, (10, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def vae():
    """A compiled VAE that no test trains."""
    return make()


# As distributions.


def test_the_parts_are_distributions_of_the_shapes_that_they_promise(vae, x):
    posterior, prior = vae.posterior(x), vae.prior()
    assert (posterior.batch_shape, posterior.event_shape) == ((10,), (2,))
    assert (prior.batch_shape, prior.event_shape) == ((), (2,))
    for batch_shape in [(10,), (7, 10), (2, 7, 10), (1, 1)]:
        likelihood = vae.likelihood(tf.zeros([*batch_shape, 2]))
        assert (likelihood.batch_shape, likelihood.event_shape) == (batch_shape, SHAPE)


def test_the_likelihood_of_several_axes_of_codes_is_that_of_each_code(vae):
    z = np.random.default_rng(0).normal(size=(2, 3, 2)).astype(np.float32)
    mean = vae.likelihood(z).mean()
    for index in np.ndindex(2, 3):
        # One row or six in a matrix product: another order of addition.
        one = vae.likelihood(z[index][np.newaxis]).mean()[0]
        np.testing.assert_allclose(mean[index], one, rtol=1e-5)


def test_calling_and_predicting_give_the_mean_at_the_mean_code(vae, x):
    expected = vae.likelihood(vae.posterior(x).mean()).mean()
    np.testing.assert_array_equal(vae(x), expected)
    predicted = vae.predict(x, batch_size=4, verbose=0)
    assert predicted.shape == (10, *SHAPE)
    np.testing.assert_allclose(predicted, expected, rtol=1e-5)  # another batch size, as above


def test_samples_follow_from_the_seed_row_by_row(vae):
    draws = vae.sample(6, seed=1)
    assert draws.shape == (6, *SHAPE)
    np.testing.assert_array_equal(vae.sample(6, seed=1), draws)
    np.testing.assert_array_equal(vae.sample(4, seed=1), draws[:4])
    assert not np.array_equal(vae.sample(6, seed=2), draws)
    vae.likelihood_layer.check_data(draws.numpy())


def test_generate_gives_a_code_its_mean_and_an_example_for_each_seed(vae):
    seeds = noise.row_seeds(noise.seed_of(0), 5)
    drawn = vae.generate(seeds)
    assert {name: value.shape for name, value in drawn.items()} == {
        "z": (5, 2),
        "mean": (5, *SHAPE),
        "x": (5, *SHAPE),
    }
    np.testing.assert_allclose(drawn["mean"], vae.likelihood(drawn["z"]).mean(), rtol=1e-6)
    for row in range(5):
        alone = vae.generate(seeds[row : row + 1])
        for name, value in drawn.items():
            # Another batch size: the last digits of erfinv and of matrix products.
            np.testing.assert_allclose(alone[name][0], value[row], rtol=1e-5, atol=1e-6)


def test_generated_codes_are_draws_of_the_prior(vae):
    z = vae.generate(noise.row_seeds(noise.seed_of(0), 20_000))["z"].numpy()
    # Five standard errors of a mean and of a variance.
    assert np.all(np.abs(z.mean(axis=0)) < 5 / 20_000**0.5)
    assert np.all(np.abs(z.var(axis=0) - 1) < 5 * (2 / 20_000) ** 0.5)


def test_a_generated_example_has_noise_of_its_own_beside_that_of_its_code():
    vae = VAE((2,), 2, network="mlp(hidden=())", likelihood="normal")
    vae.decoder.set_weights([np.zeros((2, 4)), np.zeros(4)])  # p(x|z) = N(0, 1)
    drawn = vae.generate(noise.row_seeds(noise.seed_of(0), 20_000))
    for i, j in np.ndindex(2, 2):
        correlation = np.corrcoef(drawn["z"][:, i], drawn["x"][:, j])[0, 1]
        assert abs(correlation) < 5 / 20_000**0.5  # five standard errors


# As a bound and an estimate.


def test_elbo_gives_the_metric_of_the_terms_for_each_example(vae, x):
    elbo = vae.elbo(x, seed=3)
    assert elbo.shape == (10,)
    np.testing.assert_array_equal(vae.elbo(x, seed=3), elbo)
    assert not np.array_equal(vae.elbo(x, seed=4), elbo)
    terms = vae.terms(x, noise.row_seeds(noise.seed_of(Stream.ELBO, 3), 10))
    np.testing.assert_array_equal(terms.metrics["elbo"], elbo)


def test_elbo_and_log_likelihood_agree_with_a_model_that_is_known(linear_gaussian):
    vae, x = linear_gaussian.vae(), linear_gaussian.x
    elbos = np.reshape(vae.elbo(np.repeat(x, 3000, axis=0)), (len(x), 3000))
    error = elbos.std(axis=1) / 3000**0.5
    assert np.all(np.abs(elbos.mean(axis=1) - linear_gaussian.log_prob) < 5 * error)
    # Exact for every number of samples: the posterior is.
    for num_samples in (1, 40):
        estimate = vae.log_likelihood(x, num_samples)
        np.testing.assert_allclose(estimate, linear_gaussian.log_prob, atol=1e-4)


def test_one_sample_of_log_likelihood_is_a_bound_of_one_sample(linear_gaussian):
    vae, x = linear_gaussian.vae(0.3, 0.5), linear_gaussian.x
    seeds = noise.fold_in(noise.row_seeds(noise.seed_of(Stream.LIKELIHOOD, 6), len(x)), 0)
    posterior = vae.posterior(x)
    z = posterior.bijector.forward(noise.normal(seeds, (2,)))
    bound = vae.likelihood(z).log_prob(x) + vae.prior().log_prob(z) - posterior.log_prob(z)
    # A few terms of a few nats in float32.
    np.testing.assert_allclose(vae.log_likelihood(x, 1, seed=6), bound, rtol=1e-5, atol=1e-5)


def test_log_likelihood_grows_with_the_number_of_samples_in_expectation(linear_gaussian):
    vae = linear_gaussian.vae(0.5, 0.8)
    x = np.repeat(linear_gaussian.x, 400, axis=0)
    means, errors = [], []
    for num_samples in (1, 4, 32):
        estimate = np.reshape(vae.log_likelihood(x, num_samples), (-1, 400)).mean(axis=0)
        means.append(estimate.mean())
        errors.append(estimate.std() / 400**0.5)
    steps = np.diff(means)
    assert np.all(steps > 5 * np.hypot(errors[:-1], errors[1:]))
    assert means[-1] < linear_gaussian.log_prob.mean() + 5 * errors[-1]


def test_log_likelihood_follows_from_the_seed_and_the_place(linear_gaussian):
    vae, x = linear_gaussian.vae(0.3, 0.5), linear_gaussian.x
    estimate = vae.log_likelihood(x, 6, seed=1)
    np.testing.assert_array_equal(vae.log_likelihood(x, 6, seed=1), estimate)
    assert np.all(vae.log_likelihood(x, 6, seed=2) != estimate)
    # Another batch size: the last digits of erfinv and of matrix products.
    np.testing.assert_allclose(vae.log_likelihood(x[:3], 6, seed=1), estimate[:3], rtol=1e-4)


# As a Keras model.


def test_evaluate_gives_the_loss_and_every_metric_of_the_objective(vae, x):
    result = vae.evaluate(x, verbose=0, return_dict=True)
    assert set(result) == METRICS
    assert result["loss"] == pytest.approx(-result["elbo"], rel=1e-6)
    parts = result["reconstruction"] - result["kl"]
    assert result["elbo"] == pytest.approx(parts, rel=1e-6)
    assert vae.metrics_names[0] == "loss"
    assert vae.evaluate(x, verbose=0) == [result[name] for name in vae.metrics_names]


def test_evaluate_is_deterministic_and_counts_a_short_last_batch_by_its_examples(vae, x):
    whole = vae.evaluate(x, batch_size=10, verbose=0)
    assert vae.evaluate(x, batch_size=10, verbose=0) == whole
    for batch_size in (1, 3, 4, 9):
        # The same noise for the same example; sums in another order.
        np.testing.assert_allclose(
            vae.evaluate(x, batch_size=batch_size, verbose=0), whole, rtol=1e-5
        )
    terms = vae.terms(x, noise.row_seeds(noise.seed_of(0, Stream.TEST), 10))
    assert whole[0] == pytest.approx(-np.mean(terms.bound), rel=1e-5)


def test_evaluate_takes_arrays_and_tf_data_alike(vae, x):
    expected = vae.evaluate(x, batch_size=4, verbose=0)
    dataset = tf.data.Dataset.from_tensor_slices(x)
    assert vae.evaluate(dataset.batch(4), verbose=0) == expected
    tuples = dataset.map(lambda x: (x,)).batch(4)
    assert vae.evaluate(tuples, verbose=0) == expected
    assert vae.evaluate(x.astype(np.float64), batch_size=4, verbose=0) == expected


def test_fit_learns():
    x = np.tile(np.eye(2, 6, dtype=np.float32).reshape(2, *SHAPE), (500, 1, 1, 1))
    vae = make(learning_rate=0.05)
    before = vae.elbo(x).numpy().mean()
    history = vae.fit(x, batch_size=10, verbose=0).history  # 100 steps
    assert set(history) == METRICS
    np.testing.assert_allclose(history["loss"], np.negative(history["elbo"]), rtol=1e-6)
    # Two patterns of six bits: -log 2 = -0.69 nats at best, -6 log 2 = -4.16 for knowing nothing.
    assert before < -3.5
    assert vae.elbo(x).numpy().mean() > -2.0


def test_grey_pixels_have_no_nats_under_a_bernoulli(x):
    vae, grey = make(run_eagerly=True), np.where(x == 1, np.float32(0.5), x)
    for given in (grey, tf.constant(grey)):
        for ask in (vae.fit, vae.evaluate, vae.elbo, vae.log_likelihood):
            with pytest.raises(ValueError, match=r"`bernoulli` is defined for values in \{0, 1\}"):
                ask(given)
    with pytest.raises(ValueError, match="is defined for values in"):
        vae.fit(x, validation_data=grey)
    with pytest.raises(ValueError, match="is defined for values in"):
        vae.fit(x, validation_data=(grey, None))
    vae.compile(prepare=lambda grey, seed: tf.round(grey), run_eagerly=True)
    vae.fit(grey, verbose=0)  # what is stored becomes examples within the step


def test_what_is_missing_is_refused_where_it_has_no_place(x):
    holes = np.where(x == 1, np.float32("nan"), x)
    many = np.concatenate([np.zeros((1500, *SHAPE), np.float32), holes[(x == 1).any((1, 2, 3))]])
    with pytest.raises(
        ValueError, match=r"NaN in the one at 1500\. .* `VAE\(\.\.\., mask_missing="
    ):
        make(run_eagerly=True).fit(many)
    masked = make(compiled=False, mask_missing=True)
    assert np.isfinite(masked.elbo(holes)).all()
    some = np.concatenate([holes, np.full_like(x[:1], 0.5)])
    with pytest.raises(ValueError, match="is defined for values in"):
        masked.elbo(some)


def test_a_step_follows_the_gradient_of_the_mean_bound(x):
    vae, same = make(compiled=False), make(compiled=False)
    vae.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    vae.fit(x, batch_size=10, shuffle=False, verbose=0)
    seeds = noise.row_seeds(noise.seed_of(0, Stream.TRAIN, 0), 10)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(same.terms(x, seeds, step=0).bound)
    gradients = tape.gradient(loss, same.trainable_variables)
    for found, before, gradient in zip(
        vae.get_weights(), same.get_weights(), gradients, strict=True
    ):
        np.testing.assert_allclose(found, before - 0.1 * gradient.numpy(), rtol=1e-5, atol=1e-7)


def test_validation_is_measured_apart_from_training(x):
    vae = make(run_eagerly=True)
    history = vae.fit(x[:6], batch_size=3, epochs=2, validation_data=x[6:], verbose=0).history
    assert set(history) == METRICS | {f"val_{name}" for name in METRICS}
    validation = vae.evaluate(x[6:], verbose=0, return_dict=True)
    assert history["val_loss"][-1] == pytest.approx(validation["loss"], rel=1e-6)
    assert history["loss"][-1] != history["val_loss"][-1]


def test_fit_takes_arrays_and_tf_data_alike(x):
    weights = []
    for data, options in [
        (x, {"batch_size": 4}),
        (tf.data.Dataset.from_tensor_slices(x).batch(4), {}),
        (tf.data.Dataset.from_tensor_slices(x).batch(4).repeat(), {"steps_per_epoch": 3}),
    ]:
        vae = make(run_eagerly=True)
        vae.fit(data, epochs=2, shuffle=False, verbose=0, **options)
        weights.append(weights_of(vae))
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[0], weights[2])


def trained(x, seed=0, **kwargs):
    """Returns the weights after four steps on two batches of four."""
    vae = make(seed, **kwargs)
    vae.fit(x[:8], batch_size=4, epochs=2, shuffle=False, verbose=0)
    return weights_of(vae)


@pytest.fixture(scope="module")
def trained_weights(x):
    """The weights that training in a graph without XLA gives."""
    return trained(x)


def test_training_follows_from_the_seed_bit_by_bit(x, trained_weights):
    random.seed(6)  # no global generator matters
    tf.random.set_seed(6)
    np.testing.assert_array_equal(trained(x), trained_weights)
    assert np.mean(trained(x, seed=1, run_eagerly=True) == trained_weights) < 0.5


def test_the_noise_of_training_differs_with_the_seed_and_the_step(x):
    losses = []
    weights = make(compiled=False).get_weights()
    for seed in (0, 1):
        vae = make(seed, learning_rate=0.0, run_eagerly=True)
        vae.set_weights(weights)
        losses += vae.fit(x, batch_size=10, epochs=3, verbose=0).history["loss"]
    assert len(set(losses)) == 6


@pytest.mark.parametrize("options", [{"run_eagerly": True}, {"jit_compile": True}], ids=str)
def test_training_agrees_in_a_graph_eagerly_and_with_xla(x, trained_weights, options):
    # Four steps of Adam, whose division by small moments widens the last digits.
    np.testing.assert_allclose(trained(x, **options), trained_weights, rtol=1e-3, atol=1e-5)


def test_several_steps_an_execution_are_the_steps_one_by_one(x, trained_weights):
    found = trained(x, steps_per_execution=2)
    # One graph of two steps may be fused otherwise than two graphs of one.
    np.testing.assert_allclose(found, trained_weights, rtol=1e-4, atol=1e-6)


@pytest.mark.xla
def test_xla_is_on_unless_the_model_runs_eagerly():
    vae = make(compiled=False)
    for arguments, expected in (({}, True), ({"run_eagerly": True}, False)):
        vae.compile(**arguments)
        assert vae.engine.jit_compile is expected
    vae.compile(jit_compile=False)
    assert vae.engine.jit_compile is False


def test_a_model_saved_before_it_was_compiled_loads(tmp_path, x):
    vae = make(compiled=False)
    vae.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(x), vae(x))
    assert not again.compiled


def test_weights_save_and_load_alone(tmp_path, x):
    vae, other = make(0), make(1)
    vae.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(weights_of(other), weights_of(vae))


def test_the_config_builds_the_model_again():
    vae = make(7, likelihood="normal", prior="standard_normal(precision=2.0)", name="mine")
    again = VAE.from_config(vae.get_config())
    assert again.get_config() == vae.get_config()
    np.testing.assert_array_equal(weights_of(again), weights_of(vae))  # the seed is part of it


def test_parts_may_be_instances():
    network = MLP(hidden=(4,))
    vae = VAE(SHAPE, 2, network=network)
    assert vae.network is network
    assert vae.get_config()["network"] == "mlp(hidden=(4,), activation='relu')"


def test_summary_shows_both_networks(vae):
    lines = []
    vae.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "encoder" in text
    assert "decoder" in text
    # (6 + 1) 5 + (5 + 1) 4 for the encoder, (2 + 1) 5 + (5 + 1) 6 for the decoder.
    assert vae.count_params() == 59 + 51
    assert len(vae.trainable_variables) == 8


# Callbacks.


def test_early_stopping_stops_and_restores_the_best_weights(x):
    vae = make(run_eagerly=True)
    worse = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epoch and vae.optimizer.learning_rate.assign(-1.0)
    )
    stop = keras.callbacks.EarlyStopping(patience=1, restore_best_weights=True)
    history = vae.fit(
        x, validation_data=x, epochs=9, callbacks=[worse, stop], batch_size=10, verbose=0
    )
    assert len(history.epoch) == 2
    assert vae.evaluate(x, verbose=0)[0] == pytest.approx(
        min(history.history["val_loss"]), rel=1e-5
    )


def test_model_checkpoint_writes_models_that_load(tmp_path, x):
    vae = make(run_eagerly=True)
    path = tmp_path / "{epoch}.keras"
    vae.fit(x, epochs=2, callbacks=[keras.callbacks.ModelCheckpoint(path)], verbose=0)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1.keras", "2.keras"]
    last = keras.models.load_model(tmp_path / "2.keras")
    np.testing.assert_array_equal(weights_of(last), weights_of(vae))
    assert not np.array_equal(
        weights_of(keras.models.load_model(tmp_path / "1.keras")), weights_of(vae)
    )


def test_tensorboard_gets_every_metric(tmp_path, x):
    vae = make(run_eagerly=True)
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    vae.fit(x, validation_data=x, epochs=1, callbacks=[board], verbose=0)
    for folder in ("train", "validation"):
        tags = set()
        for file in (tmp_path / folder).iterdir():
            for event in tf.compat.v1.train.summary_iterator(str(file)):
                tags |= {value.tag for value in event.summary.value}
        assert {f"epoch_{name}" for name in METRICS} <= tags


def test_callbacks_see_the_metrics_of_each_batch_and_epoch(x):
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(("batch", set(logs))),
        on_epoch_end=lambda epoch, logs: seen.append(("epoch", set(logs))),
    )
    make(run_eagerly=True).fit(x, batch_size=5, callbacks=[watch], verbose=0)
    assert seen == [("batch", METRICS)] * 2 + [("epoch", METRICS)]


# What is refused.


def test_a_loss_or_metrics_are_refused():
    vae = make(compiled=False)
    for name in ("loss", "metrics"):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
            vae.compile(**{name: "mse"})
        assert str(caught.value) == (
            "A VAE brings its own loss and metrics: those of its objective. Received "
            f"`{name}='mse'`. Leave it out, and choose the bound by "
            "`VAE(..., objective='elbo')`."
        )


@pytest.mark.parametrize("method", ["fit", "evaluate", "elbo", "log_likelihood"])
def test_examples_of_another_shape_are_refused(method):
    wrong = np.zeros((4, 3, 2), np.float32)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        getattr(make(), method)(wrong)
    assert (
        "Examples of this model have the shape (3, 2, 1), after the batch axis. Received a batch "
        "of shape"
    ) in str(caught.value)
    assert "Reshape the data, or build the model with another `event_shape`." in str(caught.value)


def test_examples_of_another_shape_are_refused_by_a_model_that_has_seen_others(x):
    vae = make()
    vae.fit(x, batch_size=4, verbose=0)
    vae.fit(x, batch_size=3, verbose=0)  # TensorFlow relaxes what it has traced
    for wrong in (np.zeros((4, 3, 2), np.float32), np.zeros((4, 2, 2, 1), np.float32)):
        with pytest.raises(ValueError, match="Examples of this model have the shape"):
            vae.evaluate(wrong, verbose=0)
        with pytest.raises(ValueError, match="Examples of this model have the shape"):
            vae.fit(wrong, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "elbo", "log_likelihood"])
def test_examples_that_are_ints_are_refused(vae, x, method):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        getattr(vae, method)(x.astype(np.uint8))
    assert (
        "Examples are floats in the units of the likelihood. Received uint8. Convert them: "
        "`x.astype('float32')`, and divide by 255 if they are pixels."
    ) in str(caught.value)


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_targets_are_refused(vae, x, method):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        getattr(vae, method)(x, x)
    assert (
        "This VAE has no condition: a data set yields the examples alone. Received a tuple of 2. "
        "Drop the rest: `dataset.map(lambda x, *_: x)`; or build the model with "
        "`VAE(..., condition=...)`."
    ) in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_shape": (0,)}, "`event_shape` is a tuple of positive ints"),
        ({"latent_size": 0}, "`latent_size` is the length of a code, a positive int"),
        ({"latent_size": 2.0}, "`latent_size` is the length of a code, a positive int"),
        ({"network": "mpl"}, "`mpl` is not one of the networks. Did you mean `mlp`?"),
        ({"posterior": "bernoulli"}, "The posterior is a bijector of standard normal noise"),
        ({"prior": "standard_normal(precision=0)"}, "`precision` of the prior is the inverse"),
        ({"prior": "standard_normal(precison=1)"}, "Did you mean `precision`?"),
        ({"network": "conv", "event_shape": (5,)}, "The network `conv` reads images"),
    ],
)
def test_a_model_that_can_not_be_is_refused(arguments, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        VAE(**{"event_shape": SHAPE, "latent_size": 2, **arguments})
    assert message in str(caught.value)


def test_building_a_model_leaves_the_generator_of_python_as_it_was():
    random.seed(5)
    expected = random.random()
    random.seed(5)
    make(compiled=False)
    assert random.random() == expected
