"""Check a deployment: `python -m pipelines.check_serving EXPORTED --url http://HOST:8501`."""

import contextlib
import dataclasses
import os
import pathlib
import time

from pipelines import cli
from pipelines.cli import Failure, UsageError, usage
from tfvae.exporters import comparison, golden
from tfvae.exporters.base import PARTS
from tfvae.lazy import numpy as np

_DESCRIPTION = """\
Check that a server serves an export: exit status 0 if it does, 1 if not.

Waits until the version is available, replays the golden requests of the release, compares the
answers with the model's own, and measures how long they take. EXPORTED is the directory of an
export, or its releases/N/golden.json.
"""
_FORMAT = "saved_model"


def main(argv):
    """Checks as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    path, version = _golden_file(given.exported, given.version)
    requests = _requests(path, given.part or PARTS)
    from tfvae.serving import Client, ServingError

    names = {"encoder": given.encoder, "decoder": given.decoder}
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # gRPC loads TensorFlow
    with usage(), _missing_package(), cli.quiet_stderr():
        client = Client(
            given.url,
            version=None if given.label else version,
            label=given.label,
            names=names,
            timeout=given.timeout,
        )
    try:
        for part in dict.fromkeys(request.part for request in requests):
            client.wait_until_available(part, version, given.wait)
        results = [_replay(client, request, given.num) for request in requests]
    except ServingError as error:
        raise Failure(f"{str(error).rstrip('.')}.{_on_label(given.label, version)}") from error
    print(_table(results))
    wrong = [result for result in results if result.difference]
    if wrong:
        first = wrong[0]
        raise Failure(
            f"Signature `{first.request.signature}` of the {first.request.part}: "
            f"{first.difference} {len(wrong)} of {len(results)} signatures are wrong."
            f"{_on_label(given.label, version)}"
        )
    print(f"{given.url} serves version {version}: {len(results)} signatures answer as the model.")


@dataclasses.dataclass(frozen=True)
class Result:
    """What a server made of a golden request.

    Attributes:
        request: The `Request`.
        difference: What is wrong with the answer, or None.
        seconds: How long each repetition took.
    """

    request: golden.Request
    difference: str | None
    seconds: list


def _replay(client, request, num):
    """Asks a golden request and measures it `num` times."""
    seconds, difference = [], None
    for _ in range(num):
        began = time.perf_counter()
        answer = client.predict(request.part, request.signature, request.inputs)
        seconds.append(time.perf_counter() - began)
        difference = difference or comparison.difference(request.outputs, _typed(answer, request))
    return Result(request, difference, seconds)


def _typed(answer, request):
    """Returns an answer with integers as the export has them: JSON has one kind of integer."""
    dtypes = {name: array.dtype for name, array in request.outputs.items()}
    return {
        name: array.astype(dtypes[name]) if array.dtype.kind in "iu" and name in dtypes else array
        for name, array in answer.items()
    }


def _on_label(label, version):
    """Returns what may be wrong where a server was asked by a label."""
    return "" if label is None else f" Does the label `{label}` name version {version}?"


def _table(results):
    lines = [f"{'part':<9} {'signature':<16} {'rows':>4}  {'median ms':>9} {'95% ms':>9}  answer"]
    for result in results:
        rows = len(next(iter(result.request.inputs.values())))
        median, high = 1e3 * np.quantile(result.seconds, [0.5, 0.95])
        lines.append(
            f"{result.request.part:<9} {result.request.signature:<16} {rows:>4}  {median:>9.2f} "
            f"{high:>9.2f}  {'differs' if result.difference else 'agrees'}"
        )
    return "\n".join(lines)


def _golden_file(exported, version):
    """Returns the file of golden requests, and the version it is about."""
    path = pathlib.Path(exported)
    if path.is_file():
        name = path.resolve().parent.name
        if not name.isdecimal() or version not in (None, int(name)):
            raise UsageError(
                f"EXPORTED is the directory of an export, or its releases/N/{golden.FILE}. "
                f"Received {path}{'' if version is None else f' and `--version {version}`'}."
            )
        return path, int(name)
    folder = path / "releases"
    known = sorted(int(p.parent.name) for p in folder.glob(f"*/{golden.FILE}"))
    if not known:
        raise UsageError(
            f"EXPORTED is the directory of an export with a release. {path} "
            f"{'holds none' if path.exists() else 'does not exist'}. Publish a run with "
            f"`python -m pipelines.export RUN --output {path}`."
        )
    version = known[-1] if version is None else version
    if version not in known:
        raise UsageError(
            f"`--version` names a release. Received {version}; {path} has "
            f"{', '.join(map(str, known))}. Leave it out for the newest."
        )
    return folder / str(version) / golden.FILE, version


def _requests(path, parts):
    try:
        requests = [r for r in golden.read(path) if r.format == _FORMAT and r.part in parts]
    except ValueError as error:
        raise Failure(str(error)) from error
    if not requests:
        raise UsageError(
            f"{path} holds no requests for a server: the release has no {_FORMAT}. Publish with "
            f"`--format {_FORMAT}`."
        )
    return requests


@contextlib.contextmanager
def _missing_package():
    """Turns the `ImportError` of the gRPC transport into a `UsageError`."""
    try:
        yield
    except ImportError as error:
        raise UsageError(str(error)) from error


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.check_serving")
    parser.add_argument("exported", metavar="EXPORTED", help="exported/NAME")
    parser.add_argument(
        "--url",
        default="http://localhost:8501",
        metavar="URL",
        help="http://HOST:8501 for REST, grpc://HOST:8500 for gRPC (default: %(default)s)",
    )
    parser.add_argument(
        "--version", type=cli.positive_int, metavar="N", help="release to check (default: newest)"
    )
    parser.add_argument(
        "--label", metavar="NAME", help="ask by a label, such as canary, instead of the version"
    )
    parser.add_argument(
        "--wait",
        type=cli.non_negative_float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the version (default: 60)",
    )
    parser.add_argument(
        "--timeout", type=cli.positive_float, default=10.0, metavar="SECONDS", help="(10)"
    )
    parser.add_argument(
        "--num", type=cli.positive_int, default=20, metavar="N", help="repetitions to time (20)"
    )
    parser.add_argument(
        "--part",
        action="append",
        choices=PARTS,
        help="check this part alone, where each has an address of its own, as on KServe (both)",
    )
    for part in PARTS:
        parser.add_argument(
            f"--{part}", default=part, metavar="NAME", help=f"name it is served by ({part})"
        )
    return parser


if __name__ == "__main__":
    cli.run(main)
