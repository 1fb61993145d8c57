"""Finding and reading prepared sets of TensorFlow Datasets, without asking the network first."""

import collections
import importlib
import os
import pathlib
import re
import socket
import warnings

import numpy as np

from tfvae.datasets import extras, files, pictures

_BLOCK = 256
_HOST, _PATIENCE = ("storage.googleapis.com", 443), 3.0  # seconds
_SPLITS = ("train", "validation", "test")


def find(name, data_dir, download, module):
    """Returns the builder of a set.

    Args:
        name: Name with config and version, or the folder of a prepared version.
        data_dir: Folder, or None for the usual one.
        download: Whether a set that is not there is downloaded.
        module: Module that defines the builder, or None.

    Raises:
        OSError: If it is not prepared and can't be.
    """
    tfds = load()
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"`name` is the name of a set, such as 'mnist', or the folder of a prepared version. "
            f"Received {name!r}."
        )
    itself = pathlib.Path(name).expanduser()
    if (itself / "dataset_info.json").is_file():
        return _open(tfds, itself)
    usual = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    home = pathlib.Path(usual if data_dir is None else data_dir).expanduser()
    folder = _newest(home, name)
    if folder is not None:
        return _open(tfds, folder)
    if not download:
        raise FileNotFoundError(_not_prepared(name, home))
    return _download(tfds, name, home, module)


def load():
    """Imports TensorFlow Datasets, whose warnings are not for those who read ours.

    Raises:
        OSError: If it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return extras.load("tensorflow_datasets", "tfds")


def features(builder, key, label):
    """Returns the names of the features to read: of the examples, and of their labels or None.

    Raises:
        ValueError: If there is no such feature, or it isn't clear which one is meant.
    """
    known = {name: _what(feature) for name, feature in sorted(_features(builder).items())}
    listed = ", ".join(f"{name} ({what})" for name, what in known.items())
    arrays = [name for name, what in known.items() if what in ("picture", "array")]
    if key is None:
        chosen = [name for name in arrays if known[name] == "picture"] or arrays
        if len(chosen) != 1:
            raise ValueError(
                f"`key` names the feature of {builder.info.full_name} to learn: {listed}. None "
                f"takes the only picture or array. Write `key={(chosen or list(known))[0]!r}`."
            )
        (key,) = chosen
    if key not in arrays:
        raise ValueError(
            f"`key` names a picture or an array of numbers of {builder.info.full_name}, which has "
            f"{listed}. Received {key!r}."
        )
    if label is None:
        return key, "label" if known.get("label") == "label" else None
    if known.get(label) != "label":
        raise ValueError(
            f"`label` names a feature of one int of {builder.info.full_name}, which has {listed}. "
            f"Received {label!r}."
        )
    return key, label


def splits(builder):
    """Returns the splits to read by our names, and a note on those that are left out."""
    have = list(builder.info.splits)
    if "train" not in have and len(have) == 1:
        return {"train": have[0]}, None
    if "train" not in have:
        raise ValueError(
            f"{builder.info.full_name} has no split `train`; it has {', '.join(have)}."
        )
    others = [name for name in have if name not in _SPLITS]
    note = f"{builder.info.full_name}: left out: {', '.join(others)}." if others else None
    return {name: name for name in _SPLITS if name in have}, note


def files_of(builder):
    """Returns the files of a prepared set, in one order."""
    return sorted(path for path in pathlib.Path(builder.data_dir).iterdir() if path.is_file())


class Reader:
    """Reads one feature of a set, with its labels.

    Args:
        builder: Of `find`.
        key: Name of the feature.
        label: Name of the feature of labels, or None.
        size: (height, width) to fit pictures to, or None.
        channels: Of fitted pictures.
        title: Names the set in messages.
    """

    def __init__(self, builder, key, label, size, channels, title):
        self._builder, self._key, self._label = builder, key, label
        self._size, self._channels, self._title = size, channels, title
        self._done: collections.Counter = collections.Counter()
        self._shape = None

    def read(self, split):
        """Yields blocks of examples of one shape, and of their labels, of a split."""
        import tensorflow as tf

        data = self._builder.as_dataset(split=split, shuffle_files=False)
        data = data.map(lambda row: (row[self._key], row[self._label] if self._label else 0))
        block, tags = [], []
        try:
            for index, (x, tag) in enumerate(data.as_numpy_iterator()):
                block.append(self._checked(x, index, split))
                tags.append(tag)
                if len(block) == _BLOCK:
                    yield np.stack(block), np.array(tags)
                    block, tags = [], []
        except tf.errors.OpError as error:
            raise ValueError(files.damaged(self._builder.data_dir, error.message)) from error
        if block:
            yield np.stack(block), np.array(tags)

    def done(self):
        """Returns notes on what was done to pictures."""
        return [f"{self._title}: {n:,} pictures: {what}." for what, n in sorted(self._done.items())]

    def _checked(self, x, index, split):
        if self._size is not None:
            x, done = pictures.fit(x, self._size, self._channels)
            self._done.update(done)
        self._shape = x.shape if self._shape is None else self._shape
        if x.shape != self._shape:
            remedy = "Give them one, as in `size=64`." if x.ndim == 3 else "Choose another `key`."
            raise ValueError(
                f"Examples are of one shape. `{self._key}` of {self._title} has {self._shape}, and "
                f"{x.shape} in example {index} of {split}. {remedy}"
            )
        return x[np.newaxis] if x.ndim == 0 else x


def _features(builder):
    found = builder.info.features
    return dict(found) if hasattr(found, "items") else {}


def _what(feature):
    """Returns what a feature is, in a word."""
    kind = type(feature).__name__
    dtype = np.dtype(getattr(feature, "np_dtype", object) or object)
    if kind == "Image":
        return "picture"
    if kind == "ClassLabel" or (feature.shape == () and dtype.kind in "iu"):
        return "label"
    return "array" if kind in ("Tensor", "Scalar") and dtype.kind in "biuf" else kind


def _newest(home, name):
    """Returns the folder of the newest prepared version of a set, or None."""
    parts = [part for part in re.split("[/:]", name) if part]
    folders = [path.parent for path in home.joinpath(*parts).glob("**/dataset_info.json")]
    folders = [path for path in folders if "incomplete" not in str(path.relative_to(home))]
    return max(folders, key=lambda path: (len(path.parts) == 0, _version(path)), default=None)


def _version(path):
    return [int(number) for number in re.findall(r"\d+", path.name)]


def _open(tfds, folder):
    try:
        return tfds.builder_from_directory(str(folder))
    except Exception as error:  # whatever it is, the folder can't be read
        raise ValueError(files.damaged(folder, error)) from error


def _download(tfds, name, home, module):
    if module is not None:
        importlib.import_module(module)
    else:
        _check_network(name, home)
    try:
        builder = tfds.builder(name, data_dir=str(home))
        builder.download_and_prepare()
    except Exception as error:  # whatever it is, there is no set
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise OSError(
            f"The set {name!r} could not be prepared: {reason}. {_elsewhere(name, home)}"
        ) from error
    return builder


def _check_network(name, home):
    """Says in seconds that there is no network, which the library says after minutes."""
    try:
        socket.create_connection(_HOST, _PATIENCE).close()
    except OSError as error:
        raise OSError(
            f"The set {name!r} is not prepared in {home}, and there is no network to download it "
            f"({error}). {_elsewhere(name, home)}"
        ) from error


def _not_prepared(name, home):
    there = sorted({p.parts[len(home.parts)] for p in home.glob("*/**/dataset_info.json")})
    have = f"it holds {', '.join(there)}" if there else "it holds no prepared set"
    return (
        f"The set {name!r} is not prepared in {home}; {have}. Download it with `download=True`. "
        f"{_elsewhere(name, home)}"
    )


def _elsewhere(name, home):
    return (
        f'Or prepare it on another machine, `python -c "import tensorflow_datasets as tfds; '
        f"tfds.builder('{name}', data_dir='tfds').download_and_prepare()\"`, copy its folder tfds "
        f"here, and write `data_dir='tfds'`."
    )
