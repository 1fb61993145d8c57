"""The Apache Beam pipeline over the parts of a table. Needs apache-beam.

A worker needs NumPy, apache-beam, what runs the exported part (ai-edge-litert for LiteRT files),
this package, and the folders that the command names.
"""

import contextlib
import io
import sys

from pipelines.cli import Failure


class MakePart:
    """Makes the parts whose numbers it gets. Each worker has its own, which opens a file once.

    Args:
        step: A step of `steps`.
        parts: `Parts`.
    """

    def __init__(self, step, parts):
        self._step = step
        self._parts = parts
        self._opened = None

    def __call__(self, number):
        """Makes a part, and returns its number."""
        if self._opened is None:
            self._opened = self._step.open()
        self._parts.make(self._step, self._opened, number)
        return number


def pipeline(runner, flags):
    """Returns an empty pipeline.

    Args:
        runner: Name of a runner.
        flags: List of its options.

    Raises:
        ValueError: If there is no such runner or option.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    # DirectRunner downloads a program, Prism, to run pipelines with, but for those that may have
    # unsafe triggers. This one has no triggers at all.
    settings = {"runner": runner, "allow_unsafe_triggers": True}
    said = io.StringIO()  # how the options are used, in full, if one is wrong
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(flags, **settings)
            options.get_all_options()
            empty = beam.Pipeline(options=options)
    except SystemExit as error:
        reason = said.getvalue().strip().rpartition("error: ")[-1]
        raise ValueError(f"`--runner-options` are not those of Apache Beam: {reason}.") from error
    except (ImportError, AttributeError) as error:
        raise ValueError(f"`--runner {runner}` can't be used: {error}.") from error
    sys.stderr.write(said.getvalue())
    return empty


def run(empty, step, parts):
    """Makes the parts that are missing.

    Args:
        empty: What `pipeline` returns.
        step: A step of `steps`.
        parts: `Parts`.

    Raises:
        Failure: If the pipeline fails.
    """
    import apache_beam as beam

    numbers = empty | "Parts" >> beam.Create(parts.missing())
    numbers | "Make" >> beam.Map(MakePart(step, parts))
    try:
        empty.run().wait_until_finish()
    except Exception as error:  # whatever it is that an engine raises
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1] if lines else type(error).__name__
        raise Failure(f"The pipeline has failed: {reason}") from error
