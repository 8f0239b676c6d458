"""What both estimators share: from input to a trained state, and from there to attributes."""

import warnings
from abc import ABC, abstractmethod
from functools import partial

import numpy as np
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..engines import ENGINES
from ..formulas.rules import factor
from ..input.checks import check_rows, check_target, check_weights, take_rows
from ..input.rows import bits_of
from ..model.limits import largest_gradient
from ..model.state import adapted_state, copy_state, field, new_state, own_state, settle
from .calls import ACCOUNT, ALL, NOTHING, Pending, turn_of
from .divergence import check_finite_scores, divergence, scores_by_parts
from .monitor import Monitor
from .parameters import Parameters
from .saving import packed, unpacked
from .training import Problem, train

_INPUT = ("n_features_in_", "feature_names_in_")
_JUDGED = ("validation_loss_curve_", "best_n_iter_")
_MOST_ROWS = 2**31  # a record in float32 knows of 2**32; all are brought up to date before
_PART = 2**22  # entries times heads that are learnt between two moments for others


class BaseAdagrad(CallbackSupportMixin, Parameters, ABC):
    """Training and fitted attributes of both estimators."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def _engine(self):
        """Where the loops run."""
        return ENGINES["cpu"]

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
            self._commit(fitted, gone={*_JUDGED, *_INPUT} - {*fitted})
        if not outcome.converged:
            warnings.warn(
                f"Training stopped at max_iter={self.max_iter} epochs, before the loss stopped "
                f"improving by tol={self.tol:g}. Raise max_iter or lr, or set tol=None to train "
                "for a fixed number of epochs.",
                ConvergenceWarning,
                stacklevel=5,
            )
        return self

    def _trained(self, original, X, y, sample_weight, X_val, y_val, sample_weight_val):
        """The outcome of training, and the attributes of a fitted estimator."""
        warm = self.warm_start and self.__sklearn_is_fitted__()
        rows, n_features, max_abs = check_rows(
            self,
            X,
            reset=not warm,
            dtype=self._dtype if warm else None,
            inspect=self._engine.inspect,
        )
        if warm:
            self._check_width(n_features)
        n_rows, dtype = len(rows.indptr) - 1, rows.values.dtype
        y_seen = check_target(self, y, n_rows)
        weights = check_weights(sample_weight, n_rows)
        fitted, weights, targets, loss = self._prepared(y_seen, weights, warm)
        problem = Problem(rows, targets, weights, max_abs)
        order, validation = self._set_aside(
            problem, y_seen, fitted, X_val, y_val, sample_weight_val
        )
        bound = self._rule(dtype)
        if warm:
            self._check_outputs(problem.targets)
            state = copy_state(adapted_state(self._state, self._bound, bound))
        else:
            state = self._new_state(bound, n_features, dtype, problem.targets.n_outputs)
        fitted |= self._about_input() | {"_bound": bound}
        monitor = Monitor(original, X, y, sample_weight, fitted)
        outcome = self._train(problem, order, validation, loss, bound, state, monitor)
        fitted |= {
            "_state": outcome.state,
            "n_iter_": len(outcome.loss_curve),
            "loss_curve_": outcome.loss_curve,
        }
        if validation is not None:
            judged = outcome.validation_loss_curve, outcome.best_epoch
            fitted |= dict(zip(_JUDGED, judged, strict=True))
        return outcome, fitted

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

    def _check_width(self, n_features):
        """``n_features_in_`` runs ahead of the state while the estimator is being refitted."""
        size = self._state.n_features
        if n_features != size:
            raise ValueError(f"X has {n_features} features, but the model has {size} weights.")

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
            if not self.early_stopping:
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
            return usable[learnt], _take(problem, usable[judged], self.n_features_in_)
        if len(given) < 2:
            raise ValueError("X_val and y_val must be given together.")
        if not self.early_stopping:
            raise ValueError(
                "X_val and y_val are used for early stopping only: set early_stopping=True."
            )
        dtype = problem.rows.values.dtype
        rows, _, max_abs = check_rows(
            self, X_val, reset=False, dtype=dtype, inspect=self._engine.inspect, name="X_val"
        )
        n_rows = len(rows.indptr) - 1
        y_val = check_target(self, y_val, n_rows, "y_val")
        weights = check_weights(sample_weight_val, n_rows, "sample_weight_val")
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
            rows = problem.rows
            bits = bits_of(rows.values)
            scores, _ = self._engine.scores(rows, bits, self.n_features_in_, bound, state)
            return self._engine.mean_loss(scores, problem.targets, problem.weights, loss)

        return train(
            learn, evaluate, problem, order, validation, state, monitor,
            max_iter=self.max_iter,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            random_state=check_random_state(self.random_state) if self.shuffle else None,
        )  # fmt: skip

    def _partial_fit(self, X, y, sample_weight, *, bind=None, begin_state=None, **begin):
        """Learn the rows once, in order.

        ``bind`` and ``begin_state`` are given by a search, whose candidates share this estimator.
        """
        with turn_of(self):
            self._settle()
            model, before = self._at_once(), vars(self)
            first = not model.__sklearn_is_fitted__()
            rows, n_features, max_abs = check_rows(
                model,
                X,
                reset=first,
                dtype=None if first else model._dtype,
                inspect=self._engine.inspect,
            )
            n_rows, dtype = len(rows.indptr) - 1, rows.values.dtype
            y = check_target(model, y, n_rows)
            weights = check_weights(sample_weight, n_rows)
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
            pending = Pending(state.t, y, weights, learnt_weights, counts)
            ACCOUNT.tell = lambda: pending.account(state.t)
            self._commit(
                fitted | model._about_input(), _state=state, _bound=bound, _pending=pending
            )
            try:
                row = self._learn(problem, np.arange(n_rows), loss, bound, state, refuses=True)
            except BaseException:
                if state.t == pending.t:  # nothing was learnt: as before
                    self.__dict__ = before
                raise
            self._settle()
        if row is not None:
            raise self._divergence(problem, row, loss, bound, state)
        return self

    def _settle(self):
        """Count the rows of a call, also if it did not come to its end."""
        pending = vars(self).get("_pending")
        if pending is None:
            return
        done, counts = pending.done(self._state.t), pending.counts
        if counts and done < len(pending.y):
            passed = pending.y[:done], pending.weights[:done]
            _, counts = self._weigh_in_passing(*passed, vars(self))
        self._commit(counts, gone=["_pending"])

    def _learn(self, problem, order, loss, bound, state, *, refuses=False):
        """One pass. Returns None, or the row where numbers gave out.

        In parts of a few milliseconds, between which readers and interrupts have their turn.
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
            refuses=refuses,
        )
        work = len(problem.rows.indices) * state.n_heads / max(1, len(problem.weights))
        size = 1 + int(_PART / (1 + work))
        for first in range(0, len(order), size):
            part = order[first : first + size]
            if bound.times and (state.t ^ (state.t + len(part))) & _MOST_ROWS:
                state.guard.change(partial(settle, bound, state))
            row = state.guard.change(partial(learn, part))
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
        return divergence(problem, row, self.lr, loss)

    # --- fitted attributes ----------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_state")

    @property
    def _dtype(self):
        return self._state.dtype

    def _read(self, name, table):
        """Field ``name`` of all records of ``table`` ("weights" or "intercept"), a row per head."""
        model = self._at_once()
        model._check_has_state()
        if name != "weight" and name not in model._bound.start:
            raise AttributeError(
                f"{type(model._bound.base).__name__} keeps no {name} of a weight, only "
                f"{', '.join(model._bound.start)}."
            )
        return field(model._bound, self._engine.host(model._state), table, name)

    @property
    def t_(self) -> int:
        """Number of rows learnt so far; a row of weight zero does not count."""
        self._check_has_state()
        return self._state.t

    @property
    def progressive_loss_(self) -> float:
        """Weighted mean loss of all rows, each just before it was learnt; nan before the first."""
        self._check_has_state()
        state = self._state

        def mean():
            weight = state.totals["weight"][0]
            return float(state.losses[0].sum() / weight) if weight else float("nan")

        return state.guard.read(mean)

    def _check_has_state(self):
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet: call fit or partial_fit first."
            )

    def _scores(self, X, *, refuses=True):
        """Scores of shape (n_samples, n_heads); FloatingPointError if one is no number."""
        check_is_fitted(self)
        state, bound, scores = self._state, self._bound, None

        def inspect(rows, bits, n_features):
            nonlocal scores
            self._check_width(n_features)
            scores, verdict = state.guard.read(
                lambda: self._engine.scores(rows, bits, n_features, bound, state)
            )
            return verdict

        rows = check_rows(self, X, reset=False, dtype=state.dtype, inspect=inspect)[0]
        beyond = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(beyond):
            coef, intercept = (field(bound, state, each, "weight") for each in state.tables)
            chosen = take_rows(rows, beyond, coef.shape[1])
            scores[beyond] = scores_by_parts(chosen, coef, intercept)
            if refuses:
                check_finite_scores(scores[beyond], beyond, rows)
        return scores

    # --- other threads, interrupts, files -------------------------------------------------

    def _at_once(self):
        """This estimator as it is now: what is set or fitted from now on is not in it."""
        model = object.__new__(type(self))
        model.__dict__ = vars(self).copy()
        return model

    def _commit(self, learnt, gone=(), **more):
        """Let this be known, and what is ``gone`` no longer, all in one moment."""
        known = vars(self) | learnt | more
        for name in gone:
            known.pop(name, None)
        self.__dict__ = known

    def _about_input(self):
        return {name: vars(self)[name] for name in _INPUT if name in vars(self)}

    def __getstate__(self):
        model = self._at_once()
        if model.__sklearn_is_fitted__():
            vars(model).update(_state=copy_state(model._state), _bound=model._bound)
            model._settle()
        return packed(vars(model))

    def __setstate__(self, saved):
        self.__dict__ = unpacked(saved, type(self).__name__)


def _take(problem, chosen, n_features):
    """The ``chosen`` rows of a problem."""
    rows = take_rows(problem.rows, chosen, n_features)
    return Problem(rows, problem.targets.take(chosen), problem.weights[chosen], problem.max_abs)
