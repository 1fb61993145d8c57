"""Inspecting a data set: what is reported is so, and the command it names trains."""

import pathlib
import subprocess

import numpy as np
import pytest
import samples
from PIL import Image

from pipelines import cli, commands, inspect, inspection
from tfvae import components
from tfvae.datasets.base import Dataset


def said(capsys, *arguments):
    """Returns what the program prints."""
    inspect.main([str(argument) for argument in arguments])
    return capsys.readouterr().out


def test_a_report_of_a_folder_of_pictures(place, capsys):
    samples.write_photos(place / "photos", 24)
    spec = "images(path='photos', size=12)"
    text = said(capsys, "--dataset", spec)
    dataset = components.build(Dataset, spec)
    low, high = dataset.value_range()
    for expected in (
        f"spec         {spec}",
        "event shape  (12, 12, 3), float32",
        f"values       {low:.6g} to {high:.6g}",
        dataset.fingerprint(),
        "1 unreadable, left out: photos/b/13.jpg",
        "No example is there twice, and none is in two splits.",
        "no   bernoulli: The likelihood `bernoulli` is defined for values in {0, 1}.",
        "fits normal: ",
        f'python -m pipelines.train --dataset "{spec}" --likelihood normal --network conv',
        "Picture of 19 examples: inspection-images.png",
    ):
        assert expected in text, expected
    with Image.open("inspection-images.png") as picture:
        assert picture.mode == "RGB"


def test_the_histogram_counts_each_value(place, capsys):
    np.save("x.npy", np.arange(40, dtype=np.float32).reshape(20, 2) ** 2)
    text = said(capsys, "--dataset", "arrays(path='x.npy', test=0, validation=1)")
    x = components.build(Dataset, "arrays(path='x.npy', test=0, validation=1)").split("train", 99)
    counts, _ = np.histogram(np.concatenate(list(x)), 10)
    bars = [line for line in text.splitlines() if "#" in line]
    assert [int(line.split()[3]) for line in bars] == [n for n in counts if n]
    assert "--batch-size 19" in text
    with Image.open("inspection-arrays.png") as picture:
        assert picture.size[0] > 100


def test_binary_images_fit_a_bernoulli(place, capsys):
    text = said(capsys, "--dataset", "synthetic(kind='shapes', size=9, binarize='static')")
    assert "fits bernoulli: The Bernoulli" in text or "fits bernoulli: Reads" in text
    assert "--likelihood bernoulli --network conv" in text
    assert "labels 0: " in text


def test_fewer_examples_speak_for_the_values_where_they_are_large(place, capsys, monkeypatch):
    np.save("x.npy", samples.pictures())
    monkeypatch.setattr(inspection, "_MOST_VALUES", 10 * 30 + 29)
    text = said(capsys, "--dataset", "arrays(path='x.npy')")
    assert "values of 10 examples to train on" in text
    assert sum(int(line.split()[3]) for line in text.splitlines() if "#" in line) == 10 * 30
    assert "Picture of 10 examples" in text
    monkeypatch.setattr(inspection, "_MOST_VALUES", 20)
    assert "values of 1 examples to train on" in said(capsys, "--dataset", "arrays(path='x.npy')")


def test_copies_and_constant_elements_are_counted(place, capsys):
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    x[:, 1] = 2
    np.save("x.npy", np.concatenate([x, x[:4]]))
    text = said(capsys, "--dataset", "arrays(path='x.npy')")
    assert "are copies of others in it." in text
    assert "1 elements of the event never vary (1)" in text
    (place / "idx").mkdir()
    pictures = samples.pictures(40)
    (place / "idx" / "train-images-idx3-ubyte").write_bytes(samples.idx(pictures))
    (place / "idx" / "test-images-idx3-ubyte").write_bytes(samples.idx(pictures[:20]))
    text = said(capsys, "--dataset", "idx(path='idx')")
    assert "examples of test are in train too: scores on them are too good." in text


def test_missing_values_are_counted_and_drawn(place, capsys):
    x = np.random.default_rng(0).uniform(size=(40, 8, 8, 1)).astype(np.float32)
    x[:, 2, 3] = np.nan
    np.save("x.npy", x)
    text = said(capsys, "--dataset", "arrays(path='x.npy', missing='mask', test=0)")
    assert "36 values are missing: the likelihood leaves them out" in text
    assert "fits normal: " in text
    assert sum(int(line.split()[3]) for line in text.splitlines() if "#" in line) == 36 * 63
    assert pathlib.Path("inspection-arrays.png").is_file()


def test_the_command_that_is_named_can_be_read(place, capsys):
    text = said(capsys, "--dataset", "synthetic(kind='moons', num=50)")
    line = text.strip().splitlines()[-1].strip()
    words = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {line.removeprefix('python -m pipelines.train')}"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    options = commands.resolve(commands.make_parser().parse_args(words))
    assert options["dataset"] == "synthetic(kind='moons', num=50)"
    assert options["batch_size"] == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "arrays(path='x.npy')", "--output", "x.jpg"], "Write `--output x.png`."),
        (["--dataset", "mnist", "--output", "there.png"], "which exists. Choose another name"),
        (["--dataset", "arays"], "Did you mean `arrays`?"),
        (["--dataset", "digits(validation=2.0)"], "`validation` is a fraction of the examples"),
        ([], "The following arguments are required: --dataset"),
        (
            ["--dataset", "digits", "--max-bad", "3"],
            "Unrecognized arguments: --max-bad 3. `max_bad` is an option of images: write it into "
            "the spec, as in `images(max_bad=...)`. See ",
        ),
        (["--dataset", "digits", "--sice", "3"], "Unrecognized arguments: --sice 3. See "),
    ],
)
def test_what_can_t_be_inspected_is_refused(arguments, message, place):
    (place / "there.png").touch()
    with pytest.raises(cli.UsageError) as caught:
        inspect.main(arguments)
    assert message in str(caught.value)
