"""Training a VAE on a data set into a run directory."""

import pathlib

import keras

from tfvae.training import checkpoints
from tfvae.training.images import Images
from tfvae.training.logs import Curves
from tfvae.training.progress import ProgressLines

_EVALUATION_BATCH_SIZE = 500
# Steps that Keras runs before it comes back to Python: enough to make that trip cheap.
_MOST_STEPS_PER_EXECUTION = 50


def train(vae, dataset, directory, *, epochs, batch_size, learning_rate, seed=0, console=None):
    """Trains a VAE, or goes on from the newest checkpoint of the run directory.

    Writes `checkpoints/`, `train/`, `validation/` and `metrics.jsonl`.

    Args:
        vae: A `VAE`; compiled here, with Adam.
        dataset: A `Dataset` with a "train" and a "validation" split.
        directory: The run directory.
        epochs: Passes over the training split, those of the checkpoint included.
        batch_size: Examples a step.
        learning_rate: Of Adam.
        seed: Int; order and noise of the data follow from it.
        console: A `rich` console for the progress, or None for standard output.

    Returns:
        Number of the epochs that a checkpoint had brought already, and the damaged checkpoints
        that were passed over.
    """
    directory = pathlib.Path(directory)
    steps = dataset.steps_per_epoch(batch_size)
    vae.compile(
        keras.optimizers.Adam(learning_rate),
        steps_per_execution=_largest_divisor(steps, _MOST_STEPS_PER_EXECUTION),
    )
    vae.optimizer.build(vae.trainable_variables)
    done, damaged = checkpoints.restore(vae, directory / "checkpoints")
    progress = ProgressLines(steps, epochs, console)
    curves = Curves(directory, done)
    callbacks = [
        progress,
        curves,
        Images(dataset, curves),
        # Last, so that what a checkpoint stands for has been logged when it appears.
        checkpoints.Checkpoint(directory / "checkpoints"),
    ]
    if done < epochs:
        try:
            vae.fit(
                dataset.training(batch_size, seed, start_epoch=done),
                initial_epoch=done,
                epochs=epochs,
                steps_per_epoch=steps,
                validation_data=dataset.split("validation", _EVALUATION_BATCH_SIZE),
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
        finally:
            progress.stop()
    return done, damaged


def _largest_divisor(number, most):
    return next(d for d in range(min(number, most), 0, -1) if number % d == 0)
