"""Specs as text, what a folder says of its members, and the errors that users meet."""

import ast
import importlib
import subprocess
import sys
import textwrap

import pytest

from tfvae import components
from tfvae.components import Component, Member, Spec, SpecError
from tfvae.networks.base import Network
from tfvae.objectives.base import Objective, Terms

ALL_MEMBERS = [
    (family, member)
    for family in components.FAMILIES
    for member in components.members(family).values()
]


def error_of(function, *args):
    with pytest.raises(SpecError) as caught:
        function(*args)
    return str(caught.value)


@pytest.fixture
def family(tmp_path):
    """A folder with members, as a package that is never imported."""
    (tmp_path / "base.py").write_text("class Part(Component): ...")
    (tmp_path / "plain.py").write_text("class Plain(Part, name='plain'):\n    '''One line.'''")
    (tmp_path / "rich.py").write_text(
        textwrap.dedent('''
        raise RuntimeError("imported")

        class Helper: ...

        class Rich(Part, name="rich"):
            """First line.

            More.
            """

            def __init__(self, size, *, num, rate=1e-3, sizes=(3, 4), **kwargs): ...
        ''')
    )
    return components._members_in(tmp_path, "tfvae.parts")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("elbo", Spec("elbo")),
        (" elbo() ", Spec("elbo")),
        ("iwae(num_samples=50)", Spec("iwae", {"num_samples": 50})),
        ("mlp(hidden=(200, 100,))", Spec("mlp", {"hidden": (200, 100)})),
        ("mlp(hidden=[2], activation='tanh')", Spec("mlp", {"hidden": [2], "activation": "tanh"})),
        ("a(b=-1.5e-3, c=None, d=True)", Spec("a", {"b": -1.5e-3, "c": None, "d": True})),
    ],
)
def test_a_spec_is_a_name_with_keyword_options(text, spec):
    assert components.read(text) == spec


@pytest.mark.parametrize(
    "text", ["elbo", "iwae(num_samples=50)", "mlp(hidden=(2,), activation='a')"]
)
def test_a_spec_prints_as_the_text_that_reads_as_it(text):
    assert str(components.read(text)) == text


@pytest.mark.parametrize(
    "text", ["", "  ", "1", "a.b", "a.b(c=1)", "mlp(", "a b", "a; b", "'a'", "a\0"]
)
def test_text_that_is_no_spec_is_refused(text):
    assert error_of(components.read, text) == (
        "A spec is a name with keyword options, as in `mlp` or `mlp(hidden=(200, 200))`. "
        f"Received `{text}`."
    )


@pytest.mark.parametrize("text", ["mlp((200,))", "mlp(200, activation='relu')", "mlp(**{'a': 1})"])
def test_options_are_written_by_name(text):
    assert error_of(components.read, text) == (
        "The options of a spec are written by name. A spec is a name with keyword options, as in "
        f"`mlp` or `mlp(hidden=(200, 200))`. Received `{text}`."
    )


@pytest.mark.parametrize(
    "text", ["mlp(activation=tanh)", "mlp(activation=f())", "mlp(activation={[]: 1})"]
)
def test_options_are_literals(text):
    assert error_of(components.read, text) == (
        "The options of a spec are Python literals: numbers, quoted strings, True, False, None, "
        f"tuples. Received `{text}`. Put quotes around a string, as in `mlp(activation='...')`."
    )


def test_the_option_that_is_no_literal_is_named():
    message = error_of(components.read, "mlp(hidden=(2,), activation=tanh)")
    assert message.endswith("as in `mlp(activation='...')`.")


def test_an_option_is_given_once():
    assert error_of(components.read, "mlp(hidden=(2,), hidden=(3,))") == (
        "An option of a spec is given once. Received `hidden` twice in "
        "`mlp(hidden=(2,), hidden=(3,))`."
    )


def test_specs_run_no_code():
    error_of(components.read, "mlp(hidden=__import__('os').abort())")


def test_a_folder_is_read_without_importing_it(family):
    assert list(family) == ["plain", "rich"]
    assert family["plain"] == Member("plain", "tfvae.parts.plain", "Plain", {}, "One line.")
    options = {"num": None, "rate": "0.001", "sizes": "(3, 4)"}
    assert family["rich"] == Member("rich", "tfvae.parts.rich", "Rich", options, "First line.")


def test_a_member_prints_with_its_options_and_defaults(family):
    assert str(family["rich"]) == "rich(num, rate=0.001, sizes=(3, 4))"
    assert str(family["plain"]) == "plain"


@pytest.fixture
def parts(monkeypatch, family):
    """Makes the folder above a family of the project."""
    monkeypatch.setattr(components, "members", {"round_parts": family}.__getitem__)


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "plane",
            "`plane` is not one of the round parts. Did you mean `plain`? "
            "Known: plain, rich(num, rate=0.001, sizes=(3, 4)).",
        ),
        (
            "xyz(a=1)",
            "`xyz` is not one of the round parts. "
            "Known: plain, rich(num, rate=0.001, sizes=(3, 4)).",
        ),
        (
            "rich(num=1, size=2)",
            "`rich` has no option `size`. Did you mean `sizes`? Its options: num, rate, sizes. "
            "Received `rich(num=1, size=2)`.",
        ),
        (
            "plain(q=2)",
            "`plain` has no option `q`. Its options: none. Received `plain(q=2)`.",
        ),
        ("rich(rate=2)", "`rich` needs num. Write it as `rich(num=...)`."),
    ],
)
def test_a_spec_that_does_not_fit_its_family_is_refused(text, message):
    assert error_of(components.parse, "round_parts", text) == message


@pytest.mark.usefixtures("parts")
def test_a_spec_that_fits_its_family_is_returned():
    assert components.parse("round_parts", "rich(num=3)") == Spec("rich", {"num": 3})


def test_an_unknown_name_lists_every_known_member():
    message = error_of(components.parse, "objectives", "elbow")
    assert message.startswith("`elbow` is not one of the objectives. Did you mean `elbo`? Known: ")
    for member in components.members("objectives").values():
        assert str(member) in message


def test_building_checks_as_parsing_does():
    assert error_of(components.build, Network, "mpl") == error_of(
        components.parse, "networks", "mpl"
    )
    message = "`mlp` has no option `hiden`. Did you mean `hidden`? Its options: hidden, activation."
    assert error_of(components.build, Network, "mlp(hiden=(2,))").startswith(message)
    # The class has been imported by now, and is checked by what it is instead of by its source.
    components.build(Network, "mlp")
    assert error_of(components.build, Network, "mlp(hiden=(2,))").startswith(message)


def test_building_takes_text_a_spec_or_an_instance():
    built = components.build(Network, "mlp(hidden=(3,))")
    assert built.spec == Spec("mlp", {"hidden": (3,), "activation": "relu"})
    assert components.build(Network, built) is built
    assert components.build(Network, built.spec).spec == built.spec


def test_building_from_something_else_is_refused():
    with pytest.raises(TypeError) as caught:
        components.build(Network, 3)
    assert str(caught.value) == (
        "A `Network` is given as a spec such as 'name(option=1)' or as an instance. "
        "Received 3 of type int."
    )
    with pytest.raises(TypeError, match="A `Objective` is given as a spec"):
        components.build(Objective, components.build(Network, "mlp"))


class Doubled(Objective, name="doubled_out_of_tree"):
    """A bound from outside the project."""

    def __init__(self, *, factor, offset=0.0):
        self.factor = factor
        self.offset = offset

    def _terms(self, x, posterior, prior, likelihood_of, step, seed):
        return Terms(x, dict.fromkeys(self.metric_names, x))


def test_a_member_outside_the_project_is_built_by_its_name():
    built = components.build(Objective, "doubled_out_of_tree(factor=2.0)")
    assert (type(built), built.factor) == (Doubled, 2.0)
    assert str(built.spec) == "doubled_out_of_tree(factor=2.0, offset=0.0)"
    assert error_of(components.build, Objective, "doubled_out_of_tree") == (
        "`doubled_out_of_tree` needs factor. Write it as `doubled_out_of_tree(factor=...)`."
    )
    assert error_of(components.build, Objective, "doubled_out_of_tree(factr=1)") == (
        "`doubled_out_of_tree` has no option `factr`. Did you mean `factor`? Its options: factor, "
        "offset. Received `doubled_out_of_tree(factr=1)`."
    )


def test_a_family_does_not_find_members_of_another():
    with pytest.raises(SpecError, match="`doubled_out_of_tree` is not one of the networks"):
        components.build(Network, "doubled_out_of_tree(factor=2.0)")


def test_a_member_remembers_options_given_and_defaulted():
    class Base(Component):
        pass

    class Part(Base, name="part"):
        def __init__(self, size, *, num=1, rate=0.5, **kwargs): ...

    assert Part(3, num=2).spec == Spec("part", {"num": 2, "rate": 0.5})
    assert Base._imported == {"part": Part}
    with pytest.raises(TypeError, match="missing a required argument: 'size'"):
        Part()


@pytest.mark.parametrize(
    ("family", "member"), ALL_MEMBERS, ids=lambda v: str(getattr(v, "name", v))
)
def test_the_source_text_says_what_the_imported_class_says(family, member):
    cls = getattr(importlib.import_module(member.module), member.class_name)
    base = importlib.import_module(f"tfvae.{family}.base")
    assert cls.member_name == member.name
    assert any(
        issubclass(cls, kind) and kind._imported[member.name] is cls
        for kind in vars(base).values()
        if isinstance(kind, type) and Component in kind.__bases__
    )
    imported = components._describe_class(cls)
    assert (imported.module, imported.class_name) == (member.module, member.class_name)
    assert imported.summary == member.summary != ""
    assert list(imported.options) == list(member.options)
    for option, default in member.options.items():
        if default is None:
            assert imported.options[option] is None
        else:  # a literal, so that a spec can say it
            assert ast.literal_eval(default) == ast.literal_eval(imported.options[option])


def test_every_member_has_a_file_of_its_own():
    modules = [member.module for _, member in ALL_MEMBERS]
    assert len(set(modules)) == len(modules)


@pytest.mark.parametrize(
    "deep",
    [
        f"mlp(hidden={'-' * 50_000}1)",
        f"mlp(hidden={'not ' * 50_000}1)",
        f"mlp(hidden={'1+' * 5_000}1)",
        f"mlp{'.mlp' * 50_000}",
    ],
)
def test_a_spec_that_is_nested_too_deeply_is_no_spec(deep):
    with pytest.raises(components.SpecError) as error:
        components.parse("networks", deep)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    "code",
    [
        "import tfvae",
        "import tfvae.components",
        "from tfvae import components\nfor family in components.FAMILIES:\n"
        "    components.members(family)",
        "from tfvae import components\ncomponents.parse('networks', 'mlp(hidden=(2,))')",
        "import tfvae\ndir(tfvae)\ntfvae.__version__",
    ],
)
def test_listing_and_checking_load_no_tensorflow(code):
    script = f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"tensorflow", "keras", "tensorflow_probability", "numpy", "matplotlib"}
    assert not heavy & set(done.stdout.split())


def test_the_package_says_which_names_it_has():
    tfvae = importlib.import_module("tfvae")
    assert dir(tfvae) == ["FromPython", "VAE", "__version__", "export"]
    with pytest.raises(AttributeError, match="module 'tfvae' has no attribute 'nothing'"):
        _ = tfvae.nothing
    assert tfvae.VAE is importlib.import_module("tfvae.vae").VAE
