"""The records of several heads, a vector of heads at a time: their scores, and their steps.

Fetching the record of a feature costs more than updating it. So the records of all heads lie side
by side, field by field: the weights of all heads, then all their accumulators, and so on. A
vector holds neighbouring heads, and no record has to be transposed. Records need not be asked for
ahead either: while one is fetched, there is enough to do for the others.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core import cgutils

from ...arithmetic.arrays import load_lanes, pointer_to, store
from ...arithmetic.jit import by_type, emits, inlined, says
from ...arithmetic.lanes import WIDE, Lanes, any_lane, index
from ...arithmetic.rounding import noise_at, noise_of, product
from ...arithmetic.tuples import replaced
from ...formulas.rules import (
    Settings,
    advanced,
    context_at,
    is_batched,
    is_importance_aware,
    is_proportional,
    is_scale_free,
    local,
    moved,
    pull,
    settled,
    skips_zero_gradient,
    step,
    unpenalised,
    weight,
)
from .batches import noise_to_score
from .records import keep_rolled, lanes_of, put_lanes
from .rows import span
from .scaling import flags_at, value_at

# What vectors there are is a type and not a number: the compiler leaves out the others.


class One(NamedTuple):
    """One head at a time, as each thread of a GPU has."""

    sizes = (1,)


class Four(NamedTuple):
    """One vector of four heads."""

    sizes = (4,)


class Eights(NamedTuple):
    """Vectors of eight."""

    sizes = (8,)


class EightsAndFour(NamedTuple):
    """Vectors of eight, and one of four."""

    sizes = (8, 4)


def sizes_of(width):
    """The vectors that ``width`` numbers are: the others need not be compiled."""
    if width == 4:
        return Four()
    return EightsAndFour() if width % WIDE else Eights()


class Heads(NamedTuple):
    """All that several heads remember: their records are seen as plain numbers."""

    fields: np.ndarray  # empty: its dtype names the fields of a record
    sizes: tuple
    cells: np.ndarray
    intercept: np.ndarray
    totals: np.ndarray
    losses: np.ndarray


class Buffers(NamedTuple):
    """Buffers with a number for each head."""

    sums: np.ndarray  # of the dtype of the rows, as are the others up to the shares
    zeros: np.ndarray
    steps: np.ndarray
    pulls: np.ndarray
    shares: np.ndarray
    scores: np.ndarray  # float64, as are the others
    targets: np.ndarray
    gradients: np.ndarray
    losses: np.ndarray
    bases: np.ndarray  # what the scores are counted from
    reaches: np.ndarray
    drops: np.ndarray


class Part(NamedTuple):
    """Entries of a row, and whether the intercept is learnt with them."""

    first: int
    stop: int
    has_intercept: bool


def settings_of(settings, h, size):
    """The hyper-parameters of the heads from ``h`` on: numbers that all share, or lanes."""
    if np.ndim(settings.lr) == 0:
        return settings
    return Settings(*(field[h : h + size] if np.ndim(field) else field for field in settings))


@emits(settings_of, literal=True)
def _settings_of(settings, h, size):
    if not isinstance(size, types.IntegerLiteral):
        return None
    kinds, arrays = list(settings.types), [n for n, kind in enumerate(settings.types)
                                           if isinstance(kind, types.Array)]  # fmt: skip
    for n in arrays:
        kinds[n] = Lanes(kinds[n].dtype, size.literal_value)
    result = types.NamedTuple(kinds, Settings)

    def emit(context, builder, args):
        fields, first = cgutils.unpack_tuple(builder, args[0]), index(context, builder, h, args[1])
        for n in arrays:
            lanes = context.get_value_type(kinds[n])
            pointer, align = pointer_to(
                context, builder, settings.types[n], fields[n], first, lanes
            )
            fields[n] = builder.load(pointer, align=align)
        return context.make_tuple(builder, result, fields)

    return result, emit


def _if_any(function):
    """Let ``function`` do nothing where the heads, its third argument, have no such vector."""

    @by_type(function, literal=True)
    def choose(*kinds):
        heads, size = kinds[2], kinds[-1]
        if not isinstance(size, types.IntegerLiteral):
            return None
        sizes = heads.types[heads.fields.index("sizes")].instance_class.sizes
        nothing = _nothing if len(kinds) == _N_ARGUMENTS else _nothing_of_part
        return function if size.literal_value in sizes else nothing

    return function


def _nothing(rows, learner, heads, steps, here, clock, i, numbers, h, size):
    pass


_N_ARGUMENTS = _nothing.__code__.co_argcount


def _nothing_of_part(rows, learner, heads, steps, here, clock, i, numbers, part, h, size):
    pass


@_if_any
def score_vector(rows, learner, heads, steps, here, clock, i, sums, part, h, size):
    """Write the scores of a part of row ``i`` by ``size`` heads from ``h`` on into ``sums``."""
    width, t = np.uintp(len(sums)), clock.t
    row = context_at(learner.rule, settings_of(learner.settings, h, size), t)
    noise = noise_at(noise_of(clock.row, rows.values), np.uintp(0))
    row = replaced(row, "noise", noise_to_score(learner.rule, noise))
    own = unpenalised(row)
    record = lanes_of(heads.fields, heads.intercept, h, width, size)
    record = settled(learner.intercept_rule, record, t, own)
    total = weight(learner.intercept_rule, record, own)
    total = total if part.has_intercept else 0.0 * total
    flags = flags_at(rows, steps.scaling, h, size)
    for k in range(part.first, part.stop):
        keep_rolled()
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        record = lanes_of(heads.fields, heads.cells, place, width, size)
        own = local(learner.rule, record, row)
        record = settled(learner.rule, record, t, own)
        value = value_at(rows, steps.scaling, here, k, flags)
        total = total + weight(learner.rule, record, own) * value  # += would need a view
    store(sums, h, total)


@inlined
def score_row(rows, learner, heads, steps, here, clock, i, sums):
    """The scores of row ``i`` by all heads, without what they are counted from."""
    start, stop = span(rows, i)
    part, width = Part(start, stop, True), np.uintp(len(sums))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        score_vector(rows, learner, heads, steps, here, clock, i, sums, part, h, 8)
    if wide < width:
        score_vector(rows, learner, heads, steps, here, clock, i, sums, part, wide, 4)


def _shared_lanes(learner, row, buffers, h, size):
    """``row`` with the shares of the heads, where the rule takes any."""
    if is_importance_aware(learner.rule) or is_scale_free(learner.rule):
        return _with_shares(learner, row, buffers, h, size)
    return row


@by_type(_shared_lanes, literal=True)
def _choose_shared(*kinds):
    return _with_shares if _sizes_steps(kinds[0]) else _without_shares


def _sizes_steps(learner):
    """Whether the rule of a learner of this type decides on the size of steps."""
    rule = learner.types[learner.fields.index("rule")]
    return says(rule, "is_importance_aware") or says(rule, "is_scale_free")


def _with_shares(learner, row, buffers, h, size):
    return replaced(row, "share", load_lanes(buffers.shares, h, size))


def _without_shares(learner, row, buffers, h, size):
    return row


@_if_any
def update_vector(rows, learner, heads, steps, here, clock, i, buffers, part, h, size):
    """Learn a part of row ``i`` at its ``clock`` with ``size`` heads from ``h`` on."""
    rule, intercept_rule = learner.rule, learner.intercept_rule
    gradient = load_lanes(buffers.steps, h, size)
    if skips_zero_gradient(rule) and not any_lane(gradient):
        return
    (start, _), width, t = span(rows, i), np.uintp(len(buffers.steps)), clock.t
    row = context_at(rule, settings_of(learner.settings, h, size), t)
    row = _shared_lanes(learner, row, buffers, h, size)
    before, noise = noise_of(clock.row - 1, rows.values), noise_of(clock.row, rows.values)
    flags = flags_at(rows, steps.scaling, h, size)
    if part.has_intercept:
        own = unpenalised(replaced(row, "noise", noise_at(noise, np.uintp(0))))
        record = lanes_of(heads.fields, heads.intercept, h, width, size)
        record = settled(intercept_rule, record, t - 1, own)
        put_lanes(heads.intercept, h, width, advanced(intercept_rule, record, gradient, own))
    for k in range(part.first, part.stop):
        keep_rolled()
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        if is_importance_aware(rule) and is_proportional(rule):
            kept = (k - start) * np.uintp(len(heads.intercept)) + h
            record = lanes_of(heads.fields, steps.kept, kept, width, size)
            by = row.share * load_lanes(steps.pulls, (k - start) * width + h, size)
            own = replaced(local(rule, record, row), "noise", noise_at(noise, k - start))
            record = moved(rule, record, by, own)
        else:
            record = lanes_of(heads.fields, heads.cells, place, width, size)
            own = local(rule, record, row)
            own = replaced(own, "noise", noise_at(before, k - start))
            record = settled(rule, record, t - 1, own)
            own = replaced(own, "noise", noise_at(noise, k - start))
            value = value_at(rows, steps.scaling, here, k, flags)
            g = product(gradient, value) if is_batched(rule) else gradient * value
            record = advanced(rule, record, g, own)
        put_lanes(heads.cells, place, width, record)


@inlined
def update_row(rows, learner, heads, steps, here, clock, i, buffers):
    """Learn row ``i`` at its ``clock``, with the gradients and shares in ``buffers``."""
    start, stop = span(rows, i)
    part = Part(start, stop, learner.fit_intercept)
    update_part(rows, learner, heads, steps, here, clock, i, buffers, part)


@inlined
def update_part(rows, learner, heads, steps, here, clock, i, buffers, part):
    """The same of a part of the row."""
    width = np.uintp(len(buffers.steps))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        update_vector(rows, learner, heads, steps, here, clock, i, buffers, part, h, 8)
    if wide < width:
        update_vector(rows, learner, heads, steps, here, clock, i, buffers, part, wide, 4)


@_if_any
def _pull_vector(rows, learner, heads, steps, here, clock, i, buffers, h, size):
    """Write how far all of the gradients would take the scores of ``size`` heads from ``h`` on."""
    (start, stop), width, t = span(rows, i), np.uintp(len(buffers.steps)), clock.t
    rule, intercept_rule = learner.rule, learner.intercept_rule
    row = context_at(rule, settings_of(learner.settings, h, size), t)
    before, gradient = noise_of(clock.row - 1, rows.values), load_lanes(buffers.steps, h, size)
    total, flags = 0.0 * gradient, flags_at(rows, steps.scaling, h, size)
    if learner.fit_intercept:
        own = unpenalised(row)
        record = lanes_of(heads.fields, heads.intercept, h, width, size)
        record = settled(intercept_rule, record, t - 1, own)
        total = pull(intercept_rule, record, gradient, local(intercept_rule, record, own))
    for k in range(start, stop):
        keep_rolled()
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        record = lanes_of(heads.fields, heads.cells, place, width, size)
        own = replaced(local(rule, record, row), "noise", noise_at(before, k - start))
        record = settled(rule, record, t - 1, own)
        value = value_at(rows, steps.scaling, here, k, flags)
        if is_proportional(rule):
            record, by = step(rule, record, gradient * value, own)
            put_lanes(steps.kept, (k - start) * np.uintp(len(heads.intercept)) + h, width, record)
            store(steps.pulls, (k - start) * width + h, by)
            total = total + value * by
        else:
            total = total + value * pull(rule, record, gradient * value, own)
    store(buffers.pulls, h, total)


@inlined
def pull_row(rows, learner, heads, steps, here, clock, i, buffers):
    """How far all of the gradients would take the scores of row ``i``."""
    width = np.uintp(len(buffers.steps))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        _pull_vector(rows, learner, heads, steps, here, clock, i, buffers, h, 8)
    if wide < width:
        _pull_vector(rows, learner, heads, steps, here, clock, i, buffers, wide, 4)
