"""Programs that publish, read and are killed, for the tests of publication.

    python publishers.py read ROOT        polls and loads as a server does, until its input ends
    python publishers.py kill ROOT SEED   kills publishers at random moments, 50 of them

They run without TensorFlow for Python, print what they saw as JSON, and end with status 1 if
anything that they could see was damaged.
"""

import hashlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import sys
import time

import numpy as np

from tfvae.exporters.runtimes import c_api
from tfvae.exporters.staging import Staging

FOLDERS = ("decoder", "encoder", "releases")
_SUMS = "SHA256SUMS.json"
_EVERY = 20  # of so many versions one is loaded by TensorFlow too, which takes 30 ms


def fill(staged, text, model=None):
    """Writes a small part into each folder, with the hashes of its files.

    Args:
        staged: Directory of the staging.
        text: What the files hold.
        model: Directory of a SavedModel of floats `z [batch, 3]`, to be the encoder and the decoder
            instead.
    """
    for folder in FOLDERS:
        new = pathlib.Path(staged, folder, "new")
        if model is not None and folder != "releases":
            shutil.copytree(model, new, copy_function=os.link)
        else:
            (new / "variables").mkdir(parents=True)
            (new / "saved_model.pb").write_text(text)
            (new / "variables" / "variables.index").write_text(text * 40)
        sums = {str(p.relative_to(new)): _digest(p) for p in new.rglob("*") if p.is_file()}
        (new / _SUMS).write_text(json.dumps(sums))


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def damage(path):
    """Returns what is wrong with a version as a server would find it, or None."""
    try:
        sums = json.loads((path / _SUMS).read_text())
        there = {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}
        if there != {*sums, _SUMS}:
            return f"{path} holds {sorted(there)}"
        for name, digest in sums.items():
            if _digest(path / name) != digest:
                return f"{path / name} is damaged"
    except (OSError, ValueError) as error:
        return f"{path}: {type(error).__name__}: {error}"
    return None


def load(path):
    """Returns why a version can't be loaded and run as a server does it, or None."""
    try:
        program = c_api.Program(path)
        answer = program.run("serving_default", {"z": np.ones([2, 3], np.float32)})
        program.close()
    except ValueError as error:
        return f"{path}: {error}"
    return None if np.isfinite(answer["x"]).all() else f"{path} answers {answer}"


def visible(root):
    """Returns the versions that a server sees, for each folder."""
    seen = {}
    for folder in FOLDERS:
        path = pathlib.Path(root, folder)
        names = os.listdir(path) if path.is_dir() else []
        seen[folder] = {int(name) for name in names if name.isdecimal()}
    return seen


def publish(root, text):
    with Staging(root) as staging:
        fill(staging.directory, text)
        return staging.publish()


def read(root):
    """Loads every version as soon as it is there, until the input ends."""
    loaded, damaged = set(), []
    print("ready", flush=True)
    ended = False
    while not ended:
        ended = bool(select.select([sys.stdin], [], [], 0.001)[0])  # one more look after the end
        for folder, versions in visible(root).items():
            fresh = {(folder, version) for version in versions} - loaded
            for path in (pathlib.Path(root, name, str(version)) for name, version in fresh):
                by_tensorflow = folder != "releases" and int(path.name) % _EVERY == 0
                wrong = damage(path) or (load(path) if by_tensorflow else None)
                damaged += [wrong] if wrong else []
            loaded |= fresh
    return {"loaded": len(loaded), "damaged": damaged}


def kill(root, seed, times=50):
    """Kills publishers at random moments, and looks what they leave."""
    rng = random.Random(int(seed))
    damaged, lost = [], []
    ever: set = set()
    began = time.monotonic()
    publish(root, "first ")
    longest = 3 * (time.monotonic() - began)
    for number in range(times):
        before = visible(root)
        _publish_and_be_killed(root, f"{number} ", rng.uniform(0, longest))
        seen = visible(root)
        ever |= {(folder, v) for folder, versions in seen.items() for v in versions}
        damaged += _damaged(root, seen)
        lost += [f for f in FOLDERS if before[f] - seen[f]]
    publish(root, "last ")  # finishes or removes what the dead have left
    seen = visible(root)
    damaged += _damaged(root, seen)
    lost += [f"{folder}/{version}" for folder, version in ever if version not in seen[folder]]
    left = [str(path) for path in pathlib.Path(root).glob(".staging*")]
    pairs = [sorted(versions) for versions in seen.values()]
    return {
        "damaged": damaged,
        "lost": lost,
        "left": left,
        "versions": pairs[0],
        "paired": all(versions == pairs[0] for versions in pairs),
    }


def _damaged(root, seen):
    paths = [pathlib.Path(root, folder, str(v)) for folder, vs in seen.items() for v in vs]
    return [wrong for wrong in map(damage, paths) if wrong]


def _publish_and_be_killed(root, text, seconds):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"x")
        while True:
            publish(root, text)
    os.read(reader, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


if __name__ == "__main__":
    # Forcing data to the disk is for crashes of the machine. It would take most of the time here.
    os.fsync = lambda descriptor: None
    result = {"read": read, "kill": kill}[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(result))
    sys.exit(1 if result["damaged"] or result.get("lost") else 0)
