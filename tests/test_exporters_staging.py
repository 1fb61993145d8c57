"""Versions appear whole, in pairs and in order, whoever is killed and whoever else publishes."""

import contextlib
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import numpy as np
import publishers
import pytest

from tfvae.exporters.base import Endpoint, write_saved_model
from tfvae.exporters.staging import Staging, prune

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


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("folder", FOLDERS)
def test_an_interrupted_move_takes_back_every_move(tmp_path, monkeypatch, folder, moved):
    publish(tmp_path, "a")
    rename = pathlib.Path.rename

    def interrupt(path, target):
        if path.parent.name != folder or path.name != "new":
            return rename(path, target)
        if moved:  # Ctrl-C right after the move
            rename(path, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path, "b")
    monkeypatch.undo()
    assert published(tmp_path) == {folder: {"1": "a"} for folder in FOLDERS}
    assert publish(tmp_path, "c") == 2


def test_what_cannot_be_taken_back_is_finished_by_the_next_publisher(tmp_path, monkeypatch):
    rename = pathlib.Path.rename

    def interrupt(path, target):
        if path.parent.name == "decoder" and path.name == "new":
            return rename(path, target)
        raise KeyboardInterrupt  # in the second move, and again while the first is taken back

    monkeypatch.setattr(pathlib.Path, "rename", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path, "a")
    monkeypatch.undo()
    assert publish(tmp_path, "b") == 2
    assert published(tmp_path) == {folder: {"1": "a", "2": "b"} for folder in FOLDERS}


@pytest.mark.parametrize("text", ["", "x"])
def test_a_damaged_decision_decides_nothing(tmp_path, text):
    dead = tmp_path / ".staging-dead"
    (dead / "encoder" / "new").mkdir(parents=True)
    (dead / "version").write_text(text)
    assert publish(tmp_path, "a") == 1
    assert published(tmp_path) == {folder: {"1": "a"} for folder in FOLDERS}
    assert not dead.exists()


def test_a_decision_is_never_seen_empty(tmp_path, monkeypatch):
    seen = []
    fsync = os.fsync

    def look(descriptor):
        seen.extend(path.read_text() for path in tmp_path.glob(".staging*/version"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", look)
    publish(tmp_path, "a")
    assert set(seen) == {"1"}


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


@pytest.fixture
def memory_path(tmp_path):
    """A folder in memory where the system has one: a busy disk would take minutes."""
    memory = pathlib.Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield pathlib.Path(folder)


def program(*arguments):
    """Starts one of the programs of `publishers.py`."""
    path = pathlib.Path(__file__).with_name("publishers.py")
    root = str(path.parents[1])
    return subprocess.Popen(
        [sys.executable, str(path), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
    )


@pytest.fixture
def tiny_model(memory_path):
    """A small SavedModel on the disk of the export, whose versions are links to it."""
    import tensorflow as tf  # here alone: publishers that are spawned import this file

    weights = tf.Variable(np.ones([3, 4], np.float32))

    def decode(z):
        return {"x": z @ weights}

    endpoint = Endpoint("serving_default", decode, (tf.TensorSpec((None, 3), tf.float32, "z"),))
    write_saved_model([endpoint], memory_path / "model")
    return memory_path / "model"


def test_a_polling_reader_finds_each_of_1000_publications_whole(
    memory_path, tiny_model, monkeypatch
):
    # Forcing data to the disk is what a crash needs and a reader doesn't: it would take minutes.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    root = memory_path / "exported"
    with program("read", root) as reader:
        assert reader.stdout.readline() == "ready\n"
        for number in range(1000):
            with Staging(root) as staging:
                publishers.fill(staging.directory, f"{number} ", tiny_model)
                assert staging.publish() == number + 1
        output, _ = reader.communicate()
    seen = json.loads(output)
    assert seen["damaged"] == []
    assert seen["loaded"] == 1000 * len(publishers.FOLDERS)
    assert reader.returncode == 0


def test_a_reader_that_finds_a_half_copied_version_says_so(tmp_path):
    # What the two tests around this one look for can be seen.
    with Staging(tmp_path) as staging:
        publishers.fill(staging.directory, "a ")
        staging.publish()
    assert publishers.damage(tmp_path / "encoder" / "1") is None
    (tmp_path / "encoder" / "1" / "variables" / "variables.index").unlink()
    assert "holds" in publishers.damage(tmp_path / "encoder" / "1")
    (tmp_path / "decoder" / "1" / "saved_model.pb").write_text("a")
    assert "is damaged" in publishers.damage(tmp_path / "decoder" / "1")
    assert "decoder/1: " in publishers.load(tmp_path / "decoder" / "1")


def test_publishers_killed_at_50_random_moments_damage_and_lose_nothing(memory_path):
    with program("kill", memory_path, 0) as killer:
        output, _ = killer.communicate()
    seen = json.loads(output)
    assert (seen["damaged"], seen["lost"], seen["left"]) == ([], [], [])
    assert seen["paired"]
    assert seen["versions"] == list(range(1, len(seen["versions"]) + 1))
    assert len(seen["versions"]) > 5
    assert killer.returncode == 0


def test_what_is_described_is_published_with_the_version(tmp_path):
    def describe(directory, version):
        (directory / "releases" / "new").mkdir(parents=True)
        (directory / "releases" / "new" / "file").write_text(f"version {version}")

    publish(tmp_path, "a")
    with Staging(tmp_path) as staging:
        fill(staging, "b")
        assert staging.publish(describe) == 2
    assert published(tmp_path)["releases"] == {"2": "version 2"}


def test_what_cannot_be_described_is_not_published(tmp_path):
    publish(tmp_path, "a")

    def refuse(directory, version):
        raise ZeroDivisionError

    with Staging(tmp_path) as staging:
        fill(staging, "b")
        with pytest.raises(ZeroDivisionError):
            staging.publish(refuse)
    assert published(tmp_path) == {folder: {"1": "a"} for folder in FOLDERS}


def test_old_versions_are_pruned_but_for_protected_ones(tmp_path):
    for text in "abcde":
        publish(tmp_path, text)
    assert prune(tmp_path, 2, {1, 4, 9}) == [2, 3]
    expected = {"1": "a", "4": "d", "5": "e"}
    assert published(tmp_path) == dict.fromkeys(FOLDERS, expected)
    assert prune(tmp_path, 1, ()) == [1, 4]
    assert prune(tmp_path, 1, ()) == []
    assert publish(tmp_path, "f") == 6
    assert list(tmp_path.glob(".staging*")) == []


def test_a_version_that_is_pruned_is_gone_at_once(tmp_path, monkeypatch):
    publish(tmp_path, "a")
    publish(tmp_path, "b")
    seen = []

    def look(path, **kwargs):
        seen.append({f.name: {p.name for p in f.iterdir()} for f in tmp_path.glob("[a-z]*")})

    monkeypatch.setattr(shutil, "rmtree", look)  # a publisher that is killed while it removes
    prune(tmp_path, 1)
    assert seen == [{folder: {"2"} for folder in FOLDERS}]
    monkeypatch.undo()
    assert publish(tmp_path, "c") == 3  # and what is left is cleared away
    assert list(tmp_path.glob(".staging*")) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_who_is_killed_while_pruning_is_finished_by_the_next_publisher(
    tmp_path, monkeypatch, folder
):
    publish(tmp_path, "a")
    publish(tmp_path, "b")
    rename = pathlib.Path.rename

    def die(path, target):
        if path == tmp_path / folder / "1":
            raise SystemExit
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", die)
    with pytest.raises(SystemExit):
        prune(tmp_path, 1)
    monkeypatch.undo()
    assert (tmp_path / folder / "1").is_dir()
    with Staging(tmp_path):
        pass
    assert published(tmp_path) == {name: {"2": "b"} for name in FOLDERS}
    assert list(tmp_path.glob(".staging*")) == []


def test_the_names_of_a_first_publication_are_forced_to_the_disk(tmp_path, monkeypatch):
    forced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: forced.append(os.fstat(descriptor).st_ino))
    publish(tmp_path, "a")
    folders = [tmp_path, *(tmp_path / folder for folder in FOLDERS)]
    assert {folder.stat().st_ino for folder in folders} <= set(forced)
