"""Measuring contestants in turns, so that a slow minute of the machine falls on all of them."""

import statistics

from pipelines.benchmarks import contestants
from pipelines.benchmarks.processes import ContestantError, Process


def start(stack, entrants, skipped, failed, **arguments):
    """Starts contestants, all at once, and waits until they are built.

    Args:
        stack: `contextlib.ExitStack` that ends the processes.
        entrants: `Contestant`s by name.
        skipped: Dict that receives the reason for each whose packages are missing.
        failed: Dict that receives the reason for each other one that can't be started.
        **arguments: Of their constructors.

    Returns:
        `Process`es by name.
    """
    processes = {}
    for name, contestant in entrants.items():
        reason = contestants.skipped(contestant)
        if reason is None:
            processes[name] = stack.enter_context(Process(contestant.module, **arguments))
        else:
            skipped[name] = reason
    for name, process in list(processes.items()):
        try:
            process.wait()
        except ContestantError as error:
            failed[name] = str(error)
            del processes[name]
    return processes


def interleave(jobs, repetitions, failed, tick=lambda name: None):
    """Runs each job once a round; the first of a round is another one each time.

    Args:
        jobs: Functions by name, each returning the seconds it measured.
        repetitions: Number of rounds.
        failed: Dict that receives the reason for each job that fails; it isn't run again.
        tick: Function of the name, called before each run.

    Returns:
        Lists of seconds by name, without the jobs that failed.

    Examples:
        >>> interleave({"a": lambda: 1.0, "b": lambda: 2.0}, 2, {})
        {'a': [1.0, 1.0], 'b': [2.0, 2.0]}
    """
    names = list(jobs)
    seconds: dict = {name: [] for name in names}
    for number in range(repetitions):
        first = number % len(names) if names else 0
        for name in names[first:] + names[:first]:
            if name in seconds:
                tick(name)
                try:
                    seconds[name].append(jobs[name]())
                except ContestantError as error:
                    failed[name] = str(error)
                    del seconds[name]
    return seconds


def summary(seconds):
    """Returns the median of some measurements with the measurements themselves."""
    return {"median": statistics.median(seconds), "all": seconds}
