"""Packages that only some parts need."""

from importlib import import_module


def optional(module):
    """The module, or an ImportError that says how to install its package."""
    package = module.split(".")[0]
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"This is done by {package}, which is not installed: python -m pip install {package}"
        ) from error
