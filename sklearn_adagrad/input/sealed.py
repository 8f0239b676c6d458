"""Sparse rows that this package made, and that nobody can have changed since.

Inspecting rows takes a sixth of the time that it takes to learn them, and rows that were built
here are sound already. Their arrays are views of read-only memory, which NumPy lets nobody make
writable, and are known by where they lie for as long as they live: whatever is put in their
place, copied, sliced or unpickled lies elsewhere and is inspected as any other matrix.
"""

import weakref
from typing import NamedTuple

import numpy as np
from scipy import sparse

from .rows import Rows, Verdict


class _Seal(NamedTuple):
    """Where the arrays lie, how many columns there are, and the largest magnitude as bits."""

    places: tuple
    n_features: int
    largest: int


_SEALS = {}  # by the address of the values


def seal(rows, n_features, largest):
    """A CSR array of ``rows``, which belong to nobody else, with ``largest`` magnitude as bits."""
    frozen = Rows(*map(_frozen, rows))
    if len(frozen.values):
        places = tuple(map(_place, frozen))
        _SEALS[places[2]] = _Seal(places, n_features, largest)
        for array in frozen:  # when one of them is gone, its memory may become anything
            weakref.finalize(array, _SEALS.pop, places[2], None).atexit = False
    shape = (len(frozen.indptr) - 1, n_features)
    X = sparse.csr_array((frozen.values, frozen.indices, frozen.indptr), shape=shape)
    X.has_canonical_format = True
    return X


def trusting(inspect):
    """``inspect``, without looking at rows that are sealed."""

    def look(rows, bits, n_features):
        found = _SEALS.get(_place(rows.values))
        if found is None or found.places != tuple(map(_place, rows)):
            return inspect(rows, bits, n_features)
        if found.n_features > n_features:
            return inspect(rows, bits, n_features)
        return Verdict(True, 1, found.largest)

    return look


def _place(array):
    return array.ctypes.data, array.nbytes, array.dtype.str


def _frozen(array):
    """A view of ``array`` that stays read-only."""
    if not len(array):
        return array
    return np.frombuffer(memoryview(np.ascontiguousarray(array)).toreadonly(), array.dtype)
