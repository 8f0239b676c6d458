"""The update rules, each written once, and what all rules have in common.

A rule is a named tuple of its own knobs; the hyper-parameters that all rules share are
``Settings``. What a rule remembers of a weight is a *record*, a named tuple of numbers that lie
side by side in memory. Some rules hold another rule in their field ``rule`` (see ``wrappers`` and
``penalty``) and change one thing about it: a method that they don't have is that of the rule
within. The methods:

* ``start(settings)``: what the rule adds to the record of a weight of zero, a dict (plain Python);
* ``check()``: ValueError if a knob is out of range (plain Python);
* ``local(record, now)``: ``now`` with what is particular to this feature;
* ``settled(record, t, now)``: the record once all rows through ``t`` have passed;
* ``rate(record, lr, now)``: the learning rate of this weight;
* ``step(record, g, now)``: the record after gradient ``g``, and the step to subtract;
* ``moved(record, step, now)``: the record after that step;
* ``advanced(record, g, now)``: both at once;
* ``renewed(record, now)``: the record once ``now`` is unlike what it was learnt with;
* ``weight(record, now)``: the weight of a record that is settled through row ``now.t``;
* ``factor(t)``: what multiplies ``lr`` in row ``t``;
* ``longest()``: the largest norm that the gradient of a row may have;
* ``bare()``: the rule for an intercept, which has no penalty;
* ``rests()``: whether a gradient of zero changes nothing;
* ``settles()``: whether ``settled`` changes anything. The settled records of a row are then kept
  between its score and its update, and ``resumed(record, kept)`` is ``kept``.

Those that are given a record work on numbers, on vectors and on arrays
alike (see ``lanes``): no ``if`` on what a feature has, but ``where``.
"""

from typing import NamedTuple

import numpy as np

from ._jit import generic, portable
from .lanes import clip, sqrt, where
from .records import replaced


class Settings(NamedTuple):
    """The hyper-parameters that every rule has."""

    lr: float
    eps: float
    lr_decay: float
    initial_accumulator_value: float
    l1: float
    l2: float
    ratio: float  # l1 / l2, or infinity


class Now(NamedTuple):
    """What a rule needs to know besides a record: the settings, and the row."""

    t: int  # this row, counted from 1; when a weight is read, the rows learnt so far
    lr: float  # the rate of this row
    base_lr: float  # that of the first
    lr_decay: float
    eps: float
    l1: float
    l2: float
    ratio: float  # l1 / l2, or infinity
    decay: float  # what multiplies a weight decay


@portable
def at(rule, settings, t):
    """What rules need to know in row ``t``, or after ``t`` rows."""
    row = max(t, 1)
    lr = settings.lr * factor(rule, row) / (1.0 + (row - 1) * settings.lr_decay)
    return Now(
        t,
        lr,
        settings.lr,
        settings.lr_decay,
        settings.eps,
        settings.l1,
        settings.l2,
        settings.ratio,
        1.0,
    )


@portable
def unpenalised(now):
    """``now`` for an intercept."""
    return Now(now.t, now.lr, now.base_lr, now.lr_decay, now.eps, 0.0, 0.0, now.ratio, 0.0)


def require(name, value, holds, what):
    """Refuse a knob that is out of range."""
    if not holds:
        raise ValueError(f"{name}={value:g} is out of range: it must be {what}.")


# --- the methods; here, for rules that hold another one -----------------------------------


@generic
def local(self, record, now):
    return local(self.rule, record, now)


@generic
def settled(self, record, t, now):
    return settled(self.rule, record, t, now)


@generic
def rate(self, record, lr, now):
    return rate(self.rule, record, lr, now)


@generic
def step(self, record, g, now):
    return step(self.rule, record, g, now)


@generic
def moved(self, record, by, now):
    return moved(self.rule, record, by, now)


@generic
def renewed(self, record, now):
    return renewed(self.rule, record, now)


@generic
def weight(self, record, now):
    return weight(self.rule, record, now)


@generic
def factor(self, t):
    return factor(self.rule, t)


@generic
def longest(self):
    return longest(self.rule)


@generic
def rests(self):
    return rests(self.rule)


@generic
def settles(self):
    return settles(self.rule)


@generic
def resumed(self, record, kept):
    return resumed(self.rule, record, kept)


@generic
def bare(self):
    return self


@generic
def advanced(self, record, g, now):
    record, by = step(self, record, g, now)
    return moved(self, record, by, now)


# --- what the innermost rules share ---------------------------------------------------------


def _everywhere_alike(self, record, now):
    return now


def _as_it_is(self, record, now):
    return record


def _constant(self, record, t, now):
    return record


def _stored(self, record, now):
    return record.weight


def _one(self, t):
    return 1.0


def _unlimited(self):
    return np.inf


def _true(self):
    return True


def _false(self):
    return False


def _first(self, record, kept):
    return record


class Adagrad(NamedTuple):
    """Mirror descent: Duchi, Hazan and Singer (2011), section 1.1.

    Parameters
    ----------
    eps_inside : bool, default=False
        Whether ``eps`` is added to the accumulator before its root is taken, as MXNet 1.x,
        downhill, Keras and optax do. By default it is added to the root, as PyTorch does.
    """

    eps_inside: bool = False

    local, settled, renewed, weight = _everywhere_alike, _constant, _as_it_is, _stored
    factor, longest, rests, settles, resumed = _one, _unlimited, _true, _false, _first

    def start(self, settings):
        return {"weight": 0.0, "accumulator": settings.initial_accumulator_value}

    def rate(self, record, lr, now):
        if self.eps_inside:
            return lr / sqrt(record.accumulator + now.eps)
        return lr / (sqrt(record.accumulator) + now.eps)

    def step(self, record, g, now):
        record = replaced(record, "accumulator", record.accumulator + g * g)
        return record, rate(self, record, now.lr, now) * g

    def moved(self, record, by, now):
        return replaced(record, "weight", record.weight - by)


class DualAveraging(NamedTuple):
    """AdaGrad-RDA: Duchi, Hazan and Singer (2011), equation 3 and section 5.1.

    The weight is a function of the sum ``z`` of its gradients: with ``t`` rows learnt,
    ``-lr * soft(z, t * l1) / (sqrt(accumulator) + eps + lr * t * l2)``, where ``soft`` moves
    its first argument towards zero by the second, and stops there. The penalties of all rows are
    weighed against all gradients at once, so more weights are exactly zero.
    """

    local, settled, renewed = _everywhere_alike, _constant, _as_it_is
    factor, longest, rests, settles, resumed = _one, _unlimited, _true, _false, _first

    def start(self, settings):
        return {"gradient_sum": 0.0, "accumulator": settings.initial_accumulator_value}

    def step(self, record, g, now):
        record = replaced(record, "accumulator", record.accumulator + g * g)
        return replaced(record, "gradient_sum", record.gradient_sum + g), g

    def moved(self, record, by, now):
        return record

    def weight(self, record, now):
        z, size = record.gradient_sum, sqrt(record.accumulator) + now.eps
        z = z - clip(z, now.t * now.l1)
        return 0.0 - now.lr * z / (size + now.lr * now.t * now.l2)


class FTRL(NamedTuple):
    """FTRL-Proximal: McMahan et al. (2013), algorithm 1, "per-coordinate".

    Parameters
    ----------
    beta : float, default=1.0
        Added, as ``eps`` is, to the root of the accumulator: it holds back the first steps of
        every feature. The default is the paper's.
    """

    beta: float = 1.0

    local, settled, weight = _everywhere_alike, _constant, _stored
    factor, longest, rests, settles, resumed = _one, _unlimited, _true, _false, _first

    def check(self):
        require("FTRL.beta", self.beta, 0 <= self.beta < np.inf, "at least 0 and finite")

    def start(self, settings):
        return {"weight": 0.0, "accumulator": settings.initial_accumulator_value, "z": 0.0}

    def step(self, record, g, now):
        accumulator = record.accumulator + g * g
        before, after = sqrt(record.accumulator), sqrt(accumulator)
        z = record.z + g - (after - before) / now.lr * record.weight
        excess = z - clip(z, now.l1)
        weight = (0.0 - excess) / ((self.beta + now.eps + after) / now.lr + now.l2)
        record = replaced(replaced(record, "accumulator", accumulator), "z", z)
        return replaced(record, "weight", weight), g

    def renewed(self, record, now):
        size = (self.beta + now.eps + sqrt(record.accumulator)) / now.lr + now.l2
        least = where(record.weight < 0.0, 0.0 - now.l1, now.l1)
        least = where(record.weight == 0.0, 0.0 - clip(record.z, now.l1), least)
        z = 0.0 - record.weight * size - least
        return replaced(record, "z", z)

    def moved(self, record, by, now):
        return record


RULES = {"adagrad": Adagrad, "dual_averaging": DualAveraging, "ftrl": FTRL}
