"""Finding the contestants, and those that can't run here."""

import dataclasses
import importlib
import importlib.util
import pathlib

_FOLDER = pathlib.Path(__file__).parent

FOLDERS = ("trainers", "runtimes", "products")

#: How a missing package is installed.
REMEDY = "pip install -e '.[benchmark]'"


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A contestant as its module describes it.

    Attributes:
        name: Name of its module within its folder.
        module: Dotted name of its module.
        title: First line of the module's docstring, without the full stop.
        requires: Packages that it imports.
    """

    name: str
    module: str
    title: str
    requires: tuple

    @property
    def missing(self):
        """The required packages that aren't installed."""
        return tuple(name for name in self.requires if importlib.util.find_spec(name) is None)


def find(folder):
    """Returns the contestants of a folder by name, this project first, then by name.

    Args:
        folder: One of `FOLDERS`.
    """
    paths = sorted((_FOLDER / folder).glob("*.py"))
    names = [path.stem for path in paths if path.stem not in ("__init__", "base")]
    names.sort(key=lambda name: (not name.startswith("tfvae"), name))
    return {name: describe(f"{__package__}.{folder}.{name}") for name in names}


def describe(module):
    """Returns the contestant of a module, which imports nothing heavy."""
    loaded = importlib.import_module(module)
    title = (loaded.__doc__ or "").partition("\n")[0].removesuffix(".")
    return Contestant(module.rpartition(".")[2], module, title, loaded.REQUIRES)


def skipped(contestant):
    """Returns why a contestant can't run, or None if nothing is known against it."""
    if not contestant.missing:
        return None
    return f"{', '.join(contestant.missing)} is not installed: {REMEDY}"
