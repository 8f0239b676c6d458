"""The loop: score a row, note its loss, learn it."""

from typing import NamedTuple

import numpy as np

from ._jit import compiled
from .lanes import gather, load, prefetch, read, scatter, total, width, write, zeros
from .losses import gradient, value
from .rules import update, weight


class State(NamedTuple):
    """All that one head remembers. ``cells`` and ``intercept`` hold a rule's records.

    ``totals`` is one record: the clock ``t`` (rows learnt), the weighted sum of the losses
    of all rows just before each was learnt, and the sum of the weights.
    """

    cells: np.ndarray
    intercept: np.ndarray
    totals: np.ndarray


@compiled
def learn(rows, order, y, weights, loss, rule, state, fit_intercept, limit, ahead):
    """Learn ``rows`` in ``order``; a row of weight zero is passed over as if it were not there.

    Each row is scored and its loss added to the totals *before* it is learnt. While its
    slope is worked out, the records of the row ``ahead`` positions later are fetched: the
    processor would otherwise wait for both, one after the other.

    Returns how many positions of ``order`` were done: fewer than all if a slope is not a
    number or larger than ``limit``, in which case that row was not learnt.
    """
    indptr, indices, values = rows
    cells, step = state.cells, width(values)
    totals = state.totals[0]
    t, losses, mass = totals.t, totals.loss, totals.weight
    done = len(order)
    for p in range(len(order)):
        i = order[p]
        if weights[i] == 0:
            continue
        start, stop = np.uintp(indptr[i]), np.uintp(indptr[i + 1])
        intercept = read(rule, state.intercept, 0)
        sums = zeros(values)
        for k in range(start, stop, step):
            j = load(indices, k, stop - k, values)
            record = gather(rule, cells, j, stop - k)
            sums += weight(rule, record, t) * load(values, k, stop - k, values)
        score = np.float64(total(sums)) + np.float64(weight(rule, intercept, t))
        slope = weights[i] * gradient(loss, y[i], score)

        later = order[min(p + ahead, len(order) - 1)]
        for k in range(np.uintp(indptr[later]), np.uintp(indptr[later + 1])):
            prefetch(cells, indices[k])

        if not abs(slope) <= limit:
            done = p
            break
        losses += weights[i] * value(loss, y[i], score)
        mass += weights[i]
        t += 1
        if slope == 0:
            continue
        pull = values.dtype.type(slope)
        if fit_intercept:
            write(state.intercept, 0, update(rule, intercept, pull, t))
        for k in range(start, stop, step):
            j = load(indices, k, stop - k, values)
            record = gather(rule, cells, j, stop - k)
            g = pull * load(values, k, stop - k, values)
            scatter(cells, j, update(rule, record, g, t), stop - k)
    totals.t, totals.loss, totals.weight = t, losses, mass
    return done


@compiled
def score(rows, rule, state, out):
    """Write the score of every row into ``out``."""
    indptr, indices, values = rows
    step, t = width(values), state.totals[0].t
    intercept = np.float64(weight(rule, read(rule, state.intercept, 0), t))
    for i in range(len(indptr) - 1):
        start, stop = np.uintp(indptr[i]), np.uintp(indptr[i + 1])
        sums = zeros(values)
        for k in range(start, stop, step):
            record = gather(rule, state.cells, load(indices, k, stop - k, values), stop - k)
            sums += weight(rule, record, t) * load(values, k, stop - k, values)
        out[i] = np.float64(total(sums)) + intercept


@compiled
def mean_loss(loss, y, scores, weights):
    """The weighted mean of the losses."""
    losses, mass = 0.0, 0.0
    for i in range(len(y)):
        if weights[i] != 0:
            losses += weights[i] * value(loss, y[i], scores[i])
            mass += weights[i]
    return losses / mass
