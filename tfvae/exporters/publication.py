"""Publishing a trained model: write every format, prove it, move it into place."""

import dataclasses
import pathlib

from tfvae import components
from tfvae.exporters import endpoints
from tfvae.exporters.base import FORMATS, Exporter
from tfvae.exporters.fresh import Fresh
from tfvae.exporters.staging import Staging
from tfvae.exporters.verification import Verification


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


def export(vae, directory, formats=FORMATS):
    """Publishes a trained model as a new version: an encoder and a decoder that run alone.

    Every signature of every format is run in a fresh process first and compared with the model.
    Only then the parts appear, all with the same version, one above the highest there is. What
    is served, and what other publishers do in the same directory, is never disturbed.

    Args:
        vae: A `VAE`.
        directory: Where to publish, such as "exported/mnist".
        formats: Specs of exporters.

    Returns:
        A `Publication`.

    Raises:
        ExportError: If a format can't be written, or computes something else than the model.
        OSError: If the directory can't be written.

    Examples:
        ```
        tfvae.export(vae, "exported/mnist").paths["litert", "decoder"]
        # exported/mnist/litert/1/decoder.tflite
        ```
    """
    exporters = _build(formats)
    with Staging(directory) as staging, Fresh("tensorflow") as tensorflow, Fresh() as bare:
        proofs = []
        for exporter in exporters:
            wanted = endpoints.endpoints(vae, exporter.noise)
            paths = exporter.write(wanted, staging.directory, tensorflow)
            process = tensorflow if exporter.needs_tensorflow else bare
            # It goes on while the next format is written.
            proofs.append(Verification(exporter, wanted, paths, process, staging.directory))
        for proof in proofs:
            proof.check()
        return _published(exporters, staging.root, staging.publish())


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
