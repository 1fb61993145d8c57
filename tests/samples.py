"""Small files of data for the laws: written once, the same each time.

They lie in pytest's cache folder, which git ignores, under a name that changes with this file.
"""

import contextlib
import gzip
import hashlib
import io
import pathlib
import shutil
import struct
import tempfile

import numpy as np
from PIL import Image

_ROOT = pathlib.Path(__file__).parents[1] / ".pytest_cache"
_NUM = 60


def folder():
    """Returns the folder of the files, after writing them if need be."""
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes()).hexdigest()[:12]
    path = _ROOT / f"samples-{digest}"
    if not path.is_dir():
        _ROOT.mkdir(exist_ok=True)
        fresh = pathlib.Path(tempfile.mkdtemp(dir=_ROOT))
        for write in _WRITERS:
            write(fresh)
        try:
            fresh.rename(path)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return path


def idx(array):
    """Returns a uint8 array in the IDX form."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    return header + array.tobytes()


def pictures(num=_NUM, shape=(6, 5)):
    """Returns uint8 images that all differ."""
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (num, *shape), np.uint8)


def _write_arrays(place):
    rng = np.random.default_rng(0)
    np.save(place / "grey.npy", pictures())
    np.savez(place / "both.npz", x=rng.normal(size=(_NUM, 3)), y=np.arange(_NUM) % 4)
    holes = rng.uniform(size=(_NUM, 4))
    np.save(place / "holes.npy", np.where(holes < 0.8, holes, np.nan).astype(np.float32))


def _write_hdf5(place):
    import h5py

    with h5py.File(place / "colour.h5", "w") as file:
        file["pictures/x"] = pictures(shape=(4, 6, 3))
        file["pictures/y"] = np.arange(_NUM) % 3


def _write_idx(place):
    (place / "idx").mkdir()
    for name, num in (("train", _NUM), ("t10k", 20)):
        images = pictures(_NUM + 20)[-num:] if name == "t10k" else pictures(_NUM + 20)[:num]
        labels = (np.arange(num) % 10).astype(np.uint8)
        (place / "idx" / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
        with gzip.open(place / "idx" / f"{name}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(idx(labels))


def write_photos(place, num, corrupt=True):
    """Renders colour photographs of different sizes and kinds of file, one of them cut short."""
    rng = np.random.default_rng(2)
    for number in range(num):
        height, width = rng.integers(20, 40, 2)
        y, x = np.mgrid[:height, :width] / 20
        waves = [np.sin(x * a + y * b + c) for a, b, c in rng.uniform(0, 3, (3, 3))]
        picture = (127 * (1 + np.stack(waves, axis=-1))).astype(np.uint8)
        suffix = (".png", ".jpg", ".webp", ".bmp")[number % 4]
        path = place / "abc"[number % 3] / f"{number:02}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    if corrupt:
        path = place / "b" / "13.jpg"
        path.write_bytes(path.read_bytes()[:300])
        (place / "readme.txt").write_text("photographs")


def write_table(path, num=120, holes=0.0):
    """Writes a CSV file with whole numbers, numbers and two kinds of categories.

    A part of the values, `holes`, is missing, but never the first one of a row.
    """
    rng, missing = np.random.default_rng(3), np.random.default_rng(4)
    lines = ["age,height,city,member"]
    for _ in range(num):
        age = rng.integers(18, 80)
        height = rng.normal(1.4 + age / 200, 0.1)
        city = rng.choice(["Rome", "Bern", "Oslo"])
        row = [f"{height:.2f}", city, "true" if age > 40 else "false"]
        draws = zip(row, missing.random(3), strict=True)
        lines.append(",".join([str(age), *(text if u >= holes else "" for text, u in draws)]))
    path.write_text("\n".join(lines) + "\n")


def write_records(path, records, compression=""):
    """Writes dicts of bytes, lists of ints and lists of floats as `tf.train.Example`."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            features = tf.train.Features(feature={k: _feature(v) for k, v in record.items()})
            writer.write(tf.train.Example(features=features).SerializeToString())


def _feature(value):
    import tensorflow as tf

    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=value))
    return tf.train.Feature(float_list=tf.train.FloatList(value=value))


def _write_shards(place):
    records = [{"x": p.tobytes(), "y": [i % 3]} for i, p in enumerate(pictures())]
    for shard in range(2):
        write_records(place / f"x-{shard}.tfrecord", records[shard::2], "GZIP")


def write_tfds(place):
    """Prepares two sets of TensorFlow Datasets: `tiny`, with pictures, and `rows`, a table."""
    from tfvae.datasets import prepared

    features = prepared.load().features
    _prepare(
        place,
        "tiny",
        {
            "image": features.Image(shape=(6, 5, 1)),
            "label": features.ClassLabel(num_classes=3),
            "v": features.Tensor(shape=(3,), dtype=np.float32),
        },
        lambda begin, end: {
            "image": pictures(80)[begin:end, ..., np.newaxis],
            "label": np.arange(begin, end) % 3,
            "v": np.random.default_rng(begin).normal(size=(end - begin, 3)).astype(np.float32),
        },
    )
    _prepare(
        place,
        "rows",
        {
            "age": np.int32,
            "body": {"height": np.float64, "weight": np.float32},
            "city": features.ClassLabel(names=["Rome", "Bern", "Oslo"]),
            "label": features.ClassLabel(num_classes=2),
            "member": np.bool_,
            "sex": features.Text(),
        },
        tfds_rows,
    )


def tfds_rows(begin, end):
    """Returns the columns of the set `rows`: some weights are NaN, and some cities unknown."""
    n = np.arange(begin, end)
    weight = 60 + n % 17 + 0.25
    return {
        "age": (20 + n % 50).astype(np.int32),
        "body": {"height": 1.5 + n / 300, "weight": np.where(n % 7, weight, np.nan).astype("f4")},
        "city": np.where(n % 5, n % 3, -1),
        "label": n % 2,
        "member": n % 3 == 0,
        "sex": np.where(n % 2, "f", "m"),
    }


def _prepare(place, name, features, data):
    import tensorflow as tf

    from tfvae.datasets import prepared

    tfds = prepared.load()
    splits = {"train": data(0, 60), "test": data(60, 80)}
    nowhere = io.StringIO()  # for its progress bars
    with contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version="1.0.0",
            data_dir=place,
            features=tfds.features.FeaturesDict(features),
            split_datasets={
                split: tf.data.Dataset.from_tensor_slices(columns)
                for split, columns in splits.items()
            },
            disable_shuffling=True,
        )


BUILDER = """
import numpy as np
import tensorflow_datasets as tfds


class Counted(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        vector = tfds.features.Tensor(shape=(4,), dtype=np.float32)
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict({"x": vector}))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for i in range(30):
            yield i, {"x": np.arange(4, dtype=np.float32) * i + i}
"""


def _write_tables(place):
    write_table(place / "people.csv")
    write_table(place / "holes.csv", holes=0.2)


def _write_photos(place):
    write_photos(place / "photos", 24)


_WRITERS = (
    write_tfds,
    _write_shards,
    _write_photos,
    _write_tables,
    _write_arrays,
    _write_hdf5,
    _write_idx,
)
