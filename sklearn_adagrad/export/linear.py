"""What a fitted model computes: the one place where it is read."""

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from .. import AdagradClassifier, AdagradRegressor, losses

_LINKS = {
    losses.LogLoss: "logistic",
    losses.ModifiedHuber: "clipped",
    losses.Poisson: "exponential",
    losses.Gamma: "exponential",
    losses.Tweedie: "exponential",
}


class Linear(NamedTuple):
    """Scores are ``X @ coef.T + intercept``, and ``link`` makes predictions of them."""

    coef: np.ndarray  # of shape (n_outputs, n_features)
    intercept: np.ndarray  # of shape (n_outputs,), of the same dtype
    link: str | None  # "softmax" or one of the above; None: scores are all there is
    loss: Any
    classes: np.ndarray | None  # None for a regressor
    has_columns: bool  # whether predictions have a column for each label or target


def linear_of(model, *, raw_scores=False):
    """The ``Linear`` of a fitted estimator, without a link for ``raw_scores``."""
    if not isinstance(model, AdagradClassifier | AdagradRegressor):
        raise ValueError(
            f"{type(model).__name__} cannot be exported, only a fitted AdagradClassifier or "
            "AdagradRegressor, or a Pipeline that ends with one. Of a search, give its "
            "best_estimator_."
        )
    check_is_fitted(model)
    coef, intercept, loss = model.coef_, model.intercept_, model._loss()
    coef = np.atleast_2d(coef.toarray() if issparse(coef) else coef)
    link = None if raw_scores else _link_of(loss, model)
    if isinstance(model, AdagradRegressor):
        return Linear(coef, intercept, link, loss, None, model._n_targets is not None)
    intercept = intercept + np.log(model.negatives_kept).astype(intercept.dtype)
    if link == "logistic" and model.multi_class == "multinomial" and len(model.classes_) > 2:
        link = "logistic" if model._is_multilabel else "softmax"
    return Linear(coef, intercept, link, loss, model.classes_, model._is_multilabel)


def _link_of(loss, model):
    link = _LINKS.get(type(loss))
    method, scores = ("probability", "hinge")
    if isinstance(model, AdagradRegressor):
        method, scores = ("prediction", "squared_error")
    if link is None and hasattr(loss, method):
        raise ValueError(
            f"loss={loss!r} has a method {method}(score) of its own, which cannot be exported: "
            f"set_params(loss={scores!r}) leaves a model of the same scores without it."
        )
    return link
