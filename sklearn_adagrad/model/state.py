"""The state of a model: NumPy arrays that hold all it remembers.

With several heads (outputs, candidates), every field of a record holds a number for each. They
fill up whole vectors, so there may be more numbers than heads.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.lanes import padded
from ..arithmetic.times import TIME_OF
from ..arithmetic.tuples import record_of
from ..formulas.rules import is_batched, is_scale_free
from .adaptation import adapted, by_head, must_adapt, read, spread, up_to_date
from .binding import unstacked
from .guard import Guard
from .mixing import averaged, leading

_TOTALS = np.dtype(
    [("t", np.int64), ("weight", np.float64), ("epoch_weight", np.float64)], align=True
)

_LINE = 64  # bytes in a cache line
_BY_HEAD = ("targets", "batch_shares")  # what of ``beside`` has a column for each head
_OF_BATCH = ("batch", "batch_shares")  # and what is of the batch that has begun


class State(NamedTuple):
    """All that a model remembers.

    ``tables`` are arrays of records by their names: "weights" has one for each feature, "intercept"
    a single one.

    ``totals`` is one record: the clock ``t`` (rows learnt), the sum of the weights of these rows,
    and that of this epoch. ``losses`` holds, for every head, the weighted sum of the losses of all
    rows just before each was learnt, and in its second row the sum of this epoch: as a difference
    of large sums it would be inexact.

    ``beside`` has what rules know of all rows: of scale-free ones "largest", "sums" and "targets"
    (see ``engines/cpu/scaling``); of learners that are averaged "lost" and "shares" (see
    ``engines/cpu/mixture``); of those that learn in batches "batch" and "batch_shares" (see
    ``engines/cpu/batches``).

    Arrays are changed in place, and only within ``guard.change``; two states share none.
    """

    tables: dict
    totals: np.ndarray
    losses: np.ndarray
    beside: dict
    guard: Guard

    @property
    def n_heads(self):
        return self.losses.shape[1]

    @property
    def n_features(self):
        return len(self.tables["weights"])

    @property
    def dtype(self):
        """That of the weights."""
        return self.tables["weights"].dtype[0].base

    @property
    def n_bytes(self):
        """How many bytes the tables take."""
        return sum(table.nbytes for table in self.tables.values())

    @property
    def t(self):
        """How many rows were learnt."""
        return int(self.totals["t"][0])

    def mapped(self, function):
        """The state with ``function`` of every array."""
        tables, beside = (
            {name: function(array) for name, array in each.items()}
            for each in (self.tables, self.beside)
        )
        return State(tables, function(self.totals), function(self.losses), beside, Guard())

    @property
    def n_outputs(self):
        """How many outputs have a score: heads, but of learners that are averaged the means."""
        return self.lost.shape[1]

    @property
    def lost(self):
        """The losses of what predicts, in rows as ``losses`` has those of the heads."""
        return self.beside.get("lost", self.losses)


def new_state(bound, n_features, dtype, n_outputs, random=None):
    """The state of a model that has seen nothing; ``random`` is for rules that begin at random."""
    n_heads = n_outputs * bound.n_candidates
    for name, value in bound.start.items():
        if np.ndim(value) == 1 and len(value) != n_features:
            raise ValueError(
                f"{bound.given[name]} has {len(value)} entries, but X has {n_features} features."
            )
    record = record_dtype(bound, dtype, n_heads)
    sizes = {"weights": n_features, "intercept": 1}
    try:
        tables = {name: _aligned(size, record) for name, size in sizes.items()}
    except (MemoryError, ValueError) as error:  # numpy's word for more than can be addressed
        raise MemoryError(
            f"A model of {n_features} features with {n_heads} weight(s) each needs "
            f"{n_features * record.itemsize:,} bytes. Hash the features to fewer columns."
        ) from error
    for name, value in bound.start.items():
        value, weights = by_head(value, n_heads), tables["weights"][name]
        if np.any(value):  # memory that is not written is not taken
            weights[...] = spread(value, weights)
        tables["intercept"][name] = 1.0 if name in bound.given else value
    if random is not None:
        shape = (n_features, *record[0].shape)
        for name, values in bound.drawn(random, shape).items():
            tables["weights"][name] = values
    beside = _beside(bound, n_features, dtype, n_heads)
    return State(tables, np.zeros(1, _TOTALS), np.zeros((2, n_heads)), beside, Guard())


def _beside(bound, n_features, dtype, n_heads):
    beside = {}
    if is_scale_free(bound.rule):
        n_columns = n_features if np.any(bound.settings.by_column) else 0
        beside |= {
            "largest": np.zeros(n_columns, dtype),
            "sums": np.zeros(3),
            "targets": np.zeros((2, n_heads)),
        }
    if bound.mixes:
        beside["lost"] = np.zeros((3, n_heads // bound.n_candidates))
        beside["shares"] = np.full(n_heads, 1.0 / bound.n_candidates)
    if is_batched(bound.rule):
        beside["batch"] = np.zeros(2, np.int64)
        if "row_share" in bound.pending:
            beside["batch_shares"] = np.zeros((2, n_heads))
    return beside


def record_dtype(bound, dtype, n_heads):
    """The dtype of the record of a feature."""
    shape = () if n_heads == 1 else (padded(n_heads),)
    return np.dtype(
        [(name, TIME_OF[dtype] if name in bound.times else dtype, shape) for name in bound.start],
        align=True,
    )


def candidate_state(state, stacked, n, bound):
    """What candidate ``n`` of a ``stacked`` rule has learnt, as a state of the rule ``bound``."""
    if stacked.n_candidates == 1:
        return copy_state(state)
    return state.guard.read(lambda: _candidate_state(state, stacked, n, bound))


def _candidate_state(state, stacked, n, bound):
    n_outputs = state.n_heads // stacked.n_candidates
    heads = slice(n * n_outputs, (n + 1) * n_outputs)
    before = unstacked(stacked, n)
    new = new_state(before, state.n_features, state.dtype, n_outputs)
    for name, table in new.tables.items():
        for field in before.start:
            source = state.tables[name][field][:, heads]
            if n_outputs == 1:
                table[field] = source[:, 0]
            else:
                table[field][:, :n_outputs] = source
    new.totals[:], new.losses[:] = state.totals, state.losses[:, heads]
    for name, array in new.beside.items():
        if array.size:  # the scales of columns may be others' alone
            own = state.beside[name]
            array[...] = own[:, heads] if name in _BY_HEAD else own
    return adapted_state(new, before, bound)


def _aligned(size, record):
    """Zeros, beginning where a cache line does: no record of 2, 4, 8 numbers is in two lines."""
    memory = np.zeros(size * record.itemsize + _LINE, np.uint8)
    skipped = -memory.ctypes.data % _LINE
    return memory[skipped : skipped + size * record.itemsize].view(record)


def copy_state(state):
    """An independent copy."""
    return state.guard.read(lambda: state.mapped(_copied))


def copy_into(state, other):
    """Let ``other``, whose arrays are of the same kind, be equal to ``state``."""
    state.guard.read(lambda: other.guard.change(lambda: _copy_into(state, other)))


def _copy_into(state, other):
    for name, table in state.tables.items():
        _copy_bytes(table, other.tables[name])
    for name, array in state.beside.items():
        np.copyto(other.beside[name], array)
    np.copyto(other.totals, state.totals)
    np.copyto(other.losses, state.losses)


def _copied(array):
    copy = _aligned(array.size, array.dtype).reshape(array.shape)
    _copy_bytes(array, copy)
    return copy


def _copy_bytes(array, other):
    """NumPy copies arrays of records one record at a time, and bytes at the speed of memory."""
    if array.flags.c_contiguous and array.size:
        array, other = array.reshape(-1).view(np.uint8), other.reshape(-1).view(np.uint8)
    np.copyto(other, array)


def own_state(state):
    """``state`` itself, or a copy if its memory cannot be written (a mapped file, say)."""
    arrays = (*state.tables.values(), *state.beside.values(), state.totals, state.losses)
    writable = all(array.flags.writeable and array.flags.aligned for array in arrays)
    return state if writable else copy_state(state)


def settle(bound, state):
    """Bring all records up to date, those of a table in one moment."""
    t = state.t
    if is_batched(bound.rule):
        first, last = state.beside["batch"]
        t = int(first) if t < last else t
    for name, table in list(state.tables.items()):
        settled = _copied(table)
        record, _ = up_to_date(bound, record_of_cells(table), t, name == "intercept")
        for each, values in record._asdict().items():
            settled[each] = values
        state.tables[name] = settled


def field(bound, state, table, name):
    """``name`` of every record of a table, a row for each head; "weight" is what predicts.

    Weights are for rows as they are. Of learners that are averaged, theirs are too; any other
    field is that of the one which counts most.
    """
    return state.guard.read(lambda: _field(bound, state, table, name))


def _field(bound, state, table, name):
    cells = state.tables[table]
    if name == "weight":
        values = read(bound, record_of_cells(cells), state.t, table == "intercept")
    elif is_batched(bound.rule):
        record, _ = up_to_date(bound, record_of_cells(cells), state.t, table == "intercept")
        values = getattr(record, name)
    else:
        values = cells[name]
    values = values.reshape(len(cells), -1)[:, : state.n_heads].T
    if name == "weight" and state.beside:
        values = _unscaled(bound, state, table, values)
    if bound.mixes:
        values = averaged(state, values) if name == "weight" else leading(state, values)
    values = np.array(values, state.dtype, order="C")
    values.flags.writeable = False  # a copy: what is written into it would have no effect
    return values


def _unscaled(bound, state, table, weights):
    """The ``weights`` of columns that were divided, or of targets from which a mean was taken."""
    if "largest" not in state.beside:
        return weights
    if table == "intercept":
        return weights + state.beside["targets"][0][:, np.newaxis]
    largest = state.beside["largest"]
    if not len(largest):
        return weights
    by_column = by_head(bound.settings.by_column, state.n_heads)
    inverse = np.divide(1.0, largest, out=np.zeros_like(largest), where=largest > 0)
    if np.ndim(by_column) == 0:
        return weights * inverse
    return np.where(by_column[0, : state.n_heads, np.newaxis] > 0, weights * inverse, weights)


def record_of_cells(cells):
    """All records of a table as one, whose fields are arrays."""
    return record_of(cells.dtype.names)(*(cells[name] for name in cells.dtype.names))


def adapted_state(state, before, after):
    """``state``, learnt with the rule ``before``, ready to be learnt with the rule ``after``."""
    if before is after or not must_adapt(before, after, state.t):
        return state
    return state.guard.read(lambda: _adapted_state(state, before, after))


def _adapted_state(state, before, after):
    new = new_state(after, state.n_features, state.dtype, state.n_heads // after.n_candidates)
    for name, table in new.tables.items():
        record = record_of_cells(state.tables[name])
        record = adapted(record, before, after, state.t, name == "intercept")
        for field, values in record._asdict().items():
            table[field] = values
    new.totals[:], new.losses[:] = state.totals, state.losses
    for name, array in new.beside.items():
        if name not in _OF_BATCH:  # what was pending has been settled
            array[...] = state.beside[name]
    return new
