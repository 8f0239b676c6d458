"""What the kernels are given: rows and what is to be learnt of them, limits, and room to work in.

And how the heads of a row are judged, for which no GPU is needed.
"""

from typing import NamedTuple

import numpy as np

from ...arithmetic.elementary import exp
from ...arithmetic.jit import by_type, inlined
from ...formulas.losses import Multinomial, gradient, value
from .device import IS_SIMULATED

WARP = 4 if IS_SIMULATED else 32  # threads that go in step
LOSSES = 64  # of so many rows are added up by one thread


class Targets(NamedTuple):
    """As in ``input.targets``, but where an array has no element, it has one."""

    values: np.ndarray
    codes: np.ndarray
    are_codes: bool
    n_outputs: int


class Task(NamedTuple):
    """Rows to be learnt in ``order``, none of which has a weight of zero."""

    rows: tuple
    order: np.ndarray
    targets: Targets
    weights: np.ndarray
    scores: np.ndarray  # (row, head) for what is said of each row before it is learnt
    wants_scores: bool
    n_heads: int
    n_judged: int  # heads that are judged together: all classes of a softmax, or one


class Limits(NamedTuple):
    """What a row must not exceed, as in the processor's loops."""

    max_norm: float
    max_value: float
    drops: bool
    refuses: bool


class Work(NamedTuple):
    """Room for what is found out of rows: arrays by row, or warp, and head."""

    sums: np.ndarray  # of the dtype of the rows, as are the steps
    steps: np.ndarray
    shares: np.ndarray
    zeros: np.ndarray
    gradients: np.ndarray  # float64, as are the losses
    losses: np.ndarray
    stops: np.ndarray  # by block, the first place in the order that cannot be learnt
    leaves: np.ndarray  # by head, from which place on it is left out


class Pieces(NamedTuple):
    """Neighbouring rows of one batch, those of piece ``p`` from place ``begins[p]`` on."""

    begins: np.ndarray
    starts: np.ndarray  # how many rows were learnt before the batch
    limits: np.ndarray  # what a gradient must not exceed in it


class Sums(NamedTuple):
    """The sums of a piece's gradients."""

    limbs: np.ndarray  # by feature, the intercept last, and head
    largest: np.ndarray  # by head, of gradients times values
    marks: np.ndarray  # by feature, the last piece that had it, counted from ``first`` on
    first: int
    touched: np.ndarray  # the features of the piece, in any order
    n_touched: np.ndarray
    losses: np.ndarray  # (group of rows, head)


class Buffers(NamedTuple):
    """What ``update_vector`` needs to know of heads."""

    steps: np.ndarray
    shares: np.ndarray


@inlined
def _target(targets, i, h):
    """What head ``h`` is to predict for row ``i``."""
    n = h % targets.n_outputs
    if targets.are_codes:
        return 1.0 if targets.codes[i] == n else -1.0
    return targets.values[i, n]


def _judge_one(loss, targets, i, scores, h, size, gradients, losses):
    y, score = _target(targets, i, h), np.float64(scores[h])
    gradients[h], losses[h] = gradient(loss, y, score), value(loss, y, score)


def _judge_classes(loss, targets, i, scores, first, size, gradients, losses):
    top = np.float64(scores[first])
    for h in range(first, first + size):
        top = np.float64(scores[h]) if scores[h] > top else top
    total, right = 0.0, 0.0
    for h in range(first, first + size):
        z = np.float64(scores[h]) - top
        gradients[h], losses[h] = exp(z), 0.0
        total += gradients[h]
        right = z if _target(targets, i, h) > 0.0 else right
    losses[first] = np.log(total) - right
    for h in range(first, first + size):
        gradients[h] = gradients[h] / total - (1.0 if _target(targets, i, h) > 0.0 else 0.0)


def judge(loss, targets, i, scores, first, size, gradients, losses):
    """The losses and gradients of ``size`` heads from ``first`` on that are judged together."""
    chosen = _judge_classes if isinstance(loss, Multinomial) else _judge_one
    chosen(loss, targets, i, scores, first, size, gradients, losses)


@by_type(judge)
def _choose_judge(*kinds):
    return _judge_classes if kinds[0].instance_class is Multinomial else _judge_one
