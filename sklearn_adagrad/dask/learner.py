"""What learns on a worker: a copy of the model, and the rows that it was handed.

A learner is an actor of Dask: the client calls its methods directly, which takes a millisecond or
two, where a task takes ten or more. What it knows can be given anew, so one that dies with its
worker takes nothing with it.
"""

import copy
import weakref
from typing import Any, NamedTuple

from .moves import Moment, apply, combined, move_of
from .sums import Sums

_learners = weakref.WeakValueDictionary()  # of this process, by name


class Part(NamedTuple):
    """Rows to be learnt, of a block that the learner was handed."""

    number: int  # what the block was handed as
    first: int
    last: int
    ends: bool  # whether these are its last
    moment: Moment
    name: str


class Failure(NamedTuple):
    """What went wrong with a part, and which it was."""

    place: int
    error: Exception


class Learner:
    """A learner with this ``name``, or one of this process with its ``model``."""

    def __init__(self, name, model=None):
        self._rows, self._model, self._sums = {}, model, None
        _learners[name] = self

    def take(self, number, rows):
        self._rows[number] = rows

    def learn(self, given, parts, n) -> Any:
        """The moves of ``parts``, a dict by their places among ``n``, or a ``Failure``.

        Before, the model becomes what is ``given``, or learns the move and moment that are. None if
        there is no model: the worker was lost, and is there again.
        """
        if self._model is None and not hasattr(given, "partial_fit"):
            return None
        place, moves = min(parts, default=0), {}
        try:
            self._prepare(given)
            for place, part in parts.items():
                moves[0, place] = self._move_of(part)
            for part in parts.values():
                if part.ends:
                    del self._rows[part.number]
            return combined(self._sums, moves, n)
        except Exception as error:
            return Failure(place, error)

    def _prepare(self, given):
        if hasattr(given, "partial_fit"):
            self._model = copy.deepcopy(given)  # what came over a network cannot be written
        elif given is not None:
            apply(self._model, *given)
        n_features = self._model._state.n_features
        if self._sums is None or self._sums.n_features != n_features:
            self._sums = Sums(n_features)

    def _move_of(self, part):
        X, y, weights = self._rows[part.number].part(part.first, part.last)

        def learn(model):
            model.partial_fit(X, y, sample_weight=weights)

        try:
            return move_of(self._model, X, part.moment, learn, self._sums.distinct)
        except (ArithmeticError, ValueError, TypeError) as error:
            error.add_note(f"It was in {part.name}, from its row {part.first} on.")
            raise


def hand_over(name, number, rows):
    """Give a learner of this process a block; how many rows it has, or None without the learner."""
    learner = _learners.get(name)
    if learner is None:
        return None
    learner.take(number, rows)
    return rows.X.shape[0]
