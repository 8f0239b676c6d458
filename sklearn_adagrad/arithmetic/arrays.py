"""Vectors in arrays: loading and storing neighbours, all or some of them."""

import llvmlite.ir as ir
import numpy as np
from numba import types

from .jit import emits
from .lanes import SIZE, WIDTH, Lanes, call, index, lanes_type, splat, suffix

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def zeros(values):
    """One vector of zeros of the dtype of ``values``."""
    return np.zeros(SIZE, values.dtype)


@emits(zeros)
def _zeros(values):
    lanes = Lanes(values.dtype, SIZE)
    return lanes, lambda context, builder, args: ir.Constant(lanes_type(lanes), None)


def pointer_to(context, builder, array, value, first, kind):
    """Where the element ``first`` of an array lies, as a pointer to ``kind``, and its alignment."""
    data = context.make_array(array)(context, builder, value).data
    pointer = builder.bitcast(builder.gep(data, [first]), kind.as_pointer())
    return pointer, array.dtype.bitwidth // 8


def load(array, k, stop):
    """``array[k : k + WIDTH]``, with zeros from ``stop`` on where there is one."""
    chosen = array[k : k + WIDTH if stop is None else stop]
    return np.pad(chosen, (0, SIZE - len(chosen)))


@emits(load)
def _load(array, k, stop):
    lanes = Lanes(array.dtype, SIZE)

    def emit(context, builder, args):
        kind, first = lanes_type(lanes), index(context, builder, k, args[1])
        pointer, align = pointer_to(context, builder, array, args[0], first, kind)
        if stop == types.none:
            return builder.load(pointer, align=align)
        lane = ir.Constant(ir.VectorType(_I64, SIZE), list(range(SIZE)))
        count = builder.sub(index(context, builder, stop, args[2]), first)
        within = builder.icmp_unsigned("<", lane, splat(builder, count, SIZE))
        args = [pointer, _I32(align), within, ir.Constant(kind, None)]
        return call(builder, f"llvm.masked.load.{suffix(kind)}.p0", kind, args)

    return lanes, emit


def gather_numbers(array, indices, k, stop):
    """``array[indices[k : k + WIDTH]]``; from ``stop`` on, the last again."""
    chosen = indices[k : k + WIDTH if stop is None else stop]
    return array[np.pad(chosen, (0, SIZE - len(chosen)), mode="edge")]


@emits(gather_numbers)
def _gather_numbers(array, indices, k, stop):
    lanes = Lanes(array.dtype, SIZE)

    def emit(context, builder, args):
        data = context.make_array(array)(context, builder, args[0]).data
        entries = context.make_array(indices)(context, builder, args[1]).data
        first, found = index(context, builder, k, args[2]), ir.Constant(lanes_type(lanes), None)
        for lane in range(SIZE):
            entry = builder.add(first, _I64(lane))
            if stop != types.none:
                last = index(context, builder, stop, args[3])
                inside = builder.icmp_unsigned("<", entry, last)
                entry = builder.select(inside, entry, builder.sub(last, _I64(1)))
            j = index(context, builder, indices.dtype, builder.load(builder.gep(entries, [entry])))
            number = builder.load(builder.gep(data, [j]))
            found = builder.insert_element(found, number, _I32(lane))
        return found

    return lanes, emit


def load_lanes(array, k, size):
    """``array[k : k + size]``, where ``size`` is written as a number."""
    return array[k : k + size].copy()


@emits(load_lanes, literal=True)
def _load_lanes(array, k, size):
    if not isinstance(size, types.IntegerLiteral):
        return None
    lanes = Lanes(array.dtype, size.literal_value)

    def emit(context, builder, args):
        first = index(context, builder, k, args[1])
        pointer, align = pointer_to(context, builder, array, args[0], first, lanes_type(lanes))
        return builder.load(pointer, align=align)

    return lanes, emit


def store(array, k, x):
    """Put the lanes ``x`` into ``array`` from ``k`` on."""
    array[k : k + len(x)] = x


@emits(store)
def _store(array, k, x):
    def emit(context, builder, args):
        first = index(context, builder, k, args[1])
        pointer, align = pointer_to(context, builder, array, args[0], first, args[2].type)
        builder.store(args[2], pointer, align=align)
        return context.get_dummy_value()

    return types.none, emit


class _Shifted:
    """An array whose first element is called ``start``."""

    def __init__(self, array, start):
        self._array, self._start, self.dtype = array, int(start), array.dtype

    def __getitem__(self, k):
        if isinstance(k, slice):
            k = slice(int(k.start) - self._start, int(k.stop) - self._start)
            return self._array[k]
        return self._array[int(k) - self._start]


def shifted(array, start):
    """``array`` with its indices counted from ``start``: only these may be asked for."""
    return _Shifted(array, start)


@emits(shifted)
def _shifted(array, start):
    def emit(context, builder, args):
        made = context.make_array(array)(context, builder, args[0])
        first = index(context, builder, start, args[1])
        made.data = builder.gep(made.data, [builder.neg(first)])
        return made._getvalue()

    return array, emit
