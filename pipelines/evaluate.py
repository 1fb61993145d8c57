"""Evaluate a run in nats: `python -m pipelines.evaluate RUN`."""

import json

import tfvae
from pipelines import anomalies, cli, factors, scores
from pipelines.cli import UsageError, usage
from pipelines.runs import open_run

REPORT = "evaluation.json"

_DESCRIPTION = """\
Evaluate a finished run on every example of a split, in nats an example.

Prints the ELBO with its two terms, with --num-samples the importance-weighted estimate of the
log-likelihood, and with --baselines what simpler models reach on the same examples; adds them, with
how they were made, to evaluation.json in the run directory. --disentanglement adds measures of how
the codes keep known factors apart, --scores a file with anomaly scores of each example.
"""
_LABELS = {
    "log_likelihood": "log-likelihood",
    "elbo": "ELBO",
    "reconstruction": "reconstruction  E_q[log p(x|z)]",
    "kl": "KL(q(z|x) || p(z))",
}


def main(argv):
    """Evaluates as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    request = scores.check(given)
    run = open_run(given.run)
    cli.check_writable(run.directory, "RUN")
    read_reports(run.directory / REPORT)  # a damaged one is found now, not after the work
    cli.load_tensorflow()
    dataset = run.dataset()
    with usage():
        dataset.num_examples(given.split)  # refuses a split that isn't there, before the model
    factors.check(given, dataset, given.split)
    vae = run.model()
    check_num_samples(vae, given.num_samples)
    additions = []
    if factors.asked(given):
        additions.append(lambda: factors.evaluate(given, vae, dataset, given.split))
    if request is not None:
        examples = anomalies.groups(vae, dataset, given.split, request.labels, request.spec)
        options = {"num_samples": given.num_samples, "seed": given.seed}
        additions.append(lambda: scores.evaluate(request, examples, vae, **options))
    report_on(
        vae,
        dataset,
        run.directory,
        split=given.split,
        num_samples=given.num_samples,
        seed=given.seed,
        with_baselines=given.baselines,
        additions=additions,
    )


def _make_parser():
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.evaluate")
    parser.add_argument("run", metavar="RUN", help="run directory")
    parser.add_argument("--split", default="test", help="(default: test)")
    parser.add_argument(
        "--num-samples",
        type=cli.positive_int,
        metavar="K",
        default=0,
        help="importance samples an example; without it the log-likelihood is left out",
    )
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="fit a mixture by EM and probabilistic PCA too, in the same nats",
    )
    parser.add_argument("--seed", type=cli.non_negative_int, default=0, help="(default: 0)")
    factors.add_options(parser)
    scores.add_options(parser)
    return parser


def check_num_samples(vae, num_samples):
    """Refuses to estimate a log-likelihood where there are no importance weights."""
    if num_samples and not vae.posterior_layer.has_density:
        raise UsageError(
            f"The log-likelihood is estimated by importance weights, which need a posterior with a "
            f"density. That of this model, `{vae.posterior_layer.spec}`, has none. Leave "
            f"`--num-samples` out."
        )


def report_on(
    vae,
    dataset,
    directory,
    *,
    split,
    num_samples=0,
    seed=0,
    with_baselines=False,
    additions=(),
):
    """Evaluates a model, prints the table and adds it to the run's `evaluation.json`.

    Args:
        vae: A `VAE`.
        dataset: A `Dataset`.
        directory: `pathlib.Path` of the run.
        split: Name of a split.
        num_samples: Importance samples an example; 0 leaves the log-likelihood out.
        seed: Int.
        with_baselines: Whether models without a network are fitted and evaluated beside it.
        additions: Functions that each return what is added to the report, a dict, and a table of
            it for the terminal, or None.
    """
    from rich.console import Console
    from rich.progress import Progress

    from tfvae.evaluation import baselines
    from tfvae.evaluation.report import evaluate

    console = Console(highlight=False, soft_wrap=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"evaluating on {split}", total=dataset.num_examples(split))
        report = evaluate(
            vae,
            dataset,
            split,
            num_samples=num_samples,
            seed=seed,
            on_batch=lambda done: progress.update(task, completed=done),
        )
    report["protocol"]["versions"]["tfvae"] = tfvae.__version__
    if with_baselines:
        report["baselines"] = baselines.evaluate(vae, dataset, split, seed=seed)
    tables = [_table(report)]
    for measure in additions:
        found, table = measure()
        report.update(found)
        tables += [] if table is None else [table]
    console.print(*tables, sep="\n")
    if with_baselines and not report["baselines"]:
        console.print(f"No baseline is in the units of the likelihood {vae.likelihood_layer.spec}.")
    _add(report, directory / REPORT)


def _table(report):
    from rich.markup import escape
    from rich.table import Table

    protocol = report["protocol"]
    table = Table(
        title=f"{protocol['dataset']}, {protocol['split']}, {protocol['num_examples']:,} examples",
        title_justify="left",
    )
    table.add_column("nats an example")
    table.add_column("mean", justify="right")
    table.add_column("standard error", justify="right")
    for name, label in _LABELS.items():
        if name in report:
            samples = f", {protocol['num_samples']:,} samples" if name == "log_likelihood" else ""
            error = report[f"{name}_standard_error"]
            shown = "" if error is None else f"{error:.2f}"
            table.add_row(escape(label + samples), f"{report[name]:.2f}", shown)
    if "bits_per_dimension" in report:
        of = "log-likelihood" if "log_likelihood" in report else "ELBO"
        bits = f"{report['bits_per_dimension']:.3f}"
        table.add_row(f"in bits a dimension, of the {of}", bits, "")
    for name, found in report.get("baselines", {}).items():
        error = found["log_likelihood_standard_error"]
        shown = "" if error is None else f"{error:.2f}"
        table.add_row(escape(name), f"{found['log_likelihood']:.2f}", shown)
    return table


def _add(report, path):
    """Adds a report to the file; one with the same protocol takes the place of its forerunner."""
    from tfvae.files import write_atomically

    reports = read_reports(path)
    reports = [r for r in reports if r["protocol"] != report["protocol"]] + [report]
    with write_atomically(path) as file:
        file.write(f"{json.dumps({'evaluations': reports}, indent=2)}\n".encode())


def read_reports(path):
    """Returns the reports of an `evaluation.json`, the newest last; none where there is no file."""
    if not path.is_file():
        return []
    try:
        reports = json.loads(path.read_text(encoding="utf-8"))["evaluations"]
        return [report for report in reports if report["protocol"]]
    except (ValueError, KeyError, TypeError) as error:
        raise cli.Failure(
            f"{path} is damaged ({error}). Move it away and evaluate again."
        ) from error


if __name__ == "__main__":
    cli.run(main)
