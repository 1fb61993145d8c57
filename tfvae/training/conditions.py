"""The conditions of a run: all that its weights follow from, on which a resumed run must agree."""

import importlib.metadata

import tensorflow as tf

from tfvae import __version__
from tfvae.training import rates, strategies
from tfvae.training.checkpoints import CheckpointError

_PARTS = (
    "latent_size",
    "network",
    "posterior",
    "likelihood",
    "prior",
    "objective",
    "condition",
    "mask_missing",
    "transform",
    "seed",
)
_PACKAGES = ("tensorflow", "keras", "tensorflow-probability")
_DATA = "data"
_LONGEST = {_DATA: 12}  # characters that tell fingerprints apart for a reader
_LONG = 100


def of(model, dataset, *, batch_size, seed, rate, adam_epsilon, clip_norm):
    """Returns the conditions of a run: name -> text.

    Args:
        model: A compiled `VAE`.
        dataset: A `Dataset`.
        batch_size: Examples a step.
        seed: Of the order and noise of the data.
        rate: Arguments of `rates.make`.
        adam_epsilon: Of Adam.
        clip_norm: Largest norm of the gradient, or None.
    """
    config = model.get_config()
    found = {
        _DATA: dataset.fingerprint(),
        **{part: config[part] for part in _PARTS},
        "precision": model.dtype_policy.name,
        "learning rate": rates.describe(*rate),
        "batch size": batch_size,
        "seed of the data": seed,
        "epsilon of Adam": adam_epsilon,
        "norm to clip at": clip_norm,
        "devices": _devices(model),
        "steps by": _compiler(model),
        "tfvae": __version__,
        **{package: importlib.metadata.version(package) for package in _PACKAGES},
    }
    return {name: str(value) for name, value in found.items()}


def check(position, now, epochs):
    """Refuses to go on under other conditions than a run began under.

    Of a run that has ended only the data must be the same: its weights are there.

    Args:
        position: The `Position` of its checkpoint.
        now: What `of` returns now; what the checkpoint lacks isn't compared.
        epochs: Epochs that the run is to have.

    Raises:
        CheckpointError: If they differ.
    """
    began = position.conditions
    names = now if position.epoch < epochs else [_DATA]
    changed = [
        f"{name}: {_short(name, began[name])}, and now {_short(name, now[name])}"
        for name in names
        if began.get(name, now[name]) != now[name]
    ]
    if changed:
        raise CheckpointError(
            f"This run began under other conditions, and would end with other weights than if it "
            f"had never stopped. {'; '.join(changed)}. Go on as it began, or train anew with "
            f"another `--run`."
        )


def _devices(model):
    strategy = strategies.of(model)
    num = 1 if strategy is None else strategy.num_replicas_in_sync
    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    return f"{num} x {'CPU' if kinds == {'CPU'} else ', '.join(sorted(kinds - {'CPU'}))}"


def _compiler(model):
    if model.run_eagerly:
        return "Python"
    return "XLA" if model.engine.jit_compile else "TensorFlow's graphs"


def _short(name, text):
    longest = _LONGEST.get(name, _LONG)
    return f"{text[:longest]}..." if len(text) > longest else text
