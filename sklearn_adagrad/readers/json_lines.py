"""JSON lines: an object on each line."""

import json

import numpy as np

from ..hashing.entries import Entries
from ..hashing.tables import arrow
from .base import ROWS, Part, Reader
from .columnar import Columns
from .sources import opened
from .window import Window

_FEED = 10
_FIRST = 2**19  # bytes in which keys are looked for
_NOTHING = Entries(np.zeros(1, np.int64), np.empty(0, np.uint32), np.empty(0))


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
        The keys to read; others are passed over, but have to be of one type all the same. One that
        no line has is missing everywhere. None: those of the first half megabyte, or more if more
        comes at once, and another one later on is an error.
    on_bad_lines : {"error", "skip"}, default="error"
        What to do with a line that is no JSON object, has no target, a bad weight or a number that
        is too large for the hasher's dtype. ``n_bad_lines`` tells how many were skipped.
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
    [(2, [1.0])]
    """

    _settings = ("target", "sample_weight", "names")

    def __init__(
        self, source, hasher, *, target=None, sample_weight=None, names=None,
        on_bad_lines="error", compression="infer", chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        self.target, self.sample_weight = target, sample_weight
        self.names = None if names is None else list(names)
        super().__init__(
            source, hasher, on_bad_lines=on_bad_lines, compression=compression,
            chunk_rows=chunk_rows, read_ahead=read_ahead, cache=cache,
        )  # fmt: skip

    def _parts(self, sources):
        known = _Known(self)
        for source in sources:
            with opened(source, self.compression) as stream:
                window, n_lines = Window(stream, source.name), 0
                while window.advance():
                    is_short = window.stop - window.first < _FIRST and not window.at_end
                    if known.is_new and is_short:  # or keys would depend on how a pipe is filled
                        continue
                    text = window.data[window.first : window.stop]
                    ends = np.flatnonzero(text == _FEED)
                    if len(ends):
                        block = text[: ends[-1] + 1].tobytes()
                        yield from known.parts(block, source.name, n_lines)
                        window.first += len(block)
                        n_lines += len(ends)


class _Known:
    """What is known of the keys of files: which there are, and which look like times."""

    def __init__(self, reader):
        self._reader, self._names, self._columns = reader, reader.names, None
        self._strings = {}

    @property
    def is_new(self):
        """Whether the keys are still to be found."""
        return self._names is None

    def parts(self, block, name, n_lines):
        """The parts of a block of whole lines, before which there were ``n_lines``."""
        texts = dict(enumerate(block.split(b"\n"), n_lines + 1))
        texts = {line: text for line, text in texts.items() if text.strip()}
        n_bad = len(texts)
        table = self._table(texts, name)
        n_bad -= len(texts)
        lines = list(texts)
        if table is None:
            return [Part(_NOTHING, 0, None, None, n_bad)] if n_bad else []
        self._columns = self._columns or Columns(self._reader, table.schema.names)
        parts = []
        for first in range(0, len(lines), ROWS):
            batch = table.slice(first, ROWS).combine_chunks().to_batches()[0]
            part = self._columns.part(
                batch, lambda row, first=first: f"{name}, line {lines[first + row]}"
            )
            parts.append(part)
        parts[0] = parts[0]._replace(n_bad=parts[0].n_bad + n_bad)
        return parts

    def _table(self, texts, name):
        """The table of some lines, None if there are none. Those that are bad are taken out."""
        pa, failed = arrow(), None
        bad = {
            line: self._reason(text) or "it is no JSON object"
            for line, text in texts.items()
            if not _may_be_object(text)
        }
        others = {line: text for line, text in texts.items() if line not in bad} if bad else texts
        try:
            table = self._parsed(others) if others else None
        except pa.ArrowException as error:
            failed = str(error)
            bad |= self._bad(list(others.items()))
        if bad or failed:
            line = min(bad, default=next(iter(texts)))
            if not bad or self._reader.on_bad_lines == "error":
                place = f"line {line}" if bad else f"the lines from {line} on"
                raise ValueError(f"{name}, {place}: {bad.get(line, failed)}.") from None
            for line in bad:
                del texts[line]
            return self._table(texts, name)
        if not texts:
            return None
        if self._names is None:
            self._names = table.schema.names
        elif self._reader.names is None:
            for key in table.schema.names:
                if key not in self._names:
                    raise ValueError(
                        f"{name}, the lines from {next(iter(texts))} on: there is a new key "
                        f"{key!r}: say with names=[...] which keys to read."
                    )
        columns = {
            key: table.column(key) if key in table.schema.names else pa.nulls(len(table))
            for key in self._names
        }
        if not columns:
            raise ValueError(f"{name}, line {next(iter(texts))}: there are no keys.")
        return pa.table(columns)

    def _parsed(self, texts):
        """A table as Arrow reads it; what looks like times stays the string that it is."""
        pa, reader = arrow(), arrow("json")
        block = b"\n".join(texts.values()) + b"\n"
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
        if table.num_columns and len(table) != len(texts):
            raise pa.ArrowInvalid("there are lines with more than one object")
        return table

    def _bad(self, lines):
        """Which of some lines are bad, and why: halves are tried, and halves of these."""
        if len(lines) == 1:
            ((line, text),) = lines
            reason = self._reason(text)
            return {line: reason} if reason else {}
        bad, middle = {}, len(lines) // 2
        for half in (lines[:middle], lines[middle:]):
            try:
                self._parsed(dict(half))
            except arrow().ArrowException:
                bad |= self._bad(half)
        return bad

    def _reason(self, text):
        """Why a line is no object, or None."""
        try:
            if not isinstance(json.loads(text.decode(errors="replace")), dict):
                return "it is no JSON object"
            self._parsed({0: text})
        except json.JSONDecodeError as error:
            return f"{error.msg}, at character {error.colno}"
        except (ValueError, RecursionError, arrow().ArrowException) as error:
            return str(error)
        return None


def _may_be_object(text):
    """Whether a line begins and ends as objects do: Arrow crashes at a line that is null."""
    text = text.strip()
    return text.startswith(b"{") and text.endswith(b"}")
