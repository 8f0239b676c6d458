"""The hashes and values of fields, for many rows at a time.

A row has as many *entries* as its fields call for: a hash and a value for each. A value of zero
is an entry that is not there. The functions here fill in the entries of fields of one kind,
wherever the raw values of the fields come from.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import compiled, inlined
from ..arithmetic.murmur import SHORT, Prefix, hash_of, hash_of_short, short_text

_MINUS, _ZERO, _SPACE, _A, _Z = 45, 48, 32, 65, 90
DIGITS = 20  # of the largest integer, with its sign


class Entries(NamedTuple):
    """Entries of rows: those of row ``i`` begin at ``starts[i]``."""

    starts: np.ndarray  # int64, of length n_rows + 1
    hashes: np.ndarray  # uint32
    values: np.ndarray  # float32 or float64


class Ranges(NamedTuple):
    """Texts ``data[first:last]``, one for each row and column; less than empty: missing."""

    data: np.ndarray  # uint8
    firsts: np.ndarray  # int32, of shape (n_rows, n_columns)
    lasts: np.ndarray


class Prefixes(NamedTuple):
    """The ``Prefix`` of each of several fields."""

    hashes: np.ndarray  # uint32
    rests: np.ndarray  # uint64
    lengths: np.ndarray  # int64


@inlined
def _prefix(prefixes, n):
    return Prefix(prefixes.hashes[n], prefixes.rests[n], prefixes.lengths[n])


class Tiles(NamedTuple):
    """The prefixes of some columns over and over, for rows side by side, and room for their texts.

    What is small enough for a processor's nearest cache.
    """

    prefixes: Prefixes
    texts: np.ndarray  # uint64
    lengths: np.ndarray  # int64
    hashes: np.ndarray  # uint32


def tiles_of(prefixes):
    """The ``Tiles`` of some columns."""
    rows = max(1, 512 // len(prefixes.hashes))
    tiled = Prefixes(*(np.tile(each, rows) for each in prefixes))
    n = len(tiled.hashes)
    return Tiles(tiled, np.empty(n, np.uint64), np.empty(n, np.int64), np.empty(n, np.uint32))


@compiled
def hash_texts(ranges, columns, tiles, slots, entries):
    """Whole texts: ``columns[n]`` goes to the entry ``slots[n]`` of each row."""
    data, firsts, lasts = ranges
    prefixes, texts, lengths, hashes = tiles
    n_columns, one = np.uintp(len(columns)), np.uintp(1)
    at_once = len(texts) // len(columns)
    for begin in range(0, len(firsts), at_once):
        end, m, longest = min(len(firsts), begin + at_once), np.uintp(0), np.int64(0)
        for i in range(np.uintp(begin), np.uintp(end)):
            for n in range(n_columns):
                first, last = np.int64(firsts[i, columns[n]]), np.int64(lasts[i, columns[n]])
                lengths[m], texts[m] = last - first, short_text(data, first, last)
                m += one
        for k in range(m):
            longest = max(longest, lengths[k])
            length = min(max(lengths[k], 0), SHORT)
            hashes[k] = hash_of_short(_prefix(prefixes, k), texts[k], length)
        m = np.uintp(0)
        for i in range(np.uintp(begin), np.uintp(end)):
            start = np.uintp(entries.starts[i])
            for n in range(n_columns):
                k = start + slots[n]
                entries.values[k], entries.hashes[k] = lengths[m] >= 0, hashes[m]
                m += one
        if longest <= SHORT:
            continue
        m = np.uintp(0)
        for i in range(np.uintp(begin), np.uintp(end)):
            for n in range(n_columns):
                if lengths[m] > SHORT:
                    k = np.uintp(entries.starts[i]) + slots[n]
                    first, last = np.int64(firsts[i, columns[n]]), np.int64(lasts[i, columns[n]])
                    entries.hashes[k] = hash_of(_prefix(prefixes, m), data, first, last)
                m += one


@compiled
def hash_integers(integers, present, prefixes, slots, keep_missing, entries, digits):
    """Integers in decimals: column n goes to the entry ``slots[n]`` of each row.

    ``digits`` is room for one of them. What is not ``present`` is an empty text, if it is kept.
    """
    for i in range(len(integers)):
        start = entries.starts[i]
        for n in range(len(slots)):
            k, first = start + slots[n], len(digits)
            if present[i, n]:
                integer = integers[i, n]
                left = np.uint64(-integer) if integer < 0 else np.uint64(integer)
                while first == len(digits) or left > 0:
                    first -= 1
                    digits[first] = np.uint8(np.uint64(_ZERO) + left % np.uint64(10))
                    left //= np.uint64(10)
                if integer < 0:
                    first -= 1
                    digits[first] = np.uint8(_MINUS)
            entries.values[k] = present[i, n] or keep_missing
            entries.hashes[k] = hash_of(_prefix(prefixes, n), digits, first, len(digits))


class Codes(NamedTuple):
    """Which value of a dictionary each row has.

    As in Arrow, ``present`` has a bit for each, the first at ``first_bit``, or is empty if all are
    there. What is missing has the code ``missing``.
    """

    codes: np.ndarray  # int32
    present: np.ndarray  # uint8
    first_bit: int
    missing: int


@inlined
def code_of(codes, row):
    """The code of a row."""
    if len(codes.present) > 0:
        bit = np.uintp(codes.first_bit + row)
        if not (codes.present[bit >> np.uintp(3)] >> np.uint8(bit & np.uintp(7))) & np.uint8(1):
            return np.int64(codes.missing)
    return np.int64(codes.codes[row])


@compiled
def take_hashes(codes, dictionary, slot, entries):
    """The entry of one of few values, by its code, goes to the entry ``slot``.

    Returns whether all codes are in range.
    """
    slot, are_in_range = np.uintp(slot), True
    for i in range(len(codes.codes)):
        k, code = np.uintp(entries.starts[i]) + slot, code_of(codes, i)
        is_in_range = 0 <= code < len(dictionary.hashes)
        are_in_range &= is_in_range
        code = np.uintp(code) if is_in_range else np.uintp(0)
        entries.values[k] = dictionary.values[code]
        entries.hashes[k] = dictionary.hashes[code]
    return are_in_range


@compiled
def keep_numbers(numbers, name, missing, slots, keep_missing, entries):
    """Numbers under the hash ``name[n]`` of their fields; NaN: 1 under ``missing[n]``, if kept."""
    for i in range(len(numbers)):
        start = entries.starts[i]
        for n in range(len(slots)):
            k, number = start + slots[n], numbers[i, n]
            is_missing = number != number
            entries.hashes[k] = missing[n] if is_missing else name[n]
            entries.values[k] = np.float64(keep_missing) if is_missing else number


@inlined
def _is_part_of_word(byte):
    """Letters, digits, underscores, and all that is not ASCII."""
    lower = byte | np.uint8(32)
    return (97 <= lower <= 122) or (48 <= byte <= 57) or byte == 95 or byte >= 128


@compiled
def count_words(ranges, column, fewest, most, counts):
    """How many n-grams of ``fewest`` to ``most`` words each text has, and 1 for none."""
    data, firsts, lasts = ranges
    for i in range(len(firsts)):
        words, inside = 0, False
        for at in range(np.int64(firsts[i, column]), np.int64(lasts[i, column])):
            is_part = _is_part_of_word(data[at])
            words += is_part and not inside
            inside = is_part
        total = 0
        for n in range(fewest, most + 1):
            total += max(0, words - n + 1)
        counts[i] = max(1, total)


@compiled
def hash_words(ranges, column, prefix, span, firsts_of_row, keep_missing, entries, room):
    """The n-grams of each text, in lower case and joined by spaces.

    Those of row i begin at its entry ``firsts_of_row[i]``. ``span`` holds the fewest and the most
    words. ``room`` is for the longest text, and for where its words end.
    """
    data, firsts, lasts = ranges
    text, ends = room
    fewest, most = span
    for i in range(len(firsts)):
        words, size, inside = 0, 0, False
        for at in range(np.int64(firsts[i, column]), np.int64(lasts[i, column])):
            byte = data[at]
            is_part = _is_part_of_word(byte)
            if is_part:
                if not inside:
                    if words > 0:
                        text[size] = np.uint8(_SPACE)
                        size += 1
                    words += 1
                text[size] = byte | np.uint8(32) if _A <= byte <= _Z else byte
                size += 1
                ends[words - 1] = size
            inside = is_part
        k = entries.starts[i] + firsts_of_row[i]
        before = k
        for n in range(fewest, most + 1):
            first = 0
            for word in range(words - n + 1):
                entries.hashes[k] = hash_of(prefix, text, first, ends[word + n - 1])
                entries.values[k] = 1
                first = ends[word] + 1
                k += 1
        if k == before:
            entries.hashes[k] = hash_of(prefix, text, 0, 0)
            entries.values[k] = keep_missing
