"""The work of an evaluation: all that was asked for, with progress on the terminal."""

import contextlib
import time

import tfvae
from pipelines.cli import usage

_EVERY = 60.0  # seconds between two lines in a log


def evaluate(vae, dataset, wish, console):
    """Evaluates a model.

    Args:
        vae: A `VAE`.
        dataset: A `Dataset`.
        wish: A `Wish`.
        console: A `rich` console, which shows the progress if it is a terminal.

    Returns:
        The report, a dict for JSON, and the terms of each example, name -> `[num_examples]`, nats.
    """
    from tfvae.evaluation import baselines, mutual_information, report, tightness

    other = None if wish.against is None else _opened(vae, dataset, wish)
    found = _measure(vae, dataset, wish, console, "evaluating on")
    options = {"num_samples": wish.num_samples, "seed": wish.seed}
    result = report.summarize(vae, dataset, wish.split, found, **options)
    result["protocol"]["versions"]["tfvae"] = tfvae.__version__
    if wish.in_full:
        result["information"] = mutual_information.mutual_information(
            vae, dataset, wish.split, found.terms["kl"], seed=wish.seed
        )
    if other is not None:
        result["against"] = _compared(found, other, wish, console)
    if wish.tightness:
        total = tightness.num_steps_of(wish.tightness, wish.annealing_steps)
        with counted(console, "annealing", total) as on_steps:
            steps = {"num_steps": wish.annealing_steps, "on_steps": on_steps}
            result["tightness"] = tightness.tightness(vae, wish.tightness, **options, **steps)
    if wish.baselines:
        result["baselines"] = baselines.evaluate(
            vae, dataset.unconditioned, wish.split, seed=wish.seed
        )
    return result, found.terms


@contextlib.contextmanager
def counted(console, text, total):
    """Shows how much of some work is done, and the time left: a bar, or a line a minute in a log.

    Args:
        console: A `rich` console.
        text: What is being done.
        total: How much there is to do.

    Yields:
        Function of how much has been done since the last time.
    """
    if not console.is_terminal:
        yield _Lines(console, text, total)
        return
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
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(text, total=total)
        yield lambda num: progress.update(task, advance=num)


class _Lines:
    """Says in a line now and then how much is done, and how long the rest takes at that pace.

    Args:
        console: A `rich` console.
        text: What is being done.
        total: How much there is to do.
    """

    def __init__(self, console, text, total):
        self._console, self._text, self._total = console, text, total
        self._done, self._begun = 0, time.monotonic()
        self._next = self._begun + _EVERY

    def __call__(self, num):
        self._done += num
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY
        left = (now - self._begun) * (self._total - self._done) / self._done
        share = f"{self._done / self._total:.0%}"
        self._console.print(f"{self._text}: {share}, {left / 60:.0f} min left", markup=False)


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
        "model": wish.against.digest(),
        "this": {name: float(term.mean(dtype="float64")) for name, term in found.terms.items()},
        "other": {name: float(term.mean(dtype="float64")) for name, term in others.terms.items()},
        "difference": comparison.compare(found.terms, others.terms),
    }
