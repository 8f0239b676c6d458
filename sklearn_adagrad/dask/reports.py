"""Lines of progress."""

import sys
import time

_FIRST = 2**16  # rows until the first line


class Report:
    """A line on standard error whenever the rows have doubled, if it is to be ``verbose``."""

    def __init__(self, verbose, t):
        self._is_on, self._began = bool(verbose), time.perf_counter()
        self._first, self._next = t, t + _FIRST  # ``t`` rows were learnt before

    def __call__(self, model):
        t = model.t_
        if t >= self._next:
            self._next = self._first + 2 * (t - self._first)
            self.end(model)

    def end(self, model):
        if self._is_on and model.__sklearn_is_fitted__():
            rows, seconds = model.t_ - self._first, time.perf_counter() - self._began
            print(
                f"{rows:,} rows, {rows / max(seconds, 1e-9):,.0f} rows/s, progressive loss "
                f"{model.progressive_loss_:.5f}",
                file=sys.stderr,
            )
