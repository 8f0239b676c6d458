"""Sparse rows, and the one check that lets every other kernel trust them."""

from typing import NamedTuple

import numpy as np

from ._jit import compiled


class Rows(NamedTuple):
    """CSR arrays whose rows hold strictly increasing indices and no explicit zeros."""

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray


@compiled
def inspect(indptr, indices, bits, sign, n_features):
    """Read the raw arrays once, at the speed of memory.

    ``bits`` are the values as unsigned integers, ``sign`` masks their sign away: so seen,
    floating-point numbers keep their order, and infinity and NaN come after all others.

    Returns ``(ordered, smallest, largest)``: whether every row's indices increase strictly
    within ``[0, n_features)``, and the bits of the smallest and largest magnitude.
    ``ordered`` is False, and nothing else was read, if ``indptr`` points outside.
    """
    n_rows, size = len(indptr) - 1, len(indices)
    smallest, largest = sign, sign & bits.dtype.type(0)
    previous, sound = indptr[0], indptr[0] == 0 and len(bits) == size
    for i in range(1, n_rows + 1):
        sound &= indptr[i] >= previous
        previous = indptr[i]
    if not (sound and previous <= size):
        return False, smallest, largest
    ordered = True
    for first in range(0, n_rows, 64):
        last = min(first + 64, n_rows)
        start, stop = np.uintp(indptr[first]), np.uintp(indptr[last])
        if start == stop:
            continue
        descents = 0
        for k in range(start + np.uintp(1), stop):
            descents += np.int64(indices[k] <= indices[k - np.uintp(1)])
        # A descent is allowed where a new row begins, and only there.
        for i in range(first, last):
            begin, end = np.uintp(indptr[i]), np.uintp(indptr[i + 1])
            if begin == end:
                continue
            if begin > start:
                descents -= np.int64(indices[begin] <= indices[begin - np.uintp(1)])
            ordered &= indices[begin] >= 0
            ordered &= indices[end - np.uintp(1)] < n_features
        ordered &= descents == 0
        for k in range(start, stop):
            magnitude = bits[k] & sign
            smallest = min(smallest, magnitude)
            largest = max(largest, magnitude)
    return ordered, smallest, largest
