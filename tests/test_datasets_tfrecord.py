"""TFRecord shards: every form of a feature, and what is wrong is named by its record."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import samples
import tensorflow as tf
from sources import build, everything, examples, refused, rows

from tfvae.datasets import gathering, records

PICTURES = samples.pictures(30)[..., None]


def png(picture):
    return tf.io.encode_png(picture).numpy()


@pytest.mark.parametrize("compression", ["", "GZIP", "ZLIB"])
def test_shards_are_read_whatever_their_compression(compression, place):
    samples.write_records("x-0.tfrecord", [{"x": p.tobytes()} for p in PICTURES[:9]], compression)
    samples.write_records("x-1.tfrecord", [{"x": p.tobytes()} for p in PICTURES[9:]], compression)
    dataset = build("tfrecord(pattern='x-*.tfrecord', features={'x': 'uint8[6,5,1]'})")
    assert rows(everything(dataset)) == rows(PICTURES.astype(np.float32) / np.float32(255))
    assert dataset.notes == ("The records x-*.tfrecord: uint8 values were divided by 255.",)
    assert dataset.labels("train") is None


def test_each_form_of_a_feature_is_read(place):
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    samples.write_records(
        "x.tfrecord",
        [
            {
                "p": png(p),
                "f": row.tolist(),
                "b": row.astype(np.float16).tobytes(),
                "i": [i],
                "j": [i, 2 * i],
            }
            for i, (p, row) in enumerate(zip(PICTURES, x, strict=True))
        ],
    )
    spec = "tfrecord(pattern='x.tfrecord', label='i', features={})"
    for features, expected in (
        ({"p": "image[6,5,1]"}, PICTURES.astype(np.float32) / np.float32(255)),
        ({"f": "float32[4]"}, x),
        ({"b": "float16[4]"}, x.astype(np.float16)),
        ({"j": "int64[2]"}, np.arange(30)[:, None] * [1, 2]),
        ({"j": "int64[2]", "i": "int64[1]"}, np.arange(30)[:, None] * [1, 2, 1]),
    ):
        if "i" in features:
            dataset = build(f"tfrecord(pattern='x.tfrecord', features={features})")
        else:
            dataset = build(spec.format(features))
            labels = np.concatenate([dataset.labels(s) for s in dataset.splits])
            assert rows(expected[labels]) == rows(everything(dataset))
        assert dataset.event_shape == expected.shape[1:]
        if "b" not in features:
            assert rows(everything(dataset)) == rows(expected)


def test_a_cache_gives_the_same_and_is_found_again(place):
    samples.write_records("x.tfrecord", [{"x": p.tobytes(), "y": [3]} for p in PICTURES])
    spec = "tfrecord(pattern='x.tfrecord', features={'x': 'uint8[6,5,1]'}, label='y'"
    memory, disk = build(f"{spec})"), build(f"{spec}, cache='kept')")
    assert disk.fingerprint() == memory.fingerprint()
    assert build(f"{spec}, cache='kept')").notes == memory.notes
    assert set(disk.labels("train")) == {3}


SHARDS = "tfrecord(pattern='x-*.tfrecord', features={'x': 'uint8[6,5,1]'}, label='y'"


@pytest.fixture
def shards(place):
    """Writes 103 records in five shards, some of them compressed."""
    records = [{"x": p.tobytes(), "y": [i]} for i, p in enumerate(samples.pictures(103))]
    for shard in range(5):
        kind = "GZIP" if shard % 2 else ""
        samples.write_records(f"x-{shard}.tfrecord", records[shard::5], kind)
    return place


def test_a_stream_has_the_splits_and_labels_of_what_is_kept(shards):
    kept, stream = build(f"{SHARDS})"), build(f"{SHARDS}, stream=True)")
    assert stream.notes == kept.notes
    assert stream.value_range() == kept.value_range()
    assert stream.num_copies() == kept.num_copies()
    for split in kept.splits:
        pairs = [
            sorted(zip(examples(d.split(split, 9)).tolist(), d.labels(split), strict=True))
            for d in (kept, stream)
        ]
        assert pairs[0] == pairs[1]


def test_a_stream_goes_on_at_any_step_as_if_it_had_not_stopped(shards):
    dataset = build(f"{SHARDS}, stream=True, buffer=16)")
    steps = dataset.steps_per_epoch(7)
    whole = [b for block in dataset.blocks(7, 4, 3).take(9) for b in block.numpy()]
    assert len(whole) > 2 * steps
    for epoch in range(2):
        found = np.concatenate(whole[epoch * steps : (epoch + 1) * steps])
        found = dataset.prepare(found, None).numpy()
        assert rows(found) == rows(examples(dataset.split("train", 9)))
    for start in (1, 6, steps - 1, steps + 4):
        sizes = dataset.block_steps(7, 4, start % steps)
        blocks = list(dataset.blocks(7, 4, 3, start).take(len(sizes)).as_numpy_iterator())
        assert [len(block) for block in blocks] == sizes
        for batch, expected in zip(
            (b for block in blocks for b in block), whole[start:], strict=False
        ):
            np.testing.assert_array_equal(batch, expected)


def test_a_stream_with_a_small_buffer_still_mixes_the_shards(shards):
    dataset = build(f"{SHARDS}, stream=True, buffer=16, test=0)")
    x = examples(dataset.training(7, seed=1).take(3))
    place = {p.tobytes(): i for i, p in enumerate(samples.pictures(103))}
    numbers = [place[np.rint(255 * row).astype(np.uint8).tobytes()] for row in x]
    # The first 21 of 93 come from all five shards, and not in the order of any.
    assert {number % 5 for number in numbers} == set(range(5))
    assert np.corrcoef(numbers, range(21))[0, 1] < 0.9


def test_what_was_found_out_about_a_stream_is_found_again(shards, monkeypatch):
    spec = f"{SHARDS}, stream=True, cache='kept')"
    first = build(spec)
    monkeypatch.setattr(records.Reader, "blocks", None)  # so that nothing is looked at again
    again = build(spec)
    assert again.fingerprint() == first.fingerprint()
    np.testing.assert_array_equal(
        examples(again.split("test", 5)), examples(first.split("test", 5))
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("stream=1", "`stream` is True or False. Received 1."),
        ("stream=True, buffer=0", "`buffer` is a positive int, or None for 64 MB. Received 0."),
        ("buffer=5", "without `stream=True`: add it, or leave `buffer` out"),
    ],
)
def test_options_of_a_stream_that_are_out_of_range_are_refused(options, message, shards):
    assert message in refused(f"{SHARDS}, {options})")


def test_what_does_not_fit_into_memory_can_be_streamed(shards, monkeypatch):
    monkeypatch.setattr(gathering.memory, "total", lambda: 10_000)  # for 30 bytes a record
    assert "Or read it anew each epoch: `stream=True`." in refused(f"{SHARDS})")
    assert build(f"{SHARDS}, stream=True)").num_examples("train") == 83


@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="reads /proc")
def test_a_stream_fifty_times_larger_than_what_memory_may_grow_by_trains(place):
    num, size, shards = 400, 4096, 50
    x = np.random.default_rng(0).normal(size=(num, 16)).astype(np.float32)
    records = [{"x": row.tolist()} for row in x.repeat(size // 16, axis=1)]
    samples.write_records("x-00.tfrecord", records, "GZIP")
    for shard in range(1, shards):
        (place / f"x-{shard:02}.tfrecord").hardlink_to("x-00.tfrecord")
    program = pathlib.Path(__file__).parent / "programs" / "train_from_shards.py"
    # What is freed goes back to the system at once, so that resident is what is in use.
    allocator = {
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "8192",
        "MALLOC_TRIM_THRESHOLD_": "0",
    }
    run = subprocess.run(
        [sys.executable, program, "x-*.tfrecord", f"{{'x': 'float32[{size}]'}}"],
        env={**os.environ, **allocator, "PYTHONPATH": str(program.parents[2])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    seen, early, late = map(int, run.stdout.split())
    assert seen == 0.9 * num * shards
    assert late - early < num * shards * size * 4 / 50


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("{'z': 'uint8[6,5,1]'}", "not as `features` says: Feature: z (data type: string) is requ"),
        ("{'z': 'uint8[6,5,1]'}", "they hold x (bytes_list), y (int64_list)."),
        ("{'x': 'uint8[6,6,1]'}", "30 bytes where uint8[6, 6, 1] is said"),
        ("{'x': 'float32[30]'}", "Record 0 of x.tfrecord is not as `features` says"),
        ("{'y': 'int64[2]'}", "Record 0 of x.tfrecord is not as `features` says"),
        ("{'p': 'image[6,5,3]'}", "a picture of the shape (6, 5, 1) where (6, 5, 3) is said"),
        ("{'x': 'image[6,5,1]'}", "Record 0 of x.tfrecord is not as `features` says"),
        ("{'x': 'picture[6,5,1]'}", "`features` is a dict of names to forms"),
        ("{'x': 'image[6,5]'}", "`features` is a dict of names to forms"),
        ("{'x': 'uint8[]'}", "`features` is a dict of names to forms"),
        ("{'x': 3}", "`features` is a dict of names to forms"),
        ("{3: 'uint8[6,5,1]'}", "`features` is a dict of names to forms"),
        ("{'x': 'uint8[6,5,1]'}, label=3", "`label` is the name of a feature of one int, or None"),
        ("{'x': 'float32[99999999999999]'}", "An example fits into memory. Received {'x': "),
        ("{}", "`features` is a dict of names to forms"),
        ("{'x': 'uint8[6,5,1]', 'y': 'int64[1]'}", "Several features are joined to one vector"),
    ],
)
def test_features_that_the_records_lack_are_refused(features, message, place):
    samples.write_records(
        "x.tfrecord", [{"x": p.tobytes(), "y": [1], "p": png(p)} for p in PICTURES]
    )
    if "p (" not in message and "they hold" in message:
        message = message.replace("x (bytes_list)", "p (bytes_list), x (bytes_list)")
    assert message in refused(f"tfrecord(pattern='x.tfrecord', features={features})")


@pytest.mark.parametrize(("compression", "cut"), [("", 3), ("", 30), ("GZIP", 3)])
def test_a_damaged_shard_is_named(compression, cut, place):
    records = [{"x": p.tobytes()} for p in PICTURES]
    samples.write_records("x-0.tfrecord", records, compression)
    data = (place / "x-0.tfrecord").read_bytes()
    (place / "x-1.tfrecord").write_bytes(data[: len(data) * 2 // 3 + cut])
    for stream in (False, True):
        spec = "tfrecord(pattern='x-*.tfrecord', features={'x': 'uint8[6,5,1]'}"
        message = refused(f"{spec}, stream={stream})")
        assert message.startswith("The data file x-1.tfrecord is damaged: ")
        assert "{{" not in message  # the names that TensorFlow gives to nodes


def test_what_is_no_record_is_refused(place):
    (place / "x.tfrecord").write_bytes(b"no record, and longer than a header" * 9)
    spec = "tfrecord(pattern='x.tfrecord', features={'x': 'uint8[6,5,1]'}"
    assert "The data file x.tfrecord is damaged" in refused(f"{spec})")
    assert "`compression` is 'gzip', 'zlib', 'none'" in refused(f"{spec}, compression='zip')")
    (place / "x.tfrecord").write_bytes(b"")
    assert "The records x.tfrecord holds no example" in refused(f"{spec})")
    message = refused("tfrecord(pattern='y*', features={'x': 'uint8[1]'})", FileNotFoundError)
    assert message.startswith("`pattern` matches no file: 'y*'")
