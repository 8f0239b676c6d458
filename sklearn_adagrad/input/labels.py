"""Labels that are no labels: missing ones, and bytes."""

from numbers import Real

import numpy as np

_MISSING = ("NAType", "NaTType")  # of pandas, which need not be there


def refuse_missing(y, name):
    """Refuse labels that are missing, or bytes, with a ValueError that names the row."""
    if y.ndim != 1 or y.dtype.kind not in "OSM":
        return
    for row, label in enumerate(y):
        unequal = isinstance(label, Real | np.datetime64) and label != label
        if label is None or unequal or type(label).__name__ in _MISSING:
            raise ValueError(f"{name}[{row}] = {shown(label)} is missing: drop or label that row.")
        if isinstance(label, bytes):
            raise ValueError(f"{name}[{row}] = {shown(label)} is bytes: decode the labels to str.")


def shown(value):
    """A number or a text, not the NumPy type that holds it."""
    return repr(value.item() if isinstance(value, np.generic) else value)
