"""Batches as the loops see them: when one begins, and what its rows have in common.

To rules that are not batched every row is a batch, and all of this costs nothing.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.jit import by_type, inlined, says
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
    """After how many rows the batch of row ``t + 1`` begins. It does now, if that is its first."""
    if not is_batched(rule):
        return t
    if t >= pending.rows[1]:
        pending.rows[0], pending.rows[1] = t, last_row(rule, t)
        for h in range(pending.shares.shape[1]):
            pending.shares[0, h] = pending.shares[1, h] = 0.0
    return pending.rows[0]


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
def part_of(rule, pending, limit):
    """What a row's gradient must not exceed, if that of its batch has this ``limit``."""
    return limit / (pending.rows[1] - pending.rows[0]) if is_batched(rule) else limit


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
