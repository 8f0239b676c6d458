"""Penalties on the weights of a mirror descent, exact although most weights are not visited.

Row ``t`` ends with the proximal step (Duchi, Hazan and Singer, 2011, equation 4)

    w <- sign(w) * max(abs(w) - rate * l1, 0) / (1 + rate * l2)

of *every* weight. A weight that is absent from some rows has a fixed accumulator meanwhile.
With ``m = l1 / l2``, each row maps ``abs(w) + m`` to ``(abs(w) + m) / (1 + rate * l2)``, so
all of them together take ``(abs(w) + m) * (1 - exp(-total))`` from ``abs(w)``, and stop at
zero; ``total`` is the sum of ``log(1 + rate * l2)`` over the rows. Without ``l2`` they take the
sum of ``rate * l1``.

At a constant ``lr``, either sum is the number of rows times one row's share. With ``lr_decay``,
the rate of row ``t`` is that of the first times ``c / (c + t - 1)``, where ``c = 1 / lr_decay``,
and both sums have a closed form by the Gamma function and its derivative.
"""

import math
from typing import NamedTuple

from ..arithmetic.elementary import compounded, expm1, log1p
from ..arithmetic.jit import generic, inlined
from ..arithmetic.lanes import clip, finite, where
from ..arithmetic.rounding import subtract
from ..arithmetic.times import elapsed, moment, stamp
from ..arithmetic.tuples import replaced, told_apart
from .rules import moved, rate, renewed

# From here on, five terms of Stirling's series are exact to rounding.
_FAR = 20


class Penalised(NamedTuple):
    """``rule`` with the penalties ``l1`` and ``l2`` on every weight in every row."""

    rule: tuple

    is_lazy = True
    for_features_only = True
    derived = ("share", "since")
    times = ("since",)

    # ``share``: the rate times ``l2``, or times ``l1`` without it. ``since``: the last row whose
    # penalty the weight has.
    def start(self, settings):
        return {"share": 0.0, "since": 0}

    def lost(self, record, t, row):
        rows = elapsed(t, record.since)
        return compounded(record.share, rows) if finite(row.ratio) else rows * record.share

    def settled(self, record, t, row):
        bound = lost(self, record, t, row)
        if finite(row.ratio):
            bound = (abs(record.weight) + row.ratio) * bound
        taken = clip(record.weight, bound)
        left = subtract(record.weight, taken, row.noise)
        record = replaced(record, "weight", where(taken == record.weight, 0.0 * taken, left))
        return replaced(record, "since", stamp(t, record.since))

    def moved(self, record, by, row):
        return renewed(self, moved(self.rule, record, by, row), row)

    def renewed(self, record, row):
        penalty = row.l2 if finite(row.ratio) else row.l1
        return replaced(record, "share", rate(self.rule, record, row.lr, row) * penalty)


class DecayingPenalised(NamedTuple):
    """The same where ``lr`` decays. ``share`` is the first row's rate times ``l2``, or ``l1``."""

    rule: tuple

    is_lazy = True
    for_features_only = True
    derived, times = Penalised.derived, Penalised.times

    start, settled, moved = Penalised.start, Penalised.settled, Penalised.moved

    def renewed(self, record, row):
        penalty = row.l2 if finite(row.ratio) else row.l1
        return replaced(record, "share", rate(self.rule, record, row.base_lr, row) * penalty)

    def lost(self, record, t, row):
        c = 1.0 / row.lr_decay
        first = moment(t, record.since)
        near = max(0, math.ceil(_FAR - c))
        rows = elapsed(t, record.since)
        u, total = record.share * c, 0.0 * rows
        for past in range(min(near, t)):
            one = u / (c + past)
            one = log1p(one) if finite(row.ratio) else one
            total += where(first <= past, one, 0.0 * one)
        start = c + where(first < near, 0.0 * first + near, first)
        stop = c + max(near, t)
        rows = where(first < near, 0.0 * rows + max(0, t - near), rows)
        if finite(row.ratio):
            lost = 0.0 - expm1(0.0 - total - _log_gammas(u, start, stop, rows))
        else:
            lost = total + u * _digammas(start, stop, rows)
        return where(lost > 0.0, lost, 0.0 * lost)  # no rows: rounding may be below


told_apart(Penalised, DecayingPenalised)


@generic
def lost(self, record, t, row):
    """What the rows after ``since``, through ``t``, take: a share of ``abs(weight) + ratio``."""


@inlined
def _log_gammas(u, start, stop, rows):
    """The sum of ``log1p(u / x)`` over ``x = start, start + 1, ..., stop - 1``.

    That is a difference of four logarithms of Gamma functions, by Stirling's series, its terms
    grouped so that none cancels another.
    """
    shifted = start + u
    total = rows * log1p(u / stop) + u * log1p(rows / shifted)
    total += (start - 0.5) * log1p(0.0 - (u / stop) * (rows / shifted))
    return total + (_stirling(u, start) - _stirling(u, 0.0 * start + stop))


@inlined
def _stirling(u, x):
    """The rest of Stirling's series for ``log Gamma`` at ``x``, less that at ``x + u``."""
    y = 1.0 / (x + u)
    z, q = 1.0 / (x * x), x * y
    p = 1.0 + q * q
    third, fifth = p + q, p * p + p * q - q * q
    seventh = p * p * (p + q) - q * q * (2.0 * p + q)
    tail = third / 360.0 - z * (fifth / 1260.0 - z * (seventh / 1680.0))  # no power underflows
    return u * q * z * (1.0 / 12.0 - z * tail)


@inlined
def _digammas(start, stop, rows):
    """The sum of ``1 / x`` over ``x = start, start + 1, ..., stop - 1``."""
    x, y = 1.0 / start, 1.0 / stop
    tail = _digamma_tail(x * x) - _digamma_tail(y * y)
    return log1p(rows * x) + 0.5 * rows * x * y + tail


@inlined
def _digamma_tail(z):
    return z * (1.0 / 12.0 - z * (1.0 / 120.0 - z * (1.0 / 252.0 - z * (1.0 / 240.0))))
