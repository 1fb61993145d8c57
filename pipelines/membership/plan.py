"""What is trained: each member once, in a model whose other parts stay the same."""

import dataclasses
import re

from pipelines import commands
from tfvae import components

#: What a member may be in a model -> its family.
ROLES = {role: family for role, family in commands.FAMILIES.items() if role != "dataset"}

#: The model around the member: the defaults of training, with a network that is soon trained.
BASE = {**commands.DEFAULTS, "network": "mlp(hidden=(200, 200))"}


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much each member gets.

    Attributes:
        epochs: Passes over the training images.
        num_train: Training images.
        num_test: Test images.
        num_samples: Importance samples an image, for the NLL.
    """

    epochs: int = 3
    num_train: int = 20_000
    num_test: int = 2_000
    num_samples: int = 100


@dataclasses.dataclass(frozen=True)
class Entry:
    """A member in a role, by its spec."""

    role: str
    spec: str

    @property
    def member(self):
        """What the source says of it, a `components.Member`."""
        return components.members(ROLES[self.role])[components.read(self.spec).name]

    @property
    def file_name(self):
        """The name of its file of results.

        Examples:
            >>> Entry("objective", "iwae(num_samples=5)").file_name
            'objective-iwae_num_samples=5_.json'
        """
        return f"{self.role}-{re.sub(r'[^A-Za-z0-9.=-]+', '_', self.spec)}.json"


def entries(given, fits, only=()):
    """Returns all members in all of their roles.

    Args:
        given: Role -> specs that take the place of the default spec of their members.
        fits: Function (role, name) -> whether a distribution layer can be that.
        only: Names of the members to return; empty for all.

    Returns:
        List of `Entry`, by role, then by name.
    """
    found = []
    for role, family in ROLES.items():
        specs: dict[str, list[str]] = {}
        for spec in given.get(role, ()):
            specs.setdefault(components.read(spec).name, []).append(spec)
        for name in components.members(family):
            if (only and name not in only) or not fits(role, name):
                continue
            found += [Entry(role, spec) for spec in specs.get(name, [name])]
    return found


def fits(role, name):
    """Says whether a member can be that in a model; imports its file.

    Args:
        role: One of `ROLES`.
        name: Name of a member of its family.
    """
    from tfvae.distribution_layers.base import DistributionLayer

    if ROLES[role] != "distribution_layers":
        return True
    layer = components.build(DistributionLayer, name, 2)
    return layer.is_likelihood if role == "likelihood" else layer.reparameterized
