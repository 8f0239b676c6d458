"""Records: what is remembered of one feature, moved in one piece.

A record is one element of a structured NumPy array: the weight and whatever its rule remembers,
numbers of one dtype side by side in one cache line. It travels by one load and one store. For
lanes, records are transposed in registers; that measured faster than a processor's own gather
and scatter instructions, and needs neither them nor masks.
"""

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from .lanes import SIZE, Lanes, call, load, scalar

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def _kinds(cells):
    kinds = [cells.dtype.typeof(name) for name in cells.dtype.fields]
    if len(set(kinds)) > 1:
        raise TypeError("The fields of a record must have one dtype.")
    return kinds


def _place(context, builder, cells, array, j):
    """Where record ``j`` lies, as one vector of its fields, and its alignment."""
    kinds = _kinds(cells)
    data = context.make_array(cells)(context, builder, array).data
    fields = ir.VectorType(scalar(kinds[0]), len(kinds))
    return builder.bitcast(builder.gep(data, [j]), fields.as_pointer()), kinds[0].bitwidth // 8


def _places(context, builder, cells, array, indices, entries, k):
    data = context.make_array(indices)(context, builder, entries).data
    for lane in range(SIZE):
        j = builder.load(builder.gep(data, [builder.add(k, _I64(lane))]))
        # Indices were checked: none is negative.
        yield _place(context, builder, cells, array, j if j.type == _I64 else builder.zext(j, _I64))


def _transposed(builder, vectors):
    """Records of lanes from lanes of records, and back."""
    for n in range(vectors[0].type.count):
        out = ir.Constant(ir.VectorType(vectors[0].type.element, len(vectors)), ir.Undefined)
        for m, vector in enumerate(vectors):
            out = builder.insert_element(out, builder.extract_element(vector, _I32(n)), _I32(m))
        yield out


def gather(rule, cells, indices, k):
    """The records of the features ``indices[k : k + WIDTH]``, as a ``rule.Record`` of lanes."""
    return rule.Record(*(cells[name][load(indices, k)] for name in cells.dtype.names))


@intrinsic
def _gather(typing_context, rule, cells, indices, k):
    fields = [Lanes(kind, SIZE) for kind in _kinds(cells)]

    def codegen(context, builder, signature, args):
        places = _places(context, builder, cells, args[1], indices, args[2], args[3])
        records = [builder.load(place, align=align) for place, align in places]
        return context.make_tuple(
            builder, signature.return_type, list(_transposed(builder, records))
        )

    return _record(rule, fields)(rule, cells, indices, types.uintp), codegen


def _record(rule, kinds):
    return types.NamedUniTuple(kinds[0], len(kinds), rule.instance_class.Record)


@overload(gather)
def _choose_gather(rule, cells, indices, k):
    return lambda rule, cells, indices, k: _gather(rule, cells, indices, np.uintp(k))


def scatter(cells, indices, k, record):
    """Store ``record`` as the records of the features ``indices[k : k + WIDTH]``."""
    for name, value in zip(cells.dtype.names, record, strict=True):
        cells[name][load(indices, k)] = value


@intrinsic
def _scatter(typing_context, cells, indices, k, record):
    def codegen(context, builder, signature, args):
        places = _places(context, builder, cells, args[0], indices, args[1], args[2])
        records = _transposed(builder, cgutils.unpack_tuple(builder, args[3]))
        for (place, align), each in zip(places, records, strict=True):
            builder.store(each, place, align=align)
        return context.get_dummy_value()

    return types.void(cells, indices, types.uintp, record), codegen


@overload(scatter)
def _choose_scatter(cells, indices, k, record):
    return lambda cells, indices, k, record: _scatter(cells, indices, np.uintp(k), record)


def read(rule, cells, j):
    """The record of one feature ``j``, as a ``rule.Record`` of numbers."""
    return rule.Record(*cells[j])


@intrinsic
def _read(typing_context, rule, cells, j):
    kinds = _kinds(cells)

    def codegen(context, builder, signature, args):
        place, align = _place(context, builder, cells, args[1], args[2])
        whole = builder.load(place, align=align)
        fields = [builder.extract_element(whole, _I32(n)) for n in range(len(kinds))]
        return context.make_tuple(builder, signature.return_type, fields)

    return _record(rule, kinds)(rule, cells, types.uintp), codegen


@overload(read)
def _choose_read(rule, cells, j):
    return lambda rule, cells, j: _read(rule, cells, np.uintp(j))


def write(cells, j, record):
    """Store the ``record`` of one feature ``j``."""
    cells[j] = tuple(record)


@intrinsic
def _write(typing_context, cells, j, record):
    def codegen(context, builder, signature, args):
        place, align = _place(context, builder, cells, args[0], args[1])
        fields = zip(
            _kinds(cells), record.types, cgutils.unpack_tuple(builder, args[2]), strict=True
        )
        whole = ir.Constant(place.type.pointee, ir.Undefined)
        for n, (kind, given, value) in enumerate(fields):
            whole = builder.insert_element(
                whole, context.cast(builder, value, given, kind), _I32(n)
            )
        builder.store(whole, place, align=align)
        return context.get_dummy_value()

    return types.void(cells, types.uintp, record), codegen


@overload(write)
def _choose_write(cells, j, record):
    return lambda cells, j, record: _write(cells, np.uintp(j), record)


def prefetch(array, k):
    """Ask for the cache line of ``array[k]``; it will be written."""


@intrinsic
def _prefetch(typing_context, array, k):
    def codegen(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, _I32(1), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.uintp), codegen


@overload(prefetch)
def _choose_prefetch(array, k):
    return lambda array, k: _prefetch(array, np.uintp(k))
