"""The range of numbers: what still fits, and what to say when something did not."""

import numpy as np

# Numbers stay this far below the largest of their dtype: as many rows may add their share.
_ROWS = 2.0**40


def check_fits(name, value, dtype):
    """Refuse a hyper-parameter too large for weights of ``dtype``."""
    top = float(np.finfo(dtype).max) / _ROWS
    if value > top:
        raise ValueError(
            f"{name}={value:g} is out of range: with {np.dtype(dtype)} data it may be at most "
            f"{top:.0e}."
        )


def least_eps(dtype):
    """Too small to change any step, but it makes 0 / 0 a step of 0."""
    return float(np.finfo(dtype).smallest_subnormal) ** 0.45


def largest_slope(dtype, lr, peak):
    """The largest slope whose gradients, by values up to ``peak``, can be learnt.

    The squares of as many gradients must fit, and one gradient times ``lr``.
    """
    top = float(np.finfo(dtype).max)
    return min((top / _ROWS) ** 0.5, top / (2.0 * max(lr, 1.0))) / max(peak, 1.0)


def divergence(problem, row, lr):
    """The error for a ``row`` whose score or slope is out of range, with its remedy."""
    rows = problem.rows
    values = np.abs(rows.values[rows.indptr[row] : rows.indptr[row + 1]].astype(np.float64))
    said = (
        f"Training diverged: the score or the gradient of row {row} is out of range for "
        f"{rows.values.dtype}."
    )
    if values.max(initial=0.0) > 1e6:
        return FloatingPointError(
            f"{said} That row has a value of {values.max():.2g}: scale the features, for "
            "instance with sklearn.preprocessing.MaxAbsScaler."
        )
    # A row moves each of its weights by at most lr, and so its own score by at most lr times
    # the sum of its magnitudes: that should not exceed what is to be predicted.
    aim = max(float(np.abs(target).max()) for target in problem.targets)
    return FloatingPointError(
        f"{said} lr={lr:g} is too large: at most {aim / (values.sum() + 1.0):.2g} is safe with "
        "such rows. Or scale y."
    )
