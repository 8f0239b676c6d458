"""The loop of a model with one head for several threads, which learn the rows of a batch together.

All rows of a batch are scored by the same weights, so each thread scores some of them. Then each
thread adds up the gradients of the features that it owns, row after row: no two write to one
cache line, and every sum has one order, that of the rows, however many threads there are. They meet
twice in every block of rows, which is small enough for its records to stay in the caches.

An entry whose row is scored is put into a list for the thread that owns its feature, with its
gradient: nobody looks at entries that are not its own.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.arrays import load
from ...arithmetic.atomics import meet
from ...arithmetic.jit import compiled, inlined, variant
from ...arithmetic.lanes import WIDTH
from ...arithmetic.rounding import noise_of
from ...arithmetic.tuples import replaced
from ...formulas.rules import (
    advanced,
    first_of_size,
    is_batched,
    last_row,
    local,
    settled,
    skips_zero_gradient,
)
from .judge import judged
from .one_head import fetch_records, learn_intercept, row_at, score_row
from .records import gather, scatter
from .rows import fetch_row, max_abs_of, norm_of, span
from .subnormal import flush, restore
from .team import together

# How many entries a batch must have, and how many there are between two meetings.
_ENTRIES, _BLOCK_ENTRIES, _BLOCK_ROWS = 2**15, 2**15, 2048
_LINE = 16  # numbers between those of two threads
# Features are owned in groups that are close in memory.
_GROUP = 3
_SPREAD = np.uint32(0x9E3779B1)


class Block(NamedTuple):
    """Room for what is known of a block of rows; the first axis of the lists is of who wrote."""

    counter: np.ndarray  # how often threads have come to a point where they meet
    fits: np.ndarray  # how many rows of its share each thread could score
    places: np.ndarray  # where each row of the block is in the order
    scores: np.ndarray
    losses: np.ndarray
    gradients: np.ndarray
    counts: np.ndarray  # (who, owner): how many entries are listed; with room between threads
    starts: np.ndarray  # (who, row, owner): how many were before this row
    indices: np.ndarray  # (who, entry): the lists of all owners, one after the other
    values: np.ndarray  # their gradients


@inlined
def _owner(index, n):
    """Which of ``n`` threads owns a feature."""
    mixed = np.uint32(np.uint32(index) >> np.uint32(_GROUP)) * _SPREAD
    return np.uintp((np.uint64(np.uint32(mixed)) * np.uint64(n)) >> np.uint64(32))


@inlined
def _list_entries(rows, block, who, r, i, gradient, n):
    """Put the entries of row ``i``, the ``r``-th of its block, into the lists of their owners."""
    start, stop = span(rows, i)
    room, counts = np.uintp(block.indices.shape[1]) // n, block.counts[who]
    indices, values = block.indices[who], block.values[who]
    for k in range(start, stop):
        j = rows.indices[k]
        o = _owner(j, n)
        place = o * room + counts[o]
        indices[place], values[place] = j, gradient * rows.values[k]
        counts[o] += np.uintp(1)
    _end_row(block, who, r, n)


@inlined
def _end_row(block, who, r, n):
    for o in range(n):
        block.starts[who, r + np.uintp(1), o] = block.counts[who, o]


@inlined
def _add_entries(learner, cells, row, indices, values, start, stop):
    """Learn entries of one row, of which ``values`` are the gradients."""
    rest = stop - (stop - start) % WIDTH
    for k in range(start, rest, WIDTH):
        _add_vector(learner, cells, row, indices, values, k, None)
    if rest < stop:
        _add_vector(learner, cells, row, indices, values, rest, stop)


@inlined
def _add_vector(learner, cells, row, indices, values, k, stop):
    record = gather(cells, indices, k, stop)
    here = local(learner.rule, record, row)
    record = settled(learner.rule, record, here.t - 1, here)
    record = advanced(learner.rule, record, load(values, k, stop), here)
    scatter(cells, indices, k, stop, record)


@compiled
def learn_side_by_side(batch, loss, learner, steps, state, limits, ahead, block, sizes, who):
    """What ``learn`` does, by ``sizes[0]`` threads at a time, of which this is ``who``.

    A block has at most ``sizes[1]`` rows, and ``sizes[2]`` entries besides those of its last row.
    """
    rows, order, y, weights, scores = batch
    n, most_rows, most_entries = sizes
    n_owners = np.uintp(n)
    room = np.uintp(block.indices.shape[1]) // n_owners
    rule, totals, before = learner.rule, state.totals[0], flush()
    t, weight_sum, epoch_weight = totals["t"], totals["weight"], totals["epoch_weight"]
    losses, epoch_losses = state.losses[0, 0], state.losses[1, 0]
    start, end = steps.pending.rows[0], steps.pending.rows[1]
    places, met, done, p, last = block.places[who], 0, len(order), 0, len(order) - 1
    while p < len(order):
        if weights[order[p]] == 0:
            p += 1
            continue
        if t >= end:
            start, end = t, last_row(rule, t)
        size, entries = 0, 0
        while p < len(order) and size < most_rows and size < end - t and entries < most_entries:
            i = np.uintp(order[p])
            if weights[i] != 0:
                places[size] = p
                size += 1
                entries += rows.indptr[i + np.uintp(1)] - rows.indptr[i]
            p += 1
        limit = limits.gradient / (end - start)
        first, stop = who * size // n, (who + 1) * size // n
        row = row_at(rows, rule, learner.settings, start, start)
        fitting = stop - first
        for o in range(n):
            block.counts[who, o] = block.starts[who, 0, o] = 0
        for r in range(first, stop):
            i = np.uintp(order[places[r]])
            score = score_row(rows, learner, state, row, i, block.values[who], False)
            gradient, lost = judged(loss, y[i], score)
            gradient, lost = weights[i] * gradient, weights[i] * lost
            later = places[r] + ahead.rows
            fetch_row(rows, np.uintp(order[later if later < last else last]))
            if ahead.records > 0:
                later = r + ahead.records
                later = places[later if later < stop else stop - 1]
                fetch_records(rows, state.cells, np.uintp(order[later]))
            size_of = abs(gradient)
            fits = size_of * limits.max_abs <= limit or size_of * max_abs_of(rows, i) <= limit
            if not (fits and abs(score) < np.inf):
                fitting = r - first
                break
            if limits.max_norm < np.inf and gradient != 0.0:
                norm = size_of * norm_of(rows, i, learner.fit_intercept)
                gradient *= limits.max_norm / norm if norm > limits.max_norm else 1.0
            gradient = rows.values.dtype.type(gradient)
            block.scores[r], block.losses[r], block.gradients[r] = score, lost, gradient
            if gradient == 0 and skips_zero_gradient(rule):
                _end_row(block, who, np.uintp(r - first), n_owners)
            else:
                _list_entries(rows, block, who, np.uintp(r - first), i, gradient, n_owners)
        block.fits[who, 0] = fitting
        met += n
        meet(block.counter, met)
        fitting, others = 0, True
        for m in range(n):
            share = (m + 1) * size // n - m * size // n
            fitting += block.fits[m, 0] if others else 0
            others = others and block.fits[m, 0] == share
        row = row_at(rows, rule, learner.settings, start + 1, start + 1)
        if not 0 <= row.lr < np.inf:
            fitting = 0
        for m in range(n):
            begin = m * size // n
            for r in range(begin, min((m + 1) * size // n, fitting)):
                here = replaced(row, "noise", noise_of(t + r + 1, rows.values))
                starts = block.starts[m]
                _add_entries(
                    learner, state.cells, here, block.indices[m], block.values[m],
                    room * np.uintp(who) + starts[r - begin, who],
                    room * np.uintp(who) + starts[r - begin + 1, who],
                )  # fmt: skip
        if who == n - 1:
            for r in range(fitting):
                i = np.uintp(order[places[r]])
                losses, epoch_losses = losses + block.losses[r], epoch_losses + block.losses[r]
                weight_sum, epoch_weight = weight_sum + weights[i], epoch_weight + weights[i]
                if len(scores) > 0:
                    scores[i] = block.scores[r]
                gradient = block.gradients[r]
                if learner.fit_intercept and not (gradient == 0 and skips_zero_gradient(rule)):
                    here = replaced(row, "noise", noise_of(t + r + 1, rows.values))
                    learn_intercept(learner.intercept_rule, state.intercept, here, gradient)
        t += fitting
        met += n
        meet(block.counter, met)
        if fitting < size:
            done = places[fitting]
            break
    if who == n - 1:
        totals["t"], totals["weight"], totals["epoch_weight"] = t, weight_sum, epoch_weight
        state.losses[0, 0], state.losses[1, 0] = losses, epoch_losses
        steps.pending.rows[0], steps.pending.rows[1] = start, end
    restore(before)
    return done


# --- who learns together, and when ----------------------------------------------------------------


def rows_alone(rows, bound, state):
    """How many rows one thread learns before there is work enough for several, if ever."""
    n_rows = len(rows.indptr) - 1
    if state.n_heads > 1 or not is_batched(bound.rule) or "batch_shares" in state.beside:
        return n_rows
    enough = 1 + _ENTRIES * n_rows // max(1, len(rows.indices))  # rows in a batch
    alone = max(0, first_of_size(bound.rule, enough) - state.t)
    return alone if (n_rows - alone) * len(rows.indices) > _ENTRIES * n_rows else n_rows


def learn_together(n, rule, longest, batch, judge, learner, steps, state, limits, ahead):
    """What the kernel returns, which ``n`` threads run."""
    index, dtype = batch.rows.indices.dtype, batch.rows.values.dtype
    room, size = n * (_BLOCK_ENTRIES + longest), (n, _BLOCK_ROWS, _BLOCK_ENTRIES)
    block = Block(
        np.zeros(_LINE, np.int64), np.zeros((n, _LINE), np.int64),
        np.zeros((n, _BLOCK_ROWS), np.int64), *(np.empty(_BLOCK_ROWS) for _ in range(2)),
        np.empty(_BLOCK_ROWS, dtype), np.empty((n, n + _LINE), np.uintp),
        np.empty((n, _BLOCK_ROWS + 1, n), np.uintp), np.empty((n, room), index),
        np.empty((n, room), dtype),
    )  # fmt: skip
    kernel = variant(learn_side_by_side, rule)

    def run(who):
        return kernel(batch, judge, learner, steps, state, limits, ahead, block, size, who)

    return together(n, run)[0]
