"""One thread, one head after the other."""

import numpy as np

from ..kernels import learn as kernels
from ..kernels._jit import variant

# How far ahead records are fetched: far enough to hide the trip to memory, near enough
# for the first-level cache. Models that a second-level cache holds have no need of it.
_ENTRIES_AHEAD = 160
_CACHE = 2**20


def learn(rows, order, targets, weights, loss, rule, heads, *, fit_intercept, limit):
    """Learn ``rows`` in ``order`` with every head.

    Returns None, or the row at which a score or slope left the range of numbers.
    """
    kernel = variant(kernels.learn, loss, rule)
    ahead = _rows_ahead(rows, heads)
    for target, state in zip(targets, heads, strict=True):
        done = kernel(rows, order, target, weights, loss, rule, state, fit_intercept, limit, ahead)
        if done < len(order):
            return order[done]
    return None


def scores(rows, bits, n_features, rule, heads):
    """Scores of all rows, of shape (n_rows, n_heads), and the ``Verdict`` on the rows."""
    out = np.empty((len(heads), len(rows.indptr) - 1))
    kernel, ahead = variant(kernels.score, rule), _rows_ahead(rows, heads)
    for state, scores in zip(heads, out, strict=True):
        verdict = kernel(rows, bits, n_features, rule, state, ahead, scores)
    return out.T, verdict


def mean_loss(scores, targets, weights, loss):
    """Weighted mean over the rows of the losses, summed over the heads."""
    kernel = variant(kernels.mean_loss, loss)
    pairs = zip(scores.T, targets, strict=True)
    return sum(kernel(loss, target, score, weights) for score, target in pairs)


def _rows_ahead(rows, heads):
    if heads[0].cells.nbytes <= _CACHE:
        return 0
    return max(1, _ENTRIES_AHEAD * (len(rows.indptr) - 1) // max(1, len(rows.indices)))
