"""Calls of kernels whose arguments are prepared once, and repeated in less than a microsecond.

When Python calls a kernel, numba looks at the type of every argument and takes named tuples apart,
number by number: ten microseconds and more, where learning a row takes one. Here the arguments
are written to memory as the kernel sees them. A call loads them from there. What differs
from call to call is in the arrays that they point to.
"""

from functools import cache, partial

import llvmlite.ir as ir
import numpy as np
from numba import typeof, types
from numba.core import config
from numba.extending import models, register_model

from .jit import compiled, emits, variant


def prepared(*calls):
    """A function that repeats these ``calls`` one after the other.

    Each of them is a kernel and a tuple of its arguments. The function has none, and returns the
    first number of what the last of the kernels returned, 0 for None.
    """
    if config.DISABLE_JIT:
        return partial(_repeat, calls)
    parts = [_written(kernel, arguments) for kernel, arguments in calls]
    steps = np.array([(code, memory.ctypes.data) for code, memory in parts], np.intp)
    repeat = partial(_run, steps)
    repeat.kept = parts, calls  # what the addresses point to
    return repeat


def _repeat(calls):
    for kernel, arguments in calls:
        result = kernel(*arguments)
    return int((result[0] if isinstance(result, tuple) else result) or 0)


def _written(kernel, arguments):
    """The address of the code that makes a call, and the memory with what it needs to know."""
    kinds = tuple(map(typeof, arguments))
    kernel.compile(kinds)
    code = kernel.overloads[kinds]
    write = variant(_write, *arguments)
    memory = np.empty(write(np.empty(0, np.intp), 0, arguments), np.intp)
    write(memory, code.library.get_pointer_to_function(code.fndesc.llvm_func_name), arguments)
    caller = variant(_call, *arguments)
    return _address(caller, _Call(code.signature.return_type, kinds)), memory


@compiled
def _write(memory, code, arguments):
    return _put(memory, code, arguments)


@compiled
def _call(call):
    return _made(call)


@compiled
def _run(steps):
    result = 0
    for n in range(len(steps)):
        result = _code_at(steps[n, 0], steps[n, 1])
    return result


# --- what the compiler emits for these ----------------------------------------------------------


class _Call(types.Type):
    """numba's type of a pointer to the address of a kernel and its arguments of ``kinds``."""

    def __init__(self, result, kinds):
        self.result, self.kinds = result, kinds
        super().__init__(f"Call({result}, {kinds})")

    @property
    def key(self):
        return self.result, self.kinds


@register_model(_Call)
class _CallModel(models.PrimitiveModel):
    def __init__(self, manager, call):
        super().__init__(manager, call, ir.IntType(8).as_pointer())


def _put(memory, code, arguments):
    """Write ``code`` and ``arguments`` into ``memory``, if they fit; return what they need."""


@emits(_put)
def _emit_put(memory, code, arguments):
    def emit(context, builder, args):
        kind = _layout(context, arguments)
        size = -(-8 * context.get_abi_sizeof(kind) // types.intp.bitwidth)
        array = context.make_array(memory)(context, builder, args[0])
        room = builder.extract_value(array.shape, 0)
        needed = context.get_constant(types.intp, size)
        with builder.if_then(builder.icmp_signed(">=", room, needed)):
            pointer = builder.bitcast(array.data, kind.as_pointer())
            for n, value in enumerate((context.cast(builder, args[1], code, types.intp), args[2])):
                builder.store(value, builder.gep(pointer, [_place(0), _place(n)], inbounds=True))
        return needed

    return types.intp, emit


def _made(call):
    """Make the call that is written in memory."""


@emits(_made)
def _emit_made(call):
    def emit(context, builder, args):
        tuple_of = types.BaseTuple.from_types(call.kinds)
        pointer = builder.bitcast(args[0], _layout(context, tuple_of).as_pointer())
        code, arguments = (
            builder.load(builder.gep(pointer, [_place(0), _place(n)], inbounds=True))
            for n in range(2)
        )
        kind = context.call_conv.get_function_type(call.result, call.kinds)
        values = [builder.extract_value(arguments, n) for n in range(len(call.kinds))]
        code = builder.inttoptr(code, kind.as_pointer())
        _, found = context.call_conv.call_function(builder, code, call.result, call.kinds, values)
        first = call.result
        if first == types.none:
            return context.get_constant(types.intp, 0)
        if isinstance(first, types.BaseTuple):
            first, found = first.types[0], builder.extract_value(found, 0)
        return context.cast(builder, found, first, types.intp)

    return types.intp, emit


def _code_at(code, memory):
    """Run the code at an address with the memory at another one."""


@emits(_code_at)
def _emit_code_at(code, memory):
    def emit(context, builder, args):
        kind = context.call_conv.get_function_type(types.intp, (types.voidptr,))
        code = builder.inttoptr(args[0], kind.as_pointer())
        memory = builder.inttoptr(args[1], ir.IntType(8).as_pointer())
        _, found = context.call_conv.call_function(
            builder, code, types.intp, (types.voidptr,), [memory]
        )
        return found

    return types.intp, emit


def _layout(context, arguments):
    """The address of a kernel, and its arguments."""
    return ir.LiteralStructType(
        [ir.IntType(types.intp.bitwidth), context.get_value_type(arguments)]
    )


def _place(n):
    return ir.Constant(ir.IntType(32), n)


@cache
def _address(caller, call):
    caller.compile((call,))
    code = caller.overloads[call,]
    return code.library.get_pointer_to_function(code.fndesc.llvm_func_name)
