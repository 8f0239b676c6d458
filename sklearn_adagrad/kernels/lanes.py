"""Vectors of a row's entries, written out instead of hoped for.

1. The records of a row's features lie anywhere in memory, and a compiler cannot know
   that they are distinct; so it will not vectorise the update. We know: ``rows`` admits
   only strictly increasing indices. The loop therefore works on *lanes*: 32 bytes of
   numbers that are fetched, computed and stored together.
2. A record (one per feature: its weight and whatever its rule remembers) lies in one
   cache line. ``gather`` and ``scatter`` move all its fields at once.
3. Arithmetic on lanes is Python arithmetic: the line that a rule spells with ``+``,
   ``*``, ``sqrt`` and ``where`` serves one number, compiled lanes, and NumPy arrays.

The last entries of a row fill a vector only in part: ``count`` says how many lanes are
in use, the others read as zero and are never stored. The order of every sum depends on
nothing but the row, so results do not depend on how rows arrive.
"""

import operator

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

_BYTES = 32
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


def _scalar(dtype):
    if dtype == types.boolean:
        return ir.IntType(1)
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def _vector(lanes):
    return ir.VectorType(_scalar(lanes.dtype), lanes.size)


def _splat(builder, value, size):
    start = ir.Constant(ir.VectorType(value.type, size), ir.Undefined)
    start = builder.insert_element(start, value, _I32(0))
    return builder.shuffle_vector(start, start, ir.Constant(ir.VectorType(_I32, size), [0] * size))


def _as_lanes(context, builder, kind, value, like):
    if isinstance(kind, Lanes):
        return value
    return _splat(builder, context.cast(builder, value, kind, like.dtype), like.size)


def _call(builder, name, result, args):
    kinds = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kinds, name), args)


def _suffix(kind):
    """How LLVM spells ``kind`` in the name of an intrinsic: v8f32, i64, ..."""
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_suffix(kind.element)}"
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
        return _call(builder, f"llvm.sqrt.{_suffix(kind)}", kind, args)

    return x(x), codegen


@overload(sqrt)
def _choose_sqrt(x):
    return lambda x: _sqrt(x)  # math.sqrt would be a call into the C library for one float32


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


# --- memory ---------------------------------------------------------------------------


def width(values):
    """How many entries of ``values`` fill one vector."""
    return _BYTES // values.itemsize


def _size(dtype):
    return _BYTES * 8 // dtype.bitwidth


@overload(width)
def _choose_width(values):
    size = np.uintp(_size(values.dtype))
    return lambda values: size


def zeros(values):
    """One vector of zeros of the dtype of ``values``."""
    return np.zeros(1, values.dtype)


@intrinsic
def _zeros(typing_context, values):
    lanes = Lanes(values.dtype, _size(values.dtype))
    return lanes(values), lambda context, builder, signature, args: ir.Constant(
        _vector(lanes), None
    )


@overload(zeros)
def _choose_zeros(values):
    return lambda values: _zeros(values)


def _mask(builder, count, size):
    numbers = ir.Constant(ir.VectorType(_I64, size), list(range(size)))
    return builder.icmp_unsigned("<", numbers, _splat(builder, count, size))


def load(array, k, count, like):
    """``array[k : k + count]``, as many lanes as a vector of ``like`` has."""
    return array[k : k + min(count, width(like))]


@intrinsic
def _load(typing_context, array, k, count, like):
    lanes = Lanes(array.dtype, _size(like.dtype))

    def codegen(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        vector = _vector(lanes)
        pointer = builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())
        mask = _mask(builder, args[2], lanes.size)
        align = _I32(array.dtype.bitwidth // 8)
        name = f"llvm.masked.load.{_suffix(vector)}.p0"
        return _call(builder, name, vector, [pointer, align, mask, ir.Constant(vector, None)])

    return lanes(array, types.uintp, types.uintp, like), codegen


@overload(load)
def _choose_load(array, k, count, like):
    return lambda array, k, count, like: _load(array, np.uintp(k), np.uintp(count), like)


def _words(record):
    """The fields of a record in groups that travel as one word of at most 8 bytes."""
    names = list(record.fields)
    while names:
        pair = [name for name in names[:2] if record.typeof(name).bitwidth == 32]
        taken = pair if len(pair) == 2 else names[:1]
        yield [(record.typeof(name), record.offset(name)) for name in taken]
        del names[: len(taken)]


def _addresses(context, builder, cells, array, index, offset, word):
    data = builder.ptrtoint(context.make_array(cells)(context, builder, array).data, _I64)
    size = index.type.count
    if index.type.element != _I64:
        index = builder.zext(
            index, ir.VectorType(_I64, size)
        )  # indices were checked: never negative
    scaled = builder.mul(index, ir.Constant(index.type, [cells.dtype.size] * size))
    base = _splat(builder, builder.add(data, _I64(offset)), size)
    return builder.inttoptr(builder.add(base, scaled), ir.VectorType(word.as_pointer(), size))


def _word_type(fields):
    return _scalar(fields[0][0]) if len(fields) == 1 else _I64


def gather(rule, cells, j, count):
    """The records of features ``j``, as a ``rule.Record`` of lanes."""
    return rule.Record(*(cells[name][j] for name in cells.dtype.names))


@intrinsic
def _gather(typing_context, rule, cells, j, count):
    size, record = j.size, cells.dtype
    kinds = [Lanes(record.typeof(name), size) for name in record.fields]
    result = _record(rule, kinds)

    def codegen(context, builder, signature, args):
        mask, out = _mask(builder, args[3], size), []
        for fields in _words(record):
            word = _word_type(fields)
            vector, align = ir.VectorType(word, size), _I32(fields[0][0].bitwidth // 8)
            pointers = _addresses(context, builder, cells, args[1], args[2], fields[0][1], word)
            name = f"llvm.masked.gather.{_suffix(vector)}.v{size}p0"
            got = _call(builder, name, vector, [pointers, align, mask, ir.Constant(vector, None)])
            if len(fields) == 1:
                out.append(got)
                continue
            halves = ir.VectorType(_I32, size)
            for (dtype, _), shift in zip(fields, (0, 32), strict=True):
                half = builder.trunc(builder.lshr(got, ir.Constant(vector, [shift] * size)), halves)
                out.append(builder.bitcast(half, ir.VectorType(_scalar(dtype), size)))
        return context.make_tuple(builder, signature.return_type, out)

    return result(rule, cells, j, types.uintp), codegen


def _record(rule, kinds):
    return (
        types.NamedTuple(kinds, rule.instance_class.Record)
        if len(set(kinds)) > 1
        else types.NamedUniTuple(kinds[0], len(kinds), rule.instance_class.Record)
    )


@overload(gather)
def _choose_gather(rule, cells, j, count):
    return lambda rule, cells, j, count: _gather(rule, cells, j, np.uintp(count))


def scatter(cells, j, record, count):
    """Store ``record`` as the records of features ``j``, which are distinct."""
    for name, value in zip(cells.dtype.names, record, strict=True):
        cells[name][j] = value


@intrinsic
def _scatter(typing_context, cells, j, record, count):
    def codegen(context, builder, signature, args):
        mask, size = _mask(builder, args[3], j.size), j.size
        values = cgutils.unpack_tuple(builder, args[2])
        for fields in _words(cells.dtype):
            word = _word_type(fields)
            vector, align = ir.VectorType(word, size), _I32(fields[0][0].bitwidth // 8)
            stored = values.pop(0)
            if len(fields) == 2:
                halves = ir.VectorType(_I32, size)
                low, high = (
                    builder.zext(builder.bitcast(v, halves), vector)
                    for v in (stored, values.pop(0))
                )
                stored = builder.or_(low, builder.shl(high, ir.Constant(vector, [32] * size)))
            pointers = _addresses(context, builder, cells, args[0], args[1], fields[0][1], word)
            name = f"llvm.masked.scatter.{_suffix(vector)}.v{size}p0"
            _call(builder, name, ir.VoidType(), [stored, pointers, align, mask])
        return context.get_dummy_value()

    return types.void(cells, j, record, types.uintp), codegen


@overload(scatter)
def _choose_scatter(cells, j, record, count):
    return lambda cells, j, record, count: _scatter(cells, j, record, np.uintp(count))


def _field_pointers(context, builder, cells, array, j):
    data = context.make_array(cells)(context, builder, array).data
    start = builder.bitcast(builder.gep(data, [j]), ir.IntType(8).as_pointer())
    for name in cells.dtype.fields:
        kind = _scalar(cells.dtype.typeof(name)).as_pointer()
        yield builder.bitcast(builder.gep(start, [_I64(cells.dtype.offset(name))]), kind)


def read(rule, cells, j):
    """The record of one feature ``j``, as a ``rule.Record`` of numbers."""
    return rule.Record(*cells[j])


@intrinsic
def _read(typing_context, rule, cells, j):
    kinds = [cells.dtype.typeof(name) for name in cells.dtype.fields]

    def codegen(context, builder, signature, args):
        pointers = _field_pointers(context, builder, cells, args[1], args[2])
        return context.make_tuple(
            builder, signature.return_type, [builder.load(each) for each in pointers]
        )

    return _record(rule, kinds)(rule, cells, types.intp), codegen


@overload(read)
def _choose_read(rule, cells, j):
    return lambda rule, cells, j: _read(rule, cells, j)


def write(cells, j, record):
    """Store the ``record`` of one feature ``j``."""
    cells[j] = tuple(record)


@intrinsic
def _write(typing_context, cells, j, record):
    def codegen(context, builder, signature, args):
        pointers = _field_pointers(context, builder, cells, args[0], args[1])
        fields = zip(
            cells.dtype.fields, record.types, cgutils.unpack_tuple(builder, args[2]), strict=True
        )
        for pointer, (name, kind, value) in zip(pointers, fields, strict=True):
            builder.store(context.cast(builder, value, kind, cells.dtype.typeof(name)), pointer)
        return context.get_dummy_value()

    return types.void(cells, types.intp, record), codegen


@overload(write)
def _choose_write(cells, j, record):
    return lambda cells, j, record: _write(cells, j, record)


def prefetch(array, k):
    """Ask for the cache line of ``array[k]``; it will be written."""


@intrinsic
def _prefetch(typing_context, array, k):
    def codegen(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, _I32(1), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.uintp), codegen


@overload(prefetch)
def _choose_prefetch(array, k):
    return lambda array, k: _prefetch(array, np.uintp(k))
