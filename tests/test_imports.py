"""The import direction: `pipelines` -> `tfvae`, the model -> bases, a member -> its base.

Read from the source text of every file, so imports inside functions, under `TYPE_CHECKING` and
by `importlib.import_module("...")` count like those at the top.
"""

import ast
import pathlib

import pytest

from tfvae import components

ROOT = pathlib.Path(__file__).parent.parent

# Modules that know of no family, from the bottom up: each may import those before it.
LEAVES = (
    "tfvae.components",
    "tfvae.lazy",
    "tfvae.options",
    "tfvae.noise",
    "tfvae.cores",
    "tfvae.side_by_side",
    "tfvae.xla",
    "tfvae.files",
    "tfvae.locks",
    "tfvae.distributions",
    "tfvae.divergences",
    "tfvae.point_mass",
    "tfvae.draws",
    "tfvae.batches",
    "tfvae.layered",
    "tfvae.top_down",
    "tfvae.transforms",
    "tfvae.masking",
    "tfvae.initialization",
    "tfvae.model_checks",
    "tfvae.evaluation.activity",  # NumPy alone: figures choose the latents they show by it
)
MODEL = "tfvae.vae"
PARTS_OF_MODEL = ("tfvae.engine", "tfvae.joint")
FAMILIES = tuple(f"tfvae.{family}" for family in components.FAMILIES)
BASES = tuple(f"{family}.base" for family in FAMILIES)
MEMBERS = {
    member.module
    for family in components.FAMILIES
    for member in components.members(family).values()
}


def modules():
    """Returns the path of every module of the project by its dotted name."""
    found = {}
    for path in [*ROOT.glob("tfvae/**/*.py"), *ROOT.glob("pipelines/**/*.py")]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module, source):
    """Returns the project's modules and names that a source imports, as dotted names."""
    package = module if MODULES.get(module, ROOT).name == "__init__.py" else _parent(module)
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = _above(package, node.level - 1) if node.level else ""
            origin = ".".join(filter(None, [start, node.module or ""]))
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                # `from tfvae import noise` imports a module, `from tfvae.vae import VAE` a name.
                is_name = origin in MODULES and name not in MODULES and origin != "tfvae"
                found.add(origin if is_name else name)
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
            found |= {text for text in texts if isinstance(text, str)}
    return {name for name in found if name.split(".")[0] in ("tfvae", "pipelines")} - {module}


def allowed(module, target):
    """Says whether `module` may import `target`."""
    if module.split(".")[0] == "pipelines":
        return True
    if target.split(".")[0] == "pipelines" or target == "tfvae":
        return False  # `import tfvae` hands out the model, whatever the importer uses of it
    if module == "tfvae" or target == "tfvae.__version__":
        return True  # `tfvae` itself gives out the public names, all of them lazily
    if module in LEAVES:
        return target in LEAVES[: LEAVES.index(module)]
    return target in LEAVES or _allowed_above_the_leaves(module, target)


def _allowed_above_the_leaves(module, target):
    home, aim = _folder(module), _folder(target)
    if home in FAMILIES:
        return aim == home and target not in MEMBERS
    if module == MODEL:
        return target in BASES or aim == "tfvae.evaluation" or target in PARTS_OF_MODEL
    return target in BASES or aim in (home, "tfvae.evaluation")


def violations(module, source):
    """Returns the imports of a source that go the wrong way."""
    return sorted(target for target in imports(module, source) if not allowed(module, target))


def _parent(module):
    return module.rpartition(".")[0]


def _above(package, levels):
    for _ in range(levels):
        package = _parent(package)
    return package


def _folder(module):
    """Returns the folder of `tfvae` that a module lies in: `tfvae.priors` for its base."""
    return ".".join(module.split(".")[:2])


def _called(node):
    return getattr(node.func, "attr", getattr(node.func, "id", None))


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_one_way(module):
    assert violations(module, MODULES[module].read_text(encoding="utf-8")) == []


def test_every_folder_with_a_base_is_a_family():
    folders = sorted(path.parent.name for path in ROOT.glob("tfvae/*/base.py"))
    assert folders == sorted(components.FAMILIES)


def test_every_module_of_the_import_direction_is_there():
    assert {*LEAVES, MODEL, *BASES, *MEMBERS, "pipelines"} <= set(MODULES)


@pytest.mark.parametrize(
    ("module", "line", "target"),
    [
        ("tfvae.objectives.iwae", "from tfvae.vae import VAE", "tfvae.vae"),
        ("tfvae.objectives.iwae", "import tfvae", "tfvae"),
        ("tfvae.objectives.iwae", "from tfvae import VAE", "tfvae.VAE"),
        ("tfvae.objectives.iwae", "from tfvae.objectives import elbo", "tfvae.objectives.elbo"),
        ("tfvae.objectives.iwae", "from . import elbo", "tfvae.objectives.elbo"),
        ("tfvae.objectives.iwae", "from .elbo import Elbo", "tfvae.objectives.elbo"),
        ("tfvae.objectives.iwae", "from ..priors import base", "tfvae.priors.base"),
        ("tfvae.objectives.iwae", "import tfvae.priors.base", "tfvae.priors.base"),
        ("tfvae.objectives.iwae", "def f():\n    import tfvae.vae", "tfvae.vae"),
        ("tfvae.objectives.iwae", "if TYPE_CHECKING:\n    import tfvae.vae", "tfvae.vae"),
        ("tfvae.objectives.iwae", "importlib.import_module('tfvae.vae')", "tfvae.vae"),
        ("tfvae.objectives.iwae", "from pipelines import cli", "pipelines.cli"),
        ("tfvae.objectives.base", "from tfvae.objectives import elbo", "tfvae.objectives.elbo"),
        ("tfvae.vae", "from tfvae.objectives.elbo import Elbo", "tfvae.objectives.elbo"),
        ("tfvae.vae", "import pipelines.cli", "pipelines.cli"),
        ("tfvae.noise", "from tfvae import distributions", "tfvae.distributions"),
        ("tfvae.distributions", "from tfvae.priors.base import Prior", "tfvae.priors.base"),
        ("tfvae.evaluation.importance", "from tfvae import vae", "tfvae.vae"),
        ("tfvae.training.loop", "from tfvae.objectives import elbo", "tfvae.objectives.elbo"),
    ],
)
def test_the_rule_finds_an_import_that_goes_the_wrong_way(module, line, target):
    assert violations(module, line) == [target]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("pipelines.train", "from tfvae.objectives.elbo import Elbo\nimport tfvae"),
        ("tfvae.objectives.iwae", "from tfvae.objectives.base import Objective, Terms"),
        ("tfvae.objectives.iwae", "from tfvae import components, noise, distributions"),
        ("tfvae.objectives.iwae", "from tfvae.objectives import weights"),  # no member: a helper
        ("tfvae.objectives.iwae", "from tfvae import __version__"),
        ("tfvae.objectives.iwae", "import tensorflow as tf\nfrom keras import layers"),
        ("tfvae.vae", "from tfvae.evaluation import importance"),
        ("tfvae.vae", "from tfvae.networks.base import Network"),
        ("tfvae.distributions", "from tfvae import noise"),
        ("tfvae.training.loop", "from tfvae.datasets.base import Dataset"),
    ],
)
def test_the_rule_lets_an_import_pass_that_goes_the_right_way(module, line):
    assert violations(module, line) == []
