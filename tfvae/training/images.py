"""Pictures in TensorBoard: how reconstructions and samples change while a model learns."""

import keras

from tfvae import components
from tfvae.figures.base import Figure

# The slider of TensorBoard gets about this many places, however long the run is.
_NUM_PICTURES = 20
_FIGURES = {"reconstructions": "validation", "samples": "train"}


class Images(keras.callbacks.Callback):
    """Writes reconstructions of fixed examples and samples from fixed codes.

    Args:
        dataset: The `Dataset` that is trained on; its validation split is shown.
        curves: The `Curves` that owns the TensorBoard files.
        epochs: Number of the last epoch.
    """

    def __init__(self, dataset, curves, epochs):
        super().__init__()
        self._epochs = epochs
        self._dataset = dataset
        self._curves = curves
        self._figures = {name: components.build(Figure, name) for name in _FIGURES}

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102 - Keras's hook
        del logs
        epochs = self._epochs
        if (epoch + 1) % max(1, epochs // _NUM_PICTURES) and epoch + 1 != epochs:
            return
        for name, figure in self._figures.items():
            if figure.applies_to(self.model, self._dataset):
                picture = figure.render(self.model, self._dataset, split="validation")
                self._curves.write_images(_FIGURES[name], {name: picture})
