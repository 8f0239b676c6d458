"""What both estimators share: from input to a trained state."""

from abc import ABC, abstractmethod
from functools import partial

import numpy as np
from sklearn.base import is_regressor
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state

from ..formulas.rules import factor
from ..input.checks import check_rows, check_target, check_weights, take_rows
from ..input.gpu import GpuArray, check_gpu_rows, is_on_gpu
from ..input.rows import bits_of
from ..input.sealed import trusting
from ..model.binding import unstacked
from ..model.limits import largest_gradient
from ..model.state import (
    adapted_state,
    candidate_state,
    copy_state,
    new_state,
    own_state,
    settle,
)
from .calls import ACCOUNT, ALL, NOTHING, Pending, accounted, turn_of
from .crossfit import FEWEST, Crossfit
from .divergence import divergence
from .fitted import INPUT
from .forgetting import Forgetting
from .monitor import Monitor
from .training import Problem, train, warn_of_max_iter

_JUDGED = ("validation_loss_curve_", "best_n_iter_")
_ONLY_SOMETIMES = {*_JUDGED, "fit_summary_"}
MOST_ROWS = 2**31  # a record in float32 knows of 2**32; all are brought up to date before


class BaseAdagrad(CallbackSupportMixin, Forgetting, ABC):
    """Training of both estimators."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # --- what a kind of target decides ----------------------------------------------------

    @abstractmethod
    def _begin_fit(self, y, weights, warm):
        """The fitted attributes that ``y`` decides."""

    @abstractmethod
    def _begin_partial_fit(self, y, **begin):
        """The same for a stream, of which ``y`` is only the beginning."""

    @abstractmethod
    def _targets(self, y, fitted, name="y"):
        """What is to be learnt from ``y``; ``name`` is what to call it in an error."""

    def _weigh(self, y, weights, fitted):
        """The weights of the rows in ``fit``."""
        return weights

    def _weigh_in_passing(self, y, weights, fitted):
        """The weights of the rows in ``partial_fit``, and what to remember for the next call."""
        return weights, {}

    def _loss_for(self, fitted):
        """The loss of all outputs."""
        return self._loss()

    def _labels_of(self, y, fitted):
        """Numbers of which each is to be in every fold of the rows."""
        return np.zeros(len(y), np.intp)

    def _has_unit(self, loss):
        """Whether scores are in the units of the targets."""
        return is_regressor(self) and not hasattr(loss, "prediction")

    @abstractmethod
    def _splitter(self, fitted):
        """The scikit-learn splitter that sets rows aside for early stopping."""

    @staticmethod
    def _require_weight(weights, name):
        if not weights.any():
            raise ValueError(f"All weights are zero by {name}: there is no row to go by.")

    # --- training -------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        with turn_of(self):
            self._settle()
            # What is fitted meanwhile is a copy: nobody sees half of it.
            model = self._at_once()
            outcome, fitted = model._trained(
                self, X, y, sample_weight, X_val, y_val, sample_weight_val
            )
            ACCOUNT.tell = lambda: ALL if vars(self).get("_state") is outcome.state else NOTHING
            self._commit(fitted, gone={*_ONLY_SOMETIMES, *INPUT, "_is_sparse"} - {*fitted})
        if not outcome.converged:
            warn_of_max_iter(self, stacklevel=6)
        return self

    def _trained(self, original, X, y, sample_weight, X_val, y_val, sample_weight_val):
        """The outcome of training, and the attributes of a fitted estimator."""
        warm = self.warm_start and self.__sklearn_is_fitted__()
        rows, n_features, max_abs, y_seen, weights = self._checked(
            X, y, sample_weight, self._dtype if warm else None
        )
        if warm:
            self._check_width(n_features)
        dtype = rows.values.dtype
        fitted, weights, targets, loss = self._prepared(y_seen, weights, warm)
        problem = Problem(rows, targets, weights, max_abs)
        order, validation = self._set_aside(
            problem, y_seen, fitted, X_val, y_val, sample_weight_val
        )
        bound = self._rule(dtype)

        def begin():
            if not warm:
                return self._new_state(bound, n_features, dtype, problem.targets.n_outputs)
            self._check_outputs(problem.targets)
            return copy_state(adapted_state(self._state, self._bound, bound))

        fitted |= self._about_input() | {"_bound": bound}
        monitor = Monitor(original, X, y, sample_weight, fitted)
        if bound.mixes and self.early_stopping == "auto" and np.count_nonzero(weights) >= FEWEST:
            labels = self._labels_of(y_seen, fitted)
            outcome = self._cross_fit(problem, labels, loss, bound, begin, monitor)
            validation, fitted["fit_summary_"] = problem, outcome.summary
        else:
            outcome = self._train(problem, order, validation, loss, bound, begin(), monitor)
        fitted |= {
            "_state": outcome.state,
            "n_iter_": len(outcome.loss_curve),
            "loss_curve_": outcome.loss_curve,
        }
        if validation is not None:
            judged = outcome.validation_loss_curve, outcome.best_epoch
            fitted |= dict(zip(_JUDGED, judged, strict=True))
        return outcome, fitted

    def _checked(self, X, y, sample_weight, dtype, suffix=""):
        """Rows, their width and largest magnitude, targets, and weights.

        Without a ``dtype`` they are a model's first. ``suffix`` is that of the arguments' names.
        """
        engine, about = self._engine, {"reset": dtype is None, "dtype": dtype, "name": f"X{suffix}"}
        if engine.learns_elsewhere and is_on_gpu(X):
            rows, n_features, max_abs = check_gpu_rows(self, X, engine=engine, **about)
        else:
            inspect = trusting(engine.inspect)
            rows, n_features, max_abs = check_rows(self, X, inspect=inspect, **about)
        if engine.learns_elsewhere:  # a few numbers for each row
            y, sample_weight = (
                engine.fetched(GpuArray(each)) if is_on_gpu(each) else each
                for each in (y, sample_weight)
            )
        n_rows = len(rows.indptr) - 1
        y = check_target(self, y, n_rows, f"y{suffix}")
        weights = check_weights(sample_weight, n_rows, f"sample_weight{suffix}")
        return rows, n_features, max_abs, y, weights

    def _prepared(self, y, weights, warm=False):
        """What ``fit`` makes of targets: fitted attributes, weights, targets and the loss."""
        self._require_weight(weights, "sample_weight")
        fitted = self._begin_fit(y, weights, warm)
        weights = self._weigh(y, weights, fitted)
        self._require_weight(weights, "class_weight")
        return fitted, weights, self._targets(y, fitted), self._loss_for(fitted)

    def _new_state(self, bound, n_features, dtype, n_outputs):
        random = check_random_state(self.random_state)
        return new_state(bound, n_features, dtype, n_outputs, random)

    def _check_outputs(self, targets):
        """The state cannot grow or lose outputs."""
        size = self._state.n_heads // self._bound.n_candidates
        if targets.n_outputs != size:
            raise ValueError(f"y has {targets.n_outputs} outputs, but the model has {size}.")

    def _set_aside(self, problem, y, fitted, X_val, y_val, sample_weight_val):
        """The rows to learn, and the problem that judges an epoch, if any."""
        everything = np.arange(len(problem.weights))
        given = [name for name, each in (("X_val", X_val), ("y_val", y_val)) if each is not None]
        if not given and sample_weight_val is None:
            if self.early_stopping in (False, "auto"):
                return everything, None
            usable = everything[problem.weights > 0]
            try:
                learnt, judged = next(self._splitter(fitted).split(usable, y[usable]))
            except ValueError as error:
                raise ValueError(
                    "early_stopping=True cannot set aside validation_fraction="
                    f"{self.validation_fraction:g} of {len(usable)} rows: {error}"
                ) from error
            learnt = learnt if self.shuffle else np.sort(learnt)
            return usable[learnt], self._take(problem, usable[judged])
        if len(given) < 2:
            raise ValueError("X_val and y_val must be given together.")
        if self.early_stopping in (False, "auto"):
            raise ValueError(
                "X_val and y_val are used for early stopping only: set early_stopping=True."
            )
        rows, _, max_abs, y_val, weights = self._checked(
            X_val, y_val, sample_weight_val, problem.rows.values.dtype, "_val"
        )
        self._require_weight(weights, "sample_weight_val")
        weights = self._weigh(y_val, weights, fitted)
        self._require_weight(weights, "class_weight")
        return everything, Problem(rows, self._targets(y_val, fitted, "y_val"), weights, max_abs)

    def _train(self, problem, order, validation, loss, bound, state, monitor):
        """Run the epochs."""

        def learn(problem, order, state):
            row = self._learn(problem, order, loss, bound, state)
            if row is not None:
                raise self._divergence(problem, row, loss, bound, state)

        def evaluate(problem, state):
            return self._losses_of(problem, loss, bound, state).sum() / problem.weights.sum()

        return train(
            learn, evaluate, problem, order, validation, state, monitor,
            max_iter=self.max_iter,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            random_state=check_random_state(self.random_state) if self.shuffle else None,
        )  # fmt: skip

    def _losses_of(self, problem, loss, bound, state, **more):
        """The sum of the losses of rows, by head."""
        bits = bits_of(problem.rows.values)
        scores, _ = self._engine.scores(
            problem.rows, bits, self.n_features_in_, bound, state, n_jobs=self._n_threads(), **more
        )
        return self._engine.losses(scores, problem.targets, problem.weights, loss)

    def _cross_fit(self, problem, labels, loss, bound, begin, monitor):
        """As many epochs, and with that learner, as rows speak for that were held out."""
        random = check_random_state(self.random_state) if self.shuffle else None
        work = len(problem.rows.indices) * problem.targets.n_outputs

        def learn(order, bound, state):
            row = self._learn(problem, order, loss, bound, state)
            if row is not None:
                raise self._divergence(problem, row, loss, bound, state)

        def take(rows):
            return self._take(problem, rows)

        def judge(part, bound, state):
            return self._losses_of(part, loss, bound._replace(mixes=False), state, clips=True)

        def begin_with(learner=None):
            state = begin()
            if learner is None:
                return state
            return candidate_state(state, bound, learner, unstacked(bound, learner))

        models = Crossfit(
            learn, take, judge, begin_with, labels, problem.weights, max(1, work), bound, random
        )
        return models.run(monitor, self.max_iter)

    @accounted
    def _progressive_partial_fit(self, X, y, sample_weight=None, **begin):
        """``partial_fit`` that returns what the model said of each row before it learnt it.

        Scores of shape (n_rows, n_outputs); NaN for rows of weight zero.
        """
        if not self.__sklearn_is_fitted__():
            self._validate_params()
        scores = []
        self._partial_fit(X, y, sample_weight, scores=scores, **begin)
        return scores[0]

    def _partial_fit(
        self, X, y, sample_weight, *, bind=None, begin_state=None, scores=None, **begin
    ):
        """Learn the rows once, in order.

        ``bind`` and ``begin_state`` are given by a search, whose candidates share this estimator.
        The list ``scores`` receives those of the rows, each just before it is learnt.
        """
        with turn_of(self):
            self._settle()
            model, before = self._at_once(), vars(self)
            first = not model.__sklearn_is_fitted__()
            rows, n_features, max_abs, y, weights = model._checked(
                X, y, sample_weight, None if first else model._dtype
            )
            n_rows, dtype = len(weights), rows.values.dtype
            fitted = model._begin_partial_fit(y, **begin)
            learnt_weights, counts = model._weigh_in_passing(y, weights, fitted)
            problem = Problem(rows, model._targets(y, fitted), learnt_weights, max_abs)
            loss, bound = model._loss_for(fitted), (bind or model._rule)(dtype)
            if first:
                begin_state = begin_state or model._new_state
                state = begin_state(bound, n_features, dtype, problem.targets.n_outputs)
            else:
                model._check_width(n_features)
                model._check_outputs(problem.targets)
                state = own_state(adapted_state(model._state, model._bound, bound))
            seen = None if scores is None else np.full((n_rows, state.n_outputs), np.nan)
            pending = Pending(state.t, y, weights, learnt_weights, counts)
            ACCOUNT.tell = lambda: pending.account(state.t)
            self._commit(
                fitted | model._about_input(), _state=state, _bound=bound, _pending=pending
            )
            try:
                row = self._learn(
                    problem, np.arange(n_rows), loss, bound, state, refuses=True, scores=seen
                )
            except BaseException:
                if state.t == pending.t:  # nothing was learnt: as before
                    self.__dict__ = before
                raise
            self._settle()
        if row is not None:
            raise self._divergence(problem, row, loss, bound, state)
        if scores is not None:
            scores.append(seen)
        return self

    def _learn(self, problem, order, loss, bound, state, *, refuses=False, scores=None):
        """One pass. Returns None, or the row where numbers gave out.

        In parts, between which readers and interrupts have their turn.
        Candidates of a search are left out once their numbers give out; with ``refuses``, unless it
        is the row that is out of range.
        """
        learn = partial(
            self._engine.learn,
            problem.rows,
            targets=problem.targets,
            weights=problem.weights,
            loss=loss,
            bound=bound,
            state=state,
            fit_intercept=bool(self.fit_intercept),
            limit=largest_gradient(problem.rows.values.dtype, bound.largest_lr),
            max_abs=max(problem.max_abs, 1.0),
            drops=bound.n_candidates > 1,
            refuses=refuses or bound.mixes,
            scores=scores,
            has_unit=self._has_unit(loss),
            n_jobs=self._n_threads(),
        )
        work = len(problem.rows.indices) * state.n_heads / max(1, len(problem.weights))
        size = 1 + int(self._engine.entries_at_once / (1 + work))
        for first in range(0, len(order), size):
            part = order[first : first + size]
            if bound.times and (state.t ^ (state.t + len(part))) & MOST_ROWS:
                state.guard.change(partial(settle, bound, state))
            row = state.guard.change(partial(learn, part), of_twin=self._engine.learns_elsewhere)
            if row is not None:
                return row
        return None

    def _divergence(self, problem, row, loss, bound, state):
        t = 1 + state.t
        multiple = factor(bound.rule, t)
        if not 0 <= multiple < np.inf:
            return FloatingPointError(
                f"The schedule's factor({t}) is {multiple:g}: it must be finite and at least 0."
            )
        start, stop = problem.rows.indptr[row : row + 2]
        values = problem.rows.values[start:stop]
        values = self._engine.fetched(values) if isinstance(values, GpuArray) else values
        return divergence(problem, row, values, self.lr, loss)

    def _take(self, problem, chosen):
        """The ``chosen`` rows of a problem."""
        is_there = isinstance(problem.rows.values, GpuArray)
        take = self._engine.taken if is_there else take_rows
        rows = take(problem.rows, chosen, self.n_features_in_)
        return Problem(rows, problem.targets.take(chosen), problem.weights[chosen], problem.max_abs)
