"""The training part: all trainers on one work, with the matrix products among them."""

import contextlib
import dataclasses

from pipelines.benchmarks import agreement, contestants, rounds, works
from pipelines.benchmarks.processes import ContestantError
from pipelines.benchmarks.products import base as products

#: Steps of products that are timed at once: some tenths of a second.
_PRODUCT_STEPS = 200


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        epochs: Epochs a measurement.
        repetitions: Measurements of each contestant.
        only: Names of contestants: of a folder in which some are named, only those run.
        seconds: Length of a latency measurement.
    """

    epochs: int = 2
    repetitions: int = 5
    only: tuple = ()
    seconds: float = 0.2

    def chosen(self, folder):
        """Returns the contestants of a folder that are to run, by name."""
        found = contestants.find(folder)
        named = {name: found[name] for name in found if name in self.only}
        return named or found


def measure(work, plan, tick):
    """Times all trainers on a work.

    The first epoch of each, with its compilation, is the warm-up; all train the same number of
    epochs, and then the ELBO of each is measured by the same function.

    Args:
        work: A `Work`.
        plan: A `Plan`.
        tick: Function of a text, called before each step of the measurement.

    Returns:
        Dict for JSON; `complaints` lists where contestants disagree.
    """
    skipped: dict = {}
    failed: dict = {}
    with contextlib.ExitStack() as stack:
        fields = works.to_json(work)
        tick("starting")
        trainers = rounds.start(stack, plan.chosen("trainers"), skipped, failed, work=fields)
        multipliers = _start_products(stack, work, plan, skipped, failed)
        first = _warm_up(trainers, failed, tick)
        jobs = {name: _training(trainers[name], plan.epochs) for name in first}
        jobs |= {name: _multiplying(process, work) for name, process in multipliers.items()}
        seconds = rounds.interleave(jobs, plan.repetitions, failed, tick)
        done = {name: trainers[name] for name in trainers if name in seconds}
        ends = _evaluate(done, failed, tick)
    ceiling = _ceiling(work, {name: seconds[name] for name in multipliers if name in seconds})
    result = {
        "work": {**fields, "steps": work.steps},
        "trainers": {n: _trainer(work, first[n], seconds[n], ends[n], ceiling) for n in ends},
        "products": ceiling,
        "skipped": skipped,
    }
    epochs = 1 + plan.epochs * plan.repetitions
    complaints = agreement.complaints(result["trainers"], epochs * work.steps)
    return {**result, "complaints": agreement.failures(failed) + complaints}


def _start_products(stack, work, plan, skipped, failed):
    if work.channels:
        return {}
    entrants = plan.chosen("products")
    processes = rounds.start(stack, entrants, skipped, failed, work=works.to_json(work))
    for process in processes.values():
        process.call("run", steps=2)
    return processes


def _warm_up(trainers, failed, tick):
    first = {}
    for name, process in trainers.items():
        tick(f"{name}: first epoch, compilation included")
        try:
            first[name] = process.call("train", epochs=1).seconds
        except ContestantError as error:
            failed[name] = str(error)
    return first


def _training(process, epochs):
    """Returns the job that times one epoch of so many."""
    return lambda: process.call("train", epochs=epochs).seconds / epochs


def _multiplying(process, work):
    """Returns the job that times the products of one step of many."""
    steps = min(_PRODUCT_STEPS, work.steps)
    return lambda: process.call("run", steps=steps).seconds / steps


def _evaluate(trainers, failed, tick):
    ends = {}
    for name, process in trainers.items():
        tick(f"{name}: ELBO")
        try:
            ends[name] = process.call("evaluate").result
        except ContestantError as error:
            failed[name] = str(error)
    return ends


def _ceiling(work, seconds):
    """Returns what each library's products took a step, and the rate of the fastest."""
    libraries = {name: rounds.summary(values) for name, values in seconds.items()}
    if not libraries:
        return None
    fastest = min(libraries, key=lambda name: libraries[name]["median"])
    step = libraries[fastest]["median"]
    return {
        "libraries": libraries,
        "fastest": fastest,
        "step_seconds": step,
        "flops_per_second": products.flops(work) / step,
    }


def _trainer(work, first, seconds, end, ceiling):
    epoch = rounds.summary(seconds)
    result = {
        "epoch_seconds": epoch,
        "first_epoch_seconds": first,
        "images_per_second": work.num_images / epoch["median"],
        **end,
    }
    if ceiling:
        result["fraction_of_products"] = ceiling["step_seconds"] * work.steps / epoch["median"]
    return result
