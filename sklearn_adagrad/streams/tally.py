"""Sums over rows, in the order of the rows: it makes no difference where a stream is cut."""

import numpy as np

from ..arithmetic.arrays import load_lanes, store
from ..arithmetic.elementary import exp, log1p
from ..arithmetic.jit import compiled, inlined
from ..arithmetic.lanes import where

BINS = 2**14  # for scores: they are the finer, the nearer to zero


@inlined
def _place(score):
    """Where a score is counted, from -1 to 1: the finer, the nearer to zero."""
    return score / (1.0 + abs(score))


@compiled
def add_log_odds(log_odds, positive, weights, room, sums, histogram):
    """Add rows to the sums of weights, of positive rows, of probabilities and of log losses.

    ``histogram`` has a row for each label. ``room`` is for four rows at a time: 20 numbers.
    """
    weight, share, predicted, lost = sums[0], sums[1], sums[2], sums[3]
    half = 0.5 * (histogram.shape[1] - 1)
    for begin in range(0, len(log_odds), 4):
        size = min(4, len(log_odds) - begin)
        for k in range(size):
            room[k] = log_odds[begin + k]
            room[4 + k] = 1.0 if positive[begin + k] else 0.0
        score, y = load_lanes(room, 0, 4), load_lanes(room, 4, 4)
        e = exp(0.0 - abs(score))
        store(room, 8, where(score > 0.0, 0.0 * e + 1.0, e) / (1.0 + e))
        z = where(y > 0.0, score, 0.0 - score)
        store(room, 12, log1p(e) + where(z < 0.0, 0.0 - z, 0.0 * z))
        store(room, 16, half * (1.0 + _place(score)))
        for k in range(size):
            own = weights[begin + k]
            weight += own
            share += own * room[4 + k]
            predicted += own * room[8 + k]
            lost += own * room[12 + k]
            place = room[16 + k] if room[16 + k] >= 0.0 else 0.0  # NaN would be anywhere
            histogram[np.uintp(room[4 + k]), np.uintp(place)] += own
    sums[0], sums[1], sums[2], sums[3] = weight, share, predicted, lost


@compiled
def add_scores(scores, positive, weights, histogram):
    """Add the weight of each row to the bin of its score and label."""
    half = 0.5 * (histogram.shape[1] - 1)
    for i in range(np.uintp(len(scores))):
        place = _place(scores[i]) if abs(scores[i]) < np.inf else 0.0
        histogram[np.uintp(positive[i] > 0.0), np.uintp(half * (1.0 + place))] += weights[i]


@compiled
def add_rows(columns, sums):
    """Add the entries of each of ``columns`` to its sum."""
    for n in range(len(sums)):
        total = sums[n]
        for i in range(np.uintp(columns.shape[1])):
            total += columns[n, i]
        sums[n] = total
