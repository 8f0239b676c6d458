"""Tables that are kept by column: Parquet and Arrow files."""

import contextlib
from functools import partial

import numpy as np

from ..hashing.refused import RowsRefused
from ..hashing.tables import Batch, arrow, decoded, form_of, forms_of
from .base import Part, Reader, check_columns, check_targets, check_weights
from .sources import filesystem_of

_ROWS = 2**14  # at a time: a batch is taken apart by column, which has its price
_ROWS_OF_FILE = 2**16  # that a Parquet file gives at a time: each comes with all its dictionaries


class _Columnar(Reader):
    """What the files have in common: ``_batches(source, stack)`` yields record batches.

    What is opened goes onto the ``stack``.
    """

    _part_rows, _settings = _ROWS, ("target", "sample_weight")

    def __init__(
        self, source, hasher, *, target=None, sample_weight=None, on_bad_lines="error",
        chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        self.target, self.sample_weight = target, sample_weight
        super().__init__(
            source, hasher, on_bad_lines=on_bad_lines, compression=None, chunk_rows=chunk_rows,
            read_ahead=read_ahead, cache=cache,
        )  # fmt: skip

    def _parts(self, sources):
        columns = None
        for source in sources:
            n_before = 0
            with contextlib.ExitStack() as stack:
                for batch in self._batches(source, stack):
                    columns = columns or Columns(self, batch.schema.names)
                    for first in range(0, len(batch), _ROWS):
                        place_of = partial(_place_of, source.name, n_before + first)
                        yield columns.part(batch.slice(first, _ROWS), place_of)
                    n_before += len(batch)


def _place_of(name, n_before, row):
    return f"{name}, row {n_before + row}"


class Columns:
    """Which columns of a table are the target, the weight and the fields."""

    def __init__(self, reader, names):
        check_columns(reader, names)
        self._reader, self.names = reader, names
        roles = (reader.target, reader.sample_weight)
        self._fields = [name for name in names if name not in roles]
        self._plans, self._forms, self._dictionaries = {}, {}, {}

    def part(self, batch, place_of):
        """The rows of a record batch; ``place_of(row)`` says where a row comes from."""
        names = batch.schema.names
        if names != self.names:
            raise ValueError(f"{place_of(0)}: the columns are {names}, not {self.names}.")
        try:
            plan = self._plan(batch.select(self._fields).schema)
            targets = self._role(batch, self._reader.target, "target")
            weights = self._role(batch, self._reader.sample_weight, "sample_weight")
        except ValueError as error:
            raise ValueError(f"{place_of(0)}: {error}") from error

        def make(kept):
            some = batch if kept is None else batch.take(arrow().array(kept))
            parts = (
                values if values is None or kept is None else values[kept]
                for values in (targets, weights)
            )
            return self._made(plan, some, *parts)

        part, n_bad = self._reader._settled(len(batch), make, place_of)
        return part._replace(n_bad=n_bad)

    def _made(self, plan, batch, targets, weights):
        if targets is not None and targets.dtype == object:
            missing = [row for row, target in enumerate(targets) if target is None]
            if missing:
                raise RowsRefused(missing, "the target is missing")
        elif targets is not None:
            check_targets(targets)
        if weights is not None:
            check_weights(weights)
        fields = batch.select(self._fields)
        rows = Batch(fields, self._reader.hasher.missing == "bucket", self._dictionaries, 2**31)
        return Part(*plan.entries(rows), targets, weights, 0)

    def _plan(self, schema):
        """The plan for columns of these types, which may differ between files."""
        types = tuple(map(str, schema.types))
        if types not in self._plans:
            for field in schema:
                form = form_of(field.type)
                if form is None or arrow().types.is_null(field.type):
                    continue
                form = "names" if form in ("texts", "codes") else "numbers"
                if self._forms.setdefault(field.name, form) != form:
                    raise ValueError(f"{field.name!r} has {form} here and others before.")
            self._plans[types] = self._reader.hasher._plan_of(self._fields, forms_of(schema))
        return self._plans[types]

    def _role(self, batch, name, role):
        """Targets or weights: float64 with NaN for what is missing, or names with None."""
        if name is None:
            return None
        pa, column = arrow(), batch.column(name)
        if pa.types.is_dictionary(column.type):
            column = decoded(column)
        form = "numbers" if pa.types.is_null(column.type) else form_of(column.type)
        if form == "texts" and role == "target":
            return np.array(column.to_pylist(), dtype=object)
        if form not in ("integers", "numbers"):
            raise ValueError(f"{role}={name!r} is a column of type {column.type}, not of numbers.")
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)


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
        What to do with a row without a target, with a bad weight or with a number that is infinite
        or too large for the hasher's dtype. ``n_bad_lines`` tells how many were skipped.
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
            names = [field.name for field in schema if form_of(field.type) == "texts"]
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
            is_file = place.seekable() and place.read(len(_MAGIC)) == _MAGIC
            if place.seekable():
                place.seek(0)
            if is_file:
                file = ipc.open_file(place)
                yield from map(file.get_batch, range(file.num_record_batches))
            else:
                yield from ipc.open_stream(place)
        except (arrow().ArrowException, OSError) as error:
            raise _unreadable(source, error) from error


_MAGIC = b"ARROW1"


def _unreadable(source, error):
    return OSError(f"{source.name} cannot be read: {error}")
