"""Tables of any library become Arrow record batches, and their columns the raw values of fields."""

from collections.abc import Mapping
from functools import cache
from numbers import Number
from types import NoneType

import numpy as np

from .._optional import optional
from .entries import Codes, Ranges
from .numbers import parse_numbers

ROWS = 8192  # at a time: what is made of them stays in a cache
_LONGEST = 2**31 - 1
_OF_A_ROW = (str, bytes, Number, np.generic, NoneType)


@cache
def arrow(module=None):
    """pyarrow or a module of it, which text and learners do not need."""
    return optional(f"pyarrow.{module}" if module else "pyarrow")


def table_of(X):
    """``X`` as a ``pyarrow.Table``; the columns of an array are named x0, x1, and so on."""
    pa = arrow()
    if isinstance(X, pa.Table):
        table = X
    elif isinstance(X, pa.RecordBatch):
        table = pa.Table.from_batches([X])
    elif isinstance(X, Mapping):
        is_row = len(X) > 0 and all(isinstance(value, _OF_A_ROW) for value in X.values())
        table = _of_rows([X]) if is_row else _of_columns(list(X.items()))
    elif isinstance(X, list | tuple) and all(isinstance(row, Mapping) for row in X):
        table = _of_rows(X)
    elif hasattr(X, "iloc") and hasattr(X, "columns"):  # pandas: NaN is a missing value there
        table = _of_columns([(name, X.iloc[:, n]) for n, name in enumerate(X.columns)])
    elif hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__"):
        table = pa.table(X)
    elif isinstance(X, np.ndarray) and X.dtype.names:
        table = _of_columns([(name, X[name]) for name in X.dtype.names])
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        table = _of_columns([(f"x{n}", X[:, n]) for n in range(X.shape[1])])
    else:
        raise ValueError(
            "X must be a table: a DataFrame of pandas or polars, a Table or RecordBatch of "
            "pyarrow, a dict of columns, dicts of values for rows, or a two-dimensional array, got "
            f"{type(X).__name__}."
        )
    names = table.schema.names
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"X has {names.count(name)} columns named {name!r}.")
    return table


def _of_rows(rows):
    """Rows that are dicts; what one of them lacks is missing."""
    names = dict.fromkeys(name for row in rows for name in row)
    return _of_columns([(name, [row.get(name) for row in rows]) for name in names])


def _of_columns(columns):
    pa = arrow()
    names = [str(name) for name, _ in columns]
    arrays = [_array(name, column) for name, (_, column) in zip(names, columns, strict=True)]
    lengths = [len(array) for array in arrays]
    for name, length in zip(names, lengths, strict=True):
        if length != lengths[0]:
            raise ValueError(
                f"Column {name!r} of X has {length} rows, but column {names[0]!r} has {lengths[0]}."
            )
    return pa.table(arrays, names=names)


def _array(name, column):
    pa = arrow()
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return column
    try:
        if isinstance(column, str | bytes) or np.ndim(column) != 1:
            raise ValueError("it is not a vector")
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Column {name!r} of X is neither of strings nor of numbers: {error}."
        ) from error
    return array


@cache
def form_of(kind):
    """How a column of this Arrow type is read first: a form of ``Plan``, or None."""
    types = arrow().types
    if types.is_dictionary(kind):
        return "codes" if form_of(kind.value_type) == "texts" else form_of(kind.value_type)
    texts = (
        "string", "large_string", "string_view", "binary", "large_binary", "binary_view", "null",
    )  # fmt: skip
    if any(getattr(types, f"is_{each}")(kind) for each in texts):
        return "texts"
    if types.is_integer(kind) or types.is_boolean(kind):
        return "integers"
    return "numbers" if types.is_floating(kind) or types.is_decimal(kind) else None


def forms_of(schema):
    """The form of each column of a table, and what its type is called."""
    return [(form_of(kind), str(kind)) for kind in schema.types]


class Batches:
    """The rows of a table, some thousand at a time."""

    def __init__(self, table, keep_missing):
        self._table, self._keep_missing = table, keep_missing
        self._values = {}

    def __iter__(self):
        for batch in self._table.to_batches(max_chunksize=ROWS):
            yield Batch(batch, self._keep_missing, self._values, self._table.num_rows)


class Batch:
    """Some rows of a table, as a ``Plan`` reads them."""

    def __init__(self, batch, keep_missing, values, n_rows_of_table):
        self.n_rows = batch.num_rows
        self._batch, self._keep_missing = batch, keep_missing
        self._values, self._known = values, {}
        self._largest_dictionary = max(ROWS, n_rows_of_table)  # a larger one is not worth hashing

    def form(self, position):
        array = self._batch.column(position)
        form = form_of(array.type)
        if form == "codes" and len(array.dictionary) > self._largest_dictionary:
            return "texts"
        types = arrow().types
        kind = array.type.value_type if types.is_dictionary(array.type) else array.type
        if form == "integers" and types.is_uint64(kind):
            return "texts"  # they may be larger than any int64
        return form

    def texts(self, position):
        if position not in self._known:
            pa, array = arrow(), self._batch.column(position)
            if pa.types.is_dictionary(array.type):
                array = decoded(array)
            self._known[position] = texts_of(array, self._keep_missing)
        return self._known[position], 0

    def integers(self, position):
        pa, array = arrow(), self._batch.column(position)
        if pa.types.is_dictionary(array.type):
            array = decoded(array)
        array = array.cast(pa.int64())
        present = np.ones(len(array), bool)
        if array.null_count:
            present = array.is_valid().to_numpy(zero_copy_only=False)
            array = array.fill_null(0)
        return array.to_numpy(zero_copy_only=False), present

    def codes(self, position):
        pa, array = arrow(), self._batch.column(position)
        dictionary = array.dictionary
        known = self._values.get(position)
        if known is None or not _is_same(known[0], dictionary):
            with_missing = pa.concat_arrays(
                [_plain(dictionary), pa.nulls(1, _plain(dictionary).type)]
            )
            known = self._values[position] = dictionary, texts_of(with_missing, self._keep_missing)
        indices = array.indices
        indices = indices if indices.type == pa.int32() else indices.cast(pa.int32())
        bits, codes = indices.buffers()
        first, n_rows = indices.offset, len(indices)
        codes = np.frombuffer(codes or b"", np.int32)[first : first + n_rows]
        bits = np.frombuffer(bits if bits and indices.null_count else b"", np.uint8)
        if len(codes) < n_rows or 0 < 8 * len(bits) < first + n_rows:
            raise ValueError("A column of a dictionary has buffers that are too short.")
        return Codes(codes, bits, first, len(dictionary)), known[1]

    def numbers(self, position):
        pa, array = arrow(), self._batch.column(position)
        if pa.types.is_dictionary(array.type):
            array = decoded(array)
        if form_of(array.type) == "texts":
            name = self._batch.schema.names[position]
            return parse_numbers(*self.texts(position), f"field {name!r}")
        if pa.types.is_boolean(array.type):
            array = array.cast(pa.uint8())
        return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def decoded(array):
    """The values of a dictionary where their codes are."""
    codes, values = array.indices, _plain(array.dictionary)
    return arrow().DictionaryArray.from_arrays(codes, values).dictionary_decode()


def _is_same(a, b):
    """Whether two dictionaries are equal: those of neighbouring batches mostly lie in one place."""
    places = [
        (len(each), each.offset, [part and (part.address, part.size) for part in each.buffers()])
        for each in (a, b)
    ]
    return places[0] == places[1] or a.equals(b)


def _plain(array):
    """Strings in one of the layouts that have offsets."""
    pa = arrow()
    types = pa.types
    if types.is_string_view(array.type):
        return array.cast(pa.large_string())
    if types.is_binary_view(array.type):
        return array.cast(pa.large_binary())
    if types.is_null(array.type) or types.is_uint64(array.type):
        return array.cast(pa.string())
    return array


def texts_of(array, keep_missing):
    """The strings of an Arrow array as ``Ranges``."""
    array = _plain(array)
    types, n_rows = arrow().types, len(array)
    is_large = types.is_large_string(array.type) or types.is_large_binary(array.type)
    _, offsets, data = array.buffers()
    if n_rows == 0:
        nothing = np.zeros((0, 1), np.int32)
        return Ranges(np.zeros(0, np.uint8), nothing, nothing)
    offsets = np.frombuffer(offsets, np.int64 if is_large else np.int32)
    offsets = offsets[array.offset : array.offset + n_rows + 1]
    data = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    if (
        len(offsets) <= n_rows
        or offsets[0] < 0
        or offsets[-1] > len(data)
        or (offsets[1:] < offsets[:-1]).any()
    ):
        raise ValueError("A column of strings has offsets that point outside of its data.")
    if is_large:
        data = data[offsets[0] : offsets[-1]]
        if len(data) > _LONGEST:
            raise ValueError(f"{n_rows} strings of a column have more than 2**31 - 1 bytes.")
        offsets = (offsets - offsets[0]).astype(np.int32)
    firsts, lasts = offsets[:-1], offsets[1:]
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        lasts = np.where(valid, lasts, firsts - np.int32(not keep_missing))
    return Ranges(data, firsts.reshape(-1, 1), np.ascontiguousarray(lasts).reshape(-1, 1))
