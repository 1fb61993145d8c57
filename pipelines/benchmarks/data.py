"""The data part: what training loses where the images don't come from memory."""

import tempfile

from pipelines.benchmarks import agreement, feeds, rounds, works
from pipelines.benchmarks.processes import ContestantError, Process


def measure(work, plan, tick):
    """Times training on the same images from each feed, in turns.

    The first epoch of each, with its compilation, is the warm-up: it fills the page cache too.

    Args:
        work: A `Work`.
        plan: A `Plan`.
        tick: Function of a text, called before each step of the measurement.

    Returns:
        Dict for JSON; `complaints` lists feeds that failed or gave fewer images.
    """
    failed: dict = {}
    counts: dict = {}
    fields = works.to_json(work)
    with tempfile.TemporaryDirectory() as directory:
        tick("writing images, building models")
        try:
            with Process(feeds.__name__, work=fields, directory=directory) as process:
                for name in feeds.FEEDS:
                    tick(f"{name}: first epoch, compilation included")
                    counts[name] = process.call("train", feed=name, epochs=1).result
                jobs = {name: _training(process, name, plan.epochs) for name in counts}
                seconds = rounds.interleave(jobs, plan.repetitions, failed, tick)
        except ContestantError as error:
            failed["The feeds"] = str(error)
            seconds = {}
    wrong = [
        f"{name} gives {count} images an epoch, not {work.num_images}."
        for name, count in counts.items()
        if count != work.num_images
    ]
    return {
        "work": fields,
        "feeds": _rates(work, seconds),
        "skipped": {},
        "complaints": agreement.failures(failed) + wrong,
    }


def _training(process, feed, epochs):
    """Returns the job that times one epoch of so many."""
    return lambda: process.call("train", feed=feed, epochs=epochs).seconds / epochs


def _rates(work, seconds):
    """Returns the rate of each feed, and what it is of that from memory."""
    found = {}
    for name, values in seconds.items():
        epoch = rounds.summary(values)
        found[name] = {
            "epoch_seconds": epoch,
            "images_per_second": work.num_images / epoch["median"],
        }
    if "memory" in found:
        for row in found.values():
            row["of_memory"] = row["images_per_second"] / found["memory"]["images_per_second"]
    return found
