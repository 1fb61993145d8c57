"""When two outputs count as the same: the tolerances of verification and of golden answers.

Of PNG files it is the pixels that count: libraries pack them in ways of their own. Needs NumPy
alone, and pillow for such files.
"""

import io

from tfvae.lazy import numpy as np

# Both sides sum some hundred to thousand float32 products in orders of their own: about 1e-6 of
# the largest value. A wrong weight, input or seed is off by more than 1e-1 of it. The absolute
# part is for outputs near zero, whose summands are of order 1.
RELATIVE = 1e-4
ABSOLUTE = 1e-5

# A draw of a discrete variable flips where the uniform number lies within rounding of its
# threshold, about one in a million. A draw with another seed differs in more than one in a hundred.
FLIPS = 1e-3


def difference(expected, given):
    """Returns what is wrong with the outputs of a signature as text, or None.

    Args:
        expected: Dict of output name to array.
        given: The same of the program that is checked; "!error" holds the message of a failure.
    """
    if "!error" in given:
        return f"it fails. {given['!error']}"
    if given.keys() != expected.keys():
        return f"it gives {', '.join(given) or 'nothing'} instead of {', '.join(expected)}."
    for name, want in expected.items():
        wrong = compare(want, given[name])
        if wrong:
            return f"output `{name}` {wrong}"
    return None


def compare(want, have):
    """Returns how an output differs from the model's as text, or None where it agrees."""
    if want.dtype.kind == have.dtype.kind == "S":
        want, have = _pixels(want), _pixels(have)
    if have.dtype != want.dtype or have.shape != want.shape:
        return f"is {have.dtype}{list(have.shape)} instead of {want.dtype}{list(want.shape)}."
    if not np.all(np.isfinite(want)):
        return "of the model itself holds values that are not finite. Train it again."
    error = np.abs(have.astype(np.float64) - want)
    allowed = ABSOLUTE + RELATIVE * np.max(np.abs(want), initial=0.0)
    num_wrong = int(np.sum(~(error <= allowed)))  # NaN counts as wrong
    if num_wrong <= _num_flips(want):
        return None
    relative = np.max(error) / max(np.max(np.abs(want)), np.finfo(np.float32).tiny)
    return (
        f"differs in {num_wrong} of {want.size} elements, by at most {np.max(error):.3g} "
        f"({relative:.2g} of the largest value; {allowed:.2g} is allowed)."
    )


def _num_flips(want):
    """Returns how many elements of a discrete draw may differ; none of a continuous output."""
    discrete = np.array_equal(want, np.round(want))
    return 1 + int(FLIPS * want.size) if discrete else 0


def _pixels(files):
    """Returns the pixels of PNG files, uint8 `[num, height, width]` and perhaps channels.

    Of files that are none, or that differ in size, there is nothing to compare: an empty array.
    """
    from PIL import Image

    try:
        return np.stack([np.asarray(Image.open(io.BytesIO(content))) for content in files])
    except (OSError, ValueError):
        return np.zeros([len(files), 0], np.uint8)
