"""What the serving kit says is what TensorFlow Serving's own classes read."""

import json

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from tfvae.exporters import serving_kit, warmup
from tfvae.exporters.base import Endpoint
from tfvae.exporters.golden import Request

PARTS = ("encoder", "decoder")
X = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 3, 2)
SEED = np.array([[1, 2], [-3, 4]], np.int32)
REQUESTS = [
    Request("saved_model", "encoder", "sample", {"x": X, "seed": SEED}, {}),
    Request("saved_model", "decoder", "generate", {"seed": SEED}, {}),
]


INT, TEXT = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
FIELDS = {
    # Of session_bundle_config.proto and monitoring_config.proto, which the package leaves out.
    "BatchingParameters": [
        *[("max_batch_size", 1, INT), ("batch_timeout_micros", 2, INT)],
        *[("max_enqueued_batches", 3, INT), ("num_batch_threads", 4, INT)],
        *[("thread_pool_name", 5, TEXT), ("allowed_batch_sizes", 6, None)],
    ],
    "PrometheusConfig": [("enable", 1, "bool"), ("path", 2, "string")],
    "MonitoringConfig": [("prometheus_config", 1, ".serving_kit.PrometheusConfig")],
}


@pytest.fixture(scope="module")
def messages():
    """Returns TensorFlow Serving's messages that its API package leaves out, by name."""
    file = descriptor_pb2.FileDescriptorProto(name="serving_kit.proto", package="serving_kit")
    file.syntax = "proto3"
    file.dependency.append("google/protobuf/wrappers.proto")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            entry = message.field.add(name=field, number=number, label=1)
            if kind is None:
                entry.type, entry.label = entry.TYPE_INT64, entry.LABEL_REPEATED
            elif kind.startswith("."):
                entry.type, entry.type_name = entry.TYPE_MESSAGE, kind
            else:
                entry.type = {"bool": entry.TYPE_BOOL, "string": entry.TYPE_STRING}[kind]
    pool = descriptor_pool.DescriptorPool()
    for known in (wrappers_pb2.DESCRIPTOR, None):
        copy = descriptor_pb2.FileDescriptorProto()
        known.CopyToProto(copy) if known is not None else copy.CopyFrom(file)
        pool.Add(copy)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"serving_kit.{name}"))
        for name in FIELDS
    }


def publish(root, version):
    for part in PARTS:
        (root / part / str(version)).mkdir(parents=True, exist_ok=True)
    serving_kit.write(root, version, PARTS, REQUESTS)
    return read_config(root)


def read_config(root):
    """Returns the model configs as TensorFlow Serving reads them."""
    message = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((root / "serving" / "models.config").read_text(), message)
    return {config.name: config for config in message.model_config_list.config}


def told(configs, part="encoder"):
    config = configs[part]
    served = list(config.model_version_policy.specific.versions)
    return served, dict(config.version_labels)


def test_the_config_serves_both_parts_by_their_labels(tmp_path):
    configs = publish(tmp_path, 3)
    assert list(configs) == list(PARTS)
    for part in PARTS:
        assert configs[part].base_path == f"/models/{part}"
        assert configs[part].model_platform == "tensorflow"
        assert told(configs, part) == ([3], {"stable": 3, "canary": 3})


def test_a_publication_moves_the_canary_and_leaves_what_is_stable(tmp_path):
    publish(tmp_path, 3)
    assert told(publish(tmp_path, 4)) == ([3, 4], {"stable": 3, "canary": 4})
    assert told(publish(tmp_path, 5)) == ([3, 5], {"stable": 3, "canary": 5})
    path = tmp_path / "serving" / "models.config"
    promoted = path.read_text().replace('"stable" value: 3', '"stable" value: 5')
    path.write_text(promoted)
    assert told(publish(tmp_path, 6)) == ([5, 6], {"stable": 5, "canary": 6})


def test_a_stable_version_that_is_gone_is_replaced(tmp_path):
    publish(tmp_path, 3)
    (tmp_path / "decoder" / "3").rmdir()
    assert told(publish(tmp_path, 4)) == ([4], {"stable": 4, "canary": 4})


@pytest.mark.parametrize(
    "text",
    [
        'version_labels { key: "blue-green" value: 7 } # version_labels { key: "old" value: 1 }',
        "version_labels: {\n  key: 'blue-green',\n  value: 7\n}",
        'version_labels < value: 7 key: "blue-green" >',
        'version_labels: [{ key: "blue-green" value: 7 }]',
    ],
)
def test_labels_are_read_as_people_write_them(tmp_path, text):
    (tmp_path / "serving").mkdir()
    config = f'model_config_list {{ config {{ name: "a" {text}\n }} }}'
    (tmp_path / "serving" / "models.config").write_text(config)
    assert dict(read_config(tmp_path)["a"].version_labels) == {"blue-green": 7}
    assert serving_kit.labels(tmp_path) == {"blue-green": {7}}


@pytest.mark.parametrize("text", ["versions: 2 versions: 4", "versions: [2, 4]"])
def test_pins_are_read_as_people_write_them(tmp_path, text):
    (tmp_path / "serving").mkdir()
    policy = f"model_version_policy {{ specific {{ {text} }} }}"
    config = f'model_config_list {{ config {{ name: "a" {policy} }} }}'
    (tmp_path / "serving" / "models.config").write_text(config)
    assert told(read_config(tmp_path), "a") == ([2, 4], {})
    assert serving_kit.labels(tmp_path) == {"": {2, 4}}


def test_a_label_of_somebody_outlives_publications(tmp_path):
    publish(tmp_path, 1)
    path = tmp_path / "serving" / "models.config"
    canary = 'version_labels { key: "canary" value: 1 }'
    assert canary in path.read_text()
    path.write_text(path.read_text().replace(canary, canary.replace("canary", "last-year")))
    publish(tmp_path, 2)
    named = {"stable": 1, "last-year": 1, "canary": 3}
    for part in PARTS:
        assert told(publish(tmp_path, 3), part) == ([1, 3], named)
    assert serving_kit.labels(tmp_path)["last-year"] == {1}  # what `--keep` goes by
    (tmp_path / "encoder" / "1").rmdir()
    assert told(publish(tmp_path, 4)) == ([4], {"stable": 4, "canary": 4})


def test_versions_that_are_pinned_count_as_labelled(tmp_path):
    publish(tmp_path, 2)
    publish(tmp_path, 4)
    assert serving_kit.labels(tmp_path) == {"stable": {2}, "canary": {4}, "": {2, 4}}
    assert serving_kit.labels(tmp_path / "nowhere") == {}


def test_files_that_were_changed_are_kept(tmp_path):
    publish(tmp_path, 1)
    names = {p.relative_to(tmp_path / "serving").as_posix() for p in tmp_path.rglob("serving/**/*")}
    assert {"compose.yaml", "kserve/encoder.yaml", "requests/decoder-generate.json"} <= names
    (tmp_path / "serving" / "compose.yaml").write_text("mine")
    (tmp_path / "serving" / "batching.config").unlink()
    request = tmp_path / "serving" / "requests" / "decoder-generate.json"
    request.write_text("of a model with other inputs")
    publish(tmp_path, 2)
    assert json.loads(request.read_text())["signature_name"] == "generate"
    commands = (tmp_path / "serving" / "requests" / "README.md").read_text()
    assert "Requests to version 2" in commands
    assert "models/decoder:predict -d @decoder-generate.json" in commands
    assert (tmp_path / "serving" / "compose.yaml").read_text() == "mine"
    assert (tmp_path / "serving" / "batching.config").is_file()


def test_example_requests_are_rows(tmp_path):
    publish(tmp_path, 1)
    path = tmp_path / "serving" / "requests" / "encoder-sample.json"
    body = json.loads(path.read_text())
    assert body["signature_name"] == "sample"
    assert [row["seed"] for row in body["instances"]] == SEED.tolist()
    rows = np.array([row["x"] for row in body["instances"]], np.float32)
    np.testing.assert_array_equal(rows, X)


def test_the_yaml_files_say_what_they_should(tmp_path):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    root = tmp_path / "My_Model"
    publish(root, 1)
    compose = yaml.safe_load((root / "serving" / "compose.yaml").read_text())
    service = compose["services"]["serving"]
    assert service["image"] == f"tensorflow/serving:{tf.__version__}"
    for flag in service["command"]:
        value = flag.partition("=")[2]
        if value.startswith("/models/"):
            assert (root / value.removeprefix("/models/")).is_file()
    for part in PARTS:
        kserve = yaml.safe_load((root / "serving" / "kserve" / f"{part}.yaml").read_text())
        assert kserve["kind"] == "InferenceService"
        assert kserve["metadata"]["name"] == f"my-model-{part}"
        model = kserve["spec"]["predictor"]["model"]
        assert model["modelFormat"] == {"name": "tensorflow"}
        assert model["storageUri"].endswith(f"/{part}")


def test_warm_up_records_are_prediction_logs_of_every_signature_and_size(tmp_path):
    endpoint = Endpoint(
        "sample",
        None,
        (tf.TensorSpec((None, 3, 2), tf.float32, "x"), tf.TensorSpec((None, 2), tf.int32, "seed")),
    )
    other = Endpoint("serving_default", None, endpoint.inputs[:1])
    warmup.write("encoder", (other, endpoint), tmp_path)
    records = tf.data.TFRecordDataset(str(tmp_path / "assets.extra" / "tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]
    assert len(logs) == 2 * len(warmup.BATCH_SIZES)
    seen = set()
    for log in logs:
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "encoder"
        arrays = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        (batch,) = {len(array) for array in arrays.values()}
        seen.add((request.model_spec.signature_name, batch, tuple(sorted(arrays))))
        assert arrays["x"].shape == (batch, 3, 2)
        assert arrays["x"].dtype == np.float32
    assert seen == {
        (name, size, inputs)
        for name, inputs in (("serving_default", ("x",)), ("sample", ("seed", "x")))
        for size in warmup.BATCH_SIZES
    }


def test_batching_takes_the_sizes_that_are_warmed_up(tmp_path, messages):
    warmup.write("encoder", (), tmp_path)
    parameters = messages["BatchingParameters"]()
    text_format.Parse((tmp_path / "batching_params.pbtxt").read_text(), parameters)
    sizes = list(parameters.allowed_batch_sizes)
    # In increasing order, and the last one is the largest: what the server asks of them.
    assert tuple(sizes) == warmup.BATCH_SIZES == tuple(sorted(set(sizes)))
    assert parameters.max_batch_size.value == sizes[-1]


def test_threads_and_metrics_are_configured(tmp_path, messages):
    publish(tmp_path, 1)
    folder = tmp_path / "serving"
    parameters = messages["BatchingParameters"]()
    text_format.Parse((folder / "batching.config").read_text(), parameters)
    assert parameters.num_batch_threads.value >= 1
    monitoring = messages["MonitoringConfig"]()
    text_format.Parse((folder / "monitoring.config").read_text(), monitoring)
    assert monitoring.prometheus_config.enable
    assert monitoring.prometheus_config.path.startswith("/")
