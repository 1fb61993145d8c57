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
        conditions: The values of their condition, for a conditional model.
    """

    vae: Any
    tensorflow: Any
    name: str = ""
    described: dict = dataclasses.field(default_factory=dict)
    examples: np.ndarray | None = None
    conditions: Any = None

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
        rows, vae = self.rows(), self.given()
        seeds = noise.row_seeds(noise.seed_of(Stream.SAMPLE, 0), len(rows))
        posterior = vae.posterior_layer.sample(vae.encode(vae.seen(self.x())), seeds)
        return np.concatenate([vae.sample_codes(seeds), posterior]).astype(np.float32)

    def known(self, num):
        """Returns the conditions of `rows`, repeated up to a number of rows."""
        values = self.conditions[: len(self.rows())]
        return np.concatenate([values] * (num // len(values)))

    def given(self):
        """Returns the model, given the conditions of `rows` if it is conditional."""
        if self.vae.condition is None:
            return self.vae
        if self.conditions is None:
            raise ExportError(
                "This format is measured on data, and the model is conditional. Give the "
                "conditions of the rows too: `Provenance(examples=x, conditions=c)`."
            )
        return self.vae.given(self.known(len(self.rows())))

    def x(self):
        """Returns the examples of `rows`."""
        rows = tf.constant(self.rows())
        return rows if self.vae.transform is None else self.vae.transform.encode(rows)
