"""The `--disentanglement` of `pipelines.evaluate`: how codes keep known factors apart."""

from pipelines import cli
from pipelines.cli import UsageError, usage
from tfvae import components

_FAMILY = "disentanglement"


def add_options(parser):
    """Adds the options to a parser."""
    parser.add_argument(
        "--disentanglement",
        action="store_true",
        help=f"measure it by {', '.join(components.members(_FAMILY))}, on data whose factors are "
        f"known, such as `shapes`",
    )
    parser.add_argument(
        "--measure",
        action="append",
        type=cli.spec_of(_FAMILY),
        metavar="SPEC",
        help='measure disentanglement by this alone, such as "mig(bins=30)"; may be repeated',
    )


def check(given, dataset, split):
    """Refuses, before the work, data without factors and measures that lack a package."""
    if given.disentanglement and given.measure:
        raise UsageError(
            "`--disentanglement` takes all measures, `--measure` those that it names. Received "
            "both: give one of them."
        )
    if asked(given):
        from tfvae.disentanglement.base import Metric
        from tfvae.evaluation import factors

        with usage():
            specs = given.measure or components.members(_FAMILY)
            factors.check(dataset, split, [components.build(Metric, spec) for spec in specs])


def asked(given):
    """Says whether disentanglement is to be measured."""
    return bool(given.disentanglement or given.measure)


def evaluate(given, vae, dataset, split):
    """Measures disentanglement, and returns what is added to the report.

    Args:
        given: The parsed arguments.
        vae: A `VAE`.
        dataset: A `Dataset`.
        split: Name of a split.

    Returns:
        Dict that holds `disentanglement`.
    """
    from tfvae.evaluation import factors

    with usage():
        found = factors.evaluate(vae, dataset, split, metrics=given.measure, seed=given.seed)
    return {"disentanglement": found}
