"""One step of an optimizer on one array, dense or a few rows of it.

Weights lie in the caller's array, and each other field of the records in a row of ``memory``, so
that a dense step reads and writes everything in order. ``like`` is an empty array of records: it
tells the compiler what their fields are.
"""

from typing import NamedTuple

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils

from ...arithmetic.arrays import load_lanes, store
from ...arithmetic.jit import compiled, emits, inlined
from ...arithmetic.lanes import index
from ...arithmetic.tuples import record_of
from ...formulas.rules import advanced, context_at, local, settled, weight
from .records import ask, field_names, prefetch, record_type

# Nothing is gathered here, so vectors may be wider than those of sparse rows.
SIZE = 8
WIDE = np.uintp(SIZE)
# How many rows ahead memory is asked for.
_AHEAD = 16
_I64 = ir.IntType(64)


class Table(NamedTuple):
    """What is known of the weights of one array."""

    weights: np.ndarray  # the caller's, flat
    like: np.ndarray
    memory: np.ndarray


class SparseGradient(NamedTuple):
    """Gradients for some rows of ``width`` weights each.

    ``firsts`` are the positions in ``indices`` and ``values`` to take, of which no two name the
    same row.
    """

    indices: np.ndarray
    firsts: np.ndarray
    values: np.ndarray
    width: int


@compiled
def step_dense(table, gradient, scale, rule, settings, t):
    """Row ``t`` with ``scale * gradient`` for every weight."""
    row, first = context_at(rule, settings, t), np.uintp(0)
    _step(table, first, gradient, first, np.uintp(len(table.weights)), scale, rule, row)


@compiled
def step_rows(table, gradient, scale, rule, settings, t):
    """Row ``t`` with ``scale`` times a ``SparseGradient``."""
    indices, firsts, values, width = gradient
    row, width, last = context_at(rule, settings, t), np.uintp(width), len(firsts) - 1
    for m in range(len(firsts)):
        later = m + _AHEAD
        _fetch(table, np.uintp(indices[firsts[later if later < last else last]]) * width)
        k = firsts[m]
        _step(table, np.uintp(indices[k]) * width, values, np.uintp(k) * width, width, scale, rule,
              row)  # fmt: skip


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
def _step(table, first, gradient, start, length, scale, rule, row):
    """Learn ``gradient[start : start + length]`` for the weights from ``first`` on."""
    rest = length - length % WIDE
    for k in range(np.uintp(0), rest, WIDE):
        record = records_at(table, first + k, SIZE)
        g = scale * load_lanes(gradient, start + k, SIZE)
        record, w = stepped(rule, record, g, row)
        put(table, first + k, record)
        store(table.weights, first + k, w)
    for k in range(rest, length):
        record = records_at(table, first + k, 1)
        g = scale * load_lanes(gradient, start + k, 1)
        record, w = stepped(rule, record, g, row)
        put(table, first + k, record)
        store(table.weights, first + k, w)


@inlined
def stepped(rule, record, g, row):
    """The record after row ``row.t``, with nothing left to be settled, and the weight."""
    row = local(rule, record, row)
    record = settled(rule, record, row.t - 1, row)
    record = settled(rule, advanced(rule, record, g, row), row.t, row)
    return record, weight(rule, record, row)


def views(table):
    """The fields of all records by their names, as arrays over the same memory."""
    rows = iter(table.memory)
    return {
        name: table.weights if name == "weight" else next(rows).view(table.like.dtype[name])
        for name in table.like.dtype.names
    }


def _places(context, builder, table, value, i):
    """The fields of record ``i``: their names, and pointers to them."""
    weights, like, memory = table.types
    arrays = cgutils.unpack_tuple(builder, value)
    first = context.make_array(weights)(context, builder, arrays[0]).data
    rows = context.make_array(memory)(context, builder, arrays[2])
    length, n = cgutils.unpack_tuple(builder, rows.shape)[1], 0
    for name in field_names(like):
        if name == "weight":
            yield name, builder.gep(first, [i])
        else:
            yield name, builder.gep(rows.data, [builder.add(builder.mul(length, _I64(n)), i)])
            n += 1


def _alignment(table):
    return table.types[0].dtype.bitwidth // 8


def records_at(table, i, size):
    """The records from ``i`` on, in ``size`` lanes."""
    names = table.like.dtype.names
    return record_of(names)(*(field[i : i + size] for field in views(table).values()))


@emits(records_at, literal=True)
def _read(table, i, size):
    if not isinstance(size, types.IntegerLiteral):
        return None
    record = record_type(table.types[1], size.literal_value)

    def emit(context, builder, args):
        places = _places(context, builder, table, args[0], index(context, builder, i, args[1]))
        fields = []
        for kind, (_, place) in zip(record.types, places, strict=True):
            pointer = builder.bitcast(place, context.get_value_type(kind).as_pointer())
            fields.append(builder.load(pointer, align=_alignment(table)))
        return context.make_tuple(builder, record, fields)

    return record, emit


def _fetch(table, i):
    """Ask for record ``i``."""


@emits(_fetch)
def _ask(table, i):
    def emit(context, builder, args):
        first = index(context, builder, i, args[1])
        for _, place in _places(context, builder, table, args[0], first):
            ask(builder, place)
        return context.get_dummy_value()

    return types.none, emit


def put(table, i, record):
    """Store the fields of ``record`` that are in ``memory``."""
    for field, value in zip(views(table).values(), record, strict=True):
        if field is not table.weights:
            field[i : i + len(value)] = value


@emits(put)
def _write(table, i, record):
    def emit(context, builder, args):
        places = _places(context, builder, table, args[0], index(context, builder, i, args[1]))
        values = cgutils.unpack_tuple(builder, args[2])
        for (name, place), value in zip(places, values, strict=True):
            if name != "weight":
                pointer = builder.bitcast(place, value.type.as_pointer())
                builder.store(value, pointer, align=_alignment(table))
        return context.get_dummy_value()

    return types.none, emit
