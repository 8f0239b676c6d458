"""The loop for several heads: models that learn the same rows at the same time."""

import numpy as np

from ...arithmetic.jit import by_type, compiled, inlined, says, shared
from ...arithmetic.tuples import replaced
from ...formulas.rules import factor, is_scale_free
from ...input.targets import show
from .batches import Clock, begin, part_of, rows_before
from .head_steps import shorten, size_steps
from .head_vectors import score_row, update_row
from .judge import judge_heads
from .mixture import average, leave, mix, tell, weigh
from .rows import BLOCK, fetch_row, inspect, max_abs_of
from .scaling import base_of, fetch_scales, learn_scales, learn_target, stretched
from .subnormal import flush, restore


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
def any_dropped(losses):
    dropped = 0
    for h in range(losses.shape[1]):
        dropped += losses[0, h] == np.inf
    return dropped > 0


@shared
def judge_row(batch, i, loss, losses, limits, buffers, dropped):
    """From the scores of row ``i`` to what its heads are to learn, for all rules alike.

    ``buffers.sums`` are the scores. Writes the losses and gradients of the heads into ``buffers``;
    the losses so far say which were left out before. Returns whether the row can be learnt, and
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
    return True, dropped


def _rescale(rows, learner, heads, steps, grows, i, batch, loss, limits, buffers):
    """Let a scale-free rule know of row ``i``, and judge the row from what its target makes."""
    if is_scale_free(learner.rule):
        _judge_anew(rows, learner, heads, steps, grows, i, batch, loss, limits, buffers)


@by_type(_rescale)
def _choose_rescale(*kinds):
    rule = kinds[1].types[kinds[1].fields.index("rule")]
    return _judge_anew if says(rule, "is_scale_free") else _judge_no_more


def _judge_no_more(rows, learner, heads, steps, grows, i, batch, loss, limits, buffers):
    pass


def _judge_anew(rows, learner, heads, steps, grows, i, batch, loss, limits, buffers):
    n_outputs, n_heads, weight = batch.targets.n_outputs, heads.losses.shape[1], batch.weights[i]
    changed = False
    if steps.scaling.has_unit:
        for h in range(n_heads):
            base = learn_target(rows, steps.scaling, h, buffers.targets[h], weight)
            changed |= base != buffers.bases[h]
            buffers.bases[h] = base
    learn_scales(rows, steps.scaling, i, weight, grows, learner.fit_intercept)
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
    losses become infinite; without, or if no learner of a mean is left, the row is learnt by none.
    """
    rows, order, targets, weights, scores = batch
    rule, totals, before = learner.rule, heads.totals[0], flush()
    t, weight_sum, epoch_weight = totals["t"], totals["weight"], totals["epoch_weight"]
    done, end, n_heads = len(order), len(order) - 1, heads.losses.shape[1]
    dropped, limit = limits.drops and any_dropped(heads.losses), limits.gradient
    for p in range(len(order)):
        i = np.uintp(order[p])
        if weights[i] == 0:
            continue
        start = rows_before(rule, steps.pending, t)
        limits = replaced(limits, "gradient", part_of(rule, start, limit))
        here, grows = stretched(rows, steps.scaling, i)
        score_row(rows, learner, heads, steps, here, Clock(start, t), i, buffers.sums)
        for h in range(n_heads):
            buffers.bases[h] = base_of(rows, steps.scaling, h)
        later = p + ahead.rows
        fetch_row(rows, np.uintp(order[later if later < end else end]))
        if ahead.records > 0:
            later = p + ahead.records
            fetch_scales(rows, steps.scaling, np.uintp(order[later if later < end else end]))
        fit = 0 <= factor(rule, start + 1) < np.inf
        if fit:
            fit, dropped = judge_row(batch, i, loss, heads.losses, limits, buffers, dropped)
        if fit and dropped:
            fit = leave(mixture, buffers)
        if not fit:
            done = p
            break
        mix(mixture, heads.losses, loss, buffers, weights[i], weight_sum, rows, steps.scaling)
        for h in range(n_heads):
            heads.losses[0, h] += weights[i] * buffers.losses[h]
            heads.losses[1, h] += weights[i] * buffers.losses[h]
        weight_sum, epoch_weight = weight_sum + weights[i], epoch_weight + weights[i]
        weigh(mixture, heads.losses)
        if len(scores) > 0:
            tell(mixture, scores, i, buffers)
        begin(rule, steps.pending, t)
        _rescale(rows, learner, heads, steps, grows, i, batch, loss, limits, buffers)
        t += 1
        shorten(rows, learner, steps, here, i, limits, n_heads, buffers)
        now = Clock(start + 1, t)
        size_steps(
            learner, rows, heads, steps, here, now, i, weights[i], targets.n_outputs, buffers
        )
        update_row(rows, learner, heads, steps, here, now, i, buffers)
    totals["t"], totals["weight"], totals["epoch_weight"] = t, weight_sum, epoch_weight
    restore(before)
    return done


@compiled
def score_heads(rows, bits, n_features, learner, steps, mixture, heads, buffers, out, part):
    """Write the scores of a part of the rows into ``out``, as ``score`` does with one head."""
    n_rows = len(rows.indptr) - 1
    t = heads.totals[0]["t"]
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
            here, _ = stretched(rows, steps.scaling, np.uintp(i))
            score_row(rows, learner, heads, steps, here, Clock(t, t), np.uintp(i), buffers.sums)
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
