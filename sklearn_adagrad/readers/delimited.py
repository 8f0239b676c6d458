"""Tables in text: fields between separators, rows on lines."""

from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import read_only
from ..hashing.entries import Entries, Ranges
from ..hashing.kinds import Category, Words
from ..hashing.numbers import read_numbers, text_of
from .base import ROWS, Part, Reader, check_columns
from .scan import NO_QUOTES, Style, scan
from .sources import opened
from .window import Window

_WEIGHT = "{}, not a finite number of at least 0"
CRITEO = ["label", *(f"I{n}" for n in range(1, 14)), *(f"C{n}" for n in range(1, 27))]


class Bad(NamedTuple):
    """A row that cannot be taken, and why."""

    row: int
    reason: str


class Taken(NamedTuple):
    """Rows that were found."""

    batch: "Scanned"
    targets: np.ndarray | None
    weights: np.ndarray | None


class Scanned:
    """Rows of a text, as a ``Plan`` reads them; ``positions`` of its fields among all columns."""

    def __init__(self, ranges, positions):
        self.ranges, self._positions = ranges, positions
        self.n_rows = len(ranges.firsts)
        self._numbers = {}

    def form(self, position):
        return "texts"

    def texts(self, position):
        return self.ranges, self._positions[position]

    def numbers(self, position):
        return self._numbers[position]

    def read(self, position, largest):
        """Read a field of numbers. Returns the ``Bad`` rows."""
        column = self._positions[position]
        numbers, bad = numbers_in(self.ranges, column)
        self._numbers[position] = numbers
        return bad + [
            Bad(int(row), f"{numbers[row]}, which is too large")
            for row in np.flatnonzero(np.abs(numbers) > largest)
        ]


def numbers_in(ranges, column):
    """The numbers of a column, NaN where there is none, and the ``Bad`` rows."""
    numbers, others = read_numbers(ranges, column)
    numbers[others] = np.nan
    texts = ((row, text_of(ranges, column, row).decode(errors="replace")) for row in others)
    return numbers, [Bad(row, f"{text!r}, not a number") for row, text in texts]


class _Layout:
    """Which columns of a text are the target, the weight and the fields."""

    def __init__(self, reader, names):
        hint = "" if reader.names else " If the first line is no header, give their names=[...]."
        check_columns(reader, names, hint)
        self._target_type = reader.target_type
        self._target, self._weight = (
            None if name is None else names.index(name)
            for name in (reader.target, reader.sample_weight)
        )
        others = [n for n in range(len(names)) if n not in (self._target, self._weight)]
        fields = [names[n] for n in others]
        self._positions = np.array(others)
        self.plan = reader.hasher._plan_of(fields, [("texts", "text")] * len(fields))
        self._numbers = [
            field for field in self.plan.fields if not isinstance(field.kind, Category | Words)
        ]
        self._largest = float(np.finfo(self.plan.settings.dtype).max)
        self.style = Style(
            ord(reader.sep), NO_QUOTES if reader.quotechar is None else ord(reader.quotechar),
            len(names), int(not self.plan.settings.keep_missing), reader.on_bad_lines == "skip",
        )  # fmt: skip

    def take(self, ranges):
        """The rows, and the ``Bad`` ones among them."""
        batch, bad = Scanned(ranges, self._positions), []
        targets = weights = None
        if self._target is not None:
            targets, found = self._targets(ranges)
            bad += [Bad(row, f"the target is {reason}") for row, reason in found]
        if self._weight is not None:
            weights, found = numbers_in(ranges, self._weight)
            known = {row for row, _ in found}
            found += [
                Bad(int(row), _WEIGHT.format("missing" if np.isnan(weights[row]) else weights[row]))
                for row in np.flatnonzero(~((weights >= 0) & (weights < np.inf)))
                if row not in known
            ]
            bad += [Bad(row, f"the weight is {reason}") for row, reason in found]
        for field in self._numbers:
            found = batch.read(field.position, self._largest)
            bad += [Bad(row, f"field {field.name!r} is {reason}") for row, reason in found]
        return Taken(batch, targets, weights), bad

    def _targets(self, ranges):
        if self._target_type is str:
            texts = [text_of(ranges, self._target, row) for row in range(len(ranges.firsts))]
            targets = np.array([text.decode(errors="replace") for text in texts], dtype=object)
            return targets, [Bad(row, "missing") for row, text in enumerate(texts) if not text]
        targets, bad = numbers_in(ranges, self._target)
        if bad:
            remedy = " (read targets that are names with target_type=str)"
            bad = [Bad(row, reason + remedy) for row, reason in bad]
        known = {row for row, _ in bad}
        return targets, bad + [
            Bad(int(row), "missing" if np.isnan(targets[row]) else "infinite")
            for row in np.flatnonzero(~np.isfinite(targets))
            if row not in known
        ]


class Delimited(Reader):
    """Rows of a CSV or TSV file, or of any other text with separators, hashed while it is read.

    They are the rows that ``pandas.read_csv(dtype=str)`` and ``hasher.transform`` give, without a
    table between them. What is no name is said by the ``fields`` of the hasher.

    Parameters
    ----------
    source : str, path, binary file, or list of them
        Where to read: a path, a pattern such as ``"day_*.tsv.gz"``, an address that ``pyarrow.fs``
        or fsspec knows, such as ``"s3://..."``, an open binary file, or ``"-"`` for standard input.
    hasher : FieldHasher
        Which columns the fields become. One with quantiles is to be fitted before, for instance to
        a DataFrame of the first rows.
    target : str, default=None
        The column with what is to be predicted; None if there is none.
    sample_weight : str, default=None
        The column with the weights of rows, if there is one.
    target_type : {float, str}, default=float
        Whether targets are numbers or names.
    names : list of str, default=None
        Names of the columns of a file without a header. None: the first line has them.
    sep : str, default=","
        What stands between fields, one ASCII character.
    quotechar : str, default='"'
        What stands around fields with separators, ends of lines or doubled quotes in them, one
        ASCII character; None if quotes are letters as any other.
    on_bad_lines : {"error", "skip"}, default="error"
        What to do with a line that has more or fewer fields than there are columns, no target, a
        bad weight, or something else where a number should be. ``n_bad_lines`` tells how many were
        skipped.
    compression : {"infer", "gzip", "xz", "bz2", "zstd", None}, default="infer"
        How the source is packed. "infer" goes by the end of its path.
    chunk_rows : int, default=16384
        Rows in a chunk. A model does not depend on it.
    read_ahead : int, default=2
        How many chunks a second thread makes while the learner works; 0 for no thread.
    cache : str or path, default=None
        A file to keep the hashed rows in. It is made by the first loop that comes to its end, and
        read by later ones, also of other programs, for as long as the sources have the same names,
        sizes and times, and all settings are the same; otherwise it is made anew.

    Attributes
    ----------
    n_bad_lines : int
        How many lines the latest loop skipped.

    Raises
    ------
    ValueError
        If a parameter or a line is not as described. The message has the file and the line number.
    OSError
        If the source cannot be read.

    Notes
    -----
    Lines end with a line feed, a carriage return, or both; blank ones are no rows. An empty field
    is a missing value. Text is UTF-8, but that is not looked at: names are hashed as the bytes
    they are. A line with fewer fields than columns is bad, while pandas fills it up: it is mostly
    the end of a file that was cut off.

    Examples
    --------
    >>> import io
    >>> from sklearn_adagrad import AdagradClassifier, FieldHasher
    >>> from sklearn_adagrad.readers import Delimited
    >>> log = io.BytesIO(b"clicked,site,user\\n1,a.com,7\\n0,b.org,8\\n1,a.com,9\\n")
    >>> model = AdagradClassifier(lr=0.1)
    >>> for X, y, sample_weight in Delimited(log, FieldHasher(2**20), target="clicked"):
    ...     model = model.partial_fit(X, y, [0, 1], sample_weight)
    >>> model.t_
    3
    """

    def __init__(
        self, source, hasher, *, target=None, sample_weight=None, target_type=float, names=None,
        sep=",", quotechar='"', on_bad_lines="error", compression="infer", chunk_rows=2**14,
        read_ahead=2, cache=None,
    ):  # fmt: skip
        if target_type not in (float, str):
            raise ValueError(f"target_type must be float or str, got {target_type!r}.")
        _check_character("sep", sep)
        if quotechar is not None:
            _check_character("quotechar", quotechar)
        if sep == quotechar:
            raise ValueError(f"sep and quotechar are both {sep!r}.")
        self.target, self.sample_weight, self.target_type = target, sample_weight, target_type
        self.names = None if names is None else [str(name) for name in names]
        self.sep, self.quotechar = sep, quotechar
        settings = {
            name: getattr(self, name)
            for name in ("target", "sample_weight", "target_type", "names", "sep", "quotechar")
        }
        super().__init__(
            source, hasher, settings, on_bad_lines=on_bad_lines, compression=compression,
            chunk_rows=chunk_rows, read_ahead=read_ahead, cache=cache,
        )  # fmt: skip

    def _parts(self, sources):
        names, layout = self.names, None
        for source in sources:
            with opened(source, self.compression) as stream:
                window, n_lines = Window(stream, source.name), 0
                if self.names is None:
                    header, n_lines = self._header(window)
                    if header is None:
                        continue
                    if names not in (None, header):
                        raise ValueError(f"{source.name} has the columns {header}, not {names}.")
                    names = header
                layout, more = layout or _Layout(self, names), True
                while more:
                    part, n_new_lines, is_full = self._read(layout, window, n_lines)
                    if part is not None:
                        yield part
                    n_lines += n_new_lines
                    more = is_full or window.advance()

    def _header(self, window):
        """The names in the first line, None in a file without lines, and how many lines passed."""
        style = Style(ord(self.sep), NO_QUOTES, 0, 0, False)
        if self.quotechar is not None:
            style = style._replace(quote=ord(self.quotechar))
        found = None
        while window.advance():
            found, _, _ = _scan(window, style, 0)
            if found.n_fields:
                break
        else:
            if found is not None and found.is_open:
                raise ValueError(f"{window.name}, line 1: a quote is never closed.")
            return None, 0
        n_lines = found.n_lines
        found, ranges, _ = _scan(window, style._replace(n_fields=found.n_fields), 1)
        window.first = found.first
        try:
            names = [text_of(ranges, n, 0).decode() for n in range(ranges.firsts.shape[1])]
        except UnicodeDecodeError as error:
            raise ValueError(f"{window.name}, line {n_lines + 1}: {error}.") from None
        return names, found.n_lines

    def _read(self, layout, window, n_lines):
        """The next ``Part`` or None, how many lines were passed, and if there is more at hand."""
        found, ranges, lines = _scan(window, layout.style, ROWS)
        window.first, part, n_bad = found.first, None, found.n_bad

        def refuse(line, reason):
            raise ValueError(f"{window.name}, line {n_lines + line + 1}: {reason}.")

        if found.n_rows:
            taken, bad = layout.take(ranges)
            if bad and self.on_bad_lines == "error":
                first = min(bad)
                refuse(lines[first.row], first.reason)
            if bad:
                kept = np.ones(found.n_rows, bool)
                kept[[row for row, _ in bad]] = False
                n_bad += int(found.n_rows - kept.sum())
                bounds = (read_only(each[kept]) for each in (ranges.firsts, ranges.lasts))
                taken, _ = layout.take(Ranges(ranges.data, *bounds))
            entries, longest = layout.plan.entries(taken.batch)
            part = Part(entries, longest, taken.targets, taken.weights, n_bad)
        elif n_bad:
            nothing = Entries(np.zeros(1, np.int64), np.empty(0, np.uint32), np.empty(0))
            part = Part(nothing, 0, None, None, n_bad)
        if found.n_fields:
            refuse(found.n_lines, f"{found.n_fields} fields, not {layout.style.n_fields}")
        is_full = found.n_rows == ROWS
        if found.is_open and window.at_end and not is_full:
            refuse(found.n_lines, "a quote is never closed")
        return part, found.n_lines, is_full


def _scan(window, style, n_rows):
    """What ``scan`` found in a window, the ``Ranges`` of it, and the lines before each row."""
    size = n_rows * style.n_fields
    firsts, lasts = np.empty(size, np.int32), np.empty(size, np.int32)
    lines = np.empty(n_rows, np.int32)
    found = scan(window.data, window.first, window.stop, style, firsts, lasts, lines)
    shape = found.n_rows, style.n_fields
    bounds = (read_only(each[: shape[0] * shape[1]].reshape(shape)) for each in (firsts, lasts))
    return found, Ranges(read_only(window.data), *bounds), lines


def _check_character(name, value):
    if not (isinstance(value, str) and len(value) == 1 and value.isascii() and value not in "\r\n"):
        raise ValueError(f"{name} must be one ASCII character, no end of a line, got {value!r}.")


def criteo(source, hasher, **options):
    """A :class:`Delimited` reader of files as in the Criteo display advertising challenge.

    Their columns are a label, 13 integers and 26 names, called label, I1 to I13, and C1 to C26.

    Parameters
    ----------
    source, hasher, **options
        As in :class:`Delimited`; ``target=None`` is for files without labels, as those to predict.

    Returns
    -------
    reader : Delimited

    Examples
    --------
    >>> from sklearn_adagrad import FieldHasher
    >>> from sklearn_adagrad.readers import criteo
    >>> hasher = FieldHasher(2**22, fields={f"I{n}": "log" for n in range(1, 14)})
    >>> reader = criteo("day_*.gz", hasher)
    >>> reader.target
    'label'
    """
    how = {"target": "label", "names": CRITEO, "sep": "\t", "quotechar": None}
    if options.get("target", "label") is None:
        how["names"] = CRITEO[1:]
    return Delimited(source, hasher, **how | options)
