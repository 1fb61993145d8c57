"""Runs every signature of an export on given inputs. A program, to be run without this project.

    echo '["INPUTS.npz", "ANSWERS.npz", {"PART": "PATH", ...}]' | python replay.py RUNTIME.py

The keys of INPUTS are "part/signature/batch/input", those of ANSWERS "part/signature/batch/output".
A signature that fails answers with the message under "part/signature/batch/!error", and each
part lists its signatures under "part/!signatures".
"""

import collections
import importlib.machinery
import json
import sys
import types
from typing import Any

import numpy as np

#: An export has to run where none of these is installed.
_BLOCKED = ("tfvae", "keras", "tf_keras", "tensorflow_probability")


def main(runtime):
    """Runs the cases of the inputs on the files of the parts and writes what they give."""
    _block(_BLOCKED)
    program = _load(runtime).Program
    inputs, answers, parts = json.load(sys.stdin)
    programs = {part: program(path) for part, path in parts.items()}
    results: dict[str, Any] = {
        f"{part}/!signatures": np.array(p.signatures) for part, p in programs.items()
    }
    for case, arrays in _cases(inputs).items():
        part, signature, _ = case.split("/")
        try:
            outputs = programs[part].run(signature, arrays)
        except Exception as error:  # whatever it is, the verifier reports it
            outputs = {"!error": np.array(f"{type(error).__name__}: {error}")}
        results.update({f"{case}/{name}": array for name, array in outputs.items()})
    np.savez(answers, **results)


def _block(names):
    """Makes packages unimportable, installed or not."""
    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]


def _load(path):
    """Imports the runtime by its path, and makes unimportable what it says it does without."""
    loader = importlib.machinery.SourceFileLoader("runtime", path)
    module = types.ModuleType(loader.name)
    loader.exec_module(module)
    imported = [name for name in module.BLOCKED if name in sys.modules]
    if imported:
        raise ImportError(f"{path} has imported {', '.join(imported)}.")
    _block(module.BLOCKED)
    return module


def _cases(path):
    """Returns the inputs of each case by name."""
    cases: dict[str, dict] = collections.defaultdict(dict)
    with np.load(path) as arrays:
        for key in arrays:
            case, name = key.rsplit("/", 1)
            cases[case][name] = arrays[key]
    return cases


if __name__ == "__main__":
    main(*sys.argv[1:])
