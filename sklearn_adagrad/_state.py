"""The state of a model: NumPy arrays that hold all it remembers.

With several heads (outputs, candidates), every field of a record holds a number for each. They
fill up whole vectors, so there may be more numbers than heads.
"""

import numpy as np

from ._adaptation import adapted, must_adapt, read, spread
from ._rules import unstacked
from .kernels.heads import by_head, padded
from .kernels.learn import State
from .kernels.records import record_of
from .kernels.times import TIME_OF

_TOTALS = np.dtype(
    [("t", np.int64), ("weight", np.float64), ("epoch_weight", np.float64)], align=True
)

_PER_FEATURE = {
    "lr_multiplier": "Multiplied.lr",
    "decay_multiplier": "Multiplied.weight_decay",
    "alpha": "alpha",
}

_LINE = 64  # bytes in a cache line


def new_state(bound, n_features, dtype, n_outputs):
    """The state of a model that has seen nothing."""
    n_heads = n_outputs * bound.n_candidates
    for name, value in bound.start.items():
        if np.ndim(value) == 1 and len(value) != n_features:
            raise ValueError(
                f"{_PER_FEATURE[name]} has {len(value)} entries, but X has {n_features} features."
            )
    record = record_dtype(bound, dtype, n_heads)
    try:
        cells, intercept = (_aligned(size, record) for size in (n_features, 1))
    except (MemoryError, ValueError) as error:  # numpy's word for more than can be addressed
        raise MemoryError(
            f"A model of {n_features} features and {n_heads} heads needs "
            f"{n_features * record.itemsize:,} bytes. Hash the features to fewer columns."
        ) from error
    for name, value in bound.start.items():
        value = by_head(value, n_heads)
        if np.any(value):  # memory that is not written is not taken
            cells[name] = spread(value, cells[name])
        intercept[name] = 1.0 if name in _PER_FEATURE else value
    return State(cells, intercept, np.zeros(1, _TOTALS), np.zeros((2, n_heads)))


def record_dtype(bound, dtype, n_heads):
    """The dtype of the record of a feature."""
    shape = () if n_heads == 1 else (padded(n_heads),)
    return np.dtype(
        [(name, TIME_OF[dtype] if name == "since" else dtype, shape) for name in bound.start],
        align=True,
    )


def candidate_state(state, stacked, n, bound):
    """What candidate ``n`` of a ``stacked`` rule has learnt, as a state of the rule ``bound``."""
    if stacked.n_candidates == 1:
        return copy_state(state)
    n_outputs = state.losses.shape[1] // stacked.n_candidates
    heads = slice(n * n_outputs, (n + 1) * n_outputs)
    before = unstacked(stacked, n)
    new = new_state(before, len(state.cells), dtype_of(state), n_outputs)
    for part in ("cells", "intercept"):
        for name in before.start:
            field, source = getattr(new, part)[name], getattr(state, part)[name][:, heads]
            if n_outputs == 1:
                field[:] = source[:, 0]
            else:
                field[:, :n_outputs] = source
    new.totals[:], new.losses[:] = state.totals, state.losses[:, heads]
    return adapted_state(new, before, bound)


def _aligned(size, record):
    """Zeros, beginning where a cache line does: no record of 2, 4, 8 numbers is in two lines."""
    memory = np.zeros(size * record.itemsize + _LINE, np.uint8)
    skipped = -memory.ctypes.data % _LINE
    return memory[skipped : skipped + size * record.itemsize].view(record)


def copy_state(state):
    """An independent copy."""
    return State(*map(_copied, state))


def _copied(array):
    copy = _aligned(array.size, array.dtype).reshape(array.shape)
    copy[:] = array
    return copy


def own_state(state):
    """``state`` itself, or a copy if its memory cannot be written (a mapped file, say)."""
    writable = all(array.flags.writeable and array.flags.aligned for array in state)
    return state if writable else copy_state(state)


def dtype_of(state):
    """The dtype of the weights."""
    return state.cells.dtype[0].base


def clock(state):
    """How many rows were learnt."""
    return int(state.totals["t"][0])


def field(bound, state, part, name):
    """``name`` of every record of ``part``, a row for each head; "weight" is what predicts."""
    cells = getattr(state, part)
    if name == "weight":
        values = read(bound, _record(cells), clock(state), part == "intercept")
    else:
        values = cells[name]
    values = values.reshape(len(cells), -1)[:, : state.losses.shape[1]]
    return np.array(values.T, dtype_of(state), order="C")


def _record(cells):
    return record_of(cells.dtype.names)(*(cells[name] for name in cells.dtype.names))


def adapted_state(state, before, after):
    """``state``, learnt with the rule ``before``, ready to be learnt with the rule ``after``."""
    t = clock(state)
    if before is after or not must_adapt(before, after, t):
        return state
    new = new_state(after, len(state.cells), dtype_of(state), state.losses.shape[1])
    for part in ("cells", "intercept"):
        record = adapted(_record(getattr(state, part)), before, after, t, part == "intercept")
        for name, values in record._asdict().items():
            getattr(new, part)[name] = values
    return new._replace(totals=state.totals, losses=state.losses)
