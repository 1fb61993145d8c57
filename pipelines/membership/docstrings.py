"""The formula and the references of a member, read from the docstring of its class.

Nothing is imported: a member's file is read as text, as `components` does for its name.
"""

import ast
import dataclasses
import hashlib
import pathlib
import re
import textwrap

import tfvae

_SECTION = re.compile(r"[A-Z][a-z ]+:")
_ENTRY = re.compile(r"\[\d+\] ")
_LINK = re.compile(r"https?://\S+")
_WITH_DOCSTRINGS = (ast.Module, ast.ClassDef, ast.FunctionDef)


@dataclasses.dataclass(frozen=True)
class Reference:
    """A source.

    Attributes:
        text: Authors, title, equation.
        link: Its address, or "".
    """

    text: str
    link: str = ""


def of(member):
    """Returns the docstring of the class of a member.

    Args:
        member: A `components.Member`.
    """
    body = ast.parse(_path(member).read_text(encoding="utf-8")).body
    classes = (node for node in body if isinstance(node, ast.ClassDef))
    return ast.get_docstring(next(c for c in classes if c.name == member.class_name)) or ""


def digest(member):
    """Returns a digest of what the file of a member does, whatever its docstrings say.

    Args:
        member: A `components.Member`.
    """
    tree = ast.parse(_path(member).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRINGS) and ast.get_docstring(node):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def _path(member):
    parts = member.module.split(".")[1:]
    return pathlib.Path(tfvae.__file__).parent.joinpath(*parts).with_suffix(".py")


def formula(docstring):
    r"""Returns the lines of the first indented block that stands above all sections.

    Examples:
        >>> formula("A Gaussian.\n\n    p(z) = N(0, I)\n\nArgs:\n    size: Length.")
        ('p(z) = N(0, I)',)
    """
    block: list[str] = []
    for line in docstring.splitlines()[1:]:
        if _SECTION.fullmatch(line) or (block and not line.startswith(" ")):
            break
        if line.startswith("    "):
            block.append(line)
    return tuple(textwrap.dedent("\n".join(block)).splitlines())


def references(docstring):
    r"""Returns the entries of the section of references.

    Examples:
        >>> references("A bound.\n\nReferences:\n    [1] Burda et al.,\n        eq. 8. https://a.b")
        (Reference(text='Burda et al., eq. 8', link='https://a.b'),)
    """
    _, _, section = docstring.partition("\nReferences:\n")
    entries = _ENTRY.split(" ".join(section.split()))[1:]
    return tuple(_reference(entry) for entry in entries)


def _reference(entry):
    found = _LINK.search(entry)
    text = _LINK.sub("", entry).strip().rstrip(".")
    return Reference(text, found.group() if found else "")
