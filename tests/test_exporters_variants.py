"""Variants of LiteRT files: smaller, measured, and running where nothing else is installed."""

import json
import subprocess

import environments
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from scipy import stats

import tfvae
from tfvae.exporters import endpoints, manifest, variant_signatures, variants
from tfvae.exporters.base import Endpoint, ExportError
from tfvae.exporters.fresh import Fresh
from tfvae.exporters.litert import VARIANTS, LiteRT
from tfvae.exporters.manifest import Provenance

PARTS = {"encoder": ["encode", "reparameterize"], "decoder": ["decode", "generate"]}

ALONE = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
encoder, decoder, output = sys.argv[1:]
inputs = {"x": np.linspace(0, 1, 3 * 64, dtype=np.float32).reshape(3, 8, 8, 1)}
code = Interpreter(model_path=encoder).get_signature_runner("encode")(**inputs)
given = Interpreter(model_path=decoder).get_signature_runner("decode")(z=code["mean"])
np.savez(output, z=code["mean"], mean=given["mean"])
unwanted = {"tensorflow", "keras", "tfvae", "scipy"} & set(sys.modules)
assert not unwanted, unwanted
for name in ("tensorflow", "tfvae"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise AssertionError(f"{name} can be imported")
"""


@pytest.fixture(scope="module")
def vae():
    vae = tfvae.VAE((8, 8, 1), 4, network="mlp(hidden=(150,))")
    rng = np.random.default_rng(0)
    for network in (vae.encoder, vae.decoder):
        network.set_weights([rng.normal(0, 0.1, w.shape) for w in network.get_weights()])
    return vae


@pytest.fixture(scope="module")
def published(vae, tmp_path_factory, old_processes):
    """A publication with every variant."""
    x = np.random.default_rng(0).integers(0, 2, (100, 8, 8, 1)).astype(np.float32)
    root = tmp_path_factory.mktemp("exported") / "tiny"
    provenance = Provenance(examples=x)
    return tfvae.export(vae, root, LiteRT(variants=VARIANTS), provenance=provenance)


def path_of(published, part, variant):
    suffix = "" if variant == "float32" else f".{variant}"
    return published.directory / "litert" / "1" / f"{part}{suffix}.tflite"


def rows(published):
    """Returns what the manifest says of each file."""
    content = manifest.read(published.release / manifest.FILE)
    return {(row["part"], row["variant"]): row for row in content["variants"]["litert"]}


def test_every_variant_of_every_part_is_there_and_measured(published):
    told = rows(published)
    assert told.keys() == {(part, variant) for part in PARTS for variant in VARIANTS}
    card = (published.release / "model_card.md").read_text()
    for (part, variant), row in told.items():
        path = path_of(published, part, variant)
        assert row["bytes"] == path.stat().st_size
        assert row["latency_us"] > 0
        assert f"| `{part}` | {variant} | {row['bytes']:,} |" in card


@pytest.mark.parametrize("part", PARTS)
def test_variants_are_smaller_and_cost_what_their_bits_do(published, part):
    told = {variant: row for (of, variant), row in rows(published).items() if of == part}
    size = told["float32"]["bytes"]
    assert told["float16"]["bytes"] < 0.7 * size
    assert told["dynamic_int8"]["bytes"] < 0.5 * size
    assert told["int8"]["bytes"] < 0.5 * size
    # Rounding by 2**-24, of weights by 2**-12, of weights and activations by 2**-8; sums of 150.
    for variant, largest in (("float32", 1e-5), ("batch1", 1e-5), ("float16", 2e-3), ("int8", 0.1)):
        assert told[variant]["mean_error"] <= told[variant]["largest_error"] < largest
    assert told["float16"]["mean_error"] < told["int8"]["mean_error"]
    assert told["float16"]["mean_error"] < told["dynamic_int8"]["mean_error"]
    assert abs(told["batch1"]["elbo_change"]) < 1e-3
    assert 0 < abs(told["int8"]["elbo_change"]) < 1


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_has_float_signatures_of_its_batch(published, part, variant):
    interpreter = Interpreter(model_path=str(path_of(published, part, variant)))
    names = PARTS[part][:1] if variant == "int8" else PARTS[part]
    assert sorted(interpreter.get_signature_list()) == names
    for name in names:
        runner = interpreter.get_signature_runner(name)
        for detail in [*runner.get_input_details().values(), *runner.get_output_details().values()]:
            assert detail["dtype"] is np.float32
            signature = detail["shape_signature"] if variant != "batch1" else detail["shape"]
            assert signature[0] == (1 if variant == "batch1" else -1)


@pytest.mark.parametrize("part", PARTS)
def test_each_file_says_what_it_is(vae, published, part):
    for variant in VARIANTS:
        content = path_of(published, part, variant).read_bytes()
        model = schema.Model.GetRootAs(content, 0)
        entries = [model.Metadata(i) for i in range(model.MetadataLength())]
        (entry,) = [entry for entry in entries if entry.Name() == b"tfvae"]
        told = json.loads(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
        assert (told["version"], told["name"], told["part"]) == (1, "tiny", part)
        assert (told["variant"], told["latent_size"]) == (variant, 4)
        assert told["likelihood"] == str(vae.likelihood_layer.spec)
        assert told["ranges"]["x"] == vae.likelihood_layer.support


def test_every_signature_of_a_variant_is_run(vae, published, tmp_path):
    first, second = endpoints.endpoints(vae, "eps")["encoder"]
    with Fresh() as process:
        for name, variant, change, message in (
            ("reparameterize", "batch1", 0.01, r"`reparameterize` .* batch1\): output `z` differs"),
            (
                "reparameterize",
                "float16",
                np.ones([2, 1, 1]),
                r"float16\): it lacks the output `z` of",
            ),
            ("nothing", "float16", 0, r"`nothing` of the encoder \(litert, float16\) fails"),
        ):
            files = {("encoder", variant): path_of(published, "encoder", variant)}
            other = Endpoint(
                name, lambda c=change, **x: {"z": second.function(**x)["z"] + c}, second.inputs
            )
            with pytest.raises(ExportError, match=message):
                variant_signatures.check(files, {"encoder": (first, other)}, process, tmp_path)


def test_the_version_is_written_into_the_room_for_it(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b'before {"version":          0, "name": "x"} after')
    variants.stamp(path, 1234)
    assert path.read_bytes() == b'before {"version":       1234, "name": "x"} after'


def test_moments_tell_the_density_of_gaussians_and_bernoullis(vae):
    rng = np.random.default_rng(0)
    mean, stddev = rng.normal(size=(2, 5, 4)).astype(np.float32)
    stddev = np.abs(stddev) + 0.1
    z = rng.normal(size=(5, 4)).astype(np.float32)
    q = vae.posterior_layer.of_moments({"mean": mean, "stddev": stddev})
    expected = stats.norm(mean, stddev).logpdf(z).sum(-1)
    np.testing.assert_allclose(q.log_prob(z), expected, rtol=1e-5)
    probs = rng.uniform(0.1, 0.9, (5, 8, 8, 1)).astype(np.float32)
    x = rng.integers(0, 2, probs.shape).astype(np.float32)
    p = vae.likelihood_layer.of_moments({"mean": probs})
    expected = stats.bernoulli(probs).logpmf(x).sum((1, 2, 3))
    np.testing.assert_allclose(p.log_prob(x), expected, rtol=1e-5)


def test_variants_need_data_and_a_known_name(vae, tmp_path):
    with pytest.raises(ExportError, match=r"Give some rows: `tfvae\.export\(vae, .*examples=x"):
        tfvae.export(vae, tmp_path, "litert(variants='int8')")
    with pytest.raises(ValueError, match=r"among 'float32', 'batch1', .* Received 'int4'"):
        tfvae.export(vae, tmp_path, "litert(variants='int4')")
    assert not list(tmp_path.glob("litert"))


def test_the_files_run_where_only_numpy_and_litert_are_installed(vae, published, tmp_path):
    pins = environments.pinned("numpy", "ai-edge-litert")
    python = environments.make(tmp_path / "environment", *pins)
    files = [str(path_of(published, part, "float32")) for part in PARTS]
    output = tmp_path / "answers.npz"
    result = subprocess.run(
        [python, "-P", "-c", ALONE, *files, str(output)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={},
    )
    assert result.returncode == 0, result.stderr
    x = np.linspace(0, 1, 3 * 64, dtype=np.float32).reshape(3, 8, 8, 1)
    answers = np.load(output)
    z = vae.posterior(x).mean()
    np.testing.assert_allclose(answers["z"], z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answers["mean"], vae.likelihood(z).mean(), rtol=1e-5, atol=1e-6)
