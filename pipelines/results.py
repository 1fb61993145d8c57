"""The record of what a run has written at its end, so that a command knows what is missing."""

import dataclasses
import json

from tfvae.files import write_atomically

FILE = "results.json"


@dataclasses.dataclass(frozen=True)
class Results:
    """What has been written of a model.

    Attributes:
        epoch: Epochs of training that the model of the run has had.
        finished: Whether its evaluation and its figures are there too.
        exports: The version that it was published as by directory, None where that failed; named
            as `--export` named it, so that a run may be moved, or gone on with from elsewhere.
    """

    epoch: int
    finished: bool = False
    exports: dict = dataclasses.field(default_factory=dict)

    def has_tried(self, directory):
        """Says whether the model was published in a directory, or refused there."""
        return str(directory) in self.exports

    def version_in(self, directory):
        """Returns the version that the model was published as in a directory, or None."""
        return self.exports.get(str(directory))

    def with_export(self, directory, version):
        """Returns this record with one more attempt to publish, None for one that failed."""
        exports = {**self.exports, str(directory): version}
        return dataclasses.replace(self, exports=exports)


def read(run):
    """Returns the `Results` of a run; None where there are none, or not to be read.

    Args:
        run: `pathlib.Path` of a run directory.
    """
    try:
        fields = json.loads((run / FILE).read_text(encoding="utf-8"))
        found = Results(**fields)
        return found if type(found.epoch) is int and isinstance(found.exports, dict) else None
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(run, found):
    """Writes the `Results` of a run, whole or not at all; returns them."""
    with write_atomically(run / FILE) as file:
        file.write(f"{json.dumps(dataclasses.asdict(found), indent=2)}\n".encode())
    return found
