"""The loop: score a row, note its loss, learn it."""

from typing import NamedTuple

import numpy as np

from ._jit import compiled, inlined
from .lanes import WIDTH, load, total, zeros
from .losses import gradient, value
from .records import gather, prefetch, read, scatter, write
from .rows import BLOCK, Verdict, inspect_block, is_sound
from .rules import update, weight


class State(NamedTuple):
    """All that one head remembers. ``cells`` and ``intercept`` hold a rule's records.

    ``totals`` is one record: the clock ``t`` (rows learnt), the weighted sum of the losses
    of all rows just before each was learnt, the sum of the weights, and the last two once
    more for the epoch: as differences of large sums they would be inexact.
    """

    cells: np.ndarray
    intercept: np.ndarray
    totals: np.ndarray


class Ahead(NamedTuple):
    """How many rows ahead memory is asked for entries, and for records (0: not at all)."""

    rows: int
    records: int


@inlined
def _span(indptr, i):
    """Where row ``i`` begins, where its last full vector ends, and where it ends."""
    start, stop = np.uintp(indptr[i]), np.uintp(indptr[i + np.uintp(1)])
    return start, stop - (stop - start) % WIDTH, stop


@inlined
def _fetch_row(rows, i):
    """Ask for the entries of row ``i``."""
    start, _, stop = _span(rows.indptr, i)
    for k in range(start, stop, 8):
        prefetch(rows.indices, k)
        prefetch(rows.values, k)


@inlined
def _fetch_records(rows, cells, i):
    """Ask for the records of row ``i``."""
    start, _, stop = _span(rows.indptr, i)
    for k in range(start, stop):
        prefetch(cells, rows.indices[k])


@inlined
def _score(rows, rule, state, t, i):
    """The score of row ``i``."""
    _, indices, values = rows
    start, rest, stop = _span(rows.indptr, i)
    sums, last = zeros(values), values.dtype.type(0)
    for k in range(start, rest, WIDTH):
        record = gather(rule, state.cells, indices, k)
        sums += weight(rule, record, t) * load(values, k)
    for k in range(rest, stop):
        last += weight(rule, read(rule, state.cells, indices[k]), t) * values[k]
    intercept = weight(rule, read(rule, state.intercept, 0), t)
    return np.float64(total(sums) + last) + np.float64(intercept)


@inlined
def _update(rows, rule, cells, t, i, slope):
    """Learn row ``i``, whose score has the gradient ``slope``."""
    _, indices, values = rows
    start, rest, stop = _span(rows.indptr, i)
    for k in range(start, rest, WIDTH):
        record = gather(rule, cells, indices, k)
        scatter(cells, indices, k, update(rule, record, slope * load(values, k), t))
    for k in range(rest, stop):
        record = read(rule, cells, indices[k])
        write(cells, indices[k], update(rule, record, slope * values[k], t))


@inlined
def _peak(rows, i):
    """The largest magnitude in row ``i``, and of the intercept's 1."""
    start, _, stop = _span(rows.indptr, i)
    peak = 1.0
    for k in range(start, stop):
        peak = max(peak, np.float64(abs(rows.values[k])))
    return peak


@compiled
def learn(rows, order, y, weights, loss, rule, state, fit_intercept, limit, peak, ahead):
    """Learn ``rows`` in ``order``; a row of weight zero is passed over as if it were not there.

    Each row is scored and its loss added to the totals *before* it is learnt. While its
    slope is worked out, later rows and their records are fetched: the processor would
    otherwise wait for one after the other.

    ``peak`` is the largest magnitude in ``rows``. Returns how many positions of ``order`` were
    done: fewer than all if a row's score is not finite or one of its gradients is larger than
    ``limit``, in which case that row was not learnt.
    """
    totals = state.totals[0]
    t, losses, mass = totals["t"], totals["loss"], totals["weight"]
    epoch_losses, epoch_mass = totals["epoch_loss"], totals["epoch_weight"]
    done, end = len(order), len(order) - 1
    for p in range(len(order)):
        i = np.uintp(order[p])
        if weights[i] == 0:
            continue
        score = _score(rows, rule, state, t, i)
        slope = weights[i] * gradient(loss, y[i], score)
        _fetch_row(rows, np.uintp(order[min(p + ahead.rows, end)]))
        if ahead.records > 0:
            _fetch_records(rows, state.cells, np.uintp(order[min(p + ahead.records, end)]))
        steep = abs(slope)
        fits = steep * peak <= limit or steep * _peak(rows, i) <= limit
        if not (fits and abs(score) < np.inf):
            done = p
            break
        lost = weights[i] * value(loss, y[i], score)
        losses, epoch_losses = losses + lost, epoch_losses + lost
        mass, epoch_mass = mass + weights[i], epoch_mass + weights[i]
        t += 1
        if slope == 0:
            continue
        slope = rows.values.dtype.type(slope)
        if fit_intercept:
            intercept = read(rule, state.intercept, 0)
            write(state.intercept, 0, update(rule, intercept, slope, t))
        _update(rows, rule, state.cells, t, i, slope)
    totals["t"], totals["loss"], totals["weight"] = t, losses, mass
    totals["epoch_loss"], totals["epoch_weight"] = epoch_losses, epoch_mass
    return done


@compiled
def score(rows, bits, n_features, rule, state, ahead, out):
    """Write the score of every row into ``out``, and return what ``inspect`` would of the rows.

    Rows are scored right after their inspection. If they are not ordered, or not finite,
    ``out`` is of no use.
    """
    t, n_rows = state.totals[0]["t"], len(rows.indptr) - 1
    verdict = Verdict(is_sound(rows), bits.unsigned, bits.words.dtype.type(0))
    for first in range(0, n_rows, BLOCK):
        last = min(first + BLOCK, n_rows)
        if verdict.ordered:
            verdict = inspect_block(rows, bits, n_features, first, last, verdict)
        if not verdict.ordered:
            break
        for i in range(first, last):
            _fetch_row(rows, np.uintp(min(i + BLOCK, n_rows - 1)))
            if ahead.records > 0:
                _fetch_records(rows, state.cells, np.uintp(min(i + ahead.records, n_rows - 1)))
            out[i] = _score(rows, rule, state, t, np.uintp(i))
    return verdict


@compiled
def mean_loss(loss, y, scores, weights):
    """The weighted mean of the losses."""
    losses, mass = 0.0, 0.0
    for i in range(len(y)):
        if weights[i] != 0:
            losses += weights[i] * value(loss, y[i], scores[i])
            mass += weights[i]
    return losses / mass
