"""The one check that lets every other kernel trust sparse rows, and what kernels ask of a row."""

from typing import NamedTuple

import numpy as np

from ...arithmetic.jit import compiled, inlined, shared
from ...arithmetic.lanes import sqrt
from .records import prefetch_to_read

# Rows are inspected in blocks that a cache still holds when they are read again.
BLOCK, _WIDE_BLOCK = 32, 256


class Range(NamedTuple):
    """Some neighbouring rows."""

    first: int
    stop: int


@compiled
def inspect(rows, bits, n_features, first, last):
    """What a ``Verdict`` holds of the rows from ``first`` to ``last``, at the speed of memory.

    With row 0 comes all of ``indptr``: if it points outside of the arrays, nothing more is read.
    """
    indptr, indices, values = rows
    # numba's integers grow with every operation: vectors would be lost to their width.
    index, word, one = indices.dtype.type, bits.words.dtype.type, np.uintp(1)
    smallest, largest = word(bits.unsigned), word(0)
    if first == 0:
        backwards = indptr[0] != 0 or len(values) != len(indices) or indptr[-1] > len(indices)
        for i in range(1, len(indptr)):
            backwards |= indptr[i] < indptr[i - 1]
        if backwards:
            return False, smallest, largest
    descents, low, high = index(0), index(0), index(0)
    for i in range(first, last, _WIDE_BLOCK):
        end = i + _WIDE_BLOCK if i + _WIDE_BLOCK < last else last
        start, stop = np.uintp(indptr[i]), np.uintp(indptr[end])
        for k in range(start, stop):
            low = indices[k] if indices[k] < low else low
            high = indices[k] if indices[k] > high else high
            magnitude = word(bits.words[k] & bits.unsigned)
            smallest = magnitude if magnitude < smallest else smallest
            largest = magnitude if magnitude > largest else largest
        for k in range(start + one, stop):
            descents = index(descents + index(indices[k] <= indices[k - one]))
        # A descent is allowed where a new row begins, and only there.
        for m in range(i, end):
            begin = np.uintp(indptr[m])
            if start < begin < np.uintp(indptr[m + 1]):
                descents = index(descents - index(indices[begin] <= indices[begin - one]))
    return descents == 0 and low >= 0 and high < n_features, smallest, largest


@inlined
def span(rows, i):
    """Where row ``i`` begins and ends."""
    return np.uintp(rows.indptr[i]), np.uintp(rows.indptr[i + np.uintp(1)])


@inlined
def fetch_row(rows, i):
    """Ask for the entries of row ``i``."""
    start, stop = span(rows, i)
    for k in range(start, stop, 8):
        prefetch_to_read(rows.indices, k)
        prefetch_to_read(rows.values, k)


@shared
def max_abs_of(rows, i):
    """The largest magnitude in row ``i``, and of the intercept's 1."""
    start, stop = span(rows, i)
    largest = 1.0
    for k in range(start, stop):
        magnitude = np.float64(abs(rows.values[k]))
        largest = magnitude if magnitude > largest else largest
    return largest


@shared
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
    squares = (one / largest) * (one / largest)
    for k in range(start, stop):
        value = np.float64(rows.values[k]) / largest
        squares += value * value
    return largest * sqrt(squares)
