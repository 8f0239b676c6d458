"""What threads of one kernel need of one another: to know when all have come to the same point.

They wait by looking again and again: within a kernel that takes less than a microsecond, where a
lock of the operating system takes a hundred. Whoever has waited for long lets other threads have
the processor, where the system has ``sched_yield``.
"""

import llvmlite.binding as binding
import llvmlite.ir as ir
from numba import types
from numba.core import cgutils

from .jit import emits, inlined
from .lanes import call

_I64 = ir.IntType(64)
_PATIENCE = 4096  # looks at the counter
GONE = 2**62
_X86 = binding.get_default_triple().split("-")[0] in ("x86_64", "i686")
_GIVES_WAY = binding.address_of_symbol("sched_yield") is not None


def arrive(counter):
    """Add one to ``counter[0]``, and let others see all that was written before."""
    counter[0] += 1


def arrived(counter):
    """``counter[0]`` as it is now, and all that was written before it was so."""
    return counter[0]


def pause():
    """Wait for some nanoseconds."""


def give_way():
    """Let other threads run, if there are any."""


@inlined
def meet(counter, target):
    """Wait until ``counter[0]`` is ``target``, to which each of the threads that meet adds one.

    Returns whether all have come: not if somebody has put ``GONE`` into it.
    """
    arrive(counter)
    looks = 0
    while arrived(counter) < target:
        looks += 1
        if looks < _PATIENCE:
            pause()
        else:
            give_way()
    return arrived(counter) < GONE


def _pointer(context, builder, array, value):
    return context.make_array(array)(context, builder, value).data


@emits(arrive)
def _arrive(counter):
    def emit(context, builder, args):
        builder.atomic_rmw("add", _pointer(context, builder, counter, args[0]), _I64(1), "acq_rel")
        return context.get_dummy_value()

    return types.none, emit


@emits(arrived)
def _arrived(counter):
    def emit(context, builder, args):
        return builder.load_atomic(_pointer(context, builder, counter, args[0]), "acquire", 8)

    return types.int64, emit


@emits(pause)
def _emit_pause():
    def emit(context, builder, args):
        if _X86:
            call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        return context.get_dummy_value()

    return types.none, emit


@emits(give_way)
def _emit_give_way():
    def emit(context, builder, args):
        if _GIVES_WAY:
            kind = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.none, emit
