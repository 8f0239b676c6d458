"""How long the steps of several heads are in a row, besides what their rule says."""

import numpy as np

from ...arithmetic.jit import by_type, inlined, says
from ...arithmetic.lanes import sqrt
from ...formulas.rules import is_importance_aware, is_scale_free
from .batches import mean_share
from .head_vectors import pull_row
from .judge import drop_heads
from .rows import norm_of
from .scaling import norm_for, stride


def size_steps(learner, rows, heads, steps, here, clock, i, weight, n_outputs, buffers):
    """Let ``buffers`` have the shares of the gradients that move weights."""
    if is_importance_aware(learner.rule):
        _limit_steps(learner, rows, heads, steps, here, clock, i, weight, n_outputs, buffers)
    elif is_scale_free(learner.rule):
        _scale_steps(learner, rows, heads, steps, here, clock, i, weight, n_outputs, buffers)


@by_type(size_steps)
def _choose_size_steps(*kinds):
    rule = kinds[0].types[kinds[0].fields.index("rule")]
    if says(rule, "is_importance_aware"):
        return _limit_steps
    return _scale_steps if says(rule, "is_scale_free") else _keep_steps


def _keep_steps(learner, rows, heads, steps, here, clock, i, weight, n_outputs, buffers):
    pass


def _scale_steps(learner, rows, heads, steps, here, clock, i, weight, n_outputs, buffers):
    for h in range(heads.losses.shape[1]):
        length = stride(rows, steps.scaling, h)
        buffers.shares[h] = mean_share(learner.rule, steps.pending, h, length, buffers.steps[h])


def _limit_steps(learner, rows, heads, steps, here, clock, i, weight, n_outputs, buffers):
    n_heads, root = heads.losses.shape[1], sqrt(weight)
    for h in range(n_heads):
        buffers.steps[h] = buffers.gradients[h] / root
    pull_row(rows, learner, heads, steps, here, clock, i, buffers)
    for h in range(n_heads):
        reach = np.float64(buffers.pulls[h]) / np.float64(buffers.steps[h])
        reach *= weight * stride(rows, steps.scaling, h)
        buffers.reaches[h] = reach if reach > 0.0 else 0.0
    drop_heads(
        steps.solver, buffers.targets, buffers.scores, buffers.reaches, n_outputs, n_heads,
        buffers.drops,
    )  # fmt: skip
    for h in range(n_heads):
        most = root * stride(rows, steps.scaling, h)
        share = buffers.drops[h] / np.float64(buffers.pulls[h])
        share = share if 0.0 <= share < most else most
        buffers.shares[h] = mean_share(learner.rule, steps.pending, h, share, buffers.steps[h])


@inlined
def shorten(rows, learner, steps, here, i, limits, n_heads, buffers):
    """Let the gradients of a row's weights be no longer than allowed."""
    if limits.max_norm < np.inf:
        plain = scaled = norm_of(rows, i, learner.fit_intercept)
        if is_scale_free(learner.rule):
            scaled = norm_of(here, i, learner.fit_intercept)
        for h in range(n_heads):
            norm = norm_for(rows, steps.scaling, h, scaled, plain)
            size = norm * abs(buffers.gradients[h])
            buffers.gradients[h] *= limits.max_norm / size if size > limits.max_norm else 1.0
    for h in range(n_heads):
        buffers.steps[h] = buffers.gradients[h]
