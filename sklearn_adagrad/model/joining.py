"""Models that learnt different rows from the same start become one, coordinate by coordinate.

A coordinate that learns comes closer to where its rows want it. What is left of the way is
``exp(-a)``, where ``a`` is in proportion to ``sqrt(s) - sqrt(s0)``: steps are in proportion to
``1 / sqrt(s)``, and what an accumulator gains is to the curvature. So a part that moved a weight
by ``dw`` wanted it to move by ``dw / (1 - exp(-a))``. What all parts want is the mean of that,
weighted by what their accumulators gained; one machine with all rows would have gone
``1 - exp(-A)`` of that way, where ``A`` is that of the sum of the gains. ``reach`` is ``A`` of the
coordinate that went furthest. With a small one moves are added, with a large one averaged.
"""

import math
from typing import NamedTuple

import numpy as np

from ..formulas.rules import renewed
from .adaptation import up_to_date
from .state import copy_state, record_of_cells, settle
from .untouched import differing

_AN_AGE = 2**31  # rows: after so many, times of 32 bits must be brought up to date


class Part(NamedTuple):
    """What is in a state and not in its start: of every table the places, and records there."""

    places: dict
    records: dict
    totals: np.ndarray
    losses: np.ndarray

    @property
    def t(self):
        return int(self.totals["t"][0])


def part_of(start, state):
    """The ``Part`` of ``state``, or None if what it has is less than in ``start``."""
    places = {
        name: np.flatnonzero(differing(table, start.tables[name]))
        for name, table in state.tables.items()
    }
    records = {name: state.tables[name][where] for name, where in places.items()}
    shrank = any(
        (records[name]["accumulator"] < start.tables[name]["accumulator"][where]).any()
        for name, where in places.items()
    )
    if shrank or state.t < start.t:
        return None
    return Part(places, records, state.totals.copy(), state.losses.copy())


class Moves(NamedTuple):
    """The records of a table that some part changed, in arrays of shape (part, place, head)."""

    places: np.ndarray
    cells: list  # of each part, those of all places
    touched: np.ndarray  # which parts learnt the coordinate
    start: np.ndarray  # accumulators, without the axis of parts
    gained: np.ndarray  # by accumulators
    begun: np.ndarray  # weights as ``_free`` has them, without the axis of parts
    ended: np.ndarray


def moves_of(bound, start, parts):
    """The ``Moves`` of every table, by its name."""
    return {name: _moves(bound, start, parts, name) for name in start.tables}


def _moves(bound, start, parts, name):
    table = start.tables[name]
    changed = np.zeros(len(table), bool)
    for part in parts:
        changed[part.places[name]] = True
    places = np.flatnonzero(changed)
    cells, differs = [], np.zeros((len(parts), len(places)), bool)
    for n, part in enumerate(parts):
        where = np.searchsorted(places, part.places[name])
        cells.append(table[places])
        cells[n][where] = part.records[name]
        differs[n, where] = True
    before = table["accumulator"][places].astype(np.float64)
    gained = np.stack([own["accumulator"] - before for own in cells])
    # An accumulator may be too large for a gradient to count: then whoever changed anything.
    differs = differs.reshape(*differs.shape, *[1] * (gained.ndim - 2))
    touched = (gained > 0.0) | (~(gained > 0.0).any(axis=0) & differs)
    begun = _free(bound, table[places], start.t, name)
    ended = [_free(bound, own, part.t, name) for own, part in zip(cells, parts, strict=True)]
    return Moves(places, cells, touched, before, gained, begun, np.stack(ended))


def _free(bound, cells, t, table):
    """The weights after ``t`` rows; of rules that sum gradients, as if there were no penalty."""
    record, _ = up_to_date(bound, record_of_cells(cells), t, table == "intercept")
    field = _sum_of(bound)
    if field is None:
        return record.weight.astype(np.float64)
    return getattr(record, field) / -_size(bound, record.accumulator.astype(np.float64))


def _sum_of(bound):
    """The field with the sum of gradients that weights are worked out from, if there is one."""
    return next((name for name in ("z", "gradient_sum") if name in bound.start), None)


def _size(bound, accumulator):
    """What such a sum is divided by."""
    beta = getattr(bound.base, "beta", 0.0)
    return (beta + bound.settings.eps + np.sqrt(accumulator)) / bound.settings.lr


def joined(bound, start, parts, moves, reach):
    """The state of all parts at once; without a ``reach`` that with the means of the parts."""
    new, t = copy_state(start), start.t + sum(part.t - start.t for part in parts)
    for name in ("weight", "epoch_weight"):
        new.totals[name] = added(start.totals[name], [part.totals[name] for part in parts])
    new.totals["t"], new.losses[:] = t, added(start.losses, [part.losses for part in parts])
    learnt = np.array([part.t - start.t for part in parts])
    furthest = np.max(
        [_distance(each.start, each.gained.sum(axis=0)).max(axis=0, initial=0.0)
         for each in moves.values()], axis=0,
    )  # fmt: skip
    for name, each in moves.items():
        scale = None if reach is None else reach / np.where(furthest > 0.0, furthest, 1.0)
        several = each.touched.sum(axis=0) > 1
        records = _of_the_only_one(new.tables[name][each.places], each, ~several)
        made = _made(bound, records, each, scale, t, name == "intercept")
        if "since" in made:  # the penalties of rows of parts that did not have it are due
            made["since"] -= np.tensordot(learnt, ~each.touched, axes=1).astype(made["since"].dtype)
        for field, values in made.items():
            np.copyto(records[field], values, where=several, casting="same_kind")
        new.tables[name][each.places] = records
    if t // _AN_AGE != start.t // _AN_AGE:
        settle(bound, new)
    return new


def added(start, ends):
    """``start`` and all that came to it, rounded once: the order of ``ends`` does not matter."""
    terms = np.stack([*ends, *[-start] * (len(ends) - 1)]).reshape(2 * len(ends) - 1, -1)
    sums = [math.fsum(column) for column in terms.T]
    return np.array(sums).reshape(np.shape(start))[()]


def _distance(start, gained):
    """``sqrt(start + gained) - sqrt(start)``, without what cancels."""
    size = np.sqrt(start + gained) + np.sqrt(start)
    return np.divide(gained, size, out=np.zeros_like(gained), where=size > 0.0)


def _of_the_only_one(records, moves, alone):
    """``records`` as the only part left them that learnt them, to the last bit."""
    for cells, touched in zip(moves.cells, moves.touched, strict=True):
        for field in records.dtype.names:
            np.copyto(records[field], cells[field], where=touched & alone)
    return records


def _made(bound, records, moves, scale, t, is_intercept):
    """The fields of records that several parts have learnt, as if all of them were."""
    accumulator, weights = _averaged(moves) if scale is None else _added_up(moves, scale)
    made, field = {"accumulator": accumulator, "weight": weights}, _sum_of(bound)
    lazy = "since" in records.dtype.names and not is_intercept
    if lazy:
        made["since"] = np.full(weights.shape, t, np.uint64).astype(records.dtype["since"].base)
    _, row = up_to_date(bound, record_of_cells(records), t, is_intercept)
    if field is not None:
        size = _size(bound, accumulator)
        made[field] = total = 0.0 - weights * size
        made["weight"] = (np.clip(total, -row.l1, row.l1) - total) / (size + row.l2)
    made = {name: values.astype(records.dtype[name].base) for name, values in made.items()
            if name in records.dtype.names}  # fmt: skip
    if lazy:
        record = record_of_cells(records)._replace(**made)
        made["share"] = renewed(bound.rule, record, row).share
    return made


def _added_up(moves, scale):
    """Accumulators and weights as one machine would have them after the rows of all parts."""
    least = np.maximum(np.spacing(moves.start), np.finfo(np.float64).tiny)
    gained = np.where(moves.touched, np.maximum(moves.gained, least), 0.0)
    total = gained.sum(axis=0)
    shares = gained / np.where(total > 0.0, total, 1.0)
    gone = -np.expm1(-scale * _distance(moves.start, gained))
    all_gone = -np.expm1(-scale * _distance(moves.start, total))
    shares *= np.divide(all_gone, gone, out=np.zeros_like(gone), where=gone > 0.0)
    way = shares * (moves.ended - moves.begun)
    return moves.start + moves.gained.sum(axis=0), moves.begun + way.sum(axis=0)


def _averaged(moves):
    """The means of those parts that learnt the coordinate."""
    n = np.maximum(moves.touched.sum(axis=0), 1)
    way = np.where(moves.touched, moves.ended - moves.begun, 0.0)
    return moves.start + moves.gained.sum(axis=0) / n, moves.begun + way.sum(axis=0) / n
