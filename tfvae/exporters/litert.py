"""LiteRT (TensorFlow Lite) files, for phones, browsers and services without TensorFlow."""

import pathlib
import tempfile

from tfvae.exporters.base import Exporter, write_saved_model


class LiteRT(Exporter, name="litert"):
    """A .tflite file for each part: float32, any batch size, built-in operations only.

        encoder  encode          x -> mean, stddev
                 reparameterize  x, eps -> z
        decoder  decode          z -> mean (and stddev where the likelihood has one)
                 generate        eps -> mean

    The runtime has no random numbers that are keyed by a seed, so the noise `eps` is an input:
    draw it as standard normals `[batch, latent_size]`.
    """

    noise = "eps"
    layout = {  # noqa: RUF012 - read only
        "encoder": "litert/{version}/encoder.tflite",
        "decoder": "litert/{version}/decoder.tflite",
    }
    runtime = "litert"
    needs_tensorflow = False

    def _write(self, endpoints, paths, tensorflow):
        # In another process: the converter leaks the size of the weights with each call, writes
        # to the terminal, and can abort the process that it runs in.
        place = next(iter(paths.values())).parent.parent
        with tempfile.TemporaryDirectory(dir=place) as folder:
            jobs = []
            for part, path in paths.items():
                source = pathlib.Path(folder, part)
                write_saved_model(endpoints[part], source)
                jobs.append([str(source), [e.name for e in endpoints[part]], str(path)])
            tensorflow.run("convert_litert", jobs)()

    def _inspect(self, path, endpoints, weights, foreign):
        from tfvae.exporters import flatbuffers

        del endpoints
        return flatbuffers.problems(path, None, weights, foreign)
