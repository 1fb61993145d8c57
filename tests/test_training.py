"""Training that can be stopped at any moment: checkpoints, resuming to the bit, guards."""

import dataclasses
import functools
import importlib.metadata
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfvae
from pipelines import cli
from tfvae import components
from tfvae.conditions.label import Label
from tfvae.datasets.base import Dataset
from tfvae.datasets.conditioned import Conditioned
from tfvae.training import adaptation, checkpoints, conditions, feeding, guard, keeper, logs, loop

SPEC = "mnist(limit=230)"  # 5 steps of 50 an epoch, the last one of 30
NUMBERS = {"batch_size": 50, "learning_rate": 1e-3}


HOW = {
    "eager": {"run_eagerly": True},  # quickest where a test is of other things
    "graph": {"jit_compile": False},
    "xla": {"jit_compile": True},  # compiles for seconds, each shape anew
}


def make(how="eager", **options):
    """Makes a VAE whose steps run as `HOW` says."""
    vae = tfvae.VAE((28, 28, 1), 2, network="mlp(hidden=(8,))", **options)
    vae.compile = functools.partial(vae.compile, **HOW[how])
    return vae


def make_data():
    return components.build(Dataset, SPEC)


def compiled(vae):
    vae.compile()
    return vae


def save(vae, *arguments):
    return checkpoints.save(checkpoints.state_of(vae), *arguments)


def state(vae):
    variables = [*vae.variables, *vae.optimizer.variables]
    return [np.asarray(variable.value).tobytes() for variable in variables]


def curves(run):
    records = logs.read_metrics(run / "metrics.jsonl")
    return [{**record, "seconds": 0} for record in records]


def scalars(run, part="train"):
    events = EventAccumulator(str(run / part), size_guidance={"tensors": 0}).Reload()
    return [(e.step, tf.make_ndarray(e.tensor_proto).item()) for e in events.Tensors("elbo")]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """Leaves out the pictures of each epoch, which take longer than its steps."""
    monkeypatch.setattr(loop, "Images", lambda *_: keras.callbacks.Callback())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of three epochs that was never stopped."""
    run = tmp_path_factory.mktemp("whole")
    vae = make()
    loop.train(vae, make_data(), run, epochs=3, **NUMBERS)
    return run, state(vae)


class StopAt(keras.callbacks.Callback):
    """Sends this process a signal at a block of an epoch."""

    def __init__(self, epoch, block):
        super().__init__()
        self.at = (epoch, block)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


def stopped(at, vae, data, run, **options):
    """Trains until SIGTERM comes at a block of an epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Images", lambda *_: StopAt(*at))
        with pytest.raises(keeper.Stopped, match="SIGTERM"):
            loop.train(vae, data, run, **NUMBERS, **options)


@pytest.fixture(scope="module")
def in_blocks(tmp_path_factory):
    """The same run in blocks of 2 steps: 2, 2 and the short batch; by data and `HOW`."""

    @functools.cache
    def runs(spec, how):
        run, vae = tmp_path_factory.mktemp("blocks"), make(how)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(feeding, "block_steps", lambda *_: 2)
            loop.train(vae, components.build(Dataset, spec), run, epochs=3, **NUMBERS)
        return run, state(vae)

    return runs


@pytest.mark.parametrize(
    ("at", "how"), [((0, 0), "eager"), ((1, 0), "xla"), ((1, 2), "graph"), ((2, 0), "eager")]
)
def test_sigterm_at_any_block_and_resuming_ends_with_the_same_bits(
    at, how, in_blocks, tmp_path, monkeypatch
):
    monkeypatch.setattr(feeding, "block_steps", lambda *_: 2)
    # XLA compiles each shape anew: whole blocks there, the short batch elsewhere.
    spec = "mnist(limit=200)" if how == "xla" else SPEC
    data = components.build(Dataset, spec)
    whole_run, whole_state = in_blocks(spec, how)
    stopped(at, make(how), data, tmp_path, epochs=3)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    again = make(how)
    result = loop.train(again, data, tmp_path, epochs=3, **NUMBERS)
    assert (result.resumed_at.epoch, result.resumed_at.steps) != (0, 0)
    assert state(again) == whole_state
    assert curves(tmp_path) == curves(whole_run)
    assert scalars(tmp_path) == scalars(whole_run)


def test_examples_that_live_on_the_device_give_the_same_bits(tmp_path, monkeypatch):
    data, ends = components.build(Dataset, "mnist(limit=200)"), []  # whole batches: one program
    for resident in (2**30, 0):
        monkeypatch.setattr(feeding, "_RESIDENT_BYTES", resident)
        vae = make("xla")
        loop.train(vae, data, tmp_path / str(resident), epochs=1, **NUMBERS)
        ends.append((state(vae), curves(tmp_path / str(resident))))
    assert ends[0] == ends[1]


def test_a_device_keeps_examples_that_are_small_and_in_memory(monkeypatch):
    data, pairs = make_data(), Conditioned(make_data(), Label())
    assert type(feeding.make(data, 50, 0)) is feeding._Resident
    assert type(feeding.make(pairs, 50, 0)) is feeding._Blocks
    lengths = {quick: feeding.make(data, 1, 0, quick_steps=quick).calls(0) for quick in (0, 1)}
    assert lengths == {0: [23] * 10, 1: [46] * 5}  # signals are looked at between two calls
    monkeypatch.setattr(feeding, "_RESIDENT_BYTES", data.examples_in_memory().nbytes - 1)
    assert type(feeding.make(data, 50, 0)) is feeding._Blocks


@pytest.mark.parametrize(
    ("schedule", "epochs"),
    [("cosine", 1), ("stages", 3)],  # of 15 steps the last stage begins after the 5th
)
def test_a_falling_rate_goes_on_from_the_short_last_batch_to_the_same_bits(
    schedule, epochs, tmp_path, monkeypatch
):
    monkeypatch.setattr(feeding, "block_steps", lambda *_: 2)
    data, options = make_data(), {"epochs": epochs, "learning_rate_schedule": schedule}
    whole, begun, again = make(), make(), make()
    loop.train(whole, data, tmp_path / "whole", **NUMBERS, **options)
    stopped((0, 1), begun, data, tmp_path / "run", **options)
    result = loop.train(again, data, tmp_path / "run", **NUMBERS, **options)
    assert result.resumed_at.step_in_epoch == 4  # of 5: what is left has 30 examples
    assert curves(tmp_path / "run")[-1]["learning_rate"] < NUMBERS["learning_rate"]
    assert state(again) == state(whole)
    assert curves(tmp_path / "run") == curves(tmp_path / "whole")


KILLER = """
import os, pathlib, random, signal, sys, time
sys.path.insert(0, sys.argv[2])
import test_training as t  # imports TensorFlow, and runs none of it: a child can be forked

run, draw = pathlib.Path(sys.argv[1]), random.Random(0)
for _ in range(t.KILLS):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(write, 1)
        t.train_many(run, 1000)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as lines:
        while not next(lines).startswith("epoch"):  # it has come further than the one before
            pass
        time.sleep(draw.uniform(0, 0.5))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it was to be killed, not to end"
    print("killed", flush=True)
"""
KILLS = 20


def train_many(run, epochs):
    """Trains without compilation and pictures, which would take seconds after each kill."""
    data = components.build(Dataset, "synthetic(kind='moons', num=100, validation=20, test=0)")
    vae = tfvae.VAE(data.event_shape, 2, network="mlp(hidden=())", likelihood="normal")
    vae.compile = functools.partial(vae.compile, **HOW["eager"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Images", lambda *_: keras.callbacks.Callback())
        loop.train(vae, data, run, epochs=epochs, **NUMBERS)
    return vae


def test_sigkill_at_random_moments_and_resuming_ends_with_the_same_bits(tmp_path):
    run, alive = tmp_path / "killed", tmp_path / "alive"
    here = str(pathlib.Path(__file__).parent)
    killer = subprocess.run(
        [sys.executable, "-c", KILLER, str(run), here], capture_output=True, text=True, check=False
    )
    assert killer.stdout == "killed\n" * KILLS, killer.stderr
    epochs = 1 + max(record["epoch"] for record in curves(run))
    assert epochs > KILLS // 2  # an epoch that was shown may not have been kept
    assert state(train_many(run, epochs)) == state(train_many(alive, epochs))
    assert curves(run) == curves(alive)
    for part in ("train", "validation"):
        assert scalars(run, part) == scalars(alive, part)


def test_a_checkpoint_holds_model_optimizer_position_and_best_as_one(tmp_path):
    vae = compiled(make())
    best = [weight + 1 for weight in vae.get_weights()]
    position = checkpoints.Position(
        epoch=3,
        step_in_epoch=2,
        steps=17,
        means={"elbo": (1.5, 2.0)},
        best_epoch=2,
        best_value=-9.0,
    )
    save(vae, tmp_path, position, best)
    other = compiled(make(seed=5))
    restored, weights, damaged = checkpoints.restore(other, tmp_path)
    assert restored == dataclasses.replace(position, means={"elbo": [1.5, 2.0]})
    assert damaged == []
    assert state(other) == state(vae)
    for weight, expected in zip(weights, best, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize("keep", [0, 100, -200])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, keep):
    vae = compiled(make())
    save(vae, tmp_path, checkpoints.Position(epoch=1, steps=5))
    kept = state(vae)
    vae.set_weights([weight + 1 for weight in vae.get_weights()])
    newest = checkpoints.save(
        checkpoints.state_of(vae), tmp_path, checkpoints.Position(epoch=2, steps=10)
    )
    newest.write_bytes(newest.read_bytes()[:keep])
    position, _, damaged = checkpoints.restore(vae, tmp_path)
    assert (position.epoch, damaged) == (1, [newest])
    assert state(vae) == kept


def test_checkpoints_of_which_none_is_whole_are_never_taken_for_a_new_run(tmp_path):
    vae = compiled(make())
    path = checkpoints.save(
        checkpoints.state_of(vae), tmp_path, checkpoints.Position(epoch=1, steps=5)
    )
    path.write_bytes(b"")
    with pytest.raises(
        checkpoints.CheckpointError, match=r"None of the checkpoints in .* is whole"
    ):
        checkpoints.restore(vae, tmp_path)
    assert path.exists()


def test_a_damaged_checkpoint_never_crowds_out_a_whole_one(tmp_path):
    vae = compiled(make())
    for steps in (5, 10):
        newest = checkpoints.save(
            checkpoints.state_of(vae), tmp_path, checkpoints.Position(steps=steps)
        )
    newest.write_bytes(b"")
    saved = save(vae, tmp_path, checkpoints.Position(steps=7))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000005.npz", saved.name]


def test_a_full_disk_leaves_the_checkpoints_that_are_there(tmp_path, monkeypatch):
    vae = compiled(make())
    path = save(vae, tmp_path, checkpoints.Position(steps=1))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(vae, tmp_path, checkpoints.Position(steps=2))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    checkpoints.save(
        checkpoints.state_of(compiled(make())), tmp_path, checkpoints.Position(steps=1)
    )
    other = compiled(tfvae.VAE((28, 28, 1), 3, network="mlp(hidden=(8,))"))
    with pytest.raises(checkpoints.CheckpointError, match="is of another model"):
        checkpoints.restore(other, tmp_path)


def test_resuming_with_other_data_is_refused(whole, tmp_path):
    run = shutil.copytree(whole[0], tmp_path / "run")
    other = components.build(Dataset, "mnist(limit=240)")
    with pytest.raises(checkpoints.CheckpointError, match=r"data: \w{12}\.\.\., and now \w{12}"):
        loop.train(make(), other, run, epochs=4, **NUMBERS)
    assert curves(run) == curves(whole[0])


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ({"likelihood": "continuous_bernoulli"}, {}, "likelihood: bernoulli, and now continuous_"),
        ({"objective": "elbo(beta=2.0)"}, {}, "objective: elbo(beta=1.0, warmup_steps=0"),
        ({"seed": 7}, {}, "seed: 0, and now 7"),
        ({"how": "graph"}, {}, "steps by: Python, and now TensorFlow's graphs"),
        ({}, {"batch_size": 25}, "batch size: 50, and now 25"),
        ({}, {"seed": 3}, "seed of the data: 0, and now 3"),
        ({}, {"learning_rate": 2e-3}, "learning rate: 0.001, and now 0.002"),
        ({}, {"learning_rate_schedule": "cosine"}, "and now 0.001, cosine over 20 steps"),
        ({}, {"adam_epsilon": 1e-4}, "epsilon of Adam: 1e-07, and now 0.0001"),
        ({}, {"clip_norm": 2.0}, "norm to clip at: None, and now 2.0"),
        ({"dtype": "mixed_bfloat16"}, {}, "precision: float32, and now mixed_bfloat16"),
    ],
)
def test_resuming_under_other_conditions_says_which(whole, tmp_path, model, options, said):
    run = shutil.copytree(whole[0], tmp_path / "run")
    with pytest.raises(checkpoints.CheckpointError, match=re.escape(said)) as error:
        loop.train(make(**model), make_data(), run, **{"epochs": 4, **NUMBERS, **options})
    assert str(error.value).count("and now") == 1
    assert curves(run) == curves(whole[0])


def test_a_run_that_has_ended_needs_its_data_alone(whole, tmp_path, monkeypatch):
    run, vae = shutil.copytree(whole[0], tmp_path / "run"), make("graph")
    monkeypatch.setattr(conditions, "_devices", lambda model: "8 x TPU")
    result = loop.train(vae, make_data(), run, epochs=3, **NUMBERS)
    assert result.resumed_at.epoch == 3
    with pytest.raises(checkpoints.CheckpointError, match="data: "):
        loop.train(make(), components.build(Dataset, "mnist(limit=240)"), run, epochs=3, **NUMBERS)
    with pytest.raises(checkpoints.CheckpointError, match="devices: 1 x CPU, and now 8 x TPU"):
        loop.train(make(), make_data(), run, epochs=4, **NUMBERS)


def test_what_a_checkpoint_does_not_say_is_not_compared():
    conditions.check(checkpoints.Position(), {"data": "a", "devices": "1 x CPU"}, epochs=9)


def test_resuming_with_another_tensorflow_says_so(whole, tmp_path, monkeypatch):
    run = shutil.copytree(whole[0], tmp_path / "run")
    version = importlib.metadata.version
    versions = lambda name: "9.9" if name == "tensorflow" else version(name)  # noqa: E731
    monkeypatch.setattr(conditions.importlib.metadata, "version", versions)
    with pytest.raises(checkpoints.CheckpointError, match=r"tensorflow: 2\S+, and now 9\.9\. Go"):
        loop.train(make(), make_data(), run, epochs=4, **NUMBERS)


def test_the_model_ends_with_the_weights_of_the_best_epoch(tmp_path):
    vae, data = make(), make_data()
    prepare = data.prepare
    # From the third epoch on it learns negatives, so that it gets worse.
    data.prepare = lambda x, seed: tf.abs(
        tf.cast(vae.optimizer.iterations >= 10, tf.float32) - prepare(x, seed)
    )
    result = loop.train(vae, data, tmp_path, epochs=5, batch_size=50, learning_rate=0.01)
    records = logs.read_metrics(tmp_path / "metrics.jsonl")
    elbos = [record["validation"]["elbo"] for record in records]
    assert result.best_epoch == 1 + int(np.argmax(elbos)) < 5
    assert result.best_value == max(elbos)
    report = vae.evaluate(data.split("validation", 500), verbose=0, return_dict=True)
    assert report["elbo"] == pytest.approx(result.best_value, rel=1e-5)  # float32 sums


def test_a_loss_that_is_not_finite_stops_with_its_name_and_step(tmp_path):
    vae, data = make(), make_data()
    prepare = data.prepare
    # From the fourth step on the data are broken.
    broken = lambda x, seed: prepare(x, seed) / tf.cast(vae.optimizer.iterations < 3, tf.float32)  # noqa: E731
    data.prepare = broken
    with pytest.raises(guard.NotFiniteError) as error:
        loop.train(vae, data, tmp_path, epochs=2, **NUMBERS)
    message = str(error.value)
    assert "at step 3 (epoch 1, batch 4)" in message
    assert "reconstruction" in message
    assert "log-variances of q(z|x) lie between" in message
    assert "--clip-norm" in message
    assert np.all([np.isfinite(weight).all() for weight in vae.get_weights()])
    position, _, _ = checkpoints.restore(compiled(make()), tmp_path / "checkpoints")
    assert (position.epoch, position.step_in_epoch, position.steps) == (0, 3, 3)


def test_a_validation_split_without_a_density_stops_however_often_it_is_resumed(whole, tmp_path):
    run, data = shutil.copytree(whole[0], tmp_path / "run"), make_data()
    split = data.split
    data.split = lambda *which: split(*which).map(lambda x: x / 0.0)
    for _ in range(2):
        with pytest.raises(keeper.NotFiniteError, match="validation ELBO of epoch 4 is NaN"):
            loop.train(make(), data, run, epochs=4, **NUMBERS)
        vae = compiled(make(seed=5))
        position, _, _ = checkpoints.restore(vae, run / "checkpoints")
        assert (position.epoch, state(vae)) == (3, whole[1])  # of the last good epoch


def _broken_backwards(x, bad):
    """Returns `x`, whose gradient is NaN where `bad` holds."""

    @tf.custom_gradient
    def identity(x):
        return tf.identity(x), lambda upstream: upstream * tf.where(bad, float("nan"), 1.0)

    return identity(x)


def test_a_gradient_that_is_not_finite_stops_though_the_loss_is_finite(tmp_path, monkeypatch):
    vae = make()
    terms = vae.terms

    def broken(x, seed, step=0, training=False):
        found = terms(x, seed, step, training)
        bound = _broken_backwards(found.bound, tf.cast(step, tf.int32) >= 3)
        return dataclasses.replace(found, bound=bound)

    monkeypatch.setattr(vae, "terms", broken)
    with pytest.raises(keeper.NotFiniteError, match=r"at step 3 .* gradient of .* not finite"):
        loop.train(vae, make_data(), tmp_path, epochs=2, **NUMBERS)
    position, _, _ = checkpoints.restore(compiled(make()), tmp_path / "checkpoints")
    assert (position.step_in_epoch, position.steps) == (3, 3)
    assert np.isfinite([value for pair in position.means.values() for value in pair]).all()


def test_overflows_of_a_scaled_loss_are_left_out_until_the_scale_is_one(tmp_path, monkeypatch):
    vae = make("graph", dtype="mixed_float16")
    terms = vae.terms

    def broken(*arguments, **options):
        found = terms(*arguments, **options)
        return dataclasses.replace(found, bound=_broken_backwards(found.bound, True))

    monkeypatch.setattr(vae, "terms", broken)
    adaptation.adapt(vae, make_data(), seed=0)  # as training begins
    before = vae.get_weights()
    with pytest.raises(keeper.NotFiniteError, match="gradient of"):
        loop.train(vae, make_data(), tmp_path, epochs=9, **NUMBERS)
    assert float(vae.optimizer.dynamic_scale) == 1
    position, _, _ = checkpoints.restore(
        compiled(make(dtype="mixed_float16")), tmp_path / "checkpoints"
    )
    # 2**15 is halved 15 times, each time by a step that counts; the one after those is the bad one.
    assert (5 * position.epoch + position.step_in_epoch, position.steps) == (15, 0)
    for weight, expected in zip(vae.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.parametrize(
    ("optimizer", "jit_compile"),
    [("adam", False), ("adam", True), (keras.optimizers.SGD(0.1, clipvalue=1.0), False)],
)
def test_a_bad_step_of_a_block_leaves_what_the_good_ones_before_it_made(
    optimizer, jit_compile, monkeypatch
):
    xs = np.random.default_rng(0).normal(size=(4, 10, 3)).astype(np.float32)
    states = []
    for num_good in (3, 9):
        parts = {"likelihood": "optimal_normal", "network": "mlp(hidden=())"}
        vae = tfvae.VAE((3,), 2, **parts)
        fresh = keras.optimizers.get(optimizer)
        vae.compile(type(fresh).from_config(fresh.get_config()), jit_compile=jit_compile)
        terms = vae.terms

        def broken(x, seed, step=0, training=False, terms=terms, first=num_good):
            found = terms(x, seed, step, training)
            bound = _broken_backwards(found.bound, tf.cast(step, tf.int32) >= 3)
            return found if first == 3 else dataclasses.replace(found, bound=bound)

        monkeypatch.setattr(vae, "terms", broken)
        _, num, finite = tf.function(vae.engine.train, autograph=False)(tf.constant(xs[:num_good]))
        assert (int(num), bool(finite)) == (30, num_good == 3)
        states.append([np.asarray(v) for v in (*vae.weights, *vae.optimizer.variables)])
    for found, wanted in zip(*states, strict=True):
        # XLA may order sums otherwise in a program of another length.
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_gradient_that_is_not_finite_is_not_applied():
    vae = make()
    vae.compile(keras.optimizers.SGD(1e30))
    x = np.concatenate(list(make_data().split("test", 50).take(1)))
    vae.fit(x, epochs=5, batch_size=50, verbose=0)
    assert np.all([np.isfinite(weight).all() for weight in vae.get_weights()])


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_what_float32_learns(precision, whole, tmp_path):
    run, _ = whole
    vae = make("xla" if precision == "mixed_float16" else "graph", dtype=precision)
    loop.train(vae, make_data(), tmp_path, epochs=3, **NUMBERS)
    assert vae.encoder.layers[-2].compute_dtype == precision.removeprefix("mixed_")
    assert vae.posterior(np.zeros((1, 28, 28, 1), np.float32)).mean().dtype == tf.float32
    elbo, wanted = (curves(r)[-1]["validation"]["elbo"] for r in (tmp_path, run))
    assert elbo == pytest.approx(wanted, rel=0.02)  # 8 to 11 bits a product, averaged over 784


def test_clipping_bounds_a_step():
    x = np.concatenate(list(make_data().split("test", 50).take(1)))
    moved = []
    for clip in (None, 1e-3):
        vae = make()
        vae.compile(keras.optimizers.SGD(1.0, global_clipnorm=clip))
        before = vae.get_weights()
        vae.fit(x, batch_size=50, verbose=0)
        pairs = zip(vae.get_weights(), before, strict=True)
        moved.append(np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs)))
    assert moved[1] == pytest.approx(1e-3, rel=1e-3)  # float32
    assert moved[0] > 1e-2


def test_a_disk_that_is_full_is_not_called_a_lack_of_memory(capsys):
    def main(argv):
        raise tf.errors.ResourceExhaustedError(None, None, "events.v2; No space left on device")

    with pytest.raises(SystemExit) as end:
        cli.run(main)
    assert end.value.code == 1
    assert "No space left on device. Free some space" in capsys.readouterr().err
