"""How far scores would move if a row were learnt once more."""

import numpy as np

from ..arithmetic.tuples import record_of
from ..formulas.rules import is_scale_free
from .adaptation import by_head, change, refuse_frozen
from .mixing import averaged

_PART = 2**18  # entries times heads whose records are copied at a time


def moves(bound, state, rows, fit_intercept, has_unit):
    """How far the score of each row would move by a gradient of 1 or of -1, the larger of both.

    Of shape (n_rows, n_outputs). Nothing of the ``state`` changes. ``has_unit`` says that scores
    are in the units of the targets.
    """
    refuse_frozen(bound)
    indptr, found = rows.indptr, np.empty((len(rows.indptr) - 1, state.n_outputs))
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
        found[first:last] = _moves_of_part(bound, state, part, fit_intercept, has_unit)
        first = last
    return found


def _moves_of_part(bound, state, rows, fit_intercept, has_unit):
    n_rows, lengths = len(rows.indptr) - 1, np.diff(rows.indptr)
    row_of = np.repeat(np.arange(n_rows), lengths)

    def squares(values):
        """The squared norms of rows with these values."""
        found = np.zeros((n_rows, values.shape[1]))
        np.add.at(found, row_of, values**2)
        return found + fit_intercept

    values, share = rows.values[:, np.newaxis], np.ones((n_rows, 1))
    if is_scale_free(bound.rule):
        values, share = _scaled(bound, state, rows, squares, has_unit)
    norms = np.sqrt(squares(values))
    shortened = np.ones_like(norms)
    too_long = norms > bound.max_norm
    shortened[too_long] = bound.max_norm / norms[too_long]
    record = _record(state.tables["weights"][rows.indices])
    intercept = _record(np.repeat(state.tables["intercept"], n_rows))
    largest = np.zeros((n_rows, state.n_outputs))
    for sign in (1.0, -1.0):
        gradient, moved = sign * shortened, np.zeros((n_rows, state.n_heads))
        changes = change(bound, record, gradient[row_of] * values, share[row_of], state.t)
        np.add.at(moved, row_of, (values * changes)[:, : state.n_heads])
        if fit_intercept:
            changes = change(bound, intercept, gradient, share, state.t, True)
            moved += changes[:, : state.n_heads]
        moved = averaged(state, moved.T).T if bound.mixes else moved
        largest = np.maximum(largest, abs(moved))
    return largest


def _scaled(bound, state, rows, squares, has_unit):
    """What a scale-free rule makes of entries if their row is learnt, and what multiplies its step.

    A column for each head, or one for all. Scales are those with the row, but for the unit of
    targets: that of the row is not known.
    """
    (mass, total, longest), deviations = state.beside["sums"], state.beside["targets"][1]
    by_column = by_head(bound.settings.by_column, state.n_heads)
    values, largest = rows.values[:, np.newaxis], state.beside["largest"]
    divided = values
    if len(largest):
        scales = np.maximum(largest[rows.indices, np.newaxis], abs(values))
        divided = np.divide(values, scales, out=np.zeros_like(values), where=scales > 0)
    unit = np.ones((1, *(state.tables["weights"].dtype[0].shape or (1,))))
    if has_unit:
        unit[0, : state.n_heads] = deviations / mass if mass > 0 else 0.0
    with np.errstate(divide="ignore"):
        of_columns = (mass + 1.0) / (total + squares(divided))
        of_rows = 1.0 / np.maximum(longest, squares(values))
        step = unit * np.where(by_column > 0, of_columns, of_rows)
    step = np.sqrt(np.where(step < np.inf, step, 0.0))
    return np.where(by_column > 0, divided, values), step


def _record(cells):
    """Records as arrays with a column for each head; sums in float64 need no random rounding."""
    shape = len(cells), *(cells.dtype[0].shape or (1,))
    fields = (cells[name].reshape(shape) for name in cells.dtype.names)
    return record_of(cells.dtype.names)(
        *(each.astype(np.float64) if each.dtype.kind == "f" else each for each in fields)
    )
