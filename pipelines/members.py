"""Train every member after one short budget and tabulate it: `python -m pipelines.members`."""

import dataclasses
import importlib.metadata
import json
import pathlib
import shlex
import subprocess
import sys

import tfvae
from pipelines import cli, outputs
from pipelines.cli import Failure, UsageError
from pipelines.membership import docstrings, markdown, plan, preparations

_DESCRIPTION = """\
Train a model with each network, likelihood, posterior, prior, objective and condition in turn, its
other parts the defaults, on MNIST in the form that the likelihood is of; write a table of formulas,
references and test NLL as Markdown.

Each result is a file in --results as soon as it is there: the same command goes on where it was
stopped, and trains what is new. A spec, such as --objective "capacity(steps=600)", takes the place
of the default of its member; several of one member are a row each.
"""
_BUDGET = {
    "epochs": "passes over the training images",
    "num_train": "training images",
    "num_test": "test images",
    "num_samples": "importance samples an image, for the NLL",
}


def main(argv):
    """Trains and tabulates as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    output = outputs.check(given.output, (".md",), given.overwrite)
    results = pathlib.Path(given.results)
    cli.check_writable(results, "--results")
    budget = plan.Budget(**{name: getattr(given, name) for name in _BUDGET})
    specs = {role: getattr(given, role) for role in plan.ROLES}
    cli.load_tensorflow()
    entries = plan.entries(specs, plan.fits, given.only)
    if not entries:
        raise UsageError(f"`--only` names members. None is called {', '.join(given.only)}.")
    preparations.write(results, budget.num_train, budget.num_test)
    rows = _rows(entries, results, budget)
    _write(output, markdown.page(rows, budget, _command(argv), _versions()))
    print(f"Table: {output}")


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.members")
    for role, family in plan.ROLES.items():
        parser.add_argument(
            f"--{role}", type=cli.spec_of(family), metavar="SPEC", action="append", default=[]
        )
    parser.add_argument(
        "--only", metavar="NAME", action="append", default=[], help="only these members (all)"
    )
    defaults = plan.Budget()
    for name, text in _BUDGET.items():
        default = getattr(defaults, name)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=cli.positive_int,
            metavar="N",
            default=default,
            help=f"{text} (default: {default})",
        )
    parser.add_argument(
        "--results", default="runs/members", metavar="DIR", help="(default: runs/members)"
    )
    parser.add_argument(
        "--output", default="members.md", metavar="FILE", help="(default: members.md)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")
    return parser


def _rows(entries, results, budget):
    """Returns each entry with its answer: from its file, or by training it now."""
    rows = []
    for number, entry in enumerate(entries, start=1):
        request = {
            "role": entry.role,
            "spec": entry.spec,
            "folder": str(results),
            "budget": dataclasses.asdict(budget),
            "member": docstrings.digest(entry.member),
        }
        path = results / entry.file_name
        answer = _known(path, request)
        if answer is None:
            answer = _ask(request)
            _write(path, json.dumps({"request": request, "answer": answer}, indent=2) + "\n")
        print(f"{number}/{len(entries)}  {entry.role} {entry.spec}: {_summary(answer)}", flush=True)
        rows.append((entry, answer))
    return rows


def _known(path, request):
    """Returns the answer in a file, or None where it is of another request."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["answer"] if found["request"] == request else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _ask(request):
    """Trains one member in a process of its own; returns its answer."""
    process = subprocess.run(
        [sys.executable, "-m", "pipelines.membership.trial"],
        input=json.dumps({name: request[name] for name in ("role", "spec", "folder", "budget")}),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        words = (process.stderr or process.stdout).strip().splitlines()
        raise Failure(
            f"The {request['role']} {request['spec']} could not be tried: its process ended with "
            f"status {process.returncode}: {words[-1] if words else 'it said nothing'}. The "
            f"results so far are kept; the same command goes on with them."
        )
    return json.loads(process.stdout.strip().splitlines()[-1])


def _summary(answer):
    if "refusal" in answer:
        return " ".join(answer["refusal"].split())
    nll = f"NLL {answer['nll']:.2f}" if "nll" in answer else "no NLL"
    return f"{answer['form']}, {nll}, {answer['seconds']:.0f} s"


def _write(path, text):
    from tfvae.files import write_atomically

    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        file.write(text.encode())


def _command(argv):
    # Where results lie and whether a table is replaced changes nothing of what it says.
    words = [word for word in argv if word != "--overwrite"]
    if "--results" in words:
        at = words.index("--results")
        del words[at : at + 2]
    return shlex.join(["python", "-m", "pipelines.members", *words])


def _versions():
    found = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras")}
    return {"tfvae": tfvae.__version__, **found}


if __name__ == "__main__":
    cli.run(main)
