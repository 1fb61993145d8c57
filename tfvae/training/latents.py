"""How many latents carry something, while a model learns."""

from typing import Any

import keras

from tfvae.evaluation.activity import activity
from tfvae.evaluation.collapse import active


class ActiveLatents(keras.callbacks.Callback):
    """Counts the active latents of one validation batch after each epoch.

        number of i with Var_x( E[z_i|x] ) > 0.01

    A curve, `active_latents`, that falls to zero shows a posterior that collapses while there is
    time to do something. It stands before the callbacks that write the logs of an epoch.

    Args:
        validation: `tf.data.Dataset` of float32 `[batch, *event_shape]`, or of pairs of them and
            their condition, of which the first batch is looked at.
    """

    def __init__(self, validation):
        super().__init__()
        self._validation = validation
        self._x: Any = None

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        del epoch
        if self._x is None:
            self._x = next(iter(self._validation))
        model, x = self.model.bind(self._x)
        means = model.posterior(x).mean().numpy()
        logs["val_active_latents"] = int(active(activity(means)).sum())
