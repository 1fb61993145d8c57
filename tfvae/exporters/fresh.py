"""Processes that hold nothing of ours: where exports are converted and proven."""

import json
import os
import subprocess
import sys
import tempfile
from typing import IO, cast

from tfvae.exporters.base import ExportError

_QUIET_CPU = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",  # the process that trains holds the memory of the accelerator
}


class Fresh:
    """A new Python process that runs a program of this folder by its path.

    It starts at once, so that the program can import what it needs while the work for it is
    still being prepared; the program then reads its request as JSON from standard input. What
    it writes stays off the terminal, and appears in the error if it fails. As a context manager,
    it ends the process when the block is left. If this process dies, that one reads the end of
    its input and ends too.

    Args:
        task: What it is for, for messages: "convert to LiteRT".
        script: Path of the program, which imports nothing of this project.
        *arguments: Its arguments.
    """

    def __init__(self, task, script, *arguments):
        self._task = task
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            env={**os.environ, **_QUIET_CPU},
        )
        self._input = cast(IO[bytes], self._process.stdin)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._input.close()
        self._messages.close()

    def send(self, request):
        """Gives the program its request; a program that has died already is `wait`'s to report.

        Args:
            request: What JSON can write, short enough for a pipe's buffer.
        """
        try:
            self._input.write(json.dumps(request).encode())
            self._input.flush()
        except BrokenPipeError:
            return
        self._input.close()

    def wait(self):
        """Waits until the process is done.

        Raises:
            ExportError: If it failed, with the last lines that it wrote.
        """
        status = self._process.wait()
        if status != 0:
            self._messages.seek(0)
            lines = self._messages.read().decode(errors="replace").strip().splitlines()
            said = "\n".join(lines[-15:]) or "It wrote nothing."
            raise ExportError(f"The process to {self._task} ended with status {status}. {said}")
