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
from ...arithmetic.jit import by_type, compiled, emits, inlined, says, shared
from ...arithmetic.lanes import WIDE, Lanes, any_lane, index, sqrt
from ...arithmetic.rounding import noise_at, noise_of
from ...arithmetic.tuples import replaced
from ...formulas.rules import (
    Settings,
    advanced,
    context_at,
    factor,
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
from ...input.targets import show
from .judge import drop_heads, judge_heads
from .mixture import average, mix, tell, weigh
from .records import keep_rolled, lanes_of, put_lanes
from .rows import BLOCK, fetch_row, inspect, max_abs_of, norm_of, span
from .scaling import (
    base_of,
    fetch_scales,
    flags_at,
    learn_scales,
    learn_target,
    norm_for,
    stretched,
    stride,
    value_at,
)
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


def _nothing(rows, learner, heads, steps, here, t, i, numbers, h, size):
    pass


@_if_any
def _score_vector(rows, learner, heads, steps, here, t, i, sums, h, size):
    """Write the scores by ``size`` heads from ``h`` on into ``sums``."""
    (start, stop), width = span(rows, i), np.uintp(len(sums))
    row = context_at(learner.rule, settings_of(learner.settings, h, size), t)
    own = unpenalised(row)
    record = lanes_of(heads.fields, heads.intercept, h, width, size)
    record = settled(learner.intercept_rule, record, t, own)
    total = weight(learner.intercept_rule, record, own)
    flags = flags_at(rows, steps.scaling, h, size)
    for k in range(start, stop):
        keep_rolled()
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        record = lanes_of(heads.fields, heads.cells, place, width, size)
        own = local(learner.rule, record, row)
        record = settled(learner.rule, record, t, own)
        value = value_at(rows, steps.scaling, here, k, flags)
        total = total + weight(learner.rule, record, own) * value  # += would need a view
    store(sums, h, total)


@inlined
def _score(rows, learner, heads, steps, here, t, i, sums):
    """The scores of row ``i`` by all heads, without what they are counted from."""
    width = np.uintp(len(sums))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        _score_vector(rows, learner, heads, steps, here, t, i, sums, h, 8)
    if wide < width:
        _score_vector(rows, learner, heads, steps, here, t, i, sums, wide, 4)


@_if_any
def _pull_vector(rows, learner, heads, steps, here, t, i, buffers, h, size):
    """Write how far all of the gradients would take the scores of ``size`` heads from ``h`` on."""
    (start, stop), width = span(rows, i), np.uintp(len(buffers.steps))
    rule, intercept_rule = learner.rule, learner.intercept_rule
    row = context_at(rule, settings_of(learner.settings, h, size), t)
    before, gradient = noise_of(t - 1, rows.values), load_lanes(buffers.steps, h, size)
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
def _update_vector(rows, learner, heads, steps, here, t, i, buffers, h, size):
    """Learn row ``i`` as the row of time ``t`` with ``size`` heads from ``h`` on."""
    rule, intercept_rule = learner.rule, learner.intercept_rule
    gradient = load_lanes(buffers.steps, h, size)
    if skips_zero_gradient(rule) and not any_lane(gradient):
        return
    (start, stop), width = span(rows, i), np.uintp(len(buffers.steps))
    row = context_at(rule, settings_of(learner.settings, h, size), t)
    row = _shared_lanes(learner, row, buffers, h, size)
    before, noise = noise_of(t - 1, rows.values), noise_of(t, rows.values)
    flags = flags_at(rows, steps.scaling, h, size)
    if learner.fit_intercept:
        own = unpenalised(replaced(row, "noise", noise_at(noise, np.uintp(0))))
        record = lanes_of(heads.fields, heads.intercept, h, width, size)
        record = settled(intercept_rule, record, t - 1, own)
        put_lanes(heads.intercept, h, width, advanced(intercept_rule, record, gradient, own))
    for k in range(start, stop):
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
            record = advanced(rule, record, gradient * value, own)
        put_lanes(heads.cells, place, width, record)


@inlined
def _pull(rows, learner, heads, steps, here, t, i, buffers):
    """How far all of the gradients would take the scores of row ``i``."""
    width = np.uintp(len(buffers.steps))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        _pull_vector(rows, learner, heads, steps, here, t, i, buffers, h, 8)
    if wide < width:
        _pull_vector(rows, learner, heads, steps, here, t, i, buffers, wide, 4)


@inlined
def _update(rows, learner, heads, steps, here, t, i, buffers):
    """Learn row ``i`` as the row of time ``t``, with the gradients and shares in ``buffers``."""
    width = np.uintp(len(buffers.steps))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        _update_vector(rows, learner, heads, steps, here, t, i, buffers, h, 8)
    if wide < width:
        _update_vector(rows, learner, heads, steps, here, t, i, buffers, wide, 4)


def _size_steps(learner, rows, heads, steps, here, t, i, weight, n_outputs, buffers):
    """Let ``buffers`` have the shares of the gradients that move weights."""
    if is_importance_aware(learner.rule):
        _limit_steps(learner, rows, heads, steps, here, t, i, weight, n_outputs, buffers)
    elif is_scale_free(learner.rule):
        _scale_steps(learner, rows, heads, steps, here, t, i, weight, n_outputs, buffers)


@by_type(_size_steps)
def _choose_size_steps(*kinds):
    rule = kinds[0].types[kinds[0].fields.index("rule")]
    if says(rule, "is_importance_aware"):
        return _limit_steps
    return _scale_steps if says(rule, "is_scale_free") else _keep_steps


def _keep_steps(learner, rows, heads, steps, here, t, i, weight, n_outputs, buffers):
    pass


def _scale_steps(learner, rows, heads, steps, here, t, i, weight, n_outputs, buffers):
    for h in range(heads.losses.shape[1]):
        buffers.shares[h] = stride(rows, steps.scaling, h)


def _limit_steps(learner, rows, heads, steps, here, t, i, weight, n_outputs, buffers):
    n_heads, root = heads.losses.shape[1], sqrt(weight)
    for h in range(n_heads):
        buffers.steps[h] = buffers.gradients[h] / root
    _pull(rows, learner, heads, steps, here, t, i, buffers)
    for h in range(n_heads):
        reach = np.float64(buffers.pulls[h]) / np.float64(buffers.steps[h])
        reach *= weight * stride(rows, steps.scaling, h)
        buffers.reaches[h] = reach if reach > 0.0 else 0.0
    drop_heads(
        steps.solver, buffers.targets, buffers.scores, buffers.reaches, n_outputs, n_heads,
        buffers.drops,
    )  # fmt: skip
    for h in range(n_heads):
        most = root * stride(rows, steps.scaling, h)
        share = buffers.drops[h] / np.float64(buffers.pulls[h])
        buffers.shares[h] = share if 0.0 <= share < most else most


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
        buffers.scores[h] = buffers.bases[h] + scores[h]
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
def judge_row(batch, i, loss, losses, limits, buffers, dropped):
    """From the scores of row ``i`` to what its heads are to learn, for all rules alike.

    ``buffers.sums`` are the scores. Adds the losses of the heads to ``losses``, and writes their
    gradients into ``buffers``; unless the row can't be learnt. Returns whether it can, and
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
    return True, dropped


@inlined
def _shorten(rows, learner, steps, here, i, limits, n_heads, buffers):
    """Let the gradients of a row's weights be no longer than allowed."""
    if limits.max_norm < np.inf:
        plain = scaled = norm_of(rows, i, learner.fit_intercept)
        if is_scale_free(learner.rule):
            scaled = norm_of(here, i, learner.fit_intercept)
        for h in range(n_heads):
            norm = norm_for(rows, steps.scaling, h, scaled, plain)
            size = norm * abs(buffers.gradients[h])
            buffers.gradients[h] *= limits.max_norm / size if size > limits.max_norm else 1.0
    for h in range(n_heads):
        buffers.steps[h] = buffers.gradients[h]


def _rescale(rows, learner, heads, steps, here, grows, jumps, t, i, batch, loss, limits, buffers):
    """Let a scale-free rule know of row ``i``, and judge the row by the scales that this makes."""
    if is_scale_free(learner.rule):
        _judge_by_scales(
            rows, learner, heads, steps, here, grows, jumps, t, i, batch, loss, limits, buffers
        )


@by_type(_rescale)
def _choose_rescale(*kinds):
    rule = kinds[1].types[kinds[1].fields.index("rule")]
    return _judge_by_scales if says(rule, "is_scale_free") else _judge_no_more


def _judge_no_more(
    rows, learner, heads, steps, here, grows, jumps, t, i, batch, loss, limits, buffers
):  # fmt: skip
    pass


def _judge_by_scales(
    rows, learner, heads, steps, here, grows, jumps, t, i, batch, loss, limits, buffers
):  # fmt: skip
    n_outputs, n_heads, weight = batch.targets.n_outputs, heads.losses.shape[1], batch.weights[i]
    changed = jumps
    if steps.scaling.has_unit:
        for h in range(n_heads):
            base = learn_target(rows, steps.scaling, h, buffers.targets[h], weight)
            changed |= base != buffers.bases[h]
            buffers.bases[h] = base
    learn_scales(rows, steps.scaling, i, weight, grows, learner.fit_intercept)
    if jumps:
        _score(rows, learner, heads, steps, here, t, i, buffers.sums)
    if changed:
        _judge(loss, buffers, buffers.sums, n_outputs, n_heads, weight)
        largest = limits.gradient / max_abs_of(rows, i)
        for h in range(n_heads):
            fits = abs(buffers.gradients[h]) <= largest
            if not (fits and heads.losses[0, h] < np.inf):
                buffers.gradients[h] = 0.0


@compiled
def learn_heads(batch, loss, learner, steps, mixture, heads, limits, ahead, buffers):
    """Learn the rows of a batch with all heads, as ``learn`` does with one.

    With ``limits.drops``, a head whose numbers leave their range learns nothing more, and its
    losses become infinite; without, the row is learnt by no head.
    """
    rows, order, targets, weights, scores = batch
    rule, totals, before = learner.rule, heads.totals[0], flush()
    t, weight_sum, epoch_weight = totals["t"], totals["weight"], totals["epoch_weight"]
    done, end, n_heads = len(order), len(order) - 1, heads.losses.shape[1]
    dropped = limits.drops and _any_dropped(heads.losses)
    for p in range(len(order)):
        i = np.uintp(order[p])
        if weights[i] == 0:
            continue
        here, learning, grows, jumps = stretched(rows, steps.scaling, i)
        _score(rows, learner, heads, steps, here, t, i, buffers.sums)
        for h in range(n_heads):
            buffers.bases[h] = base_of(rows, steps.scaling, h)
        later = p + ahead.rows
        fetch_row(rows, np.uintp(order[later if later < end else end]))
        if ahead.records > 0:
            later = p + ahead.records
            fetch_scales(rows, steps.scaling, np.uintp(order[later if later < end else end]))
        fit = 0 <= factor(rule, t + 1) < np.inf
        if fit:
            fit, dropped = judge_row(batch, i, loss, heads.losses, limits, buffers, dropped)
        if not fit:
            done = p
            break
        weight_sum, epoch_weight = weight_sum + weights[i], epoch_weight + weights[i]
        mix(mixture, heads.losses, loss, buffers, weights[i])
        weigh(mixture, heads.losses)
        if len(scores) > 0:
            tell(mixture, scores, i, buffers)
        here = learning
        _rescale(
            rows, learner, heads, steps, here, grows, jumps, t, i, batch, loss, limits, buffers
        )
        t += 1
        _shorten(rows, learner, steps, here, i, limits, n_heads, buffers)
        _size_steps(learner, rows, heads, steps, here, t, i, weights[i], targets.n_outputs, buffers)
        _update(rows, learner, heads, steps, here, t, i, buffers)
    totals["t"], totals["weight"], totals["epoch_weight"] = t, weight_sum, epoch_weight
    restore(before)
    return done


@compiled
def score_heads(rows, bits, n_features, learner, steps, mixture, heads, buffers, out):
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
            here, _, _, _ = stretched(rows, steps.scaling, np.uintp(i))
            _score(rows, learner, heads, steps, here, t, np.uintp(i), buffers.sums)
            for h in range(heads.losses.shape[1]):
                buffers.scores[h] = base_of(rows, steps.scaling, h) + buffers.sums[h]
            average(mixture, heads.losses, buffers)
            tell(mixture, out, i, buffers)
    return valid, smallest, largest


@compiled
def add_losses(loss, targets, scores, weights, buffers, out):
    """Add the weighted losses of the rows to ``out``, which has a number for each head."""
    n_heads = scores.shape[1]
    for i in range(len(scores)):
        if weights[i] != 0:
            show(targets, i, buffers.targets)
            for h in range(n_heads):
                buffers.scores[h] = scores[i, h]
            judge_heads(
                loss, buffers.targets, buffers.scores, targets.n_outputs, n_heads,
                buffers.gradients, buffers.losses,
            )  # fmt: skip
            for h in range(n_heads):
                out[h] += weights[i] * buffers.losses[h]
