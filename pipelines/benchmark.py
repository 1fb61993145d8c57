"""Time this project and its peers on the same work: `python -m pipelines.benchmark`."""

import functools
import json
import os

from rich.console import Console
from rich.markup import escape

from pipelines import cli, outputs
from pipelines.benchmarks import (
    contestants,
    data,
    machine,
    serving,
    startup,
    tables,
    training,
    works,
)
from pipelines.cli import Failure
from tfvae.cores import num_cores

_DESCRIPTION = """\
Time this project and its peers on the same work, on the CPU, and write the results as JSON.

Each contestant runs in a process of its own with all cores, repetitions take turns, and medians
count. After training, the ELBO of all is measured by one function; if one did less work or ended
elsewhere, the program says so and ends with status 1. Peers are an extra; a missing one is skipped.

    pip install -e '.[benchmark]'

A full run takes some 20 minutes on 2 cores: leave the machine alone meanwhile.
"""
_PARTS = (*works.WORKS, "data", "latency", "startup")


def main(argv):
    """Measures as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    output = outputs.check(given.output, (".json",), given.overwrite)
    plan = _plan(given)
    console = Console(highlight=False, width=None if os.isatty(1) else 140)
    report = {"machine": machine.describe(), "plan": vars(plan), "quick": given.quick, "parts": {}}
    console.print(_headline(report["machine"]), soft_wrap=True)
    for part in given.part or _PARTS:
        report["parts"][part] = _measure(part, plan, given.quick, console)
        _write(report, output)  # after each part: a benchmark that is stopped isn't lost
    for line in tables.binarization(report["parts"]):
        console.print(line, soft_wrap=True)
    console.print(f"Results: {output}", soft_wrap=True)
    _check(report)


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.benchmark", epilog=_listing())
    parser.add_argument("--part", action="append", choices=_PARTS, help="may be repeated (all)")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=[name for folder in contestants.FOLDERS for name in contestants.find(folder)],
        metavar="NAME",
        help="of its folder below, only this one; may be repeated (all)",
    )
    parser.add_argument(
        "--epochs", type=cli.positive_int, metavar="N", help="epochs a measurement (2)"
    )
    parser.add_argument(
        "--repetitions", type=cli.positive_int, metavar="N", help="measurements of each (5)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="little data, to see it run: the times mean nothing"
    )
    parser.add_argument(
        "--output", default="benchmark.json", metavar="FILE", help="(default: benchmark.json)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    return parser


def _listing():
    lines = ["parts:", *(f"  {name:<16}{work.title}" for name, work in works.WORKS.items())]
    lines += [f"  {'data':<16}training from memory, a mapped file and streamed shards"]
    lines += [f"  {'latency':<16}exports at batch 1, 64 and 1024"]
    lines += [f"  {'startup':<16}imports and --help"]
    for folder in contestants.FOLDERS:
        lines.append(f"{folder}:")
        for name, contestant in contestants.find(folder).items():
            reason = contestants.skipped(contestant)
            note = f" ({', '.join(contestant.missing)} is not installed)" if reason else ""
            lines.append(f"  {name:<20}{contestant.title}{note}")
    return "\n".join(lines)


def _plan(given):
    defaults = training.Plan(1, 2, seconds=0.02) if given.quick else training.Plan()
    return training.Plan(
        epochs=given.epochs or defaults.epochs,
        repetitions=given.repetitions or defaults.repetitions,
        only=tuple(given.only),
        seconds=defaults.seconds,
    )


def _measure(part, plan, quick, console):
    """Measures one part, shows its progress and prints its table."""
    with console.status(part) as status:

        def tick(text):
            status.update(f"{part}: {text}")

        result, table = _measurements(quick)[part](plan, tick)
    for name, reason in result["skipped"].items():
        console.print(f"Skipped {name}: {escape(reason)}", soft_wrap=True)
    console.print(table)
    for complaint in result["complaints"]:
        console.print(f"[bold red]{escape(complaint)}", soft_wrap=True)
    return result


def _measurements(quick):
    """Returns the function that measures each part, with its table."""

    def then(measure, table, plan, tick):
        result = measure(plan, tick)
        return result, table(result)

    first = works.WORKS["aevb"]
    images = functools.partial(data.measure, works.quick(first) if quick else first)
    found = {
        "data": functools.partial(then, images, tables.feeds),
        "latency": functools.partial(then, serving.measure, tables.latency),
        "startup": functools.partial(then, startup.measure, tables.startup),
    }
    for name, work in works.WORKS.items():
        chosen = works.quick(work) if quick else work
        measure = functools.partial(training.measure, chosen)
        found[name] = functools.partial(then, measure, tables.training)
    return found


def _write(report, path):
    """Replaces the file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(f"{json.dumps(report, indent=2)}\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _headline(found):
    return (
        f"{found['processor']}, {num_cores()} cores; load {found['load_average']} at the beginning"
    )


def _check(report):
    complaints = [
        f"{part}: {text}" for part, r in report["parts"].items() for text in r["complaints"]
    ]
    if complaints:
        raise Failure("The contestants didn't do the same. " + " ".join(complaints))


if __name__ == "__main__":
    cli.run(main)
