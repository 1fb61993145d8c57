"""Published exports: how programs find and open them, without TensorFlow where it can be done."""

import contextlib
import os
import pathlib

from pipelines import cli
from pipelines.cli import Failure, UsageError
from tfvae import components
from tfvae.exporters import published


def add_choice(parser):
    """Adds the options that say which files of an export a program reads.

    Args:
        parser: A `cli.Parser`.
    """
    parser.add_argument(
        "--version", type=cli.positive_int, metavar="N", help="(default: the newest)"
    )
    parser.add_argument(
        "--format",
        choices=tuple(components.members("exporters")),
        help="(default: litert where it is published, since it needs no TensorFlow)",
    )


def find(exported, part, format_name=None, version=None):
    """Finds a part that was exported.

    Args:
        exported: Directory of an export, or the part's own file.
        part: "encoder" or "decoder".
        format_name: Name of an exporter; by default one that needs no TensorFlow, where there is.
        version: Int; by default the newest.

    Returns:
        Path of the part, and the name of its format.

    Raises:
        UsageError: If there is no such part.
    """
    exported = pathlib.Path(exported)
    if os.path.isfile(exported):
        return exported, _format_of_file(exported, part, format_name, version)
    found = published.versions(exported, part) if os.path.isdir(exported) else {}
    if format_name is not None:
        found = {name: paths for name, paths in found.items() if name == format_name}
    if not found:
        raise UsageError(_nothing_there(exported, part, format_name))
    known = sorted({known for paths in found.values() for known in paths})
    version = known[-1] if version is None else version
    having = [name for name, paths in found.items() if version in paths]
    if not having:
        raise UsageError(
            f"`--version` names a published version. Received {version}; {exported} has "
            f"{', '.join(map(str, known))}. Leave it out for the newest."
        )
    name = min(having, key=published.needs_tensorflow)
    return found[name][version], name


class Quiet:
    """A program whose runs keep what C++ libraries say off the terminal.

    Args:
        program: A `Program` of a runtime.
    """

    def __init__(self, program):
        self._program = program
        self.inputs, self.signatures = program.inputs, program.signatures

    def run(self, signature, inputs):
        """Calls a signature."""
        with cli.quiet_stderr():  # LiteRT says there which delegate it takes
            return self._program.run(signature, inputs)


def open_part(path, format_name, endpoints, *, quiet=True):
    """Opens a part to run it.

    Args:
        path: Path of the part.
        format_name: Name of its format.
        endpoints: Names of the signature that it will be asked for: formats have their own.
        quiet: Whether to keep what C++ libraries say off the terminal. That is the whole
            process's: where others of its threads write too, they may.

    Returns:
        A `Program` of the format's runtime, and the name of the signature that it has.

    Raises:
        Failure: If it is damaged.
        UsageError: If it lacks the signature.
    """
    if quiet and published.needs_tensorflow(format_name):
        cli.load_tensorflow(probability=False)  # quietly, before a runtime does
    try:
        program = published.open_part(path, format_name)
    except ValueError as error:
        raise Failure(str(error)) from error
    for endpoint in endpoints:
        if endpoint in program.signatures:
            return Quiet(program) if quiet else program, endpoint
    raise UsageError(
        f"This program calls the signature {' or '.join(f'`{e}`' for e in endpoints)}. {path} has "
        f"{', '.join(program.signatures) or 'none'}. Give the other part."
    )


def columns_of(path):
    """Returns the columns of the table that an exported part was trained on, or None.

    Args:
        path: Path of the part, as `find` returns it.

    Returns:
        List of dicts as `tfvae.transforms.Columns` takes them, from the manifest of the release;
        None where there is no manifest, or it tells of no table.
    """
    from tfvae.exporters import manifest

    for place in (path, *path.parents):
        if place.name.isdecimal():
            about = place.parent.parent / manifest.FOLDER / place.name / manifest.FILE
            with contextlib.suppress(OSError, ValueError):
                return manifest.read(about)["model"].get("columns")
    return None


def _format_of_file(path, part, format_name, version):
    name = published.format_of(path, part)
    if name is None or format_name not in (None, name):
        raise UsageError(
            f"EXPORTED is the directory of an export, or a .tflite file. Received {path}"
            f"{f' as {format_name}' if format_name else ''}. Give the directory, such as "
            f"exported/mnist."
        )
    if version is not None:
        raise UsageError(
            f"`--version` chooses in a directory. Received the file {path}. Leave `--version` "
            f"out, or give the directory."
        )
    return name


def _nothing_there(exported, part, format_name):
    kind = f" in the format {format_name}" if format_name else ""
    state = f"holds no published {part}{kind}" if os.path.exists(exported) else "does not exist"
    return (
        f"EXPORTED is the directory of an export, or a .tflite file. {exported} {state}. Publish "
        f"a run with `python -m pipelines.export RUN --output {exported}`."
    )
