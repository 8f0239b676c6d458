"""Crosses of fields: an entry for every combination of the entries of two or more fields.

The hash of a cross is the MurmurHash3 of the hashes that it combines, four bytes each, little
endian; its value is the product of theirs. No name of a combination is ever spelt.
"""

import itertools
from typing import NamedTuple

import numpy as np

from ..arithmetic.jit import compiled
from ..arithmetic.murmur import WORD, finished, mixed


class Places(NamedTuple):
    """Where the entries of each field are, counted from the first of its row."""

    firsts: np.ndarray  # int64, of shape (n_rows or 1, n_fields)
    counts: np.ndarray


class Crosses(NamedTuple):
    """Cross n is of the fields ``fields[starts[n]:starts[n + 1]]``."""

    starts: np.ndarray  # int64
    fields: np.ndarray  # int64

    @classmethod
    def of(cls, crosses):
        """``crosses`` are tuples of fields."""
        starts = np.cumsum([0, *map(len, crosses)], dtype=np.int64)
        return cls(starts, np.fromiter(itertools.chain(*crosses), np.int64))


@compiled
def cross(crosses, places, first_of_row, entries):
    """Fill in the entries of all crosses; those of row ``i`` begin at ``first_of_row[i]``."""
    starts, fields = crosses
    for i in range(len(entries.starts) - 1):
        row = i if len(places.firsts) > 1 else 0
        start = entries.starts[i]
        k = start + first_of_row[row]
        for n in range(len(starts) - 1):
            total = 1
            for m in range(starts[n], starts[n + 1]):
                total *= places.counts[row, fields[m]]
            for combination in range(total):
                left, value, product = combination, np.uint32(0), entries.values.dtype.type(1)
                for m in range(starts[n], starts[n + 1]):
                    field, chosen = fields[m], 0
                    count = places.counts[row, field]
                    if count > 1:
                        left, chosen = left // count, left % count
                    entry = start + places.firsts[row, field] + chosen
                    value = mixed(value, entries.hashes[entry])
                    product *= entries.values[entry]
                entries.hashes[k] = finished(value, WORD * (starts[n + 1] - starts[n]))
                entries.values[k] = product
                k += 1
