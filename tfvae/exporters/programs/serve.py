"""Runs the programs beside it, in a process where this project can't be imported.

    python -P serve.py [PACKAGE ...]

Reads a request a line from standard input, `["PROGRAM", REQUEST]`, calls `main(REQUEST)` of that
program and answers on standard output with a line: the JSON text of what went wrong, empty if
nothing did.
"""

import importlib
import json
import os
import pathlib
import runpy
import sys

#: An export has to work where none of these is installed. TensorFlow does without Keras, too.
_BLOCKED = ("tfvae", "keras", "tf_keras", "tensorflow_probability")


def main(packages):
    """Serves requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a program prints is no answer
    for name in _BLOCKED:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in packages:
        importlib.import_module(name)
    for line in sys.stdin:
        answers.write(f"{json.dumps(_run(*json.loads(line)))}\n")
        answers.flush()


def _run(program, request):
    """Returns what went wrong as text, or an empty text."""
    path = pathlib.Path(__file__).with_name(f"{program}.py")
    try:
        runpy.run_path(str(path))["main"](request)
    except Exception as error:  # whatever it is, the other process reports it
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
