"""Packages that only some parts need."""

from importlib import import_module


def optional(module, extra=None):
    """The module, or an ImportError that says how to install its package, or what it belongs to."""
    package = module.split(".")[0]
    wanted = f'"sklearn-adagrad[{extra}]"' if extra else package
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"This is done by {package}, which is not installed: python -m pip install {wanted}"
        ) from error
