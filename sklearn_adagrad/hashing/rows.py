"""Entries become sparse rows: sorted by column, the values of one column summed.

Rows are short and there are many of them, so a branch for every comparison would cost more than
all hashing. Sixteen rows are sorted side by side, each in a lane of vectors, by a network whose
comparisons do not depend on the data.

Source: Batcher's merge exchange, Knuth, The Art of Computer Programming, volume 3, section 5.2.2,
algorithm M.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.arrays import load_lanes, store
from ..arithmetic.jit import compiled, inlined
from ..arithmetic.lanes import where

LANES = 16


class Columns(NamedTuple):
    """How a hash becomes a column."""

    n_features: int
    is_power_of_two: bool
    signed: bool


def columns_of(n_features, signed):
    """The ``Columns`` of that many features."""
    return Columns(n_features, n_features & (n_features - 1) == 0, signed)


class Layout(NamedTuple):
    """How column, position in the row and sign, in this order of weight, make a key.

    Keys are whole numbers. Seen as floating-point numbers of the same size they keep their order,
    and a processor takes the smaller of two such numbers in one instruction. None is below
    ``normal``: those are subnormal numbers, which count as zero in a thread where a library has
    said so. ``absent`` is the key of an entry that is not there: after all others.
    """

    normal: np.unsignedinteger
    absent: np.unsignedinteger
    column: np.unsignedinteger  # by how many bits it is shifted


def layout_of(n_features, longest):
    """The layout of the smallest keys that hold rows of up to ``longest`` entries."""
    position = max(longest - 1, 0).bit_length() + 1
    if (n_features - 1).bit_length() + position <= 30:
        return Layout(np.uint32(2**23), np.uint32(2**30 + 2**23), np.uint32(position))
    return Layout(np.uint64(2**52), np.uint64(2**62 + 2**53), np.uint64(31))


@inlined
def _key(hashed, position, columns, layout, keys):
    kind = keys.dtype.type
    magnitude = np.uint32(abs(np.int64(np.int32(hashed))))
    if columns.is_power_of_two:
        column = magnitude & np.uint32(columns.n_features - 1)
    else:
        column = magnitude % np.uint32(columns.n_features)
    minus = (hashed >> np.uint32(31)) & np.uint32(columns.signed)
    place = np.uint32(np.uint32(position) << np.uint32(1)) | minus
    return kind((kind(column) << layout.column) + kind(place) + layout.normal)


@inlined
def _exchange(numbers, i, j):
    a, b = load_lanes(numbers, LANES * i, 16), load_lanes(numbers, LANES * j, 16)
    store(numbers, LANES * i, where(a < b, a, b))
    store(numbers, LANES * j, where(a < b, b, a))


@inlined
def _sort(numbers, length):
    """Sort the first ``length`` keys of each lane, seen as ``numbers``."""
    top = 1
    while 2 * top < length:
        top *= 2
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            for begin in range(r, length - d, 2 * p):
                for i in range(begin, min(begin + p, length - d)):
                    _exchange(numbers, i, i + d)
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2


@inlined
def _fill(entries, columns, layout, first, longest, keys):
    """The keys of the rows from ``first`` on, one row in each lane, filled up to ``longest``."""
    starts, hashes, values = entries
    for lane in range(LANES):
        row = min(first + lane, len(starts) - 2)
        start, length = np.uintp(starts[row]), starts[row + 1] - starts[row]
        k = np.uintp(lane)
        for position in range(np.uintp(length)):
            key = _key(hashes[start + position], position, columns, layout, keys)
            keys[k] = key if values[start + position] != 0 else layout.absent
            k += np.uintp(LANES)
        for _ in range(length, longest):
            keys[k] = layout.absent
            k += np.uintp(LANES)


@inlined
def _is_plain(keys, longest, layout):
    """Whether all sorted keys are of entries that are there, and no two of a row share a column."""
    shared = longest == 0
    for k in range(np.uintp(LANES), np.uintp(LANES * longest)):
        shared |= keys[k] >> layout.column == keys[k - np.uintp(LANES)] >> layout.column
    for k in range(max(0, LANES * (longest - 1)), LANES * longest):
        shared |= keys[k] == layout.absent
    return not shared


@inlined
def _largest(words, first, last):
    """The largest magnitude as bits: seen as whole numbers they keep their order."""
    largest = words.words.dtype.type(0)
    for k in range(np.uintp(first), np.uintp(last)):
        largest = max(largest, words.words[k] & words.unsigned)
    return largest


@inlined
def _copy(entries, layout, keys, longest, lane, start, rows, used):
    """A row of plain keys."""
    place = keys.dtype.type((1 << layout.column) - 1)
    k = np.uintp(lane)
    for _ in range(longest):
        key = keys[k] - layout.normal
        value = entries.values[start + np.uintp((key & place) >> keys.dtype.type(1))]
        rows.indices[used] = key >> layout.column
        rows.values[used] = -value if key & keys.dtype.type(1) else value
        used += np.uintp(1)
        k += np.uintp(LANES)
    return used


@inlined
def _sum(entries, layout, keys, longest, lane, start, rows, used):
    """A row of any keys: what shares a column is summed, what cancels out is left away."""
    indices, data = rows.indices, rows.values
    zero, one, before = data.dtype.type(0), np.uintp(1), used
    place = keys.dtype.type((1 << layout.column) - 1)
    k, last = np.uintp(lane), layout.absent
    for _ in range(longest):
        key = keys[k]
        k += np.uintp(LANES)
        if key == layout.absent:
            break
        key -= layout.normal
        column = key >> layout.column
        value = entries.values[start + np.uintp((key & place) >> keys.dtype.type(1))]
        value = -value if key & keys.dtype.type(1) else value
        if column == last:
            data[used - one] += value
            continue
        if used > before and data[used - one] == zero:
            used -= one
        indices[used], data[used], last = column, value, column
        used += one
    if used > before and data[used - one] == zero:
        used -= one
    return used


@compiled
def sort_rows(entries, columns, layout, keys, numbers, rows, words, infinity, n_before):
    """Put the rows of ``entries`` behind the first ``n_before`` of ``rows``.

    Returns the largest magnitude of the new values as bits, and the first row with one that is not
    finite, or -1. ``keys`` is room for as many keys of each lane as the longest row has entries,
    ``numbers`` the same seen as floating-point numbers, ``words`` the ``Bits`` of the values,
    ``infinity`` the bits of that.
    """
    starts, used = entries.starts, rows.indptr[n_before]
    largest, broken = words.words.dtype.type(0), -1
    used, n_rows = np.uintp(used), len(starts) - 1
    for first in range(0, n_rows, LANES):
        n_lanes, longest = min(LANES, n_rows - first), 0
        for lane in range(n_lanes):
            longest = max(longest, starts[first + lane + 1] - starts[first + lane])
        _fill(entries, columns, layout, first, longest, keys)
        _sort(numbers, longest)
        is_plain = _is_plain(keys, longest, layout)
        for lane in range(n_lanes):
            row, before = first + lane, used
            start = np.uintp(starts[row])
            if is_plain:
                used = _copy(entries, layout, keys, longest, lane, start, rows, used)
            else:
                used = _sum(entries, layout, keys, longest, lane, start, rows, used)
            magnitude = _largest(words, before, used)
            largest = max(largest, magnitude)
            if magnitude >= infinity and broken < 0:
                broken = row
            rows.indptr[n_before + row + 1] = used
    return largest, broken
