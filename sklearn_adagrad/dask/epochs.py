"""Passes over the blocks: in which order, and when to stop."""

import numpy as np
from sklearn.utils import check_random_state

from ..model.state import copy_state


class Once:
    """One pass, in the order of the blocks."""

    def __init__(self, n_blocks):
        self.order = list(range(n_blocks))

    @property
    def progress(self):
        """All this as values."""
        return {"order": self.order}

    @progress.setter
    def progress(self, saved):
        self.order = saved["order"]

    def begin(self, model):
        """Returns whether there is a pass to make, in ``order``."""
        return self.order is not None

    def end(self, model):
        self.order = None

    def finish(self, model):
        pass


class Epochs:
    """Passes until the loss stops improving, as the plain estimators stop.

    That is the mean loss of each row just before it was learnt, or what ``validate(model)`` says if
    that is given: then the weights of the best epoch are kept.
    """

    def __init__(self, estimator, n_blocks, validate):
        self._estimator, self._n_blocks, self._validate = estimator, n_blocks, validate
        self._random = check_random_state(estimator.random_state) if estimator.shuffle else None
        self._losses, self._judged, self._new, self._best = [], [], None, None
        self.order = None

    @property
    def progress(self):
        """All this as values."""
        return {
            "losses": self._losses, "judged": self._judged, "order": self.order,
            "new": self._new, "best": self._best,
        }  # fmt: skip

    @progress.setter
    def progress(self, saved):
        self._losses, self._judged, self._new, self._best, order = (
            saved[name] for name in ("losses", "judged", "new", "best", "order")
        )
        for _ in range(len(self._losses) + (order is not None)):
            self._draw()
        self.order = order

    def begin(self, model):
        """Returns whether there is an epoch to learn, in ``order``."""
        if self.order is not None:  # one that was begun before
            return True
        if len(self._losses) == self._estimator.max_iter or (self._losses and self.converged):
            return False
        if self._losses:
            state = model._state
            self._new = [state.losses[0].copy(), state.totals["weight"].copy()]
            state.losses[1], state.totals["epoch_weight"] = 0.0, 0.0
        self.order = self._draw()
        return True

    def _draw(self):
        n = self._n_blocks
        return list(range(n)) if self._random is None else self._random.permutation(n).tolist()

    def end(self, model):
        state = model._state if model.__sklearn_is_fitted__() else None
        if state is None or not state.totals["epoch_weight"][0] > 0:
            raise ValueError("All blocks are empty or of weight zero: there is no row to go by.")
        self._losses.append(float(state.losses[1].sum() / state.totals["epoch_weight"][0]))
        if self._new is not None:  # progressive losses are about rows which are new
            state.losses[0], state.totals["weight"] = self._new
        self.order = None
        if self._validate is not None:
            self._judged.append(self._validate(model))
            if self._judged[-1] < min([*self._judged[:-1], np.inf]):
                self._best = _copy(model)

    @property
    def converged(self):
        """Whether the last epochs, as many as it takes, were no better than the one before."""
        tol, patience = self._estimator.tol, self._estimator.n_iter_no_change
        if tol is None:
            return False
        best, waited = np.inf, 0
        for loss in self._judged or self._losses:
            waited = 0 if loss < best and loss <= best - tol else waited + 1
            best = min(best, loss)
        return waited >= patience

    def finish(self, model):
        known = {"n_iter_": len(self._losses), "loss_curve_": self._losses}
        if self._validate is not None:
            if self._best is None:
                raise FloatingPointError(
                    "No epoch has a finite validation loss: scale the rows and targets of "
                    "validation as those of training, or lower lr."
                )
            model._become(self._best)
            best = int(np.argmin(self._judged)) + 1
            known |= {"validation_loss_curve_": self._judged, "best_n_iter_": best}
        model._commit(known)


def _copy(model):
    copied = type(model)(**model.get_params(deep=False))
    copied._become(model)
    vars(copied).update(_state=copy_state(model._state))
    return copied
