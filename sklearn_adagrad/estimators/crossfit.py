"""How many epochs ``fit`` makes, and with which learner, if nobody says it: by rows held out.

The rows are dealt out into folds, and for each fold a model learns all other rows. The epoch and
the learner are those with the smallest loss of held-out rows, and the result is the mean of the
models' weights. So every row is both learnt and judged by, and the mean of models that have seen
different rows predicts better than any of them. There are ten folds, and five of many rows. Of
small data all models are judged; of larger data one, and the others learn as many epochs with the
same learner.
"""

import time
from typing import NamedTuple

import numpy as np

from ..model.binding import unstacked
from ..model.merging import merged
from ..model.state import State, candidate_state, copy_into, copy_state
from .training import epoch_of

N_FOLDS, N_FOLDS_OF_MANY = 10, 5
FEWEST = 10  # rows
_FEW = 20_000  # rows, from which on there are fewer folds
_SMALL = 1e6  # entries times outputs, below which all models are judged
_BYTES = 1e8  # that all of them may take, with copies of the best
_WORK = 5e6  # entries times outputs that are learnt in any case: epochs of little data cost nothing
_BETTER = 0.003  # of the loss before: less is taken for chance
_PATIENCE, _SHARE = 2, 0.5  # epochs without an improvement, and as a share of those before


class Outcome(NamedTuple):
    """What cross-fitting left behind."""

    state: State
    loss_curve: list[float]
    validation_loss_curve: list[float]
    best_epoch: int
    summary: str
    converged: bool


def folds_of(labels, weights, n_folds, random_state):
    """The fold of each row: every label has its share in each. -1 for rows of no weight."""
    order = np.flatnonzero(weights)
    order = order if random_state is None else random_state.permutation(order)
    folds = np.full(len(weights), -1)
    folds[order[np.argsort(labels[order], kind="stable")]] = np.arange(len(order)) % n_folds
    return folds


class Fold:
    """A model that learns the rows ``order``, and not the problem ``held``."""

    def __init__(self, order, held, state):
        self.order, self.held, self.state = order, held, state
        self.best = None

    def keep(self):
        """Remember the model as it is."""
        if self.best is None:
            self.best = copy_state(self.state)
        else:
            copy_into(self.state, self.best)


class Crossfit:
    """Models of several folds of rows.

    ``learn(order, bound, state)`` is one epoch, ``take(rows)`` the problem of some rows,
    ``judge(problem, bound, state)`` the sums of its losses by head, and ``begin()`` a state before
    all, or ``begin(n)`` that of learner ``n``. Rows are dealt out by ``labels``, and ``work`` is
    their number of entries times outputs.
    """

    def __init__(self, learn, take, judge, begin, labels, weights, work, bound, random_state):
        self._learn, self._judge, self._begin = learn, judge, begin
        self._bound, self._random = bound, random_state
        lead = begin()
        is_small = work < _SMALL and 2 * N_FOLDS * lead.n_bytes < _BYTES
        n_folds = N_FOLDS if is_small and len(labels) < _FEW else N_FOLDS_OF_MANY
        folds = folds_of(labels, weights, n_folds, random_state)
        parts = [(np.flatnonzero((folds >= 0) & (folds != n)), np.flatnonzero(folds == n))
                 for n in range(n_folds)]  # fmt: skip
        states = [lead, *(begin() for _ in range(n_folds - 1))] if is_small else [lead]
        self._first = [
            Fold(order, take(held), state)
            for (order, held), state in zip(parts, states, strict=False)
        ]
        self._others = [order for order, _ in parts[len(states) :]]
        self._judged = sum(each.held.weights.sum() for each in self._first)
        self._least = _WORK / ((n_folds - 1) * work) if is_small else 0.0

    def run(self, monitor, max_iter):
        """Learn until held-out losses do not get better any more, and return an ``Outcome``."""
        losses, curve, stop = [], [], Stop(self._least)
        began = time.perf_counter()
        monitor.begin(max_iter)
        for n in range(1, max_iter + 1):
            task = monitor.begin_epoch()
            losses.append(
                np.mean([self._epoch(each.order, self._bound, each.state) for each in self._first])
            )
            curve.append(self._losses())
            if np.argmin(np.min(_by_learner(curve, self._bound), axis=1)) == n - 1:
                for each in self._first:
                    each.keep()
            found = _by_learner(curve[-1:], self._bound)[0]
            asked = monitor.end_epoch(
                task,
                f"Epoch {n}: loss {losses[-1]:.6g}, held-out loss {found.min():.6g}, "
                f"{time.perf_counter() - began:.1f} s",
                self._first[0].state,
            )
            if stop.now(found) or asked:
                break
        by_learner = _by_learner(curve, self._bound)
        best, chosen = (int(n) for n in np.unravel_index(by_learner.argmin(), by_learner.shape))
        if by_learner[best, chosen] == np.inf:
            raise FloatingPointError(
                "No epoch has a finite loss of held-out rows: scale the features and y."
            )
        state = self._joined(best + 1, chosen)
        self._tell(state, curve[best], chosen)
        single, loss = unstacked(self._bound, chosen).settings, by_learner[best, chosen]
        summary = (
            f"The mean of {len(self._first) + len(self._others)} models after epoch {best + 1} of "
            f"{len(curve)}, with lr={single.lr:g} and "
            f"{'columns divided' if single.by_column else 'rows as they are'}: "
            f"the loss of held-out rows was {loss:.6g}."
        )
        if best + 1 == max_iter:
            summary += " The last epoch was the best: a larger max_iter may be better."
        monitor.end(state, summary)
        curves = [float(each) for each in losses], by_learner.min(axis=1).tolist()
        return Outcome(state, *curves, best + 1, summary, True)

    def _epoch(self, order, bound, state):
        order = order if self._random is None else self._random.permutation(order)
        return epoch_of(lambda order, state: self._learn(order, bound, state), order, state)

    def _losses(self):
        """The mean losses of held-out rows, by head; infinite beyond the range of numbers."""
        sums = [self._judge(each.held, self._bound, each.state) for each in self._first]
        return np.where(np.isfinite(sums).all(axis=0), np.sum(sums, axis=0) / self._judged, np.inf)

    def _joined(self, n_epochs, chosen):
        """The mean of what all models learn in so many epochs."""
        single = unstacked(self._bound, chosen)
        states = [candidate_state(each.best, self._bound, chosen, single) for each in self._first]
        for order in self._others:
            state = self._begin(chosen)
            for _ in range(n_epochs):
                self._epoch(order, single, state)
            states.append(state)
        return merged(self._bound, self._first[0].best, single, states)

    def _tell(self, state, losses, chosen):
        """Let the progressive losses of ``state`` be those of the held-out rows."""
        n_outputs = state.n_outputs
        heads = slice(chosen * n_outputs, (chosen + 1) * n_outputs)
        state.losses[0] = losses * self._judged
        state.lost[0], state.totals["weight"] = state.losses[0, heads], self._judged
        state.beside["shares"][:] = 0.0
        state.beside["shares"][heads] = 1.0


def _by_learner(curve, bound):
    """The losses of each epoch, by learner."""
    curve = np.array(curve)
    return curve.reshape(len(curve), bound.n_candidates, -1).sum(axis=2)


class Stop:
    """When held-out losses do not get better any more."""

    def __init__(self, least):
        self._least, self._n = least, 0
        self._best = self._waited = self._since = None

    def now(self, losses):
        """Whether to stop after an epoch with these losses of the learners."""
        self._n += 1
        if self._n == 1:
            self._loss, self._since, self._waited, self._best = losses.min(), 1, 0, losses
            return False
        least = _BETTER * abs(self._loss) if self._loss < np.inf else 0.0
        if losses.min() + least < self._loss:
            self._loss, self._since, self._waited = losses.min(), self._n, 0
        else:
            self._waited += 1
        all_worse = bool((losses > self._best).all())
        self._best = np.minimum(self._best, losses)
        patient = self._waited < max(_PATIENCE, _SHARE * self._since)
        return self._n >= self._least and not (patient and not (self._waited and all_worse))
