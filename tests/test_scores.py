"""Anomaly scores of single examples: what they are, and how well they tell anomalies apart."""

import contextlib
import importlib.util
import io
import itertools
import json

import numpy as np
import pytest
import samples
import scipy.stats
import tensorflow as tf
from rich.console import Console
from sources import build
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from test_pipelines_encode import read as read_table

import tfvae
from pipelines import anomalies, cli, evaluate, runs, scores
from pipelines.evaluations import page, tables
from tfvae import components
from tfvae.datasets.base import Dataset
from tfvae.disentanglement.base import Metric
from tfvae.evaluation import factors, measures, ranking, report
from tfvae.evaluation import scores as library

DATA = "synthetic(kind='moons', num=1500)"
SHAPES = "shapes(size=16, scales=2, rotations=2, positions=4)"


# AUROC


def by_pairs(values, anomalous):
    """Returns the AUROC by its definition, over all pairs."""
    pairs = itertools.product(values[anomalous], values[~anomalous])
    return np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])


@pytest.fixture(scope="module")
def ranked():
    """Scores with ties, and which of them are of anomalies."""
    rng = np.random.default_rng(0)
    anomalous = rng.random(120) < 0.3
    return np.round(rng.normal(size=120) + anomalous, 1), anomalous


def test_the_area_is_the_share_of_pairs(ranked):
    assert ranking.auroc(*ranked).value == pytest.approx(by_pairs(*ranked), abs=1e-12)


def test_the_area_is_the_statistic_of_mann_and_whitney(ranked):
    values, anomalous = ranked
    statistic = scipy.stats.mannwhitneyu(values[anomalous], values[~anomalous]).statistic
    pairs = anomalous.sum() * (~anomalous).sum()
    assert ranking.auroc(values, anomalous).value == pytest.approx(statistic / pairs, abs=1e-12)


def test_the_area_is_a_matter_of_order_alone(ranked):
    values, anomalous = ranked
    found = ranking.auroc(values, anomalous)
    assert ranking.auroc(np.exp(3 * values), anomalous) == found
    turned = ranking.auroc(-values, anomalous)
    assert turned.value == pytest.approx(1 - found.value, abs=1e-12)
    assert turned.standard_error == pytest.approx(found.standard_error)
    assert ranking.auroc(values, ~anomalous).value == pytest.approx(1 - found.value, abs=1e-12)


def test_the_ends_and_the_middle_of_the_scale():
    anomalous = np.array([False, False, True, True])
    assert ranking.auroc([1, 2, 3, 4], anomalous) == ranking.Area(1.0, 0.0)
    assert ranking.auroc([3, 4, 1, 2], anomalous) == ranking.Area(0.0, 0.0)
    assert ranking.auroc([7, 7, 7, 7], anomalous).value == 0.5
    assert ranking.auroc([-np.inf, 0, 1, np.inf], anomalous).value == 1.0
    assert ranking.auroc([1, 2, 3], [False, False, True]).standard_error is None


def test_the_area_of_two_gaussians_and_its_error_are_known():
    # P(a > b) of N(1, 1) and N(0, 1) is the distribution function of N(0, 2) at 1.
    rng = np.random.default_rng(1)
    anomalous = np.arange(250) < 100
    found = [ranking.auroc(rng.normal(size=250) + anomalous, anomalous) for _ in range(400)]
    values = np.array([area.value for area in found])
    spread = values.std(ddof=1)
    assert values.mean() == pytest.approx(scipy.stats.norm.cdf(2**-0.5), abs=5 * spread / 20)
    # A standard deviation of 400 draws is off by 1 in sqrt(800).
    errors = [area.standard_error for area in found]
    assert np.mean(errors) == pytest.approx(spread, rel=5 / 800**0.5)


@pytest.mark.parametrize(
    ("values", "anomalous"),
    [([1.0, 2.0], [True, True]), ([1.0], [False]), ([np.nan, 1.0], [True, False])],
)
def test_an_area_needs_numbers_of_both_kinds(values, anomalous):
    with pytest.raises(ValueError, match="one of each at least, and none is NaN"):
        ranking.auroc(values, anomalous)


# The scores


@pytest.fixture(scope="module")
def moons():
    return build(DATA)


@pytest.fixture(scope="module")
def vae(moons):
    return tfvae.VAE(moons.event_shape, 1, network="mlp(hidden=(8,))", likelihood="normal")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory with a model that has not learnt anything."""
    directory = tmp_path_factory.mktemp("run")
    vae = tfvae.VAE(build(SHAPES).event_shape, 3, network="mlp(hidden=())")
    vae.compile()
    vae.save(directory / "model.keras")
    (directory / "options.json").write_text(json.dumps({"dataset": SHAPES}))
    (directory / "metrics.jsonl").touch()
    return directory


@pytest.fixture(scope="module")
def scored(vae, moons):
    """The columns of the test split, and the mean over the validation split, with 4 samples."""
    terms = _columns(library.terms(vae, moons, "test", num_samples=4, seed=5))
    return terms, library.mean_bound(vae, moons, "validation", num_samples=4, seed=5)


def write(path, vae, dataset, labels=(), spec=None):
    """Scores a split with 4 samples and returns what is added to the report."""
    request = scores.Request(path, labels, spec)
    examples = anomalies.groups(vae, dataset, "test", labels, spec)
    options = {"num_samples": 4, "seed": 5, "console": Console(quiet=True)}
    return scores.evaluate(request, examples, vae, **options)["scores"]


def test_anomalies_of_another_table_are_seen_as_the_model_sees_its_own(tmp_path):
    samples.write_table(tmp_path / "people.csv")
    head, *lines = (tmp_path / "people.csv").read_text().splitlines()
    older = [f"{int(age) + 100},{rest}" for age, rest in (line.split(",", 1) for line in lines)]
    (tmp_path / "older.csv").write_text("\n".join([head, *older]))
    dataset = build(f"table(path='{tmp_path}/people.csv')")
    vae = tfvae.VAE(dataset.event_shape, 1, network="mlp(hidden=())", likelihood="normal",
                    transform=dataset.transform)  # fmt: skip
    spec = f"table(path='{tmp_path}/older.csv')"
    _, group = anomalies.groups(vae, dataset, "test", spec=spec)
    (x,) = group.dataset.split("test", 500)
    age = dataset.transform.columns[0]
    # A hundred years more; a table's own statistics would hide them.
    assert np.mean(x[:, 0]) == pytest.approx(100 / age["stddev"], abs=1)
    with pytest.raises(cli.UsageError, match="the model takes rows of a table"):
        anomalies.groups(vae, dataset, "test", spec="synthetic(kind='mixture', size=7)")


def test_the_means_of_the_scores_are_the_numbers_of_the_report(vae, moons, scored):
    expected = report.evaluate(vae, moons, "test", num_samples=4, seed=5)
    for name in library.TERMS:
        # The same terms, added up in float64.
        assert scored[0][name].mean(dtype=np.float64) == pytest.approx(expected[name], rel=1e-6)
    expected = report.evaluate(vae, moons, "validation", num_samples=4, seed=5)
    assert scored[1] == pytest.approx(expected["log_likelihood"], rel=1e-6)


@pytest.mark.xla
def test_the_size_of_a_chunk_does_not_matter(vae, moons, scored, monkeypatch):
    monkeypatch.setattr(library, "CHUNK", 100)
    monkeypatch.setattr(library, "_CODES", 50)
    found = list(library.terms(vae, moons, "test", seed=5))
    assert [len(chunk["elbo"]) for chunk in found] == [100, 50]
    for name, column in _columns(found).items():
        np.testing.assert_allclose(column, scored[0][name], rtol=1e-5, atol=1e-5)


def test_without_samples_the_elbo_stands_for_the_likelihood(vae, moons, scored):
    found = next(library.terms(vae, moons, "test", seed=5))
    assert "log_likelihood" not in found
    assert library.bound_of(found) == "elbo"
    assert library.bound_of(scored[0]) == "log_likelihood"


def test_terms_that_an_evaluation_has_found_are_not_taken_again(
    vae, moons, scored, tmp_path, monkeypatch
):
    write(tmp_path / "anew.csv", vae, moons)
    monkeypatch.setattr(library, "mean_bound", lambda *_, **__: scored[1])
    monkeypatch.setattr(library, "terms", lambda *_, **__: pytest.fail("they are known"))
    monkeypatch.setattr(library, "CHUNK", 60)
    request = scores.Request(tmp_path / "known.csv", (), None)
    examples = anomalies.groups(vae, moons, "test")
    options = {"num_samples": 4, "seed": 5, "console": Console(quiet=True)}
    scores.evaluate(request, examples, vae, **options, terms=scored[0])
    assert request.path.read_bytes() == (tmp_path / "anew.csv").read_bytes()


def test_the_validation_split_is_compared_with_the_training_split(
    vae, moons, tmp_path, monkeypatch
):
    over = []
    monkeypatch.setattr(library, "mean_bound", lambda *a, **_: over.append(a[2]) or -3.0)
    request = scores.Request(tmp_path / "scores.npz", (), None)
    examples = anomalies.groups(vae, moons, "validation")
    options = {"num_samples": 0, "seed": 5, "console": Console(quiet=True)}
    found = scores.evaluate(request, examples, vae, **options)["scores"]
    assert found["typicality"] == {"mean": -3.0, "of": "elbo", "over": "train"}
    assert over == ["train"]
    columns = np.load(request.path)
    np.testing.assert_allclose(columns["typicality"], np.abs(columns["elbo"] + 3), rtol=1e-6)


def test_typicality_is_a_distance():
    np.testing.assert_array_equal(library.typicality([-90.0, -100.0, -130.0], -100.0), [10, 0, 30])


@pytest.mark.parametrize("suffix", scores.SUFFIXES)
def test_each_kind_of_file_holds_every_example(vae, moons, scored, tmp_path, suffix):
    path = tmp_path / "new" / f"scores{suffix}"
    write(path, vae, moons, (1,))
    given = {name: np.ravel(column) for name, column in read(path).items()}
    terms, mean = scored
    labels = moons.labels("test")
    want = {
        **terms,
        "index": np.arange(150),
        "label": labels,
        "anomalous": labels == 1,
        "typicality": np.abs(terms["log_likelihood"] - mean),
    }
    assert set(given) == set(want)
    for name, column in want.items():
        np.testing.assert_allclose(given[name], column, rtol=1e-6, atol=1e-6)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_what_is_added_says_how_well_the_scores_tell_anomalies(vae, moons, scored, tmp_path):
    found = write(tmp_path / "scores.npz", vae, moons, (0,))
    columns = np.load(tmp_path / "scores.npz")
    assert found["num_examples"] == 150
    mean = pytest.approx(scored[1], abs=1e-6)
    assert found["typicality"] == {"mean": mean, "of": "log_likelihood", "over": "validation"}
    anomalous = columns["anomalous"] == 1
    counts = {"num_anomalies": int(anomalous.sum()), "num_others": int((~anomalous).sum())}
    assert found["anomalies"] == {"labels": [0], **counts}
    assert list(found["auroc"]) == ["log_likelihood", "elbo", "reconstruction", "kl", "typicality"]
    for name, area in found["auroc"].items():
        sign = 1 if name in ("kl", "typicality") else -1
        assert area["value"] == pytest.approx(by_pairs(sign * columns[name], anomalous))
    (table,) = tables.parts_of({"scores": found})
    assert [row[0] for row in table.rows][2:4] == ["minus reconstruction", "kl"]
    assert len(table.rows) == 5


def interrupted(chunks, num):
    """Yields so many chunks, and then somebody presses Ctrl-C."""
    yield from itertools.islice(chunks, num)
    raise KeyboardInterrupt


@pytest.mark.parametrize("num_chunks", [1, 4])
def test_scoring_goes_on_where_it_was_interrupted(vae, moons, tmp_path, monkeypatch, num_chunks):
    monkeypatch.setattr(library, "CHUNK", 60)  # 60, 60 and 30 of the examples, and of the others
    path, far = tmp_path / "scores.csv", "synthetic(kind='moons', num=1500, noise=3.0)"
    rows = scores._rows
    whole = write(tmp_path / "whole.csv", vae, moons, spec=far)
    with monkeypatch.context() as patch:
        patch.setattr(scores, "_rows", lambda *a: interrupted(rows(*a), num_chunks))
        done = {1: 60, 4: 210}[num_chunks]
        with pytest.raises(KeyboardInterrupt, match=f"{done} of 300 examples have been scored"):
            write(path, vae, moons, spec=far)
    assert not path.exists()
    anew = []
    monkeypatch.setattr(library, "mean_bound", lambda *_, **__: pytest.fail("it is there"))
    monkeypatch.setattr(scores, "_rows", lambda *a: anew.extend(rows(*a)) or iter(anew))
    found = write(path, vae, moons, spec=far)
    assert sum(len(chunk["elbo"]) for chunk in anew) == 300 - done
    assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert {**found, "file": whole["file"]} == whole
    assert {p.name for p in tmp_path.iterdir()} == {"scores.csv", "whole.csv"}


def test_rows_of_another_model_are_made_anew(vae, moons, tmp_path, monkeypatch):
    path, rows = tmp_path / "scores.csv", scores._rows
    with monkeypatch.context() as patch:
        patch.setattr(library, "CHUNK", 60)
        patch.setattr(scores, "_rows", lambda *a: interrupted(rows(*a), 1))
        with pytest.raises(KeyboardInterrupt):
            write(path, vae, moons)
    other = tfvae.VAE(moons.event_shape, 1, network="mlp(hidden=(8,))", likelihood="normal", seed=1)
    write(path, other, moons)
    write(tmp_path / "whole.csv", other, moons)
    assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_another_data_set_is_scored_beside_the_examples(vae, moons, tmp_path):
    far = "synthetic(kind='linear_gaussian', size=2, num=1500, noise=30.0)"
    found = write(tmp_path / "scores.npz", vae, moons, spec=far)
    columns = np.load(tmp_path / "scores.npz")
    np.testing.assert_array_equal(columns["anomalous"], np.repeat([0, 1], 150))
    np.testing.assert_array_equal(columns["index"], np.tile(np.arange(150), 2))
    assert "label" not in columns  # the other data have none
    assert found["anomalies"]["fingerprint"] == build(far).fingerprint()
    assert found["anomalies"]["binarization"] == moons.binarization
    assert found["auroc"]["elbo"]["value"] > 0.9  # some thirty standard deviations away


@pytest.fixture(scope="module")
def evaluated(run, tmp_path_factory):
    """The program has run: (the file, the report, what was shown)."""
    path = tmp_path_factory.mktemp("scores") / "a.csv"
    path.write_text("mine")
    arguments = [str(run), "--scores", str(path), "--anomalous", "1", "--seed", "4"]
    with pytest.raises(cli.UsageError, match="add `--overwrite`"):
        evaluate.main(arguments)
    assert path.read_text() == "mine"
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        evaluate.main([*arguments, "--overwrite", "--measure", "mig(bins=9)", "--measure", "sap"])
    return path, evaluate.read_reports(run / evaluate.REPORT)[-1], shown.getvalue()


def test_the_program_scores_a_run(evaluated):
    path, report, shown = evaluated
    names = "anomalous,elbo,index,kl,label,reconstruction,typicality"
    assert path.read_text().startswith(names)
    assert report["scores"]["file"] == str(path)
    column = np.loadtxt(path, delimiter=",", skiprows=1)[:, 1]
    assert column.mean() == pytest.approx(report["elbo"], rel=1e-6)
    for name, area in report["scores"]["auroc"].items():
        assert name in shown
        assert f"{area['value']:.3f}" in shown


def test_the_program_measures_disentanglement(run, evaluated):
    _, report, shown = evaluated
    found, dataset = report["disentanglement"], build(SHAPES)
    assert found["num_examples"] == dataset.num_examples("test") == 19
    assert found["metrics"] == ["mig(bins=9)", "sap"]
    assert found["seed"] == 4
    assert found["factors"]["shape"] == 3
    vae = runs.open_run(run).model()
    codes = vae.posterior(next(iter(dataset.split("test", 50)))).mean()
    metric = components.build(Metric, "sap")
    again = metric.measure(codes, dataset.factors("test"), class_factors=[0], seed=4)["sap"]
    assert found["scores"]["sap"]["value"] == pytest.approx(again.value)
    for name, score in found["scores"].items():
        assert name in shown
        assert f"{score['value']:.3f}" in shown


def test_the_page_and_tensorboard_hold_what_was_asked_for_besides(run, evaluated):
    _, report, _ = evaluated
    text = (run / page.NAME).read_text(encoding="utf-8")
    events = EventAccumulator(str(run / "evaluation"), size_guidance={"tensors": 0}).Reload()
    values = {f"auroc/{name}": area for name, area in report["scores"]["auroc"].items()}
    for name, score in report["disentanglement"]["scores"].items():
        values[f"disentanglement/{name}"] = score
    assert len(values) > 4
    for tag, found in values.items():
        assert f'<td class="number">{found["value"]:.3f}</td>' in text
        event = events.Tensors(f"test/{tag}")[-1]
        assert tf.make_ndarray(event.tensor_proto) == pytest.approx(found["value"])


def test_votes_may_be_on_pictures_rendered_anew(run):
    vae, dataset = runs.open_run(run).model(), build(SHAPES)
    spec = "factor_vae(anew=True, num_votes=100, num_samples=8, least_stddev=0)"
    found = factors.evaluate(vae, dataset, "test", metrics=[spec])
    assert found["metrics"][0].startswith("factor_vae(num_votes=100, num_samples=8")
    assert 0 < found["scores"]["factor_vae"]["value"] <= 1


def test_no_two_pictures_made_anew_have_the_same_noise(run, monkeypatch):
    dataset, starts = build(SHAPES), []
    examples_of = dataset.examples_of

    def counted(rows, start=0):
        starts.append((start, len(rows)))
        return examples_of(rows, start)

    monkeypatch.setattr(dataset, "examples_of", counted)
    vae = runs.open_run(run).model()
    spec = "factor_vae(anew=True, num_votes=60, num_samples=2, least_stddev=0)"  # 50 and 10 votes
    factors.evaluate(vae, dataset, "test", metrics=[spec])
    made = [start for start in starts if start[1] > 1]
    assert [num for _, num in made] == [100, 20, 100, 20]
    assert [start for start, _ in made] == [0, 100, 120, 220]


def test_anomalies_that_are_binarized_otherwise_are_said_to_be(run, capsys):
    vae, dataset = runs.open_run(run).model(), build(SHAPES.replace(")", ", binarize='static')"))
    for seed, how in ((1, "static"), (0, "threshold")):
        other = SHAPES.replace(")", f", binarize={how!r}, seed={seed})")
        anomalies.groups(vae, dataset, "test", (), other)
        shown = capsys.readouterr().out
        assert ("their binarization is `threshold" in shown) == (how == "threshold")


def test_anomalies_are_in_the_support_as_far_as_all_of_them_reach(run, monkeypatch):
    spec = SHAPES.replace(")", ", binarize='static')")
    vae, dataset = runs.open_run(run).model(), build(spec)
    anomalies.groups(vae, dataset, "test", (), spec)
    monkeypatch.setattr(type(dataset), "value_range", lambda _: (0.0, 7.0))  # of a later example
    with pytest.raises(cli.UsageError, match="Received data with values from 0 to 7"):
        anomalies.groups(vae, dataset, "test", (), spec)


def test_pictures_made_anew_are_those_of_the_data_set():
    dataset = build(SHAPES)
    x = np.concatenate(list(dataset.split("test", 50)))
    np.testing.assert_array_equal(dataset.examples_of(dataset.factors("test")), x)
    binary = build(SHAPES.replace(")", ", binarize='static')"))
    drawn = [binary.examples_of(dataset.factors("test"), start) for start in (0, 19)]
    assert all(np.isin(each, (0, 1)).all() for each in drawn)
    assert np.any(drawn[0] != drawn[1])  # each number has noise of its own
    assert np.all(drawn[0][x == 1] == 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--anomalous", "1"], "`--anomalous` goes with scores. Add `--scores scores.parquet`."),
        (["--scores", "a.txt"], "a .parquet or a .csv or a .npz or a .tfrecord file"),
        (["--scores", "a.csv", "--anomalous", "1", "--anomalies", "mnist"], "Leave out"),
        (["--scores", "a.csv", "--anomalous", "7"], "has the labels 0, 1, 2. Received 7."),
        (["--scores", "a.csv", "--anomalous", "0,1,2"], "and not all of them"),
        (["--scores", "a.csv", "--anomalous", "one"], "whole numbers such as 3 or 3,5"),
        (["--scores", "a.csv", "--anomalies", "synthetic(size=3)"], "have (3,)"),
        (["--disentanglement", "--split", "all"], "has the splits train"),
        (["--disentanglement", "--measure", "mig"], "Received both: give one of them."),
    ],
)
def test_what_cannot_be_scored_is_refused_before_the_work(run, place, arguments, message):
    with pytest.raises(cli.UsageError) as caught:
        evaluate.main([str(run), *arguments])
    assert message in str(caught.value)
    assert not list(place.iterdir())


def test_a_package_that_a_measure_lacks_is_told_of_before_the_work(run, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sklearn" else find_spec(name)
    )
    monkeypatch.setattr(measures, "measure", None)  # the work
    with pytest.raises(OSError, match="needs scikit-learn, which is not installed"):
        evaluate.main([str(run), "--disentanglement"])


def test_a_measure_on_data_that_cannot_be_made_anew_is_refused():
    dataset = build("synthetic(kind='shapes', size=4, num=100)")
    with pytest.raises(ValueError, match="can't make them"):
        factors.evaluate(None, dataset, "test", metrics=["factor_vae(anew=True)"])


def test_data_without_factors_are_refused(moons, monkeypatch):
    monkeypatch.setattr(type(moons), "factors", Dataset.factors)
    with pytest.raises(ValueError, match="measured on data whose factors are known"):
        factors.evaluate(None, moons, "test")


def _columns(chunks):
    chunks = list(chunks)
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def read(path):
    """Returns the columns of a table as arrays."""
    if path.suffix != ".csv":
        return read_table(path)
    names = path.read_text().partition("\n")[0].split(",")
    return dict(zip(names, np.loadtxt(path, delimiter=",", skiprows=1).T, strict=True))
