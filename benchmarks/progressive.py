"""Every row is predicted before it is learnt: chunk by chunk, the same chunks for all learners."""

import numpy as np
from sklearn.base import clone

CHUNKS, BINS = 200, 15
GROWTH = 1.5
LEAST = 5  # rows of each class, for as many folds


def chunks(rows):
    """``CHUNKS`` slices of nearly the same length."""
    ends = np.linspace(0, rows, CHUNKS + 1).astype(int)
    return list(map(slice, ends[:-1], ends[1:]))


def learning(model, X, y, parts):
    """Chances of the positive class by a model that learns chunk by chunk; 1/2 in the first one."""
    found = np.full(len(y), 0.5)
    for part in parts:
        if part.start:
            found[part] = model.predict_proba(X[part])[:, 1]
        model.partial_fit(X[part], y[part], classes=[0, 1])
    return found


def refitted(model, X, y, parts):
    """The same by a model that is fitted anew when the rows are ``GROWTH`` times as many."""
    found, known, fitted = np.full(len(y), 0.5), 0, None
    for part in parts:
        n = part.start
        if n >= GROWTH * known and np.bincount(y[:n], minlength=2).min() >= LEAST:
            fitted, known = clone(model).fit(X[:n], y[:n]), n
        if fitted is not None:
            found[part] = fitted.predict_proba(X[part])[:, 1]
    return found


def calibration_error(y, chances):
    """Mean distance of chances from shares of positives, in ``BINS`` bins of equally many rows."""
    bins = np.array_split(np.argsort(chances, kind="stable"), BINS)
    return sum(abs(float(np.sum(chances[each] - y[each]))) for each in bins) / len(y)
