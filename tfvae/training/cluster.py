"""Which machines train together: read from the environment, before TensorFlow is loaded."""

import dataclasses
import json
import os

#: Names of the strategies that `--strategy` takes.
STRATEGIES = ("auto", "single", "mirrored", "multi_worker", "tpu")


class ClusterError(ValueError):
    """An environment that describes no cluster that can train."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train one model, and which of them this is.

    Attributes:
        num_workers: How many processes train together.
        is_chief: Whether this one writes: the run directory, figures and exports.
        source: "TF_CONFIG", "Slurm", or None where this process is alone.
    """

    num_workers: int = 1
    is_chief: bool = True
    source: str | None = None


def read(environment=None):
    """Reads the cluster that a job scheduler has described.

    Args:
        environment: Mapping of variables; that of this process by default.

    Returns:
        A `Cluster`: of `TF_CONFIG`, as TFJob, Vertex AI and others set it, else of Slurm's
        variables of a step with several tasks, else of this process alone.

    Raises:
        ClusterError: If `TF_CONFIG` can't be read or describes another kind of training.

    Examples:
        >>> config = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}
        >>> read({"TF_CONFIG": json.dumps(config)})
        Cluster(num_workers=2, is_chief=False, source='TF_CONFIG')
    """
    environment = os.environ if environment is None else environment
    if environment.get("TF_CONFIG", "").strip() not in ("", "{}"):
        return _from_tf_config(environment["TF_CONFIG"])
    # Of a step, which `srun` starts once for each task. SLURM_NTASKS alone may be that of a batch
    # script, which runs once.
    text = environment.get("SLURM_STEP_NUM_TASKS", "1")
    if not text.isdecimal():
        raise ClusterError(
            f"SLURM_STEP_NUM_TASKS is a number of tasks, which `srun` sets. Received {text!r}. "
            f"Unset it to train on this machine alone."
        )
    tasks = int(text)
    if tasks > 1:
        return Cluster(tasks, environment.get("SLURM_PROCID") == "0", "Slurm")
    return Cluster()


def _from_tf_config(text):
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        kind, index = task["type"], int(task["index"])
        roles = [role for role in ("chief", "worker") if role in cluster]
        addresses = [(role, n) for role in roles for n in range(len(cluster[role]))]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"TF_CONFIG is JSON such as {{'cluster': {{'worker': ['host:port', ...]}}, 'task': "
            f"{{'type': 'worker', 'index': 0}}}}. Received {text!r} ({type(error).__name__}: "
            f"{error}). Correct it, or unset it to train on this machine alone."
        ) from None
    if "ps" in cluster or kind in ("ps", "evaluator"):
        raise ClusterError(
            f"Keras 3 has no training with parameter servers or a separate evaluator. TF_CONFIG "
            f"names the tasks {', '.join(sorted({*cluster, kind}))}. Describe workers only: they "
            f"keep equal copies of the weights, and evaluate by themselves."
        )
    if "master" in cluster:
        raise ClusterError(
            "The process of TF_CONFIG that writes is called `chief`. Received a task `master`, its "
            "name of former times. Rename it, in `cluster` and in `task`."
        )
    if (kind, index) not in addresses or kind not in ("chief", "worker"):
        raise ClusterError(
            f"The task of TF_CONFIG is one of its cluster. Received {kind} {index} in a cluster of "
            f"{', '.join(f'{role} {n}' for role, n in addresses) or 'nobody'}. Correct `task`."
        )
    first = ("chief", 0) if "chief" in cluster else ("worker", 0)
    return Cluster(len(addresses), (kind, index) == first, "TF_CONFIG")
