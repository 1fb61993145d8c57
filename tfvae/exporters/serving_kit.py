"""The serving kit of an export: what TensorFlow Serving and KServe need to serve it.

    serving/models.config        both parts, with the labels `stable` and `canary`
    serving/batching.config      threads that form batches; sizes lie with each version
    serving/monitoring.config    metrics for Prometheus
    serving/compose.yaml         one server for both parts
    serving/kserve/*.yaml        one service for each part
    serving/requests/*.json      an example request for each signature of the newest version
    serving/requests/README.md   the commands that send them
    serving/README.md            the other commands

A publication moves `canary` to the new version; `stable`, and every label that somebody has added,
stays where it is until its number is changed in `models.config`. The requests are those of the
newest version. The other files are written once and left to their owners.
"""

import importlib.metadata
import pathlib
import re

from tfvae.exporters import example_requests
from tfvae.files import write_atomically

FOLDER = "serving"
CONFIG = "models.config"

# Text protos as people write them: in either order, with either bracket, in lists. Of the messages
# of this file, labels alone have a key and a value.
_GROUP = re.compile(r"[{<]([^{}<>]*)[}>]")
_KEY = re.compile(r"""\bkey\s*:\s*(["'])(.+?)\1""")
_VALUE = re.compile(r"\bvalue\s*:\s*(\d+)")
_PINNED = re.compile(r"\bversions\s*:\s*(\d+|\[[^\]]*\])")


def labels(root):
    """Returns the labels that the serving configuration gives out.

    Args:
        root: Directory of an export.

    Returns:
        Dict of label to the set of versions that have it; "" for versions that are served
        without a label.
    """
    try:
        text = pathlib.Path(root, FOLDER, CONFIG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    text = re.sub(r"#.*", "", text)
    found: dict[str, set] = {}
    for group in _GROUP.findall(text):
        label, version = _KEY.search(group), _VALUE.search(group)
        if label and version:
            found.setdefault(label[2], set()).add(int(version[1]))
    for versions in _PINNED.findall(text):
        found.setdefault("", set()).update(map(int, re.findall(r"\d+", versions)))
    return found


def write(root, version, parts, requests):
    """Writes the kit, and moves the label `canary` to a version.

    Args:
        root: `pathlib.Path` of the export.
        version: The version that has just been published.
        parts: Names of the folders that hold the versions, such as ("encoder", "decoder").
        requests: Iterable of golden `Request`, one for each signature.
    """
    name = _dns_name(root.resolve().name)
    image = f"tensorflow/serving:{importlib.metadata.version('tensorflow')}"
    folder = root / FOLDER
    for relative, text in {
        "batching.config": _BATCHING,
        "monitoring.config": _MONITORING,
        "compose.yaml": _compose(image),
        "README.md": _readme(name, image, parts),
        **{f"kserve/{part}.yaml": _kserve(name, part) for part in parts},
    }.items():
        if not (folder / relative).exists():
            _write(folder / relative, text)
    example_requests.write(folder / "requests", version, requests)
    held = {"stable": version, **_held(root, parts), "canary": version}
    _write(folder / CONFIG, models_config(parts, held))


def models_config(parts, held):
    """Returns a `ModelServerConfig` as text.

    Args:
        parts: Names of the folders that hold the versions.
        held: Dict of label to the version that it names.
    """
    models = "".join(_model_config(part, held) for part in parts)
    return f"{_CONFIG_HEAD}model_config_list {{\n{models}}}\n"


def _model_config(part, held):
    served = "".join(f"        versions: {version}\n" for version in sorted(set(held.values())))
    named = "".join(
        f'    version_labels {{ key: "{label}" value: {version} }}\n'
        for label, version in held.items()
    )
    return f"""\
  config {{
    name: "{part}"
    base_path: "/models/{part}"
    model_platform: "tensorflow"
    model_version_policy {{
      specific {{
{served}      }}
    }}
{named}  }}
"""


def _held(root, parts):
    """Returns the version that each label names now, of those that are still there."""
    held = {}
    for label, versions in labels(root).items():
        there = [v for v in versions if all((root / part / str(v)).is_dir() for part in parts)]
        if label and there:
            held[label] = max(there)
    return held


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path) as file:
        file.write(text.encode())


def _dns_name(name):
    """Returns a name that Kubernetes takes: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


_CONFIG_HEAD = """\
# Written anew by each publication: `canary` becomes the newest version and every other label stays
# where it is, but what else is changed here is lost. To promote a version, change the numbers of
# `stable`; a server that polls this file takes it up. A request without a version or label goes to
# the newest version of them.
"""

_BATCHING = """\
# Threads that run batches, for all models together; the sizes lie with each version, in
# batching_params.pbtxt.
num_batch_threads { value: 4 }
max_enqueued_batches { value: 100 }
"""

_MONITORING = """\
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""

_FLAGS = (
    "--model_config_file=/models/serving/models.config",
    "--model_config_file_poll_wait_seconds=5",
    "--allow_version_labels_for_unavailable_models=true",
    "--enable_batching=true",
    "--enable_per_model_batching_parameters=true",
    "--batching_parameters_file=/models/serving/batching.config",
    "--monitoring_config_file=/models/serving/monitoring.config",
)


def _compose(image):
    flags = "".join(f"      - {flag}\n" for flag in _FLAGS)
    return f"""\
# docker compose -f compose.yaml up
services:
  serving:
    image: {image}
    restart: unless-stopped
    ports:
      - "8500:8500" # gRPC
      - "8501:8501" # REST, and /monitoring/prometheus/metrics
    volumes:
      - ..:/models:ro
    command:
{flags}"""


def _kserve(name, part):
    return f"""\
# kubectl apply -f {part}.yaml, after copying {part}/ to the storage that storageUri names.
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: {name}-{part}
spec:
  predictor:
    minReplicas: 1
    model:
      modelFormat:
        name: tensorflow
      protocolVersion: v1
      runtimeVersion: {importlib.metadata.version("tensorflow")}
      storageUri: s3://BUCKET/{name}/{part}
      resources:
        requests:
          cpu: "1"
          memory: 1Gi
        limits:
          memory: 2Gi
"""


def _readme(name, image, parts):
    flags = " \\\n      ".join(_FLAGS)
    states = "\n".join(f"    curl -s localhost:8501/v1/models/{part}" for part in parts)
    return f"""\
# Serving {name}

In this folder, with Docker Compose:

    docker compose -f compose.yaml up -d

or by hand, from the folder above:

    docker run --rm -p 8500:8500 -p 8501:8501 -v "$PWD:/models:ro" {image} \\
      {flags}

Then check what is served: it replays the golden requests of the release and ends with status 0
or 1.

    python -m pipelines.check_serving .. --url http://localhost:8501

## Requests

Which versions are served, and the types and shapes of their signatures:

{states}
    curl -s localhost:8501/v1/models/{parts[0]}/metadata

`requests/` has an example for each signature of the newest version, and the command that sends it.
A label or a version stands in the path: `/v1/models/{parts[0]}/labels/stable:predict`,
`/v1/models/{parts[0]}/versions/1:predict`.

## Releasing

A publication moves the label `canary` to the new version in `models.config`; the server, which
reads that file every 5 seconds, loads it beside `stable`. To promote it, give `stable` its number.
`--keep N` of the exporting programs never removes a version that is named there.

## Kubernetes

`kserve/` has one service for each part. Copy the folders of the parts to the storage that
`storageUri` names, and apply them. Each part has an address of its own then, and is checked alone:

    python -m pipelines.check_serving .. --part {parts[0]} --{parts[0]} {name}-{parts[0]} --url URL
"""
