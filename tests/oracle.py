"""What the learner promises, in the plainest NumPy: dense, eager, row after row.

Written from the formulas and not from the kernels. ``loss`` is any object with ``value`` and
``gradient``; ``test_losses.py`` holds those against numerical derivatives and scikit-learn.
"""

from typing import NamedTuple

import numpy as np


class Learnt(NamedTuple):
    coef: np.ndarray
    intercept: float
    accumulator: np.ndarray
    intercept_accumulator: float
    t: int
    loss: float  # the weighted sum of the losses of all rows, each before it was learnt
    mass: float  # the sum of the weights


def nothing(n_features, initial_accumulator_value=0.0):
    """A model that has seen no row."""
    start = float(initial_accumulator_value)
    return Learnt(np.zeros(n_features), 0.0, np.full(n_features, start), start, 0, 0.0, 0.0)


def adagrad(learnt, X, y, weights, loss, *, lr, eps, lr_decay=0.0, fit_intercept=True, **_):
    """``learnt`` after one pass over the dense rows ``X`` with targets ``y``."""
    w, b, s, s_b, t, total, mass = learnt
    w, s = w.copy(), s.copy()
    for x, target, weight in zip(np.asarray(X, dtype=float), y, weights, strict=True):
        if weight == 0.0:
            continue
        t += 1
        rate = lr / (1.0 + (t - 1) * lr_decay)
        score = x @ w + b
        total += weight * loss.value(target, score)
        mass += weight
        slope = weight * loss.gradient(target, score)
        g = slope * x
        s += g**2
        w -= rate * divided(g, np.sqrt(s) + eps)
        if fit_intercept:
            s_b += slope**2
            b -= rate * float(divided(slope, np.sqrt(s_b) + eps))
    return Learnt(w, b, s, s_b, t, total, mass)


def divided(g, size):
    """``g / size``, where 0 / 0 is a step of 0."""
    return np.divide(g, size, out=np.zeros_like(g, dtype=float), where=np.not_equal(g, 0.0))


RULES = {"adagrad": adagrad}
