"""The family of exporters, and what they write: endpoints."""

import abc
import dataclasses
import importlib
import pathlib
from collections.abc import Callable

from tfvae import components

#: The parts of a model that are exported, each to a file or folder of its own.
PARTS = ("encoder", "decoder")

#: What is exported unless formats are named.
FORMATS = ("saved_model", "litert")


class ExportError(RuntimeError):
    """An export that could not be written, or that computes something else than the model."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A function that other programs call by name.

    Attributes:
        name: Name of the signature.
        function: Takes the inputs by name and returns a dict of tensors. Dimension 0 of each is
            the batch.
        inputs: A named `tf.TensorSpec` for each input, its dimension 0 None.
        draw: Function (NumPy `Generator`, batch) -> dict of inputs, where not all values of their
            types are valid, such as PNG files; or None.
    """

    name: str
    function: Callable
    inputs: tuple
    draw: Callable | None = None


class Exporter(components.Component, abc.ABC):
    """A format in which trained parts leave the project.

    A member sets the attributes and overrides `_write`, and what else it knows of its format:
    `_inspect` for defects that can be seen in a file, `_assess` for what compression costs,
    `_stamp` for files that carry their version, `_accompany` for what servers need beside it.

    Attributes:
        noise: What its endpoints draw from: "seed", int32 `[batch, 2]`, where the format can draw
            random numbers itself, and "eps", the standard normal noise, where it can't.
        layout: For each part, where it lies under the directory of the export. The component
            after the folder is the version: "litert/{version}/encoder.tflite".
        runtime: Name of the module in `runtimes/` that opens the files: what proves an export
            right before it is published, and what programs run it by.
        needs_tensorflow: Whether that runtime is TensorFlow.
        other_runtimes: Names of further modules in `runtimes/` that must give the same values.
        beside: Names of the folders that `accompany` writes to.
        needs_examples: Whether `write` and `assess` need rows of data.
    """

    noise: str
    layout: dict[str, str]
    runtime: str
    needs_tensorflow: bool
    other_runtimes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    needs_examples: bool = False

    def _endpoints(self, vae, endpoints):
        """Returns the endpoints that this format is written with."""
        del vae
        return endpoints

    def endpoints(self, vae, endpoints):
        """Returns the endpoints that this format is written with: the usual ones, and its own.

        Args:
            vae: The model.
            endpoints: Dict of part to a tuple of `Endpoint`: those of every model.

        Raises:
            ExportError: If the model can't have them.
        """
        return self._endpoints(vae, endpoints)

    @abc.abstractmethod
    def _write(self, endpoints, paths, materials):
        """Writes each part's endpoints to its path; the folders around the paths are there."""

    def write(self, endpoints, directory, materials):
        """Writes the parts under `directory`, as version "new".

        Args:
            endpoints: Dict of part to a tuple of `Endpoint`.
            directory: Where the export is prepared.
            materials: A `Materials`: the model, and a process for formats that are converted.

        Returns:
            Dict of part to its path.

        Raises:
            ExportError: If the format can't express an endpoint.
        """
        paths = {part: self.path(directory, part, "new") for part in endpoints}
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        self._write(endpoints, paths, materials)
        return paths

    def _inspect(self, path, endpoints, weights, foreign):
        """Yields what is wrong with the files of a part, as far as reading them shows it."""
        del path, endpoints, weights, foreign
        return ()

    def _assess(self, paths, endpoints, materials, process_of):
        """Returns what is worth knowing of the files, a list of dicts."""
        del paths, endpoints, materials, process_of
        return []

    def assess(self, paths, endpoints, materials, process_of):
        """Measures files whose values are not quite the model's: quantised ones.

        Args:
            paths: What `write` gave.
            endpoints: Dict of part to a tuple of `Endpoint`.
            materials: A `Materials`.
            process_of: Function of a runtime's name that gives the `Fresh` process to run it in.

        Returns:
            List of a dict for each file; empty where there is nothing to measure.

        Raises:
            ExportError: If a file is not fit for use.
        """
        return self._assess(paths, endpoints, materials, process_of)

    def _stamp(self, paths, version):
        """Writes the version into the files."""

    def stamp(self, directory, version):
        """Writes the version into files that carry it, when it is known.

        Args:
            directory: Where the export is prepared.
            version: The version.
        """
        self._stamp({part: self.path(directory, part, "new") for part in self.layout}, version)

    def _accompany(self, root, version, requests):
        """Writes what servers of this format need beside the versions."""

    def accompany(self, root, version, requests):
        """Writes what servers of this format need beside the versions, after a publication.

        Args:
            root: `pathlib.Path` of the export.
            version: The version that has just been published.
            requests: List of golden `Request` of this format, one for each signature.
        """
        self._accompany(root, version, requests)

    def inspect(self, path, endpoints, weights, foreign):
        """Returns what can be seen to be wrong with a part that was written.

        Args:
            path: What `write` gave.
            endpoints: Its `Endpoint`s.
            weights: Arrays, the values of the variables that belong into it.
            foreign: Arrays, those of the other parts.

        Returns:
            List of texts that name the check, and the signature where one is to blame.
        """
        return list(self._inspect(path, endpoints, weights, foreign))

    def path(self, directory, part, version):
        """Returns where one version of a part lies under `directory`."""
        return pathlib.Path(directory, self.layout[part].format(version=version))

    def open(self, path):
        """Opens an exported part to run it.

        Args:
            path: What `path` gives.

        Returns:
            A `Program` of the runtime.
        """
        return importlib.import_module(f"tfvae.exporters.runtimes.{self.runtime}").Program(path)


def write_saved_model(endpoints, path):
    """Writes endpoints as a SavedModel that holds each variable they read once, and no other.

    Tracking the networks would store every weight a second time: the variables that the
    functions capture are found and stored without it.

    Args:
        endpoints: Iterable of `Endpoint`.
        path: Directory to write.
    """
    import keras

    archive = keras.export.ExportArchive()
    for endpoint in endpoints:
        archive.add_endpoint(endpoint.name, endpoint.function, list(endpoint.inputs))
    archive.write_out(str(path), verbose=False)
