"""How many latents carry something, while a model learns."""

from typing import Any

import keras

from tfvae.distributions import kl_terms
from tfvae.evaluation.activity import activity
from tfvae.evaluation.collapse import active, alarm


class ActiveLatents(keras.callbacks.Callback):
    """Counts the active latents of one validation batch after each epoch.

        number of i with Var_x( E[z_i|x] ) > 0.01

    A curve, `active_latents`, that falls to zero shows a posterior that collapses while there is
    time to do something. If most are idle after a quarter of the epochs, it is said once, with what
    to try. It stands before the callbacks that write the logs of an epoch.

    Args:
        validation: `tf.data.Dataset` of float32 `[batch, *event_shape]`, or of pairs of them and
            their condition, of which the first batch is looked at.
        epochs: Number of the last epoch, at the end of which the evaluation says it.
        say: Prints a text.
    """

    def __init__(self, validation, epochs, say=print):
        super().__init__()
        self._validation, self._say = validation, say
        self._epochs = epochs
        self._x: Any = None

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        if self._x is None:
            self._x = next(iter(self._validation))
        model, x = self.model.bind(self._x)
        posterior = model.posterior(x)
        found = activity(posterior.mean().numpy())
        logs["val_active_latents"] = int(active(found).sum())
        done = epoch + 1
        if done == -(-self._epochs // 4) < self._epochs and model.posterior_layer.has_density:
            text = alarm(found, independent=kl_terms(posterior, model.prior()) is not None)
            if text:
                self._say(f"After epoch {done}: {text}")
