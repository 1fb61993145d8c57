"""The client: typed methods for the signatures of an encoder and a decoder."""

import time
import urllib.parse
from collections.abc import Mapping

import numpy as np

from tfvae.serving.errors import ServingError, UnavailableError
from tfvae.serving.inputs import checked_seeds, floats, image_name, named, typed

#: Names of the outputs of a signature, where a server leaves the name of a single one out.
_SINGLE = {
    ("encoder", "sample"): "z",
    ("decoder", "sample"): "x",
    ("decoder", "serving_default"): "mean",
    ("encoder", "serving_default"): "mean",
    ("decoder", "decode_image"): "image",
}
_FIRST_PAUSE = 0.1  # seconds before the first repetition; each further one is twice as long
_LONGEST_PAUSE = 5.0


class Client:
    """Asks a server for codes and examples.

    Args:
        url: "http://HOST:8501" or "https://..." for REST, "grpc://HOST:8500" or "grpcs://..." for
            gRPC.
        version: The version to ask; None for the newest that is served.
        label: The label to ask instead, such as "stable".
        names: Under which names the parts are served: a dict of "encoder" and "decoder".
        timeout: Seconds for one request.
        retries: How often a request is repeated while the server is unavailable.

    Raises:
        ValueError: If the address has another form, or both version and label are given.

    Examples:
        ```
        client = Client("http://localhost:8501", label="stable")
        client.encode(x)                         # {"mean": [N, 20], "stddev": [N, 20]}
        client.sample(seeds(len(x)), x=x)        # codes drawn from q(z|x), [N, 20]
        client.decode(z)                         # {"mean": [N, 28, 28, 1]}
        client.generate(seeds(16, seed=3))       # {"z": ..., "mean": ..., "x": ...}
        client.generate(seeds(16), [7] * 16)     # of a conditional model: sixteen sevens
        ```
    """

    def __init__(
        self,
        url="http://localhost:8501",
        *,
        version: int | None = None,
        label: str | None = None,
        names: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        retries: int = 5,
    ):
        if version is not None and label is not None:
            raise ValueError(
                f"A request names a version or a label, not both. Received version={version} and "
                f"label={label!r}. Leave one out."
            )
        self._transport = _transport(url, timeout)
        self._which = (version, label)
        self._names = {"encoder": "encoder", "decoder": "decoder", **(names or {})}
        self._retries = retries

    def encode(self, x, condition=None) -> dict[str, np.ndarray]:
        """Returns the moments of q(z|x).

        Args:
            x: Floats `[batch, *event_shape]`.
            condition: For a conditional model, ints `[batch]` or floats `[batch, size]`: the label
                of each row, or what else is known of it. The other methods take it alike.

        Returns:
            Dict of output name to float32 array: `mean` and `stddev` `[batch, latent_size]`.
        """
        return self.predict("encoder", "serving_default", named(condition, x=floats(x)))

    def sample(self, seed, *, x=None, z=None, condition=None) -> np.ndarray:
        """Draws codes z from q(z|x) where `x` is given, examples x from p(x|z) where `z` is.

        Args:
            seed: int32 `[batch, 2]`, one seed for each row; see `seeds`.
            x: Floats `[batch, *event_shape]`.
            z: Floats `[batch, latent_size]`.
            condition: As of `encode`.

        Returns:
            float32 array, codes or examples.

        Raises:
            ValueError: If not exactly one of `x` and `z` is given.
        """
        if (x is None) == (z is None):
            raise ValueError(
                "`sample` draws a code for `x=` or an example for `z=`. Give exactly one of them."
            )
        part, name, given = ("encoder", "x", x) if z is None else ("decoder", "z", z)
        inputs = named(condition, **{name: floats(given)}, seed=checked_seeds(seed))
        return self.predict(part, "sample", inputs)[_SINGLE[part, "sample"]]

    def decode(self, z, condition=None) -> dict[str, np.ndarray]:
        """Returns the moments of p(x|z).

        Args:
            z: Floats `[batch, latent_size]`.
            condition: As of `encode`.

        Returns:
            Dict of output name to float32 array: `mean` `[batch, *event_shape]`, and `stddev`
            where the likelihood has one of its own.
        """
        return self.predict("decoder", "serving_default", named(condition, z=floats(z)))

    def generate(self, seed, condition=None) -> dict[str, np.ndarray]:
        """Draws new examples, each from its own seed alone.

        Args:
            seed: int32 `[batch, 2]`; see `seeds`.
            condition: As of `encode`.

        Returns:
            Dict of `z` `[batch, latent_size]`, and `mean` and `x` `[batch, *event_shape]`.
        """
        return self.predict("decoder", "generate", named(condition, seed=checked_seeds(seed)))

    def encode_image(self, images, condition=None) -> dict[str, np.ndarray]:
        """Returns the moments of q(z|x) of images, by an export with `--input uint8` or `png`.

        Args:
            images: uint8 `[batch, height, width, channels]`, or a list of PNG files as bytes.
            condition: As of `encode`.

        Returns:
            As `encode`.

        Raises:
            ValueError: If the images are neither.
        """
        images = np.asarray(images)
        given = named(condition, **{image_name(images): images})
        return self.predict("encoder", "encode_image", given)

    def decode_image(self, z, condition=None) -> np.ndarray:
        """Returns the mean of p(x|z) as images, by an export with `--input uint8` or `png`.

        Args:
            z: Floats `[batch, latent_size]`.
            condition: As of `encode`.

        Returns:
            uint8 `[batch, height, width, channels]`, or PNG files as bytes, `[batch]`.
        """
        given = named(condition, z=floats(z))
        (images,) = self.predict("decoder", "decode_image", given).values()
        return images if images.dtype.kind == "S" else images.astype(np.uint8)

    def predict(self, part, signature, inputs) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
            part: "encoder" or "decoder".
            signature: Name of the signature.
            inputs: Dict of input name to array of floats, integers or bytes.

        Returns:
            Dict of output name to array.

        Raises:
            ValueError: If an input is none, or holds integers beyond 32 bits.
            UnavailableError: If the server can't be reached or isn't ready, after the retries.
            ServingError: If it refuses the request, fails, or takes too long.
        """
        return self._persistently(
            self._transport.predict,
            *(self._names.get(part, part), self._which, signature, typed(inputs)),
            _SINGLE.get((part, signature), "output"),
        )

    def states(self, part) -> dict[int, str]:
        """Returns the state of each version that the server knows, such as {3: "AVAILABLE"}.

        Args:
            part: "encoder" or "decoder".

        Raises:
            ServingError: As `predict`.
        """
        return self._persistently(self._transport.states, self._names.get(part, part))

    def signatures(self, part) -> dict[str, dict]:
        """Returns what each signature takes and gives, as the server tells it.

        Args:
            part: "encoder" or "decoder".

        Returns:
            Dict of signature to a dict of "inputs" and "outputs", sorted lists of names.
        """
        name = self._names.get(part, part)
        return self._persistently(self._transport.signatures, name, self._which)

    def wait_until_available(self, part, version, seconds=60.0):
        """Waits until the server answers with a version.

        Args:
            part: "encoder" or "decoder".
            version: Int.
            seconds: How long to wait at most.

        Raises:
            UnavailableError: If the version isn't available by then.
        """
        end = time.monotonic() + seconds
        name = self._names.get(part, part)
        while True:
            try:
                states = self._transport.states(name)
                if states.get(version) == "AVAILABLE":
                    return
                seen = ", ".join(f"{v} is {s}" for v, s in sorted(states.items())) or "none"
            except ServingError as error:
                seen = str(error)
            if time.monotonic() >= end:
                raise UnavailableError(
                    f"Version {version} of `{name}` was not available within {seconds:g} s. "
                    f"Known of it: {seen.rstrip('.')}."
                )
            time.sleep(min(0.5, max(0.0, end - time.monotonic())))

    def _persistently(self, function, *arguments):
        """Calls a function again while the server is unavailable, with growing pauses."""
        for attempt in range(self._retries + 1):
            try:
                return function(*arguments)
            except UnavailableError:
                if attempt == self._retries:
                    raise
                time.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
        raise AssertionError("the last attempt returns or raises")


def _transport(url, timeout):
    """Returns what carries requests to an address."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme in ("http", "https") and parts.netloc:
        from tfvae.serving.rest import Rest

        return Rest(url, timeout)
    if parts.scheme in ("grpc", "grpcs") and parts.netloc:
        from tfvae.serving.rpc import Rpc

        return Rpc(parts.netloc, timeout, secure=parts.scheme == "grpcs")
    raise ValueError(
        f"The address of a server is http://HOST:8501 for REST or grpc://HOST:8500 for gRPC. "
        f"Received {url!r}."
    )
