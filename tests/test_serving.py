"""The client and the deployment check, against a stand-in server and a real one where there is one.

A real server is taken from `TFVAE_SERVING_URL` with `TFVAE_SERVING_EXPORTED`, the directory of what
it serves, or started where `tensorflow_model_server` is on the PATH.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from serving_stand_in import StandIn
from tensorflow_serving.apis import prediction_log_pb2

import tfvae
from pipelines import check_serving
from pipelines.cli import Failure, UsageError
from tfvae import serving
from tfvae.exporters import comparison, golden, serving_kit
from tfvae.exporters.warmup import BATCH_SIZES
from tfvae.serving import Client, ServingError, UnavailableError, seeds

WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None
from pipelines import check_serving
check_serving.main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory, old_processes):
    """An export with two versions, the first of which is stable."""
    root = tmp_path_factory.mktemp("exported") / "model"
    vae = tfvae.VAE((3, 2, 1), 2, network="mlp(hidden=(8,))", likelihood="normal")
    rng = np.random.default_rng(0)
    for network in (vae.encoder, vae.decoder):
        network.set_weights([rng.normal(0, 0.3, w.shape) for w in network.get_weights()])
    tfvae.export(vae, root, formats="saved_model(input='png')")
    for part in ("encoder", "decoder"):
        shutil.copytree(root / part / "1", root / part / "2")
    serving_kit.write(root, 2, ("encoder", "decoder"), [])
    return root


@pytest.fixture(scope="module")
def stand_in(exported):
    with StandIn(exported) as server:
        yield server


@pytest.fixture(autouse=True)
def patient(request):
    """Leaves the stand-in as each test expects it."""
    yield
    if "stand_in" in request.fixturenames:
        server = request.getfixturevalue("stand_in")
        server.refusals = 0
        server.delay.set()


@pytest.fixture(params=["rest", "grpc"])
def url(request, stand_in):
    return getattr(stand_in, f"{request.param}_url")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def real(exported, tmp_path_factory):
    """Root and address of a real server."""
    address = os.environ.get("TFVAE_SERVING_URL")
    if address:
        yield pathlib.Path(os.environ.get("TFVAE_SERVING_EXPORTED", "exported/mnist")), address
        return
    binary = shutil.which("tensorflow_model_server")
    if binary is None:
        pytest.skip("no tensorflow_model_server on the PATH, and TFVAE_SERVING_URL is not set")
    config = tmp_path_factory.mktemp("server") / "models.config"
    text = (exported / "serving" / "models.config").read_text()
    config.write_text(text.replace("/models/", f"{exported}/"))
    port = _free_port()
    flags = [
        f"--rest_api_port={port}",
        f"--port={_free_port()}",
        f"--model_config_file={config}",
        "--allow_version_labels_for_unavailable_models=true",
        "--enable_batching=true",
        "--enable_per_model_batching_parameters=true",
        f"--batching_parameters_file={exported / 'serving' / 'batching.config'}",
        f"--monitoring_config_file={exported / 'serving' / 'monitoring.config'}",
    ]
    process = subprocess.Popen([binary, *flags])
    yield exported, f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def requests(root):
    path = sorted((root / "releases").glob("*/golden.json"), key=lambda p: int(p.parent.name))[-1]
    listed = [r for r in golden.read(path) if r.format == "saved_model"]
    return {(request.part, request.signature): request for request in listed}


def assert_golden(root, client):
    """Asserts that the typed methods give the golden answers."""
    known = requests(root)
    calls = {
        ("encoder", "serving_default"): client.encode,
        ("encoder", "sample"): lambda x, seed: {"z": client.sample(seed, x=x)},
        ("decoder", "serving_default"): client.decode,
        ("decoder", "sample"): lambda z, seed: {"x": client.sample(seed, z=z)},
        ("decoder", "generate"): client.generate,
        ("encoder", "encode_image"): lambda image_bytes: client.encode_image(image_bytes.tolist()),
        ("decoder", "decode_image"): lambda z: {"image_bytes": client.decode_image(z)},
    }
    assert calls.keys() == known.keys()
    for key, call in calls.items():
        given = call(**known[key].inputs)
        assert comparison.difference(known[key].outputs, given) is None, key


def test_the_typed_methods_give_the_golden_answers(exported, url):
    assert_golden(exported, Client(url, version=1))


def test_a_real_server_gives_the_golden_answers(real):
    root, address = real
    check_serving.main([str(root), "--url", address])
    assert_golden(root, Client(address))


def test_versions_and_labels_are_asked_for(url):
    z = np.zeros([1, 2], np.float32)
    newest = Client(url).decode(z)["mean"]
    for choice in ({"version": 2}, {"label": "canary"}, {"label": "stable"}):
        np.testing.assert_allclose(Client(url, **choice).decode(z)["mean"], newest)
    with pytest.raises(ServingError, match=r"Specific\(decoder, 7\)"):
        Client(url, version=7).decode(z)
    with pytest.raises(ServingError, match="version label: oldest"):
        Client(url, label="oldest").decode(z)
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(other\)"):
        Client(url, names={"decoder": "other"}).decode(z)


def test_states_and_signatures_are_told(url):
    client = Client(url)
    assert client.states("decoder") == {1: "AVAILABLE", 2: "AVAILABLE"}
    told = client.signatures("decoder")
    assert told["generate"] == {"inputs": ["seed"], "outputs": ["mean", "x", "z"]}
    assert told.keys() == {"generate", "sample", "serving_default", "decode_image"}


def test_a_request_that_is_wrong_is_refused_once_in_the_words_of_the_server(stand_in, url):
    before = stand_in.num_requests
    with pytest.raises(ServingError, match=r"(?i)incompatible|must be equal|size|shape"):
        Client(url).decode(np.zeros([1, 5]))
    with pytest.raises(ServingError, match='"nothing" not found in signature def'):
        Client(url).predict("decoder", "nothing", {"z": np.zeros([1, 2], np.float32)})
    with pytest.raises(ServingError, match="does not match signature"):
        Client(url).predict("encoder", "sample", {"x": np.zeros([1, 3, 2, 1], np.float32)})
    assert stand_in.num_requests == before + 3


def test_a_picture_in_colour_is_encoded_as_its_grey(url):
    shades = [np.full((3, 2, channels), 120, np.uint8) for channels in (1, 3)]
    files = [tf.io.encode_png(shade).numpy() for shade in shades]
    grey, colour = Client(url).encode_image(files)["mean"]
    np.testing.assert_allclose(colour, grey, rtol=1e-5)


def test_a_picture_that_does_not_fit_is_refused_in_the_words_of_the_server(url):
    large = tf.io.encode_png(np.zeros((4, 2, 1), np.uint8)).numpy()
    with pytest.raises(ServingError, match=r"not compatible with expected shape \[3,2,1\]"):
        Client(url).encode_image([large])
    with pytest.raises(ServingError, match=r"(?i)unknown image"):
        Client(url).encode_image([b"no picture"])


def test_a_server_that_is_not_ready_is_asked_again(stand_in, url):
    stand_in.refusals, before = 2, stand_in.num_requests
    assert Client(url).decode(np.zeros([1, 2]))["mean"].shape == (1, 3, 2, 1)
    assert stand_in.num_requests == before + 3
    stand_in.refusals = 9
    with pytest.raises(UnavailableError, match="not ready"):
        Client(url, retries=1).decode(np.zeros([1, 2]))


def test_a_server_that_is_slow_is_not_waited_for(stand_in, url):
    client = Client(url, timeout=0.3)
    stand_in.delay.clear()
    with pytest.raises(ServingError, match=r"did not answer within 0\.3 s\. Give it more time"):
        client.decode(np.zeros([1, 2]))


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_is_not_there_is_named(scheme):
    address = f"{scheme}://127.0.0.1:{_free_port()}"
    with pytest.raises(UnavailableError, match="can't be reached"):
        Client(address, retries=0).decode(np.zeros([1, 2]))
    with pytest.raises(
        UnavailableError, match=r"Version 3 of `decoder` was not available within 0"
    ):
        Client(address).wait_until_available("decoder", 3, seconds=0)


def test_what_the_client_cannot_send_is_refused_by_it():
    with pytest.raises(ValueError, match=r"http://HOST:8501 .* Received 'localhost:8501'"):
        Client("localhost:8501")
    with pytest.raises(ValueError, match="a version or a label, not both"):
        Client(version=1, label="stable")
    client = Client()
    with pytest.raises(ValueError, match="Give exactly one of them"):
        client.sample(seeds(1))
    with pytest.raises(ValueError, match=r"int32 \[batch, 2\]\. Received float64\[3, 2\]"):
        client.generate(np.zeros([3, 2]))
    with pytest.raises(ValueError, match=r"`seed` holds integers of 32 bits, .* to 4294967296"):
        client.generate([[0, 2**32]])
    with pytest.raises(ValueError, match="`seed` holds integers of 32 bits"):
        seeds(2, seed=2**31)
    with pytest.raises(ValueError, match=r"uint8 arrays, or PNG .* float64\[2, 3, 2, 1\]\. Give"):
        client.encode_image(np.zeros([2, 3, 2, 1]))
    with pytest.raises(ValueError, match=r"`z` is an array of floats, .* Received bool\[1, 2\]"):
        client.predict("decoder", "serving_default", {"z": np.zeros([1, 2], bool)})


def test_numbers_of_64_bits_are_sent_in_32(url):
    answer = Client(url).predict("decoder", "serving_default", {"z": np.zeros([1, 2])})
    assert answer["mean"].shape == (1, 3, 2, 1)


def test_images_of_a_conditional_model_are_asked_for_with_their_condition(monkeypatch):
    asked = []

    def predict(client, part, signature, inputs):
        asked.append(inputs)
        return {"image": np.zeros([1, 3, 2, 1])}

    monkeypatch.setattr(Client, "predict", predict)
    Client().encode_image(np.zeros([1, 3, 2, 1], np.uint8), [4])
    Client().decode_image(np.zeros([1, 2]), [[0.5, 2.0]])
    assert [sorted(inputs) for inputs in asked] == [["condition", "image"], ["condition", "z"]]
    assert [inputs["condition"].tolist() for inputs in asked] == [[4], [[0.5, 2.0]]]


def test_seeds_differ_by_row():
    assert len({tuple(row) for row in seeds(100, 5)}) == 100
    assert seeds(3).dtype == np.int32
    assert set(serving.__all__) <= set(dir(serving))


def test_every_warm_up_request_is_answered(exported, stand_in):
    # A server that can't answer one refuses the version.
    for part, versions in stand_in.models.programs.items():
        path = exported / part / "1" / "assets.extra" / "tf_serving_warmup_requests"
        records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
        assert len(records) == len(versions[1].signatures) * len(BATCH_SIZES)
        for record in records:
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            outputs = versions[1].run(request.model_spec.signature_name, inputs)
            (batch,) = {len(array) for array in inputs.values()}
            assert {len(array) for array in outputs.values()} == {batch}


def post(address, body):
    data = json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data)) as response:
        return json.load(response)


def test_rows_and_columns_are_answered_alike(stand_in, exported):
    address = f"{stand_in.rest_url}/v1/models/decoder/labels/stable:predict"
    seed = [[1, 2], [3, 4]]
    rows = [{"seed": s} for s in seed]
    in_rows = post(address, {"signature_name": "generate", "instances": rows})["predictions"]
    bare = post(address, {"signature_name": "generate", "instances": seed})["predictions"]
    columns = post(address, {"signature_name": "generate", "inputs": {"seed": seed}})["outputs"]
    assert in_rows == bare
    assert [row["z"] for row in in_rows] == columns["z"]
    for path in (exported / "serving" / "requests").glob("*.json"):
        part = path.name.partition("-")[0]
        answer = post(f"{stand_in.rest_url}/v1/models/{part}:predict", json.loads(path.read_text()))
        assert len(answer["predictions"]) == 2


def test_errors_are_json(stand_in):
    with pytest.raises(urllib.error.HTTPError) as error:
        post(f"{stand_in.rest_url}/v1/models/decoder:predict", {"both": 1})
    assert error.value.code == 400
    assert "Missing 'inputs' or 'instances' key" in json.loads(error.value.read())["error"]


def test_a_deployment_that_answers_as_the_model_passes(exported, url, capsys):
    check_serving.main([str(exported), "--url", url, "--num", "2"])
    out = capsys.readouterr().out
    assert out.count("agrees") == 7
    assert f"{url} serves version 1: 7 signatures answer as the model." in out
    path = exported / "releases" / "1" / "golden.json"
    check_serving.main([str(path), "--url", url, "--num", "1", "--label", "stable"])


def test_a_part_with_an_address_of_its_own_is_checked_alone(
    exported, stand_in, capsys, monkeypatch
):
    programs = stand_in.models.programs
    monkeypatch.setattr(stand_in.models, "programs", {"mnist-encoder": programs["encoder"]})
    common = [str(exported), "--url", stand_in.rest_url, "--num", "1", "--wait", "0"]
    check_serving.main([*common, "--part", "encoder", "--encoder", "mnist-encoder"])
    assert "3 signatures answer as the model" in capsys.readouterr().out
    with pytest.raises(Failure, match="Version 1 of `decoder` was not available"):
        check_serving.main([*common, "--encoder", "mnist-encoder"])


def test_a_deployment_that_answers_otherwise_fails(exported, stand_in, tmp_path):
    content = json.loads((exported / "releases" / "1" / "golden.json").read_text())
    for request in content["requests"]:
        if request["signature"] == "generate":
            request["outputs"]["z"]["values"][1][0] += 0.01
    path = tmp_path / "1" / "golden.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    message = (
        r"`generate` of the decoder: output `z` differs in 1 of 4 elements, by at most 0\.01.*"
    )
    common = [str(path), "--url", stand_in.rest_url, "--num", "1"]
    with pytest.raises(Failure, match=rf"{message} 1 of 7 signatures are wrong\.$"):
        check_serving.main(common)
    with pytest.raises(Failure, match=r"are wrong\. Does the label `canary` name version 1\?"):
        check_serving.main([*common, "--label", "canary"])


def test_a_version_that_is_not_served_fails(exported, stand_in, tmp_path):
    (tmp_path / "releases").mkdir()
    shutil.copytree(exported / "releases" / "1", tmp_path / "releases" / "5")
    arguments = [str(tmp_path), "--url", stand_in.rest_url, "--wait", "0"]
    message = "Version 5 of `encoder` was not available .* Known of it: 1 is AVAILABLE, 2 is AVAIL"
    with pytest.raises(Failure, match=message):
        check_serving.main(arguments)


def test_a_check_that_cannot_be_made_is_refused(exported, tmp_path):
    for arguments, message in (
        ([str(tmp_path)], "holds none. Publish a run"),
        ([str(tmp_path / "nowhere")], "does not exist"),
        ([str(exported), "--version", "4"], "Received 4; .* has 1. Leave it out"),
        ([str(exported), "--url", "localhost"], "http://HOST:8501 for REST"),
        ([__file__], r"or its releases/N/golden\.json"),
    ):
        with pytest.raises(UsageError, match=message):
            check_serving.main(arguments)
    damaged = tmp_path / "releases" / "1" / "golden.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"requests": [{}]}')
    with pytest.raises(Failure, match="is damaged"):
        check_serving.main([str(tmp_path)])


def test_a_check_by_rest_takes_no_tensorflow(exported, stand_in):
    arguments = [str(exported), "--url", stand_in.rest_url, "--num", "1"]
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "7 signatures answer as the model" in result.stdout
