"""The loop for several heads: models that learn the same rows at the same time.

Fetching the record of a feature costs more than updating it. So the records of all heads lie side
by side, field by field: the weights of all heads, then all their accumulators, and so on. A
vector holds neighbouring heads, and no record has to be transposed. Records need not be asked for
ahead either: while one is fetched, there is enough to do for the others.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from ._jit import compiled, inlined
from .lanes import any_lane, load_lanes, store
from .losses import slopes
from .records import lanes_of, put_lanes
from .rows import (
    BLOCK,
    Verdict,
    fetch_row,
    inspect_block,
    is_sound,
    length_of,
    peak_of,
    span,
)
from .rules import (
    Settings,
    advanced,
    at,
    bare,
    factor,
    local,
    longest,
    rests,
    settled,
    unpenalised,
    weight,
)
from .targets import show

# Heads in a vector, and in the shorter vectors after the last full one. A head that fills up the
# last vector learns nothing.
WIDE, NARROW = np.uintp(8), np.uintp(4)


def padded(n_heads):
    """How many numbers a field has, so that vectors are full."""
    return -(-n_heads // int(NARROW)) * int(NARROW)


def by_head(value, n_heads):
    """A number for each candidate as one for each head; anything else as it is."""
    if np.ndim(value) < 2:
        return value
    value = np.repeat(value, n_heads // value.shape[1], axis=1)
    return np.pad(value, ((0, 0), (0, padded(n_heads) - n_heads)), mode="edge")


class Heads(NamedTuple):
    """All that several heads remember: a ``State`` whose records are seen as plain numbers."""

    fields: np.ndarray  # empty: its dtype names the fields of a record
    cells: np.ndarray
    intercept: np.ndarray
    totals: np.ndarray
    losses: np.ndarray


class Room(NamedTuple):
    """Buffers with a number for each head."""

    sums: np.ndarray  # of the dtype of the rows, as are the steps
    steps: np.ndarray
    scores: np.ndarray  # float64, as are the others
    targets: np.ndarray
    slopes: np.ndarray
    losses: np.ndarray


def settings_of(settings, h, size):
    """The hyper-parameters of the heads from ``h`` on: numbers that all share, or lanes."""
    if np.ndim(settings.lr) == 0:
        return settings
    return Settings(*(field[h : h + size] if np.ndim(field) else field for field in settings))


@overload(settings_of, prefer_literal=True)
def _choose_settings_of(settings, h, size):
    if isinstance(settings.types[0], types.Array):

        def pick(settings, h, size):
            return Settings(
                load_lanes(settings.lr, h, size),
                load_lanes(settings.eps, h, size),
                settings.lr_decay,
                load_lanes(settings.initial_accumulator_value, h, size),
                load_lanes(settings.l1, h, size),
                load_lanes(settings.l2, h, size),
                load_lanes(settings.ratio, h, size),
            )

        return pick
    return lambda settings, h, size: settings


@inlined
def _score(rows, rule, settings, heads, t, i, sums):
    """The scores of row ``i`` by all heads."""
    width = np.uintp(len(sums))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        store(sums, h, _score_vector(rows, rule, settings, heads, t, i, width, h, 8))
    if wide < width:
        store(sums, wide, _score_vector(rows, rule, settings, heads, t, i, width, wide, 4))


@inlined
def _score_vector(rows, rule, settings, heads, t, i, width, h, size):
    """The scores by ``size`` heads from ``h`` on."""
    start, stop = span(rows, i)
    now = at(rule, settings_of(settings, h, size), t)
    here = unpenalised(now)
    record = lanes_of(heads.fields, heads.intercept, h, width, size)
    total = weight(bare(rule), settled(bare(rule), record, t, here), here)
    for k in range(start, stop):
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        record = lanes_of(heads.fields, heads.cells, place, width, size)
        here = local(rule, record, now)
        record = settled(rule, record, t, here)
        total = total + weight(rule, record, here) * rows.values[k]  # += would write to a view
    return total


@inlined
def _update(rows, rule, settings, heads, t, i, fit_intercept, steps):
    """Learn row ``i`` as the row of time ``t``, with the gradients ``steps`` of the scores."""
    width = np.uintp(len(steps))
    wide = width - width % WIDE
    for h in range(np.uintp(0), wide, WIDE):
        _update_vector(rows, rule, settings, heads, t, i, fit_intercept, steps, width, h, 8)
    if wide < width:
        _update_vector(rows, rule, settings, heads, t, i, fit_intercept, steps, width, wide, 4)


@inlined
def _update_vector(rows, rule, settings, heads, t, i, fit_intercept, steps, width, h, size):
    start, stop = span(rows, i)
    slope = load_lanes(steps, h, size)
    if rests(rule) and not any_lane(slope):
        return
    now = at(rule, settings_of(settings, h, size), t)
    if fit_intercept:
        here = unpenalised(now)
        record = lanes_of(heads.fields, heads.intercept, h, width, size)
        record = settled(bare(rule), record, t - 1, here)
        put_lanes(heads.intercept, h, width, advanced(bare(rule), record, slope, here))
    for k in range(start, stop):
        place = np.uintp(rows.indices[k]) * np.uintp(len(heads.intercept)) + h
        record = lanes_of(heads.fields, heads.cells, place, width, size)
        here = local(rule, record, now)
        record = settled(rule, record, t - 1, here)
        record = advanced(rule, record, slope * rows.values[k], here)
        put_lanes(heads.cells, place, width, record)


@inlined
def _all_fit(room, n_heads, largest):
    """Whether all scores and gradients are in range."""
    fit = True
    for h in range(n_heads):
        fit &= abs(room.scores[h]) < np.inf and abs(room.slopes[h]) <= largest
    return fit


@inlined
def _drop(room, heads, largest):
    """Let the heads that are out of range learn no more."""
    for h in range(heads.losses.shape[1]):
        fits = abs(room.scores[h]) < np.inf and abs(room.slopes[h]) <= largest
        if not (fits and heads.losses[0, h] < np.inf):
            room.losses[h] = np.inf
            room.slopes[h] = 0.0


@compiled
def learn_heads(
    rows, order, targets, n_outputs, weights, loss, rule, settings, heads, fit_intercept, limit,
    peak, rows_ahead, room, drops,
):  # fmt: skip
    """Learn ``rows`` in ``order`` with all heads, as ``learn`` does with one.

    With ``drops``, a head whose numbers leave their range learns nothing more, and its losses
    become infinite; without, the row is learnt by no head.
    """
    totals, n_heads = heads.totals[0], heads.losses.shape[1]
    t, mass, epoch_mass = totals["t"], totals["weight"], totals["epoch_weight"]
    done, end, dropped = len(order), len(order) - 1, False
    for h in range(n_heads):
        dropped |= drops and heads.losses[0, h] == np.inf
    for p in range(len(order)):
        i = np.uintp(order[p])
        if weights[i] == 0:
            continue
        _score(rows, rule, settings, heads, t, i, room.sums)
        fetch_row(rows, np.uintp(order[min(p + rows_ahead, end)]))
        show(targets, i, room.targets)
        for h in range(len(room.sums)):
            room.scores[h] = room.sums[h]
        slopes(loss, room.targets, room.scores, n_outputs, n_heads, room.slopes, room.losses)
        for h in range(n_heads):
            room.slopes[h] *= weights[i]
        fit = _all_fit(room, n_heads, limit / peak)
        if not fit:
            largest = limit / peak_of(rows, i)
            fit = _all_fit(room, n_heads, largest)
            dropped |= drops and not fit
        if dropped:
            _drop(room, heads, limit / peak_of(rows, i))
            fit = True
        if not (fit and 0 <= factor(rule, t + 1) < np.inf):
            done = p
            break
        for h in range(n_heads):
            heads.losses[0, h] += weights[i] * room.losses[h]
            heads.losses[1, h] += weights[i] * room.losses[h]
        mass, epoch_mass = mass + weights[i], epoch_mass + weights[i]
        t += 1
        for h in range(n_heads):
            room.steps[h] = room.slopes[h]
        if longest(rule) < np.inf:
            length = length_of(rows, i, fit_intercept)
            for h in range(n_heads):
                steep = length * abs(room.slopes[h])
                room.steps[h] *= longest(rule) / steep if steep > longest(rule) else 1.0
        _update(rows, rule, settings, heads, t, i, fit_intercept, room.steps)
    totals["t"], totals["weight"], totals["epoch_weight"] = t, mass, epoch_mass
    return done


@compiled
def score_heads(rows, bits, n_features, rule, settings, heads, sums, out):
    """Write the scores of every row into ``out``; the rest as ``score`` does with one head."""
    n_rows = len(rows.indptr) - 1
    t = heads.totals[0]["t"]
    verdict = Verdict(is_sound(rows), bits.unsigned, bits.words.dtype.type(0))
    for first in range(0, n_rows, BLOCK):
        last = min(first + BLOCK, n_rows)
        if verdict.ordered:
            verdict = inspect_block(rows, bits, n_features, first, last, verdict)
        if not verdict.ordered:
            break
        for i in range(first, last):
            fetch_row(rows, np.uintp(min(i + BLOCK, n_rows - 1)))
            _score(rows, rule, settings, heads, t, np.uintp(i), sums)
            for h in range(out.shape[1]):
                out[i, h] = sums[h]
    return verdict


@compiled
def mean_loss(loss, targets, n_outputs, scores, weights, room):
    """The weighted mean of the losses of the rows, summed over the heads."""
    lost, mass, n_heads = 0.0, 0.0, scores.shape[1]
    for i in range(len(scores)):
        if weights[i] != 0:
            show(targets, i, room.targets)
            for h in range(n_heads):
                room.scores[h] = scores[i, h]
            slopes(
                loss, room.targets, room.scores, n_outputs, n_heads, room.slopes,
                room.losses,
            )  # fmt: skip
            for h in range(n_heads):
                lost += weights[i] * room.losses[h]
            mass += weights[i]
    return lost / mass
