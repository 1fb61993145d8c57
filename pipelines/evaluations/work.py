"""The work of an evaluation: all that was asked for, with progress on the terminal."""

import contextlib

import tfvae
from pipelines.cli import usage


def evaluate(vae, dataset, wish, console):
    """Evaluates a model.

    Args:
        vae: A `VAE`.
        dataset: A `Dataset`.
        wish: A `Wish`.
        console: A `rich` console, which shows the progress if it is a terminal.

    Returns:
        The report, a dict for JSON.
    """
    from tfvae.evaluation import baselines, report, tightness

    other = None if wish.against is None else _opened(vae, dataset, wish)
    found = _measure(vae, dataset, wish, console, "evaluating on")
    options = {"num_samples": wish.num_samples, "seed": wish.seed}
    result = report.summarize(vae, dataset, wish.split, found, **options)
    result["protocol"]["versions"]["tfvae"] = tfvae.__version__
    if wish.in_full:
        kl = found.terms["kl"]
        result |= report.information(vae, dataset, wish.split, kl, seed=wish.seed)
    if other is not None:
        result["against"] = _compared(found, other, wish, console)
    if wish.tightness:
        with counted(console, "annealing", 3 * wish.annealing_steps) as on_steps:
            steps = {"num_steps": wish.annealing_steps, "on_steps": on_steps}
            result["tightness"] = tightness.tightness(vae, wish.tightness, **options, **steps)
    if wish.baselines:
        result["baselines"] = baselines.evaluate(
            vae, dataset.unconditioned, wish.split, seed=wish.seed
        )
    return result


@contextlib.contextmanager
def counted(console, text, total):
    """Shows how much of some work is done, and the time left.

    Args:
        console: A `rich` console.
        text: What is being done.
        total: How much there is to do.

    Yields:
        Function of how much has been done since the last time.
    """
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as progress:
        task = progress.add_task(text, total=total)
        yield lambda num: progress.update(task, advance=num)


def _measure(vae, dataset, wish, console, text):
    from tfvae.evaluation import measures

    total = dataset.num_examples(wish.split) * (1 + wish.num_samples)
    options = {"num_samples": wish.num_samples, "seed": wish.seed}
    with counted(console, f"{text} {wish.split}", total) as on_rows:
        return measures.measure(vae, dataset, wish.split, **options, on_rows=on_rows)


def _opened(vae, dataset, wish):
    """Returns the other model and its data set; refuses what can't be compared."""
    from tfvae.evaluation import comparison

    others, other = wish.against.dataset(), wish.against.model()
    with usage():
        comparison.check_comparable((vae, dataset), (other, others), wish.split)
    return other, others


def _compared(found, other, wish, console):
    from tfvae.evaluation import comparison

    model, dataset = other
    others = _measure(model, dataset, wish, console, f"{wish.against.directory} on")
    return {
        "run": str(wish.against.directory),
        "this": {name: float(term.mean(dtype="float64")) for name, term in found.terms.items()},
        "other": {name: float(term.mean(dtype="float64")) for name, term in others.terms.items()},
        "difference": comparison.compare(found.terms, others.terms),
    }
