"""The manifest of a release: what was published, from what, and how good it is.

releases/3/manifest.json   golden.json   model_card.md   samples.png
"""

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import pathlib
import platform

import numpy as np

from tfvae import __version__

FOLDER = "releases"
FILE = "manifest.json"

_PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "ai-edge-litert", "numpy")


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Where a model comes from and how good it is: what a release says of it beside its files.

    Attributes:
        options: The options of the run that trained it.
        dataset: Spec of its data set.
        fingerprint: Fingerprint of that data.
        evaluations: Evaluations as in a run's `evaluation.json`, the newest last.
        samples: A picture of new examples, the bytes of a PNG file.
        examples: Rows of data as they came, for formats that are calibrated and measured on some.
        conditions: The values of their condition, for a conditional model.
    """

    options: dict = dataclasses.field(default_factory=dict)
    dataset: str | None = None
    fingerprint: str | None = None
    evaluations: list = dataclasses.field(default_factory=list)
    samples: bytes | None = None
    examples: np.ndarray | None = None
    conditions: np.ndarray | None = None


def describe(vae, provenance, verdicts):
    """Returns what a manifest says of a model, whether it is published or refused."""
    config = vae.get_config()
    parts = ["network", "posterior", "likelihood", "prior", "objective"]
    if vae.condition is not None:
        parts.append("condition")
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "model": {
            "event_shape": list(vae.event_shape),
            **({} if vae.transform is None else {"columns": vae.transform.columns}),
            "latent_size": vae.latent_size,
            **{part: config[part] for part in parts},
            "num_weights": vae.count_params(),
            "precision": vae.dtype_policy.name,
        },
        "dataset": {"spec": provenance.dataset, "fingerprint": provenance.fingerprint},
        "options": provenance.options,
        "evaluations": provenance.evaluations,
        "gates": [dataclasses.asdict(verdict) for verdict in verdicts],
        "stack": stack(),
    }


def stack():
    """Returns the versions of what an export is made with."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"tfvae": __version__, "python": platform.python_version(), **versions}


def files(staged, version):
    """Returns size and SHA-256 of every staged file, under the name it is published as.

    Args:
        staged: Directory with `FOLDER/new` in it.
        version: What "new" becomes.
    """
    found = {}
    for new in sorted(pathlib.Path(staged).glob("*/new")):
        for path in sorted(path for path in new.rglob("*") if path.is_file()):
            name = pathlib.PurePath(new.parent.name, str(version), path.relative_to(new))
            found[name.as_posix()] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
    return found


def sha256(path):
    """Returns the SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def last(root):
    """Returns the manifest of the highest version that has one and is whole, or None.

    Args:
        root: Directory of an export.
    """
    folder = pathlib.Path(root, FOLDER)
    versions = sorted((int(p.name) for p in folder.glob("*") if p.name.isdecimal()), reverse=True)
    for version in versions:
        try:
            return read(folder / str(version) / FILE)
        except (OSError, ValueError):
            continue
    return None


def read(path):
    """Reads a manifest.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is damaged.
    """
    content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or "version" not in content:
        raise ValueError(f"{path} is no manifest of a release.")
    return content


def text(content):
    """Returns the manifest as the text of its file."""
    return f"{json.dumps(content, indent=2)}\n"
