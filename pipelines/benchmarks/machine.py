"""On what a benchmark was run."""

import datetime
import importlib.metadata
import os
import pathlib
import platform

from tfvae.cores import num_cores

_PACKAGES = (
    "ai-edge-litert", "jax", "jaxlib", "keras", "numpy", "onnx", "onnxruntime", "tensorflow",
    "tensorflow-probability", "tfvae", "torch",
)  # fmt: skip


def describe():
    """Returns the machine, the versions and the time as a dict for JSON.

    `load_average` above a few tenths, at the beginning, says that something else was running.
    """
    return {
        "processor": _processor(),
        "cores": num_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
