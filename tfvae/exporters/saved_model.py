"""SavedModels, for TensorFlow Serving and everything else that loads them."""

from tfvae.exporters.base import Exporter, write_saved_model


class SavedModel(Exporter, name="saved_model"):
    """A SavedModel for each part, loadable without this project.

        encoder  serving_default  x -> mean, stddev
                 sample           x, seed -> z
        decoder  serving_default  z -> mean (and stddev where the likelihood has one)
                 sample           z, seed -> x
                 generate         seed -> z, mean, x

    Seeds are int32 `[batch, 2]`, one for each row: the same seed gives the same draw in every
    process, batch and restart. The functions are not compiled by XLA, which TensorFlow Serving
    switches off by default.

    Args:
        input: 'uint8' and 'png' add signatures for images, `encode_image` (image -> mean, stddev)
            and `decode_image` (z -> image), with pixels / 255 in the graph: as uint8 arrays, or
            as PNG files.

    Raises:
        ValueError: If `input` is another.
    """

    noise = "seed"
    layout = {  # noqa: RUF012 - read only
        "encoder": "encoder/{version}",
        "decoder": "decoder/{version}",
    }
    runtime = "saved_model"
    needs_tensorflow = True
    other_runtimes = ("c_api",)
    beside = ("serving",)

    def __init__(self, *, input="float32"):  # noqa: A002 - the name of the option
        if input not in ("float32", "uint8", "png"):
            raise ValueError(
                f"`input` of `saved_model` is 'float32', 'uint8' or 'png'. Received "
                f"{input!r}. Write `saved_model(input='png')` for images."
            )
        self._input = input

    def _endpoints(self, vae, endpoints):
        if self._input == "float32":
            return endpoints
        from tfvae.exporters import pixels

        return pixels.with_images(vae, endpoints, self._input)

    def _write(self, endpoints, paths, materials):
        del materials  # written where the model is
        from tfvae.exporters import warmup

        for part, path in paths.items():
            write_saved_model(endpoints[part], path)
            warmup.write(part, endpoints[part], path)

    def _inspect(self, path, endpoints, weights, foreign):
        from tfvae.exporters import graphs

        return graphs.problems(path, endpoints, weights, foreign)

    def _accompany(self, root, version, requests):
        from tfvae.exporters import serving_kit

        serving_kit.write(root, version, tuple(self.layout), requests)
