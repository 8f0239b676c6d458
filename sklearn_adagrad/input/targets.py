"""What each head is to predict for a row.

Heads come in sets of as many as there are outputs; every set is a model of its own.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import inlined


class Targets(NamedTuple):
    """Numbers with a column for each output; or, where ``values`` has no rows, classes.

    Of one of several classes, 1 is for the head of that class, and -1 for the others.
    """

    values: np.ndarray  # (n_rows, n_outputs), float64
    codes: np.ndarray  # (n_rows,), intp
    n_outputs: int

    def mapped(self, function):
        """The targets with ``function`` of the numbers or classes of all rows."""
        values, codes = (function(each) if len(each) else each for each in self[:2])
        return Targets(values, codes, self.n_outputs)

    def take(self, chosen):
        return self.mapped(lambda each: each[chosen])

    def spread(self, chosen, n_rows):
        """The targets of ``n_rows`` rows, of which these are the ``chosen``."""

        def spread(each):
            every = np.zeros((n_rows, *each.shape[1:]), each.dtype)
            every[chosen] = each
            return every

        return self.mapped(spread)

    def sizes(self):
        """The largest magnitude for each row."""
        return np.abs(self.values).max(axis=1) if len(self.values) else np.ones(len(self.codes))


def of_columns(values):
    """Targets that are the columns of ``values``."""
    return Targets(np.asarray(values, np.float64), np.empty(0, np.intp), values.shape[1])


def of_classes(codes, n_classes):
    """Targets of which each row has one of ``n_classes``."""
    return Targets(np.empty((0, n_classes)), np.asarray(codes, np.intp), n_classes)


@inlined
def show(targets, i, y):
    """Write the target of every head for row ``i`` into ``y``."""
    values, codes, n_outputs = targets
    n = 0
    for h in range(len(y)):
        if len(codes) > 0:
            y[h] = 1.0 if n == codes[i] else -1.0
        else:
            y[h] = values[i, n]
        n = n + 1 if n + 1 < n_outputs else 0
