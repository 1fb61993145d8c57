"""The end of a run: its model, its test ELBO, its exports and its figures, each written once.

A record tells what is there, so that whoever goes on after Ctrl-C or a crash writes what is
missing, and nobody publishes a model twice.
"""

import dataclasses
import pathlib

from pipelines import evaluate, results
from pipelines.cli import Failure
from pipelines.export import gates_of, provenance_of, publish
from pipelines.plot import FOLDER
from pipelines.runs import MODEL


def finish(vae, dataset, run, options, given, *, trained):
    """Writes what is missing of the results of a run.

    Args:
        vae: The trained `VAE`.
        dataset: Its `Dataset`.
        run: `pathlib.Path` of the run directory.
        options: The resolved options.
        given: The parsed arguments: what it takes to publish.
        trained: Whether this process has trained it; else what is recorded counts.

    Raises:
        Failure: If it can't be published. All the rest is written all the same.
    """
    from tfvae.training import strategies

    done = _done(run, options["epochs"], trained)
    export = pathlib.Path(options["export"]) if options["export"] else None
    publishes = export is not None and not done.has_tried(export)
    if done.finished and not publishes:
        _check_published(run, done, export)
        print(
            f"{run} had finished already{_published_as(done, export)}. For more, add `--epochs` "
            f"with a larger number."
        )
        return
    vae = strategies.on_one_device(vae)
    split = "test" if "test" in dataset.splits else "validation"
    if not done.finished:
        _save_model(vae, run / MODEL)
        results.write(run, done)
        evaluate.report_on(vae, dataset, run, split=split, seed=options["seed"])
    failure = None
    if publishes:
        version, failure = _publish(vae, run, export, options, given)
        done = results.write(run, done.with_export(export, version))
    if not done.finished:
        _draw(vae, dataset, run, options, split)
        done = results.write(run, dataclasses.replace(done, finished=True))
    if failure is not None:
        raise failure
    _check_published(run, done, export)


def _done(run, epochs, trained):
    """Returns the `Results` that a former process has written of the model as it is now."""
    found = None if trained else results.read(run)
    if found is None or found.epoch != epochs:
        return results.Results(epochs)
    is_there = all((run / name).exists() for name in (MODEL, evaluate.REPORT, FOLDER))
    return dataclasses.replace(found, finished=found.finished and is_there)


def _published_as(done, export):
    return f", and was published as version {done.version_in(export)} of {export}" if export else ""


def _check_published(run, done, export):
    if export is not None and done.version_in(export) is None:
        raise Failure(
            f"{run} has finished, and could not be published in {export} when that was tried. Try "
            f"it again with `python -m pipelines.export {run} --output {export}`."
        )


def _publish(vae, run, export, options, given):
    """Returns the version, and a `Failure` where there is none."""
    reports = evaluate.read_reports(run / evaluate.REPORT)
    conditions = {
        "provenance": provenance_of(vae, options, reports),
        "gates": gates_of(given),
        "keep": given.keep,
    }
    try:
        return publish(vae, export, **conditions).version, None
    except Failure as failure:
        return None, failure


def _draw(vae, dataset, run, options, split):
    """Draws the figures, as files and in TensorBoard."""
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
