"""`--help` of every program: all that there is, at once, and without what takes long to load."""

import pathlib
import resource
import subprocess
import sys

import pytest

from pipelines import commands
from pipelines.benchmarks import contestants
from tfvae import components

FOLDER = pathlib.Path(commands.__file__).parent
PROGRAMS = sorted(p.stem for p in FOLDER.glob("*.py") if "cli.run(main)" in p.read_text())

# Families whose members a program lists with their options and first lines.
FAMILIES = {
    "train": set(commands.FAMILIES.values()),
    "plot": {"figures"},
    "export": {"exporters"},
    "inspect": {"datasets"},
}
ASK = """
import runpy, sys
sys.argv = [sys.argv[1], "--help"]
try:
    runpy.run_module(f"pipelines.{sys.argv[0]}", run_name="__main__")
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_every_program_is_asked():
    assert {"train", "evaluate", "export", "generate", "encode", "benchmark"} < set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_answers_at_once_with_all_that_there_is(name, tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        [sys.executable, "-c", ASK, name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, process.stderr
    assert f"usage: python -m pipelines.{name}" in process.stdout
    # CPU time: other tests share the machine.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    heavy = {"tensorflow", "keras", "matplotlib", "torch", "jax"}
    if name != "benchmark":  # its contestants are imported to be listed, and use NumPy
        heavy |= {"numpy", "PIL"}
    assert not heavy & set(process.stderr.split())
    for family in FAMILIES.get(name, ()):
        for member in components.members(family).values():
            assert f"  {member}\n      {member.summary}\n" in f"{process.stdout}\n"
    if name == "benchmark":
        listed = [c for folder in contestants.FOLDERS for c in contestants.find(folder)]
        assert {"jax_scan", "torch_compile"} < set(listed)
        assert all(f"\n  {contestant} " in process.stdout for contestant in listed)


def test_numpy_is_there_when_it_is_used():
    code = (
        "import sys; from pipelines import bulk, steps; assert 'numpy' not in sys.modules\n"
        "assert steps.np.ones(3).sum() == 3 and bulk.np is steps.np; import numpy\n"
        "assert steps.np.ndarray is numpy.ndarray"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
