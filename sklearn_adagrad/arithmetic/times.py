"""Times of rows, as records remember them.

A record's numbers are all of one size, so beside float32 weights a time is a 32-bit integer and
counts modulo 2**32: a feature may be absent for four billion rows.
"""

import llvmlite.ir as ir
import numpy as np
from numba import types

from .jit import emits
from .lanes import Lanes, scalar, splat

TIME_OF = {np.dtype(np.float32): np.dtype(np.uint32), np.dtype(np.float64): np.dtype(np.uint64)}


def stamp(t, since):
    """The time ``t`` in the form of ``since``, a remembered time."""
    return np.full_like(since, np.asarray(t).astype(since.dtype))


def elapsed(t, since):
    """``t - since`` as a floating-point number."""
    return (stamp(t, since) - since).astype(np.float64)


def moment(t, since):
    """``since``, which is not later than ``t``, as a floating-point number."""
    return (t - (stamp(t, since) - since).astype(np.int64)).astype(np.float64)


def _timely(function, emit, is_number=True):
    """Compile ``function`` of ``t`` and ``since`` to what ``emit`` emits."""

    @emits(function)
    def define(t, since):
        number = types.float32 if _kind(since).bitwidth == 32 else types.float64
        number = Lanes(number, since.size) if isinstance(since, Lanes) else types.float64
        result = number if is_number else since

        def operate(context, builder, args):
            out = context.get_value_type(result)
            time = context.cast(builder, args[0], t, types.int64)
            return emit(builder, time, args[1], scalar(_kind(since)), out)

        return result, operate


def _kind(since):
    return since.dtype if isinstance(since, Lanes) else since


def _like(builder, word, other):
    return splat(builder, word, other.type.count) if isinstance(other.type, ir.VectorType) else word


def _stamp(builder, t, since, word, out):
    return _like(builder, builder.trunc(t, word) if word.width < 64 else t, since)


def _elapsed(builder, t, since, word, out):
    return builder.uitofp(builder.sub(_stamp(builder, t, since, word, out), since), out)


def _moment(builder, t, since, word, out):
    rows = builder.sub(_stamp(builder, t, since, word, out), since)
    if word.width < 64:
        long = ir.IntType(64)
        vector = isinstance(rows.type, ir.VectorType)
        rows = builder.zext(rows, ir.VectorType(long, rows.type.count) if vector else long)
    return builder.sitofp(builder.sub(_like(builder, t, rows), rows), out)


_timely(stamp, _stamp, is_number=False)
_timely(elapsed, _elapsed)
_timely(moment, _moment)
