"""One pass over blocks: first alone, then in rounds, each of which is a batch or a part of one."""

import collections
import contextlib
from functools import partial

import numpy as np

from ..estimators.base import MOST_ROWS
from ..model.state import adapted_state, own_state, settle
from .learner import Failure, Part
from .moves import Moment, apply, combined, moment_of
from .sums import Sums
from .workers import TRIES, Lost, Round

ALONE = 2**17  # rows learnt before batches are worth a round
LEAST = 2**12  # rows of a batch that are worth a block of their own
_ANEW = "A worker was there again, but without what its learner had."


@contextlib.contextmanager
def _about(block):
    """Name the block in errors that are raised when it is loaded."""
    try:
        yield
    except Exception as error:
        error.add_note(f"{block.name} was being loaded.")
        raise


@contextlib.contextmanager
def _noted(seat, kinds):
    """Remember that a seat is lost if one of these errors is raised."""
    try:
        yield
    except kinds as loss:
        seat.loss = loss


class Lane:
    """Every so manieth block: the one that is being learnt, and the next, which is loaded."""

    def __init__(self, workers, blocks, number, n, n_done=0, first=0):
        self._workers, self._number = workers, number
        self._waiting = collections.deque(blocks[number::n][n_done:])
        self._loading, self._n_done, self._begin = collections.deque(), n_done - 1, first
        self.block = self.seat = self._handed = None
        self.first = self.n_rows = 0
        self._load(2)

    @property
    def place(self):
        """Which lane this is, the blocks of it that are done, and the rows of the next."""
        if self.block is None:
            return self._number, self._n_done + 1, self._begin
        return self._number, self._n_done, self.first

    def _load(self, n):
        while self._waiting and len(self._loading) < n:
            block = self._waiting.popleft()
            self._loading.append((block, *self._handed_over(block)))

    def _handed_over(self, block):
        seat = self._workers.seat(self._number)
        with _about(block):
            return seat, seat.load(block)

    def left(self):
        """How many rows of the block at hand are left; 0 if there is none any more."""
        while self.first == self.n_rows and self._loading:
            self.block, self.seat, self._handed = self._loading.popleft()
            self.n_rows = self._there()
            if self._begin > self.n_rows:
                raise ValueError(
                    f"{self.block.name} has {self.n_rows} rows, but {self._begin} of it were "
                    "learnt when the checkpoint was written: resume with the same rows, or begin "
                    "with another file."
                )
            self.first, self._begin = self._begin, 0
            self._n_done += 1
            self._load(1)
        if self.first == self.n_rows:
            self._handed = None
        return self.n_rows - self.first

    def _there(self, tries=TRIES):
        """How many rows the block at hand has, once a learner has it."""
        if not self.seat.loss:
            with _noted(self.seat, Lost), _about(self.block):
                count = self._handed.n_rows.result()
                if count is None:
                    raise Lost(_ANEW)
                return count
        if not tries:
            raise RuntimeError(
                f"Workers were lost whenever they loaded {self.block.name}."
            ) from self.seat.loss
        self.seat, self._handed = self._handed_over(self.block)
        return self._there(tries - 1)

    def rows(self):
        """The rows of the block at hand."""
        while True:
            with _noted(self.seat, Lost), _about(self.block):
                return self._handed.rows.result()
            self._there()

    def part(self, moment, last):
        """What a learner is to know of the rows until ``last``."""
        if self.seat.loss:
            self._there()
        ends = last == self.n_rows
        return Part(self._handed.number, self.first, last, ends, moment, self.block.name)


def learn_pass(model, workers, blocks, n_shards, begin, report, places=None):
    """Let ``model`` learn all blocks once, ``n_shards`` of them at a time.

    ``begin`` is for its first call of ``partial_fit``. ``report(places)`` is called after each
    round; a pass that is given such ``places`` goes on from there.
    """
    if model.__sklearn_is_fitted__():
        _take_parameters(model, begin)
    n = min(n_shards, len(blocks))
    places = [(k,) for k in range(n)] if places is None else places
    lanes = [Lane(workers, blocks, place[0], n, *place[1:]) for place in places]
    _learn_alone(model, lanes, begin, report)
    _learn_in_rounds(model, lanes, report)


def _learn_in_rounds(model, lanes, report):
    number, news, sums = 0, None, None
    while True:
        lanes = [lane for lane in lanes if lane.left()]
        if not lanes:
            return
        sums = sums or Sums(model._state.n_features)
        moment = moment_of(model)
        n = min(len(lanes), max(1, (moment.end - moment.t) // LEAST))
        plan = list(_plan(lanes[:n], moment))
        seats = [lane.seat for lane in lanes if not lane.seat.loss]
        move = _move(Round(number, model, news), plan, seats, sums)
        apply(model, move, moment)
        for lane, _, last in plan:
            lane.first = last
        lanes = lanes[n:] + lanes[:n]
        number, news = number + 1, (move, moment)
        if model._bound.times and (moment.t ^ _t(model)) & MOST_ROWS:
            model._state.guard.change(partial(settle, model._bound, model._state))
            news = None  # all records are others
        report([lane.place for lane in lanes])


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


def _learn_alone(model, lanes, begin, report):
    """Learn the first blocks, one after the other, here: batches are small at first."""
    while _t(model) < ALONE:
        lane = next((lane for lane in lanes if lane.left()), None)
        if lane is None:
            return
        last = min(lane.n_rows, lane.first + ALONE - _t(model))
        X, y, weights = lane.rows().part(lane.first, last)
        try:
            model.partial_fit(X, y, sample_weight=weights, **begin)
        except (ArithmeticError, ValueError, TypeError) as error:
            error.add_note(f"It was in {lane.block.name}, from its row {lane.first} on.")
            raise
        lane.first = last
        lanes.append(lanes.pop(lanes.index(lane)))
        report([lane.place for lane in lanes])


def _t(model):
    return model._state.t if model.__sklearn_is_fitted__() else 0


def _plan(lanes, moment):
    """Of each lane the rows of this round: as many of each, as far as it has them."""
    wanted, t = moment.end - moment.t, moment.t
    for n, lane in enumerate(lanes):
        share = wanted // len(lanes) + (n < wanted % len(lanes))
        last = lane.first + min(share, lane.left())
        if last > lane.first:
            yield lane, Moment(t, moment.start, moment.end), last
            t += last - lane.first


def _move(round_, plan, seats, sums):
    """The move of all parts, whoever learns them; learners on ``seats`` have the news at least."""
    moves, missing = {}, range(len(plan))
    for _ in range(TRIES):
        found = list(_learnt(round_, plan, missing, seats))
        seats = ()
        failures = [each for each in found if isinstance(each, Failure)]
        if failures:
            raise min(failures).error
        for each in found:
            moves.update(each)
        missing = [n for n in missing if plan[n][0].seat.loss]
        if not missing:
            return combined(sums, moves, len(plan))[_root(len(plan))]
    names = ", ".join(plan[n][0].block.name for n in missing)
    loss = plan[missing[0]][0].seat.loss
    raise RuntimeError(f"Workers were lost whenever they learnt rows of {names}.") from loss


def _learnt(round_, plan, places, seats):
    """What each learner finds; those that are lost are noted, and find nothing."""
    parts = {seat: {} for seat in seats}
    for n in places:
        lane, moment, last = plan[n]
        part = lane.part(moment, last)
        parts.setdefault(lane.seat, {})[n] = part
    calls = []
    for seat, own in parts.items():  # whatever is raised is Dask's: learners return their errors
        with _noted(seat, Exception):
            calls.append((seat, seat.learn(round_, own, len(plan))))
    for seat, call in calls:
        with _noted(seat, Exception):
            found = call.result()
            if found is None:
                raise Lost(_ANEW)
            yield found


def _root(n):
    return ((n - 1).bit_length(), 0)
