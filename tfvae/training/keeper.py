"""Keeping a run safe: checkpoints, the best weights, and a clean end when a signal asks for one."""

import contextlib
import dataclasses
import pathlib
import signal

import keras

from tfvae.training import checkpoints


class Stopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """Training was asked to stop by a signal, and has written a checkpoint.

    Attributes:
        signal: Number of the signal.
    """

    def __init__(self, number):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.signal = number


class Keeper(keras.callbacks.Callback):
    """Writes a checkpoint after each epoch, and at once when SIGTERM or SIGINT arrives.

    As a context manager it listens to the signals; a second Ctrl-C stops without a checkpoint.

    Args:
        directory: Where the checkpoints go.
        position: The `Position` that training begins at.
        best_weights: Weights of the best epoch so far, or None.
        cut: Function of the steps taken in an epoch -> steps of each block that remains.
    """

    def __init__(self, directory, position, best_weights, cut):
        super().__init__()
        self.position = position
        self.best_weights = best_weights
        self._directory = pathlib.Path(directory)
        self._cut = cut
        self._asked = None
        self._before = {}

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError):  # not in the main thread: nothing to listen to
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_epoch_begin(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        del epoch, logs
        self._blocks = self._cut(self.position.step_in_epoch)
        self._taken = self.position.step_in_epoch
        for mean in self.model.metrics:  # Keras has just reset them
            if mean.name in self.position.means:
                total, count = self.position.means[mean.name]
                mean.total.assign(total)
                mean.count.assign(count)

    def on_train_batch_end(self, batch, logs=None):  # noqa: D102 - Keras's hook
        del logs
        self._taken += self._blocks[batch]
        # At the end of an epoch, let the epoch end: its checkpoint comes next.
        if self._asked and batch + 1 < len(self._blocks):
            self.save_in_epoch(self._taken)
            raise Stopped(self._asked)

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        elbo = (logs or {}).get("val_elbo", float("-inf"))
        best = {}
        if elbo > self.position.best_elbo:
            best = {"best_epoch": epoch + 1, "best_elbo": float(elbo)}
            self.best_weights = self.model.get_weights()
        self._save(epoch=epoch + 1, step_in_epoch=0, means={}, **best)
        if self._asked:
            raise Stopped(self._asked)

    def save_in_epoch(self, step_in_epoch):
        """Writes a checkpoint in the middle of an epoch.

        Args:
            step_in_epoch: Steps of the epoch that have been taken.
        """
        means = {mean.name: (float(mean.total), float(mean.count)) for mean in self.model.metrics}
        self._save(step_in_epoch=step_in_epoch, means=means)

    def _save(self, **changes):
        steps = int(self.model.optimizer.iterations)
        self.position = dataclasses.replace(self.position, steps=steps, **changes)
        checkpoints.save(self.model, self._directory, self.position, self.best_weights)

    def _ask(self, number, frame):
        del frame
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = number
