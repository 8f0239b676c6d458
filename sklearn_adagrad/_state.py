"""The state of a head: three NumPy arrays that hold all it remembers."""

import numpy as np

from .kernels.learn import State
from .kernels.records import record_of
from .kernels.rules import at, local, renewed, settled, settles, unpenalised, weight
from .kernels.times import TIME_OF

_TOTALS = np.dtype(
    [("t", np.int64)]
    + [(name, np.float64) for name in ("loss", "weight", "epoch_loss", "epoch_weight")],
    align=True,
)

# The fields of a record that hold hyper-parameters, or follow from them.
_GIVEN = {"lr_multiplier", "decay_multiplier", "alpha", "share", "since"}

# Those that an intercept does not have (it is as if they were 1), as the user knows them.
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
    t = clock(state)
    record, now = _settled(bound, cells, part, t)
    return np.array(weight(bound.reading, record, now), cells.dtype[0])


def _settled(bound, cells, part, t):
    """All records at once, settled through row ``t``, and what the rule needs to read them."""
    record = _record(cells)
    now = local(bound.rule, record, _now(bound, part, t))
    return settled(bound.rule, record, t, now), now


def _now(bound, part, t):
    now = at(bound.rule, bound.settings, t)
    return unpenalised(now) if part == "intercept" else now


def _record(cells):
    return record_of(cells.dtype.names)(*(cells[name] for name in cells.dtype.names))


def adapted(state, before, after):
    """``state``, learnt with the rule ``before``, ready to be learnt with the rule ``after``.

    What is due by the one is settled before the other takes over.
    """
    t = clock(state)
    if not _must_adapt(before, after, t):
        return state
    new = new_state(after, len(state.cells), state.cells.dtype[0])
    for part in ("cells", "intercept"):
        cells = getattr(new, part)
        record, now = _settled(before, getattr(state, part), part, t)
        weights = weight(before.rule, record, now)
        for name in set(record._fields) & set(after.start) - _GIVEN:
            cells[name] = getattr(record, name)
        if "since" in after.start:
            cells["since"] = t
        record = _record(cells)
        now = local(after.rule, record, _now(after, part, t))
        record = renewed(after.rule, record, now)
        for name, values in record._asdict().items():
            cells[name] = values
        if "missed" in after.start:
            cells["missed"] *= before.rule.first_row == after.rule.first_row
            rows = max(t + 1 - after.rule.first_row, 0)
            cells["missed"] += rows * (weight(after.rule, record, now) - weights)
    new.totals[:] = state.totals
    return new


def _must_adapt(before, after, t):
    kinds = [type(each.base) for each in (before, after)]
    if kinds[0] is not kinds[1]:
        raise ValueError(
            f"rule cannot change from {kinds[0].__name__} to {kinds[1].__name__} once rows were "
            "learnt: fit a new model."
        )
    if ("missed" in before.start) != ("missed" in after.start):
        raise ValueError("rule cannot begin or cease to be Averaged once rows were learnt: fit a "
                         "new model.")  # fmt: skip
    if "missed" in after.start and before.rule.first_row != after.rule.first_row <= t:
        raise ValueError(
            f"Averaged.first_row cannot change to {after.rule.first_row:g} after {t} rows: it must "
            "be a later row, or as it was."
        )
    if list(before.start) != list(after.start):
        return True
    if any(not np.array_equal(before.start[name], after.start[name])
           for name in _GIVEN & set(after.start)):  # fmt: skip
        return True
    remembers = settles(before.rule) or {"z", "missed"} & set(before.start)
    return bool(remembers) and (before.rule, before.settings) != (after.rule, after.settings)
