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
from numba.core.target_extension import current_target
from numba.extending import models, register_model

from .jit import emits, inlined

# More lanes leave more of them idle at the end of each row, fewer make more instructions.
SIZE = 4
WIDTH = np.uintp(SIZE)
# Where neighbouring numbers are at hand, vectors may be wider; the rest fills narrow ones.
WIDE, NARROW = np.uintp(8), np.uintp(4)
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
        super().__init__(manager, lanes, lanes_type(lanes))


def padded(n):
    """How many numbers fill up the vectors that hold ``n``."""
    return -(-n // int(NARROW)) * int(NARROW)


def scalar(dtype):
    """LLVM's type of one number of ``dtype``."""
    if dtype == types.boolean:
        return ir.IntType(1)
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def lanes_type(lanes):
    """LLVM's type of a vector of these lanes."""
    return ir.VectorType(scalar(lanes.dtype), lanes.size)


def splat(builder, value, size):
    """A vector of ``size`` times ``value``."""
    start = ir.Constant(ir.VectorType(value.type, size), ir.Undefined)
    start = builder.insert_element(start, value, _I32(0))
    return builder.shuffle_vector(start, start, ir.Constant(ir.VectorType(_I32, size), [0] * size))


def _as_lanes(context, builder, kind, value, like):
    if isinstance(kind, Lanes):
        return value
    return splat(builder, context.cast(builder, value, kind, like.dtype), like.size)


def call(builder, name, result, args):
    """Emit a call of LLVM's intrinsic ``name``."""
    kinds = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kinds, name), args)


_ON_A_GPU = {"exp": "__nv_exp", "rint": "__nv_rint"}  # NVIDIA's library has what LLVM's lacks


def of_each(builder, name, value):
    """Emit LLVM's intrinsic ``name`` for a number, or for each of a vector."""
    kind, is_cpu = value.type, current_target() == "cpu"
    if is_cpu or not isinstance(kind, ir.VectorType):
        function = f"llvm.{name}.{suffix(kind)}"
        if not is_cpu and name in _ON_A_GPU:
            function = _ON_A_GPU[name] + ("f" if kind == ir.FloatType() else "")
        return call(builder, function, kind, [value])
    result = ir.Constant(kind, ir.Undefined)
    for n in range(kind.count):
        number = of_each(builder, name, builder.extract_element(value, _I32(n)))
        result = builder.insert_element(result, number, _I32(n))
    return result


def suffix(kind):
    """How LLVM spells ``kind`` in the name of an intrinsic: v8f32, i64, ..."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{suffix(kind.element)}"
    return kind.intrinsic_name


def index(context, builder, kind, value):
    """``value`` of type ``kind`` as an index."""
    return context.cast(builder, value, kind, types.uintp)


# --- arithmetic -----------------------------------------------------------------------


def _binary(operation, emit, result=lambda lanes: lanes):
    """Let ``operation`` take lanes on either side."""

    def define(a, b):
        like = a if isinstance(a, Lanes) else b
        if not isinstance(like, Lanes):
            return None

        def operate(context, builder, args):
            pairs = zip((a, b), args, strict=True)
            return emit(builder, *(_as_lanes(context, builder, *pair, like) for pair in pairs))

        return result(like), operate

    for kinds in ((Lanes, Lanes), (Lanes, types.Any), (types.Any, Lanes)):
        emits(operation, *kinds)(define)


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


def _of_one(name):
    """An operation that LLVM has for numbers and for vectors."""

    def define(x):
        return x, lambda context, builder, args: of_each(builder, name, args[0])

    return define


def sqrt(x):
    """Square root of a number or of each lane."""
    return np.sqrt(x)


emits(sqrt)(_of_one("sqrt"))  # math.sqrt would be a call into the C library for one float32


def magnitude(builder, value):
    """Emit ``value`` without its sign; GPUs lack LLVM's intrinsic."""
    kind, vector = value.type, isinstance(value.type, ir.VectorType)
    width = 32 if (kind.element if vector else kind) == ir.FloatType() else 64
    words, mask = ir.IntType(width), 2 ** (width - 1) - 1
    if vector:
        words, mask = ir.VectorType(words, kind.count), [mask] * kind.count
    return builder.bitcast(
        builder.and_(builder.bitcast(value, words), ir.Constant(words, mask)), kind
    )


@emits(abs, Lanes)
def _abs(x):
    if not isinstance(x, Lanes):
        return None
    return x, lambda context, builder, args: magnitude(builder, args[0])


def root_and(x, eps, inside):
    """``sqrt(x + eps)`` if ``inside``, else ``sqrt(x) + eps``: never by two roots."""
    return np.sqrt(x + eps) if inside else np.sqrt(x) + eps


@emits(root_and)
def _root_and(x, eps, inside):
    def of_lanes(context, builder, args):
        value, more = args[0], _as_lanes(context, builder, eps, args[1], x)
        nothing = ir.Constant(more.type, None)
        before, after = (
            builder.select(args[2], more, nothing),
            builder.select(args[2], nothing, more),
        )
        value = builder.fadd(value, before, flags=_CONTRACT)
        value = of_each(builder, "sqrt", value)
        return builder.fadd(value, after, flags=_CONTRACT)

    def of_numbers(context, builder, args):
        double = ir.DoubleType()
        wide = context.cast(builder, args[0], x, types.float64)
        within = call(builder, "llvm.sqrt.f64", double, [builder.fadd(wide, args[1])])
        root = of_each(builder, "sqrt", args[0])
        beside = builder.fadd(context.cast(builder, root, x, types.float64), args[1])
        return builder.select(args[2], within, beside)

    if isinstance(x, Lanes):
        return x, of_lanes
    return types.float64, of_numbers


def where(condition, a, b):
    """``a`` where ``condition`` holds, else ``b``: for a number, each lane, or a record."""
    if isinstance(a, tuple):
        return type(a)(*(where(condition, *fields) for fields in zip(a, b, strict=True)))
    return np.where(condition, a, b)[()]


@emits(where)
def _where(condition, a, b):
    if isinstance(a, types.NamedTuple):
        return _where_of_records(condition, a, b)
    like = a if isinstance(a, Lanes) else b

    def emit(context, builder, args):
        if isinstance(like, Lanes):
            args = [
                args[0],
                _as_lanes(context, builder, a, args[1], like),
                _as_lanes(context, builder, b, args[2], like),
            ]
        else:
            args = [
                context.cast(builder, args[0], condition, types.boolean),
                context.cast(builder, args[1], a, number),
                context.cast(builder, args[2], b, number),
            ]
        return builder.select(*args)

    if isinstance(like, Lanes):
        return like, emit
    a, b = types.unliteral(a), types.unliteral(b)
    number = a if a == b else types.float64
    return number, emit


def _where_of_records(condition, a, b):
    chosen = [_where(condition, *kinds) for kinds in zip(a.types, b.types, strict=True)]
    result = types.NamedTuple([kind for kind, _ in chosen], a.instance_class)

    def emit(context, builder, args):
        fields = zip(*(cgutils.unpack_tuple(builder, each) for each in args[1:]), strict=True)
        fields = [
            choose(context, builder, [args[0], *pair])
            for (_, choose), pair in zip(chosen, fields, strict=True)
        ]
        return context.make_tuple(builder, result, fields)

    return result, emit


def updated(record, condition, other):
    """``record``, but where ``condition`` holds with the fields of ``other``, in its own types."""
    return where(condition, other, record)


@emits(updated)
def _updated(record, condition, other):
    def emit(context, builder, args):
        old_fields, new_fields = (cgutils.unpack_tuple(builder, args[n]) for n in (0, 2))
        fields = []
        for kind, given, old, new in zip(
            record.types, other.types, old_fields, new_fields, strict=True
        ):
            if not isinstance(kind, Lanes):
                new = context.cast(builder, new, given, kind)
            fields.append(builder.select(args[1], new, old))
        return context.make_tuple(builder, record, fields)

    return record, emit


@inlined
def clip(x, bound):
    """``x`` within ``-bound`` and ``bound``."""
    low = where(x < 0.0 - bound, 0.0 - bound, x)
    return where(low > bound, bound, low)


def finite(x):
    """Whether ``x`` is below infinity. Lanes are taken to be so: the host sees to it."""
    return bool(np.all(x < np.inf))


@emits(finite)
def _finite(x):
    def emit(context, builder, args):
        if isinstance(x, Lanes):
            return ir.IntType(1)(1)
        return builder.fcmp_ordered("<", args[0], ir.Constant(args[0].type, np.inf))

    return types.boolean, emit


def any_lane(x):
    """Whether any lane is not zero, or a number is not."""
    return bool(np.any(x))


@emits(any_lane)
def _any_lane(x):
    def emit(context, builder, args):
        kind, other = args[0].type, args[0]
        if x == types.boolean:
            return args[0]
        if not isinstance(x, Lanes):
            return builder.fcmp_unordered("!=", args[0], ir.Constant(kind, 0.0))
        if x.dtype != types.boolean:
            other = builder.fcmp_unordered("!=", args[0], ir.Constant(kind, None))
        bits = ir.IntType(kind.count)
        return builder.icmp_unsigned("!=", builder.bitcast(other, bits), bits(0))

    return types.boolean, emit


def total(x):
    """Sum of the lanes, halves first: an order that no option of the compiler changes."""
    return x.sum()


@emits(total)
def _total(x):
    def emit(context, builder, args):
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

    return x.dtype, emit
