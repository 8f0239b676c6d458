"""Batches as the loops see them: when one begins, and what its rows have in common.

To rules that are not batched every row is a batch, and all of this costs nothing.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.jit import by_type, inlined, says
from ...arithmetic.lanes import sqrt
from ...formulas.rules import is_batched, last_row


class Clock(NamedTuple):
    """A moment of the rows, as rules and as records see it."""

    t: int  # the rows that rules know of: those before the batch, or its first row
    row: int  # the rows before this one, or this one's number


class Pending(NamedTuple):
    """What is known of the batch that has begun; both are the state's."""

    rows: np.ndarray  # before its first row, and through its last; empty if rules are not batched
    shares: np.ndarray  # by head: sums of the gradients' sizes times their shares, and of the sizes


@inlined
def rows_before(rule, pending, t):
    """After how many rows the batch of row ``t + 1`` begins: now, if that is its first."""
    return pending.rows[0] if is_batched(rule) and t < pending.rows[1] else t


@inlined
def begin(rule, pending, t):
    """Let a batch begin after ``t`` rows if the last one is over."""
    if is_batched(rule) and t >= pending.rows[1]:
        pending.rows[0], pending.rows[1] = t, last_row(rule, t)
        for h in range(pending.shares.shape[1]):
            pending.shares[0, h] = pending.shares[1, h] = 0.0


@inlined
def part_of(rule, start, limit):
    """What a row's gradient must not exceed, if accumulators can take ``limit`` of each row.

    Of batches of ``n`` rows they take ``n`` times as much, if all gradients are the same.
    """
    return limit / sqrt(np.float64(last_row(rule, start) - start)) if is_batched(rule) else limit


def noise_to_score(rule, noise):
    """What the records of an intercept, or of several heads, are rounded with as they are scored.

    What is due to a record when its batch is over must be the same whoever looks at it first.
    """
    return noise if is_batched(rule) else None


@by_type(noise_to_score)
def _choose_noise(rule, noise):
    return _noise if says(rule, "is_batched") else _no_noise


def _noise(rule, noise):
    return noise


def _no_noise(rule, noise):
    return None


@inlined
def mean_share(rule, pending, h, share, gradient):
    """The share that moves weights, of this row and those before it in its batch.

    Rows count by the sizes of their gradients.
    """
    if not is_batched(rule):
        return share
    size = abs(np.float64(gradient))
    pending.shares[0, h] += size * share
    pending.shares[1, h] += size
    sizes = pending.shares[1, h]
    return pending.shares[0, h] / sizes if sizes > 0.0 else share
