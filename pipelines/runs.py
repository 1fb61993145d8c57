"""The run directory: what a training run leaves, and how other programs read it."""

import dataclasses
import hashlib
import json
import os
import pathlib
import zipfile

from pipelines import results
from pipelines.cli import Failure, UsageError, usage
from tfvae import components

OPTIONS = "options.json"
MODEL = "model.keras"


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        directory: Where it is.
        options: The resolved options of the command that made its model, by name.
    """

    directory: pathlib.Path
    options: dict

    def model(self):
        """Returns the trained `VAE`.

        Raises:
            Failure: If the file is damaged.
        """
        import keras

        import tfvae.vae  # noqa: F401 - registers the class with Keras

        try:
            return keras.models.load_model(self.directory / MODEL)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise Failure(
                f"The model of {self.directory} can't be loaded: {reason.rstrip('.')}. Restore "
                f"{self.directory / MODEL}, or train again."
            ) from error

    def digest(self):
        """Returns what tells its model from another one: the SHA-256 of the file."""
        with (self.directory / MODEL).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def dataset(self):
        """Returns the `Dataset` it was trained on."""
        with usage():
            return dataset_of(self.options)


def dataset_of(options):
    """Returns the data set of a run, with the conditions of its examples if it has one.

    Args:
        options: The resolved options by name.

    Raises:
        ValueError: If the data set lacks what the condition is made of.
    """
    from tfvae.conditions.base import Condition
    from tfvae.datasets.base import Dataset
    from tfvae.datasets.conditioned import Conditioned

    dataset = components.build(Dataset, options["dataset"])
    condition = options.get("condition")
    if condition is None:
        return dataset
    return Conditioned(dataset, components.build(Condition, condition))


def open_run(directory):
    """Opens a finished run.

    Args:
        directory: Path of a run directory.

    Returns:
        The `Run`.

    Raises:
        UsageError: If it isn't there, or isn't a finished run.
    """
    directory = pathlib.Path(directory)
    if not os.path.isfile(directory / OPTIONS):
        raise UsageError(
            f"RUN is a directory that `python -m pipelines.train` wrote. {directory} "
            f"{'holds no ' + OPTIONS if os.path.isdir(directory) else 'does not exist'}. "
            f"{_runs_beside(directory)}"
        )
    if not (directory / MODEL).is_file():
        raise UsageError(
            f"The run {directory} has not finished: it holds no {MODEL}. Continue it with "
            f"`python -m pipelines.train --resume --run {directory}`."
        )
    options, written = read_options(directory), results.read(directory)
    if written is not None:
        options["epochs"] = written.epoch  # a resumed run may be training for more now
    return Run(directory, options)


def read_options(directory):
    """Returns the options that a run directory records."""
    path = pathlib.Path(directory) / OPTIONS
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
        components.read(options["dataset"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path} is damaged, or not of a run: {type(error).__name__}: {error}. Take another "
            f"run, or train again."
        ) from error
    return options


def _runs_beside(directory):
    runs = sorted(path.parent for path in directory.parent.glob(f"*/{OPTIONS}"))
    if not runs:
        return "Train one with `python -m pipelines.train`."
    return f"Runs beside it: {', '.join(str(run) for run in runs)}."
