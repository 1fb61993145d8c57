"""What every program shares: its parser, its exit statuses and a quiet TensorFlow.

    0    done
    1    failure: something went wrong while working
    2    usage: the command asks for something that can't be done as written
    130  interrupted by Ctrl-C; 143 terminated by SIGTERM

Importing this module costs nothing: TensorFlow is loaded by `load_tensorflow`, after the command
has been read, so that `--help` and a mistyped option answer at once.
"""

import argparse
import contextlib
import os
import sys
import tempfile

from tfvae import components

_BESIDE = 32  # bytes: what becomes a file lies beside it meanwhile, under a longer name
_BELOW = 128  # bytes: of what is made inside a folder

#: The default of an option that stays out of the parsed arguments unless it is given.
NOT_GIVEN = argparse.SUPPRESS


class UsageError(Exception):
    """A command that can't be carried out as written; exit status 2."""


class Failure(Exception):  # noqa: N818 - named for what the user reads
    """Work that went wrong; exit status 1."""


class Interrupted(Exception):  # noqa: N818 - named for what happened
    """Work that a signal ended; exit status 128 + the signal's number.

    Args:
        message: What to tell the user.
        number: Number of the signal.
    """

    def __init__(self, message, number):
        super().__init__(message)
        self.number = number


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one message, without the usage text above it."""

    def __init__(self, description, **kwargs):
        super().__init__(
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **kwargs,
        )
        self.register("type", None, text)  # of options that name none: a path, a name

    def error(self, message):
        """Raises the message as a `UsageError`."""
        said = f"{message[:1].upper()}{message[1:]}.{_of_parts(message)}"
        raise UsageError(f"{said} See `{self.prog} --help`.")


def _of_parts(message):
    """Returns a hint where an unknown argument is an option of a part, which stands in its spec."""
    words = message.split() if message.startswith("unrecognized arguments") else []
    for option in (word[2:].replace("-", "_") for word in words if word.startswith("--")):
        members = (m for family in components.FAMILIES for m in components.members(family).values())
        having = [member.name for member in members if option in member.options]
        if having:
            return (
                f" `{option}` is an option of {', '.join(having)}: write it into the spec, as in "
                f"`{having[0]}({option}=...)`."
            )
    return ""


def spec_of(family):
    """Returns an argparse type: the spec of a member of `family`, checked, as text."""

    def read(text):
        try:
            return str(components.parse(family, text))
        except components.SpecError as error:
            raise UsageError(str(error)) from error

    return read


def text(given):
    """Reads text that isn't blank, for argparse: a variable that a shell doesn't know is."""
    if given.strip():
        return given
    raise argparse.ArgumentTypeError(
        f"expected a value, received {given!r}. Give one, or leave the option out; a variable of "
        f"the shell may be unset"
    )


def positive_int(text):
    """Reads an int from 1 to 2**31 - 1, for argparse."""
    return _number(text, int, lambda n: 0 < n < 2**31, "a whole number above 0 (below 2**31)")


def non_negative_int(text):
    """Reads an int from 0 to 2**31 - 1, for argparse: a seed."""
    return _number(text, int, lambda n: 0 <= n < 2**31, "a whole number from 0 to 2147483647")


def positive_float(text):
    """Reads a positive finite float, for argparse."""
    return _number(text, float, lambda number: 0 < number < float("inf"), "a number above 0")


def non_negative_float(text):
    """Reads a finite float that isn't negative, for argparse."""
    return _number(text, float, lambda number: 0 <= number < float("inf"), "a number of 0 or more")


def _number(text, kind, fits, rule):
    with contextlib.suppress(ValueError):
        number = kind(text)
        if fits(number):
            return number
    raise argparse.ArgumentTypeError(f"expected {rule}, received {text!r}")


def run(main):
    """Runs a program and exits: one message instead of a traceback for what users meet.

    Args:
        main: Function of the list of arguments.
    """
    name = f"python -m {_module_name(main)}"
    try:
        main(sys.argv[1:])
        status = 0
    except UsageError as error:
        status = _say(name, error, 2)
    except BrokenPipeError:
        status = 1
    except (Failure, OSError) as error:
        status = _say(name, error, 1)
    except Interrupted as error:
        status = _say(name, error, 128 + error.number)
    except KeyboardInterrupt as error:
        status = _say(name, error if str(error) else "Interrupted.", 130)
    except Exception as error:
        # By its name: TensorFlow may not be there yet.
        if type(error).__name__ not in ("MemoryError", "ResourceExhaustedError"):
            raise
        status = _say(name, _exhausted(error), 1)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.exit(status)


def _exhausted(error):
    """Returns what has run out: TensorFlow has one error for memory and for disks."""
    text = str(error)
    if "No space left on device" in text:
        return (
            f"{text.strip().splitlines()[0]}. Free some space, and go on: training by `--resume`, "
            f"the rest by the same command."
        )
    return "Out of memory. Make the model, the batch or the data smaller."


def check_writable(path, option):
    """Refuses a place in which nothing can be made, before the work that would end there.

    Args:
        path: `pathlib.Path` of a directory or file that need not exist yet.
        option: Name of the option that gave it.

    Raises:
        UsageError: If it, or the nearest directory above it that exists, can't be written, or a
            name on the way is too long for the disk.
    """
    obstacle = obstacle_to(path)
    if obstacle is not None:
        shown = f"{str(path)[:60]}..." if len(str(path)) > 200 else path
        raise UsageError(f"`{option}` names {shown}, but {obstacle}")


def obstacle_to(path):
    """Returns why nothing can be made at a path, and what to do: sentences, or None if it can."""
    whole = path.absolute()
    above = next(place for place in (whole, *whole.parents) if os.path.lexists(place))
    if not os.path.exists(above):
        return (
            f"{above} is a link to {os.readlink(above)}, which isn't there. Make what it points "
            f"to, or remove the link."
        )
    if not os.path.isdir(above) and above != whole:
        return f"{above} is a file, not a directory."
    if not os.access(above, os.W_OK):
        return (
            f"{above} can't be written by this user. Choose another place, or change its "
            f"permissions."
        )
    return _too_long(whole, above)


def _too_long(whole, above):
    """Says where the disk under `above` has no room for new names; else None."""
    new = [len(os.fsencode(name)) for name in whole.relative_to(above).parts]
    for what, size, rule, usual in (
        ("a name", max(new, default=0), "PC_NAME_MAX", 255),
        ("a path", len(os.fsencode(whole)), "PC_PATH_MAX", 4096),
    ):
        try:
            most = os.pathconf(above, rule)
        except (AttributeError, OSError, ValueError):  # not on this system, or not of this disk
            most = usual
        most -= _BESIDE if what == "a name" else _BELOW
        if new and size > most:
            return (
                f"it has {what} of {size} bytes, and there is room for {most} on this disk. Choose "
                f"a shorter one."
            )
    return None


@contextlib.contextmanager
def usage():
    """Turns a `ValueError` of the library into a `UsageError`: for building what was asked for."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


def load_tensorflow(probability=True):
    """Imports TensorFlow without its start-up messages.

    Args:
        probability: Whether to import TensorFlow Probability as well, which models need.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with quiet_stderr():
        import tensorflow as tf

        if probability:
            import tensorflow_probability  # noqa: F401 - loaded here, while it is quiet

        tf.config.list_physical_devices()
    tf.get_logger().setLevel("ERROR")


def tracked(chunks, text, num, done=0):
    """Yields chunks and shows on a terminal how many of the rows are done.

    Args:
        chunks: Iterable of dicts of column name to array `[chunk, ...]`.
        text: What is being done.
        num: Number of rows.
        done: How many were done before.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(text, total=num, completed=done)
        for chunk in chunks:
            yield chunk
            progress.update(task, advance=len(next(iter(chunk.values()))))


@contextlib.contextmanager
def quiet_stderr():
    """Holds back what C++ libraries write to standard error; gives it out if the block fails.

    They write before any log level applies, straight to the file descriptor.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _module_name(main):
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.name if spec is not None else main.__module__


def _say(name, message, status):
    print(f"{name}: {message}", file=sys.stderr)
    return status
