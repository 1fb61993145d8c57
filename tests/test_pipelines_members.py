"""The table of members: what is trained on what, what is kept, and what the page says."""

import io
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from pipelines import cli, members
from pipelines.membership import docstrings, markdown, plan, preparations, trial
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.distribution_layers.base import DistributionLayer
from tfvae.evaluation import measures
from tfvae.training.images import Images

TINY = plan.Budget(epochs=1, num_train=100, num_test=20, num_samples=2)
EVERY = plan.entries({}, lambda role, name: True)
EAGER = pytest.mark.filterwarnings("ignore:Even though the `tf.config")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """MNIST in all forms, a little of it."""
    place = tmp_path_factory.mktemp("forms")
    preparations.write(place, TINY.num_train, TINY.num_test)
    return place


@pytest.fixture
def eagerly(monkeypatch):
    """Without compilation, which takes longer than a few steps."""
    monkeypatch.setattr(Images, "on_epoch_end", lambda *_: None)
    monkeypatch.setattr(measures, "_measure", measures._measure.python_function)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_every_member_of_the_families_of_a_model_is_in_the_plan():
    for role, family in plan.ROLES.items():
        names = [entry.spec for entry in EVERY if entry.role == role]
        assert names == list(components.members(family))


def test_a_spec_takes_the_place_of_its_member_and_several_are_a_row_each():
    given = {"objective": ["iwae(num_samples=5)", "iwae(num_samples=9)"]}
    found = [entry.spec for entry in plan.entries(given, lambda role, name: True, ["iwae", "elbo"])]
    assert found == ["elbo", "iwae(num_samples=5)", "iwae(num_samples=9)"]
    files = {entry.file_name for entry in plan.entries(given, lambda role, name: True)}
    assert len(files) == len(EVERY) + 1


def test_posteriors_and_likelihoods_are_what_the_layers_say():
    assert plan.fits("likelihood", "poisson")
    assert not plan.fits("posterior", "poisson")
    assert plan.fits("posterior", "iaf")
    assert not plan.fits("likelihood", "iaf")


@pytest.mark.parametrize("entry", EVERY, ids=lambda entry: f"{entry.role}-{entry.spec}")
def test_every_member_has_a_source_that_can_be_shown(entry):
    text = docstrings.of(entry.member)
    found = docstrings.references(text)
    assert found
    assert text.count("http") == sum(bool(reference.link) for reference in found)
    assert all(reference.text and not reference.link.endswith(".") for reference in found)
    assert docstrings.formula(text)
    for line in docstrings.formula(text):
        assert f"    {line.strip()}" in text


@pytest.mark.parametrize(
    ("likelihood", "form"),
    [
        ("bernoulli", "binary"),
        ("poisson", "counts"),
        ("negative_binomial", "counts"),
        ("discretized_logistic", "levels"),
        ("categorical", "levels"),
        ("beta_binomial(step=1)", "counts"),
        ("continuous_bernoulli", "density"),
        ("optimal_normal", "density"),
    ],
)
def test_a_likelihood_gets_the_form_of_mnist_that_it_is_of(likelihood, form):
    layer = components.build(DistributionLayer, likelihood, (28, 28, 1))
    assert preparations.choose(layer) == form


def test_the_forms_are_the_same_images(folder):
    specs = preparations.specs(folder, TINY.num_train, TINY.num_test)
    data = {form: components.build(Dataset, spec) for form, spec in specs.items()}
    assert {d.num_examples("train") for d in data.values()} == {TINY.num_train}
    for split in ("train", "test"):
        x = {form: next(iter(d.split(split, 20))).numpy() for form, d in data.items()}
        k = x["counts"]
        assert set(np.unique(x["binary"])) == {0, 1}
        np.testing.assert_allclose(x["levels"] * 255, k, rtol=1e-6)
        np.testing.assert_array_equal(np.floor(x["density"] * 256), k)
        assert (x["binary"][k == 0] == 0).all()
        assert (x["binary"][k == 255] == 1).all()


def test_a_uniform_distribution_of_levels_has_eight_bits_in_every_form():
    nll = {"levels": 784 * np.log(256), "counts": 784 * np.log(256), "density": 0.0}
    for form, nats in nll.items():
        assert preparations.bits_per_dimension(nats, form, 784) == pytest.approx(8)
    assert preparations.bits_per_dimension(1.0, "binary", 784) is None


@EAGER
@pytest.mark.usefixtures("eagerly")
def test_a_trial_is_a_run_of_training_and_an_evaluation(folder):
    answer = trial.run("likelihood", "poisson", str(folder), TINY)
    assert answer["form"] == "counts"
    assert "scale=1" in answer["dataset"]
    # Two samples: a bound that is tighter on average, of other noise.
    assert answer["nll"] == pytest.approx(-answer["elbo"], rel=0.05)
    assert answer["bits_per_dimension"] == pytest.approx(answer["nll"] / 784 / np.log(2))
    assert answer["standard_error"] > 0
    point = trial.run("posterior", "delta", str(folder), TINY)
    assert "nll" not in point
    assert point["elbo"] == point["reconstruction"] < 0
    refused = trial.run("objective", "capacity", str(folder), TINY)
    assert "takes 5,000 steps" in refused["refusal"]
    entries = [
        plan.Entry("likelihood", "poisson"),
        plan.Entry("posterior", "delta"),
        plan.Entry("objective", "capacity"),
    ]
    page = markdown.page(
        list(zip(entries, (answer, point, refused), strict=True)),
        TINY,
        "the command",
        {"tfvae": "1"},
    )
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == 3
    assert all(len(re.split(r"(?<!\\)\|", row)) == 8 for row in rows)
    assert "none: no density" in rows[0]
    assert f"| counts | {answer['nll']:.2f} ± {answer['standard_error']:.2f} |" in rows[1]
    assert "`P(x) = rate**x exp(-rate) / x!,  rate = exp(params),  x in {0, 1, 2, ...}`" in rows[1]
    assert "[Zhao et al. Variational autoencoders for sparse" in rows[1]
    assert "(https://arxiv.org/abs/1905.00616)" in rows[1]
    assert "none: The schedule of the objective" in rows[2]


def test_a_table_that_was_stopped_goes_on_with_what_is_new(place, monkeypatch, capsys):
    asked = []

    def ask(request):
        asked.append(request["spec"])
        if len(asked) == 2:
            raise KeyboardInterrupt
        return {"form": "binary", "nll": 100.0, "standard_error": 0.5, "seconds": 1.0}

    monkeypatch.setattr(members, "_ask", ask)
    monkeypatch.setattr(preparations, "write", lambda *_: None)
    arguments = ["--only", "elbo", "--only", "iwae", "--results", "done"]
    with pytest.raises(KeyboardInterrupt):
        members.main(arguments)
    members.main(arguments)
    assert asked == ["elbo", "iwae", "iwae"]
    assert (
        "python -m pipelines.members --only elbo --only iwae\n"
        in (place / "members.md").read_text()
    )
    with pytest.raises(cli.UsageError, match="Choose another name, or add `--overwrite`"):
        members.main(arguments)
    members.main([*arguments, "--overwrite", "--objective", "iwae(num_samples=5)"])
    members.main([*arguments, "--overwrite", "--num-samples", "7"])
    assert asked[3:] == ["iwae(num_samples=5)", "elbo", "iwae"]
    (place / "done" / "objective-elbo.json").write_text("{")
    members.main([*arguments, "--overwrite", "--num-samples", "7"])
    assert asked[6:] == ["elbo"]
    assert "1/2  objective elbo: binary, NLL 100.00, 1 s" in capsys.readouterr().out


def test_a_trial_that_dies_is_one_message_and_no_result(place, monkeypatch):
    monkeypatch.setattr(members.sys, "executable", "false")
    monkeypatch.setattr(preparations, "write", lambda *_: None)
    with pytest.raises(cli.Failure, match=r"objective elbo could not be tried: .* status 1"):
        members.main(["--only", "elbo"])
    assert not list(place.rglob("*.json"))


def test_the_process_of_a_trial_answers_in_one_line_of_json(folder, monkeypatch, capsys):
    request = {"role": "condition", "spec": "vector", "folder": str(folder), "budget": vars(TINY)}
    monkeypatch.setattr(trial.sys, "stdin", io.StringIO(json.dumps(request)))
    trial.main([])
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "`vector`" in answer["refusal"]
