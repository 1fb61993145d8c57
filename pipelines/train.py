"""Train a variational autoencoder: `python -m pipelines.train`."""

import contextlib
import itertools
import json
import math
import os
import pathlib
import signal
import time

import tfvae
from pipelines import cli, commands
from pipelines.cli import Failure, UsageError, usage
from pipelines.export import check_directory, gates_of, provenance_of, publish
from pipelines.plot import FOLDER
from pipelines.runs import MODEL, OPTIONS, dataset_of
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


def main(argv):
    """Trains as the command line says.

    Args:
        argv: List of arguments.
    """
    given = commands.make_parser().parse_args(argv)
    options = commands.resolve(given)
    name = components.read(options["dataset"]).name
    run = None if given.run is None else pathlib.Path(given.run)
    export = pathlib.Path(options["export"]) if options["export"] else None
    writes = _is_chief(options["strategy"], run)
    if writes:
        _check_places(run, export, given.resume)
    cli.load_tensorflow()
    dataset, vae = _build(options)
    if not writes:
        _train_along(vae, dataset, run, options)
        return
    run = _claim(run, name, given.resume)
    _write_options(run, options)
    result = _train(vae, dataset, run, options)
    # The figures are written last.
    if result.resumed_at.epoch == options["epochs"] and (run / FOLDER).is_dir():
        print(f"{run} had finished already. For more, add `--epochs` with a larger number.")
        return
    _finish(_on_one_device(vae), dataset, run, options, export, given)


def _check_places(run, export, resume):
    """Refuses places that can't be written, before anything slow begins."""
    if run is not None and os.path.exists(run) and not resume and not _is_empty(run):
        begun = (run / OPTIONS).is_file()
        raise UsageError(
            f"`--run` names a new directory, and {run} exists. Choose another name"
            f"{', or go on with it by adding `--resume`' if begun else ''}."
        )
    cli.check_writable(run or pathlib.Path("runs/new"), "--run")
    if export is not None:
        check_directory(export, "--export")


def _is_empty(directory):
    return directory.is_dir() and not any(directory.iterdir())


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
    from tfvae.training import feeding, strategies
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
    likelihood.check_data(np.array(dataset.value_range(), np.float32))


def _on_one_device(vae):
    from tfvae.training import strategies

    return strategies.on_one_device(vae)


def _claim(run, name, resume):
    """Makes the run directory: the one that was named, or the next free `runs/NAME-N`."""
    if resume:
        return run
    if run is not None:
        run.mkdir(parents=True, exist_ok=True)
        return run
    for number in itertools.count(1):
        run = pathlib.Path("runs", f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            run.mkdir(parents=True)
            return run
    raise AssertionError("itertools.count ends")


def _write_options(run, options):
    from tfvae.files import write_atomically

    text = json.dumps({**options, "tfvae_version": tfvae.__version__}, indent=2)
    with write_atomically(run / OPTIONS) as file:
        file.write(f"{text}\n".encode())


def _train(vae, dataset, run, options):
    """Trains and says so; returns the `Result`."""
    print("\n".join([*dataset.notes, *_headline(vae, dataset, run, options)]), flush=True)
    began = time.monotonic()
    result = _run_training(vae, dataset, run, options)
    print(
        f"Trained in {time.monotonic() - began:.0f} s. The best epoch is {result.best_epoch}: "
        f"validation {vae.objective.criterion} {result.best_value:.2f}."
    )
    return result


def _train_along(vae, dataset, run, options):
    """Trains in a process that isn't the chief: the chief writes."""
    print("Training along with the chief, which writes the results.", flush=True)
    _run_training(vae, dataset, run, options)
    print("Trained.")


def _run_training(vae, dataset, run, options):
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
            f"with `python -m pipelines.train --resume --run {run}`.",
            error.signal,
        ) from None
    except (CheckpointError, NotFiniteError, cluster.ClusterError) as error:
        raise Failure(str(error)) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise Failure(
            f"Another of the processes that train together has ended: "
            f"{str(error).partition(chr(10))[0]} Look at its messages, and go on with "
            f"`python -m pipelines.train --resume --run {run}` in each."
        ) from error


def _finish(vae, dataset, run, options, export, given):
    """Writes the model, its test ELBO, its figures and its exports."""
    from pipelines import evaluate

    split = "test" if "test" in dataset.splits else "validation"
    refusal = None
    with _going_on(run):
        _save_model(vae, run / MODEL)
        evaluate.report_on(vae, dataset, run, split=split, seed=options["seed"])
        if export is not None:
            reports = evaluate.read_reports(run / evaluate.REPORT)
            conditions = {
                "provenance": provenance_of(vae, options, reports),
                "gates": gates_of(given),
                "keep": given.keep,
            }
            try:
                publish(vae, export, **conditions)
            except Failure as failure:
                refusal = failure  # the run is finished all the same
    # What is published is not to be published once more.
    with _going_on(run, " --no-export" if export is not None and refusal is None else ""):
        _draw(vae, dataset, run, options, split)
    if refusal is not None:
        raise refusal


@contextlib.contextmanager
def _going_on(run, option=""):
    """Says where the block is interrupted how the rest of the results is written."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted after training, while its results were being written. Write them with "
            f"`python -m pipelines.train --resume --run {run}{option}`."
        ) from None


def _draw(vae, dataset, run, options, split):
    """Draws the figures into files and TensorBoard."""
    from tfvae.figures import gallery
    from tfvae.training.logs import write_pictures

    pictures = gallery.render_all(vae, dataset, options["seed"], split=split)
    write_pictures(run, int(vae.optimizer.iterations), pictures)
    for path in gallery.write_all(pictures, run / FOLDER):
        print(f"Figure: {path}")
    left_out = gallery.undefined_for(vae)
    if left_out:
        print(
            f"Left out: {', '.join(left_out)}, which move one latent at a time. Those of the "
            f"prior {options['prior']} depend on each other."
        )
    print(f"Watch the curves: tensorboard --logdir {run.parent}")


def _save_model(vae, path):
    beside = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        vae.save(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    print(f"Model: {path}")


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
