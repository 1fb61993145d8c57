"""Strategies: how one training runs on several devices or machines."""

import contextlib
import functools
import json
import operator
import os
import zlib

import keras
import numpy as np
import tensorflow as tf

from tfvae.training import cluster

#: Numbers below it are told apart in float32 sums over some hundred processes.
_MOST_COMPARED = 2**12


def make(name="auto"):
    """Makes a strategy; call it before anything else runs on TensorFlow.

    single        one device
    mirrored      all GPUs of this machine, or all of its logical CPUs, in one process
    multi_worker  the processes that `TF_CONFIG` or Slurm name, with the GPUs of each
    tpu           the TPU that `TPU_NAME` names, or the one of this machine
    auto          the first of these that the environment asks for: several processes, a TPU,
                  several GPUs, else one device

    Args:
        name: One of `cluster.STRATEGIES`.

    Returns:
        `tf.distribute.Strategy`, or None for one device.

    Raises:
        ClusterError: If the name is unknown, or the environment doesn't have what it needs.
    """
    if name not in cluster.STRATEGIES:
        raise cluster.ClusterError(
            f"`strategy` is one of {', '.join(cluster.STRATEGIES)}. Received {name!r}."
        )
    return {
        "auto": _auto,
        "single": lambda: None,
        "mirrored": _mirrored,
        "multi_worker": _multi_worker,
        "tpu": _tpu,
    }[name]()


def scope_of(strategy):
    """Returns the context in which the variables of a strategy are made."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def of(model):
    """Returns the strategy that a Keras model was made under, or None for none."""
    strategy = model.distribute_strategy
    with strategy.scope():  # Keras answers with TensorFlow's default one where there was none
        return strategy if tf.distribute.has_strategy() else None


def describe(model):
    """Returns what to say of the devices of a model, a list of sentences."""
    strategy = of(model)
    if strategy is None or strategy.num_replicas_in_sync == 1:
        return ["One device."]
    return [
        f"{type(strategy).__name__}: {strategy.num_replicas_in_sync} devices share each batch; "
        f"every one of them evaluates."
    ]


def on_one_device(model):
    """Returns a model on one device with the weights and the optimizer of a trained one.

    Args:
        model: A compiled `VAE`. One that is on one device already comes back as it is.
    """
    if of(model) is None:
        return model
    copy = type(model).from_config(model.get_config())
    copy.compile(type(model.optimizer).from_config(model.optimizer.get_config()))
    for part in ("weights", "optimizer.variables"):
        read = operator.attrgetter(part)
        for variable, trained in zip(read(copy), read(model), strict=True):
            variable.assign(np.asarray(trained.value))
    return copy


def number(variable):
    """Returns the value of a scalar variable, whether or not it has copies on several devices."""
    return keras.ops.convert_to_numpy(variable).item()


def writes(model):
    """Says whether this process writes what training leaves behind: the chief of several does."""
    return not _spans_workers(of(model)) or cluster.read().is_chief


def check_model(model, clip_norm):
    """Refuses what one device does, and several that share a batch don't do alike.

    Raises:
        ClusterError: If the model or the options ask for it.
    """
    strategy = of(model)
    if strategy is None:
        return
    if clip_norm is not None and strategy.num_replicas_in_sync > 1:
        raise cluster.ClusterError(
            f"Several devices would clip their shares of a gradient, and not the whole. Received "
            f"`--clip-norm {clip_norm}`. Leave it out, or choose `--strategy single`."
        )
    if model.objective.is_coupled and strategy.num_replicas_in_sync > 1:
        raise cluster.ClusterError(
            f"The objective `{model.objective.spec}` compares the examples of a batch with each "
            f"other, and every one of several devices has a share of them only. Choose another, or "
            f"`--strategy single`."
        )
    layer = model.likelihood_layer
    if layer.non_trainable_variables:
        raise cluster.ClusterError(
            f"The likelihood `{layer.spec}` fits a variance to each batch, of which every one of "
            f"several devices has a share only. Choose another, or `--strategy single`."
        )


def check_conditions(model, conditions):
    """Refuses processes that would train under different conditions: on other data, say.

    Args:
        model: The Keras model that is trained.
        conditions: As `conditions.of` returns them.

    Raises:
        ClusterError: If they would.
    """
    text = json.dumps(conditions, sort_keys=True)
    if not _agree(model, zlib.crc32(text.encode()) % _MOST_COMPARED):
        raise cluster.ClusterError(
            f"Processes that train together read the same data, with the same options and "
            f"versions. Those of this one, {text}, aren't those of others. Give each the same."
        )


def check_place(model, steps):
    """Refuses processes that would begin at different steps, and wait for each other for ever.

    Args:
        model: The Keras model that is trained.
        steps: Steps that this process's checkpoint has taken.

    Raises:
        ClusterError: If they would.
    """
    if not _agree(model, steps % _MOST_COMPARED):
        raise cluster.ClusterError(
            f"Processes that train together go on from one checkpoint. This one found that of step "
            f"{steps}, others were at another step. Put the run directory where all can read it."
        )


def _agree(model, number):
    return np.isclose(total(model, float(number)), number * total(model, 1.0), rtol=1e-6)


def total(model, number):
    """Adds up a number over the processes that train together, all of which call this.

    Args:
        model: The Keras model that is trained.
        number: Float.

    Returns:
        Float, the same in each.
    """
    strategy = of(model)
    if not _spans_workers(strategy):
        return number

    # Each of a process's devices adds the number once.
    here = strategy.num_replicas_in_sync // cluster.read().num_workers
    return float(_adder(strategy)(tf.constant(number / here)))


@functools.cache
def _adder(strategy):
    """Returns a function that adds up a number over all replicas; made once, since it compiles."""

    def add(share):
        share = tf.identity(share)  # on the device of this replica
        return tf.distribute.get_replica_context().all_reduce("SUM", share)

    @tf.function(autograph=False)
    def on_all(share):
        return strategy.experimental_local_results(strategy.run(add, args=(share,)))[0]

    return on_all


def _spans_workers(strategy):
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _auto():
    if cluster.read().num_workers > 1:
        return _multi_worker()
    if os.environ.get("TPU_NAME") or tf.config.list_physical_devices("TPU"):
        return _tpu()
    return _mirrored() if len(tf.config.list_logical_devices("GPU")) > 1 else None


def _mirrored():
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else None


def _multi_worker():
    found = cluster.read()
    if found.source and found.num_workers == 1:
        return _mirrored()
    if found.source is None:
        raise cluster.ClusterError(
            "`--strategy multi_worker` reads the other processes from TF_CONFIG, or from the "
            "variables that `srun` sets. Neither names more than this process. Set TF_CONFIG, "
            "start it with `srun`, or choose `--strategy mirrored`."
        )
    if found.source == "Slurm":
        _describe_slurm(found.num_workers)
    return tf.distribute.MultiWorkerMirroredStrategy()


def _describe_slurm(num_tasks):
    """Writes what Slurm says of the tasks into `TF_CONFIG`, from which all goes on.

    TensorFlow's resolver is asked for the addresses alone: it would count the GPUs with a program
    that nodes without GPUs don't have, and choose among them after TensorFlow has seen them.
    """
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=num_tasks, gpus_per_task=1, auto_set_gpu=False
    )
    try:
        addresses = resolver.cluster_spec().as_dict()
    except (KeyError, ValueError, RuntimeError) as error:
        raise cluster.ClusterError(
            f"Slurm's variables name the tasks of a step and their nodes. They can't be read "
            f"({type(error).__name__}: {error}). Start the tasks with `srun`, or set TF_CONFIG."
        ) from error
    kind, index = resolver.get_task_info()
    task = {"type": kind, "index": index}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": addresses, "task": task})


def _tpu():
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get("TPU_NAME", ""))
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError, RuntimeError) as error:
        raise cluster.ClusterError(
            f"`--strategy tpu` needs a TPU: one of this machine, or the one that the variable "
            f"TPU_NAME names. None answered ({type(error).__name__}: "
            f"{str(error).partition(chr(10))[0]}). Choose `--strategy single`."
        ) from None
    return tf.distribute.TPUStrategy(resolver)
