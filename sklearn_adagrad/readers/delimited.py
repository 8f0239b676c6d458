"""Tables in text: fields between separators, rows on lines."""

import numpy as np

from ..arithmetic.jit import read_only
from ..hashing.entries import Ranges
from ..hashing.numbers import parse_numbers, text_of
from ..hashing.refused import RowsRefused
from .base import ROWS, Part, Reader, check_columns, check_targets, check_weights
from .scan import NO_QUOTES, Style, scan
from .sources import opened
from .window import Window

CRITEO = ["label", *(f"I{n}" for n in range(1, 14)), *(f"C{n}" for n in range(1, 27))]


class _Scanned:
    """Rows of a text, as a ``Plan`` reads them; ``positions`` of its fields among all columns."""

    def __init__(self, ranges, positions, names):
        self._ranges, self._positions, self._names = ranges, positions, names
        self.n_rows = len(ranges.firsts)

    def form(self, position):
        return "texts"

    def texts(self, position):
        return self._ranges, self._positions[position]

    def numbers(self, position):
        return parse_numbers(
            self._ranges, self._positions[position], f"field {self._names[position]!r}"
        )


class _Columns:
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
        self._positions = np.array(others)
        self._names = [names[n] for n in others]
        self._plan = reader.hasher._plan_of(self._names, [("texts", "text")] * len(others))
        self.style = Style(
            ord(reader.sep), NO_QUOTES if reader.quotechar is None else ord(reader.quotechar),
            len(names), int(reader.hasher.missing == "ignore"), reader.on_bad_lines == "skip",
        )  # fmt: skip

    def part(self, ranges):
        """The rows of a text. Raises ``RowsRefused`` if some of them cannot be taken."""
        targets = weights = None
        if self._target is not None:
            targets = self._targets(ranges)
        if self._weight is not None:
            weights = parse_numbers(ranges, self._weight, "the weight")
            check_weights(weights)
        batch = _Scanned(ranges, self._positions, self._names)
        return Part(*self._plan.entries(batch), targets, weights, 0)

    def _targets(self, ranges):
        if self._target_type is float:
            targets = parse_numbers(ranges, self._target, "the target (with target_type=float)")
            check_targets(targets)
            return targets
        texts = [text_of(ranges, self._target, row) for row in range(len(ranges.firsts))]
        missing = [row for row, text in enumerate(texts) if not text]
        if missing:
            raise RowsRefused(missing, "the target is missing")
        return np.array([text.decode(errors="replace") for text in texts], dtype=object)


class Delimited(Reader):
    """Rows of a CSV or TSV file, or of any other text with separators, hashed while it is read.

    They are the rows that ``hasher.transform`` gives for the table that ``pandas.read_csv`` makes
    with ``dtype=str``, ``keep_default_na=False`` and ``na_values=[""]``: all fields are names,
    unless the ``fields`` of the hasher say otherwise.

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

    _settings = ("target", "sample_weight", "target_type", "names", "sep", "quotechar")

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
        super().__init__(
            source, hasher, on_bad_lines=on_bad_lines, compression=compression,
            chunk_rows=chunk_rows, read_ahead=read_ahead, cache=cache,
        )  # fmt: skip

    def _parts(self, sources):
        names, columns = self.names, None
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
                columns, more = columns or _Columns(self, names), True
                while more:
                    part, n_new_lines, is_full = self._read(columns, window, n_lines)
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

    def _read(self, columns, window, n_lines):
        """The next ``Part`` or None, how many lines were passed, and if there is more at hand."""
        found, ranges, lines = _scan(window, columns.style, ROWS)
        window.first, part = found.first, None

        def place_of(line):
            return f"{window.name}, line {n_lines + line + 1}"

        def make(kept):
            if kept is None:
                return columns.part(ranges)
            bounds = (read_only(each[kept]) for each in (ranges.firsts, ranges.lasts))
            return columns.part(Ranges(ranges.data, *bounds))

        if found.n_rows or found.n_bad:
            part, n_bad = self._settled(found.n_rows, make, lambda row: place_of(lines[row]))
            part = part._replace(n_bad=found.n_bad + n_bad)
        if found.n_fields:
            raise ValueError(
                f"{place_of(found.n_lines)}: {found.n_fields} fields, not {columns.style.n_fields}."
            )
        is_full = found.n_rows == ROWS
        if found.is_open and window.at_end and not is_full:
            raise ValueError(f"{place_of(found.n_lines)}: a quote is never closed.")
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
