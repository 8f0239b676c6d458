"""Sparse rows that are put together from the entries of one batch after another."""

import numpy as np

from ..input.rows import Rows, bits_of
from ..input.sealed import seal
from .rows import LANES, layout_of, sort_rows

_LARGEST = 2**31 - 1
_LIKELY = 2**26  # entries: so many are taken at once where the first rows let expect them


class Builder:
    """Rows of ``columns``, about ``n_expected`` of them, with values of ``dtype``.

    ``spare`` are ``Rows`` of lists, or of None: arrays to take, which come back to them when nobody
    has these rows any longer. New memory costs a tenth of the time that it takes to read rows.
    """

    def __init__(self, columns, dtype, n_expected, spare=None):
        self._columns, self._n_expected, self._spare = columns, n_expected, spare
        indices, values = np.empty(0, np.int32), np.empty(0, dtype)
        if spare is not None and spare.indices and spare.values:
            indices, values = spare.indices.pop(), spare.values.pop()
            n = min(len(indices), len(values))
            indices, values = indices[:n], values[:n]
        self._rows = Rows(np.zeros(1, np.int64), indices, values)
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
                f"Row {first_row + broken} has a value that is too large for "
                f"{self._rows.values.dtype}: scale its numbers, or take them in bins."
            )
        self.n_rows += n_rows
        self._largest = max(self._largest, int(largest))

    def _make_room(self, n_rows, n_entries):
        n_used = int(self._rows.indptr[self.n_rows])
        least = n_used + n_entries
        if self.n_rows + n_rows >= len(self._rows.indptr):
            size = max(self._n_expected, self.n_rows + n_rows) + 1
            self._grow(n_used, size, len(self._rows.values))
        if least > len(self._rows.values):
            of_all = int(1.02 * least * max(1, self._n_expected / (self.n_rows + n_rows)))
            size = of_all if of_all <= max(_LIKELY, 2 * least) else 2 * least
            self._grow(n_used, len(self._rows.indptr), size)

    def _grow(self, n_used, n_rows, n_entries):
        rows = Rows(
            np.empty(n_rows, np.int64),
            np.empty(n_entries, np.int32),
            np.empty(n_entries, self._rows.values.dtype),
        )
        for new, old, used in zip(rows, self._rows, (self.n_rows + 1, n_used, n_used), strict=True):
            new[:used] = old[:used]
        self._rows = rows

    def sealed(self):
        """The rows so far, as a CSR array that estimators trust."""
        used = int(self._rows.indptr[self.n_rows])
        index = np.int32 if used <= _LARGEST else np.int64
        rows = Rows(
            self._rows.indptr[: self.n_rows + 1].astype(index),
            self._rows.indices[:used].astype(index, copy=False),
            self._rows.values[:used],
        )
        spare = self._spare if index == np.int32 else None
        return seal(rows, self._columns.n_features, self._largest, spare)
