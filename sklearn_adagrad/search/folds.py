"""Cross-validation of many candidates at once, with the results that GridSearchCV works with."""

import time
from traceback import format_exc
from typing import Any, NamedTuple

import numpy as np

from .._sklearn import _check_method_params, _safe_split, _score
from ..input.checks import check_rows, check_target, check_weights
from ..input.sealed import trusting


class Scoring(NamedTuple):
    """What scikit-learn makes of ``scoring`` and ``error_score``."""

    scorer: Any
    params: dict
    error_score: Any


class Folds:
    """Learns and scores the candidates of ``team``, in folds of the rows ``X``.

    ``per_pass`` candidates are learnt together, for ``max_iter`` epochs.
    """

    def __init__(self, team, X, y, sample_weight, scoring, *, max_iter, per_pass):
        self._team, self._X, self._y, self._scoring = team, X, y, scoring
        self._max_iter, self._per_pass = max_iter, per_pass
        estimator = team.estimator
        self._rows, self._n_features, self._max_abs = check_rows(
            estimator, X, reset=True, inspect=trusting(estimator._engine.inspect)
        )
        n_rows = len(self._rows.indptr) - 1
        self._targets = check_target(estimator, y, n_rows)
        self._weights = check_weights(sample_weight, n_rows)

    def check_memory(self, at_once, tests):
        """MemoryError if ``at_once`` folds with the rows ``tests`` to score would not fit."""
        every, estimator = np.arange(len(self._weights)), self._team.estimator
        fitted = estimator._begin_fit(self._targets, self._weights, False)
        self._team.check_memory(
            self._n_features,
            self._rows.values.dtype,
            estimator._targets(self._targets, fitted).n_outputs,
            per_pass=self._per_pass,
            at_once=at_once,
            n_test=max(len(every[test]) for test in tests),
        )

    def evaluate(self, train, test):
        """A result for every candidate, as scikit-learn's ``_fit_and_score`` has it."""
        X, y = _safe_split(self._team.estimator, self._X, self._y, test, train)
        given = _check_method_params(self._X, params=self._scoring.params, indices=test)
        parts = self._team.parts(self._per_pass)
        train = np.arange(len(self._weights))[train]  # indices of any kind, masks too
        return [result for team in parts for result in self._results(team, train, X, y, given)]

    def _results(self, team, train, X, y, given):
        scorer, _, error_score = self._scoring
        began = time.perf_counter()
        errors = self._errors(team, train)
        learnt = time.perf_counter()
        scores = None if all(errors) else team.scores(X)
        shared = {
            "n_test_samples": np.shape(y)[0],
            "fit_time": (learnt - began) / len(errors),
            "score_time": (time.perf_counter() - learnt) / len(errors),
        }
        for n, error in enumerate(errors):
            began = time.perf_counter()
            if error is None:
                member = team.member(n).with_scores(X, scores[:, team.columns(n)])
                result = _score(member, X, y, scorer, given, error_score)
            else:
                result = self._result_of_failure()
            score_time = shared["score_time"] + time.perf_counter() - began
            yield shared | {"fit_error": error, "test_scores": result, "score_time": score_time}

    def _errors(self, team, train):
        """Let the team learn; what went wrong with each candidate, or None."""
        try:
            team.learn(
                self._rows, self._n_features, self._max_abs, self._targets, self._weights, train,
                max_iter=self._max_iter,
            )  # fmt: skip
            errors = team.divergences()
        except (FloatingPointError, TypeError, ValueError):
            if self._scoring.error_score == "raise":
                raise
            return [format_exc()] * len(team.candidates)
        for error in filter(None, errors):
            if self._scoring.error_score == "raise":
                raise FloatingPointError(error)
        return errors

    def _result_of_failure(self):
        scorer, _, error_score = self._scoring
        names = getattr(scorer, "_scorers", None)  # of several metrics
        return dict.fromkeys(names, error_score) if names else error_score
