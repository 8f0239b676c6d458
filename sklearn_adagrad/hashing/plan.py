"""The way from the raw values of a batch of rows to sparse rows.

A batch knows where its raw values are: the rows of an Arrow table, or of a text that was scanned.
It answers ``form(n)`` for its n-th field, and what belongs to that form:

=============  =======================================================================
``"texts"``    ``texts(n)``: ``Ranges`` and a column of them
``"integers"`` ``integers(n)``: int64 of shape (n_rows,), and which of them are present
``"codes"``    ``codes(n)``: ``Codes``, and the ``Ranges`` of what they stand for
``"numbers"``  ``numbers(n)``: float64 of shape (n_rows,), NaN if missing
=============  =======================================================================

What has another form can give ``numbers(n)`` too.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..arithmetic.murmur import Prefix, hash_of, prefix_of
from .crosses import Crosses, Places, cross
from .entries import (
    DIGITS,
    Entries,
    Prefixes,
    count_words,
    hash_integers,
    hash_texts,
    hash_words,
    keep_numbers,
    take_hashes,
    tiles_of,
)
from .kinds import Category, Number, Words
from .refused import RowsRefused

_NOTHING = np.zeros(0, np.uint8)
LONGEST = 2**24  # entries of a row, which take two gigabytes while they are sorted


class Settings(NamedTuple):
    """What holds for all fields."""

    n_features: int
    keep_missing: bool
    dtype: np.dtype


class Field(NamedTuple):
    """A field that is hashed: its position in a batch, its name and kind, and edges of bins."""

    position: int
    name: str
    kind: tuple
    edges: np.ndarray | None = None


class Plan:
    """How fields become sparse rows. ``crosses`` are tuples of positions in ``fields``."""

    def __init__(self, fields, crosses, settings):
        self.fields, self.settings = fields, settings
        hashed = [_hashed(field.name) for field in fields]
        prefixes = zip(*(each.prefix for each in hashed), strict=True)
        self._names = Prefixes(*map(np.array, prefixes, (np.uint32, np.uint64, np.int64)))
        self._name = np.array([each.name for each in hashed], np.uint32)
        self._missing = np.array([each.missing for each in hashed], np.uint32)
        self.singles = [n for n, field in enumerate(fields) if not isinstance(field.kind, Words)]
        self.bags = [n for n, field in enumerate(fields) if isinstance(field.kind, Words)]
        self._slots = np.zeros(len(fields), np.int64)
        self._slots[self.singles] = np.arange(len(self.singles))
        self.crosses = [tuple(each) for each in crosses]
        self._crosses = Crosses.of(self.crosses)
        self._known, self._tiles, self._fixed_layout = {}, {}, None
        self._may_overflow = any(
            sum(isinstance(fields[n].kind, Number) for n in members) > 1 for members in self.crosses
        )

    def columns_of(self, hashes):
        """The columns of the result that hashes belong to."""
        return np.abs(hashes.view(np.int32).astype(np.int64)) % self.settings.n_features

    def entries(self, batch):
        """The ``Entries`` of a batch, those of crosses last in each row, and of the longest row.

        Raises ``RowsRefused`` if there are rows that cannot be taken.
        """
        places, first_of_crosses, sizes = self._layout(batch)
        if len(sizes) == 1:
            starts = np.arange(0, (batch.n_rows + 1) * sizes[0], sizes[0])
        else:
            starts = np.concatenate([[0], np.cumsum(sizes)])
        total = int(starts[-1])
        entries = Entries(starts, np.empty(total, np.uint32), np.empty(total, self.settings.dtype))
        self._fill_singles(batch, entries)
        for n in self.bags:
            self._fill_bag(batch, n, np.ascontiguousarray(places.firsts[:, n]), entries)
        if self.crosses:
            cross(self._crosses, places, first_of_crosses, entries)
            if self._may_overflow:
                refuse_overflow(entries)
        return entries, int(np.max(sizes, initial=0))

    def calls(self, texts, integers, numbers, entries):
        """The calls of kernels that fill in the ``entries`` of one row; there must be no bags.

        The first three are each a list of fields by their position in ``fields``, and what their
        values will be in: ``Ranges``; int64 of shape (1, n), and which are present; float64 of that
        shape. Integers are hashed by their digits.
        """
        keep = self.settings.keep_missing
        if texts[0]:
            tiles, slots = self._new_tiles(texts[0])  # others may work at the same time
            columns = np.arange(len(texts[0]), dtype=np.uintp)
            yield hash_texts, (texts[1], columns, tiles, slots, entries)
        if integers[0]:
            chosen, values, present = integers
            prefixes = Prefixes(*(each[chosen] for each in self._names))
            digits, slots = np.empty(DIGITS, np.uint8), self._slots[chosen]
            yield hash_integers, (values, present, prefixes, slots, keep, entries, digits)
        if numbers[0]:
            chosen, values = numbers
            name, missing, slots = (
                each[chosen] for each in (self._name, self._missing, self._slots)
            )
            yield keep_numbers, (values, name, missing, slots, keep, entries)
        if self.crosses:
            places, first_of_crosses, _ = self._layout(None)
            yield cross, (self._crosses, places, first_of_crosses, entries)

    def size_of_row(self):
        """How many entries every row has; there must be no bags."""
        return int(self._layout(None)[2][0])

    def _layout(self, batch):
        """Where the entries of each field are, those of crosses begin, and each row's number."""
        if self.bags:
            return self._layout_of(batch, batch.n_rows)
        if self._fixed_layout is None:
            self._fixed_layout = self._layout_of(batch, 1)
        return self._fixed_layout

    def _layout_of(self, batch, n_rows):
        counts = np.ones((n_rows, len(self.fields)), np.int64)
        for n in self.bags:
            column = np.empty(n_rows, np.int64)
            ranges, k = batch.texts(self.fields[n].position)
            count_words(ranges, k, *self.fields[n].kind, column)
            counts[:, n] = column
        firsts = np.broadcast_to(self._slots, counts.shape).copy()
        first_of_crosses = np.full(n_rows, len(self.singles), np.int64)
        for n in self.bags:
            firsts[:, n] = first_of_crosses
            first_of_crosses += counts[:, n]
        sizes = first_of_crosses.astype(np.float64)
        for members in self.crosses:
            sizes += counts[:, members].astype(np.float64).prod(axis=1)
        refuse_long(sizes)
        return Places(firsts, counts), first_of_crosses, sizes.astype(np.int64)

    def _fill_singles(self, batch, entries):
        groups = {}
        for n in self.singles:
            field = self.fields[n]
            form = batch.form(field.position) if isinstance(field.kind, Category) else "numbers"
            if form == "texts":
                ranges, column = batch.texts(field.position)
                _, columns, chosen = groups.setdefault(id(ranges), (ranges, [], []))
                columns.append(column)
                chosen.append(n)
            elif form == "integers":
                self._fill_integers(*batch.integers(field.position), n, entries)
            elif form == "codes":
                codes, values = batch.codes(field.position)
                dictionary = self._dictionary_of(values, n)
                if not take_hashes(codes, dictionary, self._slots[n], entries):
                    raise ValueError(f"The codes of field {field.name!r} are out of range.")
            else:
                self._fill_numbers(batch, n, entries)
        for ranges, columns, chosen in groups.values():
            tiles, slots = self._tiles_of(tuple(chosen))
            hash_texts(ranges, np.array(columns, np.uintp), tiles, slots, entries)

    def _dictionary_of(self, ranges, n):
        """The entries of the values of a dictionary, which many batches may share."""
        if n in self._known and self._known[n][0] is ranges:
            return self._known[n][1]
        size = len(ranges.firsts)
        values = Entries(
            np.arange(size + 1), np.zeros(size, np.uint32), np.empty(size, self.settings.dtype)
        )
        zero, (tiles, _) = np.zeros(1, np.uintp), self._tiles_of((n,))
        hash_texts(ranges, zero, tiles, zero, values)
        self._known[n] = ranges, values
        return values

    def _tiles_of(self, chosen):
        """The tiles of some fields, and their places among the entries of a row."""
        if chosen not in self._tiles:
            self._tiles[chosen] = self._new_tiles(list(chosen))
        return self._tiles[chosen]

    def _new_tiles(self, some):
        tiles = tiles_of(Prefixes(*(each[some] for each in self._names)))
        return tiles, self._slots[some].astype(np.uintp)

    def _prefixes(self, n):
        return Prefixes(*(each[n : n + 1] for each in self._names))

    def _fill_integers(self, integers, present, n, entries):
        hash_integers(
            integers.reshape(-1, 1), present.reshape(-1, 1), self._prefixes(n),
            self._slots[n : n + 1], self.settings.keep_missing, entries, np.empty(DIGITS, np.uint8),
        )  # fmt: skip

    def _fill_numbers(self, batch, n, entries):
        field = self.fields[n]
        numbers = numbers_of(batch, field.position, field.name)
        if isinstance(field.kind, Number):
            too_large = np.flatnonzero(np.abs(numbers) > np.finfo(self.settings.dtype).max)
            if len(too_large):
                raise RowsRefused(too_large, _too_large(self.settings.dtype))
            one = slice(n, n + 1)
            keep_numbers(
                numbers.reshape(-1, 1), self._name[one], self._missing[one], self._slots[one],
                self.settings.keep_missing, entries,
            )  # fmt: skip
            return
        present = ~np.isnan(numbers)
        bins = field.kind.bins(np.where(present, numbers, 0.0), field.edges)
        self._fill_integers(bins.astype(np.int64), present, n, entries)

    def _fill_bag(self, batch, n, first_of_row, entries):
        field = self.fields[n]
        ranges, column = batch.texts(field.position)
        longest = int((ranges.lasts[:, column] - ranges.firsts[:, column]).max(initial=0))
        room = np.empty(longest + 1, np.uint8), np.empty(longest + 1, np.int64)
        prefix = Prefix(*(each[n] for each in self._names))
        span, keep = tuple(field.kind), self.settings.keep_missing
        hash_words(ranges, column, prefix, span, first_of_row, keep, entries, room)


def numbers_of(batch, position, name):
    """The numbers of a field, finite or NaN."""
    numbers = batch.numbers(position)
    rows = np.flatnonzero(np.isinf(numbers))
    if len(rows):
        raise RowsRefused(rows, f"field {name!r} is {numbers[rows[0]]}: clip it or leave it out")
    return numbers


def refuse_long(sizes):
    """Refuse rows of more entries than can be sorted in reasonable memory."""
    rows = np.flatnonzero(sizes > LONGEST)
    if len(rows):
        raise RowsRefused(rows, f"it has {sizes[rows[0]]:.0f} features, more than {LONGEST}")


def refuse_overflow(entries):
    """Refuse rows with values that are not finite."""
    broken = np.flatnonzero(~np.isfinite(entries.values[: entries.starts[-1]]))
    if len(broken):
        rows = np.unique(np.searchsorted(entries.starts, broken, side="right") - 1)
        raise RowsRefused(rows, _too_large(entries.values.dtype))


def _too_large(dtype):
    return f"it has a value that is too large for {dtype}: scale its numbers, or take them in bins"


class _Hashed(NamedTuple):
    """What is hashed of the name of a field: ``field=`` as a prefix, ``field`` and ``field=``."""

    prefix: Prefix
    name: np.uint32
    missing: np.uint32


@lru_cache(maxsize=2**14)
def _hashed(name):
    prefix = prefix_of(f"{name}=".encode())
    with np.errstate(over="ignore"):
        hashes = (hash_of(each, _NOTHING, 0, 0) for each in (prefix_of(name.encode()), prefix))
        return _Hashed(prefix, *hashes)
