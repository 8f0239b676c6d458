"""Threads that run one kernel together.

None of them is the thread that calls: an interrupt, which comes to the main thread only, finds
it waiting, and it goes on waiting until the others have come to an end.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from numba.core import config

_idle = []  # teams that nobody uses
_MOST_IDLE = 4


def allowed(n):
    """How many of ``n`` threads numba's settings allow; joblib has some for its workers."""
    return 1 if config.DISABLE_JIT else min(n, config.NUMBA_NUM_THREADS)


class Team:
    """Up to ``size`` threads that stay alive."""

    def __init__(self, size):
        self.size, self._threads = size, ThreadPoolExecutor(size, "sklearn_adagrad")

    def run(self, n, function):
        """What ``function(who)`` returns in each of ``n`` threads.

        It is called in all of them or, if one cannot begin, in none.
        """
        work = _Work(n, function)
        try:
            for who in range(n):
                self._threads.submit(work.begin, who)
            work.finished.wait()
        except BaseException:
            if not work.is_called_off():
                work.wait_whatever_comes()
            raise
        if work.errors:
            raise work.errors[0]
        return work.results

    def dismiss(self):
        """Let the threads end."""
        self._threads.shutdown(wait=False)


class _Work:
    """One call of a function in several threads."""

    def __init__(self, n, function):
        self._function, self._left, self._lock = function, n, threading.Lock()
        self._ticket = threading.Lock()  # whoever has it decides whether anybody begins
        self._barrier = threading.Barrier(n, self._take_ticket)
        self.results, self.errors, self.finished = [None] * n, [], threading.Event()

    def _take_ticket(self):
        if not self._ticket.acquire(blocking=False):
            raise threading.BrokenBarrierError

    def is_called_off(self):
        """Whether nobody has begun, and nobody will."""
        if not self._ticket.acquire(blocking=False):
            return False
        self._barrier.abort()
        return True

    def wait_whatever_comes(self):
        """Interrupts are for later: the threads are at work on what the caller sees."""
        while not self.finished.is_set():
            try:
                self.finished.wait()
            except BaseException:
                continue

    def begin(self, who):
        """Call the function as the thread ``who``, once all are there."""
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            return
        try:
            self.results[who] = self._function(who)
        except BaseException as error:
            self.errors.append(error)
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.finished.set()


def together(n, function):
    """``Team.run`` by a team that nobody uses."""
    try:
        team = next(each for each in _idle if each.size >= n)
        _idle.remove(team)
    except (StopIteration, ValueError):  # another thread was faster
        team = Team(n)
    try:
        return team.run(n, function)
    finally:
        _idle.append(team)
        if len(_idle) > _MOST_IDLE:
            _idle.pop(0).dismiss()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads are not forked
