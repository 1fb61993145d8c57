"""Finding and reading prepared sets of TensorFlow Datasets, without asking the network first."""

import collections
import contextlib
import importlib
import os
import pathlib
import re
import warnings

import numpy as np

from tfvae.datasets import downloads, extras, files, pictures
from tfvae.datasets.features import at

_BLOCK = 256
_NAME = re.compile(r"\w[\w.+-]*([/:][\w*][\w.*+=,-]*)*")
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
    _check_texts(data_dir, module)
    if type(download) is not bool:
        raise ValueError(f"`download` is True or False. Received {download!r}.")
    itself = pathlib.Path(name).expanduser() if isinstance(name, str) and name else None
    if itself is not None and (itself / "dataset_info.json").is_file():
        return _open(tfds, itself)
    if itself is None or not _NAME.fullmatch(name):
        raise ValueError(
            f"`name` is the name of a set, such as 'mnist', or the folder of a prepared version, "
            f"which holds `dataset_info.json`. Received {name!r}."
        )
    usual = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    home = pathlib.Path(usual if data_dir is None else data_dir).expanduser()
    files.check_readable(home, "data_dir")
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
        data = data.map(lambda row: (at(row, self._key), at(row, self._label, 0)))
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


def _newest(home, name):
    """Returns the folder of the newest prepared version of a set, or None."""
    parts = re.split("[/:]", name)
    folders = [path.parent for path in home.joinpath(*parts).glob("**/dataset_info.json")]
    folders = [path for path in folders if "incomplete" not in str(path.relative_to(home))]
    configs = sorted({str(path.parent.relative_to(home)) for path in folders})
    if len(configs) > 1:
        raise ValueError(
            f"The set {name!r} is prepared in {home} with {len(configs)} configs. Name one, as in "
            f"{' or '.join(f'`name={config!r}`' for config in configs[:3])}."
        )
    return max(folders, key=_version, default=None)


def _version(path):
    return [int(number) for number in re.findall(r"\d+", path.name)]


def _check_texts(data_dir, module):
    for option, given in (("data_dir", data_dir), ("module", module)):
        if given is not None and (not isinstance(given, str | os.PathLike) or not str(given)):
            raise ValueError(f"`{option}` is a text, or None. Received {given!r}.")


def _open(tfds, folder):
    try:
        return tfds.builder_from_directory(str(folder))
    except Exception as error:  # whatever it is, the folder can't be read
        raise ValueError(files.damaged(folder, error)) from error


def _download(tfds, name, home, module):
    if module is not None:
        _import(module)
    try:
        builder = tfds.builder(name, data_dir=str(home))
        reason = downloads.unreachable(builder.url_infos)
        # Without a network it may have all it needs: fetched before, or made here.
        if reason and builder.url_infos and not _has_downloaded(home, builder.url_infos):
            raise OSError(reason)
        with downloads.at_once() if reason else contextlib.nullcontext():
            builder.download_and_prepare()
    except Exception as error:  # whatever it is, there is no set
        raise OSError(
            f"The set {name!r} is not prepared in {home}, and can't be: "
            f"{downloads.reason_of(error)}. {_elsewhere(name, home)}"
        ) from error
    return builder


def _import(module):
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"`module` is the Python package that defines the builder, and it can't be imported: "
            f"{error}. Received {module!r}. Run from the folder above it, or install it."
        ) from error


def _has_downloaded(home, urls):
    """Says whether the library has kept one of some files, with a note on where it came from."""
    notes = [path.read_text(errors="replace") for path in home.glob("downloads/*.INFO")]
    return any(url in note for url in urls for note in notes)


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
