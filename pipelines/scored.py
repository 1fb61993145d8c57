"""What a scoring that was interrupted has left: how the same command finds it and goes on."""

import hashlib
import json

from pipelines import outputs
from tfvae.files import write_atomically
from tfvae.lazy import numpy as np


def asked(examples, vae, reference, options):
    """Returns all that the rows follow from, for JSON: those of another command are made anew.

    Args:
        examples: List of `anomalies.Group`.
        vae: A `VAE`.
        reference: Name of the split over which typicality has its mean.
        options: Dict of numbers.
    """
    data = [
        {
            "dataset": str(group.dataset.spec),
            "fingerprint": group.dataset.fingerprint(),
            "split": group.split,
            "anomalous": None if group.anomalous is None else _digest([group.anomalous]),
        }
        for group in examples
    ]
    model = {"config": str(vae.get_config()), "weights": _digest(vae.get_weights())}
    return {"model": model, "data": data, "reference": reference, **options}


def mean(path, wanted, compute, option):
    """Returns the mean that typicality is measured from: that of an interrupted command, or anew.

    Args:
        path: `pathlib.Path` of the file of scores, beside which it is kept meanwhile.
        wanted: What `asked` returned.
        compute: Function that returns it.
        option: Name of the option that gave the path.
    """
    try:
        found = json.loads(_beside(path).read_text(encoding="utf-8"))
        if found["asked"] == wanted:
            return found["mean"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    value = compute()
    with outputs.writing(path, option), write_atomically(_beside(path)) as file:
        file.write(json.dumps({"asked": wanted, "mean": value}).encode())
    return value


def forget(path):
    """Removes what `mean` has kept."""
    _beside(path).unlink(missing_ok=True)


def place(examples, num_done, chunk):
    """Returns where scoring goes on after some rows: at the beginning of a chunk.

    Args:
        examples: List of `anomalies.Group`, whose rows follow each other.
        num_done: Rows that are there.
        chunk: Rows of a chunk, which begin anew with each group.

    Returns:
        How many of the rows stay, and where that is: the index of a group, and an example of it.
    """
    before = 0
    for index, group in enumerate(examples):
        num = group.dataset.num_examples(group.split)
        if num_done < before + num:
            start = (num_done - before) // chunk * chunk
            return before + start, (index, start)
        before += num
    return before, (len(examples), 0)


def _beside(path):
    return path.with_name(f".{path.name}.mean.json")


def _digest(arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
