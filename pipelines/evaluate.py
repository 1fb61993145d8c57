"""Evaluate a run in nats: `python -m pipelines.evaluate RUN`."""

import functools
import json

from pipelines import cli, factors, scores
from pipelines.cli import UsageError, usage
from pipelines.evaluations.wish import Wish
from pipelines.runs import open_run
from tfvae import components

REPORT = "evaluation.json"

_DESCRIPTION = """\
Evaluate a finished run on every example of a split, in nats an example.

Prints the ELBO with its two terms, what each latent costs and which are active, the mutual
information of code and example, and errors of the reconstruction; with --num-samples the
importance-weighted estimate of the log-likelihood, with --baselines what simpler models reach on
the same examples, with --against the difference to another run and its error, with --tightness how
far the estimate is from log p(x) at most. Adds them, with how they were made, to evaluation.json in
the run directory, to TensorBoard, and writes report.html. --disentanglement adds measures of how
the codes keep known factors apart, --scores a file with anomaly scores of each example.
"""


def main(argv):
    """Evaluates as the command line says.

    Args:
        argv: List of arguments.
    """
    given = _make_parser().parse_args(argv)
    request = scores.check(given)
    run = open_run(given.run)
    against = None if given.against is None else open_run(given.against)
    cli.check_writable(run.directory, "RUN")
    read_reports(run.directory / REPORT)  # a damaged one is found now, not after the work
    cli.load_tensorflow()
    dataset = run.dataset()
    with usage():
        dataset.num_examples(given.split)  # refuses a split that isn't there, before the model
    factors.check(given, dataset, given.split)
    vae = run.model()
    check_num_samples(vae, given.num_samples)
    _check_tightness(vae, given.tightness)
    additions = []
    if factors.asked(given):
        additions.append(lambda **_: factors.evaluate(given, vae, dataset, given.split))
    if request is not None:
        from pipelines import anomalies

        examples = anomalies.groups(vae, dataset, given.split, request.labels, request.spec)
        options = {"num_samples": given.num_samples, "seed": given.seed}
        additions.append(functools.partial(scores.evaluate, request, examples, vae, **options))
    wish = Wish(
        given.split,
        num_samples=given.num_samples,
        seed=given.seed,
        baselines=given.baselines,
        against=against,
        tightness=given.tightness,
        annealing_steps=given.annealing_steps,
    )
    carry_out(vae, dataset, run.directory, wish, additions)


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
    parser.add_argument(
        "--against",
        metavar="RUN",
        help="another run: the difference on the same examples and seeds, with its error",
    )
    parser.add_argument(
        "--tightness",
        type=cli.positive_int,
        metavar="N",
        nargs="?",
        const=16,
        default=0,
        help="bracket log p(x) of N examples of the model itself by annealing from the prior and "
        "back from the posterior, and place the K-sample bound in it (default N: 16)",
    )
    parser.add_argument(
        "--annealing-steps",
        type=cli.positive_int,
        metavar="T",
        default=1000,
        help="temperatures of --tightness: more are tighter (default: 1000)",
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


def _check_tightness(vae, num_examples):
    if num_examples and not vae.posterior_layer.has_density:
        raise UsageError(
            f"`--tightness` asks how far the bound of the posterior is from log p(x), and that of "
            f"this model, `{vae.posterior_layer.spec}`, has no density and no bound. Leave it out."
        )
    if num_examples and vae.condition is not None:
        raise UsageError(
            f"`--tightness` draws examples of the model, and this one is conditional on "
            f"`{vae.condition.spec}`: there is no p(x) to draw from. Leave it out."
        )


def report_on(vae, dataset, directory, *, split, num_samples=0, seed=0, with_baselines=False):
    """Evaluates a model in short, prints the table and adds it to the run's `evaluation.json`.

    Args:
        vae: A `VAE`.
        dataset: A `Dataset`.
        directory: `pathlib.Path` of the run.
        split: Name of a split.
        num_samples: Importance samples an example; 0 leaves the log-likelihood out.
        seed: Int.
        with_baselines: Whether models without a network are fitted and evaluated beside it.
    """
    wish = Wish(split, num_samples, seed, with_baselines, in_full=False)
    carry_out(vae, dataset, directory, wish)


def carry_out(vae, dataset, directory, wish, additions=()):
    """Evaluates a model, prints the tables, and writes what they say.

    Args:
        vae: A `VAE`.
        dataset: A `Dataset`.
        directory: `pathlib.Path` of the run.
        wish: A `Wish`.
        additions: Functions that each return what is added to the report, a dict; of the `terms` of
            the examples, name -> `[num_examples]`, and of the `console`.
    """
    from rich.console import Console

    from pipelines.evaluations import records, tables, work

    console, path = Console(highlight=False, soft_wrap=True), directory / REPORT
    try:
        report, terms = work.evaluate(vae, dataset, wish, console)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"Interrupted. {path} is as it was. {error}".strip()) from None
    found = tables.tables_of(report)
    report = records.joined(report, read_reports(path))
    _add(report, path)  # before what is added, which may fail when the hours are over
    for table in found:
        console.print(tables.show(table))
    try:
        for measure in additions:
            more = measure(terms=terms, console=console)
            report.update(more)
            _add(report, path)
            for table in tables.parts_of(more):
                console.print(tables.show(table))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"Interrupted. What is shown above is in {path}. {error}".strip()
        ) from None
    if wish.baselines and not report["baselines"]:
        console.print(f"No baseline is in the units of the likelihood {vae.likelihood_layer.spec}.")
    if report["latents"]["alarm"]:
        console.print(report["latents"]["alarm"], markup=False)
    if wish.in_full:
        console.print(f"Report: {_write_page(vae, dataset, directory, wish, report)}")


def _write_page(vae, dataset, directory, wish, report):
    """Writes TensorBoard and the page; returns the path of the page."""
    from pipelines.evaluations import board, charts, page, tables
    from tfvae.figures.base import Figure
    from tfvae.training.logs import read_metrics

    pictures = charts.charts_of(report, read_metrics(directory / "metrics.jsonl"))
    board.write(directory, int(vae.optimizer.iterations), report, pictures)
    for spec in ("reconstructions(rows=2)", "samples(rows=4)"):
        figure = components.build(Figure, spec)
        if figure.applies_to(vae, dataset, wish.split):
            picture = figure.render(vae, dataset, split=wish.split, seed=wish.seed)
            pictures[figure.member_name] = picture
    found = tables.tables_of(report)
    page.write(directory / page.NAME, f"Evaluation of {directory}", report, found, pictures)
    return directory / page.NAME


def _add(report, path):
    """Adds a report to the file; one with the same protocol takes the place of its forerunner."""
    from pipelines.evaluations import records
    from tfvae.files import write_atomically

    reports = read_reports(path)
    reports = [r for r in reports if r["protocol"] != report["protocol"]] + [report]
    text = json.dumps({"evaluations": records.as_json(reports)}, indent=2)
    with write_atomically(path) as file:
        file.write(f"{text}\n".encode())


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
