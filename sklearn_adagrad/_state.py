"""The state of a head: three NumPy arrays that hold all it remembers."""

import numpy as np

from .kernels.learn import State

_TOTALS = np.dtype(
    [("t", np.int64)]
    + [(name, np.float64) for name in ("loss", "weight", "epoch_loss", "epoch_weight")],
    align=True,
)


def new_state(rule, n_features, dtype):
    """The state of a head that has seen nothing."""
    record = np.dtype([(name, dtype) for name in rule.Record._fields], align=True)
    start = tuple(rule.start())
    try:
        cells, intercept = (
            np.full(size, np.array(start, record)) if any(start) else np.zeros(size, record)
            for size in (n_features, 1)
        )
    except (MemoryError, ValueError) as error:  # numpy's word for more than can be addressed
        raise MemoryError(
            f"A model of {n_features} features needs {n_features * record.itemsize:,} bytes for "
            "every class or target. Hash the features to fewer columns."
        ) from error
    return State(cells, intercept, np.zeros(1, _TOTALS))


def copy_state(state):
    """An independent copy."""
    return State(*(array.copy() for array in state))


def own_state(state):
    """``state`` itself, or a copy if its memory cannot be written (a mapped file, say)."""
    writable = all(array.flags.writeable and array.flags.aligned for array in state)
    return state if writable else copy_state(state)


def clock(state):
    """How many rows were learnt."""
    return int(state.totals["t"][0])


def field(rule, cells, t, name):
    """What ``rule`` calls ``name`` of every record, ``"weight"`` being settled to row ``t``."""
    record = rule.Record(*(cells[each] for each in cells.dtype.names))
    return rule.weight(record, t) if name == "weight" else getattr(record, name)
