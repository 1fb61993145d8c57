"""Exports run alone, compute what the model computes, and appear whole or not at all."""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from pipelines import export as program
from pipelines.cli import Failure
from tfvae import components, noise
from tfvae.exporters import (
    comparison,
    endpoints,
    golden,
    litert,
    manifest,
    model_card,
    publication,
    release,
    saved_model,
)
from tfvae.exporters.base import FORMATS, Endpoint, Exporter, ExportError, write_saved_model
from tfvae.exporters.fresh import Fresh
from tfvae.exporters.materials import Materials
from tfvae.exporters.staging import Staging

PARTS = ("encoder", "decoder")

# Float32 sums of some dozen products, in another order.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}

# What a program that knows nothing of this project does with an export. It gets a list of
# [path, signature, npz of inputs, npz to write] and prints what it sees of the signatures.
RUN_SAVED_MODEL = """
import json, sys
for name in ("tfvae", "keras", "tf_keras", "tensorflow_probability"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf
seen, opened = {}, {}
for path, signature, given, answer in json.load(sys.stdin):
    if path not in opened:
        session = tf.compat.v1.Session(graph=tf.Graph())
        opened[path] = session, tf.compat.v1.saved_model.load(session, ["serve"], path)
    session, graph = opened[path]
    names = {k for k in graph.signature_def if not k.startswith("__")}
    definition = graph.signature_def[signature]
    feeds = {definition.inputs[k].name: v for k, v in np.load(given).items()}
    np.savez(answer, **session.run({k: v.name for k, v in definition.outputs.items()}, feeds))
    seen[path] = sorted(names)
    seen[f"{path} {signature}"] = {
        k: [tf.dtypes.as_dtype(v.dtype).name, [d.size for d in v.tensor_shape.dim]]
        for k, v in [*definition.inputs.items(), *definition.outputs.items()]
    }
print(json.dumps(seen))
"""
RUN_LITERT = """
import json, sys
for name in ("tensorflow", "tfvae", "keras", "tf_keras", "tensorflow_probability"):
    sys.modules[name] = None
import numpy as np
from ai_edge_litert.interpreter import Interpreter
seen = {}
for path, signature, given, answer in json.load(sys.stdin):
    interpreter = Interpreter(path)
    runner = interpreter.get_signature_runner(signature)
    np.savez(answer, **runner(**np.load(given)))
    seen[path] = sorted(interpreter.get_signature_list())
    seen[f"{path} {signature}"] = {
        k: [v["dtype"].__name__, v["shape_signature"].tolist()]
        for k, v in [*runner.get_input_details().items(), *runner.get_output_details().items()]
    }
    seen[f"{path} ops"] = [op["op_name"] for op in interpreter._get_ops_details()]
print(json.dumps(seen))
"""


def build(**kwargs):
    """Returns a small model in which every weight counts, biases too."""
    options = {"event_shape": (4, 4, 1), "latent_size": 3, "network": "mlp(hidden=(8,))"}
    vae = tfvae.VAE(**{**options, "prior": "standard_normal(precision=4.0)", **kwargs})
    rng = np.random.default_rng(0)
    for network in (vae.encoder, vae.decoder):
        network.set_weights([rng.normal(0, 0.3, w.shape) for w in network.get_weights()])
    return vae


MODELS = {
    "mlp, bernoulli": {},
    "conv, normal": {
        "event_shape": (7, 6, 2),
        "network": "conv(channels=(3, 4), hidden=5, kernel_size=3)",
        "likelihood": "normal",
    },
}


@pytest.fixture(scope="module", params=MODELS, ids=str)
def exported(request, tmp_path_factory):
    """A model and its publication in both formats: of the first by processes of its own."""
    if request.param != next(iter(MODELS)):
        request.getfixturevalue("old_processes")
    vae = build(**MODELS[request.param])
    return vae, tfvae.export(vae, tmp_path_factory.mktemp("exported") / "model")


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_what_was_trained_in_another_precision_is_exported_in_float32(
    precision, tmp_path, monkeypatch
):
    """All of it, and not its outputs alone: LiteRT lacks many operations in 16 bits."""
    taken = []
    monkeypatch.setattr(publication, "_write_and_prove", lambda _, m, *__: taken.append(m.vae))
    monkeypatch.setattr(Staging, "publish", lambda *_: 1)
    vae = build(dtype=precision)
    assert vae.encoder.layers[-2].compute_dtype != "float32"
    tfvae.export(vae, tmp_path / "exported")
    (exported,) = taken
    for listed in endpoints.endpoints(exported, "seed").values():
        for endpoint in listed:
            graph = tf.function(endpoint.function).get_concrete_function(
                **{spec.name: spec for spec in endpoint.inputs}
            )
            kinds = {t.dtype for op in graph.graph.get_operations() for t in op.outputs}
            assert kinds.isdisjoint({tf.bfloat16, tf.float16}), endpoint.name
    x = np.ones((2, 4, 4, 1), np.float32)
    np.testing.assert_allclose(exported.posterior(x).mean(), vae.posterior(x).mean(), atol=0.05)


@pytest.fixture
def warm(old_processes):
    """A model whose exports use processes that are there."""
    return build()


def run_alone(script, publication, format_name, calls, folder):
    """Runs calls (part, signature, inputs) in a fresh process; returns outputs and what it saw."""
    jobs = []
    for number, (part, signature, inputs) in enumerate(calls):
        given, answer = folder / f"given{number}.npz", folder / f"answer{number}.npz"
        np.savez(given, **inputs)
        path = publication.paths[format_name, part]
        jobs.append([str(path), signature, str(given), str(answer)])
    result = subprocess.run(
        [sys.executable, "-P", "-c", script],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert result.returncode == 0, result.stderr
    return [dict(np.load(job[-1])) for job in jobs], json.loads(result.stdout)


def random(vae, num):
    """Returns inputs of every kind for `num` rows."""
    rng = np.random.default_rng(num)
    return {
        "x": rng.uniform(0, 1, (num, *vae.event_shape)).astype(np.float32),
        "z": rng.normal(size=(num, vae.latent_size)).astype(np.float32),
        "eps": rng.normal(size=(num, vae.latent_size)).astype(np.float32),
        "seed": rng.integers(-(2**31), 2**31, (num, 2), dtype=np.int32),
    }


def moments(distribution, names=("mean", "stddev")):
    return {name: getattr(distribution, name)() for name in names}


def assert_close(given, expected):
    assert given.keys() == expected.keys()
    for name, want in expected.items():
        np.testing.assert_allclose(given[name], want, **CLOSE, err_msg=name)


def contents(directory):
    """Returns every file under a directory with its bytes, but for locks."""
    files = [path for path in directory.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def parts_of(directory):
    """Returns what `contents` does, without what is written beside the parts."""
    return {k: v for k, v in contents(directory).items() if not k.startswith(("rel", "serving"))}


def golden_requests(published, format_name):
    """Returns the golden requests of a format, as calls and as the answers that are expected."""
    requests = golden.read(published.release / golden.FILE)
    requests = [request for request in requests if request.format == format_name]
    assert len(requests) > 3
    return [(r.part, r.signature, r.inputs) for r in requests], [r.outputs for r in requests]


def likelihood_moments(vae):
    return ("mean",) if vae.likelihood_layer.member_name == "bernoulli" else ("mean", "stddev")


def test_saved_models_run_alone_and_draw_what_the_model_draws(exported, tmp_path):
    vae, published = exported
    calls, expected = [], []
    for num in (2, 5):
        x, z, _, seed = random(vae, num).values()
        posterior = vae.posterior(x)
        eps = noise.normal(seed, (vae.latent_size,))
        calls += [
            ("encoder", "serving_default", {"x": x}),
            ("encoder", "sample", {"x": x, "seed": seed}),
            ("decoder", "serving_default", {"z": z}),
            ("decoder", "sample", {"z": z, "seed": seed}),
            ("decoder", "generate", {"seed": seed}),
        ]
        expected += [
            moments(posterior),
            {"z": posterior.bijector.forward(eps)},
            moments(vae.likelihood(z), likelihood_moments(vae)),
            {"x": vae.likelihood_layer.sample(vae.decoder(z), seed)},
            vae.generate(seed),
        ]
    more_calls, answers = golden_requests(published, "saved_model")
    calls, expected = calls + more_calls, expected + answers
    given, seen = run_alone(RUN_SAVED_MODEL, published, "saved_model", calls, tmp_path)
    for have, want in zip(given, expected, strict=True):
        assert_close(have, want)
    encoder, decoder = (str(published.paths["saved_model", part]) for part in PARTS)
    assert seen[encoder] == ["sample", "serving_default"]
    assert seen[decoder] == ["generate", "sample", "serving_default"]
    x, code = ["float32", [-1, *vae.event_shape]], ["float32", [-1, vae.latent_size]]
    assert seen[f"{encoder} sample"] == {"x": x, "seed": ["int32", [-1, 2]], "z": code}
    assert seen[f"{decoder} generate"] == {"seed": ["int32", [-1, 2]], "z": code, "mean": x, "x": x}


def test_litert_files_run_without_tensorflow_and_give_the_models_values(exported, tmp_path):
    vae, published = exported
    calls, expected = [], []
    for num in (2, 5):
        x, z, eps, _ = random(vae, num).values()
        code = vae.prior().bijector.forward(eps)
        calls += [
            ("encoder", "encode", {"x": x}),
            ("encoder", "reparameterize", {"x": x, "eps": eps}),
            ("decoder", "decode", {"z": z}),
            ("decoder", "generate", {"eps": eps}),
        ]
        expected += [
            moments(vae.posterior(x)),
            {"z": vae.posterior(x).mean() + vae.posterior(x).stddev() * eps},
            moments(vae.likelihood(z), likelihood_moments(vae)),
            {"mean": vae.likelihood(code).mean()},
        ]
    more_calls, answers = golden_requests(published, "litert")
    calls, expected = calls + more_calls, expected + answers
    given, seen = run_alone(RUN_LITERT, published, "litert", calls, tmp_path)
    for have, want in zip(given, expected, strict=True):
        assert_close(have, want)
    encoder, decoder = (str(published.paths["litert", part]) for part in PARTS)
    assert seen[encoder] == ["encode", "reparameterize"]
    assert seen[decoder] == ["decode", "generate"]
    x, code = ["float32", [-1, *vae.event_shape]], ["float32", [-1, vae.latent_size]]
    assert seen[f"{encoder} reparameterize"] == {"x": x, "eps": code, "z": code}
    custom = [op for part in (encoder, decoder) for op in seen[f"{part} ops"] if "lex" in op]
    assert custom == []
    assert "CUSTOM" not in seen[f"{encoder} ops"] + seen[f"{decoder} ops"]


def test_the_generate_of_litert_is_the_models_for_the_same_noise(exported, tmp_path):
    vae, published = exported
    seed = random(vae, 4)["seed"]
    eps = noise.normal(noise.fold_in(seed, 0), (vae.latent_size,)).numpy()
    calls = [("decoder", "generate", {"eps": eps})]
    ((given,), _) = run_alone(RUN_LITERT, published, "litert", calls, tmp_path)
    np.testing.assert_allclose(given["mean"], vae.generate(seed)["mean"], **CLOSE)


def test_each_part_stores_its_own_weights_once(exported):
    vae, published = exported
    for part, network in (("encoder", vae.encoder), ("decoder", vae.decoder)):
        stored = tf.train.list_variables(
            str(published.paths["saved_model", part] / "variables/variables")
        )
        shapes = sorted(shape for name, shape in stored if "CHECKPOINTABLE" not in name)
        assert shapes == sorted(list(v.shape) for v in network.variables)


def test_a_litert_file_holds_each_weight_once(tmp_path, tensorflow_process):
    # Two signatures read the same weights; large ones make the rest of the file small.
    vae = build(network="mlp(hidden=(400,))", event_shape=(20, 20, 1))
    materials = Materials(vae, tensorflow_process)
    paths = litert.LiteRT().write(endpoints.endpoints(vae, "eps"), tmp_path, materials)
    for part, network in (("encoder", vae.encoder), ("decoder", vae.decoder)):
        num_bytes = 4 * network.count_params()
        assert num_bytes < paths[part].stat().st_size < 1.05 * num_bytes


def test_the_manifest_lists_every_file_with_its_hash(exported):
    _, published = exported
    told = manifest.read(published.release / manifest.FILE)["files"]
    files = contents(published.directory)
    beside = {"releases/1/manifest.json", *(name for name in files if name.startswith("serving/"))}
    assert told.keys() == files.keys() - beside
    for name, content in files.items():
        if name in told:
            assert told[name]["bytes"] == len(content)
            assert told[name]["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_manifest_says_what_every_signature_takes_and_gives(exported):
    vae, published = exported
    content = manifest.read(published.release / manifest.FILE)
    assert (content["version"], content["published"]) == (1, True)
    assert content["model"]["likelihood"] == str(vae.likelihood_layer.spec)
    assert content["stack"]["tensorflow"] == tf.__version__
    requests = golden.read(published.release / golden.FILE)
    assert len(requests) == 9
    for request in requests:
        part = content["formats"][request.format][request.part]
        assert (published.directory / part["path"]).exists()
        signature = part["signatures"][request.signature]
        for tensors, arrays in (("inputs", request.inputs), ("outputs", request.outputs)):
            told = {t["name"]: (t["dtype"], t["shape"]) for t in signature[tensors]}
            assert told == {k: (a.dtype.name, [None, *a.shape[1:]]) for k, a in arrays.items()}
            assert all(t["meaning"] and t["range"] != "not stated" for t in signature[tensors])
    card = (published.release / "model_card.md").read_text()
    for name in ("generate", "reparameterize", "keras", str(vae.prior_layer.spec)):
        assert name in card


def test_the_card_of_rows_shows_rows():
    def answer(shape):
        outputs = {"x": np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 3}
        return golden.Request("saved_model", "decoder", "generate", {}, outputs)

    assert release.drawn([answer((2, 3, 1)), answer((2, 17))]) == []
    samples = release.drawn([answer((2, 3))])
    shown = model_card._samples({"files": {}, "samples": samples}).splitlines()
    assert shown[2:] == [
        "| x 0 | x 1 | x 2 |",
        "| --- | --- | --- |",
        "| 0 | 0.3333 | 0.6667 |",
        "| 1 | 1.333 | 1.667 |",
    ]


def test_parts_share_a_version_and_versions_only_grow(warm, tmp_path):
    root = tmp_path / "model"
    (root / "encoder" / "6").mkdir(parents=True)
    (root / "encoder" / "not-a-version").mkdir()
    first = tfvae.export(warm, root, formats="litert")
    assert first.version == 7
    assert parts_of(root).keys() == {"litert/7/encoder.tflite", "litert/7/decoder.tflite"}
    assert first.paths == {("litert", part): root / f"litert/7/{part}.tflite" for part in PARTS}
    (root / "serving").mkdir()
    config = 'version_labels { key: "stable" value: 6 }'
    (root / "serving" / "models.config").write_text(config)
    second = tfvae.export(warm, root, formats=["litert"], keep=1)
    assert second.version == 8
    assert [path.name for path in (root / "litert").iterdir()] == ["8"]
    assert [path.name for path in (root / "releases").iterdir()] == ["8"]
    assert (root / "encoder" / "6").is_dir()  # labelled


@pytest.mark.parametrize(
    ("defect", "state", "reason"),
    [
        (OSError(28, "No space left"), "what servers need beside it is not up to date", "No space"),
        (KeyboardInterrupt(), "what servers need beside it is not up to date", "interrupted"),
        (None, "older versions have not been removed", "Is a directory"),
    ],
)
def test_what_fails_after_a_version_is_out_says_so(tmp_path, monkeypatch, defect, state, reason):
    def prove(exporters, materials, directory, *_):
        (directory / "litert" / "new").mkdir(parents=True)

    def accompany(*_):
        if defect is not None:
            raise defect

    monkeypatch.setattr(publication, "_write_and_prove", prove)
    monkeypatch.setattr(publication, "Fresh", contextlib.nullcontext)
    monkeypatch.setattr(release.Release, "accompany", accompany)
    (tmp_path / "serving" / "models.config").mkdir(parents=True)
    message = f"^Version 1 of .* is published, but {state}: .*{reason}.* publish this model once m"
    with pytest.raises(Failure, match=message):
        program.publish(build(), tmp_path, ("litert",), keep=1)
    assert (tmp_path / "litert" / "1").is_dir()
    assert (tmp_path / "releases" / "1" / "manifest.json").is_file()


def shifted(endpoint):
    """Returns an endpoint that computes something else than the model."""

    @functools.wraps(endpoint.function)
    def function(*args, **inputs):
        outputs = endpoint.function(*args, **inputs)
        return {name: tensor + 0.01 for name, tensor in outputs.items()}

    return Endpoint(endpoint.name, function, endpoint.inputs)


@pytest.mark.parametrize(
    "planted",
    [(saved_model, "sample", "encoder"), (litert, "generate", "decoder")],
    ids=["saved_model", "litert"],
)
def test_a_mismatch_is_named_and_publishes_nothing(warm, tmp_path, monkeypatch, planted):
    module, signature, part = planted
    root, format_name = tmp_path / "model", module.__name__.rpartition(".")[-1]
    tfvae.export(warm, root, formats=format_name)
    before = contents(root)

    def write(endpoints, path):
        wrong = [shifted(e) if e.name == signature else e for e in endpoints]
        write_saved_model(wrong if part in str(path) else endpoints, path)

    monkeypatch.setattr(module, "write_saved_model", write)
    message = (
        rf"Signature `{signature}` of the {part} \({format_name}\), batch 1: output `\w+` differs "
        rf"in \d+ of \d+ elements, by at most 0\.01 .* 2 more like it. Nothing has been published"
    )
    with pytest.raises(ExportError, match=message):
        tfvae.export(warm, root, formats=format_name)
    assert contents(root) == before
    assert not list(root.glob(".staging*"))


def test_an_operation_that_litert_lacks_is_named(warm, tmp_path, monkeypatch):
    def write(endpoints, path):
        def noisy(x):
            drawn = tf.random.stateless_normal(tf.shape(x), (1, 2))
            return {"mean": endpoints[0].function(x)["mean"] + tf.reduce_mean(drawn)}

        first, *others = endpoints
        wrong = Endpoint("encode", noisy, first.inputs)
        write_saved_model([wrong if first.name == "encode" else first, *others], path)

    monkeypatch.setattr(litert, "write_saved_model", write)
    message = r"encoder.tflite, with the .* LiteRT has no operations for .*StatelessRandom\w+: "
    with pytest.raises(ExportError, match=message):
        tfvae.export(warm, tmp_path / "model", formats="litert")
    assert contents(tmp_path / "model") == {}


def test_a_lost_signature_is_named(warm, tmp_path, monkeypatch):
    def write(endpoints, path):
        write_saved_model(endpoints[:1], path)

    monkeypatch.setattr(saved_model, "write_saved_model", write)
    message = (
        r"The encoder \(saved_model\) has the signatures serving_default instead of sample, "
        r"serving_default\. 10 more like it"
    )
    with pytest.raises(ExportError, match=message):
        tfvae.export(warm, tmp_path / "model", formats="saved_model")
    assert contents(tmp_path / "model") == {}


def test_a_model_that_gives_nan_is_refused(warm, tmp_path):
    warm.decoder.set_weights([np.full_like(w, np.nan) for w in warm.decoder.get_weights()])
    message = r"of the decoder .* batch 1: output `mean` of the model itself holds values that are"
    with pytest.raises(ExportError, match=message):
        tfvae.export(warm, tmp_path / "model", formats="litert")
    assert contents(tmp_path / "model") == {}


def test_formats_are_checked_before_anything_is_written(warm, tmp_path):
    with pytest.raises(components.SpecError, match="`onnx` is not one of the exporters"):
        tfvae.export(warm, tmp_path / "model", formats=("litert", "onnx"))
    with pytest.raises(ValueError, match="names at least one format"):
        tfvae.export(warm, tmp_path / "model", formats=())
    with pytest.raises(ValueError, match=r"an int of at least 1, or None for all\. Received 0"):
        tfvae.export(warm, tmp_path / "model", keep=0)
    assert not (tmp_path / "model").exists()


def test_a_new_format_is_one_class(warm, tmp_path):
    class Elsewhere(Exporter, name="test_elsewhere"):
        noise = "seed"
        layout = {part: f"elsewhere/{{version}}/{part}" for part in PARTS}  # noqa: RUF012
        runtime = "saved_model"
        needs_tensorflow = True

        def _write(self, endpoints, paths, materials):
            del materials
            for part, path in paths.items():
                write_saved_model(endpoints[part], path)

    published = tfvae.export(warm, tmp_path, formats=["test_elsewhere"])
    assert published.paths["test_elsewhere", "encoder"] == tmp_path / "elsewhere/1/encoder"
    assert (tmp_path / "elsewhere/1/encoder/saved_model.pb").is_file()


def test_a_program_that_aborts_is_reported_with_its_last_words(tmp_path):
    with Fresh("tensorflow_that_is_not_there") as process:
        wait = process.run("replay", [])
        with pytest.raises(ExportError, match=r"`replay` failed\. Its process ended with status 1"):
            wait()


def test_a_program_that_hangs_is_stopped(tmp_path):
    hung = tmp_path / "hung.py"
    hung.write_text("import time\ntime.sleep(600)\n")
    with Fresh(time_limit=0.5) as process:
        wait = process.run("replay", [str(hung), "", "", {}])
        with pytest.raises(ExportError, match=r"`replay` failed\. .* took longer than 0\.5 sec"):
            wait()


def test_a_fresh_process_cannot_import_this_project():
    for package in ("tfvae", "keras", "tensorflow_probability"):
        with Fresh(package) as process, pytest.raises(ExportError, match=f"of {package} halted"):
            process.run("replay", [])()


@pytest.mark.parametrize(("num_flips", "agrees"), [(0, True), (1, True), (8, False)])
def test_ties_of_a_discrete_draw_are_no_mismatch(num_flips, agrees):
    want = (np.arange(784) % 3 == 0).astype(np.float32)
    have = want.copy()
    have[:num_flips] = 1 - have[:num_flips]
    assert (comparison.compare(want, have) is None) is agrees


def test_a_continuous_output_may_not_differ_in_one_element():
    want = np.linspace(0, 1, 784, dtype=np.float32)
    have = want.copy()
    have[3] += 0.01
    assert "differs in 1 of 784 elements, by at most 0.01" in comparison.compare(want, have)
    assert comparison.compare(want, want + np.float32(1e-6)) is None
    have[3] = np.nan
    assert "differs in 1 of 784 elements" in comparison.compare(want, have)


def test_the_default_formats_are_published_members():
    assert set(FORMATS) <= set(components.members("exporters"))


def test_exporters_know_nothing_of_the_model_class():
    folder = pathlib.Path(publication.__file__).parent
    assert not [path for path in folder.rglob("*.py") if "tfvae.vae" in path.read_text()]
