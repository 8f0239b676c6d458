"""Which epochs, in which order, and when to stop."""

import time
from typing import NamedTuple

import numpy as np

from ._state import copy_state
from .kernels.rows import Rows


class Problem(NamedTuple):
    """Rows with what is to be learnt from them: one target of each row for every head."""

    rows: Rows
    targets: tuple[np.ndarray, ...]
    weights: np.ndarray
    peak: float  # largest magnitude among the values of the rows


class Outcome(NamedTuple):
    """What training left behind."""

    heads: tuple
    loss_curve: list[float]
    validation_loss_curve: list[float]
    best_epoch: int
    converged: bool


def train(
    learn, evaluate, problem, order, validation, heads, watch, *,
    max_iter, tol, n_iter_no_change, random_state,
):  # fmt: skip
    """Learn ``problem.rows[order]`` epoch by epoch.

    ``learn(problem, order, heads)`` is one epoch, ``evaluate(problem, heads)`` a mean loss.
    What must improve is the loss of the problem ``validation``, or where that is None the
    mean loss of every row before it was learnt. Training stops once ``n_iter_no_change``
    epochs in a row failed to improve the best by ``tol``, or when the ``watch`` says so.

    Returns an ``Outcome``; with validation its heads are those of the best epoch.
    """
    losses, validation_losses = [], []
    best, best_epoch, best_heads, waited = np.inf, 0, heads, 0
    began = time.perf_counter()
    watch.begin(max_iter)
    for epoch in range(1, max_iter + 1):
        task = watch.begin_epoch()
        if random_state is not None:
            order = random_state.permutation(order)
        losses.append(_epoch(learn, problem, order, heads))
        line, current = f"Epoch {epoch}: loss {losses[-1]:.6g}", losses[-1]
        if validation is not None:
            current = float(evaluate(validation, heads))
            validation_losses.append(current)
            line += f", validation loss {current:.6g}"
            if current < best:
                best_heads = _kept(heads, None if best_heads is heads else best_heads)
        waited = 0 if current < best and current <= best - (tol or 0.0) else waited + 1
        if current < best:
            best, best_epoch = current, epoch
        stop = watch.end_epoch(task, f"{line}, {time.perf_counter() - began:.1f} s", heads)
        if stop or (tol is not None and waited >= n_iter_no_change):
            break
    else:
        stop = tol is None
    if validation is None:
        best_heads = heads
    elif best_epoch == 0:
        raise FloatingPointError(
            "No epoch has a finite validation loss: scale the rows and targets of validation as "
            "those of training, or lower lr."
        )
    watch.end(best_heads)
    converged = bool(stop) or waited >= n_iter_no_change
    return Outcome(best_heads, losses, validation_losses, best_epoch, converged)


def _epoch(learn, problem, order, heads):
    """Learn once, and return the mean loss of this epoch."""
    for state in heads:
        state.totals["epoch_loss"] = state.totals["epoch_weight"] = 0.0
    learn(problem, order, heads)
    totals = [state.totals[0] for state in heads]
    return float(sum(each["epoch_loss"] / each["epoch_weight"] for each in totals))


def _kept(heads, earlier):
    """A copy of ``heads``, in the memory of an ``earlier`` one if there is one."""
    if earlier is None:
        return tuple(copy_state(state) for state in heads)
    for state, copy in zip(heads, earlier, strict=True):
        for array, kept in zip(state, copy, strict=True):
            np.copyto(kept, array)
    return earlier
