"""One step of an optimizer on one array, dense or a few rows of it.

Weights lie in the caller's array, and each other field of the records in a row of ``memory``, so
that a dense step reads and writes everything in order. ``like`` is an empty array of records: it
tells the compiler what their fields are.
"""

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils

from ...arithmetic.jit import compiled, emits, inlined
from ...arithmetic.lanes import index, load_lanes, store
from ...arithmetic.tuples import record_of
from ...formulas.rules import advanced, context_at, local, settled, weight
from .records import ask, field_names, prefetch, record_type

# Nothing is gathered here, so vectors may be wider than those of sparse rows.
SIZE = 8
WIDE = np.uintp(SIZE)
# How many rows ahead memory is asked for.
_AHEAD = 16
_I64 = ir.IntType(64)


@compiled
def step_dense(weights, gradient, scale, like, memory, rule, settings, t):
    """Row ``t`` with ``scale * gradient`` for every weight."""
    row = context_at(rule, settings, t)
    _step(weights, np.uintp(0), gradient, np.uintp(0), np.uintp(len(weights)), scale, like, memory,
          rule, row)  # fmt: skip


@compiled
def step_rows(weights, width, indices, firsts, values, scale, like, memory, rule, settings, t):
    """Row ``t`` with gradients for some rows of ``width`` weights each.

    ``firsts`` are the positions in ``indices`` and ``values`` to take, of which no two name the
    same row.
    """
    row, width, last = context_at(rule, settings, t), np.uintp(width), len(firsts) - 1
    for m in range(len(firsts)):
        _fetch(weights, like, memory, np.uintp(indices[firsts[min(m + _AHEAD, last)]]) * width)
        k = firsts[m]
        _step(weights, np.uintp(indices[k]) * width, values, np.uintp(k) * width, width, scale,
              like, memory, rule, row)  # fmt: skip


@compiled
def find_firsts(indices, n_rows, table, firsts, repeats):
    """Find the first and the further occurrences of each of ``indices``, by a hash table.

    ``table`` has a power of two of entries, more than ``indices``, all of them -1. ``firsts``
    becomes the positions of first occurrences, and ``repeats`` pairs: the position of a further
    one, and that of its first. Returns the number of firsts, or -1 if an index is not in
    ``range(n_rows)``.
    """
    n_firsts, n_repeats, mask, last = 0, 0, np.uint64(len(table) - 1), len(indices) - 1
    for k in range(len(indices)):
        row = indices[k]
        if not 0 <= row < n_rows:
            return -1
        prefetch(table, _hashed(indices[min(k + _AHEAD, last)]) & mask)
        place = _hashed(row) & mask
        while table[place] >= 0 and indices[table[place]] != row:
            place = (place + np.uint64(1)) & mask
        if table[place] < 0:
            table[place] = k
            firsts[n_firsts] = k
            n_firsts += 1
        else:
            repeats[n_repeats, 0], repeats[n_repeats, 1] = k, table[place]
            n_repeats += 1
    return n_firsts


@inlined
def _hashed(row):
    return np.uint64(row) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)


@compiled
def add_repeats(values, repeats):
    """Add each repeated row to its first occurrence, in order."""
    for m in range(len(repeats)):
        for j in range(values.shape[1]):
            values[repeats[m, 1], j] += values[repeats[m, 0], j]


@inlined
def _step(weights, first, gradient, start, length, scale, like, memory, rule, row):
    """Learn ``gradient[start : start + length]`` for the weights from ``first`` on."""
    rest = length - length % WIDE
    for k in range(np.uintp(0), rest, WIDE):
        record, g = (
            _records(weights, like, memory, first + k, SIZE),
            load_lanes(gradient, start + k, SIZE),
        )
        record, w = _stepped(rule, record, scale * g, row)
        _put(weights, like, memory, first + k, record)
        store(weights, first + k, w)
    for k in range(rest, length):
        record, g = (
            _records(weights, like, memory, first + k, 1),
            load_lanes(gradient, start + k, 1),
        )
        record, w = _stepped(rule, record, scale * g, row)
        _put(weights, like, memory, first + k, record)
        store(weights, first + k, w)


@inlined
def _stepped(rule, record, g, row):
    """The record after row ``row.t``, with nothing left to be settled, and the weight."""
    row = local(rule, record, row)
    record = settled(rule, record, row.t - 1, row)
    record = settled(rule, advanced(rule, record, g, row), row.t, row)
    return record, weight(rule, record, row)


def _place(context, builder, like, arrays, n, i):
    """Where field ``n`` of record ``i`` lies; ``arrays``: type and value of weights and memory."""
    names = field_names(like)
    (weights, weights_value), (memory, memory_value) = arrays
    if names[n] == "weight":
        data = context.make_array(weights)(context, builder, weights_value).data
        return builder.gep(data, [i])
    array = context.make_array(memory)(context, builder, memory_value)
    length = cgutils.unpack_tuple(builder, array.shape)[1]
    row = sum(name != "weight" for name in names[:n])
    return builder.gep(array.data, [builder.add(builder.mul(length, _I64(row)), i)])


def _records(weights, like, memory, i, size):
    """The records from ``i`` on, in ``size`` lanes."""
    fields = views(weights, like, memory)
    return record_of(like.dtype.names)(*(field[i : i + size] for field in fields.values()))


def views(weights, like, memory):
    """The fields of all records by their names, as arrays over the same memory."""
    rows = iter(memory)
    return {
        name: weights if name == "weight" else next(rows).view(like.dtype[name])
        for name in like.dtype.names
    }


@emits(_records, literal=True)
def _read(weights, like, memory, i, size):
    if not isinstance(size, types.IntegerLiteral):
        return None
    record = record_type(like, size.literal_value)

    def emit(context, builder, args):
        arrays, first = ((weights, args[0]), (memory, args[2])), index(context, builder, i, args[3])
        fields = []
        for n, kind in enumerate(record.types):
            place = _place(context, builder, like, arrays, n, first)
            pointer = builder.bitcast(place, context.get_value_type(kind).as_pointer())
            fields.append(builder.load(pointer, align=weights.dtype.bitwidth // 8))
        return context.make_tuple(builder, record, fields)

    return record, emit


def _fetch(weights, like, memory, i):
    """Ask for record ``i``."""


@emits(_fetch)
def _ask(weights, like, memory, i):
    def emit(context, builder, args):
        arrays, first = ((weights, args[0]), (memory, args[2])), index(context, builder, i, args[3])
        for n in range(len(field_names(like))):
            ask(builder, _place(context, builder, like, arrays, n, first))
        return context.get_dummy_value()

    return types.none, emit


def _put(weights, like, memory, i, record):
    """Store the fields of ``record`` that are in ``memory``."""
    for field, value in zip(views(weights, like, memory).values(), record, strict=True):
        if field is not weights:
            field[i : i + len(value)] = value


@emits(_put)
def _write(weights, like, memory, i, record):
    def emit(context, builder, args):
        arrays, first = ((weights, args[0]), (memory, args[2])), index(context, builder, i, args[3])
        values = cgutils.unpack_tuple(builder, args[4])
        for n, (name, value) in enumerate(zip(field_names(like), values, strict=True)):
            if name != "weight":
                place = _place(context, builder, like, arrays, n, first)
                pointer = builder.bitcast(place, value.type.as_pointer())
                builder.store(value, pointer, align=weights.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none, emit
