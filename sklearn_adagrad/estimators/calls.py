"""Calls that learn: one after the other, and an account of those that did not come to their end."""

import functools
import threading
from typing import NamedTuple

import numpy as np

from ..model.guard import Lock

# Errors that say by themselves what is wrong; the model is as it was, or they say how far it is.
_CLEAR = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)
NOTHING = "No row of this call was learnt: the model is as it was before."
ALL = "All rows of this call were learnt."


def turn_of(estimator):
    """What one thread at a time holds by ``with`` to let ``estimator`` learn."""
    known = vars(estimator)
    return (known.get("_turn") or known.setdefault("_turn", Lock())).held()


class Pending(NamedTuple):
    """A call that begins when ``t`` rows were learnt."""

    t: int
    y: np.ndarray
    weights: np.ndarray  # as given
    learnt_weights: np.ndarray  # rows of weight zero are not counted by the clock
    counts: dict  # what is known once all rows are learnt

    def done(self, t):
        """How many rows of the call are done when ``t`` rows were learnt."""
        learnt = np.flatnonzero(self.learnt_weights)
        if t - self.t == len(learnt):
            return len(self.weights)
        return int(learnt[t - self.t])

    def account(self, t):
        """The same in words."""
        done, n_rows = self.done(t), len(self.weights)
        if t == self.t:
            return NOTHING
        if done == n_rows:
            return ALL
        return f"The first {done} of {n_rows} rows of this call were learnt."


class _Account(threading.local):
    """How far the call of this thread is: a function that says so, or None."""

    tell = None


ACCOUNT = _Account()


def accounted(method):
    """Let whatever interrupts ``method`` say in a note what the model has learnt."""

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        ACCOUNT.tell = None
        try:
            return method(self, *args, **kwargs)
        except BaseException as error:
            tell = ACCOUNT.tell
            text = NOTHING if tell is None else tell()
            said = isinstance(error, _CLEAR) and (
                text == NOTHING or isinstance(error, ArithmeticError)
            )
            if not said and text not in getattr(error, "__notes__", ()):
                error.add_note(text)
            raise

    return call
