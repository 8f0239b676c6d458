"""A whole search in one pass: all candidates learn each row at once."""

import time
from abc import ABC
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csr_array, csr_matrix
from scipy.stats import rankdata
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._sklearn import (
    BaseSearchCV,
    Interval,
    _check_method_params,
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)
from .._types import MatrixLike
from ..estimators.calls import ACCOUNT, ALL, NOTHING, turn_of
from ..estimators.fitted import TRIES
from ..estimators.parameters import SEARCHED
from ..estimators.saving import packed, unpacked
from ..input.broken import refuse_broken
from ..input.checks import check_weights
from ..input.gpu import refuse_on_gpu
from .folds import Folds, Scoring
from .scoring import NegLogLoss
from .team import Team

_OF_STREAM = ("cv_results_", "best_index_", "best_params_", "best_score_")
_FITTED = (*_OF_STREAM, "n_splits_", "n_iter_", "multimetric_", "scorer_", "refit_time_", "_best",
           "_team")  # fmt: skip


class BaseAdagradCV(BaseSearchCV, ABC):
    """What the searches of both estimators share.

    After folds it has ``_best``, the best candidate; in a stream ``_team``, all of them.
    """

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
        plain = self._plain(**shared, tol=None)
        if get_config()["enable_metadata_routing"]:
            wanted = self._get_metadata_request().fit.requests["sample_weight"]
            plain.set_fit_request(sample_weight=wanted).set_score_request(sample_weight=wanted)
        return plain

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

    def _get_scorers(self):
        estimator = self.estimator
        if self.scoring is None and hasattr(estimator, "predict_proba"):
            return NegLogLoss(estimator), "score"
        return super()._get_scorers()

    # --- folds ----------------------------------------------------------------------------

    def _fit(self, X, y, sample_weight, params):
        with turn_of(self):
            fitted = self._search(X, y, sample_weight, params)
            ACCOUNT.tell = lambda: (
                ALL if vars(self).get("cv_results_") is fitted["cv_results_"] else NOTHING
            )
            self._remember(fitted)
        return self

    def _search(self, X, y, sample_weight, params):
        """What is known after a search."""
        estimator, candidates = self.estimator, self._candidates()
        scorer, metric = self._get_scorers()
        for each, name in ((X, "X"), (y, "y")):
            refuse_on_gpu(each, name)
            if (
                sparse.issparse(each) and each.ndim == 2
            ):  # scikit-learn converts it before anyone looks at it
                refuse_broken(each, name)
        X, y = indexable(X, y)
        if sample_weight is not None:
            params["sample_weight"] = check_weights(sample_weight, np.shape(X)[0])
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        unknown = set(routed.estimator.fit) - {"sample_weight"}
        if unknown:
            raise TypeError(f"fit got {sorted(unknown)}: it takes X, y, sample_weight and groups.")
        told = {"estimator": self, "X": X, "y": y, "metadata": params}
        context = self._init_callback_context(max_subtasks=1 + (self.refit is not False))
        context.call_on_fit_task_begin(**told)
        folds = Folds(
            Team(estimator, candidates), X, y, routed.estimator.fit.get("sample_weight"),
            Scoring(scorer, routed.scorer.score, self.error_score),
            max_iter=self.max_iter, per_pass=self.candidates_per_pass or len(candidates),
        )  # fmt: skip
        cv = check_cv(self.cv, y, classifier=is_classifier(estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        if not splits:
            raise ValueError(f"cv={self.cv!r} gives no split into training and test rows.")
        results = self._evaluate(folds, splits, context, told)
        _warn_or_raise_about_fit_failures(results, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(results, self.error_score)
        fitted = {
            "n_splits_": len(splits),
            "n_iter_": self.max_iter,
            "multimetric_": isinstance(results[0]["test_scores"], dict),
            "scorer_": getattr(scorer, "_scorers", scorer),
            "cv_results_": self._format_results(candidates, len(splits), results),
        }
        if callable(self.scoring) and fitted["multimetric_"]:
            self._check_refit_for_multimetric(results[0]["test_scores"])
            metric = self.refit
        if self.refit or not fitted["multimetric_"]:
            fitted |= self._best_of(fitted["cv_results_"], metric)
        if self.refit:
            task = context.subcontext(task_name="refit")
            best = clone(estimator).set_params(**fitted["best_params_"])
            with task.propagate_callback_context(best):
                task.call_on_fit_task_begin(**told)
                began = time.perf_counter()
                fitted["_best"] = best.fit(X, y, **routed.estimator.fit)
                fitted["refit_time_"] = time.perf_counter() - began
            task.call_on_fit_task_end(**told)
        context.call_on_fit_task_end(**told)
        return fitted

    def _evaluate(self, folds, splits, context, told):
        """The results of all folds: those of the first candidate, then those of the second, ..."""
        at_once = min(effective_n_jobs(self.n_jobs), len(splits))
        folds.check_memory(at_once, [test for _, test in splits])
        context = context.subcontext(
            task_name="folds", max_subtasks=len(splits), sequential_subtasks=False
        ).call_on_fit_task_begin(**told)

        def evaluate(n, train, test):
            task = context.subcontext(task_name="fold", task_id=n).call_on_fit_task_begin(**told)
            began = time.perf_counter()
            results = folds.evaluate(train, test)
            if self.verbose:
                seconds = time.perf_counter() - began
                print(f"Fold {n + 1} of {len(splits)}: {seconds:.1f} s\n", end="", flush=True)
            task.call_on_fit_task_end(**told)
            return results

        by_fold = Parallel(n_jobs=at_once, require="sharedmem")(
            delayed(evaluate)(n, train, test) for n, (train, test) in enumerate(splits)
        )
        context.call_on_fit_task_end(**told)
        return [result for of_candidate in zip(*by_fold, strict=True) for result in of_candidate]

    def _best_of(self, results, metric):
        index = self._select_best_index(self.refit, metric, results)
        best = {"best_index_": index, "best_params_": results["params"][index]}
        if not callable(self.refit):
            best["best_score_"] = results[f"mean_test_{metric}"][index]
        return best

    def _remember(self, fitted):
        """Let ``fitted`` be all that is known, in one moment."""
        known = {name: value for name, value in vars(self).items() if name not in _FITTED}
        self.__dict__ = known | fitted

    # --- streams --------------------------------------------------------------------------

    def _partial_fit(self, X, y, **given):
        with turn_of(self):
            candidates, estimator = self._candidates(), self.estimator
            scorer = self._get_scorers()[0]
            before, team = vars(self), vars(self).get("_team")
            if team is not None:
                team = team.resumed(estimator, candidates)
            elif self.__sklearn_is_fitted__():
                self.best_estimator_._partial_fit(X, y, **given)
                return self
            else:
                team = Team(estimator, candidates)
            t = team.t
            self._remember(
                {
                    "_team": team,
                    "scorer_": getattr(scorer, "_scorers", scorer),
                    "multimetric_": hasattr(scorer, "_scorers"),
                }
            )
            try:
                team.partial_fit(X, y, **given)
            except BaseException:
                if team.t == t:  # nothing was learnt: as before
                    self.__dict__ = before
                raise
        if np.isinf(team.progressive_losses).all():
            raise FloatingPointError(
                f"Training diverged with all candidates, {candidates[0]} among them. Search "
                "smaller values of lr, or scale the features."
            )
        return self

    def __getattr__(self, name):
        """In a stream, results are those of the rows learnt so far, at any moment."""
        if name in _OF_STREAM and "_team" in vars(self):
            return self._results_so_far()[name]
        return object.__getattribute__(self, name)  # with the error of a property, if it is one

    def _results_so_far(self):
        candidates, losses = self._team.candidates, self._team.progressive_losses
        ranked = np.where(np.isfinite(losses), losses, np.inf)
        index = int(ranked.argmin())
        results = {
            **_as_columns(candidates),
            "params": candidates,
            "progressive_loss": losses,
            "mean_test_score": -losses,
            "rank_test_score": rankdata(ranked, method="min").astype(np.int32),
        }
        values = results, index, candidates[index], -float(losses[index])
        return dict(zip(_OF_STREAM, values, strict=True))

    def _in_one_moment(self, taken):
        """What ``taken`` copies from a team that nobody lets learn meanwhile."""
        for _ in range(TRIES):
            team = self._team
            try:
                found = taken(team)
            except LookupError:  # another team has learnt rows with the same state
                continue
            if vars(self).get("_team") is team:  # every call has one of its own
                return found
        with turn_of(self):
            return taken(self._team)

    def __getstate__(self):
        known = packed(vars(self))
        if "_team" in known:
            known.pop("_team")
            known["_stream"] = self._in_one_moment(
                lambda team: (team.plain_estimator, team.candidates, team.whole())
            )
        return known

    def __setstate__(self, saved):
        known = unpacked(saved, type(self).__name__)
        if "_stream" in known:
            plain, candidates, estimator = known.pop("_stream")
            known["_team"] = Team(plain, candidates, estimator)
        self.__dict__ = known

    # --- the best candidate -----------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return hasattr(self, "cv_results_")

    @property
    def best_estimator_(self):
        """The best candidate; in a stream, a copy of the best so far."""
        if "_team" in vars(self):
            index = self.best_index_
            return self._in_one_moment(lambda team: team.plain(index))
        if "_best" in vars(self):
            return self._best
        raise AttributeError(
            f"This {type(self).__name__} has no best_estimator_: call fit with refit=True, or "
            "partial_fit."
        )

    def score(self, X: MatrixLike, y: ArrayLike | None = None, **params: Any) -> float:
        """The score of the best candidate, by ``scoring``.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            What is right.
        **params : dict of str -> object
            ``sample_weight``, a number or one for each row, for scorers that take it, and what
            scikit-learn's metadata routing takes.

        Returns
        -------
        score : float
            As of GridSearchCV; with several scores, that which ``refit`` names. Without
            ``scoring``, minus the log loss of classes with probabilities, else the ``score`` of
            the estimator.
        """
        if sparse.issparse(y) and y.ndim == 2:
            refuse_broken(y, "y")
        if get_config()["enable_metadata_routing"] and "_team" not in vars(self):
            return super().score(X, y, **params)
        check_is_fitted(self)
        if params.get("sample_weight") is not None:
            params["sample_weight"] = check_weights(params["sample_weight"], np.shape(X)[0])
        scorer = self.scorer_[self.refit] if isinstance(self.scorer_, dict) else self.scorer_
        score = scorer(self._predictor(), X, y, **params)
        return score[self.refit] if isinstance(score, dict) else score

    def _predictor(self):
        """The best candidate, without copying its weights."""
        check_is_fitted(self)
        if "_team" in vars(self):
            return self._team.member(self.best_index_)
        return self.best_estimator_

    @property
    def coef_(self) -> NDArray | csr_array | csr_matrix:
        """The weights of the best candidate, as the estimator gives them."""
        return self._predictor().coef_

    @property
    def intercept_(self) -> NDArray:
        """The intercepts of the best candidate."""
        return self._predictor().intercept_

    @property
    def n_features_in_(self):
        """Number of features."""
        return self._learnt("n_features_in_")

    @property
    def feature_names_in_(self):
        """Names of the features, if all names of the first input were strings."""
        return self._learnt("feature_names_in_")

    def _learnt(self, name):
        team = vars(self).get("_team")
        return getattr(self.best_estimator_ if team is None else team.estimator, name)

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


def _as_columns(candidates):
    """The parameters of the candidates as ``cv_results_`` has them: a masked array for each."""
    return {
        f"param_{name}": np.ma.array([each[name] for each in candidates], mask=False)
        for name in candidates[0]
    }
