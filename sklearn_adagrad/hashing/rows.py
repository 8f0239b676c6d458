"""Entries become sparse rows: sorted by column, the values of one column summed.

Rows are short and there are many of them, so a branch for every comparison would cost more than
all hashing. Eight rows are sorted side by side, each in a lane of vectors, by a network whose
comparisons do not depend on the data.

Source: Batcher's merge exchange, Knuth, The Art of Computer Programming, volume 3, section 5.2.2,
algorithm M.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.arrays import load_lanes, store
from ..arithmetic.jit import compiled, inlined
from ..arithmetic.lanes import where

LANES = 8
# Keys are whole numbers. Seen as float64 they keep their order, and a processor takes the smaller
# of two such numbers in one instruction. None is below 2**52: those are subnormal numbers as
# float64, which count as zero in a thread where a library has said so.
_NORMAL = np.uint64(2**52)
_ABSENT = np.uint64(2**62 + 2**53)  # the key of an entry that is not there: after all others
_COLUMN, _POSITION = np.uint64(31), np.uint64(2**31 - 1)


class Columns(NamedTuple):
    """How a hash becomes a column."""

    n_features: int
    is_power_of_two: bool
    signed: bool


@inlined
def _key(hashed, position, columns):
    """Column, position in the row and sign, in this order of weight."""
    negative = np.uint64(np.int32(hashed) < 0)
    magnitude = abs(np.int64(np.int32(hashed)))
    if columns.is_power_of_two:
        column = magnitude & (columns.n_features - 1)
    else:
        column = magnitude % columns.n_features
    minus = negative if columns.signed else np.uint64(0)
    place = np.uint64(position) << np.uint64(1)
    return np.uint64(((np.uint64(column) << _COLUMN) | place | minus) + _NORMAL)


@inlined
def _exchange(numbers, i, j):
    a, b = load_lanes(numbers, LANES * i, 8), load_lanes(numbers, LANES * j, 8)
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


@compiled
def sorted_rows(entries, columns, keys, numbers, rows):
    """Fill in ``rows``. Returns how many entries they have, the largest magnitude, and a row.

    The last is the first one with a value that is not finite, or -1. ``keys`` is room for as many
    keys of each lane as the longest row has entries, and ``numbers`` the same seen as float64.
    """
    starts, hashes, values = entries
    indptr, indices, data = rows
    zero, largest, broken = data.dtype.type(0), data.dtype.type(0), -1
    one, used = np.uintp(1), np.uintp(0)
    n_rows = len(starts) - 1
    indptr[0] = 0
    for first in range(0, n_rows, LANES):
        n_lanes, longest = min(LANES, n_rows - first), 0
        for lane in range(n_lanes):
            longest = max(longest, starts[first + lane + 1] - starts[first + lane])
        for lane in range(LANES):
            row = first + min(lane, n_lanes - 1)
            start, length = np.uintp(starts[row]), starts[row + 1] - starts[row]
            k = np.uintp(lane)
            for position in range(np.uintp(length)):
                is_there = values[start + position] != zero
                key = _key(hashes[start + position], position, columns)
                keys[k] = key if is_there else _ABSENT
                k += np.uintp(LANES)
            for _ in range(length, longest):
                keys[k] = _ABSENT
                k += np.uintp(LANES)
        _sort(numbers, longest)
        for lane in range(n_lanes):
            row = first + lane
            start, k, before = np.uintp(starts[row]), np.uintp(lane), used
            last = np.uint64(_ABSENT)
            for _ in range(longest):
                key = keys[k]
                k += np.uintp(LANES)
                if key == _ABSENT:
                    break
                key -= _NORMAL
                column = key >> _COLUMN
                value = values[start + np.uintp((key & _POSITION) >> np.uint64(1))]
                value = -value if key & np.uint64(1) else value
                if column == last:
                    data[used - one] += value
                    continue
                if used > before and data[used - one] == zero:
                    used -= one  # what cancelled out
                indices[used], data[used], last = column, value, column
                used += one
            if used > before and data[used - one] == zero:
                used -= one
            for k in range(before, used):
                magnitude = abs(data[k])
                largest = magnitude if magnitude > largest else largest
                if not magnitude < np.inf and broken < 0:
                    broken = row
            indptr[row + 1] = used
    return used, largest, broken
