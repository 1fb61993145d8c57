"""Training a VAE on a data set into a run directory."""

import contextlib
import dataclasses
import functools
import pathlib

import keras

from tfvae import xla
from tfvae.training import adaptation, checkpoints, conditions, feeding, rates, strategies
from tfvae.training.guard import FiniteGuard
from tfvae.training.images import Images
from tfvae.training.keeper import Keeper
from tfvae.training.latents import ActiveLatents
from tfvae.training.logs import Curves
from tfvae.training.progress import ProgressLines
from tfvae.training.reports import Reports

_REPORTED = 500  # examples of which the parameters are looked at after an epoch


@dataclasses.dataclass(frozen=True)
class Result:
    """What `train` did.

    Attributes:
        resumed_at: The `Position` that a checkpoint had brought.
        best_epoch: The epoch whose weights the model has now.
        best_value: The objective's criterion of it on the validation split, nats.
    """

    resumed_at: checkpoints.Position
    best_epoch: int
    best_value: float


def train(
    vae,
    dataset,
    directory,
    *,
    epochs,
    batch_size,
    learning_rate,
    learning_rate_schedule="constant",
    adam_epsilon=1e-7,
    seed=0,
    clip_norm=None,
):
    """Trains a VAE, or goes on from the newest checkpoint of the run directory.

    Writes `checkpoints/`, `train/`, `validation/` and `metrics.jsonl`, and leaves the model with
    the weights of the epoch with the highest ELBO on the validation split, or the highest bound
    where the objective is a tighter one.

    Args:
        vae: A `VAE`; compiled here, with Adam.
        dataset: A `Dataset` with a "train" and a "validation" split.
        directory: The run directory.
        epochs: Passes over the training split, those of the checkpoint included.
        batch_size: Examples a step.
        learning_rate: Of Adam, at the first step.
        learning_rate_schedule: Spec of one of `rates.SCHEDULES`.
        adam_epsilon: What Adam adds to the root of the second moment before it divides by it.
        seed: Int; order and noise of the data follow from it.
        clip_norm: Largest norm of the gradient of all weights together, or None.

    Returns:
        A `Result`.

    Raises:
        ValueError: If the objective's schedule is longer than the run, or that of the rate unknown.
        Stopped: If SIGTERM or SIGINT asked for it; a checkpoint has been written.
        NotFiniteError: If a loss or gradient isn't finite; a checkpoint has been written.
        CheckpointError: If there are checkpoints, and none that can be gone on from.
    """
    feed = feeding.make(dataset, batch_size, seed, strategies.of(vae), xla.pays_off(vae))
    check_schedule(vae.objective, feed.steps, epochs)
    directory = pathlib.Path(directory)
    strategies.check_model(vae, clip_norm)
    rate = (learning_rate_schedule, learning_rate, epochs * feed.steps)
    folder = directory / "checkpoints"
    options = {"adam_epsilon": adam_epsilon, "clip_norm": clip_norm, "rate": rate, "seed": seed}
    at, best_weights = _begin(vae, dataset, feed, folder, epochs, options)
    writes = strategies.writes(vae)
    keeper = Keeper(folder, at, best_weights, feed, writes)
    guard = FiniteGuard(dataset, batch_size, feed, seed, keeper)
    with contextlib.ExitStack() as stack:
        recorders = _recorders(stack, directory, dataset, feed, at, epochs) if writes else []
        stack.enter_context(keeper)
        # The keeper is last, so that what a checkpoint stands for has been logged when it appears.
        _fit(vae, feed, keeper, [guard, *recorders, keeper], epochs)
    if keeper.best_weights is not None:
        vae.set_weights(keeper.best_weights)
    return Result(at, keeper.position.best_epoch, keeper.position.best_value)


def _begin(vae, dataset, feed, folder, epochs, options):
    """Compiles a VAE, and puts it where its newest checkpoint was, or where training begins.

    Returns:
        What `_restore` does.
    """
    epsilon, clip_norm = options["adam_epsilon"], options["clip_norm"]
    rate = rates.make(*options["rate"])
    with strategies.scope_of(strategies.of(vae)):  # the optimizer has variables too
        adam = keras.optimizers.Adam(rate, epsilon=epsilon, global_clipnorm=clip_norm)
        vae.compile(adam, prepare=feed.prepare())
        now = conditions.of(vae, dataset, batch_size=feed.batch_size, **options)
        at, best_weights = _restore(vae, folder, now, epochs)
        if (at.epoch, at.step_in_epoch) == (0, 0):
            adaptation.adapt(vae, dataset, options["seed"])
    return at, best_weights


def _restore(vae, folder, now, epochs):
    """Puts the newest checkpoint back, if it was made under the conditions of now.

    Returns:
        The `Position`, that of the beginning without a checkpoint, and the weights of the best
        epoch or None.
    """
    strategies.check_conditions(vae, now)  # before one process refuses what others go on with
    check = functools.partial(conditions.check, now=now, epochs=epochs)
    at, best_weights, damaged = checkpoints.restore(vae, folder, check)
    for path in damaged:
        print(f"Passed over the damaged checkpoint {path}.")
    strategies.check_place(vae, at.steps)
    return dataclasses.replace(at, conditions=now), best_weights


def check_schedule(objective, steps, epochs):
    """Refuses a run that ends before the schedule of its objective does.

    Args:
        objective: An `Objective`.
        steps: Steps of an epoch.
        epochs: Passes over the training split.

    Raises:
        ValueError: If it is so.
    """
    if objective.schedule_steps > epochs * steps:
        needed = -(-objective.schedule_steps // steps)
        raise ValueError(
            f"The schedule of the objective `{objective.spec}` takes {objective.schedule_steps:,} "
            f"steps, and {epochs} epochs of {steps:,} steps have {epochs * steps:,}: the run would "
            f"end before it trains on the bound that was asked for. Shorten the schedule, or add "
            f"`--epochs {needed}`."
        )


def _recorders(stack, directory, dataset, feed, at, epochs):
    """Returns the callbacks that write and print; they end with the stack."""
    directory.mkdir(parents=True, exist_ok=True)
    progress = stack.enter_context(ProgressLines(feed.steps, epochs))
    curves = stack.enter_context(Curves(directory, at))
    reports = Reports(dataset.split("validation", _REPORTED))
    latents = ActiveLatents(dataset.split("validation", _REPORTED), epochs, progress.say)
    return [reports, latents, progress, curves, Images(dataset, curves, epochs)]


def _fit(vae, feed, keeper, callbacks, epochs):
    """Runs the epochs that remain, the rest of one that was interrupted first."""
    start = keeper.position.step_in_epoch
    while keeper.position.epoch < epochs:
        epoch = keeper.position.epoch
        vae.fit(
            feed.training(epoch, start),
            initial_epoch=epoch,
            epochs=epoch + 1 if start else epochs,
            steps_per_epoch=len(feed.calls(start)),
            validation_data=feed.validation(),
            validation_steps=feed.validation_steps,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
        start = 0
