"""Guards: training that has lost its numbers stops, and says where."""

import keras
import numpy as np
import tensorflow as tf

from tfvae import batches, noise
from tfvae.noise import Stream
from tfvae.training.keeper import NotFiniteError


class FiniteGuard(keras.callbacks.Callback):
    """Stops training at the first step whose loss or gradient isn't finite.

    The engine leaves such an update out, so the weights are still those of the last good step.

    Args:
        dataset: The `Dataset` that is trained on.
        batch_size: Examples a step.
        feed: What `feeding.make` returned.
        seed: Of the order of the data.
        keeper: The `Keeper` that writes the checkpoint of the last good step.
    """

    def __init__(self, dataset, batch_size, feed, seed, keeper):
        super().__init__()
        self._dataset, self._batch_size, self._seed = dataset, batch_size, seed
        self._feed, self._keeper = feed, keeper

    def on_train_batch_end(self, batch, logs=None):  # noqa: D102 - Keras's hook
        del batch
        if not np.isfinite(float(logs["loss"])):
            batch = self._keeper.save_good_steps()
            position = self._keeper.position
            raise NotFiniteError(self._diagnosis(position.epoch, batch, position.steps))

    def _diagnosis(self, epoch, batch, step):
        # The data set counts an epoch's short last batch, which several devices leave out.
        start = epoch * self._dataset.steps_per_epoch(self._batch_size) + batch
        block = next(iter(self._dataset.blocks(self._batch_size, 1, self._seed, start)))
        model = self.model
        pair = batches.each(lambda part: part[0], block)
        model, x = model.bind(model.engine.prepared(pair, step, prepare=self._dataset.prepare))
        seeds = noise.row_seeds(noise.seed_of(model.seed, Stream.TRAIN, step), len(x))
        with tf.GradientTape() as tape:
            terms = model.terms(x, seeds, step, training=True)
            loss = -tf.reduce_mean(terms.bound)
        bad = [name for name, term in terms.metrics.items() if not _finite(term)]
        if not bad:
            gradients = tape.gradient(loss, model.trainable_variables)
            pairs = zip(model.trainable_variables, gradients, strict=True)
            bad = [f"gradient of {v.path}" for v, g in pairs if g is not None and not _finite(g)]
        with np.errstate(divide="ignore"):  # a point mass has none
            log_variance = 2 * np.log(model.posterior(x).stddev().numpy())
        return (
            f"Training lost its numbers at step {step} (epoch {epoch + 1}, batch {batch + 1}): "
            f"{', '.join(bad) or _last_suspect(loss)} not finite. The log-variances of q(z|x) lie "
            f"between {log_variance.min():.3g} and {log_variance.max():.3g}, the data between "
            f"{np.nanmin(x):.3g} and {np.nanmax(x):.3g}. Begin another run with a lower "
            f"`--learning-rate`, or with `--clip-norm 1`; the weights of the last good step are in "
            f"the newest checkpoint."
        )


def _last_suspect(loss):
    return "weights or state of the optimizer" if _finite(loss) else "loss"


def _finite(tensor):
    return bool(tf.reduce_all(tf.math.is_finite(tensor)))
