"""TFRecord shards: every form of a feature, and what is wrong is named by its record."""

import numpy as np
import pytest
import samples
import tensorflow as tf
from sources import build, everything, refused, rows

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


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("{'z': 'uint8[6,5,1]'}", "Record 0 of x.tfrecord is not as `features` says: "),
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
    message = refused("tfrecord(pattern='x-*.tfrecord', features={'x': 'uint8[6,5,1]'})")
    assert message.startswith("The data file x-1.tfrecord is damaged: ")


def test_what_is_no_record_is_refused(place):
    (place / "x.tfrecord").write_bytes(b"no record, and longer than a header" * 9)
    spec = "tfrecord(pattern='x.tfrecord', features={'x': 'uint8[6,5,1]'}"
    assert "The data file x.tfrecord is damaged" in refused(f"{spec})")
    assert "`compression` is 'gzip', 'zlib', 'none'" in refused(f"{spec}, compression='zip')")
    (place / "x.tfrecord").write_bytes(b"")
    assert "The records x.tfrecord holds no example" in refused(f"{spec})")
    message = refused("tfrecord(pattern='y*', features={'x': 'uint8[1]'})", FileNotFoundError)
    assert message.startswith("`pattern` matches no file: 'y*'")
