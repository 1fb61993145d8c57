"""Checkpoints: the whole state of training in one file that is there whole or not at all."""

import contextlib
import json
import os
import pathlib
import zipfile

import keras
import numpy as np

_PATTERN = "epoch-*.npz"
_STATE = "state.json"


class Checkpoint(keras.callbacks.Callback):
    """Writes model, optimizer and epoch after each epoch, and keeps the newest two.

    Args:
        directory: Where the files go; made if need be.
        keep: How many files to keep.
    """

    def __init__(self, directory, keep=2):
        super().__init__()
        self._directory = pathlib.Path(directory)
        self._keep = keep

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        del logs
        save(self.model, self._directory, epoch + 1)
        for path in sorted(self._directory.glob(_PATTERN))[: -self._keep]:
            path.unlink()


def save(model, directory, num_epochs):
    """Writes a checkpoint.

    Args:
        model: A compiled and built Keras model.
        directory: Where the file goes; made if need be.
        num_epochs: How many epochs the model has been trained for.

    Returns:
        Path of the file.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {f"{i:05d}": np.asarray(v.value) for i, v in enumerate(_variables(model))}
    state = json.dumps({"num_epochs": num_epochs})
    arrays[_STATE] = np.frombuffer(state.encode(), np.uint8)
    path = directory / f"epoch-{num_epochs:06d}.npz"
    with write_atomically(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    return path


def restore(model, directory):
    """Puts the newest whole checkpoint back into a model.

    Args:
        model: A compiled and built Keras model like the one that was saved.
        directory: Where the checkpoints are.

    Returns:
        How many epochs the model has been trained for, 0 where there is no checkpoint; and the
        paths of newer files that were passed over because they are damaged.

    Raises:
        ValueError: If the checkpoint is of another model.
    """
    damaged = []
    for path in sorted(pathlib.Path(directory).glob(_PATTERN), reverse=True):
        try:
            # Opened here: NumPy leaves a file that is no archive open.
            with path.open("rb") as file, np.load(file) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            damaged.append(path)
            continue
        state = json.loads(arrays.pop(_STATE).tobytes())
        _assign(model, [arrays[name] for name in sorted(arrays)], path)
        return state["num_epochs"], damaged
    return 0, damaged


@contextlib.contextmanager
def write_atomically(path):
    """Opens a binary file that appears under `path` only when the block ends well.

    Args:
        path: `pathlib.Path` of the file; one that exists is replaced at the end.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _variables(model):
    return [*model.variables, *model.optimizer.variables]


def _assign(model, arrays, path):
    variables = _variables(model)
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise ValueError(
            f"The checkpoint {path} is of another model: its tensors have other shapes. Resume "
            f"with the options of the run, or train anew with another `--run`."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
