"""Values of Python, row by row, as the raw values of fields: what a few rows need, and no library.

They are read as a table of them would be: see ``tables``. What would not be one, or be of a type
that only a library knows, is left to it.
"""

from collections.abc import Mapping

import numpy as np

from .entries import Ranges
from .numbers import parse_numbers

_MOST_ROWS = 64  # for more of them a table is faster
_LARGEST = 2**63
_LONGEST = 2**31 - 1
# By the types of a column's values that are not missing: its form, and what Arrow calls its type.
_FORMS = {
    frozenset(): ("texts", "null"),
    frozenset({str}): ("texts", "string"),
    frozenset({bool}): ("integers", "bool"),
    frozenset({int}): ("integers", "int64"),
    frozenset({float}): ("numbers", "double"),
}


def values_of(X):
    """``X`` as ``Values``, if it is a row or a few rows of plain values, else None."""
    rows = [X] if isinstance(X, Mapping) and len(X) else X
    if not (isinstance(rows, list | tuple) and 0 < len(rows) <= _MOST_ROWS):
        return None
    if not all(isinstance(row, Mapping) for row in rows):
        return None
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [[_known(row.get(name)) for row in rows] for name in names]
    if not names or not all(type(name) is str for name in names):
        return None
    forms = [_FORMS.get(frozenset(map(type, column)) - {type(None)}) for column in columns]
    if None in forms or not all(map(_is_in_range, columns)):
        return None
    return Values(names, forms, columns)


def _known(value):
    """``value``, or None for NaN, which is a missing value."""
    return None if type(value) is float and value != value else value


def _is_in_range(column):
    if any(type(value) is int and not -_LARGEST <= value < _LARGEST for value in column):
        return False
    texts = [value for value in column if type(value) is str]
    try:
        return sum(len(text.encode()) for text in texts) <= _LONGEST
    except UnicodeEncodeError:
        return False


class Values:
    """Rows as a ``Plan`` reads them."""

    def __init__(self, names, forms, columns):
        self.names, self.forms, self._columns = names, forms, columns
        self.n_rows, self._known = len(columns[0]), {}

    def batches(self, keep_missing):
        """These rows as the only batch."""
        self._keep_missing = keep_missing
        return [self]

    def form(self, position):
        return self.forms[position][0]

    def texts(self, position):
        if position not in self._known:
            texts = [None if each is None else each.encode() for each in self._columns[position]]
            lengths = [len(each or b"") for each in texts]
            lasts = np.cumsum(lengths, dtype=np.int32)
            firsts = lasts - np.array(lengths, np.int32)
            if not self._keep_missing:
                lasts = np.where([each is None for each in texts], firsts - np.int32(1), lasts)
            data = np.frombuffer(b"".join(each or b"" for each in texts), np.uint8)
            self._known[position] = Ranges(data, firsts.reshape(-1, 1), lasts.reshape(-1, 1))
        return self._known[position], 0

    def integers(self, position):
        column = self._columns[position]
        present = np.array([each is not None for each in column])
        return np.array([each or 0 for each in column], np.int64), present

    def numbers(self, position):
        if self.form(position) == "texts":
            return parse_numbers(*self.texts(position), f"field {self.names[position]!r}")
        column = self._columns[position]
        return np.array([np.nan if each is None else each for each in column], np.float64)
