"""Families of parts, their named members, and building a member from a string.

A family is a folder of `tfvae`; its base class stands in the folder's `base.py` and every
member in a file of its own. A member gives its name in the class line, and its options are
the keyword-only arguments of its constructor:

    class Elbo(Objective, name="elbo"):                 # tfvae/objectives/elbo.py
        def __init__(self, *, beta=1.0): ...

    components.build(Objective, "elbo(beta=0.5)")

What a folder holds is read from the source text, so listing names and refusing a bad spec
need no TensorFlow, and only the file of the member that is used is ever imported.
"""

import ast
import dataclasses
import difflib
import functools
import importlib
import inspect
import pathlib

FAMILIES = (
    "conditions",
    "datasets",
    "disentanglement",
    "distribution_layers",
    "exporters",
    "figures",
    "networks",
    "objectives",
    "priors",
)


class SpecError(ValueError):
    """A spec that names no member, an option that the member lacks, or text that is no spec."""


@dataclasses.dataclass(frozen=True)
class Spec:
    """A member's name with keyword options, as written in `"mlp(hidden=(200, 200))"`."""

    name: str
    options: dict = dataclasses.field(default_factory=dict)

    def __str__(self):
        options = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.name}({options})" if options else self.name


@dataclasses.dataclass(frozen=True)
class Member:
    """What the source text says of a member, before it is imported."""

    name: str
    module: str
    class_name: str
    options: dict  # option -> the source of its default, None where the option is required
    summary: str

    def __str__(self):
        options = ", ".join(k if v is None else f"{k}={v}" for k, v in self.options.items())
        return f"{self.name}({options})" if options else self.name


class Component:
    """A part that is built from a spec and remembers the options it was built with."""

    member_name: str
    _options: dict
    _imported: dict[str, type]

    def __init_subclass__(cls, *, name=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if Component in cls.__bases__:  # the base class of a family
            cls._imported = {}
        if name is not None:
            cls.member_name = name
            cls._imported[name] = cls

    def __new__(cls, *args, **kwargs):
        """Remembers the options that the constructor is called with."""
        parent = super().__new__
        self = parent(cls) if parent is object.__new__ else parent(cls, *args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(self, *args, **kwargs)
        bound.apply_defaults()
        keywords = _keyword_only(cls.__init__)
        # Not an attribute in the usual way: Keras tracks those of its layers.
        object.__setattr__(self, "_options", {key: bound.arguments[key] for key in keywords})
        return self

    @property
    def spec(self):
        """The `Spec` that builds this member again: its name and all its options."""
        return Spec(self.member_name, dict(self._options))


def members(family):
    """Returns the members of a family by name, read from its folder without importing it.

    Args:
        family: One of `FAMILIES`.

    Returns:
        Dict of name to `Member`, sorted by name.
    """
    return _members_in(pathlib.Path(__file__).parent / family, f"tfvae.{family}")


def parse(family, text):
    """Reads `text` as the spec of a member of `family` and checks its name and options.

    Args:
        family: One of `FAMILIES`.
        text: A name, or a name with keyword options whose values are Python literals.

    Returns:
        A `Spec`.

    Raises:
        SpecError: If the text is no spec, or the name or an option is unknown.

    Examples:
        >>> parse("objectives", "elbo")
        Spec(name='elbo', options={})
        >>> parse("objectives", "elbow")
        Traceback (most recent call last):
        tfvae.components.SpecError: `elbow` is not one of the objectives. Did you mean `elbo`?...
    """
    spec = read(text)
    known = members(family)
    if spec.name not in known:
        raise SpecError(_unknown_name(spec.name, known, family))
    _check_options(spec, known[spec.name])
    return spec


def read(text):
    """Reads `text` as a spec, whatever family it belongs to.

    Examples:
        >>> read("iwae(num_samples=50)")
        Spec(name='iwae', options={'num_samples': 50})
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise SpecError(_not_a_spec(text)) from error
    except (MemoryError, RecursionError) as error:
        raise SpecError(_too_deep(text)) from error
    if isinstance(node, ast.Name):
        return Spec(node.id)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise SpecError(_not_a_spec(text))
    if node.args or any(keyword.arg is None for keyword in node.keywords):
        raise SpecError(f"The options of a spec are written by name. {_not_a_spec(text)}")
    options = {}
    for keyword in node.keywords:
        if keyword.arg in options:
            raise SpecError(
                f"An option of a spec is given once. Received `{keyword.arg}` twice in `{text}`."
            )
        options[keyword.arg] = _literal(keyword, node.func.id, text)
    return Spec(node.func.id, options)


def _literal(keyword, name, text):
    try:
        return ast.literal_eval(keyword.value)
    except RecursionError as error:
        raise SpecError(_too_deep(text)) from error
    except (ValueError, TypeError) as error:
        raise SpecError(
            f"The options of a spec are Python literals: numbers, quoted strings, True, False, "
            f"None, tuples. Received `{text}`. Put quotes around a string, as in "
            f"`{name}({keyword.arg}='...')`."
        ) from error


def build(base, spec, *context):
    """Builds a member of the family of `base`.

    Args:
        base: The base class of the family, for example `Objective`.
        spec: A spec as text, a `Spec`, or a member that is already built.
        *context: What the family's constructor takes before the options, for example the
            event shape of a distribution layer.

    Returns:
        An instance of `base`.

    Raises:
        SpecError: If the name or an option is unknown.
        TypeError: If `spec` is neither text nor a member of this family.
    """
    if isinstance(spec, base):
        return spec
    if not isinstance(spec, str | Spec):
        raise TypeError(
            f"A `{base.__name__}` is given as a spec such as 'name(option=1)' or as an instance. "
            f"Received {spec!r} of type {type(spec).__name__}."
        )
    spec = read(str(spec))
    return _find(base, spec)(*context, **spec.options)


def _find(base, spec):
    """Returns the class of a spec: one that is imported already, or one from the folder."""
    if spec.name not in base._imported:
        family = base.__module__.split(".")[-2]
        spec = parse(family, str(spec))
        importlib.import_module(members(family)[spec.name].module)
    member = base._imported[spec.name]
    _check_options(spec, _describe_class(member))
    return member


@functools.cache
def _members_in(folder, package):
    found = {}
    for path in sorted(folder.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            member = _describe_node(node, f"{package}.{path.stem}")
            if member is not None:
                found[member.name] = member
    return dict(sorted(found.items()))


def _describe_node(node, module):
    """Returns the `Member` that a statement defines, or None if it defines none."""
    if not isinstance(node, ast.ClassDef):
        return None
    names = [ast.literal_eval(k.value) for k in node.keywords if k.arg == "name"]
    if not names:
        return None
    options = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            pairs = zip(item.args.kwonlyargs, item.args.kw_defaults, strict=True)
            options = {a.arg: None if d is None else ast.unparse(d) for a, d in pairs}
    summary = (ast.get_docstring(node) or "").partition("\n")[0]
    return Member(names[0], module, node.name, options, summary)


def _describe_class(member):
    """Returns the `Member` of an imported class, which may stand outside the project."""
    options = {
        key: None if default is inspect.Parameter.empty else repr(default)
        for key, default in _keyword_only(member.__init__).items()
    }
    summary = (member.__doc__ or "").partition("\n")[0]
    return Member(member.member_name, member.__module__, member.__name__, options, summary)


def _keyword_only(function):
    """Returns the defaults of a function's keyword-only parameters by name."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _check_options(spec, member):
    for option in spec.options:
        if option not in member.options:
            takes = ", ".join(member.options) or "none"
            raise SpecError(
                f"`{spec.name}` has no option `{option}`.{_nearest(option, member.options)} "
                f"Its options: {takes}. Received `{spec}`."
            )
    missing = [k for k, v in member.options.items() if v is None and k not in spec.options]
    if missing:
        example = f"{spec.name}({', '.join(f'{key}=...' for key in missing)})"
        raise SpecError(f"`{spec.name}` needs {', '.join(missing)}. Write it as `{example}`.")


def _unknown_name(name, known, family):
    listed = ", ".join(str(member) for member in known.values())
    kind = family.replace("_", " ")
    return f"`{name}` is not one of the {kind}.{_nearest(name, known)} Known: {listed}."


def _nearest(name, known):
    matches = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean `{matches[0]}`?" if matches else ""


def _too_deep(text):
    return (
        f"The options of a spec are Python literals, a few brackets deep at most. Received "
        f"{len(text)} characters, `{text[:60]}...`, nested deeper than Python reads. Write them "
        f"flat, as in `mlp(hidden=(200, 200))`."
    )


def _not_a_spec(text):
    return (
        f"A spec is a name with keyword options, as in `mlp` or `mlp(hidden=(200, 200))`. "
        f"Received `{text}`."
    )
