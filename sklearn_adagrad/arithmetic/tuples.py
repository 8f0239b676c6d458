"""Named tuples of what is remembered of a weight, made and changed in compiled code."""

import functools
from collections import namedtuple

from numba import types
from numba.core import cgutils

from .jit import emits


@functools.cache
def record_of(names):
    """The class of named tuples with these fields."""
    return namedtuple("Record_" + "_".join(names), names)


def told_apart(*classes):
    """Let named tuples of these classes be equal only to those of the same class."""
    for each in classes:
        each.__eq__, each.__ne__, each.__hash__ = _equal, _unequal, _hash


def _equal(self, other):
    return type(self) is type(other) and tuple.__eq__(self, other)


def _unequal(self, other):
    return not _equal(self, other)


def _hash(self):
    return hash((type(self), *self))


def replaced(record, name, value):
    """``record`` with another ``value`` in its field ``name``."""
    return record._replace(**{name: value})


def found(record, name, default):
    """The field ``name`` of ``record``, or ``default`` if there is none."""
    return getattr(record, name, default)


def kept(record, name, value):
    """``record`` with another ``value`` in its field ``name``, if it has one."""
    return replaced(record, name, value) if name in record._fields else record


@emits(found, literal=True)
def _found(record, name, default):
    if not isinstance(name, types.StringLiteral):
        return None
    if name.literal_value not in record.fields:
        return types.unliteral(default), lambda context, builder, args: args[2]
    n = record.fields.index(name.literal_value)
    return record.types[n], lambda context, builder, args: builder.extract_value(args[0], n)


@emits(kept, literal=True)
def _kept(record, name, value):
    if not isinstance(name, types.StringLiteral):
        return None
    if name.literal_value not in record.fields:
        return record, lambda context, builder, args: args[0]
    return _replaced(record, name, value)


@emits(replaced, literal=True)
def _replaced(record, name, value):
    if not isinstance(name, types.StringLiteral):
        return None
    n, given = record.fields.index(name.literal_value), value
    value = types.unliteral(value)
    kinds = [value if m == n else kind for m, kind in enumerate(record.types)]
    result = types.NamedTuple(kinds, record.instance_class)

    def emit(context, builder, args):
        fields = cgutils.unpack_tuple(builder, args[0])
        fields[n] = context.cast(builder, args[2], given, value)
        return context.make_tuple(builder, result, fields)

    return result, emit
