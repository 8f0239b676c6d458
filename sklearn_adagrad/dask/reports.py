"""Lines of progress."""

import sys
import time

_FIRST = 2**16  # rows until the first line


class Report:
    """A line on standard error whenever the rows have doubled, if it is to be ``verbose``."""

    def __init__(self, verbose):
        self._is_on, self._began, self._next = bool(verbose), time.perf_counter(), None

    def __call__(self, model):
        t = model.t_
        if self._next is None:
            self._next, self._first = t + _FIRST, t
        if t >= self._next:
            self._next = self._first + 2 * (t - self._first)
            self.end(model)

    def end(self, model):
        if self._is_on:
            rows, seconds = model.t_ - (self._first or 0), time.perf_counter() - self._began
            print(
                f"{rows:,} rows, {rows / max(seconds, 1e-9):,.0f} rows/s, progressive loss "
                f"{model.progressive_loss_:.5f}",
                file=sys.stderr,
            )
