"""Vectors of a row's entries, written out instead of hoped for.

1. The records of a row's features lie anywhere in memory, and a compiler cannot know
   that they are distinct; so it will not vectorise the update. We know: ``rows`` admits
   only strictly increasing indices. The loop therefore works on *lanes*: four numbers
   that are fetched, computed and stored together.
2. Arithmetic on lanes is Python arithmetic: the line that a rule spells with ``+``,
   ``*``, ``sqrt`` and ``where`` serves one number, compiled lanes, and NumPy arrays.
3. The last vector of a row may reach beyond the row's end: these lanes repeat the row's last
   feature with a value of zero. The order of every sum depends on nothing but the row, so
   results do not depend on how rows arrive.
"""

import operator

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from ._jit import portable

# More lanes leave more of them idle at the end of each row, fewer make more instructions.
SIZE = 4
WIDTH = np.uintp(SIZE)
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_CONTRACT = ("contract",)


class Lanes(types.Type):
    """numba's type of ``size`` numbers of one ``dtype``."""

    def __init__(self, dtype, size):
        self.dtype, self.size = dtype, size
        super().__init__(f"Lanes({dtype}, {size})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, _vector(lanes))


def scalar(dtype):
    if dtype == types.boolean:
        return ir.IntType(1)
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def _vector(lanes):
    return ir.VectorType(scalar(lanes.dtype), lanes.size)


def splat(builder, value, size):
    start = ir.Constant(ir.VectorType(value.type, size), ir.Undefined)
    start = builder.insert_element(start, value, _I32(0))
    return builder.shuffle_vector(start, start, ir.Constant(ir.VectorType(_I32, size), [0] * size))


def _as_lanes(context, builder, kind, value, like):
    if isinstance(kind, Lanes):
        return value
    return splat(builder, context.cast(builder, value, kind, like.dtype), like.size)


def call(builder, name, result, args):
    kinds = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kinds, name), args)


def suffix(kind):
    """How LLVM spells ``kind`` in the name of an intrinsic: v8f32, i64, ..."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{suffix(kind.element)}"
    return kind.intrinsic_name


# --- arithmetic -----------------------------------------------------------------------


def _binary(operation, emit, result=lambda lanes: lanes):
    """Let ``operation`` take lanes on either side."""

    @intrinsic
    def vectors(typing_context, a, b):
        like = a if isinstance(a, Lanes) else b

        def codegen(context, builder, signature, args):
            pairs = zip(signature.args, args, strict=True)
            return emit(builder, *(_as_lanes(context, builder, *pair, like) for pair in pairs))

        return result(like)(a, b), codegen

    @overload(operation)
    def choose(a, b):
        if isinstance(a, Lanes) or isinstance(b, Lanes):
            return lambda a, b: vectors(a, b)


for _names, _method in (
    (("add", "iadd"), "fadd"),
    (("sub", "isub"), "fsub"),
    (("mul", "imul"), "fmul"),
    (("truediv", "itruediv"), "fdiv"),
):
    for _name in _names:
        _binary(
            getattr(operator, _name),
            lambda builder, a, b, _method=_method: getattr(builder, _method)(a, b, flags=_CONTRACT),
        )
for _name, _sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "==")):
    _binary(
        getattr(operator, _name),
        lambda builder, a, b, _sign=_sign: builder.fcmp_ordered(_sign, a, b),
        lambda lanes: Lanes(types.boolean, lanes.size),
    )


def sqrt(x):
    """Square root of a number or of each lane."""
    return np.sqrt(x)


@intrinsic
def _sqrt(typing_context, x):
    def codegen(context, builder, signature, args):
        kind = args[0].type
        return call(builder, f"llvm.sqrt.{suffix(kind)}", kind, args)

    return x(x), codegen


@overload(sqrt)
def _choose_sqrt(x):
    return lambda x: _sqrt(x)  # math.sqrt would be a call into the C library for one float32


@intrinsic
def _abs(typing_context, x):
    def codegen(context, builder, signature, args):
        kind = args[0].type
        return call(builder, f"llvm.fabs.{suffix(kind)}", kind, args)

    return x(x), codegen


@overload(abs)
def _choose_abs(x):
    if isinstance(x, Lanes):
        return lambda x: _abs(x)


def where(condition, a, b):
    """``a`` where ``condition`` holds, else ``b``: for a number or for each lane."""
    return np.where(condition, a, b)[()]


@intrinsic
def _where(typing_context, condition, a, b):
    like = a if isinstance(a, Lanes) else b

    def codegen(context, builder, signature, args):
        return builder.select(
            args[0],
            _as_lanes(context, builder, signature.args[1], args[1], like),
            _as_lanes(context, builder, signature.args[2], args[2], like),
        )

    return like(condition, a, b), codegen


@overload(where)
def _choose_where(condition, a, b):
    if isinstance(condition, Lanes):
        return lambda condition, a, b: _where(condition, a, b)
    return lambda condition, a, b: a if condition else b


@portable
def clip(x, bound):
    """``x`` within ``-bound`` and ``bound``."""
    low = where(x < 0.0 - bound, 0.0 - bound, x)
    return where(low > bound, bound, low)


def finite(x):
    """Whether ``x`` is finite. Lanes are taken to be so: see ``_bound``."""
    return bool(np.all(x < np.inf))


@overload(finite)
def _choose_finite(x):
    if isinstance(x, Lanes):
        return lambda x: True
    return lambda x: x < np.inf


def any_lane(x):
    """Whether any lane is not zero."""
    return bool(np.any(x))


@intrinsic
def _any_lane(typing_context, x):
    def codegen(context, builder, signature, args):
        kind = args[0].type
        other = builder.fcmp_unordered("!=", args[0], ir.Constant(kind, None))
        return builder.icmp_unsigned("!=", builder.bitcast(other, ir.IntType(kind.count)),
                                     ir.IntType(kind.count)(0))  # fmt: skip

    return types.boolean(x), codegen


@overload(any_lane)
def _choose_any_lane(x):
    return lambda x: _any_lane(x)


def total(x):
    """Sum of the lanes, halves first: an order that no option of the compiler changes."""
    return x.sum()


@intrinsic
def _total(typing_context, x):
    def codegen(context, builder, signature, args):
        value, size = args[0], x.size
        while size > 1:
            size //= 2
            low, high = (
                builder.shuffle_vector(
                    value,
                    value,
                    ir.Constant(ir.VectorType(_I32, size), list(range(first, first + size))),
                )
                for first in (0, size)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, _I32(0))

    return x.dtype(x), codegen


@overload(total)
def _choose_total(x):
    return lambda x: _total(x)


def zeros(values):
    """One vector of zeros of the dtype of ``values``."""
    return np.zeros(SIZE, values.dtype)


@intrinsic
def _zeros(typing_context, values):
    lanes = Lanes(values.dtype, SIZE)
    return lanes(values), lambda context, builder, signature, args: ir.Constant(
        _vector(lanes), None
    )


@overload(zeros)
def _choose_zeros(values):
    return lambda values: _zeros(values)


def load(array, k, stop=None):
    """``array[k : k + WIDTH]``, with zeros from ``stop`` on."""
    chosen = array[k : k + WIDTH if stop is None else stop]
    return np.pad(chosen, (0, SIZE - len(chosen)))


@intrinsic
def _load(typing_context, array, k, stop):
    lanes = Lanes(array.dtype, SIZE)

    def codegen(context, builder, signature, args):
        pointer, align = _pointer(context, builder, array, args, lanes)
        if stop == types.none:
            return builder.load(pointer, align=align)
        lane = ir.Constant(ir.VectorType(_I64, SIZE), list(range(SIZE)))
        count = splat(builder, builder.sub(args[2], args[1]), SIZE)
        within, kind = builder.icmp_unsigned("<", lane, count), _vector(lanes)
        args = [pointer, _I32(align), within, ir.Constant(kind, None)]
        return call(builder, f"llvm.masked.load.{suffix(kind)}.p0", kind, args)

    return lanes(array, types.uintp, stop), codegen


def _pointer(context, builder, array, args, lanes):
    data = context.make_array(array)(context, builder, args[0]).data
    pointer = builder.bitcast(builder.gep(data, [args[1]]), _vector(lanes).as_pointer())
    return pointer, array.dtype.bitwidth // 8


@overload(load)
def _choose_load(array, k, stop=None):
    return lambda array, k, stop=None: _load(array, np.uintp(k), stop)


def load_lanes(array, k, size):
    """``array[k : k + size]``, where ``size`` is written as a number."""
    return array[k : k + size]


@intrinsic(prefer_literal=True)
def _load_lanes(typing_context, array, k, size):
    lanes = Lanes(array.dtype, size.literal_value)

    def codegen(context, builder, signature, args):
        pointer, align = _pointer(context, builder, array, args, lanes)
        return builder.load(pointer, align=align)

    return lanes(array, types.uintp, size), codegen


@overload(load_lanes, prefer_literal=True)
def _choose_load_lanes(array, k, size):
    if isinstance(size, types.IntegerLiteral):
        return lambda array, k, size: _load_lanes(array, np.uintp(k), size)


def store(array, k, x):
    """Put the lanes ``x`` into ``array`` from ``k`` on."""
    array[k : k + len(x)] = x


@intrinsic
def _store(typing_context, array, k, x):
    def codegen(context, builder, signature, args):
        pointer, align = _pointer(context, builder, array, args, x)
        builder.store(args[2], pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, types.uintp, x), codegen


@overload(store)
def _choose_store(array, k, x):
    return lambda array, k, x: _store(array, np.uintp(k), x)
