"""Processes that hold nothing of ours: where exports are converted and proven."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
from typing import IO, cast

from tfvae.exporters.base import ExportError

_SERVE = pathlib.Path(__file__).with_name("programs") / "serve.py"

#: Seconds that a program may take: far more than importing TensorFlow and converting a part do.
TIME_LIMIT = 1800

_QUIET_CPU = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",  # the process that trains holds the memory of the accelerator
}


class Fresh:
    """A new Python process that runs the programs of `programs/`, and can't import this project.

    It starts at once and imports what it needs while its work is still being prepared. Importing
    TensorFlow takes several seconds, so one process runs several programs, one after the other.
    What they write stays off the terminal, and appears in the error if one fails. As a context
    manager, it ends the process when the block is left. If this process dies, that one reads the
    end of its input and ends too.

    Args:
        *packages: Names of packages to import at the start.
        time_limit: Seconds to wait for a program before the process is stopped.
    """

    def __init__(self, *packages, time_limit=TIME_LIMIT):
        self._time_limit = time_limit
        self._timed_out = False
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SERVE), *packages],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env={**os.environ, **_QUIET_CPU},
        )
        self._requests = cast(IO[bytes], self._process.stdin)
        self._answers = cast(IO[bytes], self._process.stdout)
        self._num_sent = 0
        self._received: list[str] = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._process.kill()
        self._process.wait()
        for file in (self._requests, self._answers, self._messages):
            file.close()

    def run(self, program, request):
        """Begins to run a program.

        Args:
            program: Name of a module in `programs/`.
            request: What its `main` takes; what JSON can write.

        Returns:
            A function that waits until the program is done and raises an `ExportError` if it
            failed or takes longer than the time limit.
        """
        number, self._num_sent = self._num_sent, self._num_sent + 1
        try:
            self._requests.write(json.dumps([program, request]).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            pass  # it has died: waiting for it says so

        def wait():
            error = self._answer(number)
            if error:
                raise ExportError(f"The program `{program}` failed. {error}")

        return wait

    def _answer(self, number):
        """Returns what went wrong with a request as text, or an empty text."""
        while len(self._received) <= number:
            line = self._next_line()
            if not line:
                return self._last_words()
            self._received.append(json.loads(line))
        return self._received[number]

    def _next_line(self):
        """Returns the next answer, or an empty line if the process has ended or takes too long."""
        timer = threading.Timer(self._time_limit, self._stop)
        timer.start()
        try:
            return self._answers.readline()
        finally:
            timer.cancel()

    def _stop(self):
        self._timed_out = True
        self._process.kill()

    def _last_words(self):
        status = self._process.wait()
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        said = "\n".join(lines[-15:]) or "It wrote nothing."
        if self._timed_out:
            return f"It was stopped, since it took longer than {self._time_limit} seconds. {said}"
        return f"Its process ended with status {status}. {said}"
