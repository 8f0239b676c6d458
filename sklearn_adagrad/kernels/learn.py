"""The loop: score a row, note its loss, learn it."""

from typing import NamedTuple

import numpy as np

from ._jit import compiled, inlined
from .lanes import WIDTH, load, total, zeros
from .losses import gradient, value
from .records import gather, keep, kept_records, prefetch, read, scatter, write
from .rows import (
    BLOCK,
    Verdict,
    fetch_row,
    inspect_block,
    is_sound,
    length_of,
    peak_of,
    span,
)
from .rules import (
    advanced,
    at,
    bare,
    local,
    longest,
    rests,
    resumed,
    settled,
    settles,
    unpenalised,
    weight,
)


class State(NamedTuple):
    """All that a model remembers. ``cells`` and ``intercept`` hold a rule's records.

    ``totals`` is one record: the clock ``t`` (rows learnt), the sum of the weights of these rows,
    and that of this epoch. ``losses`` holds, for every head, the weighted sum of the losses of all
    rows just before each was learnt, and in its second row the sum of this epoch: as a difference
    of large sums it would be inexact.
    """

    cells: np.ndarray
    intercept: np.ndarray
    totals: np.ndarray
    losses: np.ndarray


@inlined
def _parts(rows, i):
    """Where row ``i`` begins, where its last full vector ends, and where it ends."""
    start, stop = span(rows, i)
    return start, stop - (stop - start) % WIDTH, stop


@inlined
def _fetch_records(rows, cells, i):
    """Ask for the records of row ``i``."""
    start, stop = span(rows, i)
    for k in range(start, stop):
        prefetch(cells, rows.indices[k])


@inlined
def _score(rows, rule, state, now, i, kept, to_keep):
    """The score of row ``i``. If ``to_keep``, the settled records are left in ``kept``."""
    start, rest, stop = _parts(rows, i)
    sums = zeros(rows.values)
    for k in range(start, rest, WIDTH):
        sums += _products(rows, rule, state.cells, now, k, None, kept, k - start, to_keep)
    if rest < stop:
        sums += _products(rows, rule, state.cells, now, rest, stop, kept, rest - start, to_keep)
    record, here = _settled(bare(rule), read(state.intercept, 0), unpenalised(now))
    return np.float64(total(sums)) + np.float64(weight(bare(rule), record, here))


@inlined
def _products(rows, rule, cells, now, k, stop, kept, place, to_keep):
    """Weights times values for the vector of entries from ``k`` on."""
    record, here = _settled(rule, gather(cells, rows.indices, k, stop), now)
    if to_keep:
        keep(kept, place, record)
    return weight(rule, record, here) * load(rows.values, k, stop)


@inlined
def _settled(rule, record, now):
    """The record of a feature after ``now.t`` rows, and ``now`` for that feature."""
    now = local(rule, record, now)
    return settled(rule, record, now.t, now), now


@inlined
def _update(rows, rule, cells, now, i, slope, kept):
    """Learn row ``i``, whose score has the gradient ``slope``."""
    start, rest, stop = _parts(rows, i)
    for k in range(start, rest, WIDTH):
        _learn_entries(rows, rule, cells, now, k, None, slope, kept, k - start)
    if rest < stop:
        _learn_entries(rows, rule, cells, now, rest, stop, slope, kept, rest - start)


@inlined
def _learn_entries(rows, rule, cells, now, k, stop, slope, kept, place):
    """Learn the vector of entries from ``k`` on."""
    record = gather(cells, rows.indices, k, stop)
    record = resumed(rule, record, kept_records(cells, kept, place))
    record = _advanced(rule, record, slope * load(rows.values, k, stop), now)
    scatter(cells, rows.indices, k, stop, record)


@inlined
def _advanced(rule, record, g, now):
    """The settled ``record`` after the gradient ``g`` of row ``now.t``."""
    return advanced(rule, record, g, local(rule, record, now))


@compiled
def learn(
    rows, order, y, weights, loss, rule, settings, state, fit_intercept, limit, peak, ahead,
    kept,
):  # fmt: skip
    """Learn ``rows`` in ``order``; a row of weight zero is passed over as if it were not there.

    Each row is scored and its loss added to the totals *before* it is learnt. While its
    slope is worked out, later rows and their records are fetched: the processor would
    otherwise wait for one after the other.

    ``peak`` is the largest magnitude in ``rows``. Returns how many positions of ``order`` were
    done: fewer than all if a row's score or rate is not finite or one of its gradients is larger
    than ``limit``, in which case that row was not learnt.
    """
    totals = state.totals[0]
    t, mass, epoch_mass = totals["t"], totals["weight"], totals["epoch_weight"]
    losses, epoch_losses = state.losses[0, 0], state.losses[1, 0]
    done, end = len(order), len(order) - 1
    for p in range(len(order)):
        i = np.uintp(order[p])
        if weights[i] == 0:
            continue
        score = _score(rows, rule, state, at(rule, settings, t), i, kept, settles(rule))
        slope = weights[i] * gradient(loss, y[i], score)
        fetch_row(rows, np.uintp(order[min(p + ahead.rows, end)]))
        if ahead.records > 0:
            _fetch_records(rows, state.cells, np.uintp(order[min(p + ahead.records, end)]))
        steep = abs(slope)
        now = at(rule, settings, t + 1)
        fits = steep * peak <= limit or steep * peak_of(rows, i) <= limit
        if not (fits and abs(score) < np.inf and 0 <= now.lr < np.inf):
            done = p
            break
        lost = weights[i] * value(loss, y[i], score)
        losses, epoch_losses = losses + lost, epoch_losses + lost
        mass, epoch_mass = mass + weights[i], epoch_mass + weights[i]
        t += 1
        if slope == 0 and rests(rule):
            continue
        if longest(rule) < np.inf:
            length = steep * length_of(rows, i, fit_intercept)
            slope *= longest(rule) / length if length > longest(rule) else 1.0
        slope = rows.values.dtype.type(slope)
        if fit_intercept:
            here = unpenalised(now)
            record = settled(bare(rule), read(state.intercept, 0), t - 1, here)
            write(state.intercept, 0, _advanced(bare(rule), record, slope, here))
        _update(rows, rule, state.cells, now, i, slope, kept)
    totals["t"], totals["weight"], totals["epoch_weight"] = t, mass, epoch_mass
    state.losses[0, 0], state.losses[1, 0] = losses, epoch_losses
    return done


@compiled
def score(rows, bits, n_features, rule, settings, state, ahead, kept, out):
    """Write the score of every row into ``out``, and return what ``inspect`` would of the rows.

    Rows are scored right after their inspection. If they are not ordered, or not finite,
    ``out`` is of no use.
    """
    n_rows = len(rows.indptr) - 1
    now = at(rule, settings, state.totals[0]["t"])
    verdict = Verdict(is_sound(rows), bits.unsigned, bits.words.dtype.type(0))
    for first in range(0, n_rows, BLOCK):
        last = min(first + BLOCK, n_rows)
        if verdict.ordered:
            verdict = inspect_block(rows, bits, n_features, first, last, verdict)
        if not verdict.ordered:
            break
        for i in range(first, last):
            fetch_row(rows, np.uintp(min(i + BLOCK, n_rows - 1)))
            if ahead.records > 0:
                _fetch_records(rows, state.cells, np.uintp(min(i + ahead.records, n_rows - 1)))
            out[i] = _score(rows, rule, state, now, np.uintp(i), kept, False)
    return verdict
