"""Every likelihood trains by its spec, to a model that is exported and proven.

Training is run without compiling its steps, which `test_layers_compile.py` proves for each layer:
tracing would take longer than all the rest. One fresh process of each kind proves the exports of
all runs: starting TensorFlow for each would take as long as training it.
"""

import contextlib
import json

import cases
import keras
import numpy as np
import pytest
import samples
import tensorflow as tf

from pipelines import train
from tfvae import components, noise
from tfvae.datasets.base import Dataset
from tfvae.evaluation import measures
from tfvae.exporters import endpoints
from tfvae.exporters.base import Exporter, write_saved_model
from tfvae.exporters.verification import Verification
from tfvae.figures import gallery
from tfvae.training.images import Images

LIKELIHOODS = sorted(cases.LAYERS)
EAGER = pytest.mark.filterwarnings("ignore:Even though the `tf.config")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A function of a spec: the directory of its run, trained on the first call."""
    place = tmp_path_factory.mktemp("runs")
    done = {}

    def run(spec):
        if spec not in done:
            done[spec] = _train(place / spec, spec)
        return done[spec]

    return run


def _train(place, likelihood):
    place.mkdir()
    dataset = f"table(path='{samples.folder()}/people.csv')"
    if likelihood != "mixed":
        layer = cases.layer(likelihood, (8,))
        np.save(place / "x.npy", cases.LAYERS[likelihood].data(layer, 40))
        dataset = f"arrays(path='{place}/x.npy')"
    arguments = [
        "--dataset", dataset, "--network", "mlp(hidden=())", "--latent-size", "2",
        "--epochs", "1", "--batch-size", "20", "--likelihood", likelihood,
        "--run", str(place / "run"), "--no-export",
    ]  # fmt: skip
    with _eagerly():
        train.main(arguments)
    return place / "run"


@contextlib.contextmanager
def _eagerly():
    with pytest.MonkeyPatch.context() as patch:
        # Figures ask for means alone, and have tests of their own.
        patch.setattr(gallery, "render_all", lambda *_, **__: {})
        patch.setattr(Images, "on_epoch_end", lambda *_: None)
        patch.setattr(measures, "_measure", measures._measure.python_function)
        tf.config.run_functions_eagerly(True)
        try:
            yield
        finally:
            tf.config.run_functions_eagerly(False)


@EAGER
@pytest.mark.parametrize("spec", LIKELIHOODS)
def test_a_member_trains_by_its_spec(spec, finished):
    run = finished(spec)
    options = json.loads((run / "options.json").read_text())
    assert options["likelihood"] == spec
    evaluation = _evaluation(run)
    assert np.isfinite(evaluation["elbo"])
    if cases.LAYERS[spec].discrete and spec != "mixed":  # of columns of both kinds
        bits = -evaluation["elbo"] / (8 * np.log(2))
        assert evaluation["bits_per_dimension"] == pytest.approx(bits)
    else:
        assert "bits_per_dimension" not in evaluation


@EAGER
@pytest.mark.parametrize("spec", LIKELIHOODS)
def test_a_trained_model_loads_as_it_was(spec, finished):
    run = finished(spec)
    vae = keras.models.load_model(run / "model.keras")
    options = json.loads((run / "options.json").read_text())
    assert vae.likelihood_layer.spec.name == spec
    dataset = components.build(Dataset, options["dataset"])
    (x,) = dataset.split("test", 100)
    seeds = noise.row_seeds(noise.seed_of(noise.Stream.ELBO, 0), len(x))
    # Eager in both, so the same operations.
    elbo = np.float64(vae.terms(x, seeds).metrics["elbo"]).mean()
    assert elbo == pytest.approx(_evaluation(run)["elbo"], rel=1e-6)


def _evaluation(run):
    (report,) = json.loads((run / "evaluation.json").read_text())["evaluations"]
    return report


@EAGER
def test_what_was_trained_is_exported_and_proven_in_a_fresh_process(
    finished, tmp_path, tensorflow_process, bare_process
):
    models = {spec: keras.models.load_model(finished(spec) / "model.keras") for spec in LIKELIHOODS}
    processes = {
        "saved_model": tensorflow_process,
        "c_api": bare_process,
        "litert": bare_process,
    }
    weights = {title: endpoints.weights(vae)["decoder"] for title, vae in models.items()}
    proofs = []
    for name in ("saved_model", "litert"):
        exporter = components.build(Exporter, name)
        wanted = {title: _endpoints(exporter, vae) for title, vae in models.items()}
        folder = tmp_path / name
        paths = {title: folder / title for title in models}
        for title, listed in wanted.items():
            write_saved_model(listed, paths[title])
        if name == "litert":
            files = {title: folder / f"{title}.tflite" for title in models}
            jobs = [
                {
                    "source": str(paths[title]),
                    "signatures": [endpoint.name for endpoint in listed],
                    "target": str(files[title]),
                    "variant": "float32",
                    "metadata": "{}",
                }
                for title, listed in wanted.items()
            ]
            tensorflow_process.run("convert_litert", jobs)()
            paths = files
        proofs.append(Verification(exporter, wanted, paths, weights, processes.get, folder))
    for proof in proofs:
        proof.check()


def _endpoints(exporter, vae):
    """Returns what is a likelihood's own of an export: its moments and its draws."""
    listed = endpoints.endpoints(vae, exporter.noise)["decoder"]
    # `generate` is `sample` at a code of the prior's, and tested with it.
    return tuple(endpoint for endpoint in listed if endpoint.name != "generate")
