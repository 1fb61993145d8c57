"""The small digits of scikit-learn."""

import numpy as np

from tfvae.datasets import extras, values
from tfvae.datasets.parts import Part
from tfvae.datasets.stored import StoredDataset, check_options


class Digits(StoredDataset, name="digits"):
    """1,797 handwritten digits of 8 x 8 from scikit-learn, for runs of seconds.

    17 grey levels, divided by 16. Needs scikit-learn: `pip install 'tfvae[data]'`.

    Args:
        binarize: 'none', 'threshold', 'static' or 'dynamic'.
        validation: Fraction or number of the images to validate on.
        test: Fraction or number of the images to test on; None for 0.1, 0 for no test split.
        seed: Which images are set aside follows from it.

    Raises:
        ValueError: If an option is out of range.
        OSError: If scikit-learn is not installed.

    References:
        [1] Alpaydin and Kaynak. Optical recognition of handwritten digits. UCI, 1998.
            https://doi.org/10.24432/C50P49
    """

    def __init__(self, *, binarize="none", validation=0.1, test=None, seed=0):
        shares = check_options(validation, test, seed, binarize=binarize)
        bunch = extras.load("sklearn.datasets", "data").load_digits()
        images = values.stored(bunch.images.astype(np.uint8), 16)[..., np.newaxis]
        part = Part(images, bunch.target.astype(np.int64), "The data set `digits`")
        note = "The data set `digits`: levels of 0 to 16 were divided by 16."
        self._divide({"train": part}, shares, binarize=binarize, notes=[note])
