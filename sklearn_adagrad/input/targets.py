"""What each head is to predict for a row.

Heads come in sets of as many as there are outputs; every set is a model of its own. ``show`` is
compiled, the other methods are plain Python.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import generic


@generic
def show(self, i, y):
    """Write the target of every head for row ``i`` into ``y``."""


class Classes(NamedTuple):
    """One of ``n_outputs`` classes: 1 for the head of that class, -1 for the others."""

    codes: np.ndarray
    n_outputs: int

    def show(self, i, y):
        y[:] = -1.0
        for h in range(self.codes[i], len(y), self.n_outputs):
            y[h] = 1.0

    def take(self, chosen):
        return Classes(self.codes[chosen], self.n_outputs)

    def spread(self, chosen, n_rows):
        """The targets of ``n_rows`` rows, of which these are the ``chosen``."""
        codes = np.zeros(n_rows, self.codes.dtype)
        codes[chosen] = self.codes
        return Classes(codes, self.n_outputs)

    def sizes(self):
        return np.ones(len(self.codes))


class Columns(NamedTuple):
    """Numbers, with a column for each output."""

    values: np.ndarray

    @property
    def n_outputs(self):
        return self.values.shape[1]

    def show(self, i, y):
        n_outputs = self.values.shape[1]
        for first in range(0, len(y), n_outputs):
            for n in range(min(n_outputs, len(y) - first)):
                y[first + n] = self.values[i, n]

    def take(self, chosen):
        return Columns(self.values[chosen])

    def spread(self, chosen, n_rows):
        values = np.zeros((n_rows, self.n_outputs))
        values[chosen] = self.values
        return Columns(values)

    def sizes(self):
        """The largest magnitude for each row."""
        return np.abs(self.values).max(axis=1)
