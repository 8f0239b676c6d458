"""The update rules, each written once.

A rule is a named tuple of its hyper-parameters with four members:

* ``Record``: what is remembered of every weight, itself a named tuple; one record per
  feature lies in one cache line;
* ``start()``: the record of a weight that was never touched;
* ``update(record, g, t)``: the record after the gradient ``g`` of the ``t``-th row;
* ``weight(record, t)``: the weight as it stands after row ``t``.

The last two work on numbers and on vectors alike (see ``lanes``): no ``if``, but ``where``.
"""

from typing import NamedTuple

from ._jit import generic
from .lanes import sqrt


@generic
def update(self, record, g, t):
    """The record after gradient ``g`` in row ``t``."""


@generic
def weight(self, record, t):
    """The weight that ``record`` stands for after row ``t``."""


class AdagradRecord(NamedTuple):
    """A weight and the sum of its squared gradients."""

    weight: float
    accumulator: float


class Adagrad(NamedTuple):
    """Duchi, Hazan, Singer (2011), section 1.1, in the form that torch.optim.Adagrad runs."""

    lr: float
    eps: float
    lr_decay: float
    initial_accumulator_value: float

    Record = AdagradRecord

    def start(self):
        return AdagradRecord(0.0, self.initial_accumulator_value)

    def update(self, record, g, t):
        accumulator = record.accumulator + g * g
        size = sqrt(accumulator) + self.eps
        rate = self.lr / (1.0 + (t - 1) * self.lr_decay)
        return AdagradRecord(record.weight - rate * g / size, accumulator)

    def weight(self, record, t):
        return record.weight


RULES = {"adagrad": Adagrad}
