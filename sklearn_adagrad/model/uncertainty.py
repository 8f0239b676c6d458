"""How far scores would move if a row were learnt once more."""

import numpy as np

from ..arithmetic.tuples import record_of
from .adaptation import change, refuse_frozen

_PART = 2**18  # entries times heads whose records are copied at a time


def moves(bound, state, rows, fit_intercept):
    """How far the score of each row would move by a gradient of 1 or of -1, the larger of both.

    Of shape (n_rows, n_heads). Nothing of the ``state`` changes.
    """
    refuse_frozen(bound)
    indptr, found = rows.indptr, np.empty((len(rows.indptr) - 1, state.n_heads))
    size, first = max(1, _PART // state.n_heads), 0
    while first < len(found):
        last = int(np.searchsorted(indptr, indptr[first] + size, "right")) - 1
        last = min(max(last, first + 1), first + size, len(found))
        entries = slice(indptr[first], indptr[last])
        part = type(rows)(
            indptr[first : last + 1] - indptr[first],
            rows.indices[entries],
            rows.values[entries].astype(np.float64),
        )
        found[first:last] = _moves_of_part(bound, state, part, fit_intercept)
        first = last
    return found


def _moves_of_part(bound, state, rows, fit_intercept):
    lengths = np.diff(rows.indptr)
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    values = rows.values[:, np.newaxis]
    norms = np.sqrt(np.bincount(row_of, rows.values**2, len(lengths)) + fit_intercept)
    shortened = np.ones((len(lengths), 1))
    too_long = norms > bound.max_norm
    shortened[too_long, 0] = bound.max_norm / norms[too_long]
    record = _record(state.tables["weights"][rows.indices])
    intercept = _record(state.tables["intercept"])
    largest = np.zeros((len(lengths), state.n_heads))
    for sign in (1.0, -1.0):
        gradient, moved = sign * shortened, np.zeros_like(largest)
        changes = values * change(bound, record, gradient[row_of] * values, state.t)
        np.add.at(moved, row_of, changes[:, : state.n_heads])
        if fit_intercept:
            moved += change(bound, intercept, gradient, state.t, True)[:, : state.n_heads]
        largest = np.maximum(largest, abs(moved))
    return largest


def _record(cells):
    """Records as arrays with a column for each head; sums in float64 need no random rounding."""
    shape = len(cells), *(cells.dtype[0].shape or (1,))
    fields = (cells[name].reshape(shape) for name in cells.dtype.names)
    return record_of(cells.dtype.names)(
        *(each.astype(np.float64) if each.dtype.kind == "f" else each for each in fields)
    )
