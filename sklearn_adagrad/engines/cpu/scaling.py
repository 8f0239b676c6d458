"""The scales of columns, rows and targets, which a scale-free rule learns before each row.

A row's values are written, as its columns have been scaled, into an array of one's own. The loops
take that for the values of the rows: its first element is called by the row's first index.

Each function is there twice: for rules that take rows as they are it costs nothing.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.arrays import load_lanes, shifted
from ...arithmetic.jit import by_type
from ...arithmetic.lanes import sqrt
from ...arithmetic.tuples import replaced
from .records import prefetch
from .rows import span


class Unscaled(NamedTuple):
    """For rules that take rows as they are."""


class Scaling(NamedTuple):
    """What a scale-free rule knows of the rows learnt so far; see ``ScaleFree``.

    The first three are the state's. ``learning`` and ``values`` are room for one row.
    """

    largest: np.ndarray  # of each column, 0 before it was seen; empty if no head needs it
    sums: np.ndarray  # the weight of all rows, that times their squared norms, the longest's
    targets: np.ndarray  # mean and sum of squared deviations, by head
    learning: np.ndarray  # the same with the row at hand
    by_column: np.ndarray  # by head, 1 or 0
    values: np.ndarray
    centres: bool  # whether the mean of the targets is learnt, from which scores are counted
    has_unit: bool  # whether steps are multiplied by the deviation of the targets


def _either(plain, scaled, *, literal=False):
    """A function that does what ``scaled`` does where its second argument is a ``Scaling``."""

    def call(rows, scaling, *rest):
        return (plain if isinstance(scaling, Unscaled) else scaled)(rows, scaling, *rest)

    @by_type(call, literal=literal)
    def choose(*kinds):
        return plain if kinds[1].instance_class is Unscaled else scaled

    return call


# --- the values of a row --------------------------------------------------------------------------


def _as_they_are(rows, scaling, i, grows):
    return rows


def _stretched(rows, scaling, i, grows):
    start, stop = span(rows, i)
    for k in range(start, stop):
        value = rows.values[k]
        if len(scaling.largest) > 0:
            largest, size = scaling.largest[rows.indices[k]], abs(value)
            largest = size if grows and size > largest else largest
            value = value / largest if largest > 0 else value * 0
        scaling.values[k - start] = value
    return replaced(rows, "values", shifted(scaling.values, start))


# ``rows`` for row ``i`` alone, whose values are divided by the scales of their columns; if
# ``grows``, by what these will be once the row is learnt.
stretched = _either(_as_they_are, _stretched)


def _plain_value(rows, scaling, here, k, h, size):
    return rows.values[k]


def _value(rows, scaling, here, k, h, size):
    flags = load_lanes(scaling.by_column, h, size)
    return flags * here.values[k] + (1.0 - flags) * rows.values[k]


# Entry ``k`` for ``size`` heads from ``h`` on; ``here`` is the row with its columns scaled.
value_at = _either(_plain_value, _value, literal=True)


def _no_scales(rows, scaling, i):
    return False


def _grown(rows, scaling, i):
    larger = False
    if len(scaling.largest) > 0:
        start, stop = span(rows, i)
        for k in range(start, stop):
            larger |= abs(rows.values[k]) > scaling.largest[rows.indices[k]]
    return larger


# Whether row ``i`` has a value that is larger than all before in its column.
grown = _either(_no_scales, _grown)


def _fetched(rows, scaling, i):
    if len(scaling.largest) > 0:
        start, stop = span(rows, i)
        for k in range(start, stop):
            prefetch(scaling.largest, rows.indices[k])
    return True


# Ask for the scales of the columns of row ``i``.
fetch_scales = _either(_no_scales, _fetched)


def _same_norm(rows, scaling, h, scaled, plain):
    return plain


def _norm(rows, scaling, h, scaled, plain):
    return scaled if scaling.by_column[h] > 0 else plain


# The norm of a row for head ``h``, from those with its columns scaled and not.
norm_for = _either(_same_norm, _norm)


# --- targets, and what a row's step is multiplied by ----------------------------------------------


def _nothing(rows, scaling, h):
    return 0.0


def _base(rows, scaling, h):
    return scaling.targets[0, h]


# What the score of head ``h`` is counted from.
base_of = _either(_nothing, _base)


def _no_base(rows, scaling, h, y, weight):
    return 0.0


def _next_base(rows, scaling, h, y, weight):
    mean, squares = scaling.targets[0, h], scaling.targets[1, h]
    if not scaling.has_unit:
        return mean
    after = mean
    if scaling.centres:
        after += weight / (scaling.sums[0] + weight) * (y - mean)
    scaling.learning[0, h] = after
    scaling.learning[1, h] = squares + weight * (y - mean) * (y - after)
    return after


# The same with a row of target ``y`` and this weight.
next_base = _either(_no_base, _next_base)


def _unchanged(rows, scaling, here, i, weight, n_heads, fit_intercept):
    return False


def _learnt(rows, scaling, here, i, weight, n_heads, fit_intercept):
    start, stop = span(rows, i)
    scaled = plain = 1.0 if fit_intercept else 0.0
    for k in range(start, stop):
        size, short = np.float64(abs(rows.values[k])), np.float64(here.values[k])
        scaled += short * short
        plain += size * size
        if len(scaling.largest) > 0 and size > scaling.largest[rows.indices[k]]:
            scaling.largest[rows.indices[k]] = abs(rows.values[k])
    scaling.sums[0] += weight
    scaling.sums[1] += weight * scaled
    scaling.sums[2] = plain if plain > scaling.sums[2] else scaling.sums[2]
    if scaling.has_unit:
        for h in range(n_heads):
            scaling.targets[0, h] = scaling.learning[0, h]
            scaling.targets[1, h] = scaling.learning[1, h]
    return True


# Let all scales be what row ``i`` makes of them; ``here`` is stretched by what they become.
learn_scales = _either(_unchanged, _learnt)


def _full(rows, scaling, h):
    return 1.0


def _stride(rows, scaling, h):
    mass, squares, longest = scaling.sums[0], scaling.sums[1], scaling.sums[2]
    inverse = mass / squares if scaling.by_column[h] > 0 else 1.0 / longest
    if scaling.has_unit:
        inverse *= scaling.targets[1, h] / mass
    return sqrt(inverse) if inverse < np.inf else 0.0  # no features so far, and no intercept


# What the steps of head ``h`` are multiplied by.
stride = _either(_full, _stride)
