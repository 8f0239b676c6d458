"""What both estimators share: from input to a trained state, and from there to attributes."""

import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager

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
from ..model.state import adapted_state, copy_state, field, new_state, own_state
from .divergence import divergence
from .monitor import Monitor
from .parameters import Parameters
from .training import Problem, train


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
        with _as_before_on_error(self):
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
            monitor = Monitor(self, X, y, sample_weight, fitted | {"_bound": bound})
            outcome = self._train(problem, order, validation, loss, bound, state, monitor)
        fitted |= {
            "_state": outcome.state,
            "_bound": bound,
            "n_iter_": len(outcome.loss_curve),
            "loss_curve_": outcome.loss_curve,
        }
        judged = {
            "validation_loss_curve_": outcome.validation_loss_curve,
            "best_n_iter_": outcome.best_epoch,
        }
        for name in judged:
            vars(self).pop(name, None)
        vars(self).update(fitted, **(judged if validation is not None else {}))
        if not outcome.converged:
            warnings.warn(
                f"Training stopped at max_iter={self.max_iter} epochs, before the loss stopped "
                f"improving by tol={self.tol:g}. Raise max_iter or lr, or set tol=None to train "
                "for a fixed number of epochs.",
                ConvergenceWarning,
                stacklevel=4,
            )
        return self

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
        bind, begin_state = bind or self._rule, begin_state or self._new_state
        with _as_before_on_error(self):
            first = not self.__sklearn_is_fitted__()
            rows, n_features, max_abs = check_rows(
                self,
                X,
                reset=first,
                dtype=None if first else self._dtype,
                inspect=self._engine.inspect,
            )
            n_rows, dtype = len(rows.indptr) - 1, rows.values.dtype
            y = check_target(self, y, n_rows)
            weights = check_weights(sample_weight, n_rows)
            fitted = self._begin_partial_fit(y, **begin)
            learnt_weights, counts = self._weigh_in_passing(y, weights, fitted)
            problem = Problem(rows, self._targets(y, fitted), learnt_weights, max_abs)
            loss, bound = self._loss_for(fitted), bind(dtype)
            if first:
                state = begin_state(bound, n_features, dtype, problem.targets.n_outputs)
            else:
                self._check_width(n_features)
                self._check_outputs(problem.targets)
                state = own_state(adapted_state(self._state, self._bound, bound))
            try:
                row = self._learn(problem, np.arange(n_rows), loss, bound, state)
            except BaseException as error:
                error.add_note("Rows of this call may have been learnt before it was interrupted.")
                raise
        if row is not None:
            _, counts = self._weigh_in_passing(y[:row], weights[:row], fitted)
        vars(self).update(fitted | counts, _state=state, _bound=bound)
        if row is not None:
            raise self._divergence(problem, row, loss, bound, state)
        return self

    def _learn(self, problem, order, loss, bound, state):
        """One pass. Returns None, or the row where numbers gave out."""
        return self._engine.learn(
            problem.rows,
            order,
            problem.targets,
            problem.weights,
            loss,
            bound,
            state,
            fit_intercept=bool(self.fit_intercept),
            limit=largest_gradient(problem.rows.values.dtype, bound.largest_lr),
            max_abs=max(problem.max_abs, 1.0),
            drops=bound.n_candidates > 1,
        )

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
        """Field ``name`` of every record of ``table`` ("cells" or "intercept"), a row per head."""
        self._check_has_state()
        if name != "weight" and name not in self._bound.start:
            raise AttributeError(
                f"{type(self._bound.base).__name__} keeps no {name} of a weight, only "
                f"{', '.join(self._bound.start)}."
            )
        return field(self._bound, self._engine.host(self._state), table, name)

    @property
    def t_(self) -> int:
        """Number of rows learnt so far; a row of weight zero does not count."""
        self._check_has_state()
        return self._state.t

    @property
    def progressive_loss_(self) -> float:
        """Weighted mean loss of all rows, each just before it was learnt; nan before the first."""
        self._check_has_state()
        weight = self._state.totals["weight"][0]
        return float(self._state.losses[0].sum() / weight) if weight else float("nan")

    def _check_has_state(self):
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet: call fit or partial_fit first."
            )

    def _scores(self, X):
        """Scores of shape (n_samples, n_heads)."""
        check_is_fitted(self)
        scores = None

        def inspect(rows, bits, n_features):
            nonlocal scores
            self._check_width(n_features)
            scores, verdict = self._engine.scores(rows, bits, n_features, self._bound, self._state)
            return verdict

        check_rows(self, X, reset=False, dtype=self._dtype, inspect=inspect)
        return scores


def _take(problem, chosen, n_features):
    """The ``chosen`` rows of a problem."""
    rows = take_rows(problem.rows, chosen, n_features)
    return Problem(rows, problem.targets.take(chosen), problem.weights[chosen], problem.max_abs)


@contextmanager
def _as_before_on_error(estimator):
    """Undo what input validation noted on ``estimator`` if the call fails after all."""
    names = ("n_features_in_", "feature_names_in_")
    before = {name: vars(estimator)[name] for name in names if name in vars(estimator)}
    try:
        yield
    except BaseException:
        for name in names:
            vars(estimator).pop(name, None)
        vars(estimator).update(before)
        raise
