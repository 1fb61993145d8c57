"""Python environments that hold some packages and no others."""

import importlib.metadata
import subprocess
import sys

import pytest


def pinned(*names):
    """Returns requirements of packages in the versions that are installed here."""
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]


def make(place, *requirements):
    """Makes an environment; skips the test where no package index can be reached.

    Args:
        place: `pathlib.Path` of its folder.
        *requirements: What to install.

    Returns:
        Path of its Python.
    """
    # Without its own pip, which takes as long to install as the rest: this one's installs into it.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    python = place / "bin" / "python"
    quiet = ("--quiet", "--disable-pip-version-check", "--no-compile")
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *quiet, *requirements],
        capture_output=True,
        text=True,
        check=False,
    )
    unreachable = ("No matching distribution", "Could not find a version", "ConnectionError")
    if any(words in installed.stderr for words in unreachable):
        pytest.skip(f"no package index can be reached: {installed.stderr.strip()[-200:]}")
    assert installed.returncode == 0, installed.stderr
    return python
