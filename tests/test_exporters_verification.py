"""What loads and yet can't be served is found before it is published, and named."""

import functools
import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfvae
from tfvae.exporters import comparison, endpoints, flatbuffers, golden, operations
from tfvae.exporters.base import Endpoint, ExportError, write_saved_model
from tfvae.exporters.litert import LiteRT
from tfvae.exporters.saved_model import SavedModel
from tfvae.exporters.verification import Verification

KERNELS: dict = {}


@pytest.fixture(scope="module")
def vae():
    vae = tfvae.VAE((5, 4, 1), 3, network="mlp(hidden=(16,))")
    rng = np.random.default_rng(0)
    for network in (vae.encoder, vae.decoder):
        network.set_weights([rng.normal(0, 0.3, w.shape) for w in network.get_weights()])
    KERNELS["decoder"] = vae.decoder.get_weights()[-2]
    return vae


class ByTheCApi(SavedModel, name="test_by_the_c_api"):
    """SavedModels that are run by the C API alone, which starts sooner than TensorFlow."""

    runtime = "c_api"
    needs_tensorflow = False
    other_runtimes = ()


def never(runtime):
    raise AssertionError(f"The files were run by {runtime} though reading them shows the defect.")


def verify(vae, path, exporter, listed, process_of=never):
    """Verifies an encoder that lies at `path`."""
    paths, weights = {"encoder": path}, endpoints.weights(vae)
    folder = path.parent
    proof = Verification(exporter, {"encoder": listed}, paths, weights, process_of, folder)
    return proof.check()


def encoder(vae, function):
    """Returns the endpoints of an encoder whose first signature is another function of x."""
    first, second = endpoints.endpoints(vae, "seed")["encoder"]
    return (Endpoint(first.name, function, first.inputs), second)


def mean(vae, x):
    return vae.posterior_layer(vae.encoder(x)).mean()


def stateful_noise(vae, x):
    return {"mean": mean(vae, x) + tf.random.normal([3])}


@functools.cache
def a_generator():
    return tf.random.Generator.from_seed(1)


def generator(vae, x):
    with tf.init_scope():
        draws = a_generator()
    return {"mean": mean(vae, x) + draws.normal([3])}


def jitted(vae, x):
    compiled = tf.function(lambda x: mean(vae, x), jit_compile=True, autograph=False)
    return {"mean": compiled(x)}


def bfloat16(vae, x):
    return {"mean": tf.cast(mean(vae, x), tf.bfloat16)}


def host_call(vae, x):
    return {"mean": tf.numpy_function(lambda a: a, [mean(vae, x)], tf.float32)}


def other_part(vae, x):
    return {"mean": mean(vae, x) + 0 * tf.reduce_sum(vae.decoder(mean(vae, x)))}


def reads_a_file(vae, x):
    return {"mean": mean(vae, x) + 0 * tf.cast(tf.strings.length(tf.io.read_file("/x")), "float32")}


def pixels_of_no_image(vae, x):
    return {"mean": tf.cast(mean(vae, x), tf.uint8)}


def no_batch(vae, x):
    return {"mean": tf.reduce_mean(mean(vae, x))}


def baked(vae, x):
    with tf.init_scope():
        first, *_ = vae.encoder.get_weights()
    return {"mean": mean(vae, x) + 0 * (tf.reshape(x, [-1, 20]) @ first)[:, :3]}


def baked_from_the_other_part(vae, x):
    kernel = KERNELS[
        "decoder"
    ]  # [16, 20]; read before: who reads it while a graph is made stores it
    return {"mean": mean(vae, x) + 0 * (tf.reshape(x, [-1, 20])[:, :16] @ kernel)[:, :3]}


@pytest.mark.parametrize(
    ("defect", "message"),
    [
        (stateful_noise, r"`RandomStandardNormal` .* signature `serving_default` .*\(stateful ra"),
        (generator, r"`RngReadAndSkip` .* signature `serving_default` .*\(stateful ra"),
        (jitted, r"XLA: signature `serving_default` is compiled by XLA \(_XlaMustCompile at"),
        (bfloat16, r"types: output `mean` of signature `serving_default` is bfloat16, and should"),
        (pixels_of_no_image, r"types: output `mean` of signature `serving_default` is uint8, and"),
        (host_call, r"`PyFunc` .* in signature `serving_default` .* \(host call\)"),
        (other_part, r"weights: the variable `\S+` \[[\d, ]+\] belongs to another part"),
        (reads_a_file, r"operations: `ReadFile` .* is not among those that are known to be served"),
        (no_batch, r"shapes: output `mean` of signature `serving_default` has the shape \[\]"),
        (baked, r"weights: the constant `\S+` repeats a weight of this part, which is stored twi"),
        (
            baked_from_the_other_part,
            r"weights: the constant `\S+` repeats a weight of another part",
        ),
    ],
)
def test_a_defect_that_can_be_read_is_named(vae, tmp_path, defect, message):
    listed = encoder(vae, functools.partial(defect, vae))
    write_saved_model(listed[:1], tmp_path / "encoder")
    message = rf"not fit to serve\. The encoder \(saved_model\)\. Static check of {message}"
    with pytest.raises(ExportError, match=message.replace("check of `", "check of operations: `")):
        verify(vae, tmp_path / "encoder", SavedModel(), listed)


def test_weights_that_are_stored_twice_are_named(vae, tmp_path):
    listed = endpoints.endpoints(vae, "seed")["encoder"]
    archive = keras.export.ExportArchive()
    archive.track(vae.encoder)
    archive.add_endpoint("serving_default", listed[0].function, list(listed[0].inputs))
    archive.write_out(str(tmp_path / "encoder"), verbose=False)
    message = r"weights: the variable `variables/0` \[20, 16\] is stored twice\. 3 more like it"
    with pytest.raises(ExportError, match=message):
        verify(vae, tmp_path / "encoder", SavedModel(), listed)


def test_weights_that_are_equal_by_nature_are_no_defect(tmp_path):
    # Before training all biases are zero: in both layers, in both parts, and like constants.
    vae = tfvae.VAE((64,), 3, network="mlp(hidden=(64, 64))", likelihood="normal")
    first, second = endpoints.endpoints(vae, "seed")["encoder"]

    def posterior(x):
        zeros = tf.constant(np.zeros(64, np.float32))
        return first.function(x + zeros)

    listed = (Endpoint("serving_default", posterior, first.inputs), second)
    write_saved_model(listed, tmp_path / "encoder")
    weights = endpoints.weights(vae)
    path = tmp_path / "encoder"
    assert SavedModel().inspect(path, listed, weights["encoder"], weights["decoder"]) == []
    zeros = [np.zeros(64, np.float32)] * 2
    path = converted(lambda x: tf.maximum(x, zeros[0] + 0), 64, tmp_path / "a.tflite")
    assert list(flatbuffers.problems(path, None, zeros, zeros)) == []


def test_variables_that_are_dead_in_a_session_are_named(vae, tmp_path, bare_process):
    # It loads with `tf.saved_model.load`, and by the C API without an error, too.
    listed = endpoints.endpoints(vae, "seed")["encoder"][:1]
    module = tf.Module()
    module.network = vae.encoder
    function = tf.function(
        listed[0].function, autograph=False, input_signature=list(listed[0].inputs)
    )
    signatures = {"serving_default": function.get_concrete_function()}
    tf.saved_model.save(module, str(tmp_path / "encoder"), signatures)
    message = r"`serving_default` of the encoder .*, batch 1: it fails\. .* [Cc]ould not find varia"
    with pytest.raises(ExportError, match=message):
        verify(vae, tmp_path / "encoder", ByTheCApi(), listed, lambda runtime: bare_process)


def test_a_folder_without_variables_is_refused(vae, tmp_path, bare_process):
    listed = endpoints.endpoints(vae, "seed")["encoder"]
    write_saved_model(listed, tmp_path / "encoder")
    path = tmp_path / "encoder" / "variables" / "variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ExportError, match=r"not fit to serve.*variables can't be read"):
        verify(vae, tmp_path / "encoder", SavedModel(), listed)


def test_the_c_api_gives_the_models_values_and_they_are_golden(vae, tmp_path, bare_process):
    listed = endpoints.endpoints(vae, "seed")["encoder"]
    write_saved_model(listed, tmp_path / "encoder")
    answers = verify(vae, tmp_path / "encoder", ByTheCApi(), listed, lambda runtime: bare_process)
    requests = [golden.Request("saved_model", *answer) for answer in answers]
    (tmp_path / "golden.json").write_text(golden.text(7, requests))
    read = golden.read(tmp_path / "golden.json")
    assert [request.signature for request in read] == ["serving_default", "sample"]
    for request, want in zip(read, requests, strict=True):
        for name in ("inputs", "outputs"):
            have, kept = getattr(request, name), getattr(want, name)
            assert have.keys() == kept.keys()
            assert all(np.array_equal(have[key], kept[key]) for key in kept)
            assert all(have[key].dtype == kept[key].dtype for key in kept)
    posterior = vae.posterior(read[0].inputs["x"])
    np.testing.assert_allclose(read[0].outputs["mean"], posterior.mean(), rtol=1e-5, atol=1e-6)


def test_a_model_that_knows_missing_values_is_proven_with_some(tmp_path, bare_process):
    vae = tfvae.VAE((20,), 3, network="mlp(hidden=(16,))", likelihood="normal", mask_missing=True)
    listed = endpoints.of_format(vae, SavedModel())["encoder"]
    write_saved_model(listed, tmp_path / "encoder")
    answers = verify(vae, tmp_path / "encoder", ByTheCApi(), listed, lambda runtime: bare_process)
    for _, signature, inputs, outputs in answers:
        missing = np.isnan(inputs["x"])
        assert 0 < missing.sum() < missing.size, signature
        assert all(np.isfinite(array).all() for array in outputs.values())
    posterior = vae.posterior(np.nan_to_num(answers[0][2]["x"]))
    np.testing.assert_allclose(answers[0][3]["mean"], posterior.mean(), rtol=1e-5, atol=1e-6)


def test_another_value_is_named_by_the_runtime_that_gives_it(vae, tmp_path, bare_process):
    listed = endpoints.endpoints(vae, "seed")["encoder"]
    wrong = encoder(vae, lambda x: {k: v + 0.01 for k, v in listed[0].function(x).items()})
    write_saved_model(wrong, tmp_path / "encoder")
    message = r"`serving_default` of the encoder \(test_by_the_c_api\), batch 1: output .* 0\.01"
    with pytest.raises(ExportError, match=message):
        verify(vae, tmp_path / "encoder", ByTheCApi(), listed, lambda runtime: bare_process)


def converted(function, size, path, flex=False):
    """Writes a function of [batch, size] as a LiteRT file, converted in this process."""
    spec = tf.TensorSpec((None, size), tf.float32, "x")
    concrete = tf.function(
        function, autograph=False, input_signature=[spec]
    ).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if flex:
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
    path.write_bytes(converter.convert())
    return path


def test_an_operation_of_flex_is_named(vae, tmp_path):
    def noisy(x):
        return x + tf.random.stateless_normal(tf.shape(x), (1, 2))

    path = converted(noisy, 3, tmp_path / "encoder.tflite", flex=True)
    listed = endpoints.endpoints(vae, "eps")["encoder"]
    message = (
        r"The encoder \(litert\)\. .* holds the custom operation `FlexStateless\w+`, which LiteRT"
    )
    with pytest.raises(ExportError, match=message):
        verify(vae, path, LiteRT(), listed)


def test_weights_of_another_part_are_found_in_a_litert_file(tmp_path):
    weights, more = np.random.default_rng(0).normal(size=(2, 20, 10)).astype(np.float32)
    path = converted(lambda x: x @ weights, 20, tmp_path / "a.tflite")
    assert list(flatbuffers.problems(path, None, [weights], [more])) == []
    (problem,) = flatbuffers.problems(path, None, [more], [weights])
    assert problem == "Static check of weights: a weight of 200 values belongs to another part."


def test_a_seed_that_is_kept_in_a_variable_is_told_from_an_unknown_operation():
    assert "`keras.random` does" in operations.reason("AssignAddVariableOp", stateful=True)
    assert "add it to `tfvae/exporters/operations.py`" in operations.reason("New", stateful=False)


def test_every_allowed_operation_is_one_of_tensorflow():
    known = {name for name in dir(tf.raw_ops) if not name.startswith("_")}
    control = {"PartitionedCall", "StatefulPartitionedCall"}  # made by functions
    assert known | control >= operations.ALLOWED
    assert not [name for name in operations.ALLOWED if name.startswith(("Random", "Stateful"))][1:]


def pixels(kind, images):
    """Returns images of a signature as arrays."""
    if kind == "uint8":
        return images
    shown = [np.asarray(Image.open(io.BytesIO(content))) for content in images]
    return np.stack(shown)[..., np.newaxis]


@pytest.mark.parametrize(("kind", "name"), [("uint8", "image"), ("png", "image_bytes")])
def test_images_are_encoded_and_decoded_in_the_graph(vae, tmp_path, bare_process, kind, name):
    exporter = SavedModel(input=kind)
    wanted = exporter.endpoints(vae, endpoints.endpoints(vae, "seed"))
    paths = {part: tmp_path / part for part in wanted}
    for part, path in paths.items():
        write_saved_model(wanted[part], path)
        weights = endpoints.weights(vae)
        foreign = weights["decoder" if part == "encoder" else "encoder"]
        assert exporter.inspect(path, wanted[part], weights[part], foreign) == []
    weights = endpoints.weights(vae)
    proof = Verification(
        ByTheCApi(), wanted, paths, weights, lambda runtime: bare_process, tmp_path
    )
    checked = proof.check()
    answers = {(part, name): (given, outputs) for part, name, given, outputs in checked}
    given, outputs = answers["encoder", "encode_image"]
    images = pixels(kind, given[name])
    assert (images.dtype, images.shape[1:]) == (np.uint8, (5, 4, 1))
    # The likelihood is a Bernoulli: the model has seen 0 and 1 alone.
    posterior = vae.posterior(np.round(images / 255).astype(np.float32))
    np.testing.assert_allclose(outputs["mean"], posterior.mean(), rtol=1e-5, atol=1e-6)
    given, outputs = answers["decoder", "decode_image"]
    levels = np.round(255 * vae.likelihood(given["z"]).mean())
    images = pixels(kind, outputs[name])
    assert images.dtype == np.uint8
    assert np.max(np.abs(images - levels)) <= 1
    requests = [golden.Request("saved_model", *answer) for answer in checked]
    (tmp_path / "golden.json").write_text(golden.text(1, requests))
    for request in golden.read(tmp_path / "golden.json"):
        for arrays in (request.inputs, request.outputs):
            kept = answers[request.part, request.signature][arrays is request.outputs]
            assert all(np.array_equal(array, kept[key]) for key, array in arrays.items())


def test_pixels_of_files_are_compared_however_they_are_packed():
    rng, packed = np.random.default_rng(0), {}
    levels = rng.integers(0, 256, (2, 5, 4), np.uint8)
    for level in (0, 9):
        files = [io.BytesIO() for _ in levels]
        for file, image in zip(files, levels, strict=True):
            Image.fromarray(image).save(file, "PNG", compress_level=level)
        packed[level] = np.array([file.getvalue() for file in files])
    assert not np.array_equal(packed[0], packed[9])
    assert comparison.compare(packed[0], packed[9]) is None
    assert "of 40 elements, by at most" in comparison.compare(packed[0], packed[0][::-1])
    assert "instead of" in comparison.compare(packed[0], np.array([b"no", b"file"]))
    assert "instead of" in comparison.compare(packed[0], levels)


def test_strings_that_rest_would_not_know_as_bytes_are_named(vae, tmp_path):
    listed = encoder(vae, lambda x: {"text": tf.io.encode_png(tf.cast(x, tf.uint8))})
    write_saved_model(listed[:1], tmp_path / "encoder")
    with pytest.raises(ExportError, match="output `text` of signature `serving_default` is string"):
        verify(vae, tmp_path / "encoder", SavedModel(), listed)


def test_images_need_images():
    flat = tfvae.VAE((4,), 2, network="mlp(hidden=(3,))", likelihood="normal")
    with pytest.raises(ExportError, match=r"Export without `--input png`"):
        SavedModel(input="png").endpoints(flat, endpoints.endpoints(flat, "seed"))
    with pytest.raises(ValueError, match="`input` of `saved_model` is 'float32', 'uint8' or 'png'"):
        SavedModel(input="int4")
