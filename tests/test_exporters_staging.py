"""Versions appear whole, in pairs and in order, whoever is killed and whoever else publishes."""

import contextlib
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tfvae.exporters.staging import Staging

FOLDERS = ("decoder", "encoder", "litert")

PUBLISHER = """
import os, sys
from tfvae.exporters import staging
moved = []
def rename(self, target, rename=staging.pathlib.Path.rename):
    if len(moved) == {renames}:
        print("ready", flush=True)
        sys.stdin.read()
    moved.append(rename(self, target))
staging.pathlib.Path.rename = rename
with staging.Staging(sys.argv[1]) as stage:
    for folder in {folders}:
        (stage.directory / folder / "new").mkdir(parents=True)
        (stage.directory / folder / "new" / "file").write_text("killed")
    stage.publish()
"""


def fill(staging, text):
    for folder in FOLDERS:
        (staging.directory / folder / "new").mkdir(parents=True)
        (staging.directory / folder / "new" / "file").write_text(text)


def publish(root, text):
    with Staging(root) as staging:
        fill(staging, text)
        return staging.publish()


def published(root):
    """Returns folder -> version -> text."""
    return {
        folder.name: {path.name: (path / "file").read_text() for path in folder.iterdir()}
        for folder in pathlib.Path(root).iterdir()
        if folder.is_dir()
    }


def killed(root, renames):
    """Runs a publisher that is killed after so many renames of its version."""
    script = PUBLISHER.format(renames=renames, folders=FOLDERS)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)


def test_versions_pair_and_grow(tmp_path):
    assert publish(tmp_path, "a") == 1
    assert publish(tmp_path, "b") == 2
    assert published(tmp_path) == {folder: {"1": "a", "2": "b"} for folder in FOLDERS}


def test_nothing_is_seen_before_it_is_published(tmp_path):
    with Staging(tmp_path) as staging:
        fill(staging, "a")
        names = [path.name for path in tmp_path.iterdir()]
        assert all(name.startswith(".") for name in names)
    assert list(tmp_path.glob(".staging*")) == []
    assert published(tmp_path) == {}


def test_an_error_leaves_nothing(tmp_path):
    publish(tmp_path, "a")
    staging = Staging(tmp_path)
    with contextlib.suppress(ZeroDivisionError), staging:
        fill(staging, 1 / 0)
    assert not staging.directory.exists()
    assert published(tmp_path) == {folder: {"1": "a"} for folder in FOLDERS}


def test_a_failing_move_takes_back_the_moves_before_it(tmp_path, monkeypatch):
    publish(tmp_path, "a")
    rename = pathlib.Path.rename

    def fail(path, target):
        if path.parent.name == "litert" and path.name == "new":
            raise OSError("disk")
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", fail)
    with pytest.raises(OSError, match="disk"):
        publish(tmp_path, "b")
    assert published(tmp_path) == {folder: {"1": "a"} for folder in FOLDERS}


def test_a_publisher_killed_before_its_first_move_leaves_no_version(tmp_path):
    publish(tmp_path, "a")
    killed(tmp_path, renames=0)
    assert [p.name for p in tmp_path.rglob("*") if p.name.isdecimal()] == ["1"] * len(FOLDERS)


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_the_next_publisher_finishes_what_was_decided_and_cleans_up(tmp_path, renames):
    publish(tmp_path, "a")
    killed(tmp_path, renames=renames)
    assert list(tmp_path.glob(".staging*"))
    assert publish(tmp_path, "b") == 3
    assert published(tmp_path) == {
        folder: {"1": "a", "2": "killed", "3": "b"} for folder in FOLDERS
    }


def test_the_staging_of_a_dead_publisher_is_removed(tmp_path):
    dead = tmp_path / ".staging-dead"
    (dead / "encoder" / "new").mkdir(parents=True)
    with Staging(tmp_path):
        assert not dead.exists()


def test_the_staging_of_a_living_publisher_is_left_alone(tmp_path):
    with Staging(tmp_path) as first:
        fill(first, "first")
        assert publish(tmp_path, "second") == 1
        assert first.publish() == 2
    assert published(tmp_path)["encoder"] == {"1": "second", "2": "first"}


def test_concurrent_publishers_never_share_a_version(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        jobs = [(tmp_path, f"{number}") for number in range(12)]
        versions = pool.starmap(publish, jobs)
    assert sorted(versions) == list(range(1, 13))
    texts = {str(version): text for version, (_, text) in zip(versions, jobs, strict=True)}
    assert published(tmp_path) == dict.fromkeys(FOLDERS, texts)


def test_published_folders_can_be_read_by_another_user(tmp_path):
    publish(tmp_path, "a")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "encoder" / "1").stat().st_mode & 0o777 == 0o777 & ~mask
