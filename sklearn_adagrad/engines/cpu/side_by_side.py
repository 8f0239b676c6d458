"""The loop of a model with one head for several threads, which learn the rows of a batch together.

All rows of a batch are scored by the same weights, so each thread scores some of them. Then each
thread adds up the gradients of the features that it owns, row after row: every sum has one order,
that of the rows, however many threads there are. They meet twice in every block of rows, which is
small enough for its records to stay in the caches.

A thread owns neighbouring features, so in each row its entries are neighbours too: nobody looks at
those of others, and nobody writes to what others write to. Who owns what is chosen by the entries
of a sample, and makes no difference to what is learnt.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.arrays import load
from ...arithmetic.atomics import meet
from ...arithmetic.jit import compiled, inlined
from ...arithmetic.lanes import WIDTH
from ...arithmetic.rounding import noise_of, product
from ...arithmetic.tuples import replaced
from ...formulas.rules import (
    advanced,
    last_row,
    local,
    settled,
    skips_zero_gradient,
)
from .batches import part_of
from .judge import judged
from .one_head import learn_intercept, read_ahead, row_at, score_row
from .records import gather, keep_rolled, prefetch, scatter
from .rows import fetch_row, max_abs_of, norm_of, span
from .subnormal import flush, restore


class Block(NamedTuple):
    """Room for what is known of a block of rows."""

    counter: np.ndarray  # how often threads have come to a point where they meet
    fits: np.ndarray  # (who, 0): how many rows of its part each thread could score
    places: np.ndarray  # (who, row): where each row of the block is in the order
    scores: np.ndarray
    losses: np.ndarray
    gradients: np.ndarray
    splits: np.ndarray  # (row, owner): where the entries of an owner begin
    bounds: np.ndarray  # by owner, its first feature


@inlined
def collect(batch, places, p, most_rows, most_entries):
    """Find the rows of a block from position ``p`` on: where the next one begins, and how many."""
    rows, order, _, weights, _ = batch
    size, entries = 0, 0
    while p < len(order) and size < most_rows and entries < most_entries:
        i = np.uintp(order[p])
        if weights[i] != 0:
            places[size] = p
            size += 1
            entries += rows.indptr[i + np.uintp(1)] - rows.indptr[i]
        p += 1
    return p, size


@inlined
def split_row(rows, block, r, i, n):
    """Find the entries of each owner in row ``i``, the ``r``-th of its block."""
    start, stop = span(rows, i)
    block.splits[r, 0], block.splits[r, n] = start, stop
    for o in range(np.uintp(1), n):
        bound, length = block.bounds[o], stop - start
        while length > 0:  # entries before ``start`` are below the bound
            half = length >> np.uintp(1)
            below = np.uintp(rows.indices[start + half]) < bound
            start = start + half + np.uintp(1) if below else start
            length = length - half - np.uintp(1) if below else half
        block.splits[r, o] = start


@inlined
def _add_entries(rows, learner, cells, row, gradient, start, stop):
    """Add the gradients of some entries of a row, whose score has the ``gradient``."""
    rest = stop - (stop - start) % WIDTH
    for k in range(start, rest, WIDTH):
        keep_rolled()
        _add_vector(rows, learner, cells, row, gradient, k, None)
    if rest < stop:
        _add_vector(rows, learner, cells, row, gradient, rest, stop)


@inlined
def _add_vector(rows, learner, cells, row, gradient, k, stop):
    record = gather(cells, rows.indices, k, stop)
    here = local(learner.rule, record, row)
    record = settled(learner.rule, record, here.t - 1, here)
    g = product(gradient, load(rows.values, k, stop))
    scatter(cells, rows.indices, k, stop, advanced(learner.rule, record, g, here))


@compiled
def learn_side_by_side(batch, loss, learner, steps, state, limits, ahead, block, sizes, who):
    """What ``learn`` does, by ``sizes[0]`` threads at a time, of which this is ``who``.

    A block has at most ``sizes[1]`` rows, and ``sizes[2]`` entries besides those of its last row.
    """
    rows, order, y, weights, scores = batch
    n, most_rows, most_entries = sizes
    n_owners = np.uintp(n)
    rule, totals, before = learner.rule, state.totals[0], flush()
    t, weight_sum, epoch_weight = totals["t"], totals["weight"], totals["epoch_weight"]
    losses, epoch_losses = state.losses[0, 0], state.losses[1, 0]
    start, end = steps.pending.rows[0], steps.pending.rows[1]
    begun = start, end
    places, met, done, p, last = block.places[who], 0, len(order), 0, len(order) - 1
    while p < len(order):
        if weights[order[p]] == 0:
            p += 1
            continue
        if t >= end:
            start, end = t, last_row(rule, t)
        p, size = collect(batch, places, p, min(most_rows, end - t), most_entries)
        limit = part_of(rule, start, limits.gradient)
        begin, end_of_part = who * size // n, (who + 1) * size // n
        row = row_at(rows, rule, learner.settings, start, start)
        fitting = end_of_part - begin
        for r in range(begin, end_of_part):
            i = np.uintp(order[places[r]])
            score = score_row(rows, learner, state, row, i, rows.values, False)
            gradient, lost = judged(loss, y[i], score)
            gradient, lost = weights[i] * gradient, weights[i] * lost
            later = places[r] + ahead.rows
            fetch_row(rows, np.uintp(order[later if later < last else last]))
            if ahead.records > 0:
                later = r + ahead.records
                later = places[later if later < end_of_part else end_of_part - 1]
                read_ahead(rows, state.cells, np.uintp(order[later]))
            size_of = abs(gradient)
            fits = size_of * limits.max_abs <= limit or size_of * max_abs_of(rows, i) <= limit
            if not (fits and abs(score) < np.inf):
                fitting = r - begin
                break
            if limits.max_norm < np.inf and gradient != 0.0:
                norm = size_of * norm_of(rows, i, learner.fit_intercept)
                gradient *= limits.max_norm / norm if norm > limits.max_norm else 1.0
            gradient = rows.values.dtype.type(gradient)
            block.scores[r], block.losses[r], block.gradients[r] = score, lost, gradient
            split_row(rows, block, r, i, n_owners)
        block.fits[who, 0] = fitting
        met += n
        if not meet(block.counter, met):
            break
        fitting, others = 0, True
        for m in range(n):
            part = (m + 1) * size // n - m * size // n
            fitting += block.fits[m, 0] if others else 0
            others = others and block.fits[m, 0] == part
        row = row_at(rows, rule, learner.settings, start + 1, start + 1)
        if not 0 <= row.lr < np.inf:
            fitting = 0
        for r in range(fitting):
            if ahead.records > 0 and r + ahead.records < fitting:
                later = r + ahead.records
                for k in range(block.splits[later, who], block.splits[later, who + 1]):
                    prefetch(state.cells, rows.indices[k])
            gradient = block.gradients[r]
            if not (gradient == 0 and skips_zero_gradient(rule)):
                here = replaced(row, "noise", noise_of(t + r + 1, rows.values))
                first, stop = block.splits[r, who], block.splits[r, who + 1]
                _add_entries(rows, learner, state.cells, here, gradient, first, stop)
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
        if fitting > 0:
            begun = start, end
        met += n
        if not meet(block.counter, met):
            break
        if fitting < size:
            done = places[fitting]
            break
    if who == n - 1:
        totals["t"], totals["weight"], totals["epoch_weight"] = t, weight_sum, epoch_weight
        state.losses[0, 0], state.losses[1, 0] = losses, epoch_losses
        steps.pending.rows[0], steps.pending.rows[1] = begun
    restore(before)
    return done
