"""The losses, each written once. To add one: write its class, add a line to a registry below.

A loss is a named tuple of its hyper-parameters with two methods on plain numbers:

* ``value(y, score)``: the loss;
* ``gradient(y, score)``: its derivative by the score. At a kink it is 0 where 0 is a
  subgradient; the perceptron's, which could then never start, is the one exception.

Classifiers pass ``y`` as -1 or +1, and offer probabilities if the loss has
``probability(score)``. Regressors pass numbers; a loss with a link function has
``prediction(score)``, and one that cannot take every number has ``check_target(y)``.
These three are ordinary NumPy code on arrays. ``check_parameters()`` refuses parameters that
make no sense. Scores reach all methods as float64.

For importance-aware steps, a loss says what becomes of a row that is learnt in infinitely many
small steps instead of one: ``drop(y, score, reach)`` is by how much the score falls in all, if a
single step makes it fall by ``reach`` for every unit of gradient. The formulas are the solutions of
``d score / d s = -gradient(y, score)`` from 0 to ``reach``: Karampatziakis and Langford (2011),
"Online Importance Weight Aware Updates", table 1, and by the same calculation for losses that are
not in it.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.elementary import exp, expm1, log1p
from ..arithmetic.jit import generic, inlined
from ..arithmetic.lanes import any_lane, sqrt, where
from ..arithmetic.tuples import told_apart


@generic
def value(self, y, score):
    """The loss of ``score`` where ``y`` was right."""


@generic
def gradient(self, y, score):
    """d loss / d score."""


@generic
def drop(self, y, score, reach):
    """By how much the score falls in infinitely many small steps."""


_FARTHEST = 300.0  # of a margin: the square of its exponential is a number
_MOST = 1e30  # of a reach: after it, too
_HALVINGS = 50
_STEPS = 4  # of Halley's method, the error of which is at most a twelfth of the step cubed
_NEAR_ENOUGH = 1e-6  # of the drop


class LogLoss(NamedTuple):
    """``log(1 + exp(-y * score))``, whose scores are log-odds."""

    def value(self, y, score):
        z = y * score
        return log1p(exp(0.0 - abs(z))) + where(z < 0.0, 0.0 - z, 0.0 * z)

    def gradient(self, y, score):
        z = y * score
        e = exp(0.0 - abs(z))
        return 0.0 - y * (where(z > 0.0, e, 0.0 * e + 1.0) / (1.0 + e))

    # The margin z rises by the d with d + exp(z) * (exp(d) - 1) = reach. Two upper bounds to begin
    # with: exp(d) is above its Taylor series of three terms, and d is at least 0.
    def drop(self, y, score, reach):
        z = y * score
        z = where(z > _FARTHEST, 0.0 * z + _FARTHEST, where(z < -_FARTHEST, 0.0 * z - _FARTHEST, z))
        reach = where(reach < _MOST, reach, 0.0 * z + _MOST)
        odds = exp(z)
        doubt = 1.0 / (1.0 + odds)
        d = reach * doubt
        d = 2.0 * d / (1.0 + sqrt(1.0 + 2.0 * odds * doubt * d))
        if any_lane(where(d > 1.0, d, 0.0 * d)):
            far = log1p(where(reach > 1.0, reach + odds - 1.0, 0.0 * reach)) - z
            d = where(d > 1.0, where(d < far, d, far), d)
        more = 0.0 * d + 1.0
        for _ in range(_STEPS):
            rest = odds * expm1(d)
            slope, rest = 1.0 + odds + rest, d + rest - reach
            by = 2.0 * rest * slope / (2.0 * slope * slope - rest * (slope - 1.0))
            d = d - more * by
            more = where(by * by * by > _NEAR_ENOUGH * d, more, 0.0 * more)
            if not any_lane(more):
                break
        return 0.0 - y * d

    def probability(self, score):
        e = np.exp(-np.abs(score))
        return np.where(score > 0, 1.0, e) / (1.0 + e)


class Multinomial(NamedTuple):
    """``log(sum(exp(scores))) - scores[label]``, which ties the scores of all classes together.

    It has no ``value`` and ``gradient`` of one score: an engine computes all of a row at once.
    """

    def probability(self, score):
        e = np.exp(score - score.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


class Hinge(NamedTuple):
    """``max(0, 1 - y * score)``, the linear support vector machine's loss."""

    def value(self, y, score):
        return max(0.0, 1.0 - y * score)

    def gradient(self, y, score):
        return -y if y * score < 1.0 else 0.0

    def drop(self, y, score, reach):
        return -y * min(reach, max(0.0, 1.0 - y * score))


class SquaredHinge(NamedTuple):
    """``max(0, 1 - y * score) ** 2``."""

    def value(self, y, score):
        return max(0.0, 1.0 - y * score) ** 2

    def gradient(self, y, score):
        return -2.0 * y * max(0.0, 1.0 - y * score)

    def drop(self, y, score, reach):
        return y * max(0.0, 1.0 - y * score) * expm1(-2.0 * reach)


class ModifiedHuber(NamedTuple):
    """Squared hinge loss that grows only linearly below ``y * score = -1``; Zhang (2004)."""

    def value(self, y, score):
        z = y * score
        return max(0.0, 1.0 - z) ** 2 if z >= -1.0 else -4.0 * z

    def gradient(self, y, score):
        z = y * score
        return -2.0 * y * max(0.0, 1.0 - z) if z >= -1.0 else -4.0 * y

    def drop(self, y, score, reach):
        straight = max(0.0, -1.0 - y * score)
        if 4.0 * reach <= straight:
            return -4.0 * y * reach
        short = max(0.0, 1.0 - y * score - straight)
        return -y * (straight - short * expm1(-2.0 * (reach - straight / 4.0)))

    def probability(self, score):
        return (np.clip(score, -1.0, 1.0) + 1.0) / 2.0


class Perceptron(NamedTuple):
    """``max(0, -y * score)``: learns from mistakes only, and counts a score of 0 as one."""

    def value(self, y, score):
        return max(0.0, -y * score)

    def gradient(self, y, score):
        return -y if y * score <= 0.0 else 0.0


class SquaredError(NamedTuple):
    """``(score - y) ** 2 / 2``."""

    def value(self, y, score):
        return 0.5 * (score - y) ** 2

    def gradient(self, y, score):
        return score - y

    def drop(self, y, score, reach):
        return (y - score) * expm1(-reach)


class Huber(NamedTuple):
    """Squared error up to a distance, linear beyond.

    Parameters
    ----------
    epsilon : float, default=0.1
        The distance, in the units of ``y``, more than 0. The default is SGDRegressor's.
    """

    epsilon: float = 0.1

    def check_parameters(self):
        _require_parameter("epsilon", self.epsilon, self.epsilon > 0, "above 0")

    def value(self, y, score):
        distance = abs(score - y)
        if distance <= self.epsilon:
            return 0.5 * distance * distance
        return self.epsilon * (distance - 0.5 * self.epsilon)

    def gradient(self, y, score):
        return min(max(score - y, -self.epsilon), self.epsilon)

    def drop(self, y, score, reach):
        straight = max(0.0, abs(score - y) - self.epsilon)
        if self.epsilon * reach <= straight:
            return gradient(self, y, score) * reach
        short = min(abs(score - y), self.epsilon)
        fall = straight - short * expm1(straight / self.epsilon - reach)
        return fall if score > y else -fall


class EpsilonInsensitive(NamedTuple):
    """Distance from ``y`` beyond a tube around it.

    Parameters
    ----------
    epsilon : float, default=0.1
        Half its width, in the units of ``y``, at least 0. The default is SGDRegressor's.
    """

    epsilon: float = 0.1

    def check_parameters(self):
        _require_parameter("epsilon", self.epsilon, self.epsilon >= 0, "at least 0")

    def value(self, y, score):
        return max(0.0, abs(score - y) - self.epsilon)

    def gradient(self, y, score):
        if score - y > self.epsilon:
            return 1.0
        return -1.0 if y - score > self.epsilon else 0.0

    def drop(self, y, score, reach):
        return gradient(self, y, score) * min(reach, max(0.0, abs(score - y) - self.epsilon))


class SquaredEpsilonInsensitive(NamedTuple):
    """Squared distance from ``y`` beyond a tube around it.

    Parameters
    ----------
    epsilon : float, default=0.1
        Half its width, in the units of ``y``, at least 0. The default is SGDRegressor's.
    """

    epsilon: float = 0.1

    def check_parameters(self):
        _require_parameter("epsilon", self.epsilon, self.epsilon >= 0, "at least 0")

    def value(self, y, score):
        return max(0.0, abs(score - y) - self.epsilon) ** 2

    def gradient(self, y, score):
        distance = max(0.0, abs(score - y) - self.epsilon)
        return 2.0 * distance if score > y else -2.0 * distance

    def drop(self, y, score, reach):
        return -0.5 * gradient(self, y, score) * expm1(-2.0 * reach)


class AbsoluteError(NamedTuple):
    """``abs(score - y)``: its optimum is the median."""

    def value(self, y, score):
        return abs(score - y)

    def gradient(self, y, score):
        if score == y:
            return 0.0
        return 1.0 if score > y else -1.0

    def drop(self, y, score, reach):
        return gradient(self, y, score) * min(reach, abs(score - y))


class Quantile(NamedTuple):
    """Pinball loss, whose optimum is a quantile of ``y``.

    Parameters
    ----------
    quantile : float, default=0.5
        Which one, in (0, 1). The default is the median.
    """

    quantile: float = 0.5

    def check_parameters(self):
        _require_parameter("quantile", self.quantile, 0 < self.quantile < 1, "in (0, 1)")

    def value(self, y, score):
        return self.quantile * (y - score) if y > score else (1.0 - self.quantile) * (score - y)

    def gradient(self, y, score):
        if score == y:
            return 0.0
        return 1.0 - self.quantile if score > y else -self.quantile

    def drop(self, y, score, reach):
        if score > y:
            return min((1.0 - self.quantile) * reach, score - y)
        return -min(self.quantile * reach, y - score)


@inlined
def _log_mixed(ratio, reach):
    """``log(ratio + (1 - ratio) * exp(-reach))``, also where that is near 0, or near 1."""
    change = (1.0 - ratio) * expm1(-reach)
    return log1p(change) if change > -0.5 else np.log(exp(-reach) - ratio * expm1(-reach))


class Poisson(NamedTuple):
    """Half the Poisson deviance with a log link, up to a term in ``y`` alone; ``y >= 0``."""

    def value(self, y, score):
        return exp(score) - y * score

    def gradient(self, y, score):
        return exp(score) - y

    # exp(-score) moves towards 1 / y, or without end if y is 0.
    def drop(self, y, score, reach):
        mean = exp(score)
        return log1p(mean * reach) if y == 0.0 else _log_mixed(mean / y, y * reach)

    def prediction(self, score):
        return np.exp(score)

    def check_target(self, y):
        _require_target(y >= 0, y, "the Poisson loss needs counts or rates, y >= 0")


class Gamma(NamedTuple):
    """Half the gamma deviance with a log link, up to a term in ``y`` alone; ``y > 0``."""

    def value(self, y, score):
        return score + y * exp(-score)

    def gradient(self, y, score):
        return 1.0 - y * exp(-score)

    # exp(score) moves towards y.
    def drop(self, y, score, reach):
        return -_log_mixed(y * exp(-score), reach)

    def prediction(self, score):
        return np.exp(score)

    def check_target(self, y):
        _require_target(y > 0, y, "the gamma loss needs y > 0")


class Tweedie(NamedTuple):
    """Half the Tweedie deviance with a log link, up to a term in ``y`` alone.

    Parameters
    ----------
    power : float, default=1.5
        That of the mean which is the variance: at most 0, or at least 1, as no distribution has
        one in between. 1 is Poisson, 2 gamma; between them are sums of a random number of positive
        amounts, such as insurance claims, often zero, hence the default. 0 is squared error,
        3 the inverse Gaussian deviance.
    """

    power: float = 1.5

    def check_parameters(self):
        good = self.power <= 0 or self.power >= 1
        _require_parameter("power", self.power, good, "at most 0 or at least 1")

    def value(self, y, score):
        p = self.power
        if p == 1.0:
            return exp(score) - y * score
        if p == 2.0:
            return score + y * exp(-score)
        loss = exp(score * (2.0 - p)) / (2.0 - p)
        # 0 times an exponential that has overflowed would not be 0.
        return loss - y * exp(score * (1.0 - p)) / (1.0 - p) if y != 0.0 else loss

    def gradient(self, y, score):
        gradient = exp(score * (2.0 - self.power))
        return gradient - y * exp(score * (1.0 - self.power)) if y != 0.0 else gradient

    # The limit has no closed form but for y = 0, and for powers that have a loss of their own.
    # Instead, the step is taken with the gradient at its end, by halving the way to the optimum:
    # Kulis and Bartlett (2010), "Implicit Online Learning".
    def drop(self, y, score, reach):
        if y == 0.0 and self.power < 2.0:
            own = 2.0 - self.power
            return log1p(own * reach * exp(own * score)) / own
        if self.power == 1.0:
            return _log_mixed(exp(score) / y, y * reach)
        if self.power == 2.0:
            return -_log_mixed(y * exp(-score), reach)
        if y <= 0.0:  # of powers up to 0, where no score is the best
            return 0.0
        near, far = score, np.log(y)
        for _ in range(_HALVINGS):
            middle = 0.5 * (near + far)
            beyond = middle - score + reach * gradient(self, y, middle) > 0.0
            if beyond == (far > score):
                far = middle
            else:
                near = middle
        return score - near

    def prediction(self, score):
        return np.exp(score)

    def check_target(self, y):
        who = f"the Tweedie loss of power {self.power:g}"
        if self.power >= 2.0:
            _require_target(y > 0, y, f"{who} needs y > 0")
        elif self.power >= 1.0:
            _require_target(y >= 0, y, f"{who} needs y >= 0")


def _require_parameter(name, value, good, need):
    if not good:
        raise ValueError(f"{name}={value:g} is out of range: it must be {need}.")


def _require_target(good, y, need):
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"y[{row}] = {y[row]:g}: {need}.")


CLASSIFICATION = {
    "log_loss": LogLoss,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "modified_huber": ModifiedHuber,
    "perceptron": Perceptron,
}

REGRESSION = {
    "squared_error": SquaredError,
    "huber": Huber,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
    "absolute_error": AbsoluteError,
    "quantile": Quantile,
    "poisson": Poisson,
    "gamma": Gamma,
    "tweedie": Tweedie,
}

told_apart(Multinomial, *CLASSIFICATION.values(), *REGRESSION.values())
