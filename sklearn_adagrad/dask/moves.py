"""What some rows of a batch do to a model, taken from one copy of it and given to all others.

Within a batch no weight moves (see ``formulas.batches``): rows are scored by the weights at its
start, and all that they leave is the sum of their gradients, by feature. So the rows of a batch may
be learnt by copies of the model that do not know of one another, and their sums added afterwards.
What else is in a record follows from the record before, and is worked out by every copy.
"""

from typing import NamedTuple

import numpy as np

from ..formulas.rules import last_row
from ..model.adaptation import with_sum
from ..model.state import record_of_cells

_COUNTS = ("_class_counts", "_all_counts")


class Move(NamedTuple):
    """The sums of some rows of a batch, and what else they change."""

    features: np.ndarray  # those that have a sum
    sums: np.ndarray  # of their gradients, with a column for each head if there are several
    intercept: np.ndarray  # its sum in the same form, or no row
    n_rows: int  # that were learnt: those of weight zero are not
    weight: float
    losses: np.ndarray  # by head
    counts: dict  # what is added to the attributes that count labels

    @property
    def nbytes(self):
        return self.features.nbytes + self.sums.nbytes


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


def move_of(model, rows, moment, learn, distinct):
    """The ``Move`` of ``rows``, a CSR array, that ``learn(model)`` makes; the model stays as it is.

    ``moment`` is when the rows are learnt, ``distinct(indices)`` has every feature once.
    """
    model._check_width(rows.shape[1])
    state, tables = model._state, model._state.tables.copy()
    places = {"weights": distinct(rows.indices), "intercept": np.zeros(1, np.intp)}
    records = {name: _taken(tables[name], places[name]) for name in places}
    arrays = state.totals, state.losses, state.beside["batch"]
    values = [each.copy() for each in arrays]
    known = vars(model)
    try:
        _begin(state, records, places, moment)
        learn(model)
        # Tables are others, if all records had to be brought up to date.
        (features, sums), (_, intercept) = (
            _sums_of(state.tables[name], places[name], moment) for name in places
        )
        return Move(
            features, sums, intercept, state.t - moment.t, float(state.totals["weight"][0]),
            state.losses[0].copy(),
            {name: vars(model)[name] - known[name] for name in _COUNTS if name in known},
        )  # fmt: skip
    finally:
        model.__dict__ = known
        state.tables.update(tables)
        for name, each in records.items():
            _put(tables[name], places[name], each)
        for array, before in zip(arrays, values, strict=True):
            array[...] = before


def _begin(state, records, places, moment):
    """Let a state be at that moment, with nothing in the sums of the batch."""
    state.totals["t"], state.totals["weight"], state.losses[:] = moment.t, 0.0, 0.0
    if moment.t == moment.start:
        return
    state.beside["batch"][:] = moment.start, moment.end
    for name, each in records.items():
        begun = each.copy()
        begun["sum"][begun["first"] == _first(begun, moment)] = 0.0
        _put(state.tables[name], places[name], begun)


def _sums_of(table, places, moment):
    """The places that rows have had in this batch, and their sums."""
    records = _taken(table, places)
    first = records["first"] == _first(records, moment)  # of all heads, if of one
    had = first if first.ndim == 1 else first[:, 0]
    return places[had], records["sum"][had]


def _first(records, moment):
    """The first row of the batch as records have it."""
    return np.asarray(moment.start + 1).astype(records.dtype["first"].base)


def _taken(table, places):
    """The records there. NumPy copies bytes faster than records."""
    rows = table.view(np.uint8).reshape(len(table), -1).take(places, axis=0)
    return rows.reshape(-1).view(table.dtype)


def _put(table, places, records):
    _bytes(table)[places] = _bytes(records)


def _bytes(table):
    return table.view(f"V{table.itemsize}")


def added(sums, one, other):
    """Both moves as one."""
    features, total = sums.added(one.features, one.sums, other.features, other.sums)
    intercepts = [each.intercept for each in (one, other) if len(each.intercept)]
    return Move(
        features, total, sum(intercepts[1:], *intercepts[:1] or [one.intercept]),
        one.n_rows + other.n_rows, one.weight + other.weight, one.losses + other.losses,
        {name: count + other.counts[name] for name, count in one.counts.items()},
    )  # fmt: skip


def combined(sums, nodes, n):
    """The moves ``nodes``, added as far as can be, where those of ``n`` parts are to be one.

    They are the leaves of a tree whose every node is the sum of the two below, one of each half of
    these: neighbours are with different workers. Whoever has two that belong together adds them,
    and it makes no difference who does. A node is at a level and a place in it; one without another
    goes up as it is.
    """
    level = 0
    while n > 1:
        half = -(-n // 2)
        for place in range(half):
            pair = (level, place), (level, place + half)
            if place + half == n and pair[0] in nodes:
                nodes[level + 1, place] = nodes.pop(pair[0])
            elif all(each in nodes for each in pair):
                nodes[level + 1, place] = added(sums, *map(nodes.pop, pair))
        n, level = half, level + 1
    return nodes


def apply(model, move, moment):
    """Let ``model`` have learnt the rows of ``move``, in the batch of ``moment``.

    All of it is worked out before, and written again from the beginning if an interrupt comes in
    between: it is learnt or not.
    """
    known, state = vars(model), model._state
    counts = {name: known[name] + more for name, more in move.counts.items()}
    changes = list(_changes(model._bound, state, move, moment))

    def write():
        for array, places, values in changes:
            array[places] = values
        model._commit(counts)

    def write_all():
        try:
            write()
        except KeyboardInterrupt:
            write()
            raise

    state.guard.change(write_all)


def _changes(bound, state, move, moment):
    """Arrays, places in them, and what is to be there."""
    intercept = np.zeros(len(move.intercept), np.intp)
    yield _learnt(bound, state, "weights", move.features, move.sums, moment)
    yield _learnt(bound, state, "intercept", intercept, move.intercept, moment)
    totals = state.totals.copy()
    totals["t"] += move.n_rows
    totals["weight"] += move.weight
    totals["epoch_weight"] += move.weight
    yield state.totals, ..., totals
    yield state.losses, ..., state.losses + move.losses
    if move.n_rows:
        yield state.beside["batch"], ..., (moment.start, moment.end)


def _learnt(bound, state, name, places, gradients, moment):
    table = state.tables[name]
    records = _taken(table, places)
    record = with_sum(bound, record_of_cells(records), gradients, moment.start, name == "intercept")
    for field, values in record._asdict().items():
        records[field] = values
    return _bytes(table), places, _bytes(records)
