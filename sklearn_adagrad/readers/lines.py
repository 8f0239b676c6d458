"""What formats have in common that put a row of named or numbered features on each line."""

from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import read_only
from ..hashing.entries import Entries, Ranges
from ..hashing.numbers import read_numbers, spelt, text_of
from ..hashing.plan import LONGEST, refuse_overflow
from ..hashing.refused import RowsRefused
from .base import ROWS, Part, Reader, check_targets, check_weights
from .sources import opened
from .window import Window

_ENTRIES = 64 * ROWS
FINE, FULL, LONG = 0, 1, 2  # other numbers are the formats' own


_LONG = f"it has more than {LONGEST} features"


class Room(NamedTuple):
    """Room for what is found on lines; rows have their entries one after the other."""

    starts: np.ndarray  # int64
    hashes: np.ndarray  # uint32
    values: np.ndarray  # float32 or float64
    firsts: np.ndarray  # int32, of shape (n_rows, 2): where target and weight begin, and end
    lasts: np.ndarray
    lines: np.ndarray  # int32: how many lines were before a row
    hard: np.ndarray  # int64, of shape (n, 3): entries whose value Python has to read, and where


class Found(NamedTuple):
    """What was found, and why and where it ended."""

    n_rows: int
    n_hard: int
    first: int
    n_lines: int
    n_bad: int
    reason: int
    at: int  # where something is not as it should be


def room_for(n_entries, dtype):
    """``Room`` for the rows of a part."""
    firsts = np.empty((ROWS, 2), np.int32)
    return Room(
        starts=np.zeros(ROWS + 1, np.int64),
        hashes=np.empty(n_entries, np.uint32),
        values=np.empty(n_entries, dtype),
        firsts=firsts,
        lasts=np.empty_like(firsts),
        lines=np.empty(ROWS, np.int32),
        hard=np.empty((2 * n_entries, 3), np.int64),
    )


class Lines(Reader):
    """Subclasses have ``_reasons``, what is wrong by number, and these:

    ``_scan(window, room)`` returns ``Found`` and what ``_finish(entries, more)`` needs to complete
    the entries, which returns how many entries the longest row has.
    """

    _is_labelled = True

    def _parts(self, sources):
        dtype, n_entries = self.hasher._checked_dtype(), _ENTRIES
        for source in sources:
            with opened(source, self.compression) as stream:
                window, n_lines, more = Window(stream, source.name), 0, True
                while more:
                    room = room_for(n_entries, dtype)
                    found, own = self._scan(window, room)
                    if found.reason == FULL and found.n_rows + found.n_bad == 0:
                        n_entries *= 2
                        continue
                    part = self._part(window, found, room, own, n_lines)
                    window.first = found.first
                    n_lines += found.n_lines
                    if part is not None:
                        yield part
                    more = found.n_rows == ROWS or found.reason == FULL or window.advance()

    def _part(self, window, found, room, own, n_lines):
        n_rows, n_bad = found.n_rows, found.n_bad

        def refuse(line, reason):
            raise ValueError(f"{window.name}, line {n_lines + line + 1}: {reason}.")

        entries = Entries(room.starts[: n_rows + 1], room.hashes, room.values)
        bad = self._read_hard(window.data, room, found, entries)
        targets = weights = None
        if self._is_labelled:
            ranges = Ranges(window.data, room.firsts[:n_rows], room.lasts[:n_rows])
            ranges = Ranges(*map(read_only, ranges))
            targets = self._role(ranges, 0, "the target", check_targets, np.nan, bad)
            weights = self._role(ranges, 1, "the weight", check_weights, 1.0, bad)
        longest = self._finish(entries, own)
        bad = _refused(refuse_overflow, entries) | bad
        if bad and self.on_bad_lines == "error":
            row = min(bad)
            refuse(room.lines[row], bad[row])
        if found.reason > FULL:
            refuse(found.n_lines, ({LONG: _LONG} | self._reasons)[found.reason])
        if not (n_rows or n_bad):
            return None
        if bad:
            entries, kept = _without(entries, bad)
            n_bad += len(bad)
            targets, weights = (each if each is None else each[kept] for each in (targets, weights))
        return Part(entries, longest, targets, weights, n_bad)

    def _role(self, ranges, column, what, check, missing, bad):
        """The targets or weights of rows; what is wrong with some of them goes to ``bad``."""
        numbers, others = read_numbers(ranges, column)
        numbers[ranges.lasts[:, column] < ranges.firsts[:, column]] = missing
        for row in others:
            text = text_of(ranges, column, row).decode(errors="replace")
            bad.setdefault(row, f"{what} is {text!r}, not a number")
        for row, reason in _refused(check, numbers).items():
            bad.setdefault(row, reason)
        return numbers

    def _read_hard(self, data, room, found, entries):
        """Read the values that the scan left. Returns what is wrong with rows."""
        if not found.n_hard:
            return {}
        hard = room.hard[: found.n_hard]
        texts = [data[first:last].tobytes() for _, first, last in hard]
        numbers, _ = spelt(texts)
        with np.errstate(over="ignore"):
            np.multiply.at(entries.values, hard[:, 0], numbers.astype(entries.values.dtype))
        rows = np.searchsorted(entries.starts, hard[:, 0], side="right") - 1
        wrong = ~np.isfinite(entries.values[hard[:, 0]])
        return {
            row: f"the value {text.decode(errors='replace')!r} is no finite number"
            for row, text, is_wrong in zip(rows.tolist(), texts, wrong, strict=True)
            if is_wrong
        }


def _refused(check, values):
    """What ``check`` has against rows, by row."""
    try:
        check(values)
    except RowsRefused as refused:
        return dict.fromkeys(refused.rows.tolist(), refused.reason)
    return {}


def _without(entries, rows):
    """The entries without those of some rows, and which rows are kept."""
    sizes = np.diff(entries.starts)
    kept = np.ones(len(sizes), bool)
    kept[list(rows)] = False
    of_kept = np.repeat(kept, sizes)
    starts = np.concatenate([[0], np.cumsum(sizes[kept])])
    total = int(entries.starts[-1])
    return Entries(starts, entries.hashes[:total][of_kept], entries.values[:total][of_kept]), kept
