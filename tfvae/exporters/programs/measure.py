"""Runs a signature of several files on rows, and measures how long one row takes."""

import importlib.machinery
import time
import types

import numpy as np


def main(request):
    """Writes the outputs of each file, and under "!seconds" what one row took each time.

    Args:
        request: Path of the runtime, number of repetitions, and a list of (file, signature, npz
            of the inputs, npz to write).
    """
    runtime, repeats, jobs = request
    loader = importlib.machinery.SourceFileLoader("runtime", runtime)
    module = types.ModuleType(loader.name)
    loader.exec_module(module)
    for path, signature, given, answers in jobs:
        program = module.Program(path)
        inputs = dict(np.load(given))
        outputs = _run(program, signature, inputs)
        np.savez(answers, **outputs, **{"!seconds": _seconds(program, signature, inputs, repeats)})


def _run(program, signature, inputs):
    """Runs all rows at once, or one by one where the file is made for one."""
    if None in {shape[0] for shape in program.inputs(signature).values()}:
        return program.run(signature, inputs)
    num = len(next(iter(inputs.values())))
    rows = [
        program.run(signature, {name: array[i : i + 1] for name, array in inputs.items()})
        for i in range(num)
    ]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _seconds(program, signature, inputs, repeats):
    row = {name: array[:1] for name, array in inputs.items()}
    for _ in range(10):
        program.run(signature, row)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        program.run(signature, row)
        seconds.append(time.perf_counter() - began)
    return np.array(seconds)
