"""Keeping a run safe: checkpoints, the best weights, and a clean end when a signal asks for one."""

import contextlib
import dataclasses
import math
import pathlib
import signal

import keras

from tfvae.training import checkpoints, strategies


class NotFiniteError(ArithmeticError):
    """A loss, a gradient or an ELBO that is NaN or infinite."""


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
        feed: What `feeding.make` returned.
        writes: Whether this process writes; of several that train together one does.
    """

    def __init__(self, directory, position, best_weights, feed, writes=True):
        super().__init__()
        self.position = position
        self.best_weights = best_weights
        self._directory = pathlib.Path(directory)
        self._feed = feed
        self._writes = writes
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
        self._calls = self._feed.calls(self.position.step_in_epoch)
        self._taken = self.position.step_in_epoch
        for mean in self.model.metrics:  # Keras has just reset them
            if mean.name in self.position.means:
                total, count = self.position.means[mean.name]
                mean.total.assign(total)
                mean.count.assign(count)
        self._seen = self._examples()

    def on_train_batch_end(self, batch, logs=None):  # noqa: D102 - Keras's hook
        del logs
        self._taken, self._seen = self._taken + self._calls[batch], self._examples()
        # At the end of an epoch, let the epoch end: its checkpoint comes next.
        looks = batch % self._feed.calls_a_look == 0 and batch + 1 < len(self._calls)
        if looks and self._is_asked():
            self._save_in_epoch(self._taken)
            raise Stopped(self._asked or signal.SIGTERM)

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        criterion, value = self._criterion(logs or {})
        if math.isnan(value):
            raise NotFiniteError(
                f"The validation {criterion} of epoch {epoch + 1} is NaN, and the loss of training "
                f"isn't: the model gives an example of the validation split no density. Look at "
                f"the data with `python -m pipelines.inspect`, or choose another likelihood. The "
                f"newest checkpoint is that of the epoch before."
            )
        best = {}
        if value > self.position.best_value:
            best = {"best_epoch": epoch + 1, "best_value": float(value)}
            self.best_weights = self.model.get_weights()
        self._save(epoch=epoch + 1, step_in_epoch=0, means={}, **best)
        if self._is_asked():
            raise Stopped(self._asked or signal.SIGTERM)

    def _criterion(self, logs):
        """Returns the name and the value, nats, of what says which epoch is the best."""
        objective = self.model.objective
        if objective.is_tighter:
            return objective.criterion, -logs.get("val_loss", float("inf"))
        return objective.criterion, logs.get("val_elbo", float("-inf"))

    def save_good_steps(self):
        """Writes a checkpoint of the last good step, in a call that ended with a bad one.

        Returns:
            Steps of the epoch that have been taken.
        """
        # By the examples: the optimizer doesn't count a step that overflows under a scaled loss.
        good = self._taken + math.ceil((self._examples() - self._seen) / self._feed.batch_size)
        self._save_in_epoch(good)
        return good

    def _save_in_epoch(self, step_in_epoch):
        means = {
            mean.name: (strategies.number(mean.total), strategies.number(mean.count))
            for mean in self.model.metrics
        }
        self._save(step_in_epoch=step_in_epoch, means=means)

    def _save(self, **changes):
        self.position = dataclasses.replace(self.position, steps=self._iterations(), **changes)
        state = checkpoints.state_of(self.model)
        if self._writes:
            checkpoints.save(state, self._directory, self.position, self.best_weights)

    def _examples(self):
        """Returns how many examples of the epoch are in the means."""
        return strategies.number(self.model.metrics[0].count)

    def _iterations(self):
        return strategies.number(self.model.optimizer.iterations)

    def _is_asked(self):
        """Says whether any of the processes was asked to stop: they stop at the same step."""
        return strategies.total(self.model, float(self._asked is not None)) > 0

    def _ask(self, number, frame):
        del frame
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = number
