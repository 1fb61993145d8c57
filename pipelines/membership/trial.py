"""One member, trained and evaluated: `python -m pipelines.membership.trial`.

It reads a request as JSON from standard input and answers with JSON as the last line of standard
output. In a process of its own, a member leaves nothing behind for the next.

    {"role": ..., "spec": ..., "folder": ..., "budget": {...}}
    ->  {"nll": 101.2, "standard_error": 0.6, ...}  or  {"refusal": "..."}
"""

import json
import sys
import tempfile
import time

import tfvae
from pipelines import cli
from pipelines.membership import preparations
from pipelines.membership.plan import BASE, ROLES, Budget
from pipelines.runs import dataset_of

_NUMBERS = ("epochs", "batch_size", "learning_rate", "seed")
_EVENT = (28, 28, 1)


def main(argv):
    """Answers one request."""
    del argv
    request = json.load(sys.stdin)
    cli.load_tensorflow()
    answer = run(request["role"], request["spec"], request["folder"], Budget(**request["budget"]))
    print(f"\n{json.dumps(answer)}")


def run(role, spec, folder, budget):
    """Trains a model of which one part is a member, and evaluates it on test images.

    Args:
        role: One of `plan.ROLES`.
        spec: Spec of the member.
        folder: Where `preparations.write` has written.
        budget: A `Budget`.

    Returns:
        Dict for JSON: `form` of the data, `dataset`, `num_weights`, `seconds`, and `nll`,
        `standard_error`, `elbo` and `bits_per_dimension` where there are such; or the `refusal`.
    """
    from tfvae.training.guard import NotFiniteError

    began = time.monotonic()
    try:
        form, options = _options(role, spec, folder, budget)
        found = _measure(options, budget)
    except (ValueError, NotFiniteError) as error:
        return {"refusal": str(error)}
    bits = None
    if "nll" in found:
        size = _EVENT[0] * _EVENT[1]
        bits = preparations.bits_per_dimension(found["nll"], form, size)
    return {
        "form": form,
        "dataset": options["dataset"],
        **found,
        "bits_per_dimension": bits,
        "seconds": round(time.monotonic() - began, 1),
    }


def _options(role, spec, folder, budget):
    from tfvae import components
    from tfvae.distribution_layers.base import DistributionLayer

    form = "binary"
    if role == "likelihood":
        form = preparations.choose(components.build(DistributionLayer, spec, _EVENT))
    dataset = preparations.specs(folder, budget.num_train, budget.num_test)[form]
    return form, {**BASE, role: spec, "dataset": dataset, "epochs": budget.epochs}


def _measure(options, budget):
    from tfvae.evaluation import measures, report
    from tfvae.training import loop

    dataset = dataset_of(options)
    parts = {role: options[role] for role in ROLES} | {"condition": dataset.condition}
    vae = tfvae.VAE(dataset.event_shape, options["latent_size"], seed=options["seed"], **parts)
    with tempfile.TemporaryDirectory() as folder:
        loop.train(vae, dataset, folder, **{name: options[name] for name in _NUMBERS})
    num_samples = budget.num_samples if vae.posterior_layer.has_density else 0
    terms = measures.measure(vae, dataset, "test", num_samples=num_samples).terms
    found = {"num_weights": vae.count_params()}
    for name in ("elbo", "reconstruction"):
        found |= {name: report.with_error(name, terms[name])[name]}
    if num_samples:
        nll = report.with_error("nll", -terms["log_likelihood"])
        found |= {"nll": nll["nll"], "standard_error": nll["nll_standard_error"]}
    return found


if __name__ == "__main__":
    cli.run(main)
