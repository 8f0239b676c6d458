"""The update rules, each written once, and what all rules have in common.

A rule is a named tuple of its own parameters; the hyper-parameters that all rules share are
``Settings``. What a rule remembers of a weight is a *record*, a named tuple of numbers that lie
side by side in memory. Three methods make a rule:

* ``start(settings)``: what the rule adds to the record of a weight of zero, a dict (plain Python);
* ``step(record, g, row)``: the record after gradient ``g``, and the step to subtract;
* ``weight(record, row)``: the weight of a record; its field ``weight`` if a rule does not say.

A rule may hold another one in its field ``rule`` (see ``wrappers`` and ``penalty``) and change one
thing about it: whatever it does not define is left to that one. The other methods have an obvious
default, which is the body of the function of that name below: ``moved``, ``settled``, ``local``,
``renewed``, ``factor``, ``advanced``, ``pull``. ``rate`` is needed for a proximal penalty, ``draw``
for records that begin at random, ``check`` refuses parameters that are out of range.

Methods that are given a record work on numbers, on vectors and on arrays alike (see ``lanes``): no
``if`` on what a feature has, but ``where``.

What a rule *declares*, as attributes of its class, is what others need to know of it:

* ``penalty``: how it takes ``alpha``. ``"own"``: it reads ``row.l1`` and ``row.l2``;
  ``"proximal"``: weights are shrunk after each step, by ``Penalised``, which needs ``rate``; None,
  the default: ``alpha`` is refused;
* ``moves_in_steps``: whether weights are the sum of the steps (the default). Only then can steps be
  accumulated or changed;
* ``rests``: whether weights stay as they are while their feature is absent: True (the default),
  False, or ``"plainly"``: without a penalty, and while ``lr`` is constant;
* ``needs_constant_lr``: whether ``lr`` must be above zero and the same in all rows;
* ``remembers_settings``: whether records depend on the settings that they were learnt with, but for
  what ``weight`` is told;
* ``skips_zero_gradient``: whether a gradient of zero changes nothing (the default);
* ``is_lazy``: whether ``settled`` changes anything. The settled records of a row are then kept
  between its score and its update;
* ``takes_share``: whether ``step`` moves weights by ``row.share`` of the gradient only, and tells
  by ``pull`` how far all of it would move them. Rows can then choose the size of their step;
* ``is_proportional``: whether ``advanced`` is ``moved`` by the share of what ``step`` returns with
  all of the gradient.

What wrappers declare besides is in ``wrappers``.
"""

from typing import Any, NamedTuple

import numpy as np

from ..arithmetic.jit import constant, generic, inlined
from ..arithmetic.lanes import clip, root_and, sqrt, where
from ..arithmetic.rounding import add, subtract
from ..arithmetic.tuples import replaced, told_apart


class Settings(NamedTuple):
    """The hyper-parameters that every rule has."""

    lr: float
    eps: float
    lr_decay: float
    initial_accumulator_value: float
    l1: float
    l2: float
    ratio: float  # l1 / l2, or infinity
    by_column: float  # whether columns have scales of their own (see ``steps``), 1 or 0


class RowContext(NamedTuple):
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
    share: Any  # of a gradient, what moves the weights: accumulators see all of it
    noise: Any  # what sums of float32 numbers are rounded with (see ``rounding``), or None


@inlined
def context_at(rule, settings, t):
    """What rules need to know in row ``t``, or after ``t`` rows."""
    row = t if t > 1 else 1
    lr = settings.lr * factor(rule, row) / (1.0 + (row - 1) * settings.lr_decay)
    return RowContext(
        t,
        lr,
        settings.lr,
        settings.lr_decay,
        settings.eps,
        settings.l1,
        settings.l2,
        settings.ratio,
        1.0,
        1.0,
        None,
    )


@inlined
def unpenalised(row):
    """``row`` for an intercept."""
    return replaced(replaced(replaced(row, "l1", 0.0), "l2", 0.0), "decay", 0.0)


def require(name, value, holds, what):
    """Refuse a parameter that is out of range."""
    if not holds:
        raise ValueError(f"{name}={value:g} is out of range: it must be {what}.")


# --- the methods of rules, and what they do where a rule does not say -------------------------


@generic
def local(self, record, row):
    """``row`` with what is particular to this feature."""
    return row


@generic
def settled(self, record, t, row):
    """The record once all rows through ``t`` have passed."""
    return record


@generic
def rate(self, record, lr, row):
    """The learning rate of this weight; of rules whose penalty is proximal."""


@generic
def step(self, record, g, row):
    """The record after the gradient ``g``, and the step to subtract."""


@generic
def pull(self, record, g, row):
    """How far the gradient ``g`` moves the weight if all of it does."""
    _, by = step(self, record, g, row)
    return by


@generic
def moved(self, record, by, row):
    """The record after the step ``by``."""
    return replaced(record, "weight", subtract(record.weight, by, row.noise))


@generic
def renewed(self, record, row):
    """The record once ``row`` is unlike what it was learnt with."""
    return record


@generic
def weight(self, record, row):
    """The weight of a record that is settled through row ``row.t``."""
    return record.weight


@generic
def factor(self, t):
    """What multiplies ``lr`` in row ``t``."""
    return 1.0


@generic
def last_row(self, t):
    """The last row of the batch that begins after ``t`` rows."""
    return t + 1


@generic
def first_of_size(self, size):
    """After how many rows batches have that many rows; infinity if never."""
    return np.inf if size > 1 else 0


@generic(delegated=False)
def advanced(self, record, g, row):
    """The record after the gradient ``g`` and the step that it makes."""
    record, by = step(self, record, g, row)
    return moved(self, record, by, row)


@constant
def skips_zero_gradient(self):
    return True


@constant
def is_lazy(self):
    return False


@constant
def is_proportional(self):
    return False


@constant
def is_batched(self):
    return False


@constant
def is_scale_free(self):
    return False


@constant
def is_importance_aware(self):
    return False


# --- the rules ------------------------------------------------------------------------------


class Adagrad(NamedTuple):
    """Mirror descent: Duchi, Hazan and Singer (2011), section 1.1.

    Parameters
    ----------
    eps_inside : bool, default=False
        Whether ``eps`` is added to the accumulator before its root is taken, as MXNet 1.x,
        downhill, Keras and optax do. By default it is added to the root, as PyTorch does.
    """

    eps_inside: bool = False

    penalty = "proximal"
    takes_share = is_proportional = True

    def start(self, settings):
        return {"weight": 0.0, "accumulator": settings.initial_accumulator_value}

    def rate(self, record, lr, row):
        return lr / root_and(record.accumulator, row.eps, self.eps_inside)

    def step(self, record, g, row):
        record = replaced(record, "accumulator", record.accumulator + g * g)
        return record, rate(self, record, row.lr, row) * (row.share * g)


class DualAveraging(NamedTuple):
    """AdaGrad-RDA: Duchi, Hazan and Singer (2011), equation 3 and section 5.1.

    The weight is a function of the sum ``z`` of its gradients: with ``t`` rows learnt,
    ``-lr * soft(z, t * l1) / (sqrt(accumulator) + eps + lr * t * l2)``, where ``soft`` moves
    its first argument towards zero by the second, and stops there. The penalties of all rows are
    weighed against all gradients at once, so more weights are exactly zero.
    """

    penalty = "own"
    moves_in_steps = False
    takes_share = True
    rests = "plainly"  # lr and the penalties of all rows are in the formula of the weight
    remembers_settings = True  # others would give other weights for the same sums

    def start(self, settings):
        return {"gradient_sum": 0.0, "accumulator": settings.initial_accumulator_value}

    def step(self, record, g, row):
        record = replaced(record, "accumulator", record.accumulator + g * g)
        total = add(record.gradient_sum, row.share * g, row.noise)
        return replaced(record, "gradient_sum", total), g

    def pull(self, record, g, row):
        size = sqrt(record.accumulator + g * g) + row.eps
        return row.lr * g / (size + row.lr * row.t * row.l2)

    def moved(self, record, by, row):
        return record

    def weight(self, record, row):
        z, size = record.gradient_sum, sqrt(record.accumulator) + row.eps
        z = z - clip(z, row.t * row.l1)
        return 0.0 - row.lr * z / (size + row.lr * row.t * row.l2)

    # Let the sum be what gives these weights with the new settings.
    def carried(self, record, before, weights, row):
        size = sqrt(record.accumulator) + row.eps + row.lr * row.t * row.l2
        excess, bound = 0.0 - weights * size / row.lr, row.t * row.l1
        z = where(weights == 0.0, clip(record.gradient_sum, bound), excess)
        z = z + bound * (0.0 + (excess > 0.0) - (excess < 0.0))
        return replaced(record, "gradient_sum", z)


class FTRL(NamedTuple):
    """FTRL-Proximal: McMahan et al. (2013), algorithm 1, "per-coordinate".

    Parameters
    ----------
    beta : float, default=1.0
        Added, as ``eps`` is, to the root of the accumulator: it holds back the first steps of
        every feature. The default is the paper's.
    """

    beta: float = 1.0

    penalty = "own"
    moves_in_steps = False
    takes_share = True
    needs_constant_lr = True  # it is in the sums of all rows so far
    remembers_settings = True

    def check(self):
        require("FTRL.beta", self.beta, 0 <= self.beta < np.inf, "at least 0 and finite")

    def start(self, settings):
        return {"weight": 0.0, "accumulator": settings.initial_accumulator_value, "z": 0.0}

    def step(self, record, g, row):
        accumulator = record.accumulator + g * g
        before, after = sqrt(record.accumulator), sqrt(accumulator)
        kept = (after - before) / row.lr * record.weight
        z = add(record.z, row.share * g - kept, row.noise)
        excess = z - clip(z, row.l1)
        weight = (0.0 - excess) / ((self.beta + row.eps + after) / row.lr + row.l2)
        record = replaced(replaced(record, "accumulator", accumulator), "z", z)
        return replaced(record, "weight", weight), g

    def pull(self, record, g, row):
        size = self.beta + row.eps + sqrt(record.accumulator + g * g)
        return g / (size / row.lr + row.l2)

    def moved(self, record, by, row):
        return record

    # ``z`` was summed with the old settings: let it be what gives this weight with the new ones.
    def renewed(self, record, row):
        size = (self.beta + row.eps + sqrt(record.accumulator)) / row.lr + row.l2
        least = where(record.weight < 0.0, 0.0 - row.l1, row.l1)
        least = where(record.weight == 0.0, 0.0 - clip(record.z, row.l1), least)
        z = 0.0 - record.weight * size - least
        return replaced(record, "z", z)


class Frozen(NamedTuple):
    """Weights that predict and do not learn: nothing else is remembered."""

    def start(self, settings):
        return {"weight": 0.0}

    def step(self, record, g, row):
        raise NotImplementedError


RULES = {"adagrad": Adagrad, "dual_averaging": DualAveraging, "ftrl": FTRL}
told_apart(*RULES.values(), Frozen)
