"""A conditional model from its command to its exports: digits, given their label."""

import json

import keras
import numpy as np
import pytest
import samples
from serving_stand_in import StandIn

from pipelines import check_serving, encode, evaluate, exports, generate, plot, runs, train
from pipelines.cli import UsageError
from tfvae import components, noise
from tfvae.figures import gallery
from tfvae.figures.base import Figure
from tfvae.serving import Client, seeds
from tfvae.training.images import Images

LABELS = np.repeat(np.arange(10), 20).astype(np.int32)


@pytest.fixture(scope="module")
def place(tmp_path_factory, old_processes):
    """A folder with a run on labelled digits, and its export."""
    folder = tmp_path_factory.mktemp("conditional")
    arguments = [
        "--dataset", "digits", "--condition", "label", "--prior", "conditional_normal(hidden=0)",
        "--likelihood", "normal(covariance='shared')", "--network", "mlp(hidden=(64,))",
        "--latent-size", "4", "--epochs", "10", "--learning-rate", "0.01",
        "--run", str(folder / "run"), "--export", str(folder / "exported"),
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Images, "on_epoch_end", lambda *_, **__: None)  # they have their own tests
        train.main(arguments)
    return folder


@pytest.fixture(scope="module")
def vae(place):
    return keras.models.load_model(place / "run" / "model.keras")


def test_samples_are_of_the_class_that_was_asked_for(place, vae):
    dataset = runs.open_run(place / "run").dataset().unconditioned
    x = np.concatenate(list(dataset.split("train", 500).as_numpy_iterator()))
    y = dataset.labels("train")
    centres = np.stack([x[y == label].mean(axis=0) for label in range(10)])

    def nearest(images):
        distances = ((np.asarray(images)[:, None] - centres) ** 2).sum(axis=(2, 3, 4))
        return distances.argmin(axis=1)

    row_seeds = noise.row_seeds(noise.seed_of(1), len(LABELS))
    right = np.mean(nearest(vae.generate(row_seeds, LABELS)["mean"]) == LABELS)
    # The classifier knows nine in ten of the digits themselves; one in ten would be chance.
    assert np.mean(nearest(x) == y) > 0.85
    assert right > 0.85


def test_the_exports_draw_what_the_model_draws(place, vae):
    path, name = exports.find(place / "exported", "decoder", "saved_model")
    program, _ = exports.open_part(path, name, ("generate",))
    row_seeds = noise.row_seeds(noise.seed_of(1), 20).numpy()
    for label in (3, 7):
        known = np.full([20], label, np.int32)
        answer = program.run("generate", {"seed": row_seeds, "condition": known})
        expected = vae.generate(row_seeds, known)
        for output in ("z", "mean", "x"):
            # Another program for the same operations: a few float32.
            np.testing.assert_allclose(answer[output], expected[output], rtol=1e-4, atol=1e-5)
    path, name = exports.find(place / "exported", "decoder", "litert")
    program, _ = exports.open_part(path, name, ("generate",))
    eps = vae.prior_layer.noise_of(row_seeds)["eps"].numpy()
    means = program.run("generate", {"eps": eps, "condition": known})["mean"]
    expected = vae.likelihood(vae.sample_codes(row_seeds, 7), 7).mean()
    np.testing.assert_allclose(means, expected, rtol=1e-4, atol=1e-5)


def test_the_programs_take_the_label(place, tmp_path):
    exported, output = str(place / "exported"), str(tmp_path / "x.npy")
    drawn = {}
    for label in ("2", "5"):
        command = [exported, "--num", "9", "--output", output, "--overwrite"]
        generate.main([*command, "--label", label])
        drawn[label] = np.load(output)
    assert drawn["2"].shape == (9, 8, 8, 1)
    assert not np.allclose(drawn["2"], drawn["5"])
    for arguments, message in [
        ([], "is of a conditional model. Say what to draw, as in `--label 3`"),
        (["--condition", "1,2"], "which takes `--label` instead"),
        (["--label", "10"], "knows no class 10: its answer is NaN"),
    ]:
        with pytest.raises(UsageError, match=message):
            generate.main([*command, *arguments])

    codes = str(tmp_path / "codes.npz")
    encode.main([exported, "--dataset", "digits", "--output", codes])
    run = runs.open_run(place / "run")
    (pair,) = run.dataset().split("test", 1000)
    written = np.load(codes)
    np.testing.assert_array_equal(written["label"], pair[1])
    expected = run.model().posterior(*pair).mean()
    np.testing.assert_allclose(written["mean"], expected, rtol=1e-4, atol=1e-5)
    command = [exported, "--output", str(tmp_path / "no.npz")]
    unlabelled = str(tmp_path / "unlabelled.npy")
    np.save(unlabelled, np.random.default_rng(0).uniform(size=(20, 8, 8, 1)).astype(np.float32))
    with pytest.raises(UsageError, match=r"takes labels\. The data set .* has none"):
        encode.main([*command, "--dataset", f"arrays(path='{unlabelled}')"])


def test_evaluation_is_of_p_of_x_given_the_label(place, vae):
    run = runs.open_run(place / "run")
    (report,) = evaluate.read_reports(place / "run" / evaluate.REPORT)
    (pair,) = run.dataset().split("test", 1000)
    # In another program, and summed in another order.
    np.testing.assert_allclose(report["elbo"], np.mean(vae.elbo(pair)), rtol=1e-4)
    assert report["protocol"]["fingerprint"] == run.dataset().fingerprint()
    wrong = np.mean(vae.elbo((pair[0], (pair[1] + 1) % 10)))
    assert wrong < report["elbo"] - 5  # a digit is no likely one of another class


def test_figures_are_drawn_given_labels(place, vae):
    drawn = {path.stem for path in (place / "run" / "figures").iterdir()}
    assert {"interpolation", "latents", "reconstructions", "samples", "traversal"} <= drawn
    plot.main([str(place / "run"), "manifold(size=3)"])
    assert (place / "run" / "figures" / "manifold-size_3.png").is_file()
    dataset = runs.open_run(place / "run").dataset()
    samples = components.build(Figure, "samples")
    assert samples.grid(vae, dataset, "test", 0).events.shape[:2] == (10, 8)
    with pytest.raises(ValueError, match=r"Received a data set without\. Wrap it"):
        samples.render(vae, dataset.unconditioned)


def test_the_release_says_what_the_condition_is(place):
    manifest = json.loads((place / "exported/releases/1/manifest.json").read_text())
    assert manifest["model"]["condition"] == "label(num_classes=10)"
    assert manifest["options"]["condition"] == "label"
    generate_inputs = manifest["formats"]["saved_model"]["decoder"]["signatures"]["generate"]
    assert generate_inputs["inputs"][-1] == {
        "name": "condition",
        "dtype": "int32",
        "shape": [None],
        "range": "0 to 9",
        "meaning": "the class of the example",
    }
    assert "label(num_classes=10)" in (place / "exported/releases/1/model_card.md").read_text()


def test_a_server_is_asked_with_the_label(place, vae, capsys):
    with StandIn(place / "exported") as server:
        check_serving.main([str(place / "exported"), "--url", server.rest_url, "--num", "1"])
        assert "5 signatures answer as the model" in capsys.readouterr().out
        for url in (server.rest_url, server.grpc_url):
            client = Client(url)
            answer = client.generate(seeds(3), [4, 4, 8])
            expected = vae.generate(seeds(3), [4, 4, 8])
            np.testing.assert_allclose(answer["x"], expected["x"], rtol=1e-4, atol=1e-5)
            codes = client.encode(answer["mean"], [4, 4, 8])
            expected = vae.posterior(answer["mean"], [4, 4, 8])
            np.testing.assert_allclose(codes["mean"], expected.mean(), rtol=1e-4, atol=1e-5)


SHORT = [
    "--network", "mlp(hidden=(8,))", "--latent-size", "2", "--batch-size", "20", "--epochs", "1",
]  # fmt: skip


@pytest.fixture
def no_pictures(monkeypatch):
    """Leaves out pictures, which take longer than all the rest."""
    monkeypatch.setattr(gallery, "render_all", lambda *_, **__: {})
    monkeypatch.setattr(Images, "on_epoch_end", lambda *_, **__: None)


@pytest.mark.usefixtures("old_processes", "no_pictures")
def test_a_run_given_numbers_reaches_its_exports(tmp_path):
    rng = np.random.default_rng(0)
    c = rng.normal(size=(60, 2)).astype(np.float32)
    x = np.concatenate([c, c.sum(axis=1, keepdims=True)], axis=1) + 0.1 * rng.normal(size=(60, 3))
    np.savez(tmp_path / "data.npz", x=x.astype(np.float32), c=c)
    data = f"arrays(path='{tmp_path}/data.npz', key='x', condition='c')"
    run, exported = str(tmp_path / "run"), str(tmp_path / "exported")
    given = ["--dataset", data, "--condition", "vector", "--likelihood", "normal"]
    train.main([*given, *SHORT, "--run", run, "--export", exported])
    drawn = []
    for numbers in ("0.5,-1", "2,2"):
        output = str(tmp_path / f"{numbers}.npy")
        generate.main([exported, "--num", "5", "--condition", numbers, "--output", output])
        drawn.append(np.load(output))
    assert drawn[0].shape == (5, 3)
    assert np.all(drawn[0] != drawn[1])


@pytest.mark.usefixtures("no_pictures")
def test_a_run_on_streamed_labels_ends_with_its_evaluation(tmp_path):
    pattern = f"{samples.folder()}/x-*.tfrecord"
    features = "features={'x': 'uint8[6,5,1]'}"
    data = f"tfrecord(pattern='{pattern}', {features}, label='y', stream=True, binarize='dynamic')"
    run = tmp_path / "run"
    train.main(
        ["--dataset", data, "--condition", "label", *SHORT, "--run", str(run), "--no-export"]
    )
    (report,) = evaluate.read_reports(run / evaluate.REPORT)
    assert report["protocol"]["condition"].startswith("label(num_classes=")
    assert report["protocol"]["binarization"] != "none"
    assert np.isfinite(report["elbo"])
