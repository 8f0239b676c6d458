"""Estimators as the driver sees them: they learn a chunk, and tell what they predicted before."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..estimators.base import BaseAdagrad
from ..formulas.losses import LogLoss
from .metrics import Chances, Labels, LogOdds, Numbers, Scores

_LEAST = np.finfo(np.float64).eps  # of a probability, as in scikit-learn's log_loss


class Predicted(NamedTuple):
    """What rows were predicted, for the metrics that suit it."""

    metrics: Any
    y: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    n_per_row: int = 1  # entries that belong to a row


def check_learner(estimator):
    """TypeError unless ``estimator`` can learn from a stream."""
    if not hasattr(estimator, "partial_fit"):
        raise TypeError(
            f"{estimator!r} has no partial_fit: it cannot learn from a stream. Of a pipeline, pass "
            "the estimator; readers take the hasher."
        )
    if not (is_classifier(estimator) or is_regressor(estimator)):
        raise TypeError(f"{estimator!r} is neither a classifier nor a regressor.")


def learn(estimator, X, y, sample_weight, given):
    """Let ``estimator`` learn a chunk; ``Predicted``, or None if it could not predict before.

    ``given`` is what else ``partial_fit`` takes.
    """
    weights = np.ones(n_rows_of(X))
    if sample_weight is not None:
        weights *= np.asarray(sample_weight, float)
    more = given if sample_weight is None else {**given, "sample_weight": sample_weight}
    if isinstance(estimator, BaseAdagrad):  # learning scores the rows anyway
        scores = estimator._progressive_partial_fit(X, y, **more)
        if sample_weight is not None:
            scores[weights == 0] = 0.0  # they have none
        return _of_scores(estimator, _dense(y), scores, weights)
    predicted = predicted_of(estimator, X, y, weights) if _is_fitted(estimator) else None
    estimator.partial_fit(X, y, **more)
    return predicted


def _of_scores(model, y, scores, weights):
    if is_regressor(model):
        return Predicted(_numbers(y), y, model._predictions(scores), weights)
    loss, n_heads = model._loss_for(vars(model)), scores.shape[1]
    if n_heads > 1 and not model._is_multilabel:
        codes = np.searchsorted(model.classes_, y.ravel())
        if hasattr(loss, "probability"):
            chances = model._probabilities(scores)
            return Predicted(Chances(n_heads), codes, chances, weights)
        return Predicted(Labels(), codes, scores.argmax(axis=1), weights)
    positive = y.ravel() == (1 if model._is_multilabel else model.classes_[1])
    scores = scores.ravel()
    weights = weights if n_heads == 1 else np.repeat(weights, n_heads)
    if hasattr(loss, "probability"):
        is_log_odds = isinstance(loss, LogLoss)
        log_odds = scores if is_log_odds else _log_odds(loss.probability(scores))
        return Predicted(LogOdds(), positive, log_odds, weights, n_heads)
    return Predicted(Scores(), positive, scores, weights, n_heads)


def predicted_of(estimator, X, y, weights=None):
    """What a fitted estimator predicts for rows; their weights are 1 by default."""
    y, weights = _dense(y), np.ones(n_rows_of(X)) if weights is None else weights
    if is_regressor(estimator):
        return Predicted(_numbers(y), y, estimator.predict(X), weights)
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(
            f"y has {y.shape[1]} columns: several labels can be judged of AdagradClassifier only."
        )
    y, classes = y.ravel(), np.asarray(estimator.classes_)
    codes = np.searchsorted(classes, y)
    if hasattr(estimator, "predict_proba"):
        chances = estimator.predict_proba(X)
        if len(classes) == 2:
            return Predicted(LogOdds(), codes, _log_odds(chances[:, 1]), weights)
        return Predicted(Chances(len(classes)), codes, chances, weights)
    if hasattr(estimator, "decision_function") and len(classes) == 2:
        return Predicted(Scores(), codes, estimator.decision_function(X), weights)
    return Predicted(Labels(), y, estimator.predict(X), weights)


def n_rows_of(X):
    """The number of rows."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _dense(y):
    return y.toarray() if issparse(y) else np.asarray(y)


def _numbers(y):
    """The metrics of numbers like these: seen from the first one, large ones lose no digits."""
    return Numbers(float(y.flat[0]) if y.size else 0.0)


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    except TypeError:  # it has no fit
        return any(name.endswith("_") for name in vars(estimator))
    return True


def _log_odds(chances):
    chances = np.clip(chances, _LEAST, 1.0 - _LEAST)
    return np.log(chances) - np.log1p(-chances)
