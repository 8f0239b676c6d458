"""The hashes and values of fields, for many rows at a time.

A row has as many *entries* as its fields call for: a hash and a value for each. A value of zero
is an entry that is not there. The functions here fill in the entries of fields of one kind,
wherever the raw values of the fields come from.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import compiled, inlined
from ..arithmetic.murmur import Prefix, hash_of

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


@compiled
def hash_texts(ranges, columns, prefixes, slots, entries):
    """Whole texts: ``columns[n]`` goes to the entry ``slots[n]`` of each row."""
    data, firsts, lasts = ranges
    for i in range(len(firsts)):
        start = entries.starts[i]
        for n in range(len(columns)):
            first, last = np.int64(firsts[i, columns[n]]), np.int64(lasts[i, columns[n]])
            k = start + slots[n]
            entries.values[k] = last >= first
            if last >= first:
                entries.hashes[k] = hash_of(_prefix(prefixes, n), data, first, last)


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


@compiled
def take_hashes(codes, hashes, slot, entries):
    """The hash of one of few values goes to the entry ``slot``; code -1: missing."""
    for i in range(len(codes)):
        k = entries.starts[i] + slot
        entries.values[k] = codes[i] >= 0
        if codes[i] >= 0:
            entries.hashes[k] = hashes[codes[i]]


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
