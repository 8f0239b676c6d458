"""What some rows of a batch do to a model, taken from one copy of it and given to another.

Within a batch no weight moves (see ``formulas.batches``): rows are scored by the weights at its
start, and all that they leave is the sum of their gradients in the records of their features. So
the rows of a batch may be learnt by copies of the model that do not know of one another, and their
sums added afterwards, in the order of the pieces.
"""

from typing import NamedTuple

import numpy as np

from ..formulas.rules import last_row

_COUNTS = ("_class_counts", "_all_counts")


class Move(NamedTuple):
    """The records of the features that some rows of a batch have, and what else they change.

    The sums in the records are those of these rows alone.
    """

    features: np.ndarray
    records: np.ndarray
    intercept: np.ndarray
    n_rows: int  # that were learnt: those of weight zero are not
    weight: float
    losses: np.ndarray  # by head
    counts: dict  # what is added to the attributes that count labels


class Moment(NamedTuple):
    """A moment in a batch: after ``t`` rows, in the batch from row ``start + 1`` to ``end``."""

    t: int
    start: int
    end: int


def moment_of(model):
    """Where a model is, with the batch of its next row."""
    state = model._state
    t = state.t
    start, end = map(int, state.beside["batch"])
    if t >= end:
        start, end = t, int(last_row(model._bound.rule, t))
    return Moment(t, start, end)


def move_of(model, rows, moment, learn):
    """The ``Move`` of ``rows``, a CSR array, that ``learn(model)`` makes; the model stays as it is.

    ``moment`` is when the rows are learnt.
    """
    model._check_width(rows.shape[1])
    state, tables = model._state, model._state.tables.copy()
    table, intercept = tables["weights"], tables["intercept"]
    marks = np.zeros(len(table), bool)
    marks[rows.indices] = True
    features = np.flatnonzero(marks).astype(np.uint32 if len(table) < 2**32 else np.uint64)
    arrays = (intercept, state.totals, state.losses, state.beside["batch"])
    before = table[features], *(each.copy() for each in arrays)
    known = vars(model)
    try:
        _begin(state, features, moment)
        learn(model)
        learnt = state.tables["weights"]  # others, if all records had to be brought up to date
        touched = features[_are_of(learnt, features, moment)]
        return Move(
            touched, learnt[touched], state.tables["intercept"].copy(), state.t - moment.t,
            float(state.totals["weight"][0]), state.losses[0].copy(),
            {name: vars(model)[name] - known[name] for name in _COUNTS if name in known},
        )  # fmt: skip
    finally:
        model.__dict__ = known
        state.tables.update(tables)
        table[features] = before[0]
        for array, values in zip(arrays, before[1:], strict=True):
            array[...] = values


def _begin(state, features, moment):
    """Let a state be at that moment, with nothing in the sums of the batch."""
    state.totals["t"], state.totals["weight"], state.losses[:] = moment.t, 0.0, 0.0
    if moment.t > moment.start:
        state.beside["batch"][:] = moment.start, moment.end
    for table, places in ((state.tables["weights"], features), (state.tables["intercept"], [0])):
        records = table[places]
        records["sum"][records["first"] == _first(table, moment)] = 0.0
        table[places] = records


def _first(table, moment):
    """The first row of the batch as records have it."""
    return np.asarray(moment.start + 1).astype(table.dtype["first"].base)


def add(model, moves, moment):
    """Let ``model`` have learnt the rows of all ``moves``; the features that they have."""
    for move in moves:
        known = vars(model)
        model._commit({name: known[name] + more for name, more in move.counts.items()})
    return model._state.guard.change(lambda: _add(model._state, moves, moment))


def _add(state, moves, moment):
    table, intercept = state.tables["weights"], state.tables["intercept"]
    marks = np.zeros(len(table), bool)
    for move in moves:
        marks[move.features] = True
        _add_records(table, move.features, move.records, moment)
        _add_records(intercept, np.zeros(1, np.intp), move.intercept, moment)
        state.totals["t"] += move.n_rows
        state.totals["weight"] += move.weight
        state.totals["epoch_weight"] += move.weight
        state.losses[...] += move.losses
    if any(move.n_rows for move in moves):
        state.beside["batch"][:] = moment.start, moment.end
    return np.flatnonzero(marks)


def _add_records(table, places, records, moment):
    every = np.arange(len(records))
    learnt, begun = _are_of(records, every, moment), _are_of(table, places, moment)
    new, more = learnt & ~begun, learnt & begun
    table[places[new]] = records[new]
    sums = table[places[more]]
    sums["sum"] += records["sum"][more]
    table[places[more]] = sums


def _are_of(table, places, moment):
    """Whether records are of features that the batch has; all heads of one are."""
    first = table["first"][places]
    return (first if first.ndim == 1 else first[:, 0]) == _first(table, moment)


class Update(NamedTuple):
    """What is new in a model: its records of these features, and what is beside them."""

    features: np.ndarray
    records: np.ndarray
    intercept: np.ndarray
    totals: np.ndarray
    losses: np.ndarray
    batch: np.ndarray
    counts: dict


def update_of(model, features):
    state = model._state
    return Update(
        features, state.tables["weights"][features], state.tables["intercept"].copy(),
        state.totals.copy(), state.losses.copy(), state.beside["batch"].copy(),
        {name: vars(model)[name] for name in _COUNTS if name in vars(model)},
    )  # fmt: skip


def bring_up_to_date(model, update):
    """Let a copy of the model before be the model after."""
    state = model._state
    state.tables["weights"][update.features] = update.records
    state.tables["intercept"][:] = update.intercept
    state.totals[:], state.losses[:] = update.totals, update.losses
    state.beside["batch"][:] = update.batch
    model._commit(update.counts)
