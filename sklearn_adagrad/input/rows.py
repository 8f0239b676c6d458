"""Sparse rows as the engines take them."""

from typing import NamedTuple

import numpy as np

_UNSIGNED = {4: np.dtype(np.uint32), 8: np.dtype(np.uint64)}


class Rows(NamedTuple):
    """CSR arrays. Once inspected: rows of strictly increasing indices and no stored zeros."""

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray


class Bits(NamedTuple):
    """The values as unsigned integers, and the mask that takes their sign away.

    So seen, floating-point numbers keep their order, and infinity and NaN come after all others.
    """

    words: np.ndarray
    unsigned: int


class Verdict(NamedTuple):
    """What was found: rows of increasing indices in range? And the extreme magnitudes, as bits."""

    is_valid: bool
    smallest: int
    largest: int


def bits_of(values):
    """``values`` as ``Bits``."""
    unsigned = _UNSIGNED[values.itemsize]
    return Bits(values.view(unsigned), unsigned.type(np.iinfo(unsigned).max // 2))
