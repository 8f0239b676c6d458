"""What a model remembers, in the memory of a GPU for as long as nobody changes it elsewhere.

After a GPU has learnt, the newest numbers are there, and the arrays of NumPy are behind: the
``Guard`` of the state lets them catch up before anybody reads or changes them.
"""

import numpy as np

from ...arithmetic.exact import LIMBS
from ...arithmetic.lanes import padded
from ..cpu.head_vectors import Heads, One
from .device import back, copied, on_gpu, same, there

_MOST_PIECES = 2**31 - 1  # a mark is a number of 32 bits


class Twin:
    """The records of a state on the GPU of this ``number``."""

    def __init__(self, number, state):
        self.number, self._tables = number, state.tables
        self.width = 1 if state.n_heads == 1 else padded(state.n_heads)
        record = self._tables["weights"].dtype
        fields = np.zeros(1, [(name, record.fields[name][0].base) for name in record.names])
        cells, intercept = map(_numbers, (self._tables["weights"], self._tables["intercept"]))
        self.heads = there(Heads(fields, One(), cells, intercept, state.totals, state.losses))
        self._sums, self._n_pieces = None, 0

    def copy_back(self):
        """Write the records into the arrays of NumPy."""
        on_gpu(self.number, self._copy_back)

    def _copy_back(self):
        for name, array in (("weights", self.heads.cells), ("intercept", self.heads.intercept)):
            back(array, _numbers(self._tables[name]))

    def kept(self):
        """A copy of the records, for ``begin_anew``."""
        return tuple(map(copied, self._records()))

    def begin_anew(self, kept):
        for one, other in zip(kept, self._records(), strict=True):
            same(one, other)

    def sums(self, n_heads, n_pieces):
        """Limbs, which are zero, and marks, none of which is above the third.

        Every piece leaves them so: they need not be made anew for the next call.
        """
        if self._sums is None or self._n_pieces + n_pieces > _MOST_PIECES:
            n_features, self._n_pieces = len(self._tables["weights"]), 0
            limbs = np.zeros((n_features + 1) * n_heads * LIMBS, np.int64)
            self._sums = there((limbs, np.zeros(n_features, np.int32)))
        first = self._n_pieces
        self._n_pieces += n_pieces
        return *self._sums, first

    def _records(self):
        return self.heads.cells, self.heads.intercept


def _numbers(table):
    return table.view(table.dtype[0].base)


def twin_of(state, number):
    """The twin of ``state``, of which the caller keeps others away."""
    guard = state.guard
    if guard.twin is None or guard.twin.number != number:
        guard.catch_up()
        guard.keep(Twin(number, state))
    return guard.twin
