"""The state of a head: three NumPy arrays that hold all it remembers."""

import numpy as np

from ._adaptation import adapted, must_adapt, read
from .kernels.learn import State
from .kernels.records import record_of
from .kernels.times import TIME_OF

_TOTALS = np.dtype(
    [("t", np.int64)]
    + [(name, np.float64) for name in ("loss", "weight", "epoch_loss", "epoch_weight")],
    align=True,
)

_PER_FEATURE = {
    "lr_multiplier": "Multiplied.lr",
    "decay_multiplier": "Multiplied.weight_decay",
    "alpha": "alpha",
}

_LINE = 64  # bytes in a cache line


def new_state(bound, n_features, dtype):
    """The state of a head that has seen nothing."""
    for name, value in bound.start.items():
        if np.ndim(value) and len(value) != n_features:
            raise ValueError(
                f"{_PER_FEATURE[name]} has {len(value)} entries, but X has {n_features} features."
            )
    record = np.dtype(
        [(name, TIME_OF[dtype] if name == "since" else dtype) for name in bound.start], align=True
    )
    try:
        cells, intercept = (_aligned(size, record) for size in (n_features, 1))
    except (MemoryError, ValueError) as error:  # numpy's word for more than can be addressed
        raise MemoryError(
            f"A model of {n_features} features needs {n_features * record.itemsize:,} bytes for "
            "every class or target. Hash the features to fewer columns."
        ) from error
    for name, value in bound.start.items():
        if np.any(value):  # memory that is not written is not taken
            cells[name] = value
        intercept[name] = 1.0 if name in _PER_FEATURE else value
    return State(cells, intercept, np.zeros(1, _TOTALS))


def _aligned(size, record):
    """Zeros, beginning where a cache line does: no record of 2, 4, 8 numbers is in two lines."""
    memory = np.zeros(size * record.itemsize + _LINE, np.uint8)
    skipped = -memory.ctypes.data % _LINE
    return memory[skipped : skipped + size * record.itemsize].view(record)


def copy_state(state):
    """An independent copy."""
    return State(*map(_copied, state))


def _copied(array):
    copy = _aligned(len(array), array.dtype)
    copy[:] = array
    return copy


def own_state(state):
    """``state`` itself, or a copy if its memory cannot be written (a mapped file, say)."""
    writable = all(array.flags.writeable and array.flags.aligned for array in state)
    return state if writable else copy_state(state)


def clock(state):
    """How many rows were learnt."""
    return int(state.totals["t"][0])


def field(bound, state, part, name):
    """``name`` of every record of ``part`` of a state; "weight" is what predicts."""
    cells = getattr(state, part)
    if name != "weight":
        return cells[name].copy()
    weights = read(bound, _record(cells), clock(state), part == "intercept")
    return np.array(weights, cells.dtype[0])


def _record(cells):
    return record_of(cells.dtype.names)(*(cells[name] for name in cells.dtype.names))


def adapted_state(state, before, after):
    """``state``, learnt with the rule ``before``, ready to be learnt with the rule ``after``."""
    t = clock(state)
    if not must_adapt(before, after, t):
        return state
    new = new_state(after, len(state.cells), state.cells.dtype[0])
    for part in ("cells", "intercept"):
        record = adapted(_record(getattr(state, part)), before, after, t, part == "intercept")
        for name, values in record._asdict().items():
            getattr(new, part)[name] = values
    new.totals[:] = state.totals
    return new
