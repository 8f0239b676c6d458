"""A whole search in one pass: all candidates learn each row at once."""

import time
from abc import ABC, abstractmethod
from numbers import Integral, Real
from traceback import format_exc
from typing import ClassVar

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.base import is_classifier
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.model_selection._search import BaseSearchCV, _yield_masked_array_for_each_param
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import indexable
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import _check_method_params, check_is_fitted

from ._memory import check_memory
from ._parameters import SEARCHED
from ._rules import stacked
from ._state import record_dtype
from ._types import MatrixLike
from ._validation import check_rows, check_target, check_weights


class BaseAdagradCV(BaseSearchCV, ABC):
    """What the searches of both estimators share."""

    _parameter_constraints: ClassVar[dict] = {
        **{name: [Interval(Real, 0, None, closed="left"), "array-like"] for name in SEARCHED},
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "candidates_per_pass": [Interval(Integral, 1, None, closed="left"), None],
        **{
            name: BaseSearchCV._parameter_constraints[name]
            for name in ("scoring", "cv", "n_jobs", "refit", "error_score", "verbose")
        },
    }
    return_train_score = False
    _plain: ClassVar[type]
    _team_of: ClassVar[type]
    _fixed: ClassVar[tuple]  # the parameters that all candidates share

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags = self.estimator.__sklearn_tags__().target_tags
        return tags

    @property
    def estimator(self):
        """What is searched over, without the parameters that are."""
        shared = {name: getattr(self, name) for name in self._fixed}
        shared |= {name: getattr(self, name) for name in SEARCHED if not self._is_list(name)}
        return self._plain(**shared, shuffle=False, tol=None)

    def _is_list(self, name):
        return np.ndim(getattr(self, name)) == 1

    def _candidates(self):
        """The parameters of each candidate, in the order of ``ParameterGrid``."""
        lists = {}
        for name in filter(self._is_list, SEARCHED):
            values = getattr(self, name)
            lists[name] = values.tolist() if isinstance(values, np.ndarray) else list(values)
            if not lists[name]:
                raise ValueError(f"{name} is empty: it must be a number or a list of numbers.")
            for value in lists[name]:
                if not isinstance(value, Real) or isinstance(value, bool):
                    raise TypeError(f"{name} has {value!r}, which is not a number.")
        return list(ParameterGrid(lists))

    # --- folds ----------------------------------------------------------------------------

    def _fit(self, X, y, params):
        candidates, estimator = self._candidates(), self.estimator
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        unknown = set(routed.estimator.fit) - {"sample_weight"}
        if unknown:
            raise TypeError(f"fit got {sorted(unknown)}: it takes X, y, sample_weight and groups.")
        told = {"estimator": self, "X": X, "y": y, "metadata": params}
        context = self._init_callback_context(max_subtasks=1 + (self.refit is not False))
        context.call_on_fit_task_begin(**told)
        cv = check_cv(self.cv, y, classifier=is_classifier(estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        if not splits:
            raise ValueError(f"cv={self.cv!r} gives no split into training and test rows.")

        base = self._team_of.of(estimator, candidates)
        rows, n_features, peak = check_rows(base, X, reset=True)
        n_rows = len(rows.indptr) - 1
        seen = check_target(base, y, n_rows)
        weights = check_weights(routed.estimator.fit.get("sample_weight"), n_rows)
        size = self.candidates_per_pass or len(candidates)
        parts = [candidates[n : n + size] for n in range(0, len(candidates), size)]
        n_threads = min(effective_n_jobs(self.n_jobs), len(splits))
        self._check_memory(base, parts[0], seen, n_features, rows.values.dtype, n_threads)
        searching = context.subcontext(
            task_name="search", max_subtasks=len(splits), sequential_subtasks=False
        ).call_on_fit_task_begin(**told)

        def evaluate(n, train, test):
            task = searching.subcontext(task_name="fold", task_id=n).call_on_fit_task_begin(**told)
            X_test, y_test = _safe_split(estimator, X, y, test, train)
            given = _check_method_params(X, params=routed.scorer.score, indices=test)
            began, out = time.perf_counter(), []
            for part in parts:
                team = self._team_of.of(estimator, part)
                vars(team).update(base._learnt())
                learn = (rows, n_features, peak, seen, weights, np.asarray(train), self.max_iter)
                out += self._learn_and_score(team, learn, X_test, y_test, scorers, given)
            if self.verbose:
                seconds = time.perf_counter() - began
                print(f"Fold {n + 1} of {len(splits)}: {seconds:.1f} s", flush=True)
            task.call_on_fit_task_end(**told)
            return out

        by_fold = Parallel(n_jobs=n_threads, require="sharedmem")(
            delayed(evaluate)(n, train, test) for n, (train, test) in enumerate(splits)
        )
        searching.call_on_fit_task_end(**told)
        out = [fold[n] for n in range(len(candidates)) for fold in by_fold]
        _warn_or_raise_about_fit_failures(out, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(out, self.error_score)
        results = self._format_results(candidates, len(splits), out)

        for name in ("best_index_", "best_params_", "best_score_", "_best", "_team"):
            vars(self).pop(name, None)
        self.n_splits_ = len(splits)
        self.multimetric_ = isinstance(out[0]["test_scores"], dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(out[0]["test_scores"])
            refit_metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = candidates[self.best_index_]
        if self.refit:
            best = estimator.set_params(**self.best_params_)
            task = context.subcontext(task_name="refit")
            with task.propagate_callback_context(best):
                task.call_on_fit_task_begin(**told)
                began = time.perf_counter()
                self._best = best.fit(X, y, **routed.estimator.fit)
                self.refit_time_ = time.perf_counter() - began
            task.call_on_fit_task_end(**told)
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        self.cv_results_ = results
        context.call_on_fit_task_end(**told)
        return self

    def _learn_and_score(self, team, learn, X_test, y_test, scorers, given):
        """What ``_format_results`` needs to know of every candidate of the team."""
        began = time.perf_counter()
        errors = [None] * len(team._candidates)
        try:
            team.learn(*learn)
        except Exception:
            if self.error_score == "raise":
                raise
            errors = [format_exc()] * len(team._candidates)
        else:
            errors = self._divergences(team)
        learnt = time.perf_counter() - began
        began = time.perf_counter()
        scores = None if all(errors) else team._scores(X_test)
        scored = time.perf_counter() - began
        out = []
        for n, error in enumerate(errors):
            began = time.perf_counter()
            if error is None:
                member = team.member(n).knows(X_test, scores[:, team.columns(n)])
                result = _score(member, X_test, y_test, scorers, given, self.error_score)
            else:
                names = getattr(scorers, "_scorers", None)
                result = dict.fromkeys(names, self.error_score) if names else self.error_score
            out.append(
                {
                    "fit_error": error,
                    "test_scores": result,
                    "n_test_samples": len(y_test),
                    "fit_time": learnt / len(errors),
                    "score_time": scored / len(errors) + time.perf_counter() - began,
                }
            )
        return out

    def _divergences(self, team):
        errors = []
        for candidate, loss in zip(team._candidates, team.progressive_losses, strict=True):
            error = None
            if not np.isfinite(loss):
                error = (
                    f"Training diverged with {candidate}: a score or a gradient is out of range "
                    f"for {team._dtype}. Lower lr, or scale the features."
                )
                if self.error_score == "raise":
                    raise FloatingPointError(error)
            errors.append(error)
        return errors

    def _check_memory(self, team, candidates, y, n_features, dtype, n_threads):
        n_heads = len(candidates) * self._n_outputs(y)
        bound = stacked(team._rules(dtype)[: len(candidates)])
        check_memory(
            n_threads * n_features * record_dtype(bound, dtype, n_heads).itemsize,
            f"A search with {len(candidates)} candidates in each pass",
            "Set candidates_per_pass to less, n_jobs to 1, or hash the features to fewer columns.",
        )

    @abstractmethod
    def _n_outputs(self, y):
        """How many heads a candidate has."""

    # --- streams --------------------------------------------------------------------------

    def _partial_fit(self, X, y, **given):
        candidates, estimator = self._candidates(), self.estimator
        team = vars(self).get("_team")
        if team is None:
            if self.__sklearn_is_fitted__():
                raise ValueError(
                    f"This {type(self).__name__} was fitted with folds. Go on with "
                    "best_estimator_.partial_fit, or begin a stream with a new one."
                )
            team = self._team_of.of(estimator, candidates)
            self._before_stream(team, X, y, **given)
        if candidates != team._candidates:
            raise ValueError(
                "The candidates cannot change during a stream: begin a new one with a new "
                f"{type(self).__name__}."
            )
        team.set_params(**estimator.get_params(deep=False))
        team._plain = estimator
        team.partial_fit(X, y, **given)
        losses = team.progressive_losses
        self._team, self._best_so_far = team, None
        self.scorer_, self.multimetric_ = self._get_scorers()[0], False
        best = np.where(np.isfinite(losses), losses, np.inf)
        self.best_index_ = int(best.argmin())
        self.best_params_ = candidates[self.best_index_]
        self.best_score_ = -float(losses[self.best_index_])
        self.cv_results_ = {
            **dict(_yield_masked_array_for_each_param(candidates)),
            "params": candidates,
            "mean_test_score": -losses,
            "rank_test_score": rankdata(best, method="min").astype(np.int32),
        }
        if not np.isfinite(best).any() and not np.isnan(losses).any():
            raise FloatingPointError(
                f"Training diverged with every candidate: {candidates}. Search smaller values of "
                "lr, or scale the features."
            )
        return self

    def _before_stream(self, team, X, y, **given):
        """Say how much memory it takes, where the input tells."""
        shape = np.shape(X)
        if len(shape) == 2 and np.ndim(y) in (1, 2):
            dtype = np.dtype(np.float32 if getattr(X, "dtype", None) == np.float32 else np.float64)
            classes = given.get("classes")
            y = np.asarray(y) if classes is None else np.asarray(classes)
            self._check_memory(team, team._candidates, y, shape[1], dtype, 1)

    # --- the best candidate -----------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return "cv_results_" in vars(self)

    @property
    def best_estimator_(self):
        """The best candidate; in a stream, a copy of the best so far."""
        if "_best" in vars(self):
            return self._best
        if "_team" not in vars(self):
            raise AttributeError(
                f"This {type(self).__name__} has no best_estimator_: call fit with refit=True, or "
                "partial_fit."
            )
        if self._best_so_far is None:
            self._best_so_far = self._team.plain(self.best_index_)
        return self._best_so_far

    def _predictor(self):
        """The best candidate, without copying its weights."""
        check_is_fitted(self)
        if "_team" in vars(self):
            return self._team.member(self.best_index_)
        return self.best_estimator_

    @property
    def n_features_in_(self):
        """Number of features."""
        return self._learnt("n_features_in_")

    @property
    def feature_names_in_(self):
        """Names of the features, if all names of the first input were strings."""
        return self._learnt("feature_names_in_")

    def _learnt(self, name):
        return getattr(vars(self).get("_team") or self.best_estimator_, name)

    def predict(self, X: MatrixLike) -> NDArray:
        """Predictions of the best candidate.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        predictions : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As those of the estimator that was searched over.
        """
        return self._predictor().predict(X)
