"""Threads that run one kernel together.

None of them is the thread that calls: an interrupt, which comes to the main thread only, finds
it waiting, and waits with it until the others have come to an end.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait

from numba.core import config

_idle = []  # teams that nobody uses


def allowed(n):
    """How many of ``n`` threads numba's settings allow; joblib has some for its workers."""
    return 1 if config.DISABLE_JIT else min(n, config.NUMBA_NUM_THREADS)


class Team:
    """``n`` threads that stay alive."""

    def __init__(self, n):
        self.n, self._threads = n, ThreadPoolExecutor(n, "sklearn_adagrad")

    def run(self, function):
        """What ``function(who)`` returns in each thread.

        It is called in all threads or, if one cannot begin, in none.
        """
        barrier = threading.Barrier(self.n)

        def begin(who):
            barrier.wait()
            return function(who)

        tasks, interrupt = [], None
        try:
            tasks.extend(self._threads.submit(begin, who) for who in range(self.n))
        except BaseException:
            barrier.abort()
            raise
        while True:
            try:
                wait(tasks)
                break
            except BaseException as error:  # they are at work on what the caller sees
                interrupt = error
        if interrupt is not None:
            raise interrupt
        return [task.result() for task in tasks]


def together(n, function):
    """``Team.run`` by an idle team of ``n``."""
    try:
        team = next(each for each in _idle if each.n == n)
        _idle.remove(team)
    except (StopIteration, ValueError):  # another thread was faster
        team = Team(n)
    try:
        return team.run(function)
    finally:
        _idle.append(team)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads are not forked
