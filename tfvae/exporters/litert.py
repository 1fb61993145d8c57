"""LiteRT (TensorFlow Lite) files, for phones, browsers and services without TensorFlow."""

import pathlib
import tempfile

from tfvae.exporters.base import Exporter, ExportError, write_saved_model

VARIANTS = ("float32", "batch1", "float16", "dynamic_int8", "int8")


class LiteRT(Exporter, name="litert"):
    """A .tflite file for each part: float32, any batch size, built-in operations only.

        encoder  encode          x -> mean, stddev
                 reparameterize  x, eps -> z
        decoder  decode          z -> mean (and stddev where the likelihood has one)
                 generate        eps -> mean

    The runtime has no random numbers that are keyed by a seed, so the noise `eps` is an input:
    draw it as standard normals `[batch, latent_size]`. A variant lies beside the file, as
    `encoder.float16.tflite`; what it costs is in the manifest and on the model card.

    Args:
        variants: Further files: any of 'batch1' (float32 for one row), 'float16',
            'dynamic_int8' (weights) and 'int8' (weights and activations; `encode` and `decode`
            alone). All but the first need rows of data to be measured on.

    Raises:
        ValueError: If a variant is unknown.
    """

    noise = "eps"
    layout = {  # noqa: RUF012 - read only
        "encoder": "litert/{version}/encoder.tflite",
        "decoder": "litert/{version}/decoder.tflite",
    }
    runtime = "litert"
    needs_tensorflow = False

    def __init__(self, *, variants=()):
        listed = (variants,) if isinstance(variants, str) else tuple(variants)
        unknown = [name for name in listed if name not in VARIANTS]
        if unknown:
            raise ValueError(
                f"`variants` of `litert` are among {', '.join(map(repr, VARIANTS))}. Received "
                f"{unknown[0]!r}. Write `litert(variants=('float16', 'int8'))`."
            )
        self.variants = tuple(dict.fromkeys(("float32", *listed)))
        self.needs_examples = len(self.variants) > 1

    def _write(self, endpoints, paths, materials):
        from tfvae.exporters import variants

        # In another process: the converter leaks the size of the weights with each call, writes
        # to the terminal, and can abort the process that it runs in.
        place = next(iter(paths.values())).parent.parent
        with tempfile.TemporaryDirectory(dir=place) as folder:
            jobs = []
            for part, path in paths.items():
                sources: dict = {}
                for variant in self.variants:
                    wanted = variants.endpoints_of(variant, endpoints[part])
                    kind = "batch1" if variant == "batch1" else "any"
                    if kind not in sources:
                        sources[kind] = pathlib.Path(folder, f"{part}_{kind}")
                        write_saved_model(wanted, sources[kind])
                    job = {
                        "source": str(sources[kind]),
                        "signatures": [endpoint.name for endpoint in wanted],
                        "target": str(_beside(path, variant)),
                        "variant": variant,
                        "metadata": variants.metadata(part, variant, materials),
                    }
                    if variant == "int8":
                        file = variants.representative(part, wanted[0], materials, folder)
                        job["representative"] = str(file)
                    jobs.append(job)
            materials.tensorflow.run("convert_litert", jobs)()

    def _inspect(self, path, endpoints, weights, foreign):
        from tfvae.exporters import flatbuffers

        del endpoints
        for variant in self.variants:
            batch = 1 if variant == "batch1" else None
            yield from flatbuffers.problems(_beside(path, variant), batch, weights, foreign)

    def _assess(self, paths, endpoints, materials, process_of):
        if not self.needs_examples:
            return []
        from tfvae.exporters import variant_signatures, variants

        files = {(p, v): _beside(path, v) for p, path in paths.items() for v in self.variants}
        with tempfile.TemporaryDirectory() as folder:
            process = process_of(self.runtime)
            variant_signatures.check(files, endpoints, process, folder)
            rows = variants.assess(files, endpoints, materials, process, folder)
        wrong = [row for row in rows if row["variant"] == "batch1" and row["largest_error"] > 1e-3]
        if wrong:
            raise ExportError(
                f"The variant batch1 of the {wrong[0]['part']} differs from the model by "
                f"{wrong[0]['largest_error']:.3g}. Nothing has been published."
            )
        return rows

    def _stamp(self, paths, version):
        from tfvae.exporters import variants

        for path in paths.values():
            for variant in self.variants:
                variants.stamp(_beside(path, variant), version)


def _beside(path, variant):
    """Returns where a variant lies: the float32 file has the plain name."""
    return path if variant == "float32" else path.with_name(f"{path.stem}.{variant}{path.suffix}")
