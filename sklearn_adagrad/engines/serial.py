"""One thread, one head after the other."""

import numpy as np

from ..kernels import learn as kernels
from ..kernels._jit import read_only, variant
from ..kernels.lanes import SIZE
from ..kernels.rules import settles

# How many entries ahead memory is asked for entries and records: far enough to hide the
# trip there, near enough for the first-level cache. A model that a second-level cache holds
# need not be asked for.
_ENTRIES_AHEAD, _RECORDS_AHEAD = 480, 160
_CACHE = 2**20


def learn(rows, order, targets, weights, loss, bound, heads, *, fit_intercept, limit, peak):
    """Learn ``rows`` in ``order`` with every head.

    Returns None, or the first row whose score or gradient left the range of numbers for some
    head. All heads have learnt the rows before it.
    """
    rule, settings = bound.rule, bound.settings
    kernel = variant(kernels.learn, loss, rule)
    ahead, kept = _ahead(rows, heads), _kept(rows, bound)
    first = len(order)
    weights = read_only(weights)
    for target, state in zip(targets, heads, strict=True):
        y = read_only(target)
        done = kernel(
            rows, order, y, weights, loss, rule, settings, state, fit_intercept, limit, peak,
            ahead, kept,
        )  # fmt: skip
        first = min(first, done)
    return order[first] if first < len(order) else None


def scores(rows, bits, n_features, bound, heads):
    """Scores of all rows, of shape (n_rows, n_heads), and the ``Verdict`` on the rows."""
    out = np.empty((len(heads), len(rows.indptr) - 1))
    rule = bound.reading
    kernel, ahead, kept = (
        variant(kernels.score, rule),
        _ahead(rows, heads),
        np.empty(0, rows.values.dtype),
    )
    for state, scores in zip(heads, out, strict=True):
        state = kernels.State(*map(read_only, state))
        verdict = kernel(rows, bits, n_features, rule, bound.settings, state, ahead, kept, scores)
    return out.T, verdict


def mean_loss(scores, targets, weights, loss):
    """Weighted mean over the rows of the losses, summed over the heads."""
    kernel = variant(kernels.mean_loss, loss)
    pairs = zip(scores.T, targets, strict=True)
    weights = read_only(weights)
    return sum(kernel(loss, read_only(target), score, weights) for score, target in pairs)


def _ahead(rows, heads):
    """The same in rows, by their mean length."""
    length = max(1, len(rows.indices) // (len(rows.indptr) - 1))
    small = heads[0].cells.nbytes <= _CACHE
    return kernels.Ahead(1 + _ENTRIES_AHEAD // length, 0 if small else 1 + _RECORDS_AHEAD // length)


def _kept(rows, bound):
    """Room for the records of the longest row, if the rule needs it."""
    longest = int(np.diff(rows.indptr).max(initial=0)) + SIZE if settles(bound.rule) else 0
    return np.empty(longest * len(bound.start), rows.values.dtype)
