"""Sparse rows that are put together from the entries of one batch after another."""

import numpy as np

from ..input.rows import Rows, bits_of
from ..input.sealed import seal
from .rows import LANES, layout_of, sort_rows

_LARGEST = 2**31 - 1
_LIKELY_ROWS, _LIKELY_ENTRIES = 2**20, 2**26  # room for so many is taken before they are there


class Builder:
    """Rows of ``columns``, about ``n_expected`` of them, with values of ``dtype``."""

    def __init__(self, columns, dtype, n_expected):
        self._columns, self._n_expected = columns, n_expected
        indptr = np.zeros(min(n_expected, _LIKELY_ROWS) + 1, np.int64)
        self._rows = Rows(indptr, np.empty(0, np.int32), np.empty(0, dtype))
        self._infinity = bits_of(np.array([np.inf], dtype)).words[0]
        self._largest, self.n_rows = 0, 0

    def add(self, entries, longest, first_row=0):
        """Sort the entries of rows, and add these. ``longest`` is how many one of them has at most.

        ``first_row`` is what to call the first of them in errors.
        """
        n_rows = len(entries.starts) - 1
        self._make_room(n_rows, int(entries.starts[-1] - entries.starts[0]))
        layout = layout_of(self._columns.n_features, longest)
        keys = np.empty(longest * LANES, type(layout.normal))
        largest, broken = sort_rows(
            entries, self._columns, layout, keys, keys.view(f"f{keys.itemsize}"), self._rows,
            bits_of(self._rows.values), self._infinity, self.n_rows,
        )  # fmt: skip
        if broken >= 0:
            raise ValueError(
                f"Row {first_row + broken}: the values of a column add up to one that is too large "
                f"for {self._rows.values.dtype}: scale its numbers, or take them in bins."
            )
        self.n_rows += n_rows
        self._largest = max(self._largest, int(largest))

    def _make_room(self, n_rows, n_entries):
        indptr, indices, values = self._rows
        n_used, n_all = int(indptr[self.n_rows]), self.n_rows + n_rows
        least = n_used + n_entries
        if n_all >= len(indptr):
            indptr = _grown(indptr, self.n_rows + 1, 2 * n_all + 1)
        if least > len(values):
            of_all = int(1.02 * least * max(1, self._n_expected / n_all))
            size = of_all if of_all <= max(_LIKELY_ENTRIES, 2 * least) else 2 * least
            indices, values = (_grown(each, n_used, size) for each in (indices, values))
        self._rows = Rows(indptr, indices, values)

    def sealed(self):
        """The rows so far, as a CSR array that estimators trust."""
        used = int(self._rows.indptr[self.n_rows])
        index = np.int32 if used <= _LARGEST else np.int64
        rows = Rows(
            self._rows.indptr[: self.n_rows + 1].astype(index),
            self._rows.indices[:used].astype(index, copy=False),
            self._rows.values[:used],
        )
        return seal(rows, self._columns.n_features, self._largest)


def _grown(array, n_used, size):
    """An array of ``size`` numbers that begins with the first ``n_used`` of another one."""
    larger = np.empty(size, array.dtype)
    larger[:n_used] = array[:n_used]
    return larger
