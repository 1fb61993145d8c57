"""The benchmark: a tiny run of it, and its pieces."""

import contextlib
import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from pipelines import benchmark, cli
from pipelines.benchmarks import (
    agreement,
    contestants,
    data,
    elbo,
    feeds,
    onnx_graphs,
    rounds,
    tables,
    weights,
    works,
)
from pipelines.benchmarks.processes import ContestantError, Process
from pipelines.benchmarks.products import base as products

NUMPY = "pipelines.benchmarks.products.numpy_matmul"
TINY = works.Work("tiny", 20, hidden=8, batch_size=10, num_test=20)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A quick benchmark of this project and plain Keras: (results, standard output)."""
    output = tmp_path_factory.mktemp("benchmark") / "results.json"
    only = [f"--only={name}" for name in ("tfvae_fit", "keras_fit", "numpy_matmul")]
    options = ["--quick", "--part", "aevb", "--epochs", "1", "--repetitions", "1"]
    command = [sys.executable, "-m", "pipelines.benchmark", *options, *only, "--output", output]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(output.read_text()), process.stdout


def test_contestants_take_the_same_steps_and_end_at_the_same_elbo(finished):
    results, _ = finished
    part = results["parts"]["aevb"]
    ours, keras = part["trainers"]["tfvae_fit"], part["trainers"]["keras_fit"]
    assert ours["steps"] == keras["steps"] == 2 * 50  # the warm-up, and one epoch
    # After so few steps they differ by some nats; an untrained model is at -543.
    assert ours["elbo"] == pytest.approx(keras["elbo"], rel=0.03)
    assert ours["elbo"] > -250
    assert part["complaints"] == []


def test_rates_are_those_of_the_median_epoch(finished):
    results, _ = finished
    part = results["parts"]["aevb"]
    for row in part["trainers"].values():
        seconds = row["epoch_seconds"]["median"]
        assert row["images_per_second"] == pytest.approx(5000 / seconds)
        step = part["products"]["libraries"]["numpy_matmul"]["median"]
        assert row["fraction_of_products"] == pytest.approx(50 * step / seconds)


def test_the_terminal_shows_the_table(finished):
    _, output = finished
    assert "tfvae, VAE.fit" in output
    assert "1.00 x" in output
    assert "GFLOP/s by numpy_matmul, which is 100 %" in output


def test_a_missing_peer_is_skipped_and_said_so(monkeypatch, tmp_path, capsys):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else there(name)
    )
    options = ["--quick", "--part", "aevb", "--output", str(tmp_path / "results.json")]
    benchmark.main([*options, "--only", "torch_eager", "--only", "torch_mm"])
    reason = "torch is not installed: pip install -e '.[benchmark]'"
    assert f"Skipped torch_eager: {reason}" in capsys.readouterr().out
    part = json.loads((tmp_path / "results.json").read_text())["parts"]["aevb"]
    assert part["skipped"] == {"torch_eager": reason, "torch_mm": reason}
    assert part["trainers"] == {}


def test_contestants_are_listed_without_their_packages():
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'jax', 'onnx', 'tensorflow']));"
        "from pipelines.benchmarks import contestants as c;"
        "print(*[f'{n}={x.title}' for f in c.FOLDERS for n, x in c.find(f).items()], sep='\\n')"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    names = [line.partition("=")[0] for line in process.stdout.splitlines()]
    assert {"jax_scan", "torch_eager", "torch_compile", "keras_fit", "xla_dot"} < set(names)
    assert {"litert", "saved_model", "onnx_runtime"} < set(names)
    assert names[0] == "tfvae_fit"


def test_results_are_not_overwritten(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("{}")
    with pytest.raises(cli.UsageError, match="add `--overwrite`"):
        benchmark.main(["--output", str(path)])


def test_doing_less_is_a_complaint():
    same = {"elbo": -100.0, "steps": 3000}
    assert agreement.complaints({"a": same, "b": same}, 3000) == []
    (found,) = agreement.complaints({"a": same, "b": {**same, "steps": 1500}}, 3000)
    assert found == "b took 1500 steps of the optimizer, not 3000."


@pytest.mark.parametrize("value", [-102.0, -98.0, float("nan")])
def test_another_elbo_is_a_complaint(value):
    same = {"elbo": -100.0, "steps": 3000}
    trainers = {"a": same, "b": same, "c": {**same, "elbo": value}}
    (found,) = agreement.complaints(trainers, 3000)
    assert "c ends at an ELBO of" in found


def test_complaints_end_the_program_with_a_failure():
    with pytest.raises(cli.Failure, match="aevb: b took 5 steps"):
        benchmark._check({"parts": {"aevb": {"complaints": ["b took 5 steps."]}}})


def test_the_price_of_binarization_is_a_ratio_of_medians():
    def part(seconds):
        return {"trainers": {"tfvae_fit": {"epoch_seconds": {"median": seconds}}}}

    parts = {"aevb": part(2.0), "aevb_binarized": part(2.2)}
    found = "An epoch of binarized images, drawn anew, over one of grey images: tfvae_fit 1.10"
    assert tables.binarization(parts) == [found]
    assert tables.binarization({"aevb": part(2.0)}) == []


def test_every_feed_has_each_image_and_a_mapped_file_gives_the_blocks_of_memory(tmp_path):
    feeding = feeds.Contestant(works.to_json(TINY), tmp_path)
    found = {name: data for name, (_, _, data, _) in feeding._runs.items()}
    assert {data.num_examples("train") for data in found.values()} == {TINY.num_images}
    rows = [
        sorted(x.numpy().tobytes() for batch in data.split("train", 9) for x in batch)
        for data in found.values()
    ]
    assert rows[0] == rows[1] == rows[2] == rows[3]
    blocks = [next(iter(found[name].blocks(10, 2, seed=1))) for name in ("memory", "mapped file")]
    assert blocks[0].dtype == "uint8"  # a quarter of the floats; the step makes them of it
    np.testing.assert_array_equal(*blocks)


def test_feeds_are_compared_with_memory_by_their_medians():
    found = data._rates(TINY, {"memory": [1.0, 5.0, 2.0], "shards": [4.0, 4.0, 3.0]})
    assert found["memory"]["images_per_second"] == TINY.num_images / 2
    assert [row["of_memory"] for row in found.values()] == [1, 0.5]
    table = tables.feeds({"work": works.to_json(TINY), "feeds": found})
    assert list(table.columns[-1].cells) == ["100%", "50%"]


def test_runtimes_that_differ_are_named():
    assert agreement.disagreements({"a": [[1.0, 2.0]], "b": [[1.00001, 2.0]]}) == []
    found = agreement.disagreements({"a": [[1.0, 2.0]], "b": [[1.1, 2.0]]})
    assert found == ["b computes something else than a."]


def test_turns_rotate_and_a_failing_contestant_leaves():
    order: list = []
    failed: dict = {}

    def fail():
        raise ContestantError("no compiler")

    jobs = {"a": lambda: 1.0, "b": fail, "c": lambda: 3.0}
    seconds = rounds.interleave(jobs, 3, failed, order.append)
    assert seconds == {"a": [1.0] * 3, "c": [3.0] * 3}
    assert failed == {"b": "no compiler"}
    assert order == ["a", "b", "c", "c", "a", "c", "a"]


def test_a_contestant_runs_in_its_own_process():
    with Process(NUMPY, work=works.to_json(TINY)) as process:
        answer = process.call("run", steps=2)
        assert answer.result is None
        assert answer.seconds > 0
        with pytest.raises(ContestantError, match="AttributeError"):
            process.call("fly")
        assert process.call("run", steps=1).seconds > 0  # an error doesn't end it


def test_a_contestant_that_cannot_be_built_has_failed():
    skipped: dict = {}
    failed: dict = {}
    entrants = {"numpy_matmul": contestants.describe(NUMPY)}
    with contextlib.ExitStack() as stack:
        assert rounds.start(stack, entrants, skipped, failed, work={"wings": 2}) == {}
    assert skipped == {}
    assert agreement.failures(failed) == ["numpy_matmul failed: KeyError: 'channels'."]


def test_operations_are_those_of_the_products():
    shapes = [
        ((a.T if fa else a).shape, (b.T if fb else b).shape)
        for a, b, fa, fb in products.operands(TINY)
    ]
    assert all(a[1] == b[0] for a, b in shapes)
    assert products.flops(TINY) == sum(2 * a[0] * a[1] * b[1] for a, b in shapes)
    # FACTS: 4.9 MFLOP an image, where the first layer's input gradient is counted too.
    assert products.flops(works.WORKS["aevb"]) == 100 * (6 * 814_000 - 2 * 392_000)


def test_the_measured_elbo_is_the_textbooks():
    rng = np.random.default_rng(0)
    x = (rng.random((4, 7)) < 0.5).astype(np.float32)
    logits = rng.standard_normal((4, 7)) * 3
    wanted = stats.bernoulli(1 / (1 + np.exp(-logits))).logpmf(x.astype(int)).sum()
    assert elbo.log_likelihood(x, logits) == pytest.approx(wanted)
    assert elbo.divergence(np.zeros((2, 3)), np.zeros((2, 3))) == 0
    # log(sp / sq) + (sq**2 + m**2) / 2 - 1/2 at m = 1, sq = 2.
    found = elbo.divergence(np.array([[1.0]]), np.array([[np.log(4.0)]]))
    assert found == pytest.approx(-np.log(2) + 5 / 2 - 1 / 2)


def test_the_measured_elbo_is_a_mean_over_all_images():
    images = np.zeros((1001, 2, 2, 1), np.float32)  # more than two chunks

    def encode(x):
        return np.zeros((len(x), 3)), np.zeros((len(x), 3))

    def decode(z):
        return np.zeros((len(z), 4))

    assert elbo.mean_elbo(encode, decode, images) == pytest.approx(-4 * np.log(2))


def test_initial_weights_have_glorots_limits():
    rng = np.random.default_rng(0)
    dense, kernel = weights.glorot(rng, (300, 500)), weights.glorot(rng, (4, 4, 32, 64))
    assert np.abs(dense).max() == pytest.approx(np.sqrt(6 / 800), rel=1e-3)
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (16 * 96)), rel=1e-3)


def test_works_travel_as_json():
    for work in works.WORKS.values():
        assert works.from_json(json.loads(json.dumps(works.to_json(work)))) == work
        assert work.num_images % work.batch_size == 0


def test_onnx_graphs_compute_the_perceptrons(tmp_path):
    reference = pytest.importorskip("onnx.reference")
    rng = np.random.default_rng(0)
    sizes = {"encoder": [(784, 5), (5, 4)], "decoder": [(2, 5), (5, 784)]}
    layers = {
        part: [(weights.glorot(rng, s), rng.random(s[1], np.float32)) for s in shapes]
        for part, shapes in sizes.items()
    }
    arrays = {
        f"{part}_{2 * i + j}": pair[j]
        for part, pairs in layers.items()
        for i, pair in enumerate(pairs)
        for j in (0, 1)
    }
    np.savez(tmp_path / onnx_graphs.WEIGHTS, **arrays)
    models = onnx_graphs.build(tmp_path)
    x, z = rng.random((3, 28, 28, 1), np.float32), rng.random((3, 2), np.float32)

    def perceptron(h, pairs):
        (w, b), (v, c) = pairs
        return np.maximum(h @ w + b, 0) @ v + c

    loc, log_variance = np.split(perceptron(x.reshape(3, -1), layers["encoder"]), 2, axis=1)
    mean, stddev = reference.ReferenceEvaluator(models["encoder"]).run(None, {"x": x})
    np.testing.assert_allclose(mean, loc, rtol=1e-4, atol=1e-5)  # float32 sums of 784
    np.testing.assert_allclose(stddev, np.exp(log_variance / 2), rtol=1e-4)
    (pixels,) = reference.ReferenceEvaluator(models["decoder"]).run(None, {"z": z})
    wanted = 1 / (1 + np.exp(-perceptron(z, layers["decoder"])))
    np.testing.assert_allclose(pixels.reshape(3, -1), wanted, rtol=1e-4)
