"""Checkpoints: the whole state of training in one file that is there whole or not at all."""

import dataclasses
import json
import pathlib
import zipfile

import numpy as np

from tfvae.files import write_atomically

_PATTERN = "step-*.npz"
_POSITION = "position.json"
_KEPT = 2


class CheckpointError(RuntimeError):
    """A checkpoint that can't be read, or is of another model."""


@dataclasses.dataclass(frozen=True)
class Position:
    """How far training has come.

    Attributes:
        epoch: Epochs that are finished.
        step_in_epoch: Steps of the next epoch that have been taken, at the border of a block.
        steps: Steps of the optimizer in all.
        means: Running means of the epoch so far, by name: (sum, number of examples).
        best_epoch: Epoch that is the best on the validation split so far, 0 before the first.
        best_value: The objective's criterion there, nats: the higher, the better.
        conditions: What the run follows from, as `conditions.of` returns it.
    """

    epoch: int = 0
    step_in_epoch: int = 0
    steps: int = 0
    means: dict = dataclasses.field(default_factory=dict)
    best_epoch: int = 0
    best_value: float = float("-inf")
    conditions: dict = dataclasses.field(default_factory=dict)


def state_of(model):
    """Returns the values of all variables of a model and of its optimizer.

    Args:
        model: A compiled and built Keras model.
    """
    return [np.asarray(variable.value) for variable in _variables(model)]


def save(state, directory, position, best_weights=None):
    """Writes a checkpoint and drops all but the newest two.

    Args:
        state: What `state_of` returned.
        directory: Where the file goes; made if need be.
        position: The `Position` that it stands for.
        best_weights: Weights of the best epoch, a list of arrays, where there is one.

    Returns:
        Path of the file.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {f"state/{i:05d}": values for i, values in enumerate(state)}
    arrays |= {f"best/{i:05d}": weight for i, weight in enumerate(best_weights or [])}
    text = json.dumps(dataclasses.asdict(position))
    arrays[_POSITION] = np.frombuffer(text.encode(), np.uint8)
    path = directory / f"step-{position.steps:09d}.npz"
    with write_atomically(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    # Those with more steps than this one, which a resumed run has passed over, count as old too.
    others = [old for old in sorted(directory.glob(_PATTERN)) if old != path]
    older = [old for old in others if old < path]
    for old in others:
        if old not in older[1 - _KEPT :]:
            old.unlink()
    return path


def restore(model, directory, check=lambda position: None):
    """Puts the newest whole checkpoint back into a model.

    Args:
        model: A compiled and built Keras model like the one that was saved.
        directory: Where the checkpoints are.
        check: Called with its `Position` before the model is touched; raises what is to be raised.

    Returns:
        position: Its `Position`, that of the beginning where there is no checkpoint.
        best_weights: Weights of the best epoch, or None.
        damaged: Paths of newer files that were passed over because they are damaged.

    Raises:
        CheckpointError: If the checkpoint is of another model, or there are checkpoints and none
            is whole.
    """
    damaged = []
    for path in sorted(pathlib.Path(directory).glob(_PATTERN), reverse=True):
        try:
            # Opened here: NumPy leaves a file that is no archive open.
            with path.open("rb") as file, np.load(file) as archive:
                arrays = {name: archive[name] for name in sorted(archive.files)}
            position = _position(json.loads(arrays.pop(_POSITION).tobytes()), path)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            damaged.append(path)
            continue
        check(position)
        _assign(model, _group(arrays, "state/"), path)
        return position, _group(arrays, "best/") or None, damaged
    if damaged:
        raise CheckpointError(
            f"None of the checkpoints in {directory} is whole: "
            f"{', '.join(path.name for path in damaged)}. Bring them back from a copy, or train "
            f"anew with another `--run`."
        )
    return Position(), None, []


def _position(fields, path):
    unknown = sorted(set(fields) - {field.name for field in dataclasses.fields(Position)})
    if unknown:
        raise CheckpointError(
            f"The checkpoint {path} was written by another version of tfvae: it knows "
            f"{', '.join(unknown)}. Go on with that version, or train anew with another `--run`."
        )
    return Position(**fields)


def _variables(model):
    return [*model.variables, *model.optimizer.variables]


def _group(arrays, prefix):
    return [array for name, array in arrays.items() if name.startswith(prefix)]


def _assign(model, arrays, path):
    variables = _variables(model)
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise CheckpointError(
            f"The checkpoint {path} is of another model: its tensors have other shapes. Resume "
            f"with the options of the run, or train anew with another `--run`."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
