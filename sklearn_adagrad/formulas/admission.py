"""The wrapper that lets rare features wait."""

from typing import NamedTuple

import numpy as np

from ..arithmetic.lanes import where
from ..arithmetic.tuples import replaced, told_apart
from .rules import pull, require, step


class Admission(NamedTuple):
    """A feature is learnt from the row on in which it occurs for the ``occurrences``-th time.

    Until then its record is as it began: a weight of zero, and an accumulator without a gradient,
    as if those rows had not had the feature; everything else learns from them. The source is
    McMahan et al. (2013), "Ad Click Prediction: a View from the Trenches", section 4.1, where
    features are admitted by Bloom filters, some too early. Here each record has an exact count of
    4 or 8 bytes. Rows of weight zero are not counted, rows whose gradient is zero are. The
    intercept is learnt at once.

    ``sparsify`` and ``prune`` forget the counts of features that they forget. Features that were
    learnt stay admitted if ``occurrences`` rises between two calls, and so do those with a weight
    if the model had no ``Admission`` before.

    Parameters
    ----------
    rule : rule
        The rule to wrap.
    occurrences : int, default=3
        The first occurrence that is learnt, from 1 (all are) to 2**24. The default is "more than
        two", with which the paper saved the most memory.
    """

    rule: tuple
    occurrences: float = 3.0

    for_features_only = each_row = True
    skips_zero_gradient = False

    # ``seen``: how many rows had the feature; infinity once it is admitted, for good.
    def start(self, settings):
        return {"seen": 0.0}

    def check(self):
        n = self.occurrences
        holds = 1 <= n <= 2**24 and n == int(n)  # a float32 counts that far
        require("Admission.occurrences", n, holds, "a whole number from 1 to 2**24")

    def step(self, record, g, row):
        seen = record.seen + 1.0
        admitted = seen >= self.occurrences
        learnt, by = step(self.rule, record, g, row)
        learnt = replaced(where(admitted, learnt, record), "seen", where(admitted, np.inf, seen))
        return learnt, where(admitted, by, 0.0 * g)

    def pull(self, record, g, row):
        admitted = record.seen + 1.0 >= self.occurrences
        return where(admitted, pull(self.rule, record, g, row), 0.0 * g)

    def carried(self, record, before, weights, row):
        if before is not None:
            return record
        return replaced(record, "seen", where(weights != 0.0, np.inf, record.seen))


told_apart(Admission)
