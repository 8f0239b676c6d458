"""The wrapper that lets rows be learnt together."""

from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import inlined
from ..arithmetic.lanes import any_lane, updated, where
from ..arithmetic.rounding import gathered, noise_of_record
from ..arithmetic.times import has_ended, moment, no_more, stamp
from ..arithmetic.tuples import found, kept, replaced, told_apart
from .rules import (
    advanced,
    is_importance_aware,
    is_scale_free,
    settled,
    weight,
)

_NEVER = 2.0**62  # rows


class Batched(NamedTuple):
    """Gradients are summed over a batch of rows, all of which are scored before any is learnt.

    To ``rule`` a batch is its first row, with the sum for a gradient, and as many more rows without
    any feature: that says when penalties, velocities and rates are due. Nothing is done when a
    batch ends. A record remembers the batch of its sum, and what became of that is worked out when
    the record is next looked at, as with penalties; whoever reads while a batch lasts sees what
    would be if it ended there. The batch that follows ``t`` rows has ``rows`` or
    ``floor(fraction * t)`` rows, whichever is more.
    """

    rule: tuple
    rows: float = 1.0
    fraction: float = 0.0

    is_lazy = is_batched = True
    is_proportional = False
    times = ("first",)
    pending = ("sum", "first", "row_share", "row_lr")

    # ``sum``: of the gradients in the batch whose first row is ``first``; and where these are not
    # the same for all, the mean share that moves weights, and the rate of the first row.
    def start(self, settings):
        fields = {"sum": 0.0, "first": 0}
        if is_scale_free(self.rule) or is_importance_aware(self.rule):
            fields["row_share"] = 0.0
        if settings.lr_decay > 0 or _has_factor(self.rule):
            fields["row_lr"] = 0.0
        return fields

    @property
    def reading(self):
        inner = getattr(self.rule, "reading", None)
        return self if inner is None else Read(self, inner)

    def last_row(self, t):
        last = t + max(int(self.rows), int(self.fraction * t))
        return last + (last & 0xFFFFFFFF == 0xFFFFFFFF)  # the next first row is not 0 to any record

    def first_of_size(self, size):
        if self.rows >= size:
            return 0
        t = size / self.fraction if self.fraction > 0.0 else np.inf
        return int(t) + 1 if t < _NEVER else np.inf

    def settled(self, record, t, row):
        ended = has_ended(t, record.first)
        if any_lane(ended):
            then = replaced(row, "noise", _noise_of(record, t, row))
            then = replaced(then, "t", moment(t + 1, record.first))
            then = replaced(then, "lr", found(record, "row_lr", row.lr))
            then = replaced(then, "share", found(record, "row_share", row.share))
            after = advanced(self.rule, record, record.sum, then)
            after = replaced(after, "sum", 0.0 * record.sum)
            record = updated(record, ended, replaced(after, "first", no_more(ended, record.first)))
        return settled(self.rule, record, t, replaced(row, "noise", _noise_of(record, t, row)))

    def step(self, record, g, row):
        total = gathered(record.sum, g, row.noise)
        record = replaced(replaced(record, "sum", total), "first", stamp(row.t, record.first))
        share = where(g == 0.0, found(record, "row_share", 0.0 * g), 0.0 * g + row.share)
        record = kept(record, "row_share", share)  # a gradient of zero changes nothing
        return kept(record, "row_lr", 0.0 * g + row.lr), 0.0 * g

    def moved(self, record, by, row):
        return record


def _has_factor(rule):
    """Whether rows have rates of their own, by ``rule`` or by one within."""
    inner = getattr(rule, "rule", None)
    return hasattr(type(rule), "factor") or (inner is not None and _has_factor(inner))


@inlined
def _noise_of(record, t, row):
    """The same whoever looks at a record first."""
    like = found(record, "weight", record.sum)
    return noise_of_record(row.noise, like, stamp(t, record.first))


class Read(NamedTuple):
    """A ``Batched`` rule as it predicts, if the rule within predicts as ``inner``."""

    rule: Batched
    inner: tuple

    def weight(self, record, row):
        return weight(self.inner, record, row)


told_apart(Batched, Read)
