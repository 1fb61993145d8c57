"""NumPy for modules that programs load before they know their command: imported when first used.

`--help` and a mistyped option do without it, and answer in half the time.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    import numpy
else:

    class _NumPy:
        """Stands for the package until one of its names is asked for."""

        def __getattr__(self, name):
            return getattr(importlib.import_module("numpy"), name)

    numpy = _NumPy()

__all__ = ["numpy"]
