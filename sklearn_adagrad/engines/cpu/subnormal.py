"""Numbers too small for their exponent, which processors compute a hundred times more slowly.

Gradients of rows that are predicted well are tiny, and their squares tinier still. Between
``flush`` and ``restore`` they count as zero; every ``eps`` is large beside them. Both are part of a
kernel, which no signal interrupts: no thread is left in that mode.
"""

import llvmlite.binding as binding
import llvmlite.ir as ir
from numba import types
from numba.core import cgutils

from ...arithmetic.jit import emits
from ...arithmetic.lanes import call

_X86 = binding.get_default_triple().split("-")[0] in ("x86_64", "i686")
_ZERO = 0x8040  # two bits of the control register: results, and operands
_I32 = ir.IntType(32)


def flush():
    """Let this thread take subnormal numbers for zero; returns what ``restore`` needs."""
    return 0


def restore(before):
    """Undo ``flush``."""


@emits(flush)
def _flush():
    def emit(context, builder, args):
        if not _X86:
            return _I32(0)
        before = _control(builder)
        _set_control(builder, builder.or_(before, _I32(_ZERO)))
        return before

    return types.uint32, emit


@emits(restore)
def _restore(before):
    def emit(context, builder, args):
        if _X86:
            _set_control(builder, args[0])
        return context.get_dummy_value()

    return types.none, emit


def _control(builder):
    place = cgutils.alloca_once(builder, _I32)
    call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [_bytes(builder, place)])
    return builder.load(place)


def _set_control(builder, value):
    place = cgutils.alloca_once_value(builder, value)
    call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [_bytes(builder, place)])


def _bytes(builder, place):
    return builder.bitcast(place, ir.IntType(8).as_pointer())
