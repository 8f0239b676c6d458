"""What all readers share: chunks of rows, made ahead of the learner, and kept for the next time."""

import contextlib
from collections import Counter
from numbers import Integral
from typing import NamedTuple

import numpy as np

from ..hashing.entries import Entries
from ..hashing.hasher import FieldHasher
from ..hashing.refused import RowsRefused
from .ahead import run_ahead
from .cache import cached
from .sources import COMPRESSIONS, sources_of, state_of

ROWS = 4096  # of a part: few enough to stay in a cache, and many for a call
_VERSION = "1"  # of the layout of a cache, and of what is hashed into which column
_BAD_LINES = ("error", "skip")


class Part(NamedTuple):
    """Some rows on their way, not sorted yet."""

    entries: Entries
    longest: int  # entries of a row
    targets: np.ndarray | None
    weights: np.ndarray | None
    n_bad: int  # lines that were skipped since the part before


class Reader:
    """Chunks ``(X, y, sample_weight)`` of a source; every loop over it starts from its beginning.

    ``n_bad_lines`` counts what the last loop skipped. Subclasses read: ``_parts(sources)`` yields a
    ``Part`` after the other, of about ``_part_rows`` rows. ``_settings`` are the names of their own
    parameters.
    """

    _part_rows = ROWS

    def __init__(
        self, source, hasher, *, on_bad_lines="error", compression="infer",
        chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        if not isinstance(hasher, FieldHasher):
            raise ValueError(f"hasher must be a FieldHasher, got {hasher!r}.")
        hasher._validate_params()
        check_choice("on_bad_lines", on_bad_lines, _BAD_LINES)
        check_choice("compression", compression, (*COMPRESSIONS, None))
        check_count("chunk_rows", chunk_rows, 1)
        check_count("read_ahead", read_ahead, 0)
        self.source, self.hasher, self.cache = source, hasher, cache
        self.on_bad_lines, self.compression = on_bad_lines, compression
        self.chunk_rows, self.read_ahead = int(chunk_rows), int(read_ahead)
        self.n_bad_lines = 0
        self._is_used_up = False

    def __repr__(self):
        return f"{type(self).__name__}({self.source!r})"

    def __iter__(self):
        """Read the source, from its beginning: yield ``(X, y, sample_weight)`` for each chunk.

        X is a CSR array; y and sample_weight are arrays of its length, or None if there are none.
        """
        self.n_bad_lines = 0
        sources = sources_of(self.source)
        return self._chunks_of(sources) if self.cache is None else cached(self, sources)

    def _chunks_of(self, sources):
        """The chunks, read anew.

        What makes parts runs ahead in a thread of its own; what sorts their rows does not, so that
        the two of them have about as much to do.
        """
        if any(source.stream is not None for source in sources):
            if self._is_used_up:
                raise ValueError(
                    "source is a stream, which can be read once: give its path, or open it anew."
                )
            self._is_used_up = True
        parts = self._parts(sources)
        if self.read_ahead:
            depth = self.read_ahead * self.chunk_rows // self._part_rows
            parts = run_ahead(parts, max(1, depth))
        with contextlib.closing(parts):
            yield from self._chunks(parts)

    def _chunks(self, parts):
        chunk, n_before = None, 0
        for part in parts:
            self.n_bad_lines += part.n_bad
            first, n_rows = 0, len(part.entries.starts) - 1
            while first < n_rows:
                chunk = chunk or _Chunk(self.hasher._builder(self.chunk_rows))
                last = min(n_rows, first + self.chunk_rows - chunk.builder.n_rows)
                chunk.add(part, first, last, n_before)
                n_before += last - first
                first = last
                if chunk.builder.n_rows == self.chunk_rows:
                    yield chunk.finish()
                    chunk = None
        if chunk is not None:
            yield chunk.finish()

    def _identity(self):
        """What the rows depend on, as texts by name: files, their sizes and times, and settings."""
        sources = sources_of(self.source)
        files = [source.stream is None and state_of(source) for source in sources]
        own = {name: value for name, value in self._about().items() if name != "chunk_rows"}
        return {name: repr(value) for name, value in {"files": files, **own}.items()}

    def _about(self):
        """What the chunks depend on besides their source, by name."""
        common = ("on_bad_lines", "compression", "chunk_rows")
        hasher = self.hasher.get_params(deep=False) | {
            "dtype": np.dtype(self.hasher.dtype).name,
            "what fit learnt": self.hasher._learnt(),
        }
        return {
            "reader": type(self).__name__, "version": _VERSION,
            **{name: getattr(self, name) for name in (*common, *self._settings)},
            **{f"hasher.{name}": value for name, value in hasher.items()},
        }  # fmt: skip

    def _settled(self, n_rows, make, place_of):
        """``make(kept)`` for the rows that can be taken, and how many cannot.

        ``make`` takes the numbers of rows to keep, None for all of them, and raises ``RowsRefused``
        if there are others among them. ``place_of(row)`` says where a row comes from.
        """
        kept = None
        while True:
            try:
                made = make(kept)
                return made, 0 if kept is None else n_rows - len(kept)
            except RowsRefused as refused:
                kept = np.arange(n_rows) if kept is None else kept
                if self.on_bad_lines == "error":
                    place = place_of(int(kept[refused.rows[0]]))
                    raise ValueError(f"{place}: {refused.reason}.") from None
                kept = np.delete(kept, refused.rows)


def check_targets(targets):
    """Refuse rows without a target that can be learnt."""
    rows = np.flatnonzero(~np.isfinite(targets))
    if len(rows):
        reason = "missing" if np.isnan(targets[rows[0]]) else "infinite"
        raise RowsRefused(rows, f"the target is {reason}")


def check_weights(weights):
    """Refuse rows with a weight that is none."""
    rows = np.flatnonzero(~((weights >= 0) & (weights < np.inf)))
    if len(rows):
        weight = weights[rows[0]]
        found = "missing" if np.isnan(weight) else weight
        raise RowsRefused(rows, f"the weight is {found}, not a finite number of at least 0")


class _Chunk:
    """Rows, sorted by a builder, with their targets and weights."""

    def __init__(self, builder):
        self.builder, self._targets, self._weights = builder, [], []

    def add(self, part, first, last, n_before):
        """Add the rows ``first`` to ``last`` of a part; ``n_before`` of all came before them."""
        entries = part.entries._replace(starts=part.entries.starts[first : last + 1])
        self.builder.add(entries, part.longest, n_before)
        for values, parts in ((part.targets, self._targets), (part.weights, self._weights)):
            if values is not None:
                parts.append(values[first:last])

    def finish(self):
        """``(X, y, sample_weight)``, None for what there is not."""
        targets, weights = (
            np.concatenate(parts) if parts else None for parts in (self._targets, self._weights)
        )
        return self.builder.sealed(), targets, weights


def check_columns(reader, names, hint=""):
    """Raise ValueError unless columns have names of their own, and those that are needed exist."""
    (name, count), *_ = Counter(names).most_common(1)
    if count > 1:
        raise ValueError(f"{count} columns are named {name!r}.{hint}")
    for role in ("target", "sample_weight"):
        if getattr(reader, role) not in (None, *names):
            raise ValueError(
                f"{role}={getattr(reader, role)!r} is no column; the columns are {names}.{hint}"
            )


def check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}.")


def check_count(name, value, least):
    if not isinstance(value, Integral) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
