"""One pass over blocks: first alone, then in rounds, each of which is a batch or a part of one."""

import collections
import contextlib
import uuid
from functools import partial

import numpy as np

from ..estimators.base import MOST_ROWS
from ..model.state import adapted_state, own_state, settle
from .moves import Moment, add, moment_of, update_of
from .workers import n_rows_of, piece

ALONE = 2**17  # rows learnt before batches are worth a round
_TRIES = 5  # to have a round learnt by workers that may be lost


@contextlib.contextmanager
def _about(block):
    """Name the block in errors that are raised when it is loaded."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{block.name} was being loaded.")
        raise


class Lane:
    """Every so manieth block: the one that is being learnt, and the next, which is loaded."""

    def __init__(self, workers, blocks):
        self._workers, self._waiting = workers, collections.deque(blocks)
        self._loading = collections.deque()
        self.block = self.rows = None
        self.first = self.n_rows = 0
        self._load(2)

    def _load(self, n):
        while self._waiting and len(self._loading) < n:
            block = self._waiting.popleft()
            with _about(block):
                rows = self._workers.load(block)
            count = self._workers.submit(n_rows_of, rows)
            self._loading.append((block, rows, count))

    def left(self):
        """How many rows of the block at hand are left; 0 if there is none any more."""
        while self.first == self.n_rows and self._loading:
            self.block, self.rows, count = self._loading.popleft()
            with _about(self.block):
                self.first, self.n_rows = 0, self._workers.result(count)
            self._load(1)
        if self.first == self.n_rows:
            self.rows = None
        return self.n_rows - self.first


def learn_pass(model, workers, blocks, n_shards, begin, report):
    """Let ``model`` learn all blocks once, ``n_shards`` of them at a time.

    ``begin`` is for its first call of ``partial_fit``.
    """
    if model.__sklearn_is_fitted__():
        _take_parameters(model, begin)
    lanes = [Lane(workers, blocks[n::n_shards]) for n in range(min(n_shards, len(blocks)))]
    _learn_alone(model, workers, lanes, begin, report)
    run = uuid.uuid4().hex
    try:
        _learn_in_rounds(model, workers, lanes, run, report)
    finally:
        workers.forget(run)


def _learn_in_rounds(model, workers, lanes, run, report):
    number, given = 0, None
    while True:
        lanes = [lane for lane in lanes if lane.left()]
        if not lanes:
            return
        if given is None:
            given = workers.share(model, model._state.n_bytes)
        moment = moment_of(model)
        parts = list(_parts(lanes, moment))
        moves = _moves(model, workers, run, number, given, parts)
        features = add(model, moves, moment)
        for lane, *_, last in parts:
            lane.first = last
        if model._bound.times and (moment.t ^ _t(model)) & MOST_ROWS:
            model._state.guard.change(partial(settle, model._bound, model._state))
            number, given = number + 2, None  # all records are others: nobody has those before
        else:
            update = update_of(model, features)
            number, given = number + 1, workers.share(update, update.records.nbytes)
        report(model)


def _take_parameters(model, begin):
    """Let the records be those of the parameters as they are now, and check how a pass begins.

    Parameters may have changed since the call before. A copy that had to adapt its records to them
    would have others than those that its ``Move`` is taken from.
    """
    columns = (len(model.classes_),) if getattr(model, "_is_multilabel", False) else ()
    known = model._begin_partial_fit(np.zeros((0, *columns)), **begin)
    bound = model._rule(model._dtype)
    state = own_state(adapted_state(model._state, model._bound, bound))
    model._commit(known, _state=state, _bound=bound)


def _learn_alone(model, workers, lanes, begin, report):
    """Learn the first blocks, one after the other, here: batches are small at first."""
    while _t(model) < ALONE:
        lane = next((lane for lane in lanes if lane.left()), None)
        if lane is None:
            return
        rows = workers.result(lane.rows)
        last = min(lane.n_rows, lane.first + ALONE - _t(model))
        X, y, weights = (each[lane.first : last] for each in rows)
        try:
            model.partial_fit(X, y, sample_weight=weights, **begin)
        except (ArithmeticError, ValueError, TypeError) as error:
            error.add_note(f"Row 0 of this message is row {lane.first} of {lane.block.name}.")
            raise
        lane.first = last
        lanes.append(lanes.pop(lanes.index(lane)))
        report(model)


def _t(model):
    return model._state.t if model.__sklearn_is_fitted__() else 0


def _parts(lanes, moment):
    """Of each lane the rows of this round: as many of each, as far as it has them."""
    wanted, t = moment.end - moment.t, moment.t
    for n, lane in enumerate(lanes):
        share = wanted // len(lanes) + (n < wanted % len(lanes))
        last = lane.first + min(share, lane.left())
        if last > lane.first:
            yield lane, Moment(t, moment.start, moment.end), lane.first, last
            t += last - lane.first


def _moves(model, workers, run, number, given, parts, tries=_TRIES):
    """The moves of all parts; workers that have no model for this round are given it."""
    calls = [
        workers.submit(piece, run, number, given, lane.rows, first, last, moment, lane.block.name)
        for lane, moment, first, last in parts
    ]
    moves = list(workers.results(calls))
    missing = [n for n, move in enumerate(moves) if move is None]
    if missing and not tries:
        names = ", ".join(parts[n][0].block.name for n in missing)
        raise RuntimeError(f"Workers were lost with the rows of {names}, or whenever they learnt.")
    if missing:
        whole = workers.share(model, model._state.n_bytes)
        again = _moves(model, workers, run, number, whole, [parts[n] for n in missing], tries - 1)
        for n, move in zip(missing, again, strict=True):
            moves[n] = move
    return moves
