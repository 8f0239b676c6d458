"""The loop of a model with one head: score a row, note its loss, learn it."""

from typing import Any, NamedTuple

import numpy as np

from ...arithmetic.arrays import load, load_lanes, store, zeros
from ...arithmetic.jit import by_type, compiled, inlined, says
from ...arithmetic.lanes import WIDTH, sqrt, total
from ...arithmetic.rounding import noise_at, noise_of, product
from ...arithmetic.tuples import replaced
from ...formulas.rules import (
    advanced,
    context_at,
    is_batched,
    is_importance_aware,
    is_lazy,
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
from .batches import begin, mean_share, noise_to_score, part_of, rows_before
from .judge import dropped, judged
from .records import (
    gather,
    keep_rolled,
    lanes_of,
    n_fields,
    prefetch,
    prefetch_to_read,
    put_lanes,
    read,
    scatter,
    write,
)
from .rows import BLOCK, fetch_row, inspect, max_abs_of, norm_of, span
from .scaling import (
    base_of,
    fetch_scales,
    learn_scales,
    learn_target,
    stretched,
    stride,
)
from .subnormal import flush, restore


class Arrays(NamedTuple):
    """All that a model remembers: ``cells`` and ``intercept`` hold records of its rule."""

    cells: np.ndarray
    intercept: np.ndarray
    totals: np.ndarray
    losses: np.ndarray


class Learner(NamedTuple):
    """What is done to the records of a row's features, and to the intercept's."""

    rule: tuple
    intercept_rule: tuple
    settings: tuple
    fit_intercept: bool


class Limits(NamedTuple):
    """What a row must not exceed."""

    gradient: float  # the largest gradient of a weight that can be learnt
    max_abs: float  # the largest magnitude in the rows
    max_norm: float  # to which the gradient of a row is shortened, or infinity
    drops: bool  # whether heads beyond the limits are left out, or the row is not learnt
    refuses: bool  # whether even so a row is not learnt that no head could learn from the start


class Batch(NamedTuple):
    """Rows to be learnt in ``order``; ``scores`` has room for what each had before, or for none."""

    rows: tuple
    order: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    scores: np.ndarray


class Steps(NamedTuple):
    """What decides on the size of a row's step besides the rule."""

    scaling: tuple  # a ``Scaling``, or ``Unscaled``
    pending: tuple
    solver: tuple  # the ``Judge`` of how far scores fall in small steps, or ``NoJudge``
    kept: np.ndarray  # room for the records of a row, once its accumulators have the gradient
    pulls: np.ndarray  # and for how far that would move its weights


class Ahead(NamedTuple):
    """How many rows ahead memory is asked for entries, and for records (0: not at all)."""

    rows: int
    records: int


class Vector(NamedTuple):
    """A vector of a row's entries."""

    first: int
    stop: Any  # where the row ends, if that is within the vector, else None
    offset: int  # how many entries of the row are before it


@inlined
def row_at(rows, rule, settings, t, number):
    """What rules need to know in row ``t`` as they learn; their noise is that of ``number``."""
    return replaced(context_at(rule, settings, t), "noise", noise_of(number, rows.values))


@inlined
def read_ahead(rows, cells, i):
    """Ask for the records of row ``i``, which others may read too."""
    start, stop = span(rows, i)
    for k in range(start, stop):
        prefetch_to_read(cells, rows.indices[k])


@inlined
def fetch_records(rows, cells, i):
    """Ask for the records of row ``i``."""
    start, stop = span(rows, i)
    for k in range(start, stop):
        prefetch(cells, rows.indices[k])


@inlined
def score_row(rows, learner, state, row, i, settled_records, keep):
    """The score of row ``i``. If ``keep``, its records are left in ``settled_records``."""
    start, stop = span(rows, i)
    rest = stop - (stop - start) % WIDTH
    sums = zeros(rows.values)
    for k in range(start, rest, WIDTH):
        keep_rolled()
        vector = Vector(k, None, k - start)
        sums += _products(rows, learner.rule, state.cells, row, vector, settled_records, keep)
    if rest < stop:
        last = Vector(rest, stop, rest - start)
        sums += _products(rows, learner.rule, state.cells, row, last, settled_records, keep)
    noise = noise_to_score(learner.rule, noise_at(row.noise, np.uintp(0)))
    here = unpenalised(replaced(row, "noise", noise))
    record = settled(learner.intercept_rule, read(state.intercept, 0), here.t, here)
    return np.float64(total(sums)) + np.float64(weight(learner.intercept_rule, record, here))


@inlined
def _products(rows, rule, cells, row, vector, settled_records, keep):
    """Weights times values."""
    record = gather(cells, rows.indices, vector.first, vector.stop)
    here = local(rule, record, row)
    record = settled(rule, record, here.t, here)
    if keep:
        put_lanes(settled_records, vector.offset * n_fields(cells), WIDTH, record)
    return weight(rule, record, here) * load(rows.values, vector.first, vector.stop)


@inlined
def _learn_vector(rows, rule, steps, cells, row, vector, gradient, settled_records):
    """Learn a vector of entries of a row whose score has this gradient."""
    place = vector.offset * n_fields(cells)
    if is_importance_aware(rule) and is_proportional(rule):
        record, by = (
            lanes_of(cells, steps.kept, place, WIDTH, 4),
            load_lanes(steps.pulls, vector.offset, 4),
        )
        record = moved(rule, record, row.share * by, local(rule, record, row))
    else:
        if is_lazy(rule):
            record = lanes_of(cells, settled_records, place, WIDTH, 4)
        else:
            record = gather(cells, rows.indices, vector.first, vector.stop)
        here, x = local(rule, record, row), load(rows.values, vector.first, vector.stop)
        g = product(gradient, x) if is_batched(rule) else gradient * x
        record = advanced(rule, record, g, here)
    scatter(cells, rows.indices, vector.first, vector.stop, record)


@inlined
def learn_intercept(rule, intercept, row, gradient):
    noise = noise_at(row.noise, np.uintp(0))
    here = unpenalised(replaced(row, "noise", noise))
    record = settled(rule, read(intercept, 0), here.t - 1, here)
    write(intercept, 0, advanced(rule, record, gradient, local(rule, record, here)))


def _sized(rows, learner, steps, state, row, i, y, score, gradient, weight, settled_records):
    """The gradient of row ``i`` for accumulators, and ``row`` with its share for weights."""
    if is_importance_aware(learner.rule):
        return _limited(
            rows, learner, steps, state, row, i, y, score, gradient, weight, settled_records
        )
    if is_scale_free(learner.rule):
        return _scaled(
            rows, learner, steps, state, row, i, y, score, gradient, weight, settled_records
        )
    return _whole(rows, learner, steps, state, row, i, y, score, gradient, weight, settled_records)


@by_type(_sized)
def _choose_sized(*kinds):
    rule = kinds[1].types[kinds[1].fields.index("rule")]
    if says(rule, "is_importance_aware"):
        return _limited
    return _scaled if says(rule, "is_scale_free") else _whole


def _whole(rows, learner, steps, state, row, i, y, score, gradient, weight, settled_records):
    return rows.values.dtype.type(gradient), row


def _scaled(rows, learner, steps, state, row, i, y, score, gradient, weight, settled_records):
    share = mean_share(learner.rule, steps.pending, 0, stride(rows, steps.scaling, 0), gradient)
    share = rows.values.dtype.type(share)
    return rows.values.dtype.type(gradient), replaced(row, "share", share)


def _limited(rows, learner, steps, state, row, i, y, score, gradient, weight, settled_records):
    root, length = sqrt(weight), stride(rows, steps.scaling, 0)
    gradient = rows.values.dtype.type(gradient / root)
    fall = _fall(rows, learner, steps, state, row, i, gradient, settled_records)
    reach = weight * length * (fall / np.float64(gradient))
    most = length * root
    share = dropped(steps.solver, y, score, reach if reach > 0.0 else 0.0) / fall
    share = share if 0.0 <= share < most else most
    share = mean_share(learner.rule, steps.pending, 0, share, gradient)
    return gradient, replaced(row, "share", rows.values.dtype.type(share))


@inlined
def _fall(rows, learner, steps, state, row, i, gradient, settled_records):
    """By how much the score of row ``i`` falls if all of the gradient moves the weights."""
    start, stop = span(rows, i)
    rest = stop - (stop - start) % WIDTH
    sums = zeros(rows.values)
    for k in range(start, rest, WIDTH):
        keep_rolled()
        vector = Vector(k, None, k - start)
        sums += _pulls(rows, learner.rule, steps, state.cells, row, vector, gradient,
                       settled_records)  # fmt: skip
    if rest < stop:
        last = Vector(rest, stop, rest - start)
        sums += _pulls(rows, learner.rule, steps, state.cells, row, last, gradient,
                       settled_records)  # fmt: skip
    fall = np.float64(total(sums))
    if learner.fit_intercept:
        here = unpenalised(replaced(row, "noise", noise_at(row.noise, np.uintp(0))))
        record = settled(learner.intercept_rule, read(state.intercept, 0), here.t - 1, here)
        here = local(learner.intercept_rule, record, here)
        fall += np.float64(pull(learner.intercept_rule, record, gradient, here))
    return fall


@inlined
def _pulls(rows, rule, steps, cells, row, vector, gradient, settled_records):
    """How far weights would be moved, times values."""
    if is_lazy(rule):
        record = lanes_of(cells, settled_records, vector.offset * n_fields(cells), WIDTH, 4)
    else:
        record = gather(cells, rows.indices, vector.first, vector.stop)
    x, here = load(rows.values, vector.first, vector.stop), local(rule, record, row)
    if is_proportional(rule):
        record, by = step(rule, record, gradient * x, here)
        put_lanes(steps.kept, vector.offset * n_fields(cells), WIDTH, record)
        store(steps.pulls, vector.offset, by)
        return x * by
    return x * pull(rule, record, gradient * x, here)


@compiled
def learn(batch, loss, learner, steps, state, limits, ahead, settled_records):
    """Learn the rows of a batch; a row of weight zero is passed over as if it were not there.

    Each row is scored and its loss added to the totals *before* it is learnt. While its
    gradient is worked out, later rows and their records are fetched: the processor would
    otherwise wait for one after the other. ``settled_records`` has room for those of the longest
    row.

    Returns how many positions of ``order`` were done: fewer than all if a row's score or rate is
    not finite or one of its gradients is beyond the limit, in which case that row was not learnt.
    """
    rows, order, y, weights, scores = batch
    scaling = steps.scaling
    rule, totals, before = learner.rule, state.totals[0], flush()
    t, weight_sum, epoch_weight = totals["t"], totals["weight"], totals["epoch_weight"]
    losses, epoch_losses = state.losses[0, 0], state.losses[1, 0]
    done, end = len(order), len(order) - 1
    row = row_at(rows, rule, learner.settings, t, t)
    for p in range(len(order)):
        i = np.uintp(order[p])
        if weights[i] == 0:
            continue
        start = rows_before(rule, steps.pending, t)
        if is_batched(rule):
            row = row_at(rows, rule, learner.settings, start, t)
        most = part_of(rule, start, limits.gradient)
        here, grows = stretched(rows, scaling, i)
        base = base_of(rows, scaling, 0)
        score = base + score_row(here, learner, state, row, i, settled_records, is_lazy(rule))
        gradient, lost = judged(loss, y[i], score)
        gradient, lost = weights[i] * gradient, weights[i] * lost
        later = p + ahead.rows
        fetch_row(rows, np.uintp(order[later if later < end else end]))
        if ahead.records > 0:
            later = p + ahead.records
            fetch_records(rows, state.cells, np.uintp(order[later if later < end else end]))
            fetch_scales(rows, scaling, np.uintp(order[later if later < end else end]))
        size = abs(gradient)
        row = row_at(rows, rule, learner.settings, row.t + 1, t + 1)
        fits = size * limits.max_abs <= most
        fits = fits or size * max_abs_of(here, i) <= most
        if not (fits and abs(score) < np.inf and 0 <= row.lr < np.inf):
            done = p
            break
        losses, epoch_losses = losses + lost, epoch_losses + lost
        weight_sum, epoch_weight = weight_sum + weights[i], epoch_weight + weights[i]
        begin(rule, steps.pending, t)
        t += 1
        if len(scores) > 0:
            scores[i] = score
        if is_scale_free(rule):
            moved_base = learn_target(rows, scaling, 0, y[i], weights[i]) - base
            learn_scales(rows, scaling, i, weights[i], grows, learner.fit_intercept)
            if moved_base != 0.0:
                score += moved_base
                gradient = weights[i] * judged(loss, y[i], score)[0]
                size = abs(gradient)
                if not size * max_abs_of(here, i) <= most:
                    gradient = 0.0
        if gradient == 0 and skips_zero_gradient(rule):
            continue
        if limits.max_norm < np.inf:
            norm = size * norm_of(here, i, learner.fit_intercept)
            gradient *= limits.max_norm / norm if norm > limits.max_norm else 1.0
        gradient, sized = _sized(
            here, learner, steps, state, row, i, y[i], score, gradient, weights[i],
            settled_records,
        )  # fmt: skip
        if learner.fit_intercept:
            learn_intercept(learner.intercept_rule, state.intercept, sized, gradient)
        start, stop = span(rows, i)
        rest = stop - (stop - start) % WIDTH
        for k in range(start, rest, WIDTH):
            keep_rolled()
            vector = Vector(k, None, k - start)
            _learn_vector(here, rule, steps, state.cells, sized, vector, gradient, settled_records)
        if rest < stop:
            last = Vector(rest, stop, rest - start)
            _learn_vector(here, rule, steps, state.cells, sized, last, gradient, settled_records)
    totals["t"], totals["weight"], totals["epoch_weight"] = t, weight_sum, epoch_weight
    state.losses[0, 0], state.losses[1, 0] = losses, epoch_losses
    restore(before)
    return done


@compiled
def score(rows, bits, n_features, learner, scaling, state, ahead, out, part):
    """Write the scores of a part of the rows into ``out``; return what ``inspect`` would of them.

    Rows are scored right after their inspection. If they are not valid, or not finite,
    ``out`` is of no use. No settled records are kept: any array will do.
    """
    n_rows = len(rows.indptr) - 1
    row = context_at(learner.rule, learner.settings, state.totals[0]["t"])
    valid, smallest, largest = True, bits.unsigned, bits.words.dtype.type(0)
    for first in range(part.first, part.stop, BLOCK):
        last = first + BLOCK if first + BLOCK < part.stop else part.stop
        valid, low, high = inspect(rows, bits, n_features, first, last)
        smallest = low if low < smallest else smallest
        largest = high if high > largest else largest
        if not valid:
            break
        for i in range(first, last):
            later = i + BLOCK
            fetch_row(rows, np.uintp(later if later < n_rows else n_rows - 1))
            if ahead.records > 0:
                later = i + ahead.records
                read_ahead(rows, state.cells, np.uintp(later if later < n_rows else n_rows - 1))
            here, _ = stretched(rows, scaling, np.uintp(i))
            score = score_row(here, learner, state, row, np.uintp(i), rows.values, False)
            out[i] = base_of(rows, scaling, 0) + score
    return valid, smallest, largest
