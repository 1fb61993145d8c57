"""The latency part: the exported encoder and decoder in several runtimes."""

import contextlib
import itertools
import tempfile

from pipelines.benchmarks import agreement, export_vae, rounds, works
from pipelines.benchmarks.processes import ContestantError, Process
from pipelines.benchmarks.runtimes.base import OUTPUTS
from tfvae.cores import num_cores

BATCH_SIZES = (1, 64, 1024)
_CASES = tuple(itertools.product(OUTPUTS, BATCH_SIZES))


def measure(plan, tick):
    """Times the encoder and the decoder of the AEVB model in every runtime.

    Each runtime runs with one thread and with all, and counts with the faster of the two.

    Args:
        plan: A `Plan`.
        tick: Function of a text, called before each step of the measurement.

    Returns:
        Dict for JSON; `complaints` lists where runtimes disagree.
    """
    skipped: dict = {}
    failed: dict = {}
    work = works.WORKS["aevb"]
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        tick("exporting the model")
        try:
            with Process(export_vae.__name__, work=works.to_json(work)) as process:
                process.call("write", directory=directory)
        except ContestantError as error:
            failed["The export"] = str(error)
            return {"calls": {}, "skipped": {}, "complaints": agreement.failures(failed)}
        variants: dict = {}
        for threads in sorted({1, num_cores()}):
            arguments = {"directory": directory, "latent_size": work.latent_size}
            tick(f"starting with {threads} threads")
            entrants = plan.chosen("runtimes")
            started = rounds.start(stack, entrants, skipped, failed, threads=threads, **arguments)
            variants |= {(name, threads): process for name, process in started.items()}
        results = _results(variants, failed, tick)
        variants = {key: variants[key] for key in results}
        calls = {
            f"{part} {batch}": _case(variants, part, batch, plan, failed, tick)
            for part, batch in _CASES
        }
    named = {f"{name}, {threads} threads": values for (name, threads), values in results.items()}
    complaints = agreement.failures(failed) + agreement.disagreements(named)
    return {"calls": calls, "skipped": skipped, "complaints": complaints}


def _results(variants, failed, tick):
    """Calls every case once, which warms it up, and returns the numbers to compare."""
    results = {}
    for (name, threads), process in variants.items():
        tick(f"{name}: first calls")
        try:
            results[name, threads] = [
                process.call("results", part=part, batch_size=batch).result
                for part, batch in _CASES
            ]
        except ContestantError as error:
            failed[name] = str(error)
    return results


def _case(variants, part, batch, plan, failed, tick):
    """Returns seconds a call, by runtime, for one part and batch size."""

    def job(process):
        arguments = {"part": part, "batch_size": batch, "seconds": plan.seconds}
        return lambda: process.call("latency", **arguments).result

    lost: dict = {}
    jobs = {key: job(process) for key, process in variants.items()}
    seconds = rounds.interleave(
        jobs, plan.repetitions, lost, lambda key: tick(f"{part}, batch {batch}: {key[0]}")
    )
    failed |= {name: reason for (name, _), reason in lost.items()}
    best: dict = {}
    for (name, threads), values in seconds.items():
        found = {"call_seconds": rounds.summary(values), "threads": threads}
        found["images_per_second"] = batch / found["call_seconds"]["median"]
        if name not in best or found["images_per_second"] > best[name]["images_per_second"]:
            best[name] = found
    return best
