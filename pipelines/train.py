"""Train a variational autoencoder: `python -m pipelines.train`."""

import contextlib
import itertools
import json
import pathlib
import time

import tfvae
from pipelines import cli, commands
from pipelines.cli import Failure, UsageError, usage
from pipelines.export import check_directory, default_directory, publish
from pipelines.runs import MODEL, OPTIONS
from tfvae import components

_PARTS = ("network", "posterior", "likelihood", "prior", "objective")


def main(argv):
    """Trains as the command line says.

    Args:
        argv: List of arguments.
    """
    given = commands.make_parser().parse_args(argv)
    options = commands.resolve(given)
    name = components.read(options["dataset"]).name
    run = pathlib.Path(given.run) if given.run else None
    export = (
        None
        if given.no_export
        else pathlib.Path(given.export or default_directory(options["dataset"]))
    )
    _check_places(run, export, given.resume)
    cli.load_tensorflow()
    with usage():
        dataset, vae = _build(options)
    run = _claim(run, name, given.resume)
    _write_options(run, options)
    _train(vae, dataset, run, options)
    _finish(vae, dataset, run, options, export)


def _check_places(run, export, resume):
    """Refuses places that can't be written, before anything slow begins."""
    if run is not None and run.exists() and not resume:
        raise UsageError(
            f"`--run` names a new directory, and {run} exists. Choose another name, or go on "
            f"with it by adding `--resume`."
        )
    cli.check_writable(run or pathlib.Path("runs/new"), "--run")
    if export is not None:
        check_directory(export, "--export")


def _build(options):
    """Returns the data set and the model, checked against each other."""
    from tfvae.datasets.base import Dataset

    dataset = components.build(Dataset, options["dataset"])
    vae = tfvae.VAE(
        dataset.event_shape,
        options["latent_size"],
        **{part: options[part] for part in _PARTS},
        seed=options["seed"],
        transform=dataset.transform,
    )
    x = next(iter(dataset.training(options["batch_size"], options["seed"])))
    vae.likelihood_layer.check_data(x.numpy())
    return dataset, vae


def _claim(run, name, resume):
    """Makes the run directory: the one that was named, or the next free `runs/NAME-N`."""
    if resume:
        return run
    if run is not None:
        run.mkdir(parents=True)
        return run
    for number in itertools.count(1):
        run = pathlib.Path("runs", f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            run.mkdir(parents=True)
            return run
    raise AssertionError("itertools.count ends")


def _write_options(run, options):
    from tfvae.training.checkpoints import write_atomically

    text = json.dumps({**options, "tfvae_version": tfvae.__version__}, indent=2)
    with write_atomically(run / OPTIONS) as file:
        file.write(f"{text}\n".encode())


def _train(vae, dataset, run, options):
    from tfvae.training.loop import train

    numbers = {key: options[key] for key in ("epochs", "batch_size", "learning_rate", "seed")}
    print("\n".join([*dataset.notes, _headline(vae, dataset, run, options)]), flush=True)
    began = time.monotonic()
    try:
        done, damaged = train(vae, dataset, run, **numbers)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. The epochs that were finished are kept; go on with "
            f"`python -m pipelines.train --resume --run {run}`."
        ) from None
    except ValueError as error:  # a checkpoint of another model
        raise Failure(str(error)) from error
    for path in damaged:
        print(f"Passed over the damaged checkpoint {path}.")
    print(f"Trained {options['epochs'] - done} epochs in {time.monotonic() - began:.0f} s.")


def _finish(vae, dataset, run, options, export):
    """Writes the model, its test ELBO, its figures and its exports."""
    from pipelines import evaluate
    from pipelines.plot import FOLDER
    from tfvae.figures import gallery

    vae.save(run / f".{MODEL}.tmp.keras")
    (run / f".{MODEL}.tmp.keras").replace(run / MODEL)
    print(f"Model: {run / MODEL}")
    split = "test" if "test" in dataset.splits else "validation"
    evaluate.report_on(vae, dataset, run, split=split, seed=options["seed"])
    pictures = gallery.render_all(vae, dataset, options["seed"], split=split)
    for path in gallery.write_all(pictures, run / FOLDER):
        print(f"Figure: {path}")
    if export is not None:
        publish(vae, export)
    print(f"Watch the curves: tensorboard --logdir {run.parent}")


def _headline(vae, dataset, run, options):
    parts = ", ".join(f"{part} {options[part]}" for part in _PARTS)
    return (
        f"Training on {options['dataset']}: {dataset.num_examples('train'):,} examples, "
        f"{vae.count_params():,} weights\n{parts}\nRun directory: {run}"
    )


if __name__ == "__main__":
    cli.run(main)
