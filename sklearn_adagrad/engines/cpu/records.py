"""Records: what is remembered of one feature, moved in one piece.

With one head, a record is one element of a structured NumPy array: the weight and whatever its
rule remembers, numbers of one size side by side in one cache line. It travels by one load and one
store. For lanes, records are transposed in registers; that measured faster than a processor's own
gather and scatter instructions, and needs neither them nor masks.

With several heads, and where settled records are kept for a moment, the numbers of neighbours lie
side by side for each field: no record has to be transposed.
"""

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils

from ...arithmetic.arrays import pointer_to
from ...arithmetic.jit import emits
from ...arithmetic.lanes import SIZE, Lanes, call, index, scalar
from ...arithmetic.tuples import record_of

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def field_names(cells):
    return tuple(cells.dtype.fields)


def field_kinds(cells):
    kinds = [cells.dtype.typeof(name) for name in cells.dtype.fields]
    if len({kind.bitwidth for kind in kinds}) > 1:
        raise TypeError("The fields of a record must have one size.")
    return kinds


def record_type(cells, size=None):
    """The type of a record with numbers for fields, or with vectors of ``size``."""
    kinds = field_kinds(cells)
    return types.NamedTuple(
        [Lanes(kind, size) if size else kind for kind in kinds], record_of(field_names(cells))
    )


# --- records in one piece -----------------------------------------------------------------


def _place(context, builder, cells, array, j):
    """Where record ``j`` lies, as one vector of words, and its alignment."""
    kinds = field_kinds(cells)
    data = context.make_array(cells)(context, builder, array).data
    words = ir.VectorType(scalar(kinds[0]), len(kinds))
    return builder.bitcast(builder.gep(data, [j]), words.as_pointer()), kinds[0].bitwidth // 8


def _places(context, builder, kinds, args):
    """Where the records of one vector of entries lie."""
    (cells, indices, k, stop), (array, entries, first, end) = kinds, args
    data = context.make_array(indices)(context, builder, entries).data
    first = index(context, builder, k, first)
    for lane in range(SIZE):
        entry = builder.add(first, _I64(lane))
        if stop != types.none:
            last = index(context, builder, stop, end)
            inside = builder.icmp_unsigned("<", entry, last)
            entry = builder.select(inside, entry, builder.sub(last, _I64(1)))
        j = builder.load(builder.gep(data, [entry]))
        # Indices were checked: none is negative.
        yield _place(context, builder, cells, array, j if j.type == _I64 else builder.zext(j, _I64))


def _transposed(builder, vectors):
    """Records of lanes from lanes of records, and back."""
    kind = vectors[0].type
    shape = len(vectors), kind.count
    if kind.element in (_I32, ir.FloatType()) and shape in ((4, 2), (2, 4)):
        yield from (_fields_of_pairs if shape == (4, 2) else _pairs_of_fields)(builder, vectors)
        return
    for n in range(vectors[0].type.count):
        out = ir.Constant(ir.VectorType(vectors[0].type.element, len(vectors)), ir.Undefined)
        for m, vector in enumerate(vectors):
            out = builder.insert_element(out, builder.extract_element(vector, _I32(n)), _I32(m))
        yield out


def _shuffled(builder, a, b, *chosen):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_I32, len(chosen)), chosen))


def _fields_of_pairs(builder, records):
    """The commonest case in six shuffles, where the compiler finds eleven."""
    a, b = (_shuffled(builder, *records[n : n + 2], 0, 1, 2, 3) for n in (0, 2))
    yield _shuffled(builder, a, b, 0, 2, 4, 6)
    yield _shuffled(builder, a, b, 1, 3, 5, 7)


def _pairs_of_fields(builder, fields):
    for half in ((0, 4, 1, 5), (2, 6, 3, 7)):
        two = _shuffled(builder, *fields, *half)
        yield _shuffled(builder, two, two, 0, 1)
        yield _shuffled(builder, two, two, 2, 3)


def gather(cells, indices, k, stop):
    """The records of the features ``indices[k:]``, one vector of them, with lanes for fields.

    From ``stop`` on, where there is one, the last feature before it is repeated.
    """
    chosen = _chosen(indices, k, stop)
    return record_of(cells.dtype.names)(*(cells[name][chosen] for name in cells.dtype.names))


def _chosen(indices, k, stop):
    entries = int(k) + np.arange(SIZE)
    return indices[entries if stop is None else np.minimum(entries, int(stop) - 1)]


@emits(gather)
def _gather(*kinds):
    record = record_type(kinds[0], SIZE)

    def emit(context, builder, args):
        places = _places(context, builder, kinds, args)
        records = [builder.load(place, align=align) for place, align in places]
        fields = [
            builder.bitcast(words, context.get_value_type(field))
            for words, field in zip(_transposed(builder, records), record.types, strict=True)
        ]
        return context.make_tuple(builder, record, fields)

    return record, emit


def scatter(cells, indices, k, stop, record):
    """Store ``record`` where ``gather`` found it: the first lane of a repeated feature counts."""
    chosen = _chosen(indices, k, stop)[::-1]
    for name, value in zip(cells.dtype.names, record, strict=True):
        cells[name][chosen] = value[::-1]


@emits(scatter)
def _scatter(*kinds):
    def emit(context, builder, args):
        places = list(_places(context, builder, kinds[:4], args[:4]))
        words = ir.VectorType(places[0][0].type.pointee.element, SIZE)
        fields = cgutils.unpack_tuple(builder, args[4])
        records = _transposed(builder, [builder.bitcast(field, words) for field in fields])
        for (place, align), each in reversed(list(zip(places, records, strict=True))):
            builder.store(each, place, align=align)
        return context.get_dummy_value()

    return types.none, emit


def read(cells, j):
    """The record of one feature ``j``, with numbers for fields."""
    return record_of(cells.dtype.names)(*cells[j])


@emits(read)
def _read(cells, j):
    record = record_type(cells)

    def emit(context, builder, args):
        first = index(context, builder, j, args[1])
        place, align = _place(context, builder, cells, args[0], first)
        whole = builder.load(place, align=align)
        fields = [
            builder.bitcast(builder.extract_element(whole, _I32(n)), scalar(kind))
            for n, kind in enumerate(record.types)
        ]
        return context.make_tuple(builder, record, fields)

    return record, emit


def write(cells, j, record):
    """Store the ``record`` of one feature ``j``."""
    cells[j] = tuple(record)


@emits(write)
def _write(cells, j, record):
    def emit(context, builder, args):
        first = index(context, builder, j, args[1])
        place, align = _place(context, builder, cells, args[0], first)
        fields = zip(
            field_kinds(cells), record.types, cgutils.unpack_tuple(builder, args[2]), strict=True
        )
        whole = ir.Constant(place.type.pointee, ir.Undefined)
        for n, (kind, given, value) in enumerate(fields):
            word = builder.bitcast(context.cast(builder, value, given, kind), whole.type.element)
            whole = builder.insert_element(whole, word, _I32(n))
        builder.store(whole, place, align=align)
        return context.get_dummy_value()

    return types.none, emit


# --- fields in pieces ----------------------------------------------------------------------


def lanes_of(cells, words, place, stride, size):
    """The records of ``size`` neighbours, with lanes for fields.

    ``words`` are numbers among which the first neighbour's field ``n`` lies at
    ``place + n * stride``; ``cells`` is any array whose dtype names the fields.
    """
    names = cells.dtype.names
    fields = (words[int(place) + n * int(stride) :][:size] for n in range(len(names)))
    return record_of(names)(
        *(field.view(cells.dtype[name]) for name, field in zip(names, fields, strict=True))
    )


@emits(lanes_of, literal=True)
def _lanes_of(cells, words, place, stride, size):
    if not isinstance(size, types.IntegerLiteral):
        return None
    record = record_type(cells, size.literal_value)

    def emit(context, builder, args):
        places = _field_places(context, builder, (words, place, stride), args[1:4], record.types)
        fields = [builder.load(pointer, align=align) for pointer, align in places]
        return context.make_tuple(builder, record, fields)

    return record, emit


def put_lanes(words, place, stride, record):
    """Store ``record`` where ``lanes_of`` finds it."""
    for n, value in enumerate(record):
        value = value if value.dtype.kind == "f" else value.view(words.dtype)
        words[int(place) + n * int(stride) :][: len(value)] = value


@emits(put_lanes)
def _put_lanes(words, place, stride, record):
    def emit(context, builder, args):
        places = _field_places(context, builder, (words, place, stride), args[:3], record.types)
        for (pointer, align), value in zip(
            places, cgutils.unpack_tuple(builder, args[3]), strict=True
        ):
            builder.store(value, pointer, align=align)
        return context.get_dummy_value()

    return types.none, emit


def _field_places(context, builder, kinds, args, fields):
    words, place, stride = kinds
    first = index(context, builder, place, args[1])
    step = index(context, builder, stride, args[2])
    for n, kind in enumerate(fields):
        each = builder.add(first, builder.mul(step, _I64(n)))
        lanes = context.get_value_type(kind)
        yield pointer_to(context, builder, words, args[0], each, lanes)


def n_fields(cells):
    """How many fields a record has."""
    return np.uintp(len(cells.dtype.names))


@emits(n_fields)
def _n_fields(cells):
    return types.uintp, lambda context, builder, args: _I64(len(field_names(cells)))


# --- asking for memory ahead of time --------------------------------------------------------


def prefetch(array, k):
    """Ask for the cache line of ``array[k]``; it will be written, and no other core needs it."""


def prefetch_to_read(array, k):
    """Ask for the cache line of ``array[k]``; other cores may read it too."""


def ask(builder, pointer, writes=1):
    """Emit the prefetch of what ``pointer`` points to."""
    pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, _I32(writes), _I32(3), _I32(1)])


def _asks(function, writes):
    @emits(function)
    def define(array, k):
        def emit(context, builder, args):
            data = context.make_array(array)(context, builder, args[0]).data
            ask(builder, builder.gep(data, [index(context, builder, k, args[1])]), writes)
            return context.get_dummy_value()

        return types.none, emit


_asks(prefetch, 1)
_asks(prefetch_to_read, 0)


def keep_rolled():
    """Let the loop around this be left as it is.

    Unrolled, a loop over a row of any length ends in a remainder that no processor foresees: that
    cost a tenth of a pass over texts.
    """


@emits(keep_rolled)
def _keep_rolled():
    def emit(context, builder, args):
        nothing = ir.InlineAsm(ir.FunctionType(ir.VoidType(), []), "", "", True)
        builder.call(nothing, [], attrs=("convergent",))
        return context.get_dummy_value()

    return types.none, emit
