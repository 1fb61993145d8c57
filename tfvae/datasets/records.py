"""Reading `tf.train.Example` messages, and naming the record in which something is wrong."""

import math
import re

import numpy as np
import tensorflow as tf

from tfvae.datasets import files, memory, values

_BATCH, _BATCH_BYTES = 256, 2**24
_FRAME = 16  # bytes around each message
_FORM = re.compile(r"(?P<kind>[a-z]+[0-9]*)\[(?P<shape>[0-9, ]*)\]")
_COMPRESSION = {"gzip": "GZIP", "zlib": "ZLIB", "none": ""}
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


class Parser:
    """Reads features of serialized messages.

    Args:
        features: Dict of the name of a feature to its form, such as 'image[28,28,1]'.
        label: Name of a feature of one int, or None.

    Attributes:
        dtype: Of the examples.
        num_bytes: Of an example.

    Raises:
        ValueError: If a form can't be read.
    """

    def __init__(self, features, label):
        named = isinstance(features, dict) and all(isinstance(name, str) for name in features)
        if not named or not features:
            raise ValueError(_about_forms(features))
        if label is not None and not isinstance(label, str):
            raise ValueError(
                f"`label` is the name of a feature of one int, or None. Received {label!r}."
            )
        self._forms = {name: _form(form) for name, form in features.items()}
        self._label = label
        kinds = {dtype for dtype, _, _ in self._forms.values()}
        ranks = {len(shape) for _, shape, _ in self._forms.values()}
        if len(self._forms) > 1 and (len(kinds) > 1 or ranks != {1}):
            raise ValueError(
                f"Several features are joined to one vector where all are lists of one dtype, as "
                f"in {{'a': 'float32[3]', 'b': 'float32[1]'}}. Received {features!r}."
            )
        (self.dtype, *_) = kinds
        sizes = (math.prod(shape) for _, shape, _ in self._forms.values())
        self.num_bytes = self.dtype.itemsize * sum(sizes)
        if not memory.fits(self.num_bytes):
            raise ValueError(
                f"An example fits into memory. Received {features!r}, of {self.num_bytes:,} bytes "
                f"each. Correct the forms."
            )
        self._spec = {
            name: tf.io.FixedLenFeature(*_as_stored(form)) for name, form in self._forms.items()
        }
        if label is not None:
            self._spec[label] = tf.io.FixedLenFeature([], tf.int64)

    def __call__(self, serialized):
        """Returns examples and tags of a batch of messages, as NumPy arrays."""
        found = tf.io.parse_example(serialized, self._spec)
        columns = [_decoded(found[name], form) for name, form in self._forms.items()]
        examples = np.concatenate(columns, axis=-1) if len(columns) > 1 else columns[0]
        tags = np.zeros(len(examples)) if self._label is None else found[self._label].numpy()
        return examples, tags.astype(np.int64)


class Reader:
    """Reads files of messages, one after the other.

    Args:
        paths: Of the files.
        parser: A `Parser`.
        compression: 'gzip', 'zlib', 'none', or None to find out.
        scale: What values are divided by; None for the usual one of their dtype.

    Attributes:
        kinds: Compression of each file as TensorFlow names it.
    """

    def __init__(self, paths, parser, compression, scale):
        self.paths, self._parser, self._scale = tuple(paths), parser, scale
        self.kinds = tuple(
            _found_compression(path) if compression is None else _COMPRESSION[compression]
            for path in paths
        )

    def decode(self, serialized):
        """Returns the stored examples of messages, bytes `[num]`."""
        examples, _ = self._parser(tf.constant(serialized))
        return values.stored(examples, self._scale)

    def blocks(self):
        """Yields blocks of the number of a file, stored examples, tags, and bytes of messages.

        Raises:
            ValueError: If a file is damaged, or a record lacks a feature or has another form.
        """
        for number, (path, kind) in enumerate(zip(self.paths, self.kinds, strict=True)):
            for examples, tags, num_bytes in _read(path, self._parser, kind):
                values.check_whole(examples, str(path))
                yield number, values.stored(examples, self._scale), tags, num_bytes


def _read(path, parser, kind):
    batch_size = max(1, min(_BATCH, _BATCH_BYTES // parser.num_bytes))
    start, size = 0, 0
    try:
        for batch in tf.data.TFRecordDataset(str(path), kind).batch(batch_size):
            num_bytes = sum(_FRAME + len(message) for message in batch.numpy())
            yield *_parsed(batch, parser, path, start), num_bytes
            start += len(batch)
            size += num_bytes
    except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
        where = f"record {start} or one of the {batch_size} after it"
        raise ValueError(files.damaged(path, f"{where}, {error.message}")) from error

    if kind == "" and size != path.stat().st_size:  # which TensorFlow passes over
        raise ValueError(files.damaged(path, f"it ends within the head of record {start}"))


def _parsed(batch, parser, path, start):
    try:
        return parser(batch)
    except (tf.errors.InvalidArgumentError, ValueError):
        for index, message in enumerate(batch):
            try:
                parser(message[tf.newaxis])
            except (tf.errors.InvalidArgumentError, ValueError) as error:
                reason = files.plain(getattr(error, "message", str(error))).split(". ")[-1]
                raise ValueError(
                    f"Record {start + index} of {path} is not as `features` says: {reason}. Give "
                    f"the forms that the records have; they hold {_names(message)}."
                ) from error
        raise


def _form(text):
    """Returns dtype, shape and kind of the text of a form."""
    match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(_about_forms(text))
    kind = match["kind"]
    shape = tuple(int(size) for size in match["shape"].split(",") if size.strip())
    try:
        dtype = np.dtype("uint8" if kind == "image" else kind)
    except TypeError:
        raise ValueError(_about_forms(text)) from None
    if 0 in shape or not shape or dtype.kind not in "biuf" or (kind == "image" and len(shape) != 3):
        raise ValueError(_about_forms(text))
    return dtype, shape, kind


def _as_stored(form):
    """Returns shape and dtype of a feature inside a message."""
    _, shape, kind = form
    return (shape, tf.as_dtype(kind)) if kind in ("float32", "int64") else ((), tf.string)


def _decoded(values, form):
    dtype, shape, kind = form
    if kind in ("float32", "int64"):
        return values.numpy()
    if kind == "image":
        return np.stack([_picture(data, shape) for data in values.numpy()])
    return _arrays(values.numpy(), dtype, shape)


def _picture(data, shape):
    picture = tf.io.decode_image(data, expand_animations=False).numpy()
    if picture.shape != shape or picture.dtype != np.uint8:
        raise ValueError(f"a picture of the shape {picture.shape} where {shape} is said")
    return picture


def _arrays(values, dtype, shape):
    size = math.prod(shape) * dtype.itemsize
    for data in values:
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes where {dtype}{list(shape)} is said")
    return np.frombuffer(b"".join(values), dtype).reshape(-1, *shape)


def _names(message):
    try:
        features = tf.train.Example.FromString(message.numpy()).features.feature
    except Exception:  # protobuf's own errors differ between its implementations
        return "no `tf.train.Example`"
    return ", ".join(f"{name} ({f.WhichOneof('kind')})" for name, f in sorted(features.items()))


def _found_compression(path):
    with path.open("rb") as file:
        start = file.read(2)
    return "GZIP" if start == b"\x1f\x8b" else "ZLIB" if start in _ZLIB else ""


def _about_forms(given):
    return (
        f"`features` is a dict of names to forms: 'image[height,width,channels]' for an encoded "
        f"picture, 'float32[n]' or 'int64[n]' for a list, 'uint8[28,28,1]' for the bytes of an "
        f"array. Received {given!r}."
    )
