"""Curves: one record of each epoch, in TensorBoard and as lines of JSON."""

import contextlib
import json
import os
import pathlib
import time

import keras
import tensorflow as tf
from tensorboard.compat.proto import event_pb2

from tfvae.files import write_atomically
from tfvae.training import strategies

_VALIDATION = "val_"


class Curves(keras.callbacks.Callback):
    """Writes the means of each epoch to `train/`, `validation/` and `metrics.jsonl`.

    The same tag names the same quantity in both folders, and the step is the optimizer's
    iterations, so that TensorBoard lays the two curves over each other.

    Args:
        directory: The run directory.
        position: The `Position` that training begins at: what was recorded beyond it, by a run
            that was killed, is dropped.
    """

    def __init__(self, directory, position):
        super().__init__()
        self._directory = pathlib.Path(directory)
        self._path = self._directory / "metrics.jsonl"
        self._position = position
        self._writers = {}

    def __enter__(self):
        records = read_metrics(self._path)
        keep = [record for record in records if record["epoch"] <= self._position.epoch]
        with write_atomically(self._path) as file:
            file.write("".join(json.dumps(record) + "\n" for record in keep).encode())
        for name in ("train", "validation"):
            drop_events_after(self._directory / name, self._position.steps)
        return self

    def __exit__(self, *_):
        for writer in self._writers.values():
            writer.close()

    def on_epoch_begin(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        del epoch, logs
        self._began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        step = strategies.number(self.model.optimizer.iterations)
        record = {"epoch": epoch + 1, "step": step, **split_logs(logs or {})}
        record["learning_rate"] = strategies.number(self.model.optimizer.learning_rate)
        record["seconds"] = round(time.monotonic() - self._began, 3)
        for name in ("train", "validation"):
            self._write_scalars(name, step, record.get(name, {}))
        self._write_scalars("train", step, {"learning_rate": record["learning_rate"]})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def write_images(self, name, images):
        """Writes rendered figures at the present step.

        Args:
            name: "train" or "validation".
            images: Dict of tag to uint8 array `[height, width]` or `[height, width, channels]`.
        """
        with self._writer(name).as_default(step=strategies.number(self.model.optimizer.iterations)):
            for tag, image in images.items():
                tf.summary.image(tag, image.reshape(1, *image.shape[:2], -1))
        self._writer(name).flush()  # before the checkpoint that stands for it

    def _write_scalars(self, name, step, values):
        if values:
            with self._writer(name).as_default(step=step):
                for tag, value in values.items():
                    tf.summary.scalar(tag, value)
            self._writer(name).flush()

    def _writer(self, name):
        if name not in self._writers:
            self._writers[name] = tf.summary.create_file_writer(str(self._directory / name))
        return self._writers[name]


def write_pictures(directory, step, pictures):
    """Writes the figures of a trained model to TensorBoard.

    Args:
        directory: The run directory.
        step: Iterations of the optimizer.
        pictures: Dict of name to uint8 array `[height, width, channels]`; shown as `final/NAME`.
    """
    writer = tf.summary.create_file_writer(str(pathlib.Path(directory) / "validation"))
    with writer.as_default(step=step):
        for name, picture in pictures.items():
            tf.summary.image(f"final/{name}", picture[tf.newaxis])
    writer.close()


def split_logs(logs):
    """Splits Keras's logs of an epoch into those of training and those of validation.

    Examples:
        >>> split_logs({"elbo": -100.0, "val_elbo": -101.0})
        {'train': {'elbo': -100.0}, 'validation': {'elbo': -101.0}}
    """
    parts: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
    for name, value in logs.items():
        part = "validation" if name.startswith(_VALIDATION) else "train"
        parts[part][name.removeprefix(_VALIDATION)] = float(value)
    return {part: values for part, values in parts.items() if values}


def drop_events_after(directory, step):
    """Drops what TensorBoard files record beyond a step; other files stay as they are.

    Args:
        directory: `pathlib.Path` of the folder with the files; need not exist.
        step: The last step to keep.
    """
    for path in sorted(directory.glob("events.out.tfevents.*")):
        records = list(_read_records(path))
        keep = [r for r in records if event_pb2.Event.FromString(r).step <= step]
        if len(keep) < len(records):
            beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            with tf.io.TFRecordWriter(str(beside)) as writer:
                for record in keep:
                    writer.write(record)
            beside.replace(path)


def _read_records(path):
    """Yields the records of a TensorBoard file, up to one that was cut short."""
    with contextlib.suppress(tf.errors.DataLossError):
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()


def read_metrics(path):
    """Returns the records of a `metrics.jsonl`, without a last line that was cut short."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
