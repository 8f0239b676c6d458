"""The kernels. What happens to one record is done by the functions that the processor's loops use.

Two of them learn. ``learn_row_by_row`` is for many heads: heads are dealt to blocks of threads,
which never meet, and the threads of a block share the entries of a row. ``learn_in_batches`` is for
rules that sum gradients over batches: within one, all rows are scored side by side, and then
all features are learnt side by side; all threads meet in between. Sums of gradients are exact
(see ``exact``), so whoever comes first makes no difference.
"""

import numpy as np
from numba import cuda

from ...arithmetic.exact import LIMBS, limbs_of, number_of, scale_of
from ...arithmetic.jit import inlined
from ...arithmetic.rounding import noise_at, noise_of
from ...arithmetic.tuples import replaced
from ...formulas.rules import (
    advanced,
    context_at,
    factor,
    local,
    settled,
    skips_zero_gradient,
    unpenalised,
)
from ..cpu.batches import Clock
from ..cpu.head_vectors import Part, score_vector, settings_of, update_vector
from ..cpu.records import lanes_of, put_lanes
from ..cpu.rows import max_abs_of, norm_of, span
from .task import LOSSES, WARP, Buffers, judge


@inlined
def _judge_row(loss, task, fit_intercept, limits, limit, work, begun, place, r, block, first):
    """From scores to steps, in row ``r`` of ``work``, which is at this place of the order.

    What stops a row from being learnt is noted in ``work``: for the block or, if heads are left
    out instead, for the head. Heads that were left out before the place ``begun`` learn nothing.
    """
    i, size = np.uintp(task.order[place]), task.n_judged
    scores, gradients, losses = work.sums[r], work.gradients[r], work.losses[r]
    judge(loss, task.targets, i, scores, first, size, gradients, losses)
    weight, largest = task.weights[i], limit / max_abs_of(task.rows, i)
    fit = True
    for h in range(first, first + size):
        left = work.leaves[h] < begun
        fits = abs(np.float64(scores[h])) < np.inf and abs(weight * gradients[h]) <= largest
        fit = fit and (fits or left)
    if not fit and limits.drops and limits.refuses:
        judge(loss, task.targets, i, work.zeros, first, size, gradients, losses)
        for h in range(first, first + size):
            if not abs(weight * gradients[h]) <= largest:  # not for a model of zeros either
                cuda.atomic.min(work.stops, block, place)
        judge(loss, task.targets, i, scores, first, size, gradients, losses)
    if not fit and not limits.drops:
        cuda.atomic.min(work.stops, block, place)
    norm = 0.0
    if limits.max_norm < np.inf:
        norm = norm_of(task.rows, i, fit_intercept)
    for h in range(first, first + size):
        if task.wants_scores:
            task.scores[i, h] = scores[h]
        g = weight * gradients[h]
        fits = abs(np.float64(scores[h])) < np.inf and abs(g) <= largest
        left = work.leaves[h] < begun
        if not fits and limits.drops and not left:
            cuda.atomic.min(work.leaves, h, place)
        if left or not fits:
            g = 0.0
        gradients[h] = g
        if norm * abs(g) > limits.max_norm:
            g *= limits.max_norm / (norm * abs(g))
        work.steps[r, h] = g
        losses[h] *= weight


# --- many heads, row by row -------------------------------------------------------------------


def learn_row_by_row(task, loss, learner, heads, steps, limits, limit, work, by_block, t):
    """Learn rows with all heads, ``by_block`` of them in each block of threads.

    A block stops before a row that it cannot learn. Others do not know of it: the caller begins
    anew, with the rows before.
    """
    lane, warp, n_warps = cuda.threadIdx.x, cuda.threadIdx.y, cuda.blockDim.y
    block = cuda.blockIdx.x
    first = block * by_block
    stop = first + by_block if first + by_block < task.n_heads else task.n_heads
    who, n = warp * WARP + lane, n_warps * WARP
    rows = task.rows
    for p in range(len(task.order)):
        i = np.uintp(task.order[p])
        begin, end = span(rows, i)
        length, share, shares = end - begin, np.uintp(warp), np.uintp(n_warps)
        mine = begin + share * length // shares
        others = begin + (share + np.uintp(1)) * length // shares
        part = Part(mine, others, warp == 0)
        for h in range(first + lane, stop, WARP):
            clock, sums = Clock(t, t), work.sums[1 + warp]
            score_vector(rows, learner, heads, steps, rows, clock, i, sums, part, np.uintp(h), 1)
        cuda.syncthreads()
        for h in range(first + who, stop, n):
            total = 0.0
            for w in range(1, n_warps + 1):
                total += np.float64(work.sums[w, h])
            work.sums[0, h] = total
        cuda.syncthreads()
        size = task.n_judged
        for h in range(first + who * size, stop, n * size):
            _judge_row(loss, task, learner.fit_intercept, limits, limit, work, p, p, 0, block, h)
        if who == 0 and not 0 <= factor(learner.rule, t + 1) < np.inf:
            cuda.atomic.min(work.stops, block, p)
        cuda.syncthreads()
        if work.stops[block] <= p:
            break
        for h in range(first + who, stop, n):
            if work.leaves[h] <= p:
                heads.losses[0, h] = heads.losses[1, h] = np.inf
            else:
                heads.losses[0, h] += work.losses[0, h]
                heads.losses[1, h] += work.losses[0, h]
        t += 1
        part = Part(mine, others, learner.fit_intercept and warp == 0)
        for h in range(first + lane, stop, WARP):
            now, own = Clock(t, t), Buffers(work.steps[0], work.shares)
            update_vector(rows, learner, heads, steps, rows, now, i, own, part, np.uintp(h), 1)
        cuda.syncthreads()


# --- any number of heads, in batches ----------------------------------------------------------


@inlined
def _add(limbs, place, number, scale):
    high, middle, low = limbs_of(number, scale)
    cuda.atomic.add(limbs, place, high)
    if middle != 0:
        cuda.atomic.add(limbs, place + 1, middle)
    if low != 0:
        cuda.atomic.add(limbs, place + 2, low)


@inlined
def _gather(task, learner, limits, work, sums, r, h, place):
    """Add the gradients of one row and head to the sums."""
    i, g, clipped = np.uintp(task.order[place]), work.steps[r, h], limits.max_value
    if (g == 0.0 and skips_zero_gradient(learner.rule)) or sums.largest[h] == 0.0:
        return
    scale, n_heads = scale_of(sums.largest[h]), task.n_heads
    start, stop = span(task.rows, i)
    for k in range(start, stop):
        one = np.float64(g) * np.float64(task.rows.values[k])
        one = clipped if one > clipped else (-clipped if one < -clipped else one)
        feature = np.int64(task.rows.indices[k])
        _add(sums.limbs, (feature * n_heads + h) * LIMBS, one, scale)
    if learner.fit_intercept:
        one = np.float64(g)
        one = clipped if one > clipped else (-clipped if one < -clipped else one)
        _add(sums.limbs, (len(sums.marks) * n_heads + h) * LIMBS, one, scale)


@inlined
def _mark(task, sums, place, piece):
    """Note which features the row at this place has."""
    start, stop = span(task.rows, np.uintp(task.order[place]))
    for k in range(start, stop):
        j = np.int64(task.rows.indices[k])
        if cuda.atomic.exch(sums.marks, j, piece) != piece:
            sums.touched[cuda.atomic.add(sums.n_touched, 0, 1)] = j


@inlined
def _taken(sums, feature, n_heads, h):
    """The sum of a feature's gradients, of which nothing remains."""
    place = (feature * n_heads + h) * LIMBS
    high, middle, low = sums.limbs[place], sums.limbs[place + 1], sums.limbs[place + 2]
    sums.limbs[place] = sums.limbs[place + 1] = sums.limbs[place + 2] = 0
    if high == 0 and middle == 0 and low == 0:
        return 0.0
    return number_of(high, middle, low, scale_of(sums.largest[h]))


@inlined
def _learn_feature(task, learner, heads, start, sums, feature, h, width):
    """Learn the sum of the gradients of one feature and head."""
    rule, lane = learner.rule, np.uintp(h)
    total = _taken(sums, feature, task.n_heads, h)
    if total == 0.0 and skips_zero_gradient(rule):
        return
    row = context_at(rule, settings_of(learner.settings, lane, 1), start + 1)
    noise = noise_at(noise_of(start, task.rows.values), np.uintp(0))
    place = np.uintp(feature) * np.uintp(len(heads.intercept)) + lane
    record = lanes_of(heads.fields, heads.cells, place, width, 1)
    own = replaced(local(rule, record, row), "noise", noise)
    record = settled(rule, record, start, own)
    g = 0.0 * record.sum + task.rows.values.dtype.type(total)
    put_lanes(heads.cells, place, width, advanced(rule, record, g, own))


@inlined
def _learn_intercept(task, learner, heads, start, sums, h, width):
    """Learn that of the intercept."""
    rule, lane = learner.intercept_rule, np.uintp(h)
    total = _taken(sums, len(sums.marks), task.n_heads, h)
    if total == 0.0 and skips_zero_gradient(learner.rule):
        return
    row = unpenalised(context_at(rule, settings_of(learner.settings, lane, 1), start + 1))
    noise = noise_at(noise_of(start, task.rows.values), np.uintp(0))
    own = replaced(row, "noise", noise)
    record = lanes_of(heads.fields, heads.intercept, lane, width, 1)
    record = settled(rule, record, start, own)
    g = 0.0 * record.sum + task.rows.values.dtype.type(total)
    put_lanes(heads.intercept, lane, width, advanced(rule, record, g, own))


def learn_in_batches(task, loss, learner, heads, steps, limits, work, pieces, sums):
    """Learn the rows of all pieces, one piece after the other, with all threads that there are."""
    grid, who, n = cuda.cg.this_grid(), cuda.grid(1), cuda.gridsize(1)
    rows, n_heads, size = task.rows, task.n_heads, task.n_judged
    width = np.uintp(work.sums.shape[1])
    for piece in range(len(pieces.starts)):
        first, last = pieces.begins[piece], pieces.begins[piece + 1]
        start, limit, n_rows = pieces.starts[piece], pieces.limits[piece], last - first
        if who == 0:
            sums.n_touched[0] = 0
        for h in range(who, n_heads, n):
            sums.largest[h] = 0.0
        for item in range(who, n_rows * n_heads, n):
            r, h, i = item // n_heads, item % n_heads, np.uintp(task.order[first + item // n_heads])
            begin, end = span(rows, i)
            score_vector(
                rows, learner, heads, steps, rows, Clock(start, start), i, work.sums[r],
                Part(begin, end, True), np.uintp(h), 1,
            )  # fmt: skip
        grid.sync()
        for item in range(who, n_rows * (n_heads // size), n):
            r, h = item // (n_heads // size), item % (n_heads // size) * size
            _judge_row(
                loss, task, learner.fit_intercept, limits, limit, work, first, first + r, r, 0, h
            )
            longest = max_abs_of(rows, np.uintp(task.order[first + r]))
            for each in range(h, h + size):
                most = abs(np.float64(work.steps[r, each])) * longest
                most = most if most < limits.max_value else limits.max_value
                cuda.atomic.max(sums.largest, each, most)
        grid.sync()
        stop = work.stops[0] if work.stops[0] < last else last
        for item in range(who, (stop - first) * n_heads, n):
            r, h = item // n_heads, item % n_heads
            if h == 0:
                _mark(task, sums, first + r, sums.first + piece + 1)
            if first + r < work.leaves[h]:
                _gather(task, learner, limits, work, sums, r, h, first + r)
        groups = (stop - first + LOSSES - 1) // LOSSES
        for item in range(who, groups * n_heads, n):
            group, h = item // n_heads, item % n_heads
            total, end = 0.0, (group + 1) * LOSSES
            for r in range(group * LOSSES, end if end < stop - first else stop - first):
                total += work.losses[r, h]
            sums.losses[group, h] = total
        grid.sync()
        for item in range(who, sums.n_touched[0] * n_heads, n):
            feature, h = sums.touched[item // n_heads], item % n_heads
            _learn_feature(task, learner, heads, start, sums, feature, h, width)
        for h in range(who, n_heads, n):
            if stop > first and learner.fit_intercept:
                _learn_intercept(task, learner, heads, start, sums, h, width)
            total = 0.0
            for group in range(groups):
                total += sums.losses[group, h]
            total = np.inf if work.leaves[h] < stop else total
            heads.losses[0, h] += total
            heads.losses[1, h] += total
        grid.sync()
        if stop < last:
            break


# --- scores -----------------------------------------------------------------------------------


def score_rows(rows, learner, heads, steps, t, sums, n_heads):
    """The scores of all rows, with a row of ``sums`` for each."""
    for item in range(cuda.grid(1), len(sums) * n_heads, cuda.gridsize(1)):
        r, h = item // n_heads, np.uintp(item % n_heads)
        begin, end = span(rows, np.uintp(r))
        score_vector(
            rows, learner, heads, steps, rows, Clock(t, t), np.uintp(r), sums[r],
            Part(begin, end, True), h, 1,
        )  # fmt: skip


# --- rows that lie on the GPU -----------------------------------------------------------------


def inspect_rows(rows, bits, n_features, found):
    """What a ``Verdict`` holds, of rows whose ``indptr`` is sound."""
    is_valid, smallest, largest = np.int64(1), np.int64(bits.unsigned), np.int64(0)
    for i in range(cuda.grid(1), len(rows.indptr) - 1, cuda.gridsize(1)):
        start, stop = span(rows, np.uintp(i))
        last = np.int64(-1)
        for k in range(start, stop):
            index = np.int64(rows.indices[k])
            is_valid = is_valid if last < index < n_features else np.int64(0)
            last, magnitude = index, np.int64(bits.words[k] & bits.unsigned)
            smallest = magnitude if magnitude < smallest else smallest
            largest = magnitude if magnitude > largest else largest
    cuda.atomic.min(found, 0, is_valid)
    cuda.atomic.min(found, 1, smallest)
    cuda.atomic.max(found, 2, largest)


def take_rows(rows, chosen, out):
    """Copy the ``chosen`` rows into ``out``, whose ``indptr`` is that of them."""
    for r in range(cuda.grid(1), len(chosen), cuda.gridsize(1)):
        start, stop = span(rows, np.uintp(chosen[r]))
        own = np.uintp(out.indptr[r])
        for k in range(start, stop):
            out.indices[own + k - start] = rows.indices[k]
            out.values[own + k - start] = rows.values[k]
