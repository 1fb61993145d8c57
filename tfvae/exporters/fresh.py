"""Processes that hold nothing of ours: where exports are converted and proven."""

import os
import subprocess
import sys
import tempfile

from tfvae.exporters.base import ExportError

_QUIET_CPU = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",  # the process that trains holds the memory of the accelerator
}


class Fresh:
    """A new Python process that runs a program of this folder by its path.

    What it writes stays off the terminal, and appears in the error if it fails. As a context
    manager, it ends the process when the block is left.

    Args:
        task: What it is for, for messages: "convert to LiteRT".
        script: Path of the program. It must not import this project: nothing but its own
            folder would tell it where the project is.
        *arguments: Its arguments.
    """

    def __init__(self, task, script, *arguments):
        self._task = task
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(script), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            env={**os.environ, **_QUIET_CPU},
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._messages.close()

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
            raise ExportError(
                f"The process to {self._task} ended with status {status}. {said}"
            )
