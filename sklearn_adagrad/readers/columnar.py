"""Tables that are kept by column: Parquet and Arrow files."""

import contextlib

import numpy as np

from ..hashing.tables import Batch, arrow, form_of, forms_of
from .base import Part, Reader, check_columns
from .sources import filesystem_of

_ROWS = 2**14  # at a time: a batch is taken apart by column, which has its price
_ROWS_OF_FILE = 2**16  # that a Parquet file gives at a time: each comes with all its dictionaries


class _Columnar(Reader):
    """What the files have in common: ``_batches(file, schema)`` yields record batches."""

    def __init__(
        self, source, hasher, *, target=None, sample_weight=None, on_bad_lines="error",
        chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        self.target, self.sample_weight = target, sample_weight
        settings = {"target": target, "sample_weight": sample_weight}
        super().__init__(
            source, hasher, settings, on_bad_lines=on_bad_lines, compression=None,
            chunk_rows=chunk_rows, read_ahead=read_ahead, cache=cache,
        )  # fmt: skip

    def _parts(self, sources):
        layout = None
        for source in sources:
            with contextlib.ExitStack() as stack:
                n_before = 0
                for batch in self._batches(source, stack):
                    layout = layout or Layout(self, batch.schema)
                    if batch.schema.names != layout.names:
                        raise ValueError(
                            f"{source.name} has the columns {batch.schema.names}, not "
                            f"{layout.names}."
                        )
                    for first in range(0, len(batch), _ROWS):
                        some = batch.slice(first, _ROWS)
                        place = n_before + first
                        yield layout.part(
                            some, source.name, lambda row, place=place: f"row {place + row}"
                        )
                    n_before += len(batch)


class Layout:
    """Which columns of a table are the target, the weight and the fields."""

    def __init__(self, reader, schema):
        self.names = schema.names
        check_columns(reader, self.names)
        self._target, self._weight = reader.target, reader.sample_weight
        self._fields = [name for name in self.names if name not in (self._target, self._weight)]
        self._skip = reader.on_bad_lines == "skip"
        self._hasher, self._plans, self._dictionaries = reader.hasher, {}, {}

    def part(self, batch, name, place_of):
        """The rows of a record batch of a file. ``place_of(row)`` is what to call a row."""
        targets, weights, bad = None, None, {}
        if self._target is not None:
            targets = _values(batch.column(self._target))
            wrong = np.flatnonzero(_is_missing(targets))
            bad |= dict.fromkeys(wrong, "the target is missing or infinite")
        if self._weight is not None:
            weights = self._weights(batch.column(self._weight))
            wrong = np.flatnonzero(~((weights >= 0) & (weights < np.inf)))
            bad |= {
                row: f"the weight is {weights[row]}, not a number of at least 0" for row in wrong
            }
        if bad and not self._skip:
            row = min(bad)
            raise ValueError(f"{name}, {place_of(row)}: {bad[row]}.")
        if bad:
            kept = np.ones(len(batch), bool)
            kept[list(bad)] = False
            batch = batch.filter(arrow().array(kept))
            targets, weights = (
                values if values is None else values[kept] for values in (targets, weights)
            )
        fields = batch.select(self._fields)
        plan = self._plan(fields.schema)
        fields = Batch(fields, self._hasher.missing == "bucket", self._dictionaries, 2**31)
        try:
            entries, longest = plan.entries(fields)
        except ValueError as error:
            raise ValueError(f"{name}, counted from {place_of(0)}: {error}") from error
        return Part(entries, longest, targets, weights, len(bad))

    def _weights(self, column):
        if form_of(column.type) not in ("integers", "numbers"):
            raise ValueError(
                f"sample_weight={self._weight!r} is a column of type {column.type}, not of numbers."
            )
        return _values(column).astype(np.float64)

    def _plan(self, schema):
        """The plan for columns of these types, which may differ from file to file."""
        types = tuple(map(str, schema.types))
        if types not in self._plans:
            self._plans[types] = self._hasher._plan_of(self._fields, forms_of(schema))
        return self._plans[types]


def _values(column):
    """A column as an array of NumPy, None or NaN where a value is missing."""
    if arrow().types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.to_numpy(zero_copy_only=False)


def _is_missing(values):
    if values.dtype == object:
        return np.array([value is None for value in values], bool)
    return ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


@contextlib.contextmanager
def _random_access(source):
    """A file of pyarrow at the place ``source``."""
    if source.stream is not None:
        yield source.stream
    elif "://" in source.name:
        system, path = filesystem_of(source.name)
        with system.open_input_file(path) as file:
            yield file
    else:
        with arrow().memory_map(source.name) as file:
            yield file


class Parquet(_Columnar):
    """Rows of Parquet files.

    Columns of strings that the file keeps as dictionaries are hashed once per value.

    Parameters
    ----------
    source : str, path, binary file, or list of them
        Where to read: a path, a pattern such as ``"day_*.parquet"``, an address that ``pyarrow.fs``
        or fsspec knows, such as ``"s3://..."``, or an open binary file.
    hasher : FieldHasher
        Which columns the fields become. One with quantiles is to be fitted before.
    target : str, default=None
        The column with what is to be predicted, numbers or names; None if there is none.
    sample_weight : str, default=None
        The column with the weights of rows, if there is one.
    on_bad_lines : {"error", "skip"}, default="error"
        What to do with a row without a target, or with a bad weight. ``n_bad_lines`` tells how many
        were skipped.
    chunk_rows : int, default=16384
        Rows in a chunk. A model does not depend on it.
    read_ahead : int, default=2
        How many chunks a second thread makes while the learner works; 0 for no thread.
    cache : str or path, default=None
        A file to keep the hashed rows in, as in :class:`Delimited`.

    Attributes
    ----------
    n_bad_lines : int
        How many rows the latest loop skipped.

    Raises
    ------
    ValueError
        If a parameter, a column or a row is not as described.
    OSError
        If the source cannot be read.

    Examples
    --------
    >>> from sklearn_adagrad import FieldHasher
    >>> from sklearn_adagrad.readers import Parquet
    >>> reader = Parquet("day_*.parquet", FieldHasher(2**22), target="clicked")
    """

    def _batches(self, source, stack):
        parquet = arrow("parquet")
        place = stack.enter_context(_random_access(source))
        try:
            schema = parquet.read_schema(place)
            names = [name for name in schema.names if form_of(schema.field(name).type) == "texts"]
            file = stack.enter_context(parquet.ParquetFile(place, read_dictionary=names))
            yield from file.iter_batches(_ROWS_OF_FILE, use_threads=self.read_ahead > 0)
        except (arrow().ArrowException, OSError) as error:
            raise _unreadable(source, error) from error


class Arrow(_Columnar):
    """Rows of Arrow files, also known as Feather, or of streams in Arrow's format.

    Parameters
    ----------
    source, hasher, target, sample_weight, on_bad_lines, chunk_rows, read_ahead, cache
        As in :class:`Parquet`.

    Attributes
    ----------
    n_bad_lines : int
        How many rows the latest loop skipped.

    Raises
    ------
    ValueError
        If a parameter, a column or a row is not as described.
    OSError
        If the source cannot be read.

    Examples
    --------
    >>> from sklearn_adagrad import FieldHasher
    >>> from sklearn_adagrad.readers import Arrow
    >>> reader = Arrow("day_*.arrow", FieldHasher(2**22), target="clicked")
    """

    def _batches(self, source, stack):
        ipc = arrow("ipc")
        place = stack.enter_context(_random_access(source))
        try:
            if place.read(len(_MAGIC)) == _MAGIC:
                place.seek(0)
                file = ipc.open_file(place)
                yield from map(file.get_batch, range(file.num_record_batches))
            else:
                place.seek(0)
                yield from ipc.open_stream(place)
        except (arrow().ArrowException, OSError) as error:
            raise _unreadable(source, error) from error


_MAGIC = b"ARROW1"


def _unreadable(source, error):
    return OSError(f"{source.name} cannot be read: {error}")
