"""Data from Python: each form gives the same examples, under the contract of every data set."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae.datasets.python import FromPython

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = np.arange(60) % 5


@pytest.mark.parametrize(
    ("data", "batched"),
    [
        (lambda: X, False),
        (lambda: tf.constant(X), False),
        (lambda: list(X), False),
        (lambda: (row for row in X), False),
        (lambda: lambda: (row for row in X), False),
        (lambda: tf.data.Dataset.from_tensor_slices(X), False),
        (lambda: tf.data.Dataset.from_tensor_slices(X).batch(7), True),
        (lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(7), True),
        (lambda: iter(np.split(X, 6)), True),
    ],
)
@pytest.mark.parametrize("on_disk", [False, True])
def test_each_form_gives_the_same_data_set(data, batched, on_disk, tmp_path):
    expected = FromPython(X)
    dataset = FromPython(data(), None, batched, tmp_path if on_disk else None)
    assert dataset.fingerprint() == expected.fingerprint()
    assert dataset.splits == expected.splits


def test_a_cache_holds_what_is_equal_once(tmp_path):
    for _ in range(2):
        FromPython((row for row in X), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    FromPython((row + 1 for row in X), cache=tmp_path)
    FromPython(zip(X, Y, strict=True), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(ValueError, match="one shape and dtype"):
        FromPython(iter([*X, X[0, :2]]), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_labels_come_with_an_array_or_in_pairs():
    expected = FromPython(X, Y)
    for dataset in (
        FromPython(zip(X, Y, strict=True)),
        FromPython(tf.data.Dataset.from_tensor_slices((X, Y))),
        FromPython(tf.data.Dataset.from_tensor_slices((X, Y)).batch(8), None, True),
    ):
        for split in expected.splits:
            np.testing.assert_array_equal(dataset.labels(split), expected.labels(split))


def test_splits_can_be_given():
    dataset = FromPython({"train": X[:40], "test": iter(X[40:])}, {"train": Y[:40]}, validation=5)
    assert [dataset.num_examples(s) for s in dataset.splits] == [35, 5, 20]
    np.testing.assert_array_equal(np.concatenate(list(dataset.split("test", 9))), X[40:])
    assert dataset.labels("test") is None


@pytest.mark.parametrize("form", [np.asarray, list])
def test_missing_values_are_counted(form):
    holes = np.where(X > 2, np.float32("nan"), X)
    num = np.isnan(holes).sum()
    assert num
    dataset = FromPython({"train": form(holes), "test": form(X[:5] + 9)}, missing="mask")
    assert dataset.masks_missing
    said = [note for note in dataset.notes if "missing" in note]
    assert said == [
        f"The train data: {num} values are missing and left out by the likelihood.",
        "The test data: 0 values are missing and left out by the likelihood.",
    ]


def test_a_model_trains_on_it():
    dataset = tfvae.FromPython(X)
    vae = tfvae.VAE(dataset.event_shape, 2, network="mlp(hidden=(4,))", likelihood="normal")
    vae.compile(keras.optimizers.Adam(), run_eagerly=True)  # quicker for a few steps
    steps = dataset.steps_per_epoch(16)
    history = vae.fit(
        dataset.training(16),
        steps_per_epoch=steps,
        validation_data=dataset.split("validation", 16),
        shuffle=False,
        verbose=0,
    )
    assert np.isfinite(history.history["val_loss"]).all()


@pytest.mark.parametrize(
    ("data", "kwargs", "message"),
    [
        ([], {}, "The data holds no example. Point it at data that has some."),
        (X[:1], {}, "The data has 1 example, and 1 for test"),
        ([X[0], X[0, :2]], {}, "begins with (3,) float32 and has (2,) float32 in example 1."),
        ([X[0], X[1].astype(int)], {}, "has (3,) int64 in example 1. Bring them to one form."),
        (["a", "b"], {}, "The data, example 0, holds text, and examples are numbers"),
        ([(X[0], 1, 2)], {}, "Received a tuple of 3 in example 0. Drop the rest"),
        (Y, {}, "one number an example, which are labels rather than examples"),
        (X * np.inf, {}, "NaN, infinite or beyond float32: example 0, example 1"),
        (X * 0, {}, "The data is constant: every value is 0"),
        (tf.data.Dataset.range(3).repeat(), {}, "without end. Leave out its `.repeat()`"),
        (3, {}, "`tf.data.Dataset`, an iterable, a function that returns one"),
        ({"training": X}, {}, "A dict of data has the keys 'train' and"),
        ({"train": X}, {"labels": {"test": Y}}, "labels of 'test', and data of 'train'. Name both"),
        ({"train": X, "test": X[:, :2]}, {}, "The test data has (2,) float32"),
        (X, {"labels": Y[:3]}, "The data has 60 examples, and its labels have the shape (3,)"),
        (list(X), {"labels": Y}, "let it yield pairs (example, label)"),
        (X, {"labels": Y / 2}, "whole numbers, the numbers of classes. The data has labels that"),
        (
            zip(X, Y / 2, strict=True),
            {},
            "The data, example 0, has labels that are values of type float64",
        ),
        ([(X[0], 1), X[1]], {}, "begins with labels, and example 1 has no label. Give each one"),
        ([X[0], (X[1], 1)], {}, "begins without, and example 1 has a label. Give each one"),
        ([(X[0], Y)], {}, "has labels of the shape (60,) in example 0, which are single numbers"),
        ([[1.0, [2.0]]], {}, "The data has lists of different lengths in example 0."),
        ([1.0, 2.0], {"batched": True}, "Received a single number in batch 0. Leave `batched`"),
        (X * np.nan, {"missing": "mask"}, "has examples without any value: example 0"),
        (X, {"binarize": "static"}, "`binarize='static'` reads values as probabilities"),
    ],
)
def test_what_can_t_be_learnt_from_is_refused(data, kwargs, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        FromPython(data, **kwargs)
    assert message in str(caught.value)
