"""Sums over rows, in the order of the rows: it makes no difference where a stream is cut."""

import numpy as np

from ..arithmetic.arrays import load_lanes, store
from ..arithmetic.elementary import exp, log1p
from ..arithmetic.jit import compiled
from ..arithmetic.lanes import where

BINS = 2**14  # for scores: they are the finer, the nearer to zero


@compiled
def judge_log_odds(log_odds, positive, chances, losses):
    """The probability and the log loss of each row. All lengths are multiples of four."""
    for i in range(0, len(log_odds), 4):
        score, y = load_lanes(log_odds, i, 4), load_lanes(positive, i, 4)
        e = exp(0.0 - abs(score))
        store(chances, i, where(score > 0.0, 0.0 * e + 1.0, e) / (1.0 + e))
        z = where(y > 0.0, score, 0.0 - score)
        store(losses, i, log1p(e) + where(z < 0.0, 0.0 - z, 0.0 * z))


@compiled
def add_scores(scores, positive, weights, first, last, histogram):
    """Add the weight of each row to the bin of its score: ``histogram`` has a row for each label.

    A bin is an interval of ``score / (1 + abs(score))``.
    """
    half = 0.5 * (histogram.shape[1] - 1)
    for i in range(np.uintp(first), np.uintp(last)):
        place = scores[i] / (1.0 + abs(scores[i])) if abs(scores[i]) < np.inf else 0.0
        n = np.uintp(half * (1.0 + place))
        histogram[np.uintp(positive[i] > 0.0), n] += weights[i]


@compiled
def add_rows(columns, first, last, sums):
    """Add the entries ``first`` to ``last`` of each of ``columns`` to its sum."""
    for n in range(len(sums)):
        total = sums[n]
        for i in range(np.uintp(first), np.uintp(last)):
            total += columns[n, i]
        sums[n] = total
