"""Records: what is remembered of one feature, moved in one piece.

A record is one element of a structured NumPy array: the weight and whatever its rule remembers,
numbers of one size side by side in one cache line. It travels by one load and one store. For
lanes, records are transposed in registers; that measured faster than a processor's own gather
and scatter instructions, and needs neither them nor masks.
"""

import functools
from collections import namedtuple

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from .lanes import SIZE, Lanes, call, scalar

_I32, _I64 = ir.IntType(32), ir.IntType(64)


@functools.cache
def record_of(names):
    """The class of named tuples with these fields."""
    return namedtuple("Record_" + "_".join(names), names)


def field_names(cells):
    return tuple(cells.dtype.fields)


def field_kinds(cells):
    kinds = [cells.dtype.typeof(name) for name in cells.dtype.fields]
    if len({kind.bitwidth for kind in kinds}) > 1:
        raise TypeError("The fields of a record must have one size.")
    return kinds


def _place(context, builder, cells, array, j):
    """Where record ``j`` lies, as one vector of words, and its alignment."""
    kinds = field_kinds(cells)
    data = context.make_array(cells)(context, builder, array).data
    words = ir.VectorType(scalar(kinds[0]), len(kinds))
    return builder.bitcast(builder.gep(data, [j]), words.as_pointer()), kinds[0].bitwidth // 8


def _places(context, builder, cells, array, indices, entries, k, stop):
    """Where the records of one vector of entries lie."""
    data = context.make_array(indices)(context, builder, entries).data
    for lane in range(SIZE):
        entry = builder.add(k, _I64(lane))
        if isinstance(stop.type, ir.IntType):
            inside = builder.icmp_unsigned("<", entry, stop)
            entry = builder.select(inside, entry, builder.sub(stop, _I64(1)))
        j = builder.load(builder.gep(data, [entry]))
        # Indices were checked: none is negative.
        yield _place(context, builder, cells, array, j if j.type == _I64 else builder.zext(j, _I64))


def _transposed(builder, vectors):
    """Records of lanes from lanes of records, and back."""
    for n in range(vectors[0].type.count):
        out = ir.Constant(ir.VectorType(vectors[0].type.element, len(vectors)), ir.Undefined)
        for m, vector in enumerate(vectors):
            out = builder.insert_element(out, builder.extract_element(vector, _I32(n)), _I32(m))
        yield out


def gather(cells, indices, k, stop):
    """The records of the features ``indices[k:]``, one vector of them, with lanes for fields.

    From ``stop`` on, where there is one, the last feature before it is repeated.
    """
    chosen = _chosen(cells, indices, k, stop)
    return record_of(cells.dtype.names)(*(cells[name][chosen] for name in cells.dtype.names))


def _chosen(cells, indices, k, stop):
    entries = int(k) + np.arange(SIZE)
    return indices[entries if stop is None else np.minimum(entries, int(stop) - 1)]


@intrinsic
def _gather(typing_context, cells, indices, k, stop):
    fields = [Lanes(kind, SIZE) for kind in field_kinds(cells)]
    record = types.NamedTuple(fields, record_of(field_names(cells)))

    def codegen(context, builder, signature, args):
        places = _places(context, builder, cells, args[0], indices, *args[1:])
        records = [builder.load(place, align=align) for place, align in places]
        return context.make_tuple(
            builder,
            record,
            [
                builder.bitcast(words, context.get_value_type(field))
                for words, field in zip(_transposed(builder, records), fields, strict=True)
            ],
        )

    return record(cells, indices, types.uintp, stop), codegen


@overload(gather)
def _choose_gather(cells, indices, k, stop):
    return lambda cells, indices, k, stop: _gather(cells, indices, np.uintp(k), stop)


def scatter(cells, indices, k, stop, record):
    """Store ``record`` where ``gather`` found it: the first lane of a repeated feature counts."""
    chosen = _chosen(cells, indices, k, stop)[::-1]
    for name, value in zip(cells.dtype.names, record, strict=True):
        cells[name][chosen] = value[::-1]


@intrinsic
def _scatter(typing_context, cells, indices, k, stop, record):
    def codegen(context, builder, signature, args):
        places = list(_places(context, builder, cells, args[0], indices, *args[1:4]))
        words = ir.VectorType(places[0][0].type.pointee.element, SIZE)
        fields = cgutils.unpack_tuple(builder, args[4])
        records = _transposed(builder, [builder.bitcast(field, words) for field in fields])
        pairs = list(zip(places, records, strict=True))
        for (place, align), each in reversed(pairs):
            builder.store(each, place, align=align)
        return context.get_dummy_value()

    return types.void(cells, indices, types.uintp, stop, record), codegen


@overload(scatter)
def _choose_scatter(cells, indices, k, stop, record):
    return lambda cells, indices, k, stop, record: _scatter(
        cells, indices, np.uintp(k), stop, record
    )


def read(cells, j):
    """The record of one feature ``j``, with numbers for fields."""
    return record_of(cells.dtype.names)(*cells[j])


@intrinsic
def _read(typing_context, cells, j):
    kinds = field_kinds(cells)
    record = types.NamedTuple(kinds, record_of(field_names(cells)))

    def codegen(context, builder, signature, args):
        place, align = _place(context, builder, cells, args[0], args[1])
        whole = builder.load(place, align=align)
        words = (builder.extract_element(whole, _I32(n)) for n in range(len(kinds)))
        fields = [
            builder.bitcast(word, scalar(kind)) for word, kind in zip(words, kinds, strict=True)
        ]
        return context.make_tuple(builder, record, fields)

    return record(cells, types.uintp), codegen


@overload(read)
def _choose_read(cells, j):
    return lambda cells, j: _read(cells, np.uintp(j))


def write(cells, j, record):
    """Store the ``record`` of one feature ``j``."""
    cells[j] = tuple(record)


@intrinsic
def _write(typing_context, cells, j, record):
    def codegen(context, builder, signature, args):
        place, align = _place(context, builder, cells, args[0], args[1])
        fields = zip(
            field_kinds(cells), record.types, cgutils.unpack_tuple(builder, args[2]), strict=True
        )
        whole = ir.Constant(place.type.pointee, ir.Undefined)
        for n, (kind, given, value) in enumerate(fields):
            word = builder.bitcast(context.cast(builder, value, given, kind), whole.type.element)
            whole = builder.insert_element(whole, word, _I32(n))
        builder.store(whole, place, align=align)
        return context.get_dummy_value()

    return types.void(cells, types.uintp, record), codegen


@overload(write)
def _choose_write(cells, j, record):
    return lambda cells, j, record: _write(cells, np.uintp(j), record)


def lanes_of(cells, words, place, width, size):
    """The records of ``size`` neighbouring heads, with lanes for fields.

    The record of a feature has ``width`` numbers for each field, one for each head. ``words`` are
    the numbers of all records, ``place`` is where the first head's first field lies in it, and
    ``cells`` is any array whose dtype names the fields.
    """
    names = cells.dtype.names
    fields = (words[int(place) + n * int(width) :][:size] for n in range(len(names)))
    return record_of(names)(
        *(field.view(cells.dtype[name]) for name, field in zip(names, fields, strict=True))
    )


@intrinsic(prefer_literal=True)
def _lanes_of(typing_context, cells, words, place, width, size):
    kinds = [Lanes(kind, size.literal_value) for kind in field_kinds(cells)]
    record = types.NamedTuple(kinds, record_of(field_names(cells)))

    def codegen(context, builder, signature, args):
        fields = []
        for n, kind in enumerate(kinds):
            pointer = _field_place(context, builder, words, args[1:4], n, kind)
            fields.append(builder.load(pointer, align=words.dtype.bitwidth // 8))
        return context.make_tuple(builder, record, fields)

    return record(cells, words, types.uintp, types.uintp, size), codegen


def _field_place(context, builder, words, args, n, kind):
    data = context.make_array(words)(context, builder, args[0]).data
    first = builder.add(args[1], builder.mul(args[2], _I64(n)))
    return builder.bitcast(builder.gep(data, [first]), context.get_value_type(kind).as_pointer())


@overload(lanes_of, prefer_literal=True)
def _choose_lanes_of(cells, words, place, width, size):
    if isinstance(size, types.IntegerLiteral):
        return lambda cells, words, place, width, size: _lanes_of(
            cells, words, np.uintp(place), np.uintp(width), size
        )


def put_lanes(words, place, width, record):
    """Store ``record`` where ``lanes_of`` found it."""
    for n, value in enumerate(record):
        value = value if value.dtype.kind == "f" else value.view(words.dtype)
        words[int(place) + n * int(width) :][: len(value)] = value


@intrinsic
def _put_lanes(typing_context, words, place, width, record):
    def codegen(context, builder, signature, args):
        for n, value in enumerate(cgutils.unpack_tuple(builder, args[3])):
            pointer = _field_place(context, builder, words, args, n, record.types[n])
            builder.store(value, pointer, align=words.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(words, types.uintp, types.uintp, record), codegen


@overload(put_lanes)
def _choose_put_lanes(words, place, width, record):
    return lambda words, place, width, record: _put_lanes(
        words, np.uintp(place), np.uintp(width), record
    )


def replaced(record, name, value):
    """``record`` with another ``value`` in its field ``name``."""
    return record._replace(**{name: value})


@intrinsic(prefer_literal=True)
def _replaced(typing_context, record, name, value):
    n = record.fields.index(name.literal_value)
    value = types.unliteral(value)
    kinds = [value if m == n else kind for m, kind in enumerate(record.types)]
    result = types.NamedTuple(kinds, record.instance_class)

    def codegen(context, builder, signature, args):
        fields = cgutils.unpack_tuple(builder, args[0])
        fields[n] = args[2]
        return context.make_tuple(builder, result, fields)

    return result(record, name, value), codegen


@overload(replaced, prefer_literal=True)
def _choose_replaced(record, name, value):
    if isinstance(name, types.StringLiteral):
        return lambda record, name, value: _replaced(record, name, value)


def keep(kept, k, record):
    """Leave a vector's ``record`` at position ``k`` of ``kept``, a buffer for one row's."""
    for field, value in zip(_kept_fields(kept, k, len(record)), record, strict=True):
        field[:] = value if value.dtype.kind == "f" else value.view(kept.dtype)


def _kept_fields(kept, k, n_fields):
    return kept[k * n_fields :][: n_fields * SIZE].reshape(n_fields, SIZE)


@intrinsic
def _keep(typing_context, kept, k, record):
    def codegen(context, builder, signature, args):
        fields = cgutils.unpack_tuple(builder, args[2])
        for n, value in enumerate(fields):
            place = _kept_place(context, builder, kept, args[:2], record.types[n], n, len(fields))
            pointer = builder.bitcast(place, value.type.as_pointer())
            builder.store(value, pointer, align=kept.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(kept, types.uintp, record), codegen


@overload(keep)
def _choose_keep(kept, k, record):
    return lambda kept, k, record: _keep(kept, np.uintp(k), record)


def _kept_place(context, builder, kept, args, lanes, n, size):
    data = context.make_array(kept)(context, builder, args[0]).data
    first = builder.mul(args[1], _I64(size))
    return builder.gep(data, [builder.add(first, _I64(n * lanes.size))])


def kept_records(cells, kept, k):
    """The record of a vector that was kept at position ``k``."""
    if not len(kept):  # rules that keep nothing don't look
        return None
    names = cells.dtype.names
    pairs = zip(names, _kept_fields(kept, k, len(names)), strict=True)
    return record_of(names)(*(field.view(cells.dtype[name]) for name, field in pairs))


@intrinsic
def _kept_records(typing_context, cells, kept, k):
    kinds = [Lanes(kind, SIZE) for kind in field_kinds(cells)]
    record = types.NamedTuple(kinds, record_of(field_names(cells)))

    def codegen(context, builder, signature, args):
        fields = []
        for n, kind in enumerate(kinds):
            place = _kept_place(context, builder, kept, args[1:], kind, n, len(kinds))
            pointer = builder.bitcast(place, context.get_value_type(kind).as_pointer())
            fields.append(builder.load(pointer, align=kept.dtype.bitwidth // 8))
        return context.make_tuple(builder, record, fields)

    return record(cells, kept, types.uintp), codegen


@overload(kept_records)
def _choose_kept_records(cells, kept, k):
    return lambda cells, kept, k: _kept_records(cells, kept, np.uintp(k))


def prefetch(array, k):
    """Ask for the cache line of ``array[k]``; it will be written."""


def ask(builder, pointer):
    """Emit the prefetch of what ``pointer`` points to; it will be written."""
    pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, _I32(1), _I32(3), _I32(1)])


@intrinsic
def _prefetch(typing_context, array, k):
    def codegen(context, builder, signature, args):
        data = context.make_array(array)(context, builder, args[0]).data
        ask(builder, builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.void(array, types.uintp), codegen


@overload(prefetch)
def _choose_prefetch(array, k):
    return lambda array, k: _prefetch(array, np.uintp(k))
