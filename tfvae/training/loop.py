"""Training a VAE on a data set into a run directory."""

import dataclasses
import pathlib

import keras

from tfvae.training import checkpoints
from tfvae.training.guard import FiniteGuard
from tfvae.training.images import Images
from tfvae.training.keeper import Keeper
from tfvae.training.logs import Curves
from tfvae.training.progress import ProgressLines

_EVALUATION_BATCH_SIZE = 500
# Steps of a block: enough to make the way from Python to XLA cheap, few enough for caches.
_BLOCK_STEPS = range(10, 31)
_BEST_BLOCK_STEPS = 20


@dataclasses.dataclass(frozen=True)
class Result:
    """What `train` did.

    Attributes:
        resumed_at: The `Position` that a checkpoint had brought.
        best_epoch: The epoch whose weights the model has now.
        best_elbo: Its ELBO on the validation split, nats.
    """

    resumed_at: checkpoints.Position
    best_epoch: int
    best_elbo: float


def train(vae, dataset, directory, *, epochs, batch_size, learning_rate, seed=0, clip_norm=None):
    """Trains a VAE, or goes on from the newest checkpoint of the run directory.

    Writes `checkpoints/`, `train/`, `validation/` and `metrics.jsonl`, and leaves the model with
    the weights of the epoch with the highest ELBO on the validation split.

    Args:
        vae: A `VAE`; compiled here, with Adam.
        dataset: A `Dataset` with a "train" and a "validation" split.
        directory: The run directory.
        epochs: Passes over the training split, those of the checkpoint included.
        batch_size: Examples a step.
        learning_rate: Of Adam.
        seed: Int; order and noise of the data follow from it.
        clip_norm: Largest norm of the gradient of all weights together, or None.

    Returns:
        A `Result`.

    Raises:
        ValueError: If the objective's schedule is longer than the run.
        Stopped: If SIGTERM or SIGINT asked for it; a checkpoint has been written.
        NotFiniteError: If a loss or gradient isn't finite; a checkpoint has been written.
        CheckpointError: If there are checkpoints, and none that can be gone on from.
    """
    check_schedule(vae.objective, dataset, epochs, batch_size)
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    folder = directory / "checkpoints"
    optimizer = keras.optimizers.Adam(learning_rate, global_clipnorm=clip_norm)
    vae.compile(optimizer, prepare=dataset.prepare)
    vae.optimizer.build(vae.trainable_variables)
    # Before a checkpoint puts them back as they were.
    vae.prior_layer.adapt(lambda num: _examples(dataset, num, seed))
    at, best_weights, damaged = checkpoints.restore(vae, folder)
    for path in damaged:
        print(f"Passed over the damaged checkpoint {path}.")
    steps = dataset.steps_per_epoch(batch_size)
    num_steps = _block_steps(steps)

    def cut(start_step):
        return dataset.block_steps(batch_size, num_steps, start_step)

    keeper = Keeper(folder, at, best_weights, cut)
    progress = ProgressLines(steps, epochs)
    curves = Curves(directory, at)
    callbacks = [
        FiniteGuard(dataset, batch_size, seed, keeper),
        progress,
        curves,
        Images(dataset, curves),
        keeper,  # last, so that what a checkpoint stands for has been logged when it appears
    ]
    validation = dataset.split("validation", _EVALUATION_BATCH_SIZE)

    def fit(first, last, start):
        vae.fit(
            dataset.blocks(batch_size, num_steps, seed, first * steps + start),
            initial_epoch=first,
            epochs=last,
            steps_per_epoch=len(cut(start)),
            validation_data=validation,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )

    with keeper, progress, curves:
        if at.step_in_epoch:  # first the rest of an epoch that was interrupted
            fit(at.epoch, at.epoch + 1, at.step_in_epoch)
        if keeper.position.epoch < epochs:
            fit(keeper.position.epoch, epochs, 0)
    if keeper.best_weights is not None:
        vae.set_weights(keeper.best_weights)
    return Result(at, keeper.position.best_epoch, keeper.position.best_elbo)


def check_schedule(objective, dataset, epochs, batch_size):
    """Refuses a run that ends before the schedule of its objective does.

    Args:
        objective: An `Objective`.
        dataset: A `Dataset`.
        epochs: Passes over the training split.
        batch_size: Examples a step.

    Raises:
        ValueError: If it is so.
    """
    steps = dataset.steps_per_epoch(batch_size)
    if objective.schedule_steps > epochs * steps:
        needed = -(-objective.schedule_steps // steps)
        raise ValueError(
            f"The schedule of the objective `{objective.spec}` takes {objective.schedule_steps:,} "
            f"steps, and {epochs} epochs of {steps:,} steps have {epochs * steps:,}: the run would "
            f"end before it trains on the bound that was asked for. Shorten the schedule, or add "
            f"`--epochs {needed}`."
        )


def _examples(dataset, num, seed):
    """Returns examples of the training split in a random order, at most `num`."""
    num = min(num, dataset.num_examples("train"))
    return next(iter(dataset.training(num, seed))).numpy()


def _block_steps(steps):
    """Returns the steps of a block: a divisor of the steps of an epoch where one is near.

    Blocks of one size need one compilation.
    """
    divisors = [n for n in _BLOCK_STEPS if steps % n == 0]
    return min(divisors, key=lambda n: abs(n - _BEST_BLOCK_STEPS), default=_BEST_BLOCK_STEPS)
