"""Running contestants in processes of their own."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import typing

from tfvae.cores import num_cores

_THREADS = (
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
_SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


class ContestantError(Exception):
    """A contestant that could not do what it was asked for."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a call gave.

    Attributes:
        result: What the method returned.
        seconds: How long it took, measured in the contestant's process.
    """

    result: typing.Any
    seconds: float


def environment():
    """Returns the environment of every contestant: the same threads, the CPU alone."""
    return {**os.environ, **_SETTINGS, **dict.fromkeys(_THREADS, str(num_cores()))}


class Process:
    """A contestant in a process of its own, which begins to build it at once.

    Args:
        module: Its module.
        **arguments: Of its constructor.
    """

    def __init__(self, module, **arguments):
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.benchmarks.worker", module, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment(),
        )
        self._calls = typing.cast(typing.TextIO, self._process.stdin)
        self._answers = typing.cast(typing.TextIO, self._process.stdout)
        self._built = False

    def wait(self):
        """Waits until the contestant is built; `call` does so too.

        Raises:
            ContestantError: If it can't be built.
        """
        if not self._built:
            self._answer()
            self._built = True

    def call(self, method, **arguments):
        """Calls a method of the contestant and waits for it.

        Returns:
            An `Answer`.

        Raises:
            ContestantError: If it fails or its process ends.
        """
        self.wait()
        with contextlib.suppress(BrokenPipeError):
            print(
                json.dumps({"method": method, "arguments": arguments}), file=self._calls, flush=True
            )
        return self._answer()

    def close(self):
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self._calls.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _answer(self):
        line = self._answers.readline()
        if not line:
            raise ContestantError(f"its process ended: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise ContestantError(answer["error"])
        return Answer(**answer)

    def _last_words(self):
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
