"""The loop for several heads: models that learn the same rows at the same time.

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
from ...arithmetic.jit import by_type, compiled, emits, inlined, shared
from ...arithmetic.lanes import WIDE, Lanes, any_lane, index
from ...arithmetic.rounding import noise_at, noise_of
from ...arithmetic.tuples import replaced
from ...formulas.rules import (
    Settings,
    advanced,
    context_at,
    factor,
    local,
    settled,
    skips_zero_gradient,
    unpenalised,
    weight,
)
from ...input.targets import show
from .judge import judge_heads
from .records import keep_rolled, lanes_of, put_lanes
from .rows import BLOCK, fetch_row, inspect, max_abs_of, norm_of, span
from .subnormal import flush, restore

# What vectors there are is a type and not a number: the compiler leaves out the others.


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

    sums: np.ndarray  # of the dtype of the rows, as are the zeros and steps
    zeros: np.ndarray
    steps: np.ndarray
    scores: np.ndarray  # float64, as are the others
    targets: np.ndarray
    gradients: np.ndarray
    losses: np.ndarray


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
        return function if size.literal_value in sizes else _nothing

    return function


def _nothing(rows, learner, heads, t, i, numbers, h, size):
    pass


@_if_any
def _score_vector(rows, learner, heads, t, i, sums, h, size):
    """Write the scores by ``size`` heads from ``h`` on into ``sums``."""
    (start, stop), width = span(rows, i), np.uintp(len(sums))
    row = context_at(learner.rule, settings_of(learner.settings, h, size), t)
    here = unpenalised(row)
    record = lanes_of(heads.fields, heads.intercept, h, width, size)
    record = settled(learner.intercept_rule, record, t, here)
    total = weight(learner.intercept_rule, record, here)
    for k in range(start, stop):
        keep_rolled()
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        record = lanes_of(heads.fields, heads.cells, place, width, size)
        here = local(learner.rule, record, row)
        record = settled(learner.rule, record, t, here)
        total = total + weight(learner.rule, record, here) * rows.values[k]  # += would need a view
    store(sums, h, total)


@inlined
def _score(rows, learner, heads, t, i, sums):
    """The scores of row ``i`` by all heads."""
    width = np.uintp(len(sums))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        _score_vector(rows, learner, heads, t, i, sums, h, 8)
    if wide < width:
        _score_vector(rows, learner, heads, t, i, sums, wide, 4)


@_if_any
def _update_vector(rows, learner, heads, t, i, steps, h, size):
    """Learn row ``i`` as the row of time ``t`` with ``size`` heads from ``h`` on."""
    rule, intercept_rule = learner.rule, learner.intercept_rule
    gradient = load_lanes(steps, h, size)
    if skips_zero_gradient(rule) and not any_lane(gradient):
        return
    (start, stop), width = span(rows, i), np.uintp(len(steps))
    row = context_at(rule, settings_of(learner.settings, h, size), t)
    before, noise = noise_of(t - 1, rows.values), noise_of(t, rows.values)
    if learner.fit_intercept:
        here = unpenalised(replaced(row, "noise", noise_at(noise, np.uintp(0))))
        record = lanes_of(heads.fields, heads.intercept, h, width, size)
        record = settled(intercept_rule, record, t - 1, here)
        put_lanes(heads.intercept, h, width, advanced(intercept_rule, record, gradient, here))
    for k in range(start, stop):
        keep_rolled()
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        record = lanes_of(heads.fields, heads.cells, place, width, size)
        here = local(rule, record, row)
        here = replaced(here, "noise", noise_at(before, k - start))
        record = settled(rule, record, t - 1, here)
        here = replaced(here, "noise", noise_at(noise, k - start))
        record = advanced(rule, record, gradient * rows.values[k], here)
        put_lanes(heads.cells, place, width, record)


@inlined
def _update(rows, learner, heads, t, i, steps):
    """Learn row ``i`` as the row of time ``t``, with the gradients ``steps`` of the scores."""
    width = np.uintp(len(steps))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        _update_vector(rows, learner, heads, t, i, steps, h, 8)
    if wide < width:
        _update_vector(rows, learner, heads, t, i, steps, wide, 4)


@inlined
def _all_fit(buffers, n_heads, largest):
    """Whether all scores and gradients are in range."""
    fit = True
    for h in range(n_heads):
        fit &= abs(buffers.scores[h]) < np.inf and abs(buffers.gradients[h]) <= largest
    return fit


@inlined
def _judge(loss, buffers, scores, n_outputs, n_heads, weight):
    """The losses of all heads with these scores, and the gradients."""
    for h in range(len(scores)):
        buffers.scores[h] = scores[h]
    judge_heads(
        loss, buffers.targets, buffers.scores, n_outputs, n_heads, buffers.gradients,
        buffers.losses,
    )  # fmt: skip
    for h in range(n_heads):
        buffers.gradients[h] *= weight


@inlined
def _any_is_new(buffers, losses, largest):
    """Whether a head is out of range that was not yet left out."""
    new = False
    for h in range(losses.shape[1]):
        fits = abs(buffers.scores[h]) < np.inf and abs(buffers.gradients[h]) <= largest
        new |= not fits and losses[0, h] < np.inf
    return new


@inlined
def _drop(buffers, losses, largest):
    """Let the heads that are out of range learn no more."""
    for h in range(losses.shape[1]):
        fits = abs(buffers.scores[h]) < np.inf and abs(buffers.gradients[h]) <= largest
        if not (fits and losses[0, h] < np.inf):
            buffers.losses[h] = np.inf
            buffers.gradients[h] = 0.0


@inlined
def _any_dropped(losses):
    dropped = 0
    for h in range(losses.shape[1]):
        dropped += losses[0, h] == np.inf
    return dropped > 0


@shared
def judge_row(batch, i, loss, losses, limits, fit_intercept, buffers, dropped):
    """From the scores of row ``i`` to what its heads are to learn, for all rules alike.

    ``buffers.sums`` are the scores. Adds the losses of the heads to ``losses``, and writes their
    gradients into ``buffers.steps``; unless the row can't be learnt. Returns whether it can, and
    whether any head is ``dropped`` by now.
    """
    rows, _, targets, weights, _ = batch
    n_outputs, n_heads = targets.n_outputs, losses.shape[1]
    show(targets, i, buffers.targets)
    _judge(loss, buffers, buffers.sums, n_outputs, n_heads, weights[i])
    if dropped or not _all_fit(buffers, n_heads, limits.gradient / limits.max_abs):
        largest = limits.gradient / max_abs_of(rows, i)
        fit = _all_fit(buffers, n_heads, largest)
        if limits.refuses and not fit and _any_is_new(buffers, losses, largest):
            _judge(loss, buffers, buffers.zeros, n_outputs, n_heads, weights[i])
            if not _all_fit(buffers, n_heads, largest):  # not for a model of zeros either
                return False, dropped
            _judge(loss, buffers, buffers.sums, n_outputs, n_heads, weights[i])
        if not (fit or limits.drops):
            return False, dropped
        dropped = dropped or not fit
        if dropped:
            _drop(buffers, losses, largest)
    for h in range(n_heads):
        losses[0, h] += weights[i] * buffers.losses[h]
        losses[1, h] += weights[i] * buffers.losses[h]
        buffers.steps[h] = buffers.gradients[h]
    if limits.max_norm < np.inf:
        norm = norm_of(rows, i, fit_intercept)
        for h in range(n_heads):
            size = norm * abs(buffers.gradients[h])
            buffers.steps[h] *= limits.max_norm / size if size > limits.max_norm else 1.0
    return True, dropped


@compiled
def learn_heads(batch, loss, learner, heads, limits, rows_ahead, buffers):
    """Learn the rows of a batch with all heads, as ``learn`` does with one.

    With ``limits.drops``, a head whose numbers leave their range learns nothing more, and its
    losses become infinite; without, the row is learnt by no head.
    """
    rows, order, _, weights, scores = batch
    rule, totals, before = learner.rule, heads.totals[0], flush()
    t, weight_sum, epoch_weight = totals["t"], totals["weight"], totals["epoch_weight"]
    done, end = len(order), len(order) - 1
    dropped = limits.drops and _any_dropped(heads.losses)
    for p in range(len(order)):
        i = np.uintp(order[p])
        if weights[i] == 0:
            continue
        _score(rows, learner, heads, t, i, buffers.sums)
        later = p + rows_ahead
        fetch_row(rows, np.uintp(order[later if later < end else end]))
        fit = 0 <= factor(rule, t + 1) < np.inf
        if fit:
            fit, dropped = judge_row(
                batch, i, loss, heads.losses, limits, learner.fit_intercept, buffers, dropped
            )
        if not fit:
            done = p
            break
        weight_sum, epoch_weight = weight_sum + weights[i], epoch_weight + weights[i]
        t += 1
        if len(scores) > 0:
            for h in range(scores.shape[1]):
                scores[i, h] = buffers.sums[h]
        _update(rows, learner, heads, t, i, buffers.steps)
    totals["t"], totals["weight"], totals["epoch_weight"] = t, weight_sum, epoch_weight
    restore(before)
    return done


@compiled
def score_heads(rows, bits, n_features, learner, heads, sums, out):
    """Write the scores of every row into ``out``; the rest as ``score`` does with one head."""
    n_rows = len(rows.indptr) - 1
    t = heads.totals[0]["t"]
    valid, smallest, largest = True, bits.unsigned, bits.words.dtype.type(0)
    for first in range(0, n_rows, BLOCK):
        last = first + BLOCK if first + BLOCK < n_rows else n_rows
        valid, low, high = inspect(rows, bits, n_features, first, last)
        smallest = low if low < smallest else smallest
        largest = high if high > largest else largest
        if not valid:
            break
        for i in range(first, last):
            later = i + BLOCK
            fetch_row(rows, np.uintp(later if later < n_rows else n_rows - 1))
            _score(rows, learner, heads, t, np.uintp(i), sums)
            for h in range(out.shape[1]):
                out[i, h] = sums[h]
    return valid, smallest, largest


@compiled
def mean_loss(loss, targets, scores, weights, buffers):
    """The weighted mean of the losses of the rows, summed over the heads."""
    lost, weight_sum, n_heads = 0.0, 0.0, scores.shape[1]
    for i in range(len(scores)):
        if weights[i] != 0:
            show(targets, i, buffers.targets)
            for h in range(n_heads):
                buffers.scores[h] = scores[i, h]
            judge_heads(
                loss, buffers.targets, buffers.scores, n_heads, n_heads, buffers.gradients,
                buffers.losses,
            )  # fmt: skip
            for h in range(n_heads):
                lost += weights[i] * buffers.losses[h]
            weight_sum += weights[i]
    return lost / weight_sum
