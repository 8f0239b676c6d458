"""Sparse rows, and the one check that lets every other kernel trust them."""

from typing import NamedTuple

import numpy as np

from ._jit import compiled, inlined
from .records import prefetch

# Rows are inspected in blocks that a cache still holds when they are read again.
BLOCK = 32


class Rows(NamedTuple):
    """CSR arrays. Once inspected: rows of strictly increasing indices and no stored zeros."""

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray


class Ahead(NamedTuple):
    """How many rows ahead memory is asked for entries, and for records (0: not at all)."""

    rows: int
    records: int


class Bits(NamedTuple):
    """The values as unsigned integers, and the mask that takes their sign away.

    So seen, floating-point numbers keep their order, and infinity and NaN come after all others.
    """

    words: np.ndarray
    unsigned: int


class Verdict(NamedTuple):
    """What was found: rows of increasing indices in range? And the extreme magnitudes, as bits."""

    ordered: bool
    smallest: int
    largest: int


@inlined
def is_sound(rows):
    """Whether ``indptr`` stays within the arrays."""
    indptr, indices, values = rows
    previous, sound = indptr[0], indptr[0] == 0 and len(values) == len(indices)
    for i in range(1, len(indptr)):
        sound &= indptr[i] >= previous
        previous = indptr[i]
    return sound and previous <= len(indices)


@inlined
def inspect_block(rows, bits, n_features, first, last, verdict):
    """``verdict`` after the rows from ``first`` to ``last`` of sound ``rows``."""
    indptr, indices, _ = rows
    # numba's integers grow with every operation: vectors would be lost to their width.
    index, word, one = indices.dtype.type, bits.words.dtype.type, np.uintp(1)
    start, stop = np.uintp(indptr[first]), np.uintp(indptr[last])
    if start == stop:
        return verdict
    ordered, smallest, largest = verdict
    low = high = indices[start]
    magnitude = word(bits.words[start] & bits.unsigned)
    smallest, largest = min(smallest, magnitude), max(largest, magnitude)
    descents = index(0)
    for k in range(start + one, stop):
        descents = index(descents + index(indices[k] <= indices[k - one]))
        low, high = min(low, indices[k]), max(high, indices[k])
        magnitude = word(bits.words[k] & bits.unsigned)
        smallest, largest = min(smallest, magnitude), max(largest, magnitude)
    # A descent is allowed where a new row begins, and only there.
    for i in range(first, last):
        begin, end = np.uintp(indptr[i]), np.uintp(indptr[i + 1])
        if start < begin < end:
            descents = index(descents - index(indices[begin] <= indices[begin - one]))
    ordered = ordered and descents == 0 and low >= 0 and high < n_features
    return Verdict(ordered, smallest, largest)


@compiled
def inspect(rows, bits, n_features):
    """Read all rows once, at the speed of memory, and return the ``Verdict``.

    If ``indptr`` points outside of the arrays they count as not ordered, and nothing is read.
    """
    verdict = Verdict(is_sound(rows), bits.unsigned, bits.words.dtype.type(0))
    if verdict.ordered:
        n_rows = len(rows.indptr) - 1
        for first in range(0, n_rows, BLOCK):
            last = min(first + BLOCK, n_rows)
            verdict = inspect_block(rows, bits, n_features, first, last, verdict)
    return verdict


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
def peak_of(rows, i):
    """The largest magnitude in row ``i``, and of the intercept's 1."""
    start, stop = span(rows, i)
    peak = 1.0
    for k in range(start, stop):
        peak = max(peak, np.float64(abs(rows.values[k])))
    return peak


@inlined
def length_of(rows, i, fit_intercept):
    """The Euclidean norm of row ``i``, and of the intercept's 1 if there is one."""
    start, stop = span(rows, i)
    squares = 1.0 if fit_intercept else 0.0
    for k in range(start, stop):
        squares += np.float64(rows.values[k]) ** 2
    return np.sqrt(squares)
