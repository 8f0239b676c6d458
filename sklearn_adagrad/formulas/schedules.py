"""The wrapper that changes ``lr`` from row to row, and the functions that it takes."""

from typing import NamedTuple

import numpy as np

from ..arithmetic.tuples import told_apart
from .rules import factor, require


class Scheduled(NamedTuple):
    """``lr`` is multiplied by a function of the row's number.

    Parameters
    ----------
    rule : rule
        The rule to wrap.
    schedule : schedule
        A named tuple with a method ``factor(t)``, ``t`` counting rows from 1: one of this module,
        or of your own making.
    """

    rule: tuple
    schedule: tuple

    changes_lr = True
    keeps_penalty_closed = False

    def factor(self, t):
        return factor(self.rule, t) * factor(self.schedule, t)


class InverseScaling(NamedTuple):
    """``t ** -power_t``, as SGDClassifier's ``learning_rate="invscaling"``.

    Parameters
    ----------
    power_t : float, default=0.5
        The exponent.
    """

    power_t: float = 0.5

    def check(self):
        power = self.power_t
        require("InverseScaling.power_t", power, 0 <= power < np.inf, "at least 0 and finite")

    def factor(self, t):
        return float(t) ** -self.power_t


class Warmup(NamedTuple):
    """Rises from 0 to 1 in a straight line, and stays there.

    Parameters
    ----------
    rows : float, default=1000
        When 1 is reached.
    """

    rows: float = 1000.0

    def check(self):
        require("Warmup.rows", self.rows, 0 < self.rows < np.inf, "more than 0 and finite")

    def factor(self, t):
        return min(1.0, t / self.rows)


told_apart(Scheduled, InverseScaling, Warmup)
