"""The start-up part: what importing and asking for help cost."""

import subprocess
import sys
import time

from pipelines.benchmarks import agreement, rounds
from pipelines.benchmarks.processes import ContestantError
from pipelines.benchmarks.worker import UNINVITED

# TensorFlow imports JAX where it is installed: as without the extra, so that it counts alone.
_ALONE = f"import sys; sys.modules[{UNINVITED!r}] = None; "

COMMANDS = {
    "python": ("-c", "pass"),
    "import tfvae": ("-c", "import tfvae"),
    "import tensorflow": ("-c", f"{_ALONE}import tensorflow"),
    "tfvae.VAE, TensorFlow included": ("-c", f"{_ALONE}import tfvae; tfvae.VAE"),
    "pipelines.train --help": ("-m", "pipelines.train", "--help"),
    "pipelines.generate --help": ("-m", "pipelines.generate", "--help"),
    "pipelines.benchmark --help": ("-m", "pipelines.benchmark", "--help"),
}


def measure(plan, tick):
    """Times each command in a fresh Python, interleaved; one run before, to fill the disk cache.

    Args:
        plan: A `Plan`.
        tick: Function of a text, called before each run.

    Returns:
        Dict for JSON.
    """
    failed: dict = {}
    jobs = {name: _job(arguments) for name, arguments in COMMANDS.items()}
    rounds.interleave(jobs, 1, failed, tick)
    jobs = {name: job for name, job in jobs.items() if name not in failed}
    seconds = rounds.interleave(jobs, plan.repetitions, failed, tick)
    commands = {name: rounds.summary(values) for name, values in seconds.items()}
    return {"commands": commands, "skipped": {}, "complaints": agreement.failures(failed)}


def _job(arguments):
    def job():
        began = time.perf_counter()
        process = subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
        if process.returncode:
            raise ContestantError(f"it ended with status {process.returncode}")
        return time.perf_counter() - began

    return job
