"""What lies beside the parts of a version: manifest, model card, golden requests, samples."""

import pathlib

from tfvae.exporters import contract, gates, golden, manifest, model_card
from tfvae.files import write_atomically

REFUSED = "refused"

_LONGEST = 16  # numbers of an example that a model card shows as a row


class Release:
    """The papers of a version, written when its number is known.

    Args:
        vae: The model.
        provenance: A `Provenance`.
        conditions: List of `Gate`.
        root: Directory of the export.
    """

    def __init__(self, vae, provenance, conditions, root):
        self._vae = vae
        self.provenance = provenance
        self._conditions = conditions
        self._root = pathlib.Path(root)
        self._formats: list = []
        self._measured: dict[str, list] = {}

    def add(self, exporter, endpoints, answers, measured):
        """Takes up a format that has been proven.

        Args:
            exporter: The `Exporter`.
            endpoints: Dict of part to a tuple of `Endpoint`.
            answers: What `Verification.check` returned.
            measured: What `Exporter.assess` returned.
        """
        if measured:
            self._measured[exporter.member_name] = measured
        requests = [golden.Request(exporter.member_name, *answer) for answer in answers]
        self._formats.append((exporter, endpoints, requests))

    def check(self):
        """Asks the gates.

        Returns:
            List of `Verdict`.

        Raises:
            GateError: If one refuses. The reasons are in `releases/refused/manifest.json`.
        """
        verdicts = gates.judge(
            self._conditions, self.provenance.evaluations, manifest.last(self._root)
        )
        error = gates.refusal(verdicts)
        if error is not None:
            self._record_refusal(verdicts)
            raise error
        return verdicts

    def write(self, staged, version):
        """Writes the papers beside the staged parts.

        Args:
            staged: Directory with `FOLDER/new` in it.
            version: What "new" becomes.

        Raises:
            GateError: If a gate refuses now: another version may have been published meanwhile.
        """
        verdicts = self.check()
        folder = pathlib.Path(staged, manifest.FOLDER, "new")
        folder.mkdir(parents=True)
        for exporter, *_ in self._formats:
            exporter.stamp(staged, version)
        requests = [request for *_, listed in self._formats for request in listed]
        (folder / golden.FILE).write_text(golden.text(version, requests), encoding="utf-8")
        if self.provenance.samples is not None:
            (folder / "samples.png").write_bytes(self.provenance.samples)
        content = {
            "name": self._root.resolve().name,
            "version": version,
            "published": True,
            **manifest.describe(self._vae, self.provenance, verdicts),
            "formats": self._signatures(version),
            "variants": self._measured,
            "samples": drawn(requests),
            "files": manifest.files(staged, version),
        }
        card = folder / "model_card.md"
        card.write_text(model_card.text(content), encoding="utf-8")
        name = f"{manifest.FOLDER}/{version}/{card.name}"
        content["files"][name] = {"bytes": card.stat().st_size, "sha256": manifest.sha256(card)}
        (folder / manifest.FILE).write_text(manifest.text(content), encoding="utf-8")

    def accompany(self, root, version):
        """Writes what servers need beside the versions.

        Args:
            root: `pathlib.Path` of the export.
            version: The version that has just been published.
        """
        for exporter, _, requests in self._formats:
            exporter.accompany(root, version, requests)

    def _signatures(self, version):
        described = contract.describe(self._vae)
        formats = {}
        for exporter, endpoints, requests in self._formats:
            known = {(request.part, request.signature): request for request in requests}
            signatures = contract.signatures(described, endpoints, known)
            formats[exporter.member_name] = {
                part: {
                    "path": exporter.layout[part].format(version=version),
                    "signatures": signatures[part],
                }
                for part in endpoints
            }
        return formats

    def _record_refusal(self, verdicts):
        folder = self._root / manifest.FOLDER / REFUSED
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "name": self._root.resolve().name,
            "version": None,
            "published": False,
            **manifest.describe(self._vae, self.provenance, verdicts),
            "files": {},
        }
        with write_atomically(folder / manifest.FILE) as file:
            file.write(manifest.text(content).encode())


def drawn(requests):
    """Returns new examples that are short rows of numbers, where there are such.

    Args:
        requests: Iterable of golden `Request`: their answers have some.

    Returns:
        List of lists of floats; empty where examples are images, or long.
    """
    for request in requests:
        x = request.outputs.get("x") if request.signature == "generate" else None
        if x is not None and x.ndim == 2 and x.shape[1] <= _LONGEST:
            return x.tolist()
    return []
