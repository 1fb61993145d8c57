"""What distributions report of their parameters, such as a bound that is hit: never in silence."""

from typing import Any

import keras

from tfvae import batches

#: What each report means for a user, and what to do.
_REMEDIES = {
    "variance_at_floor": (
        "at the floor of the variance, where it has no gradient. A larger `floor`, "
        "`variance='exp'` or a smaller `--learning-rate` avoids it"
    ),
}


class Reports(keras.callbacks.Callback):
    """Asks q(z|x) and p(x|z) of one validation batch what there is to report, after each epoch.

    Shares become curves named `posterior_NAME` and `likelihood_NAME`; those above zero are printed.
    It stands before the callbacks that write the logs of an epoch.

    Args:
        validation: `tf.data.Dataset` of float32 `[batch, *event_shape]`, or of pairs of them and
            their conditions, of which the first batch is asked.
    """

    def __init__(self, validation):
        super().__init__()
        self._validation = validation
        self._batch: Any = None

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        shares = self._shares()
        for name, share in shares.items():
            logs[f"val_{name}"] = share
            if share > 0:
                role, _, report = name.partition("_")
                num = len(batches.examples(self._batch))
                print(
                    f"Epoch {epoch + 1}: {share:.2%} of what the {role} gives of {num} examples is "
                    f"{_REMEDIES.get(report, report)}."
                )

    def _shares(self):
        """Returns the share of the elements by name; nothing is computed if nothing reports."""
        model = self.model
        layers = {"posterior": model.posterior_layer, "likelihood": model.likelihood_layer}
        if not any(layer.has_reports for layer in layers.values()):
            return {}
        if self._batch is None:
            self._batch = next(iter(self._validation))
        given, x = model.bind(self._batch)
        params = {"posterior": given.encode(given.seen(x))}
        z = model.posterior_layer(params["posterior"]).mean()
        params["likelihood"] = given.decode(z)
        return {
            f"{role}_{name}": float(share)
            for role, layer in layers.items()
            if layer.has_reports
            for name, share in layer.reports(params[role]).items()
        }
