"""Bytes of text, 64 at a time."""

import llvmlite.ir as ir
import numpy as np
from numba import types

from .arrays import pointer_to
from .jit import emits
from .lanes import call, index, splat

SIZE = 64
_VECTOR, _I64 = ir.VectorType(ir.IntType(8), SIZE), ir.IntType(64)


def marks(data, first, *those):
    """Which of ``data[first : first + 64]`` are one of some bytes, as the bits of a number."""
    found = np.isin(data[first : first + SIZE], those)
    return np.packbits(found, bitorder="little").view(np.uint64)[0]


@emits(marks)
def _marks(data, first, *those):
    def emit(context, builder, args):
        at = index(context, builder, first, args[1])
        pointer, _ = pointer_to(context, builder, data, args[0], at, _VECTOR)
        text, found = builder.load(pointer, align=1), None
        for kind, value in zip(those, args[2:], strict=True):
            byte = context.cast(builder, value, kind, types.uint8)
            same = builder.icmp_unsigned("==", text, splat(builder, byte, SIZE))
            found = same if found is None else builder.or_(found, same)
        return builder.bitcast(found, _I64)

    return types.uint64, emit


def trailing_zeros(bits):
    """The place of the lowest bit that is set."""
    return int(bits & -bits).bit_length() - 1


@emits(trailing_zeros)
def _trailing_zeros(bits):
    def emit(context, builder, args):
        return call(builder, "llvm.cttz.i64", _I64, [args[0], ir.IntType(1)(1)])

    return types.int64, emit
