"""Readers beside a learner: what they read is from a moment when nobody learns.

The loops let go of Python's lock, so other threads run while a state changes. A learner changes it
in parts of a few milliseconds. Readers do not wait for one another: they read, and read again
if somebody has learnt meanwhile, between two parts.

Nothing that an interrupt can leave behind makes a reader wrong: at worst it waits for its turn.
"""

import os
import threading
import time
from weakref import WeakSet

_BREATH = 1e-4  # seconds in which a waiting reader takes its turn


class Lock:
    """A lock that copies and forked processes begin anew."""

    def __init__(self):
        self._held = _generation, threading.RLock()

    def __reduce__(self):
        return type(self), ()

    def held(self):
        """What to hold by ``with``: a lock that is not of Python, which no interrupt divides."""
        generation, lock = self._held
        if generation != _generation:  # whoever held it is in the process that was forked
            self._held = _generation, threading.RLock()
            lock = self._held[1]
        return lock


class Guard(Lock):
    """Keeps the readers of a state apart from the one who changes it."""

    def __init__(self):
        super().__init__()
        self._version = 0  # odd while the state changes
        self._waiting = False
        self.twin = None  # the same state in another memory, if an engine keeps it there
        self.is_behind = False  # whether that one has learnt what the arrays do not have

    def change(self, function, *, of_twin=False):
        """Call ``function``, which changes the state, or only its twin, while nobody reads."""
        if self._waiting:
            time.sleep(_BREATH)
        with self.held():
            if not of_twin:
                self.catch_up()
                self.twin = None
            self._version |= 1
            result = function()
            self._version += 1
        return result

    def read(self, function):
        """What ``function`` returns, which reads the state, when nobody changes it."""
        version = self._version
        if not (version & 1 or self.is_behind):
            try:
                result = function()
            except Exception:
                if self._version == version:
                    raise
            else:
                if self._version == version:
                    return result
        self._waiting = True
        with self.held():
            self._waiting = False
            self.catch_up()
            return function()

    def keep(self, twin):
        """Let this be the state's twin."""
        self.twin = twin
        _with_twins.add(self)

    def catch_up(self):
        """Let the arrays have what their twin has; by the one who reads or changes."""
        if self.is_behind:
            self.twin.copy_back()
            self.is_behind = False


_generation = 0
_with_twins = WeakSet()
_of_the_parent = []  # twins whose memory a forked process can neither read nor free


def _before_fork():
    """What is in another memory only would be out of a forked process's reach."""
    for guard in list(_with_twins):
        with guard.held():
            guard.catch_up()


def _forked():
    global _generation
    _generation += 1
    for guard in list(_with_twins):
        _of_the_parent.append(guard.twin)
        guard.twin = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_forked)
