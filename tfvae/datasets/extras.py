"""Packages that only some sources need."""

import importlib


def load(module, extra):
    """Imports a module of a package that may not be installed.

    Args:
        module: Its dotted name.
        extra: Name of the extra of this project that brings the package.

    Raises:
        OSError: If the package is not there.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise OSError(
            f"This data set needs a package that is not installed ({error}). Install it with "
            f"`pip install 'tfvae[{extra}]'`."
        ) from error
