"""Every source, from its files to codes of an exported encoder, and raw rows of a decoder."""

import json

import keras
import numpy as np
import pytest
import samples

import tfvae
from pipelines import cli, encode, train
from tfvae import components
from tfvae.datasets import table_files
from tfvae.datasets.base import Dataset
from tfvae.evaluation.report import evaluate
from tfvae.exporters import endpoints
from tfvae.exporters.base import Exporter
from tfvae.exporters.materials import Materials
from tfvae.figures import gallery

PLACE = samples.folder()

SOURCES = {
    "arrays": f"arrays(path='{PLACE}/grey.npy', map_file=True)",
    "digits": "digits",
    "idx": f"idx(path='{PLACE}/idx')",
    "images": f"images(path='{PLACE}/photos', size=(6, 5), channels=1)",
    "mnist": "mnist(binarize='none', limit=60)",
    "shapes": "shapes(size=16, scales=2, rotations=2, positions=3)",
    "synthetic": "synthetic(kind='moons', num=100)",
    "table": f"table(path='{PLACE}/people.csv')",
    "tfds": f"tfds(name='tiny', data_dir='{PLACE}')",
    "tfrecord": f"tfrecord(pattern='{PLACE}/x-*.tfrecord', features={{'x': 'uint8[6,5,1]'}})",
}


def test_no_source_is_missing():
    assert set(SOURCES) == set(components.members("datasets"))


def trained(*datasets):
    """Returns a model after one epoch on each of some data sets of one event shape."""
    vae = tfvae.VAE(
        datasets[0].event_shape,
        2,
        network="mlp(hidden=(8,))",
        likelihood="normal",
        transform=datasets[0].transform,
        mask_missing=datasets[0].masks_missing,
    )
    vae.compile(keras.optimizers.Adam(), run_eagerly=True)  # quicker for a few steps
    for dataset in datasets:
        size = min(500, dataset.num_examples("train"))
        steps = dataset.steps_per_epoch(size)
        vae.fit(dataset.training(size), steps_per_epoch=steps, shuffle=False, verbose=0)
    return vae


@pytest.fixture(scope="module")
def process(tensorflow_process):
    return tensorflow_process


def written(vae, directory, process, part, signature):
    """Returns the path of a part of a model as LiteRT with one signature."""
    exporter = components.build(Exporter, "litert")
    listed = endpoints.endpoints(vae, exporter.noise)[part]
    wanted = {part: tuple(endpoint for endpoint in listed if endpoint.name == signature)}
    return exporter.write(wanted, directory, Materials(vae, process))[part]


def opened(path):
    """Returns what was written, opened without TensorFlow."""
    return components.build(Exporter, "litert").open(path)


def lowered(*arguments):
    """Returns what `written` writes, opened."""
    return opened(written(*arguments))


@pytest.fixture(scope="module")
def groups(process, tmp_path_factory):
    """Name of a source -> its data set, a model that has been trained on it, and its encoder.

    Sources of one event shape train one model in turn, since an export takes a second.
    """
    grouped: dict = {}
    sources = {name: components.build(Dataset, spec) for name, spec in SOURCES.items()}
    x = np.random.default_rng(0).uniform(size=(80, 6, 5, 1)).astype(np.float32)
    sources["python"] = tfvae.FromPython(row for row in x)
    for name, dataset in sources.items():
        grouped.setdefault(dataset.event_shape, {})[name] = dataset
    found = {}
    for datasets in grouped.values():
        vae = trained(*datasets.values())
        path = written(vae, tmp_path_factory.mktemp("encoder"), process, "encoder", "encode")
        found |= {name: (dataset, vae, path) for name, dataset in datasets.items()}
    return found


@pytest.mark.parametrize("name", [*SOURCES, "python"])
def test_a_source_trains_exports_and_is_encoded_by_the_export(name, groups):
    dataset, vae, path = groups[name]
    program = opened(path)
    for split in dataset.splits:
        for x in dataset.split(split, 500):
            rows = x if dataset.transform is None else dataset.transform.decode(x, whole=True)
            codes = program.run("encode", {"x": np.asarray(rows)})["mean"]
            # float32 on both sides; a table's rows are standardised anew.
            np.testing.assert_allclose(codes, vae.posterior(x).mean(), rtol=1e-3, atol=1e-4)


def test_the_program_encodes_a_table_row_by_row_as_it_came(groups, tmp_path):
    dataset, vae, path = groups["table"]
    codes = []
    for split in dataset.splits:
        output = tmp_path / f"{split}.npz"
        arguments = ["--dataset", SOURCES["table"], "--split", split, "--output", str(output)]
        encode.main([str(path), *arguments])
        codes.append(np.load(output)["mean"])
        (x,) = dataset.split(split, 500)
        np.testing.assert_allclose(codes[-1], vae.posterior(x).mean(), rtol=1e-3, atol=1e-4)
    # The encoder takes what stands in the file: the same codes, in the order of the file.
    rows = table_files.read([PLACE / "people.csv"], None).rows
    assert set(rows[:, 0]) <= set(range(18, 80))
    of_file = opened(path).run("encode", {"x": rows})["mean"]
    found = np.concatenate(codes)
    assert found.shape == of_file.shape
    distances = np.abs(found[:, None] - of_file[None]).max(axis=-1)
    assert distances.min(axis=0).max() < 1e-3
    assert np.std(of_file, axis=0).min() > 1e-2  # so that this says something


def test_the_program_encodes_another_table_by_the_codes_of_the_release(groups, tmp_path, capsys):
    dataset, vae, path = groups["table"]
    encoder = tmp_path / "people" / "litert" / "3" / "encoder.tflite"
    encoder.parent.mkdir(parents=True)
    encoder.write_bytes(path.read_bytes())
    lines = (PLACE / "people.csv").read_text().splitlines()
    other, output = tmp_path / "other.csv", tmp_path / "codes.npz"
    other.write_text("\n".join(line for line in lines if "Oslo" not in line))  # Rome has its code
    spec = f"table(path='{other}')"
    arguments = ["--dataset", spec, "--split", "train", "--output", str(output), "--overwrite"]
    encode.main([str(encoder), *arguments])
    assert "columns and the codes of categories are taken to be those of" in capsys.readouterr().out
    wrong = np.load(output)["mean"]
    release = tmp_path / "people" / "releases" / "3"
    release.mkdir(parents=True)
    told = {"version": 3, "model": {"columns": dataset.transform.columns}}
    (release / "manifest.json").write_text(json.dumps(told))
    encode.main([str(encoder), *arguments])
    assert "are taken to be" not in capsys.readouterr().out
    found = components.build(Dataset, spec)
    found.adopt(dataset.transform)
    (x,) = found.split("train", 500)
    # float32 on both sides; the rows are standardised anew.
    np.testing.assert_allclose(
        np.load(output)["mean"], vae.posterior(x).mean(), rtol=1e-3, atol=1e-4
    )
    assert np.abs(np.load(output)["mean"] - wrong).max() > 1e-2
    other.write_text("\n".join([*lines, "30,1.7,Paris,true"]))
    with pytest.raises(cli.UsageError, match="Received 'Paris' too"):
        encode.main([str(encoder), *arguments])


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
    dataset = tfvae.FromPython(np.random.default_rng(0).uniform(size=(8, *event_shape)))
    assert dataset.event_shape == event_shape
    vae = tfvae.VAE(dataset.event_shape, 2, network=network, likelihood="normal")
    assert vae.elbo(next(iter(dataset.split("train", 2)))).shape == (2,)
    decoder = lowered(vae, tmp_path, process, "decoder", "decode")
    z = np.random.default_rng(1).normal(size=(3, 2)).astype(np.float32)
    mean = decoder.run("decode", {"z": z})["mean"]
    assert mean.shape == (3, *event_shape)
    # float32 on both sides, sums in other orders.
    np.testing.assert_allclose(mean, vae.likelihood(z).mean(), rtol=1e-3, atol=1e-4)


def test_the_decoder_of_a_table_returns_plausible_raw_rows(process, tmp_path):
    samples.write_table(tmp_path / "people.csv", 400)
    dataset = components.build(Dataset, f"table(path='{tmp_path}/people.csv')")
    vae = trained(dataset)
    vae.save(tmp_path / "model.keras")
    vae = keras.models.load_model(tmp_path / "model.keras")
    program = lowered(vae, tmp_path, process, "decoder", "decode")
    z = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    found = program.run("decode", {"z": z})
    age, height, city, member = found["mean"].T
    # Means of p(x|z) of a barely trained model lie near the mean of the data: 18 to 79, 1.2 to 2.
    assert np.all((age > 0) & (age < 100))
    assert np.all((height > 1) & (height < 2.5))
    assert set(city) <= {0, 1, 2}
    assert set(member) <= {0, 1}
    stddev = found["stddev"]
    assert 3 < np.median(stddev[:, 0]) < 60  # years
    assert np.all(stddev[:, 2:] == 0)


def test_a_table_with_holes_trains_is_evaluated_drawn_and_encoded_row_by_row(process, tmp_path):
    path = PLACE / "holes.csv"
    dataset = components.build(Dataset, f"table(path='{path}', missing='mask')")
    vae = trained(dataset)
    report = evaluate(vae, dataset, "test", num_samples=3)
    assert np.isfinite([report["elbo"], report["log_likelihood"]]).all()
    assert "reconstructions" in gallery.render_all(vae, dataset, 0)
    rows = table_files.read([path], None, masks_missing=True).rows
    assert 0 < np.isnan(rows).sum() < rows.size / 3
    program = lowered(vae, tmp_path / "encoder", process, "encoder", "encode")
    codes = program.run("encode", {"x": rows})["mean"]
    expected = vae.posterior(dataset.transform.encode(rows)).mean()
    np.testing.assert_allclose(codes, expected, rtol=1e-3, atol=1e-4)
    other = program.run("encode", {"x": np.nan_to_num(rows)})["mean"]  # 0 is no mean, and a code
    assert (np.abs(other - codes).max(axis=1) > 1e-3)[np.isnan(rows).any(axis=1)].all()
    # The decoder says what it believes of everything, missing or not.
    assert np.isfinite(dataset.transform.decode(vae(dataset.transform.encode(rows)))).all()


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
