"""Which epochs, in which order, and when to stop."""

import time
import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.base import is_regressor
from sklearn.exceptions import ConvergenceWarning

from ..input.rows import Rows
from ..input.targets import Targets
from ..model.state import State, copy_into, copy_state


class Problem(NamedTuple):
    """Rows with what is to be learnt from them."""

    rows: Rows
    targets: Targets
    weights: np.ndarray
    max_abs: float  # largest magnitude among the values of the rows


class Outcome(NamedTuple):
    """What training left behind."""

    state: State
    loss_curve: list[float]
    validation_loss_curve: list[float]
    best_epoch: int
    converged: bool


def train(
    learn, evaluate, problem, order, validation, state, monitor, *,
    max_iter, tol, n_iter_no_change, random_state,
):  # fmt: skip
    """Learn ``problem.rows[order]`` epoch by epoch.

    ``learn(problem, order, state)`` is one epoch, ``evaluate(problem, state)`` a mean loss.
    What must improve is the loss of the problem ``validation``, or where that is None the
    mean loss of every row before it was learnt. Training stops once ``n_iter_no_change``
    epochs in a row failed to improve the best by ``tol``, or when the ``monitor`` says so.

    Returns an ``Outcome``; with validation its state is that of the best epoch.
    """
    losses, validation_losses = [], []
    best, best_epoch, best_state, waited = np.inf, 0, state, 0
    began = time.perf_counter()
    monitor.begin(max_iter)
    for epoch in range(1, max_iter + 1):
        task = monitor.begin_epoch()
        if random_state is not None:
            order = random_state.permutation(order)
        losses.append(epoch_of(partial(learn, problem), order, state))
        line, current = f"Epoch {epoch}: loss {losses[-1]:.6g}", losses[-1]
        if validation is not None:
            current = float(evaluate(validation, state))
            validation_losses.append(current)
            line += f", validation loss {current:.6g}"
            if current < best:
                best_state = _kept(state, None if best_state is state else best_state)
        waited = 0 if current < best and current <= best - (tol or 0.0) else waited + 1
        if current < best:
            best, best_epoch = current, epoch
        stop = monitor.end_epoch(task, f"{line}, {time.perf_counter() - began:.1f} s", state)
        if stop or (tol is not None and waited >= n_iter_no_change):
            break
    else:
        stop = tol is None
    if validation is None:
        best_state = state
    elif best_epoch == 0:
        raise FloatingPointError(
            "No epoch has a finite validation loss: scale the rows and targets of validation as "
            "those of training, or lower lr."
        )
    monitor.end(best_state)
    converged = bool(stop) or waited >= n_iter_no_change
    return Outcome(best_state, losses, validation_losses, best_epoch, converged)


def epoch_of(learn, order, state):
    """Learn once, and return the mean loss of this epoch.

    Progressive losses, and with them the shares of learners, are about rows which are new.
    """
    state.losses[1] = state.lost[1] = state.totals["epoch_weight"] = 0.0
    mixed = (state.beside[name] for name in ("lost", "shares") if name in state.beside)
    about_new_rows = state.losses[0], state.totals["weight"], *mixed
    before = [each.copy() for each in about_new_rows] if state.t > 0 else []
    learn(order, state)
    lost = state.lost[1].copy()
    for each, value in zip(about_new_rows, before, strict=False):
        each[...] = value
    return float(lost.sum() / state.totals["epoch_weight"][0])


def _kept(state, earlier):
    """A copy of ``state``, in the memory of an ``earlier`` one if there is one."""
    if earlier is None:
        return copy_state(state)
    copy_into(state, earlier)
    return earlier


def warn_of_max_iter(estimator, stacklevel):
    """Warn that training stopped before the loss did."""
    scale = ", scale y" if is_regressor(estimator) else ""
    rate = "" if estimator.lr == "auto" else f" or lr{scale}"
    warnings.warn(
        f"Training stopped at max_iter={estimator.max_iter} epochs, before the loss stopped "
        f"improving by tol={estimator.tol:g}. Raise max_iter{rate}, or set tol=None to "
        "train for a fixed number of epochs.",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )
