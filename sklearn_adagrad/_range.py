"""The range of numbers: what still fits, and what to say when something did not."""

import numpy as np

# Numbers stay this far below the largest of their dtype: as many rows may add their share.
_ROWS = 2.0**40

# Beyond this, a number in the data is more likely to blame than lr.
_HUGE = 1e9


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


def divergence(problem, row, lr, loss):
    """The error for a ``row`` whose score or gradient is out of range, with its remedy."""
    rows = problem.rows
    values = np.abs(rows.values[rows.indptr[row] : rows.indptr[row + 1]].astype(np.float64))
    sizes = problem.targets.sizes()
    target = float(sizes[row])
    said = (
        f"Training diverged: the score or a gradient of row {row} is out of range for "
        f"{rows.values.dtype}."
    )
    for size, what, remedy in (
        (values.max(initial=0.0), "a value", "scale the features, for instance with "
         "sklearn.preprocessing.MaxAbsScaler"),
        (target, "a target y", "scale y"),
        (float(problem.weights[row]), "a sample_weight", "scale the weights to a mean of 1"),
    ):  # fmt: skip
        if size > _HUGE:
            return FloatingPointError(f"{said} It has {what} of {size:.2g}: {remedy}.")
    # A row moves each of its weights by at most lr, and so its own score by at most lr times
    # the sum of its magnitudes: that should not exceed what is to be predicted.
    aim = max(1.0, float(sizes.max()))
    if hasattr(loss, "prediction"):
        aim = max(1.0, np.log(aim))  # scores are on the other side of the link
    safe = aim / (values.sum() + 1.0)
    if lr > safe:
        return FloatingPointError(
            f"{said} lr={lr:g} is too large: at most {safe:.2g} is safe with such rows."
        )
    return FloatingPointError(
        f"{said} Its largest value is {values.max(initial=0.0):.2g} and its target {target:.2g}: "
        "scale the features and y."
    )
