"""What an exporter works with, besides the endpoints."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import noise
from tfvae.exporters.base import ExportError
from tfvae.noise import Stream

_NUM_ROWS = 256  # representative of the data: more change the ranges of int8 little


@dataclasses.dataclass(frozen=True)
class Materials:
    """What an exporter works with, besides the endpoints.

    Attributes:
        vae: The model.
        tensorflow: A `Fresh` process with TensorFlow, for formats that are converted.
        name: Name of the export.
        described: What `contract.describe` says of inputs and outputs.
        examples: Rows of data as they came, `[num, *row_shape]`, or None.
    """

    vae: Any
    tensorflow: Any
    name: str = ""
    described: dict = dataclasses.field(default_factory=dict)
    examples: np.ndarray | None = None

    def rows(self):
        """Returns representative rows of data, float32.

        Raises:
            ExportError: If there are none.
        """
        if self.examples is None or len(self.examples) == 0:
            raise ExportError(
                "This format is calibrated and measured on data. Give some rows: "
                "`tfvae.export(vae, directory, formats, provenance=Provenance(examples=x))`."
            )
        return np.asarray(self.examples[:_NUM_ROWS], np.float32)

    def codes(self):
        """Returns representative codes: half from the prior, half from the posterior of `rows`."""
        rows = self.rows()
        seeds = noise.row_seeds(noise.seed_of(Stream.SAMPLE, 0), len(rows))
        drawn = self.vae.prior_layer.sample(seeds, self.vae.posterior)
        seen = self.vae.seen(self.x())
        posterior = self.vae.posterior_layer.sample(self.vae.encoder(seen), seeds)
        return np.concatenate([drawn, posterior]).astype(np.float32)

    def x(self):
        """Returns the examples of `rows`."""
        rows = tf.constant(self.rows())
        return rows if self.vae.transform is None else self.vae.transform.encode(rows)
