"""The command of a training run: its options, and where they come from.

An option is what the command line says, else what the recipe says, else the default. When a run is
resumed, the run itself is the recipe.
"""

import json
import os
import pathlib
import shlex
import tomllib
from collections.abc import Callable

import tfvae
from pipelines import cli
from pipelines.cli import UsageError
from pipelines.export import add_conditions, default_directory
from pipelines.runs import OPTIONS, read_options
from tfvae import components
from tfvae.training import rates
from tfvae.training.cluster import STRATEGIES

#: Where the recipes are that come with the project; `--recipe` takes their names too.
RECIPES = pathlib.Path(__file__).parent / "recipes"

DEFAULTS = {
    "dataset": "mnist(binarize='dynamic')",
    "network": "mlp",
    "posterior": "normal",
    "likelihood": "bernoulli",
    "prior": "standard_normal",
    "objective": "elbo",
    "condition": None,
    "latent_size": 20,
    "epochs": 20,
    "batch_size": 100,
    "learning_rate": 1e-3,
    "learning_rate_schedule": "constant",
    "adam_epsilon": 1e-7,
    "clip_norm": None,
    "precision": "float32",
    "strategy": "auto",
    "seed": 0,
    "export": None,
}

FAMILIES = {
    "dataset": "datasets",
    "network": "networks",
    "posterior": "distribution_layers",
    "likelihood": "distribution_layers",
    "prior": "priors",
    "objective": "objectives",
    "condition": "conditions",
}

_NUMBERS = {
    "latent_size": (cli.positive_int, "length of a code"),
    "epochs": (cli.positive_int, "passes over the training data"),
    "batch_size": (cli.positive_int, "examples a step"),
    "learning_rate": (cli.positive_float, "of Adam"),
    "adam_epsilon": (cli.positive_float, "what Adam adds to the root that it divides by"),
    "clip_norm": (cli.positive_float, "largest norm of a step's gradient; longer ones are cut"),
    "seed": (cli.non_negative_int, "weights, order of the data and all noise follow from it"),
}

_CHOICES = {
    "precision": (
        ("float32", "mixed_bfloat16", "mixed_float16"),
        "what the networks compute in; likelihood, KL and exports stay float32",
    ),
    "strategy": (
        STRATEGIES,
        "devices that train together; auto asks TF_CONFIG, Slurm, TPU_NAME and the GPUs",
    ),
}

# What may be other when a run is resumed: where results go.
_HARMLESS = ("export",)

_DESCRIPTION = """\
Train a variational autoencoder; write a run directory, figures and exports.

Without arguments: MNIST, which comes with the package, to the end. A part is given as a spec, a
name with options in parentheses, such as "mlp(hidden=(200, 200), activation='tanh')".
"""


def _one_of(names):
    """Returns an argparse type: one of some names."""

    def read(text):
        if text not in names:
            raise cli.argparse.ArgumentTypeError(
                f"expected one of {', '.join(names)}, received {text!r}"
            )
        return text

    return read


def _schedule(text):
    """Reads a schedule of the learning rate, for argparse."""
    try:
        return str(rates.parse(text))
    except ValueError as error:
        raise cli.argparse.ArgumentTypeError(str(error).removesuffix(".")) from error


def make_parser():
    """Returns the parser of `pipelines.train`; options that aren't given stay out of its result."""
    parser = cli.Parser(_DESCRIPTION, prog="python -m pipelines.train", epilog=_listing())
    for name, family in FAMILIES.items():
        parser.add_argument(
            _flag(name),
            type=cli.spec_of(family),
            metavar="SPEC",
            default=cli.NOT_GIVEN,
            help=f"one of: {', '.join(components.members(family))} "
            f"(default: {DEFAULTS[name] or 'none'})",
        )
    for name, (kind, text) in _NUMBERS.items():
        parser.add_argument(
            _flag(name),
            type=kind,
            metavar="N",
            default=cli.NOT_GIVEN,
            help=f"{text} (default: {DEFAULTS[name]})",
        )
    parser.add_argument(
        _flag("learning_rate_schedule"),
        type=_schedule,
        metavar="SPEC",
        default=cli.NOT_GIVEN,
        help=f"{', '.join(rates.SCHEDULES)}: how it falls by the last step; cosine(cycles=2) does "
        f"so twice, stages are those of Burda et al. "
        f"(default: {DEFAULTS['learning_rate_schedule']})",
    )
    for name, (names, text) in _CHOICES.items():
        parser.add_argument(
            _flag(name),
            type=_one_of(names),
            metavar="NAME",
            default=cli.NOT_GIVEN,
            help=f"{', '.join(names)}: {text} (default: {DEFAULTS[name]})",
        )
    parser.add_argument(
        "--recipe",
        metavar="FILE",
        help="options from a .toml or .json file, or the name of a recipe that comes with tfvae",
    )
    parser.add_argument("--run", metavar="DIR", help="run directory (default: runs/DATASET-N)")
    parser.add_argument("--resume", action="store_true", help="go on with --run where it stopped")
    parser.add_argument(
        "--export",
        metavar="DIR",
        default=cli.NOT_GIVEN,
        help="where to publish (default: exported/DATASET)",
    )
    parser.add_argument("--no-export", action="store_true", help="train only")
    add_conditions(parser)
    return parser


def resolve(given):
    """Returns all options of a run.

    Args:
        given: The parsed arguments.

    Returns:
        Dict with the keys of `DEFAULTS`; `export` is a path, or False for none.

    Raises:
        UsageError: If a recipe can't be read, or a resumed run was made with other options.
    """
    named = {name: value for name, value in vars(given).items() if name in DEFAULTS}
    if given.no_export:
        named["export"] = False
    if given.resume:
        return _resolve_resumed(named, given)
    recipe = {} if given.recipe is None else read_recipe(given.recipe)
    options = {**DEFAULTS, **recipe, **named}
    if options["export"] is None:
        options["export"] = default_directory(options["dataset"])
    return options


def recipes():
    """Returns the names of the recipes that come with the project."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_recipe(name):
    """Reads options from a TOML file, or from the `options.json` of a run.

    Args:
        name: Path of a file, or the name of one of `recipes`.

    Raises:
        UsageError: If the file can't be read or an option in it is unknown or out of range.
    """
    path = pathlib.Path(name)
    if name in recipes() and not path.exists():
        path = RECIPES / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
        options = _read_json(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise UsageError(
            f"The recipe {path} can't be read: {error.strerror}. Those that come with tfvae: "
            f"{', '.join(recipes())}."
        ) from error
    except ValueError as error:
        raise UsageError(
            f"The recipe {path} is no valid {path.suffix or 'TOML'}: {error}."
        ) from error
    return {name: _check(name, value, path) for name, value in _options_of(options, path)}


def _read_json(text):
    """Reads JSON as TOML is read: a key that is there twice is an error."""

    def unique(pairs):
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"the key {key!r} is there twice")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=unique)


def _options_of(options, path):
    """Yields the options of a recipe by name; keys are written with `-` or `_`."""
    if not isinstance(options, dict):
        raise UsageError(f"The recipe {path} holds no options by name, as in `epochs = 20`.")
    keys: dict[str, str] = {}
    for key, value in options.items():
        name = key.replace("-", "_")
        if keys.setdefault(name, key) != key:
            raise UsageError(
                f"The recipe {path} gives one option twice, as `{keys[name]}` and as `{key}`. "
                f"Leave one of them out."
            )
        if name == "tfvae_version":  # in options.json
            _check_version(value, path)
            continue
        if name not in DEFAULTS:
            raise UsageError(
                f"The recipe {path} has an option `{key}` that training doesn't know. Known: "
                f"{', '.join(map(_bare, DEFAULTS))}."
            )
        yield name, value


def _check_version(version, path):
    if path.name == OPTIONS and version != tfvae.__version__:
        raise UsageError(
            f"{path} was written by tfvae {version}, and this is {tfvae.__version__}: the same "
            f"options may not give the same numbers. Install that version, or copy the file to a "
            f"name of your own, take `tfvae_version` out, and give it as `--recipe`."
        )


def _check(name, value, path):
    default = DEFAULTS[name]
    if (type(value) is type(default) and value == default) or (name == "export" and value is False):
        return value
    if name == "export" and not isinstance(value, str):
        raise UsageError(
            f"{path}, option `export`: expected a directory in quotes, or false for none, received "
            f"{value!r}."
        )
    kinds: dict[str, Callable] = {"export": cli.text, "learning_rate_schedule": _schedule}
    kinds |= {key: _one_of(names) for key, (names, _) in _CHOICES.items()}
    kinds |= {key: kind for key, (kind, _) in _NUMBERS.items()}
    kinds |= {key: cli.spec_of(family) for key, family in FAMILIES.items()}
    try:
        return kinds[name](str(value))
    except (cli.argparse.ArgumentTypeError, UsageError) as error:
        raise UsageError(f"{path}, option `{_bare(name)}`: {error}") from error


def _resolve_resumed(named, given):
    if given.recipe:
        raise UsageError("A resumed run has its options already. Leave out `--recipe`.")
    if given.run is None:
        raise UsageError("`--resume` needs the run to go on with: add `--run DIR`.")
    if not os.path.isfile(pathlib.Path(given.run, OPTIONS)):
        raise UsageError(
            f"`--resume` goes on with a run that exists. {given.run} holds no {OPTIONS}. Leave "
            f"out `--resume` to begin it."
        )
    path = pathlib.Path(given.run, OPTIONS)
    saved = {k: _check(k, v, path) for k, v in _options_of(read_options(given.run), path)}
    saved = {**DEFAULTS, "export": default_directory(saved["dataset"]), **saved}
    for name, value in named.items():
        if value != saved[name] and not _is_harmless(name, value, saved):
            raise UsageError(
                f"A resumed run keeps its options, but for more epochs. {given.run} was begun "
                f"with `{_flag(name)} {saved[name]}`; received {value}. Leave the option out, or "
                f"begin another run."
            )
    return {**saved, **named}


def _is_harmless(name, value, saved):
    if name == "epochs":
        _check_more_epochs(value, saved)
        return value >= saved["epochs"]
    return name in _HARMLESS


def _check_more_epochs(epochs, saved):
    schedule = saved["learning_rate_schedule"]
    if epochs > saved["epochs"] and schedule != "constant":
        raise UsageError(
            f"With `--learning-rate-schedule {shlex.quote(schedule)}` the rate follows from the "
            f"number of epochs, {saved['epochs']}; received {epochs}. Begin another run."
        )


def _listing():
    lines = []
    for family in dict.fromkeys(FAMILIES.values()):
        lines.append(f"{family.replace('_', ' ')}:")
        for member in components.members(family).values():
            lines += [f"  {member}", f"      {member.summary}"]
    lines += ["recipes:", *(f"  {name}" for name in recipes())]
    return "\n".join(lines)


def _flag(name):
    return f"--{_bare(name)}"


def _bare(name):
    return name.replace("_", "-")
