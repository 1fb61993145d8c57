"""Publishing a trained model: write every format, prove it, move it into place."""

import contextlib
import dataclasses
import pathlib

from tfvae import components
from tfvae.exporters import contract, endpoints, manifest
from tfvae.exporters.base import FORMATS, Exporter
from tfvae.exporters.fresh import Fresh
from tfvae.exporters.materials import Materials
from tfvae.exporters.release import Release
from tfvae.exporters.serving_kit import labels
from tfvae.exporters.staging import Staging, prune
from tfvae.exporters.verification import Verification


class FollowUpError(Exception):
    """A version is published, and what comes after that failed: its text says what and why."""


@dataclasses.dataclass(frozen=True)
class Publication:
    """A published version.

    Attributes:
        directory: Directory of the export.
        version: The integer that all its parts share.
        paths: Dict of (format, part) to the path of what was published.
    """

    directory: pathlib.Path
    version: int
    paths: dict

    @property
    def release(self):
        """Directory of the manifest, the model card and the golden requests."""
        return self.directory / manifest.FOLDER / str(self.version)


def export(vae, directory, formats=FORMATS, *, provenance=None, gates=(), keep=None):
    """Publishes a trained model as a new version: an encoder and a decoder that run alone.

    Every file is read for defects and every signature of every format is run in fresh processes
    first, by each of the format's loaders, and compared with the model. Only then the parts
    appear, all with the same version, one above the highest there is, with a manifest, a model
    card and golden requests. What is served, and what other publishers do in the same directory,
    is never disturbed.

    Args:
        vae: A `VAE`.
        directory: Where to publish, such as "exported/mnist".
        formats: Specs of exporters.
        provenance: A `Provenance`, for the manifest and the model card.
        gates: Each a `Gate`: conditions, without which nothing is published.
        keep: How many versions to keep; older ones are removed, but for those that a label of
            the serving configuration names. None keeps all.

    Returns:
        A `Publication`.

    Raises:
        ExportError: If a format can't be written, computes something else than the model, or a
            gate refuses.
        OSError: If the directory can't be written.
        FollowUpError: If the version is published, but the files for servers are not up to date,
            or older versions are still there. To export again would publish it twice.

    Examples:
        ```
        tfvae.export(vae, "exported/mnist").paths["litert", "decoder"]
        # exported/mnist/litert/1/decoder.tflite
        ```
    """
    exporters = _build(formats)
    _check_keep(keep)
    release = Release(vae, provenance or manifest.Provenance(), gates, directory)
    release.check()
    with Staging(directory) as staging, _Processes() as processes:
        materials = Materials(
            vae=_in_float32(vae),
            tensorflow=processes.tensorflow,
            name=staging.root.resolve().name,
            described=contract.describe(vae),
            examples=release.provenance.examples,
            conditions=release.provenance.conditions,
        )
        _write_and_prove(exporters, materials, staging.directory, processes, release)

        def follow_up(root, version):
            with _after(version, root, "what servers need beside it is not up to date"):
                release.accompany(root, version)
            if keep is not None:
                with _after(version, root, "older versions have not been removed"):
                    prune(root, keep, {v for held in labels(root).values() for v in held})

        version = staging.publish(release.write, follow_up)
        return _published(exporters, staging.root, version)


def _in_float32(vae):
    """Returns the model as float32 computes it: its weights are, whatever it was trained with."""
    if vae.dtype_policy.compute_dtype == "float32":
        return vae
    copy = type(vae).from_config({**vae.get_config(), "dtype": "float32"})
    copy.set_weights(vae.get_weights())
    return copy


@contextlib.contextmanager
def _after(version, root, state):
    """Says of what goes wrong in the block, or is interrupted, that the version is published."""
    said = (
        f"Version {version} of {root} is published, but {state}: {{}}. The next publication sees "
        f"to it; the same command would publish this model once more."
    )
    try:
        yield
    except (OSError, ValueError, KeyboardInterrupt) as error:
        raise FollowUpError(said.format(str(error) or "interrupted")) from error


def _write_and_prove(exporters, materials, directory, processes, release):
    """Writes all formats into a folder, and adds each to the release when it is proven."""
    vae = materials.vae
    weights = endpoints.weights(vae)
    proofs = []
    for exporter in exporters:
        wanted = endpoints.of_format(vae, exporter)
        paths = exporter.write(wanted, directory, materials)
        proof = Verification(exporter, wanted, paths, weights, processes.of(exporter), directory)
        proofs.append((exporter, wanted, paths, proof))  # it goes on while the next is written
    for exporter, wanted, paths, proof in proofs:
        answers = proof.check()
        measured = exporter.assess(paths, wanted, materials, processes.of(exporter))
        release.add(exporter, wanted, answers, measured)


class _Processes:
    """The fresh processes of a publication: one with TensorFlow, one for each other runtime."""

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        self.tensorflow = self._stack.enter_context(Fresh("tensorflow"))
        self._others: dict[str, Fresh] = {}
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def of(self, exporter):
        """Returns the function that gives a runtime of a format its process."""

        def process_of(runtime):
            if runtime == exporter.runtime and exporter.needs_tensorflow:
                return self.tensorflow
            if runtime not in self._others:
                self._others[runtime] = self._stack.enter_context(Fresh())
            return self._others[runtime]

        return process_of


def _check_keep(keep):
    if keep is not None and (type(keep) is not int or keep < 1):
        raise ValueError(
            f"`keep` is how many versions stay, the new one among them: an int of at least 1, or "
            f"None for all. Received {keep!r}."
        )


def _build(formats):
    """Returns the exporters, each format once."""
    listed = [formats] if isinstance(formats, str | Exporter) else formats
    exporters = [components.build(Exporter, item) for item in listed]
    if not exporters:
        raise ValueError(
            f"`formats` names at least one format to export. Received {formats!r}. Leave it out "
            f"for {FORMATS}."
        )
    return list({exporter.member_name: exporter for exporter in exporters}.values())


def _published(exporters, directory, version):
    parts = ((exporter, part) for exporter in exporters for part in exporter.layout)
    paths = {(e.member_name, part): e.path(directory, part, version) for e, part in parts}
    return Publication(directory, version, paths)
