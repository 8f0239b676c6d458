"""The range of numbers: how large hyper-parameters and gradients may be."""

import numpy as np

# Numbers stay this far below the largest of their dtype: as many rows may add their share.
_ROWS = 2.0**40


def largest(dtype):
    """The largest hyper-parameter."""
    return float(np.finfo(dtype).max) / _ROWS


def check_fits(name, value, dtype):
    """Refuse a hyper-parameter that is negative, not finite or too large for ``dtype``."""
    top = largest(dtype)
    if not value >= 0:
        raise ValueError(f"{name}={value:g} is out of range: it must be at least 0.")
    if value > top:
        raise ValueError(
            f"{name}={value:g} is out of range: with {np.dtype(dtype)} data it may be at most "
            f"{top:.0e}."
        )


def least_eps(dtype, lr):
    """Too small to change any step, but it makes 0 / 0 a step of 0.

    It is not below the root of the smallest square of a gradient that is not taken for zero, and
    ``lr`` can be divided by it.
    """
    info = np.finfo(dtype)
    smallest = max(float(info.smallest_subnormal) ** 0.45, 1.1 * float(info.tiny) ** 0.5)
    return max(smallest, 2.0 * lr / float(info.max))


def largest_gradient(dtype, lr):
    """The largest gradient that can be learnt: its square must fit, and itself times ``lr``."""
    top = float(np.finfo(dtype).max)
    return min((top / _ROWS) ** 0.5, top / (2.0 * max(lr, 1.0)))
