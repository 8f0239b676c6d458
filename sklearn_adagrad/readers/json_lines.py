"""JSON lines: an object on each line."""

import json

import numpy as np

from ..hashing.tables import arrow, form_of
from .base import ROWS, Reader
from .columnar import Layout
from .sources import opened
from .window import Window

_FEED = 10


class JsonLines(Reader):
    """Rows of files with a JSON object on each line.

    Strings are names, numbers and booleans are numbers, null or nothing is a missing value; what
    else they are is said by the ``fields`` of the hasher.

    Parameters
    ----------
    source : str, path, binary file, or list of them
        Where to read, as in :class:`Delimited`.
    hasher : FieldHasher
        Which columns the fields become. One with quantiles is to be fitted before.
    target : str, default=None
        The key of what is to be predicted, numbers or names; None if there is none.
    sample_weight : str, default=None
        The key of the weights of rows, if there is one.
    names : list of str, default=None
        The keys to read; others are passed over. None: those of the first megabyte, and another one
        later on is an error.
    on_bad_lines : {"error", "skip"}, default="error"
        What to do with a line that is no JSON object, has no target, or a bad weight.
        ``n_bad_lines`` tells how many were skipped.
    compression, chunk_rows, read_ahead, cache
        As in :class:`Delimited`.

    Attributes
    ----------
    n_bad_lines : int
        How many lines the latest loop skipped.

    Raises
    ------
    ValueError
        If a parameter or a line is not as described, or a key has names here and numbers there.
        The message has the file and the line number.
    OSError
        If the source cannot be read.

    Examples
    --------
    >>> import io
    >>> from sklearn_adagrad import FieldHasher
    >>> from sklearn_adagrad.readers import JsonLines
    >>> log = io.BytesIO(b'{"clicked": 1, "site": "a.com", "age": 31}\\n')
    >>> [(X.nnz, y.tolist()) for X, y, _ in JsonLines(log, FieldHasher(2**20), target="clicked")]
    [(2, [1])]
    """

    def __init__(
        self, source, hasher, *, target=None, sample_weight=None, names=None,
        on_bad_lines="error", compression="infer", chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        self.target, self.sample_weight = target, sample_weight
        self.names = None if names is None else list(names)
        settings = {"target": target, "sample_weight": sample_weight, "names": self.names}
        super().__init__(
            source, hasher, settings, on_bad_lines=on_bad_lines, compression=compression,
            chunk_rows=chunk_rows, read_ahead=read_ahead, cache=cache,
        )  # fmt: skip

    def _parts(self, sources):
        known = _Known(self)
        for source in sources:
            with opened(source, self.compression) as stream:
                window, n_lines = Window(stream, source.name), 0
                while window.advance():
                    text = window.data[window.first : window.stop]
                    ends = np.flatnonzero(text == _FEED)
                    if len(ends):
                        block = text[: ends[-1] + 1].tobytes()
                        yield from known.parts(block, source.name, n_lines)
                        window.first += len(block)
                        n_lines += len(ends)


class _Known:
    """What is known of the keys of files: which there are, and of what types."""

    def __init__(self, reader):
        self._reader, self._names, self._layout = reader, reader.names, None
        self._strings, self._forms = {}, {}

    def parts(self, block, name, n_lines):
        """The parts of a block of whole lines, before which there were ``n_lines``."""
        lines = [n for n, line in enumerate(block.split(b"\n")) if line.strip()]
        n_bad = 0
        try:
            table = self._table(block)
            if len(table) != len(lines):
                raise arrow().ArrowInvalid("there are lines with more than one object")
        except arrow().ArrowInvalid as error:
            texts = block.split(b"\n")
            bad = {n: reason for n in lines if (reason := _reason(texts[n]))}
            if not bad or self._reader.on_bad_lines == "error":
                n, reason = next(iter(bad.items()), (lines[0], error))
                where = f"line {n_lines + n + 1}" if bad else f"the lines from {n_lines + n + 1} on"
                raise ValueError(f"{name}, {where}: {reason}.") from None
            lines, n_bad = [n for n in lines if n not in bad], len(bad)
            try:
                table = self._table(b"\n".join(texts[n] for n in lines))
            except arrow().ArrowInvalid as error:
                raise ValueError(f"{name}, from line {n_lines + 1} on: {error}.") from None
        if lines or n_bad:
            self._check_forms(table, name, n_lines)
            self._layout = self._layout or Layout(self._reader, table.schema)
        for first in range(0, len(lines), ROWS):
            batch = table.slice(first, ROWS).combine_chunks().to_batches()[0]
            part = self._layout.part(
                batch, name, lambda row, first=first: f"line {n_lines + lines[first + row] + 1}"
            )
            yield part._replace(n_bad=part.n_bad + n_bad)
            n_bad = 0

    def _table(self, block):
        """The table of a block; what looks like times stays the string that it is."""
        pa, reader = arrow(), arrow("json")
        while True:
            table = reader.read_json(
                pa.BufferReader(block),
                reader.ReadOptions(use_threads=False, block_size=len(block) + 1),
                reader.ParseOptions(
                    explicit_schema=pa.schema(list(self._strings.items())),
                    unexpected_field_behavior="infer",
                ),
            )
            times = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
            if not times:
                break
            self._strings |= dict.fromkeys(times, pa.string())
        if self._names is None:
            self._names = table.schema.names
        elif self._reader.names is None:
            for name in table.schema.names:
                if name not in self._names:
                    raise pa.ArrowInvalid(
                        f"there is a new key {name!r}: say with names=[...] which keys to read"
                    )
        columns = {
            name: table.column(name) if name in table.schema.names else pa.nulls(len(table))
            for name in self._names
        }
        return pa.table(columns)

    def _check_forms(self, table, name, n_lines):
        for field in table.schema:
            if arrow().types.is_null(field.type):
                continue
            form = "texts" if form_of(field.type) == "texts" else "numbers"
            if self._forms.setdefault(field.name, form) != form:
                raise ValueError(
                    f"{name}, from line {n_lines + 1} on: key {field.name!r} has names and numbers."
                )


def _reason(line):
    """Why a line is no object, or None."""
    try:
        found = json.loads(line.decode(errors="replace"))
    except json.JSONDecodeError as error:
        return f"{error.msg}, at character {error.colno}"
    return None if isinstance(found, dict) else "it is no JSON object"
