"""One thread, one head after the other."""

import numpy as np

from ..kernels import learn as kernels
from ..kernels._jit import variant

# How far ahead records are fetched: far enough to hide the trip to memory, near enough
# for the first-level cache.
_ENTRIES_AHEAD = 160


def learn(rows, order, targets, weights, loss, rule, heads, *, fit_intercept, limit):
    """Learn ``rows`` in ``order`` with every head.

    Returns None, or the row at which a score or slope left the range of numbers.
    """
    kernel = variant(kernels.learn, loss, rule)
    ahead = max(1, _ENTRIES_AHEAD * len(weights) // max(1, len(rows.indices)))
    for target, state in zip(targets, heads, strict=True):
        done = kernel(rows, order, target, weights, loss, rule, state, fit_intercept, limit, ahead)
        if done < len(order):
            return order[done]
    return None


def scores(rows, rule, heads):
    """Scores of all rows, of shape (n_rows, n_heads)."""
    out = np.empty((len(heads), len(rows.indptr) - 1))
    kernel = variant(kernels.score, rule)
    for head, state in enumerate(heads):
        kernel(rows, rule, state, out[head])
    return out.T


def mean_loss(rows, targets, weights, loss, rule, heads):
    """Weighted mean over the rows of the losses, summed over the heads."""
    kernel = variant(kernels.mean_loss, loss)
    by_head = zip(targets, scores(rows, rule, heads).T, strict=True)
    return sum(kernel(loss, target, score, weights) for target, score in by_head)
