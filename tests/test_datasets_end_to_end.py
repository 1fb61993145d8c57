"""Every source, from its files to codes of an exported encoder, and raw rows of a decoder."""

import keras
import numpy as np
import pytest
import samples

import tfvae
from pipelines import train
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.exporters import endpoints, published
from tfvae.exporters.base import Exporter
from tfvae.exporters.fresh import Fresh

PLACE = samples.folder()

SOURCES = {
    "arrays": f"arrays(path='{PLACE}/colour.h5', key='pictures/x')",
    "digits": "digits",
    "idx": f"idx(path='{PLACE}/idx')",
    "images": f"images(path='{PLACE}/photos', size=(6, 5))",
    "mnist": "mnist(binarize='none', limit=60)",
    "synthetic": "synthetic(kind='moons', num=100)",
    "table": f"table(path='{PLACE}/people.csv')",
    "tfds": f"tfds(name='tiny', data_dir='{PLACE}')",
    "tfrecord": f"tfrecord(pattern='{PLACE}/x-*.tfrecord', features={{'x': 'uint8[6,5,1]'}})",
}


def test_no_source_is_missing():
    assert set(SOURCES) == set(components.members("datasets"))


def trained(dataset, network="mlp(hidden=(8,))"):
    """Returns a model after one epoch."""
    vae = tfvae.VAE(
        dataset.event_shape,
        2,
        network=network,
        likelihood="normal",
        transform=dataset.transform,
    )
    vae.compile(keras.optimizers.Adam(), run_eagerly=True)  # quicker for a few steps
    size = min(120, dataset.num_examples("train"))
    steps = dataset.steps_per_epoch(size)
    vae.fit(dataset.training(size), steps_per_epoch=steps, shuffle=False, verbose=0)
    return vae


@pytest.fixture(scope="module")
def process():
    """One process that converts for all tests: each of its own would import TensorFlow anew."""
    with Fresh("tensorflow") as process:
        yield process


def lowered(vae, directory, process, part):
    """Returns a part of a model as LiteRT, opened without TensorFlow."""
    exporter = components.build(Exporter, "litert")
    wanted = {part: endpoints.endpoints(vae, exporter.noise)[part]}
    return exporter.open(exporter.write(wanted, directory, process)[part])


@pytest.mark.parametrize("spec", SOURCES.values(), ids=SOURCES)
def test_a_source_trains_exports_and_is_encoded_by_the_export(spec, process, tmp_path):
    dataset = components.build(Dataset, spec)
    vae = trained(dataset)
    program = lowered(vae, tmp_path, process, "encoder")
    for split in dataset.splits:
        for x in dataset.split(split, 50):
            rows = x if dataset.transform is None else dataset.transform.decode(x, whole=True)
            codes = program.run("encode", {"x": np.asarray(rows)})["mean"]
            # float32 on both sides; a table's rows are standardised anew.
            np.testing.assert_allclose(codes, vae.posterior(x).mean(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("network", "event_shape"),
    [
        ("mlp(hidden=(4,))", (7,)),  # a vector
        ("mlp(hidden=(4,))", (9, 2)),  # a sequence
        ("mlp(hidden=(4,))", (3, 2, 2, 2)),
        ("conv(channels=(2, 2), hidden=4)", (1, 8, 1)),
        ("conv(channels=(2, 2), hidden=4)", (9, 7, 2)),
        ("conv(channels=(2, 2), hidden=4)", (5, 31, 3)),
        ("conv(channels=(2, 2), hidden=4)", (256, 256, 4)),
    ],
)
def test_a_decoder_returns_exactly_the_event_shape(network, event_shape, process, tmp_path):
    x = np.random.default_rng(0).uniform(size=(8, *event_shape)).astype(np.float32)
    dataset = tfvae.FromPython(x)
    assert dataset.event_shape == event_shape
    vae = trained(dataset, network)
    decoder = lowered(vae, tmp_path, process, "decoder")
    mean = decoder.run("decode", {"z": np.zeros([3, 2], np.float32)})["mean"]
    assert mean.shape == (3, *event_shape)
    np.testing.assert_allclose(mean, vae.likelihood(np.zeros([3, 2])).mean(), rtol=1e-3, atol=1e-4)


def test_what_python_code_holds_trains_exports_and_is_encoded_by_the_export(process, tmp_path):
    x = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    vae = trained(tfvae.FromPython(row for row in x))
    codes = lowered(vae, tmp_path, process, "encoder").run("encode", {"x": x})["mean"]
    np.testing.assert_allclose(codes, vae.posterior(x).mean(), rtol=1e-3, atol=1e-4)


def test_the_decoder_of_a_table_returns_plausible_raw_rows(tmp_path):
    samples.write_table(tmp_path / "people.csv", 400)
    dataset = components.build(Dataset, f"table(path='{tmp_path}/people.csv')")
    vae = trained(dataset)
    vae.save(tmp_path / "model.keras")
    vae = keras.models.load_model(tmp_path / "model.keras")
    publication = tfvae.export(vae, tmp_path / "exported")  # proven in both formats
    program = published.open_part(publication.paths["litert", "decoder"], "litert")
    eps = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    age, height, city, member = program.run("generate", {"eps": eps})["mean"].T
    # Means of p(x|z) of a barely trained model lie near the mean of the data: 18 to 79, 1.2 to 2.
    assert np.all((age > 0) & (age < 100))
    assert np.all((height > 1) & (height < 2.5))
    assert set(city) <= {0, 1, 2}
    assert set(member) <= {0, 1}
    stddev = program.run("decode", {"z": eps})["stddev"]
    assert 3 < np.median(stddev[:, 0]) < 60  # years
    assert np.all(stddev[:, 2:] == 0)


def test_a_folder_of_photographs_trains_with_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    samples.write_photos(tmp_path / "photos", 24)
    train.main(
        [
            "--dataset", "images(path='photos', size=12)", "--likelihood", "normal",
            "--network", "conv(channels=(4, 4), hidden=8)", "--latent-size", "2",
            "--epochs", "1", "--batch-size", "10", "--no-export",
        ]
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "photos: 1 unreadable, left out: photos/b/13.jpg (" in said
    assert (tmp_path / "runs" / "images-1" / "model.keras").is_file()
