"""Runs every signature of an export on given inputs.

The keys of the inputs are "part/signature/batch/input", those of the answers
"part/signature/batch/output". A signature that fails answers with the message under
"part/signature/batch/!error", and each part lists its signatures under "part/!signatures".
"""

import collections
import importlib.machinery
import sys
import types
from typing import Any

import numpy as np


def main(request):
    """Runs the cases of a file of inputs and writes a file of answers.

    Args:
        request: Path of the runtime, of the inputs and of the answers, and a dict of part to the
            path of its files.
    """
    runtime, inputs, answers, paths = request
    program = _load(runtime).Program
    parts = {part: program(path) for part, path in paths.items()}
    results: dict[str, Any] = {f"{k}/!signatures": np.array(v.signatures) for k, v in parts.items()}
    for case, arrays in _cases(inputs).items():
        part, signature, _ = case.split("/")
        try:
            outputs = parts[part].run(signature, arrays)
        except Exception as error:  # whatever it is, the verification reports it
            outputs = {"!error": np.array(f"{type(error).__name__}: {error}")}
        results.update({f"{case}/{name}": array for name, array in outputs.items()})
    np.savez(answers, **results)


def _load(path):
    """Imports the runtime by its path, and shows that it needs none of what it does without."""
    loader = importlib.machinery.SourceFileLoader("runtime", path)
    module = types.ModuleType(loader.name)
    loader.exec_module(module)
    for name in module.BLOCKED:
        if sys.modules.get(name) is not None:
            raise ImportError(f"{name} has been imported, which {path} does without.")
        sys.modules[name] = None  # type: ignore[assignment]
    return module


def _cases(path):
    """Returns the inputs of each case by name."""
    cases: dict[str, dict] = collections.defaultdict(dict)
    with np.load(path) as arrays:
        for key in arrays:
            case, name = key.rsplit("/", 1)
            cases[case][name] = arrays[key]
    return cases
