"""`pipelines.evaluate`: what it prints, writes and refuses."""

import html
import html.parser
import io
import json
import re
import shutil
import types

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tfvae
from pipelines import cli, evaluate
from pipelines.evaluations import board, charts, page, records, tables, work
from pipelines.evaluations.wish import Wish
from pipelines.runs import open_run
from tfvae.evaluation import importance, measures

DATA = "synthetic(kind='shapes', size=4, num=130, binarize='static')"


def make_run(directory, dataset=DATA, **options):
    """Writes a run directory as training leaves it, of a model as it began."""
    directory.mkdir()
    (directory / "options.json").write_text(json.dumps({"dataset": dataset}))
    shape = open_run_data(dataset).event_shape
    vae = tfvae.VAE(shape, 14, network="mlp(hidden=())", **options)
    vae.compile()
    vae.optimizer.build(vae.trainable_variables)
    vae.save(directory / "model.keras")
    records = [{"epoch": i + 1, "train": {"elbo": -9.0 - i}} for i in range(3)]
    (directory / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return directory


def open_run_data(spec):
    from tfvae import components
    from tfvae.datasets.base import Dataset

    return components.build(Dataset, spec)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two runs, `<one>` and other, and one has been evaluated in full."""
    folder = tmp_path_factory.mktemp("runs")
    make_run(folder / "<one>")
    make_run(folder / "other", seed=1)
    return folder


@pytest.fixture(scope="module")
def evaluated(place):
    """The run, the text on the terminal, and its report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        lines = []
        print_ = tables.show
        patch.setattr(tables, "show", lambda table: lines.append(table) or print_(table))
        arguments = ["--num-samples", "20", "--tightness", "3", "--annealing-steps", "10"]
        evaluate.main([str(place / "<one>"), *arguments, "--against", str(place / "other")])
    (report,) = evaluate.read_reports(place / "<one>" / evaluate.REPORT)
    return place / "<one>", lines, report


def test_the_protocol_says_how_the_numbers_were_made(evaluated):
    _, _, report = evaluated
    protocol = report["protocol"]
    assert protocol["split"] == "test"
    assert protocol["num_examples"] == open_run_data(DATA).num_examples("test")
    assert protocol["binarization"].startswith("static; in an evaluation drawn once, from seed")
    assert (protocol["num_samples"], protocol["seed"]) == (20, 0)
    assert {"tensorflow", "keras", "numpy", "python", "tfvae"} <= set(protocol["versions"])


def test_the_tables_show_every_part(evaluated):
    _, shown, report = evaluated
    assert len(shown) == 4  # numbers, latents, the other run, tightness
    rows = {row[0]: row[1:] for table in shown for row in table.rows}
    assert rows["log-likelihood, 20 samples"][0] == f"{report['log_likelihood']:.2f}"
    assert rows["active latents  Var_x(E[z|x]) > 0.01"][0].endswith("of 14")
    costs = report["latents"]["kl"]
    most = int(np.argmax(costs))
    assert shown[1].rows[0][:2] == (str(most), f"{costs[most]:.3f}")
    assert shown[1].rows[-1][0] == "2 more"


def test_the_difference_has_the_error_of_pairs(evaluated, place):
    _, _, report = evaluated
    data = open_run_data(DATA)
    one, two = (
        measures.measure(open_run(place / name).model(), data, "test")
        for name in ("<one>", "other")
    )
    expected = scipy.stats.ttest_rel(np.float64(one.terms["elbo"]), np.float64(two.terms["elbo"]))
    found = report["against"]["difference"]
    statistic = found["elbo"] / found["elbo_standard_error"]
    assert statistic == pytest.approx(expected.statistic, rel=1e-4)
    assert found["log_likelihood"] == pytest.approx(
        report["against"]["this"]["log_likelihood"] - report["against"]["other"]["log_likelihood"],
        abs=1e-6,
    )


def test_tensorboard_holds_the_numbers_and_the_latents(evaluated):
    run, _, report = evaluated
    events = EventAccumulator(str(run / "evaluation"), size_guidance={"tensors": 0}).Reload()
    tags = set(events.Tags()["tensors"])
    names = ("elbo", "log_likelihood", "mutual_information", "active_latents", "squared_error")
    names = (*names, "marginal_kl_standard_error", "tightness/gap", "against/elbo")
    names = (*names, "against/elbo_standard_error")
    assert {f"test/{name}" for name in (*names, "latent_kl", "latents", "decomposition")} <= tags
    (event,) = events.Tensors("test/elbo")
    assert tf.make_ndarray(event.tensor_proto) == pytest.approx(report["elbo"])


def test_another_evaluation_of_the_same_model_keeps_what_the_first_one_found(evaluated, tmp_path):
    run, _, report = evaluated
    shutil.copytree(run, tmp_path / "run")
    evaluate.main([str(tmp_path / "run"), "--num-samples", "20", "--baselines"])
    (found,) = evaluate.read_reports(tmp_path / "run" / evaluate.REPORT)
    assert found["against"] == report["against"]
    assert found["tightness"] == report["tightness"]
    assert found["baselines"]
    assert f"Against {report['against']['run']}" in html.unescape(
        (tmp_path / "run" / page.NAME).read_text(encoding="utf-8")
    )


def test_what_was_found_of_a_model_that_has_been_trained_on_is_dropped(evaluated):
    _, _, report = evaluated
    new = {key: value for key, value in report.items() if key != "against"}
    assert records.joined(new, [report])["against"] == report["against"]
    trained = {**new, "elbo": new["elbo"] + 0.01}
    assert records.joined(trained, [report]) == trained
    other = {**new, "protocol": {**new["protocol"], "seed": 1}}
    assert records.joined(other, [report]) == other
    broken = {**new, "elbo": None}
    assert records.joined(broken, [broken]) == broken


def test_a_difference_to_a_model_that_has_been_trained_on_is_dropped(evaluated, tmp_path):
    _, _, report = evaluated
    new = {key: value for key, value in report.items() if key != "against"}
    against = {**report["against"], "run": str(tmp_path)}
    old = {**report, "against": against}
    assert records.joined(new, [old])["against"] == against  # it has been moved, or is no more
    (tmp_path / "model.keras").write_bytes(b"other weights")
    assert "against" not in records.joined(new, [old])


def test_what_is_not_finite_is_null_in_the_file_and_nothing_in_the_tables(evaluated, tmp_path):
    _, _, report = evaluated
    tightness = {**report["tightness"], "gap": float("inf")}
    broken = {**report, "elbo": float("-inf"), "tightness": tightness}
    evaluate._add(broken, tmp_path / evaluate.REPORT)
    (found,) = evaluate.read_reports(tmp_path / evaluate.REPORT)
    assert found["elbo"] is found["tightness"]["gap"] is None
    rows = {row[0]: row[1] for table in tables.tables_of(found) for row in table.rows}
    assert rows["gap of the two"] == ""
    assert "Infinity" not in page.page("a run", broken, tables.tables_of(broken), {})


class Balanced(html.parser.HTMLParser):
    """Follows the tags of a page: those that are opened are closed, in order."""

    VOID = ("meta", "img", "br")

    def __init__(self):
        super().__init__()
        self.open, self.images, self.links, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.links += [values[name] for name in ("src", "href") if name in values]
        if tag == "img":
            self.images.append(values)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_is_whole_and_needs_nothing_beside_it(evaluated):
    run, _, report = evaluated
    text = (run / page.NAME).read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n")
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    assert len(parser.images) == 5
    assert all(image["alt"] for image in parser.images)
    assert all(link.startswith("data:image/png;base64,iVBOR") for link in parser.links)
    assert not re.search(r"https?://|<script|url\(", text)
    assert "&lt;one&gt;" in text  # what a name holds is no markup
    assert "<one>" not in text
    shown = "".join(parser.text)
    assert f"{report['elbo']:.2f}" in shown
    assert report["protocol"]["fingerprint"] in shown
    (record,) = re.findall("<pre>(.*?)</pre>", text, re.DOTALL)
    assert json.loads(html.unescape(record)) == report


def test_an_alarm_stands_in_the_page_and_on_the_terminal(tmp_path, capsys):
    run = make_run(tmp_path / "run")
    vae = open_run(run).model()
    vae.encoder.set_weights([np.zeros_like(weight) for weight in vae.encoder.get_weights()])
    vae.save(run / "model.keras")
    evaluate.main([str(run)])
    assert "The posterior has collapsed: none of the 14 latents" in capsys.readouterr().out
    assert '<p class="alarm">The posterior has collapsed' in (run / page.NAME).read_text()


def test_an_interruption_leaves_the_evaluations_as_they_were(evaluated, monkeypatch):
    run, _, _ = evaluated
    before = (run / evaluate.REPORT).read_bytes()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(importance, "_add_weights", interrupt)
    with pytest.raises(KeyboardInterrupt, match=r"evaluation\.json is as it was\."):
        evaluate.main([str(run), "--num-samples", "5"])
    assert (run / evaluate.REPORT).read_bytes() == before
    assert not list(run.glob(".*"))


def test_a_model_of_whose_latents_little_is_known_has_its_tables_and_pictures(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(measures, "_measure", measures._measure.python_function)
    data = open_run_data(DATA)
    vae = tfvae.VAE(data.event_shape, 3, network="mlp(hidden=())", posterior="iaf")
    report, _ = work.evaluate(vae, data, Wish("test"), Console())
    assert report["information"] is report["latents"]["kl"] is None
    main, latents = tables.tables_of(report)
    assert not [row for row in main.rows if "I(n; z)" in row[0]]
    assert [row[1] for row in latents.rows] == ["", "", ""]
    pictures = charts.charts_of(report, [])
    assert set(pictures) == {"latents", "decomposition"}
    board.write(tmp_path, 0, report, pictures)
    events = EventAccumulator(str(tmp_path / "evaluation"), size_guidance={"tensors": 0}).Reload()
    tags = set(events.Tags()["tensors"])
    assert "test/latent_activity" in tags
    assert not {"test/latent_kl", "test/mutual_information"} & tags
    assert main.title in html.unescape(page.page("a run", report, [main, latents], pictures))


def test_a_log_gets_a_line_a_minute(monkeypatch):
    now = iter([0.0, 30.0, 60.0, 90.0, 150.0])
    clock = types.SimpleNamespace(monotonic=lambda: next(now))
    monkeypatch.setattr(work, "time", clock)
    console = Console(file=io.StringIO(), width=200)
    with work.counted(console, "evaluating on [test]", 1000) as on_rows:
        for _ in range(4):
            on_rows(100)
    assert console.file.getvalue().splitlines() == [
        "evaluating on [test]: 20%, 4 min left",
        "evaluating on [test]: 40%, 4 min left",
    ]


def test_what_was_evaluated_stays_when_what_is_added_fails(place, capsys):
    run, data = open_run(place / "other"), open_run_data(DATA)
    wish = Wish("validation", in_full=False)

    def fail(**_):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        evaluate.carry_out(run.model(), data, run.directory, wish, [fail])
    reports = evaluate.read_reports(run.directory / evaluate.REPORT)
    assert [r["protocol"]["split"] for r in reports].count("validation") == 1
    assert f"{reports[-1]['elbo']:.2f}" in capsys.readouterr().out


def test_a_model_is_as_good_as_itself_to_the_last_bit(place):
    run, data = open_run(place / "other"), open_run_data(DATA)
    wish = Wish("validation", against=run, in_full=False)
    report, _ = work.evaluate(run.model(), data, wish, Console())
    assert report["against"]["difference"]["elbo"] == 0
    assert report["against"]["difference"]["elbo_standard_error"] == 0


def test_a_terminal_shows_how_far_it_is_and_the_time_left(capsys):
    console = Console(force_terminal=True, width=100)
    with work.counted(console, "evaluating on test", 4) as on_rows:
        on_rows(3)
    shown = capsys.readouterr().out
    assert "evaluating on test" in shown
    assert "left" in shown


def test_runs_on_other_data_are_refused_before_the_work(place, tmp_path, monkeypatch):
    other = make_run(tmp_path / "grey", DATA.replace("static", "none"), likelihood="normal")
    monkeypatch.setattr(work, "_measure", lambda *_: pytest.fail("the work has begun"))
    with pytest.raises(cli.UsageError, match="differ in their binarization: static"):
        evaluate.main([str(place / "<one>"), "--against", str(other)])


@pytest.mark.parametrize("option", ["--num-samples", "--tightness"])
def test_a_model_without_a_density_has_no_bound_to_look_at(tmp_path, option):
    run = make_run(tmp_path / "run", posterior="delta")
    with pytest.raises(cli.UsageError, match=f"`{option}`"):
        evaluate.main([str(run), option, "3"])
    shutil.rmtree(run)
