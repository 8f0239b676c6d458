"""Rules that hold another rule and change one thing about it.

Besides what rules declare (see ``rules``), wrappers may declare with which rules they make sense:

* ``needs_steps``: the rule within must move weights in steps;
* ``needs_weight``: its records must have the field ``weight``;
* ``needs_rest``: its weights must rest while their feature is absent;
* ``per_feature``: parameters that may be arrays with a number for each feature;
* ``is_outermost``: no other wrapper may be around it;
* ``keeps_penalty_closed``: False if the proximal penalties of a feature's absence have no closed
  form with it;
* ``changes_lr``: True if ``lr`` is another in every row;
* ``changes_gradient``, ``needs_plain_gradient``: the second must not be within the first;
* ``needs_share``: the base rule must take a share of a gradient (``takes_share``);
* ``for_features_only``: True if the intercept is learnt without it;
* ``each_row``: True if within a batch it is about the gradient of each row, not about their sum;
* ``reading``: the rule that reads the weights to predict with, where it is another one;
* ``given``: fields of the record that hold what the user gives for each feature, by the name that
  the user knows; ``derived``: fields that follow from the settings; ``times``: those that are
  times;
* ``check_change(other, t)``: ValueError if it cannot take the place of ``other`` after ``t`` rows,
  where None stands for no such wrapper; ``carried(record, before, weights, row)``: the record once
  it has taken the place of ``before``, when the weights were ``weights``.

These may be properties, where they depend on the wrapper's parameters.
"""

import types
from typing import NamedTuple

import numpy as np

from ..arithmetic.elementary import expm1
from ..arithmetic.lanes import clip, where
from ..arithmetic.rounding import add, subtract
from ..arithmetic.times import elapsed, following, stamp
from ..arithmetic.tuples import replaced, told_apart
from .rules import advanced, local, pull, require, step, weight


class Clipped(NamedTuple):
    """Gradients are clipped before ``rule`` sees them.

    Parameters
    ----------
    rule : rule
        The rule to wrap.
    value : float, default=inf
        Each entry of a gradient is kept within ``-value`` and ``value``.
    norm : float, default=inf
        A row's gradient (the intercept's included) is shortened to this Euclidean norm, before
        its entries are clipped.
    """

    rule: tuple
    value: float = np.inf
    norm: float = np.inf

    def check(self):
        require("Clipped.value", self.value, self.value > 0, "more than 0")
        require("Clipped.norm", self.norm, self.norm > 0, "more than 0")

    each_row = True

    @property
    def changes_gradient(self):
        return self.value < np.inf

    @property
    def needs_plain_gradient(self):  # the norm is that of the gradient of a row as it is
        return self.norm < np.inf

    @property
    def max_norm(self):
        return self.norm

    def step(self, record, g, row):
        return step(self.rule, record, clip(g, self.value), row)

    def pull(self, record, g, row):
        return pull(self.rule, record, clip(g, self.value), row)


class WeightDecay(NamedTuple):
    """The weights of a row's features are drawn towards zero when the row is learnt.

    Unlike ``alpha``, which acts on every weight in every row.

    Parameters
    ----------
    rule : rule
        The rule to wrap.
    weight_decay : float, default=0.01
        Its strength, at most 1e6.
    decoupled : bool, default=False
        By default ``weight_decay * w`` is added to the gradient and hence enters the accumulator,
        as in PyTorch. Decoupled, ``lr * weight_decay * w`` is subtracted beside the step, as in
        MXNet 1.x and Keras.
    """

    rule: tuple
    weight_decay: float = 0.01
    decoupled: bool = False

    skips_zero_gradient = False
    is_proportional = False
    needs_weight = True

    @property
    def needs_steps(self):
        return self.decoupled

    @property
    def changes_gradient(self):
        return not self.decoupled

    @property
    def each_row(self):
        return not self.decoupled

    def check(self):
        decay = self.weight_decay
        require("WeightDecay.weight_decay", decay, 0 <= decay <= 1e6, "in [0, 1e6]")

    def step(self, record, g, row):
        # Either way is an addition of zero to the other.
        coupled = 0.0 if self.decoupled else self.weight_decay
        decayed = coupled * row.decay * record.weight
        beside = (self.weight_decay - coupled) * row.decay * row.lr * record.weight
        record, by = step(self.rule, record, g + decayed, row)
        return record, by + beside

    def pull(self, record, g, row):
        coupled = 0.0 if self.decoupled else self.weight_decay
        return pull(self.rule, record, g + coupled * row.decay * record.weight, row)


class Momentum(NamedTuple):
    """Steps are accumulated in a velocity, which goes on moving weights whose features are absent.

    In every row, with ``u`` the step of ``rule`` (0 where the feature is absent),
    ``v <- momentum * v + u`` and ``w <- w - v``; with ``nesterov``,
    ``w <- w - (u + momentum * v)``. That is Sutskever et al. (2013), section 2, in PyTorch's form,
    after the scaling by Adagrad's rates, as in downhill. The absence of a feature is made
    up for by the closed form of a geometric series.

    Parameters
    ----------
    rule : rule
        The rule to wrap.
    momentum : float, default=0.9
        How much of the velocity a row leaves, in [0, 1).
    nesterov : bool, default=False
        Whether the next row's share of the velocity is added beforehand.
    """

    rule: tuple
    momentum: float = 0.9
    nesterov: bool = False

    is_lazy = True
    is_proportional = False
    needs_steps = True
    rests = False
    keeps_penalty_closed = False
    times = derived = ("since",)

    # ``since``: the last row that the weight has seen.
    def start(self, settings):
        return {"velocity": 0.0, "since": 0}

    def check(self):
        require("Momentum.momentum", self.momentum, 0 <= self.momentum < 1, "in [0, 1)")
        if self.nesterov:
            require(
                "Momentum.momentum", self.momentum, self.momentum > 0, "more than 0 with nesterov"
            )

    def settled(self, record, t, row):
        rows, velocity = elapsed(t, record.since), record.velocity
        lost = 0.0 - expm1(rows * np.log(max(self.momentum, 1e-30)))
        far = self.momentum / (1.0 - self.momentum)
        if self.nesterov:
            far *= self.momentum
        record = replaced(
            record, "weight", subtract(record.weight, far * lost * velocity, row.noise)
        )
        record = replaced(record, "velocity", velocity - lost * velocity)
        return replaced(record, "since", stamp(t, record.since))

    def step(self, record, g, row):
        record, by = step(self.rule, record, g, row)
        velocity = self.momentum * record.velocity + by
        record = replaced(replaced(record, "velocity", velocity), "since", following(record.since))
        if self.nesterov:
            return record, by + self.momentum * velocity
        return record, velocity


class Averaged(NamedTuple):
    """Predictions are made with the mean of the weights over all rows (Polyak and Juditsky, 1992).

    Learning goes on from the last weights, as it does without. It must be the outermost rule.

    Parameters
    ----------
    rule : rule
        The rule to wrap. Its weights must not change while a feature is absent.
    first_row : int, default=1
        The first row of the mean.
    """

    rule: tuple
    first_row: float = 1.0

    is_outermost = True
    is_proportional = False
    needs_rest = True
    keeps_penalty_closed = False

    remembers_settings = True

    @property
    def reading(self):
        return Mean(self)

    def check(self):
        first = self.first_row
        require("Averaged.first_row", first, 1 <= first < np.inf, "at least 1 and finite")

    # The sum of the changes of the weight, each times the rows of the mean that did not have it:
    # the mean is the weight less this over the number of rows.
    def start(self, settings):
        return {"missed": 0.0}

    def advanced(self, record, g, row):
        before = weight(self.rule, record, row)
        record = advanced(self.rule, record, g, row)
        change = weight(self.rule, record, row) - before
        rows = row.t - self.first_row
        rows = where(rows > 0.0, rows, 0.0 * rows)
        return replaced(record, "missed", add(record.missed, rows * change, row.noise))

    def check_change(self, other, t):
        if other is None:
            raise ValueError(
                "rule cannot begin or cease to be Averaged once rows were learnt: begin anew."
            )
        if other.first_row != self.first_row <= t:
            raise ValueError(
                f"Averaged.first_row cannot change to {self.first_row:g} after {t} rows: it must "
                "be a later row, or as it was."
            )

    # Weights that follow from the settings may change with them: let the mean be as it was.
    def carried(self, record, before, weights, row):
        missed = record.missed if before.first_row == self.first_row else 0.0 * weights
        rows = max(row.t + 1 - self.first_row, 0)
        return replaced(
            record, "missed", missed + rows * (weight(self.rule, record, row) - weights)
        )


class Mean(NamedTuple):
    """An ``Averaged`` rule as it predicts."""

    rule: Averaged

    def weight(self, record, row):
        rows = max(row.t + 1 - self.rule.first_row, 1)
        return weight(self.rule, record, row) - record.missed / rows


class Multiplied(NamedTuple):
    """Every feature has its own multiple of ``lr`` and of the weight decay.

    Parameters
    ----------
    rule : rule
        The rule to wrap.
    lr : float or array of shape (n_features,), default=1.0
        Multiplies the learning rate. 0 freezes a weight.
    weight_decay : float or array of shape (n_features,), default=1.0
        Multiplies the ``weight_decay`` of a :class:`WeightDecay`.
    """

    rule: tuple
    lr: float = 1.0
    weight_decay: float = 1.0

    given = types.MappingProxyType(
        {"lr_multiplier": "Multiplied.lr", "decay_multiplier": "Multiplied.weight_decay"}
    )

    per_feature = ("lr", "weight_decay")

    @property
    def lr_multiple(self):  # the largest of any feature
        return float(np.max(self.lr, initial=0.0))

    def start(self, settings):
        return {"lr_multiplier": self.lr, "decay_multiplier": self.weight_decay}

    def local(self, record, row):
        row = local(self.rule, record, row)
        row = replaced(row, "lr", row.lr * record.lr_multiplier)
        row = replaced(row, "base_lr", row.base_lr * record.lr_multiplier)
        return replaced(row, "decay", row.decay * record.decay_multiplier)


class FeaturePenalty(NamedTuple):
    """Every feature has its own ``alpha``, by which the penalties are multiplied."""

    rule: tuple
    alpha: float = 1.0

    for_features_only = True
    given = types.MappingProxyType({"alpha": "alpha"})

    def start(self, settings):
        return {"alpha": self.alpha}

    def local(self, record, row):
        row = local(self.rule, record, row)
        row = replaced(row, "l1", row.l1 * record.alpha)
        return replaced(row, "l2", row.l2 * record.alpha)


told_apart(Clipped, WeightDecay, Momentum, Averaged, Mean, Multiplied, FeaturePenalty)
