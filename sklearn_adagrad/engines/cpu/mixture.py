"""Several learners of the same outputs whose scores are averaged as they go.

The weights are those of AdaHedge: de Rooij, van Erven, Gruenwald and Koolen (2014), "Follow the
Leader If You Can, Hedge If You Must", section 3. A learner with the total loss ``L`` has a weight
in proportion to ``exp(-eta * L)``, where ``eta`` is the logarithm of the number of learners over
the *gap*: the sum of what the mean loss of the rows, by these weights, was more than
``-log(mean(exp(-eta * loss))) / eta``. No rate has to be chosen.

For a convex loss the loss of the mean score is at most the mean loss, for which their theorem 8
holds: after ``n`` rows whose losses differ by at most ``S``, it is at most about
``S * sqrt(n * log(K))`` more in total than that of the best of ``K`` learners, and mostly a
constant. A loss more than 100 times as large as usual counts as that in the weights, lest ``S`` be
without bound.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.elementary import exp, expm1, log1p
from ...arithmetic.jit import by_type, inlined
from .judge import judge_heads
from .scaling import unit_of

_HOPELESS = 50.0  # the exponential of this is lost beside 1 in a float64
_OUTLIER = 100.0  # times what is usual


class Unmixed(NamedTuple):
    """For heads that are on their own."""


class Mixture(NamedTuple):
    """The mean of the learners. The first two are the state's; the others are room for one row."""

    lost: np.ndarray  # its losses, as the heads have theirs, and the gap; by output
    shares: np.ndarray  # by head, its weight in the mean after the rows so far
    scores: np.ndarray  # by output, as are the others
    targets: np.ndarray
    gradients: np.ndarray
    losses: np.ndarray
    width: int  # of how many outputs a learner has one weight: of one, or of all
    rate: float  # the logarithm of the number of learners


def _if_mixed(function):
    """Let ``function`` do what is decorated where there is a ``Mixture``."""

    def register(mixed):
        def call(mixture, *rest):
            return (mixed if isinstance(mixture, Mixture) else function)(mixture, *rest)

        @by_type(call)
        def choose(*kinds):
            return mixed if kinds[0].instance_class is Mixture else function

        return call

    return register


def _no_weights(mixture, losses):
    pass


@_if_mixed(_no_weights)
def weigh(mixture, losses):
    """Let the shares be what the losses so far make of them."""
    width, n_outputs, n_heads = mixture.width, mixture.lost.shape[1], losses.shape[1]
    for first in range(0, n_outputs, width):
        best, mass = np.inf, 0.0
        for h in range(first, n_heads, n_outputs):
            total = 0.0
            for o in range(width):
                total += losses[0, h + o]
            mixture.shares[h] = total
            best = total if total < best else best
        gap = mixture.lost[2, first]
        for h in range(first, n_heads, n_outputs):
            behind = mixture.shares[h] - best
            share = 1.0 if behind == 0.0 else 0.0
            if behind > 0.0 and gap > 0.0:
                behind *= mixture.rate / gap
                share = exp(-behind) if behind < _HOPELESS else 0.0
            mixture.shares[h] = share
            mass += share
        for h in range(first, n_heads, n_outputs):
            share = mixture.shares[h] / mass
            for o in range(width):
                mixture.shares[h + o] = share


def _all_stay(mixture, buffers):
    return True


@_if_mixed(_all_stay)
def leave(mixture, buffers):
    """Let learners with an infinite loss have no share, and return whether others are left."""
    width, n_outputs, n_heads = mixture.width, mixture.lost.shape[1], len(mixture.shares)
    for first in range(0, n_outputs, width):
        left, mass = 0, 0.0
        for h in range(first, n_heads, n_outputs):
            stays = _lost(mixture, buffers, h) < np.inf
            left += stays
            mass += mixture.shares[h] if stays else 0.0
        if left == 0:
            return False
        for h in range(first, n_heads, n_outputs):
            share = mixture.shares[h] / mass if mass > 0.0 else 1.0 / left
            share = share if _lost(mixture, buffers, h) < np.inf else 0.0
            for o in range(width):
                mixture.shares[h + o] = share
    return True


def _no_mean(mixture, losses, buffers):
    pass


@_if_mixed(_no_mean)
def average(mixture, losses, buffers):
    """Let the scores be the means of those of the heads."""
    n_outputs, n_heads = mixture.lost.shape[1], losses.shape[1]
    for o in range(n_outputs):
        mean = 0.0
        for h in range(o, n_heads, n_outputs):
            if mixture.shares[h] > 0.0:  # others may have no finite score
                mean += mixture.shares[h] * buffers.scores[h]
        mixture.scores[o] = mean


def _no_loss(mixture, losses, loss, buffers, weight, before, rows, scaling):
    pass


@_if_mixed(_no_loss)
def mix(mixture, losses, loss, buffers, weight, before, rows, scaling):
    """Let the mean have its score and its loss of a row that all heads have been judged by.

    ``before`` is the weight of the rows before.
    """
    n_outputs = mixture.lost.shape[1]
    average(mixture, losses, buffers)
    alone = -1
    for h in range(0, losses.shape[1], n_outputs):
        is_alone = True
        for o in range(n_outputs):
            is_alone &= mixture.shares[h + o] == 1.0
        alone = h if is_alone else alone
    if alone < 0:
        for o in range(n_outputs):
            mixture.targets[o] = buffers.targets[o]
        judge_heads(
            loss, mixture.targets, mixture.scores, n_outputs, n_outputs, mixture.gradients,
            mixture.losses,
        )  # fmt: skip
    for o in range(n_outputs):
        lost = mixture.losses[o] if alone < 0 else buffers.losses[alone + o]
        mixture.lost[0, o] += weight * lost
        mixture.lost[1, o] += weight * lost
    for first in range(0, n_outputs, mixture.width):
        _cap(mixture, losses, buffers, before, unit_of(rows, scaling, first), first)
    if alone < 0:
        for first in range(0, n_outputs, mixture.width):
            mixture.lost[2, first] += _gap(mixture, losses, buffers, weight, first)


@inlined
def _cap(mixture, losses, buffers, before, unit, first):
    """Let no learner be so far behind by a single row that all others look the same beside it.

    What is usual is a ``unit``, and the loss of the best: of this row, and of those before.
    """
    n_outputs, n_heads = mixture.lost.shape[1], losses.shape[1]
    least, most = np.inf, -np.inf
    for h in range(first, n_heads, n_outputs):
        lost = _lost(mixture, buffers, h)
        least = lost if lost < least else least
        most = lost if most < lost < np.inf else most
    usual = unit + (least if least > 0.0 else 0.0)
    if most <= _OUTLIER * usual:
        return
    best = np.inf
    for h in range(first, n_heads, n_outputs):
        total = 0.0
        for o in range(mixture.width):
            total += losses[0, h + o]
        best = total if total < best else best
    usual += best / before if before > 0.0 and best > 0.0 else 0.0
    for h in range(first, n_heads, n_outputs):
        lost = _lost(mixture, buffers, h)
        if _OUTLIER * usual < lost < np.inf:
            for o in range(mixture.width):
                buffers.losses[h + o] *= _OUTLIER * usual / lost


def _tell_each(mixture, scores, i, buffers):
    for h in range(scores.shape[1]):
        scores[i, h] = buffers.scores[h]


@_if_mixed(_tell_each)
def tell(mixture, scores, i, buffers):
    """Write the scores of row ``i`` where they are asked for: the mean's, or those of all heads."""
    for o in range(scores.shape[1]):
        scores[i, o] = mixture.scores[o]


@inlined
def _gap(mixture, losses, buffers, weight, first):
    """By how much a row's mean loss is above the mixed one."""
    n_outputs, n_heads, gap = mixture.lost.shape[1], losses.shape[1], mixture.lost[2, first]
    least, mean = np.inf, 0.0
    for h in range(first, n_heads, n_outputs):
        if mixture.shares[h] > 0.0:
            lost = _lost(mixture, buffers, h)
            mean += mixture.shares[h] * lost
            least = lost if lost < least else least
    more = mean - least
    if gap > 0.0:
        rate, mixed = weight * mixture.rate / gap, 0.0
        for h in range(first, n_heads, n_outputs):
            behind = _lost(mixture, buffers, h) - least
            if mixture.shares[h] > 0.0 and behind > 0.0:
                mixed += mixture.shares[h] * expm1(-rate * behind)
        more += log1p(mixed) / rate
    return weight * more if more > 0.0 else 0.0


@inlined
def _lost(mixture, buffers, h):
    """The loss of the row by a learner, of all outputs that have one weight."""
    lost = 0.0
    for o in range(mixture.width):
        lost += buffers.losses[h + o]
    return lost
