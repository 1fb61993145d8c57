"""Training on several devices and in several processes."""

import contextlib
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from pipelines import cli, runs, train
from tfvae import components
from tfvae.conditions.label import Label
from tfvae.datasets.base import Dataset
from tfvae.datasets.conditioned import Conditioned
from tfvae.training import cluster, feeding, logs, loop, strategies

PROGRAM = """
import pathlib, sys
import numpy as np
import tensorflow as tf

num_cpus, places = int(sys.argv[1]), [pathlib.Path(place) for place in sys.argv[2:]]
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpus[0], [tf.config.LogicalDeviceConfiguration()] * num_cpus
)
from tfvae.training import loop, strategies
made = [strategies.make({"worker0": "auto", "worker1": "auto"}.get(p.name, p.name)) for p in places]
import tfvae
from tfvae import components
from tfvae.datasets.base import Dataset

data = components.build(Dataset, "mnist(binarize='dynamic', limit=1000, validation=200)")
for out, strategy in zip(places, made):
    with strategies.scope_of(strategy):
        vae = tfvae.VAE((28, 28, 1), 2, network="mlp(hidden=(8,))")
    loop.train(vae, data, out / "run", epochs=1, batch_size=20, learning_rate=1e-3)
    assert vae.engine.jit_compile
    assert (1 if strategy is None else strategy.num_replicas_in_sync) == 1 + (out.name != "single")
    np.savez(out / "weights.npz", *strategies.on_one_device(vae).get_weights())
"""


def start(num_cpus, *places, **environment):
    for place in places:
        place.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(num_cpus), *map(str, places)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tf_config(index, ports, **more):
    workers = [f"localhost:{port}" for port in ports]
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": workers, **more}, "task": task})


def free_ports(num):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(num)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """50 steps with XLA: on one device, on two of one process, and in two processes."""
    base, ports = tmp_path_factory.mktemp("runs"), free_ports(2)
    programs = [
        start(2, base / "single", base / "mirrored"),
        *(start(1, base / f"worker{i}", TF_CONFIG=tf_config(i, ports)) for i in range(2)),
    ]
    for status, _, errors in ended(programs):
        assert status == 0, errors[-3000:]
    return base


@pytest.mark.parametrize("name", ["mirrored", "worker0"])
def test_strategies_end_50_steps_with_the_loss_of_one_device(name, trained):
    one, several = (logs.read_metrics(trained / n / "run/metrics.jsonl") for n in ("single", name))
    assert one[0]["step"] == several[0]["step"] == 50
    for part in ("train", "validation"):
        for key, value in one[0][part].items():
            assert several[0][part][key] == pytest.approx(value, rel=1e-5)  # 5 digits


@pytest.mark.parametrize("name", ["mirrored", "worker0", "worker1"])
def test_strategies_end_with_the_weights_of_one_device(name, trained):
    one, several = (np.load(trained / n / "weights.npz") for n in ("single", name))
    for key in one.files:
        # Sums in another order; Adam divides by the size of a gradient, however small.
        np.testing.assert_allclose(several[key], one[key], atol=2e-4)


def test_only_the_chief_writes(trained):
    assert (trained / "worker0/run/checkpoints/step-000000050.npz").is_file()
    assert not (trained / "worker1/run").exists()


PARTS = [
    "--dataset", "synthetic(kind='moons', num=500)", "--likelihood", "normal",
    "--network", "mlp(hidden=(4,))", "--latent-size", "2", "--batch-size", "40",
    "--epochs", "4", "--strategy", "multi_worker", "--no-export",
]  # fmt: skip


def start_training(place, run, *more):
    """Starts `pipelines.train` in two processes, each in a folder of its own."""
    ports, here = free_ports(2), pathlib.Path(__file__).parent
    program = [here / "programs" / "train_as.py", json.dumps({"jit_compile": False})]
    for index in range(2):
        (place / str(index)).mkdir(exist_ok=True)
    return [
        subprocess.Popen(
            [sys.executable, *program, "--run", str(run), *more],
            env={
                **os.environ,
                "PYTHONPATH": str(here.parent),
                "TF_CONFIG": tf_config(index, ports),
            },
            cwd=place / str(index),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]


def ended(processes):
    """Waits for processes; returns the status, output and errors of each."""
    try:
        answers = [process.communicate(timeout=500) for process in processes]
    finally:
        for process in processes:
            process.kill()  # one that waits for the other would do so for ever
    return [(p.returncode, *answer) for p, answer in zip(processes, answers, strict=True)]


def test_sigterm_to_one_process_stops_both_and_resuming_goes_on_as_one_run(tmp_path):
    run = tmp_path / "run"
    processes = start_training(tmp_path, run, *PARTS)
    while not list(run.glob("checkpoints/step-*.npz")):
        assert [process.poll() for process in processes] == [None, None]
        time.sleep(0.01)
    processes[1].send_signal(signal.SIGTERM)  # not the chief, which writes
    for status, _, errors in ended(processes):
        assert (status, errors.count("\n")) == (143, 1), errors
        assert f"Go on with `python -m pipelines.train --resume --run {run}`" in errors
    assert not (run / "model.keras").exists()
    stopped_at = max(run.glob("checkpoints/step-*.npz")).name
    assert "step-000000010.npz" <= stopped_at < "step-000000040.npz"

    (chief, chief_says, _), (worker, worker_says, _) = ended(
        start_training(tmp_path, run, "--resume")
    )
    assert (chief, worker) == (0, 0)
    assert f"Model: {run / 'model.keras'}" in chief_says
    assert "Training along with the chief, which writes the results." in worker_says
    assert not list((tmp_path / "1").iterdir())
    assert {path.name for path in run.iterdir()} >= {"model.keras", "evaluation.json", "figures"}
    assert not [path for path in run.rglob("*") if "tmp" in path.name]
    check_curves(run, tmp_path / "one")


def check_curves(run, one):
    """Compares the curves of a run with those of one device that was never stopped."""
    options = {**runs.read_options(run), "strategy": "single"}
    dataset, vae = train._build(options)
    vae.compile = functools.partial(vae.compile, jit_compile=False)  # it would take longer
    loop.train(vae, dataset, one, **{key: options[key] for key in train._NUMBERS})
    found, wanted = (logs.read_metrics(place / "metrics.jsonl") for place in (run, one))
    assert [record["step"] for record in found] == list(range(10, 41, 10))
    for record, whole in zip(found, wanted, strict=True):
        for part in ("train", "validation"):
            for key, value in whole[part].items():
                # Sums in another order, and Adam: a step that is lost or taken twice shows at 1e-2.
                assert record[part][key] == pytest.approx(value, rel=1e-4, abs=1e-4)


def test_a_strategy_of_one_replica_trains_as_no_strategy_does():
    x = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
    found = []
    for scope in (contextlib.nullcontext(), tf.distribute.MirroredStrategy(["/cpu:0"]).scope()):
        with scope:
            vae = tfvae.VAE((6,), 2, network="mlp(hidden=(4,))", likelihood="normal")
            vae.compile("adam", jit_compile=False)
        options = {"batch_size": 4, "epochs": 2, "validation_data": x[:3]}
        history = vae.fit(x, shuffle=False, verbose=0, **options).history
        found.append((history, vae.get_weights(), vae.elbo(x)))
    (history, weights, elbo), (wanted, expected, wanted_elbo) = found[1], found[0]
    # One step in a program of its own, and within a loop: sums in another order.
    for name, values in wanted.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5)
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(elbo, wanted_elbo, rtol=1e-4)


def test_a_model_of_a_strategy_of_one_replica_runs_to_its_end(tmp_path):
    data = components.build(Dataset, "synthetic(kind='moons', num=60)")
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        vae = tfvae.VAE((2,), 2, network="mlp(hidden=(4,))", likelihood="normal")
    vae.compile = functools.partial(vae.compile, jit_compile=False)
    numbers = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "clip_norm": 1.0}
    loop.train(vae, data, tmp_path, **numbers)
    records = logs.read_metrics(tmp_path / "metrics.jsonl")
    assert [record["step"] for record in records] == [3, 6]  # whole batches


def test_a_variance_of_each_batch_is_refused_under_a_strategy():
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        vae = tfvae.VAE((4,), 2, network="mlp(hidden=())", likelihood="optimal_normal")
        vae.compile("adam")
    with pytest.raises(ValueError, match=r"`optimal_normal.* fits a variance to each batch"):
        vae.fit(np.zeros([4, 4], np.float32), verbose=0)


class TwoReplicas:
    """Stands in for a strategy of two processes, and gives the share of one of them."""

    num_replicas_in_sync = 2

    def __init__(self, index):
        self.index = index

    def distribute_datasets_from_function(self, function):
        return function(tf.distribute.InputContext(2, self.index, 2))


def test_the_shares_of_a_batch_make_up_the_batch():
    data = components.build(Dataset, "mnist(limit=50)")
    first, second = (feeding.make(data, 20, 0, TwoReplicas(i)).training(0, 1) for i in range(2))
    whole = data.blocks(20, 1, 0, start_step=1)  # the second batch, then a short one
    shares = [np.concatenate(pair) for pair in zip(first.take(3), second.take(3), strict=True)]
    batches = [block[0] for block in whole.take(5) if len(block[0]) == 20]
    np.testing.assert_array_equal(shares, batches)


def test_the_shares_of_a_batch_keep_their_conditions():
    data = Conditioned(components.build(Dataset, "mnist(limit=50)"), Label())
    first, second = (feeding.make(data, 20, 0, TwoReplicas(i)).training(0, 1) for i in range(2))
    x, labels = next(iter(data.blocks(20, 1, 0, start_step=1)))
    (x0, labels0), (x1, labels1) = (next(iter(shares)) for shares in (first, second))
    np.testing.assert_array_equal(np.concatenate([x0, x1]), x[0])
    np.testing.assert_array_equal(np.concatenate([labels0, labels1]), labels[0])


def test_a_batch_that_devices_cannot_share_is_refused():
    data = components.build(Dataset, "mnist(limit=50)")
    with pytest.raises(ValueError, match=r"batch_size=15\. Choose a multiple of 2, such as 14"):
        feeding.make(data, 15, 0, TwoReplicas(0))


def test_a_cluster_is_read_from_the_environment():
    assert cluster.read({}) == cluster.Cluster()
    workers = [cluster.read({"TF_CONFIG": tf_config(i, [1, 2])}) for i in range(2)]
    assert [w.is_chief for w in workers] == [True, False]
    with_chief = cluster.read({"TF_CONFIG": tf_config(0, [1, 2], chief=["localhost:3"])})
    assert with_chief == cluster.Cluster(3, False, "TF_CONFIG")
    slurm = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "0"}
    assert cluster.read(slurm) == cluster.Cluster(4, True, "Slurm")
    # A batch script with four tasks runs once; `srun` starts the tasks.
    assert cluster.read({"SLURM_NTASKS": "4"}) == cluster.Cluster()


def test_the_addresses_of_a_slurm_step_are_found_without_counting_its_gpus(monkeypatch):
    step = {
        "SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "2", "SLURM_STEP_NODELIST": "n[1-2]",
        "SLURM_STEP_TASKS_PER_NODE": "2,1",
    }  # fmt: skip
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TF_CONFIG", "")
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    strategies._describe_slurm(3)
    config = json.loads(os.environ["TF_CONFIG"])
    assert config["cluster"] == {"worker": ["n1:8888", "n1:8889", "n2:8888"]}
    assert config["task"] == {"type": "worker", "index": 2}
    assert cluster.read() == cluster.Cluster(3, False, "TF_CONFIG")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "TF_CONFIG is JSON such as"),
        ("[]", "TF_CONFIG is JSON such as"),
        (tf_config(0, [1], ps=["localhost:2"]), "no training with parameter servers"),
        (tf_config(5, [1, 2]), "Received worker 5 in a cluster of worker 0, worker 1"),
        (tf_config(0, [1], master=["localhost:2"]), "is called `chief`. Received a task `master`"),
    ],
)
def test_a_cluster_that_cannot_train_is_refused(config, message):
    with pytest.raises(cluster.ClusterError, match=message):
        cluster.read({"TF_CONFIG": config})


def test_a_number_of_tasks_that_is_none_is_refused():
    with pytest.raises(cluster.ClusterError, match=r"which `srun` sets\. Received 'two'"):
        cluster.read({"SLURM_STEP_NUM_TASKS": "two"})


def test_strategies_that_keras_does_not_support_are_refused_in_python_too(monkeypatch):
    monkeypatch.setattr(keras.distribution, "distribution", keras.distribution.DataParallel)
    with pytest.raises(ValueError, match=r"`keras\.distribution\.DataParallel`, which Keras has f"):
        tfvae.VAE((4,), 2)
    servers = object.__new__(tf.distribute.ParameterServerStrategy)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: servers)
    with pytest.raises(ValueError, match="whose parameter servers Keras 3 doesn't support"):
        tfvae.VAE((4,), 2)


def test_a_strategy_without_what_it_needs_is_refused(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(cluster.ClusterError, match="Neither names more than this process"):
        strategies.make("multi_worker")
    with pytest.raises(cluster.ClusterError, match="is one of auto, single, mirrored"):
        strategies.make("parameter_server")
    with pytest.raises(cluster.ClusterError, match="`--strategy tpu` needs a TPU"):
        strategies.make("tpu")


def test_what_devices_do_not_share_alike_is_refused(monkeypatch):
    monkeypatch.setattr(strategies, "of", lambda model: TwoReplicas(0))
    vae = tfvae.VAE((4,), 2, network="mlp(hidden=())", likelihood="optimal_normal")
    with pytest.raises(cluster.ClusterError, match=r"`optimal_normal.*` fits a variance"):
        strategies.check_model(vae, clip_norm=None)
    with pytest.raises(cluster.ClusterError, match="Received `--clip-norm 1`"):
        strategies.check_model(vae, clip_norm=1)
    vae = tfvae.VAE((4,), 2, network="mlp(hidden=())", objective="beta_tc")
    with pytest.raises(cluster.ClusterError, match=r"`beta_tc.*` compares the examples of a batch"):
        strategies.check_model(vae, clip_norm=None)


def test_a_machine_with_one_device_needs_no_strategy(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert [strategies.make(name) for name in ("auto", "single", "mirrored")] == [None] * 3


def test_processes_that_train_together_are_told_their_run(monkeypatch, place):
    monkeypatch.setenv("TF_CONFIG", tf_config(0, [1, 2]))
    with pytest.raises(cli.UsageError, match="The 2 processes of TF_CONFIG train one run"):
        train.main([])
    assert not list(place.iterdir())


def test_processes_with_other_data_do_not_train_together(monkeypatch):
    digest = zlib.crc32(b'{"data": "mine"}') % 2**12
    sums = iter([14.0, 2.0, digest + 1.0, 2.0])  # of steps, of processes, of digests, of processes
    monkeypatch.setattr(strategies, "total", lambda model, number: next(sums))
    strategies.check_place(None, 7)
    with pytest.raises(cluster.ClusterError, match=r'Those of this one, {"data": "mine"}, aren'):
        strategies.check_conditions(None, {"data": "mine"})


def test_pipelines_train_refuses_a_strategy_as_a_usage_error(tmp_path):
    program = subprocess.run(
        [sys.executable, "-m", "pipelines.train", "--run", str(tmp_path / "run")],
        env={**os.environ, "TF_CONFIG": tf_config(0, [1], ps=["localhost:2"])},
        cwd=pathlib.Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert program.returncode == 2
    assert program.stderr.startswith("python -m pipelines.train: Keras 3 has no training with")
    assert not (tmp_path / "run").exists()
