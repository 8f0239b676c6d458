"""The scales of columns, rows and targets, which a scale-free rule learns before each row.

A row's values are written, as its columns have been scaled, into an array of one's own. The loops
take that for the values of the rows: its first element is called by the row's first index.

Each function is there twice: for rules that take rows as they are it costs nothing.
"""

from typing import Any, NamedTuple

import numpy as np

from ...arithmetic.arrays import gather_numbers, load, load_lanes, shifted, store, zeros
from ...arithmetic.jit import by_type, inlined
from ...arithmetic.lanes import WIDTH, any_lane, sqrt, total, where
from ...arithmetic.tuples import replaced
from .records import keep_rolled, prefetch
from .rows import span


class Unscaled(NamedTuple):
    """For rules that take rows as they are."""


class Scaling(NamedTuple):
    """What a scale-free rule knows of the rows learnt so far; see ``ScaleFree``.

    The first three are the state's, the others room for one row.
    """

    largest: np.ndarray  # of each column, 0 before it was seen; empty if no head needs it
    sums: np.ndarray  # the weight of all rows, that times their squared norms, the longest's
    targets: np.ndarray  # mean and sum of squared deviations, by head
    by_column: np.ndarray  # by head, 1 or 0
    values: np.ndarray  # of the row, divided by the scales
    sizes: np.ndarray  # what it makes of the scales
    norms: np.ndarray  # its squared norms, divided and as it is
    strides: np.ndarray  # what steps are multiplied by, with scales by column and without
    centres: bool  # whether the mean of the targets is learnt, from which scores are counted
    has_unit: bool  # whether steps are multiplied by the deviation of the targets
    has_plain: bool  # whether a head takes rows as they are
    clips: bool  # whether values count as at most the scale so far, by that which they make


def _either(plain, scaled, *, literal=False):
    """A function that does what ``scaled`` does where its second argument is a ``Scaling``."""

    def call(rows, scaling, *rest):
        return (plain if isinstance(scaling, Unscaled) else scaled)(rows, scaling, *rest)

    @by_type(call, literal=literal)
    def choose(*kinds):
        return plain if kinds[1].instance_class is Unscaled else scaled

    return call


# --- the values of a row --------------------------------------------------------------------------


def _as_they_are(rows, scaling, i):
    return rows, False


def _stretched(rows, scaling, i):
    start, stop = span(rows, i)
    rest = stop - (stop - start) % WIDTH
    nothing = zeros(rows.values)
    sums = Sums(nothing, nothing, nothing)
    for k in range(start, rest, WIDTH):
        keep_rolled()
        sums = _stretch(rows, scaling, start, k, None, sums)
    if rest < stop:
        sums = _stretch(rows, scaling, start, rest, stop, sums)
    scaling.norms[0], scaling.norms[1] = total(sums.squares), total(sums.plain)
    return replaced(rows, "values", shifted(scaling.values, start)), any_lane(sums.grown)


class Sums(NamedTuple):
    """What is found out about a row, in lanes."""

    grown: Any
    squares: Any
    plain: Any


@inlined
def _stretch(rows, scaling, start, k, stop, sums):
    """A vector of entries, and the sums with it."""
    x = load(rows.values, k, stop)
    value, grown, one = x, sums.grown, 0.0 * x + 1.0
    if len(scaling.largest) > 0:
        size, largest = abs(x), gather_numbers(scaling.largest, rows.indices, k, stop)
        value = where(largest > 0.0, x / largest, 0.0 * x)
        if scaling.clips:
            value = where(size > largest, where(x > 0.0, one, 0.0 - one), value)
        grown = grown + where(size > largest, one, 0.0 * x)
        store(scaling.sizes, k - start, where(size > largest, size, largest))
    store(scaling.values, k - start, value)
    return Sums(grown, sums.squares + value * value, sums.plain + x * x)


# ``rows`` for row ``i`` alone, whose values are divided by the scales of their columns; and whether
# any is larger than the scale so far. With ``clips`` it is divided by itself.
stretched = _either(_as_they_are, _stretched)


def _no_flags(rows, scaling, h, size):
    return 1.0


def _flags(rows, scaling, h, size):
    return load_lanes(scaling.by_column, h, size)


# Which of ``size`` heads from ``h`` on see columns that are scaled.
flags_at = _either(_no_flags, _flags, literal=True)


def _plain_value(rows, scaling, here, k, flags):
    return rows.values[k]


def _value(rows, scaling, here, k, flags):
    return flags * here.values[k] + (1.0 - flags) * rows.values[k]


# Entry ``k`` as heads of these ``flags`` see it; ``here`` is the row with its columns scaled.
value_at = _either(_plain_value, _value)


def _nothing_to_fetch(rows, scaling, i):
    return False


def _fetched(rows, scaling, i):
    if len(scaling.largest) > 0:
        start, stop = span(rows, i)
        for k in range(start, stop):
            prefetch(scaling.largest, rows.indices[k])
    return True


# Ask for the scales of the columns of row ``i``.
fetch_scales = _either(_nothing_to_fetch, _fetched)


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


def _learn_target(rows, scaling, h, y, weight):
    mean = after = scaling.targets[0, h]
    if not scaling.has_unit:
        return mean
    if scaling.centres:
        after += weight / (scaling.sums[0] + weight) * (y - mean)
    scaling.targets[0, h] = after
    scaling.targets[1, h] += weight * (y - mean) * (y - after)
    return after


# Let head ``h`` know of a row of target ``y``: what its score is counted from then. Comes before
# ``learn_scales``.
learn_target = _either(_no_base, _learn_target)


def _unchanged(rows, scaling, i, weight, grows, fit_intercept):
    return False


def _learn_scales(rows, scaling, i, weight, grows, fit_intercept):
    if grows:
        start, stop = span(rows, i)
        for k in range(start, stop):
            scaling.largest[rows.indices[k]] = scaling.sizes[k - start]
    one = 1.0 if fit_intercept else 0.0
    scaling.sums[0] += weight
    scaling.sums[1] += weight * (one + scaling.norms[0])
    if scaling.has_plain:
        norm = one + scaling.norms[1]
        scaling.sums[2] = norm if norm > scaling.sums[2] else scaling.sums[2]
    scaling.strides[0] = _root(scaling.sums[0], scaling.sums[1])
    scaling.strides[1] = _root(1.0, scaling.sums[2])
    return True


@inlined
def _root(a, b):
    return sqrt(a / b) if b > 0.0 else 0.0  # rows without a feature, and no intercept


# Let all scales be what row ``i``, which was just stretched, makes of them.
learn_scales = _either(_unchanged, _learn_scales)


def _full(rows, scaling, h):
    return 1.0


def _unit(rows, scaling, h):
    if not scaling.has_unit:
        return 1.0
    mass = scaling.sums[0]
    return sqrt(scaling.targets[1, h] / mass) if mass > 0.0 else 0.0


# The standard deviation of the targets that head ``h`` has learnt, where scores are in their units.
unit_of = _either(_full, _unit)


def _stride(rows, scaling, h):
    stride = scaling.strides[0] if scaling.by_column[h] > 0 else scaling.strides[1]
    return stride * unit_of(rows, scaling, h)


# What the steps of head ``h`` are multiplied by.
stride = _either(_full, _stride)
