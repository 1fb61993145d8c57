"""Progress on the terminal: one line an epoch, and a bar with the time left while it runs."""

import time

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tfvae.training import strategies
from tfvae.training.logs import split_logs


class ProgressLines(keras.callbacks.Callback):
    """Prints the ELBO of each epoch, in nats, and shows a bar where the output is a terminal.

    Args:
        steps_per_epoch: Steps of the optimizer an epoch.
        epochs: Number of the last epoch.
        console: A `rich` console; standard output by default.
    """

    def __init__(self, steps_per_epoch, epochs, console=None):
        super().__init__()
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._steps, self._epochs = steps_per_epoch, epochs
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._began = 0.0
        self._first: int | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def say(self, text):
        """Prints a text above the bar."""
        self._console.print(text, markup=False)

    def on_epoch_begin(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        del logs
        if self._first is None:
            self._began, self._first = time.monotonic(), epoch
            self._bar.add_task("", total=self._epochs * self._steps)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], description=f"epoch {epoch + 1}/{self._epochs}")

    def on_train_batch_end(self, batch, logs=None):  # noqa: D102 - Keras's hook
        del batch, logs
        steps = strategies.number(self.model.optimizer.iterations)
        self._bar.update(self._bar.task_ids[0], completed=steps)

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        parts = split_logs(logs or {})
        train, validation = parts.get("train", {}), parts.get("validation", {})
        line = f"epoch {epoch + 1:>{len(str(self._epochs))}}/{self._epochs}  train {_terms(train)}"
        if validation:
            line += f"   validation {_terms(validation)}"
        an_epoch = (time.monotonic() - self._began) / (epoch + 1 - self._first)
        left = an_epoch * (self._epochs - epoch - 1)
        self._console.print(f"{line}   {left // 60:.0f}:{left % 60:02.0f} left")


def _terms(values):
    return "  ".join(
        f"{name} {values[key]:.2f}"
        for name, key in (("elbo", "elbo"), ("rec", "reconstruction"), ("kl", "kl"))
        if key in values
    )
