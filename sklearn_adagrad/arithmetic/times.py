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


def following(since):
    """The time of the row after ``since``."""
    return since + since.dtype.type(1)


def has_ended(t, first):
    """Whether a batch whose first row is ``first`` has ended after ``t`` rows.

    It has, if another one begins with row ``t + 1``. 0 is the first row of none.
    """
    return (first != 0) & (first != stamp(t + 1, first))


def no_more(ended, first):
    """``first``, but 0 where that batch has ``ended``."""
    return np.where(ended, first.dtype.type(0), first)[()]


def _timely(function, emit, result=None):
    """Compile ``function`` of ``t`` and ``since`` to what ``emit`` emits.

    That is a floating-point number, or what ``result`` makes of the type of ``since``.
    """
    kind_of = result or _number

    @emits(function)
    def define(t, since):
        result = kind_of(since)

        def operate(context, builder, args):
            out = context.get_value_type(result)
            time = context.cast(builder, args[0], t, types.int64)
            return emit(builder, time, args[1], scalar(_kind(since)), out)

        return result, operate


def _number(since):
    if not isinstance(since, Lanes):
        return types.float64
    return Lanes(types.float32 if since.dtype.bitwidth == 32 else types.float64, since.size)


def _truth(since):
    return Lanes(types.boolean, since.size) if isinstance(since, Lanes) else types.boolean


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


def _has_ended(builder, t, first, word, out):
    following = builder.add(t, t.type(1))
    other = builder.icmp_unsigned("!=", first, _stamp(builder, following, first, word, out))
    there = builder.icmp_unsigned("!=", first, ir.Constant(first.type, None))
    return builder.and_(other, there)


@emits(following)
def _following(since):
    def emit(context, builder, args):
        kind = args[0].type
        ones = [1] * kind.count if isinstance(kind, ir.VectorType) else 1
        return builder.add(args[0], ir.Constant(kind, ones))

    return since, emit


@emits(no_more)
def _no_more(ended, first):
    def emit(context, builder, args):
        return builder.select(args[0], ir.Constant(args[1].type, None), args[1])

    return first, emit


_timely(stamp, _stamp, lambda since: since)
_timely(has_ended, _has_ended, _truth)
_timely(elapsed, _elapsed)
_timely(moment, _moment)
