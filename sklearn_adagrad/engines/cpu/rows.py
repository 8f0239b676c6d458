"""The one check that lets every other kernel trust sparse rows, and what kernels ask of a row."""

import numpy as np

from ...arithmetic.jit import compiled, inlined, shared
from ...arithmetic.lanes import sqrt
from .records import prefetch

# Rows are inspected in blocks that a cache still holds when they are read again.
BLOCK, _WIDE_BLOCK = 32, 256


@shared
def inspect_block(rows, bits, n_features, first, last):
    """Whether the indices in the rows from ``first`` to ``last`` increase and are in range.

    And the extreme magnitudes, as bits. ``rows`` must be sound.
    """
    indptr, indices, _ = rows
    # numba's integers grow with every operation: vectors would be lost to their width.
    index, word, one = indices.dtype.type, bits.words.dtype.type, np.uintp(1)
    start, stop = np.uintp(indptr[first]), np.uintp(indptr[last])
    smallest, largest = word(bits.unsigned), word(0)
    if start == stop:
        return True, smallest, largest
    low = high = indices[start]
    smallest = largest = word(bits.words[start] & bits.unsigned)
    descents = index(0)
    for k in range(start + one, stop):
        descents = index(descents + index(indices[k] <= indices[k - one]))
        low = indices[k] if indices[k] < low else low
        high = indices[k] if indices[k] > high else high
        magnitude = word(bits.words[k] & bits.unsigned)
        smallest = magnitude if magnitude < smallest else smallest
        largest = magnitude if magnitude > largest else largest
    # A descent is allowed where a new row begins, and only there.
    for i in range(first, last):
        begin, end = np.uintp(indptr[i]), np.uintp(indptr[i + 1])
        if start < begin < end:
            descents = index(descents - index(indices[begin] <= indices[begin - one]))
    return descents == 0 and low >= 0 and high < n_features, smallest, largest


@shared
def is_sound(rows):
    """Whether ``indptr`` stays within the arrays."""
    indptr, indices, values = rows
    previous, sound = indptr[0], indptr[0] == 0 and len(values) == len(indices)
    for i in range(1, len(indptr)):
        sound &= indptr[i] >= previous
        previous = indptr[i]
    return sound and previous <= len(indices)


@compiled
def inspect(rows, bits, n_features):
    """Read all rows once, at the speed of memory, and return what a ``Verdict`` holds.

    If ``indptr`` points outside of the arrays they count as not valid, and nothing is read.
    """
    valid, smallest, largest = is_sound(rows), bits.unsigned, bits.words.dtype.type(0)
    if valid:
        n_rows = len(rows.indptr) - 1
        for first in range(0, n_rows, _WIDE_BLOCK):
            last = first + _WIDE_BLOCK if first + _WIDE_BLOCK < n_rows else n_rows
            fine, low, high = inspect_block(rows, bits, n_features, first, last)
            valid = valid and fine
            smallest = low if low < smallest else smallest
            largest = high if high > largest else largest
    return valid, smallest, largest


@inlined
def span(rows, i):
    """Where row ``i`` begins and ends."""
    return np.uintp(rows.indptr[i]), np.uintp(rows.indptr[i + np.uintp(1)])


@inlined
def fetch_row(rows, i):
    """Ask for the entries of row ``i``."""
    start, stop = span(rows, i)
    for k in range(start, stop, 8):
        prefetch(rows.indices, k)
        prefetch(rows.values, k)


@inlined
def max_abs_of(rows, i):
    """The largest magnitude in row ``i``, and of the intercept's 1."""
    start, stop = span(rows, i)
    largest = 1.0
    for k in range(start, stop):
        magnitude = np.float64(abs(rows.values[k]))
        largest = magnitude if magnitude > largest else largest
    return largest


@inlined
def norm_of(rows, i, fit_intercept):
    """The Euclidean norm of row ``i``, and of the intercept's 1 if there is one."""
    start, stop = span(rows, i)
    one = 1.0 if fit_intercept else 0.0
    squares = one
    for k in range(start, stop):
        value = np.float64(rows.values[k])
        squares += value * value
    if squares < np.inf:
        return sqrt(squares)
    largest = np.float64(max_abs_of(rows, i))
    squares = (one / largest) ** 2
    for k in range(start, stop):
        value = np.float64(rows.values[k]) / largest
        squares += value * value
    return largest * sqrt(squares)
