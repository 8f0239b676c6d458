"""What to say when a score or a gradient left the range of numbers."""

from itertools import pairwise

import numpy as np

from ..model.binding import AUTO

# Beyond this, a number in the data is more likely to blame than lr.
_HUGE = 1e9


def divergence(problem, row, values, lr, loss):
    """The error for a ``row`` of these ``values`` whose score or gradient is out of range."""
    dtype, values = values.dtype, np.abs(values.astype(np.float64))
    sizes = problem.targets.sizes()
    target = float(sizes[row])
    said = f"Training diverged: the score or a gradient of row {row} is out of range for {dtype}."
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
    if lr != AUTO and lr > safe:
        return FloatingPointError(
            f"{said} lr={lr:g} is too large: at most {safe:.2g} is safe with such rows."
        )
    return FloatingPointError(
        f"{said} Its largest value is {values.max(initial=0.0):.2g} and its target {target:.2g}: "
        "scale the features and y."
    )


def check_learnable(rows, max_abs, limit):
    """Refuse rows with values of which no gradient of the score of 1 can be learnt."""
    if max_abs > limit:
        place = int(np.flatnonzero(np.abs(rows.values) > limit)[0])
        row = int(np.searchsorted(rows.indptr, place, "right")) - 1
        raise FloatingPointError(
            f"Row {row} cannot be learnt in {rows.values.dtype}: it has a value of "
            f"{rows.values[place]:.2g}. Scale the features as those that were learnt."
        )


def scores_by_parts(rows, coef, intercept):
    """The scores of rows whose products or sums are beyond the range of their dtype."""
    scores = np.empty((len(rows.indptr) - 1, len(coef)))
    with np.errstate(over="ignore", under="ignore"):
        for i, (start, stop) in enumerate(pairwise(rows.indptr)):
            values = rows.values[start:stop].astype(np.longdouble)
            weights = coef[:, rows.indices[start:stop]].astype(np.longdouble)
            scores[i] = weights @ values + intercept[:, 0]
    return scores


def check_finite_scores(scores, numbers, rows):
    """Refuse scores that are beyond the range of float64."""
    for i, n in enumerate(numbers):
        if not np.isfinite(scores[i]).all():
            size = np.abs(rows.values[rows.indptr[n] : rows.indptr[n + 1]]).max(initial=0.0)
            raise FloatingPointError(
                f"The score of row {n} is beyond the range of float64: its largest value is "
                f"{size:.2g}. Scale the features as those that were learnt."
            )
