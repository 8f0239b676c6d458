"""The same for several heads: rows are scored side by side, and features learnt.

In between, one thread judges the rows in their order, as ``learn_heads`` does: several classes have
one loss, and a row is learnt by all heads or by none.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.atomics import meet
from ...arithmetic.jit import compiled
from ...arithmetic.tuples import replaced
from ...formulas.rules import factor, last_row
from .batches import Clock, part_of
from .head_steps import shorten
from .head_vectors import Part, score_row, update_part
from .heads import any_dropped, judge_row
from .mixture import tell
from .rows import fetch_row
from .side_by_side import collect, split_row
from .subnormal import flush, restore


class HeadsBlock(NamedTuple):
    """Room for what is known of a block of rows."""

    counter: np.ndarray  # how often threads have come to a point where they meet
    fits: np.ndarray  # its first: how many rows can be learnt
    places: np.ndarray  # (who, row): where each row of the block is in the order
    sums: np.ndarray  # (row, head)
    steps: np.ndarray  # (row, head): gradients
    splits: np.ndarray  # (row, owner): where the entries of an owner begin
    bounds: np.ndarray  # by owner, its first feature


@compiled
def learn_heads_side_by_side(
    batch, loss, learner, steps, mixture, heads, limits, ahead, buffers, block, sizes, who
):
    """What ``learn_heads`` does, by ``sizes[0]`` threads at a time, of which this is ``who``."""
    rows, order, _, weights, scores = batch
    n, most_rows, most_entries = sizes
    n_owners, n_heads, limit = np.uintp(n), heads.losses.shape[1], limits.gradient
    rule, totals, before = learner.rule, heads.totals[0], flush()
    t, weight_sum, epoch_weight = totals["t"], totals["weight"], totals["epoch_weight"]
    start, end = steps.pending.rows[0], steps.pending.rows[1]
    begun, dropped = (start, end), limits.drops and any_dropped(heads.losses)
    places, met, done, p, last = block.places[who], 0, len(order), 0, len(order) - 1
    while p < len(order):
        if weights[order[p]] == 0:
            p += 1
            continue
        if t >= end:
            start, end = t, last_row(rule, t)
        p, size = collect(batch, places, p, min(most_rows, end - t), most_entries)
        for r in range(who * size // n, (who + 1) * size // n):
            i = np.uintp(order[places[r]])
            score_row(rows, learner, heads, steps, rows, Clock(start, t), i, block.sums[r])
            split_row(rows, block, r, i, n_owners)
            later = places[r] + ahead.rows
            fetch_row(rows, np.uintp(order[later if later < last else last]))
        met += n
        if not meet(block.counter, met):
            break
        if who == 0:
            fitting = size if 0 <= factor(rule, start + 1) < np.inf else 0
            within = replaced(limits, "gradient", part_of(rule, start, limit))
            for r in range(fitting):
                i = np.uintp(order[places[r]])
                for h in range(len(buffers.sums)):
                    buffers.sums[h] = block.sums[r, h]
                fit, dropped = judge_row(batch, i, loss, heads.losses, within, buffers, dropped)
                if not fit:
                    fitting = r
                    break
                for h in range(n_heads):
                    heads.losses[0, h] += weights[i] * buffers.losses[h]
                    heads.losses[1, h] += weights[i] * buffers.losses[h]
                weight_sum, epoch_weight = weight_sum + weights[i], epoch_weight + weights[i]
                if len(scores) > 0:
                    tell(mixture, scores, i, buffers)
                shorten(rows, learner, steps, rows, i, limits, n_heads, buffers)
                for h in range(len(buffers.steps)):
                    block.steps[r, h] = buffers.steps[h]
            block.fits[0] = fitting
        met += n
        if not meet(block.counter, met):
            break
        fitting = block.fits[0]
        for r in range(fitting):
            for h in range(len(buffers.steps)):
                buffers.steps[h] = block.steps[r, h]
            own = learner.fit_intercept and who == n - 1
            part = Part(block.splits[r, who], block.splits[r, who + 1], own)
            now, i = Clock(start + 1, t + r + 1), np.uintp(order[places[r]])
            update_part(rows, learner, heads, steps, rows, now, i, buffers, part)
        t += fitting
        if fitting > 0:
            begun = start, end
        met += n
        if not meet(block.counter, met):
            break
        if fitting < size:
            done = places[fitting]
            break
    if who == 0:
        totals["t"], totals["weight"], totals["epoch_weight"] = t, weight_sum, epoch_weight
        steps.pending.rows[0], steps.pending.rows[1] = begun
    restore(before)
    return done
