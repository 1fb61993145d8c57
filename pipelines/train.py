"""Train a variational autoencoder: `python -m pipelines.train`."""

import contextlib
import json
import math
import pathlib
import signal
import time

import tfvae
from pipelines import cli, commands, finishing, places
from pipelines.cli import Failure, UsageError, usage
from pipelines.export import conditions_of
from pipelines.runs import OPTIONS, dataset_of
from tfvae import components
from tfvae.training import cluster

_NUMBERS = (
    "epochs",
    "batch_size",
    "learning_rate",
    "learning_rate_schedule",
    "adam_epsilon",
    "seed",
    "clip_norm",
)
_CHECKED = 2_000_000  # values that are compared with the support of the likelihood
_PARTS = ("network", "posterior", "likelihood", "prior", "objective")


class _Refused(Failure):
    """A run that can't be gone on with, as it is to be."""


def main(argv):
    """Trains as the command line says.

    Args:
        argv: List of arguments.
    """
    given = commands.make_parser().parse_args(argv)
    options = commands.resolve(given)
    run = None if given.run is None else pathlib.Path(given.run)
    if _is_chief(options["strategy"], run):
        _train_and_write(run, options, given)
    else:
        _train_along(run, options, given)


def _train_and_write(run, options, given):
    """Trains in the process that writes, which holds the run directory meanwhile."""
    export = pathlib.Path(options["export"]) if options["export"] else None
    places.check(run, export, given.resume)
    with contextlib.ExitStack() as stack:
        if given.resume:
            stack.enter_context(places.resumed(run))
        cli.load_tensorflow()
        dataset, vae = _build(options)
        if not given.resume:
            name = components.read(options["dataset"]).name
            run = stack.enter_context(places.begun(run, name))
        with _recorded(run, options):
            result = _train(vae, dataset, run, options, given)
        trained = result.resumed_at.epoch < options["epochs"]
        try:
            finishing.finish(vae, dataset, run, options, given, trained=trained)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted after training, while its results were being written. Write them "
                f"with `{_again(run, given)}`."
            ) from None


def _train_along(run, options, given):
    """Trains in a process that isn't the chief: the chief writes."""
    cli.load_tensorflow()
    dataset, vae = _build(options)
    print("Training along with the chief, which writes the results.", flush=True)
    _run_training(vae, dataset, run, options, given)
    print("Trained.")


def _again(run, given):
    """Returns the command that goes on with a run, under the same conditions to publish it."""
    return " ".join(["python -m pipelines.train --resume --run", str(run), *conditions_of(given)])


def _is_chief(strategy, run):
    """Says whether this process writes the results: of several that train together one does."""
    if strategy not in ("auto", "multi_worker"):
        return True
    with usage():
        found = cluster.read()
    if found.num_workers > 1 and run is None:
        raise UsageError(
            f"The {found.num_workers} processes of {found.source} train one run, which each has to "
            f"know. Add the same `--run DIR` to all, a folder that all can read."
        )
    return found.is_chief


def _build(options):
    """Returns the data set and the model, checked against each other."""
    from tfvae import batches, noise
    from tfvae.training import feeding, rates, strategies
    from tfvae.training.loop import check_schedule

    with usage():
        strategy = strategies.make(options["strategy"])  # before anything runs on TensorFlow
        dataset = dataset_of(options)
        feed = feeding.make(dataset, options["batch_size"], options["seed"], strategy)
        with strategies.scope_of(strategy):
            vae = tfvae.VAE(
                dataset.event_shape,
                options["latent_size"],
                **{part: options[part] for part in _PARTS},
                seed=options["seed"],
                dtype=options["precision"],
                transform=dataset.transform,
                mask_missing=dataset.masks_missing,
                condition=dataset.condition,
            )
        _check_data(vae.likelihood_layer, dataset, options)
        check_schedule(vae.objective, feed.steps, options["epochs"])
        schedule, rate = options["learning_rate_schedule"], options["learning_rate"]
        rates.make(schedule, rate, options["epochs"] * feed.steps)
        # What fits in shape may not fit in kind, such as a closed form that isn't known.
        batch = next(iter(dataset.training(options["batch_size"], options["seed"])))
        two = batches.each(lambda part: part[:2], batch)
        vae.terms(two, noise.row_seeds(noise.seed_of(options["seed"]), 2))
    return dataset, vae


def _check_data(likelihood, dataset, options):
    """Refuses data outside the support: some examples in full, and the range of all."""
    import numpy as np

    from tfvae.datasets import values

    batch_size = options["batch_size"]
    num = max(1, _CHECKED // (batch_size * math.prod(dataset.event_shape)))
    batches = dataset.unconditioned.training(batch_size, options["seed"])
    some = batches.take(min(num, dataset.steps_per_epoch(batch_size)))
    x = np.concatenate(list(some.as_numpy_iterator()))
    if dataset.masks_missing:
        likelihood.check_missing(x)
    likelihood.check_data(values.filled(x))
    likelihood.check_range(*dataset.value_range())


@contextlib.contextmanager
def _recorded(run, options):
    """Writes the options of a run; a resumed one that is refused keeps those that it had."""
    path = run / OPTIONS
    before = path.read_bytes() if path.exists() else None
    text = json.dumps({**options, "tfvae_version": tfvae.__version__}, indent=2)
    _write(path, f"{text}\n".encode())
    try:
        yield
    except _Refused:
        if before is not None:
            _write(path, before)
        raise


def _write(path, content):
    from tfvae.files import write_atomically

    with write_atomically(path) as file:
        file.write(content)


def _train(vae, dataset, run, options, given):
    """Trains and says so; returns the `Result`."""
    print("\n".join([*dataset.notes, *_headline(vae, dataset, run, options)]), flush=True)
    began = time.monotonic()
    result = _run_training(vae, dataset, run, options, given)
    print(
        f"Trained in {time.monotonic() - began:.0f} s. The best epoch is {result.best_epoch}: "
        f"validation {vae.objective.criterion} {result.best_value:.2f}."
    )
    return result


def _run_training(vae, dataset, run, options, given):
    import tensorflow as tf

    from tfvae.training.checkpoints import CheckpointError
    from tfvae.training.guard import NotFiniteError
    from tfvae.training.keeper import Stopped
    from tfvae.training.loop import train

    numbers = {key: options[key] for key in _NUMBERS}
    try:
        return train(vae, dataset, run, **numbers)
    except Stopped as error:
        raise cli.Interrupted(
            f"Stopped by {signal.Signals(error.signal).name}; a checkpoint has been written. Go on "
            f"with `{_again(run, given)}`.",
            error.signal,
        ) from None
    except CheckpointError as error:
        raise _Refused(str(error)) from error
    except (NotFiniteError, cluster.ClusterError) as error:
        raise Failure(str(error)) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise Failure(
            f"Another of the processes that train together has ended: "
            f"{str(error).partition(chr(10))[0]} Look at its messages, and go on with "
            f"`{_again(run, given)}` in each."
        ) from error


def _headline(vae, dataset, run, options):
    from tfvae.training import strategies

    parts = ", ".join(f"{part} {options[part]}" for part in _PARTS)
    if vae.condition is not None:
        parts += f", condition {vae.condition.spec}"
    return [
        f"Training on {options['dataset']}: {dataset.num_examples('train'):,} examples, "
        f"{vae.count_params():,} weights",
        parts,
        *strategies.describe(vae),
        f"Run directory: {run}",
    ]


if __name__ == "__main__":
    cli.run(main)
