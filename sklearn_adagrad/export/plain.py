"""Fitted models as estimators of scikit-learn."""

from copy import copy

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline

from .. import losses
from .linear import linear_of

_LOSSES = {
    losses.LogLoss: "log_loss",
    losses.SquaredHinge: "squared_hinge",
    losses.ModifiedHuber: "modified_huber",
    losses.Perceptron: "perceptron",
}


def to_sklearn(model: BaseEstimator) -> BaseEstimator:
    """A linear model of scikit-learn that predicts the same.

    For everything that knows scikit-learn's own estimators only. What it predicts is equal up to
    rounding: its sums are of the dtype of the model, ours are of float64.

    Parameters
    ----------
    model : AdagradClassifier, AdagradRegressor or Pipeline
        Fitted. A pipeline ends with one of these, and shares its other steps with the result.

    Returns
    -------
    plain : estimator
        Fitted, with ``coef_`` and ``intercept_`` that are copies of the dtype of the model, and
        its ``feature_names_in_``. Its hyper-parameters are scikit-learn's defaults; ``fit`` would
        train it anew.

        =======================================  ===================================================
        ``log_loss`` of two classes, or          :class:`~sklearn.linear_model.LogisticRegression`
        ``multi_class="multinomial"``
        other classifiers                        :class:`~sklearn.linear_model.SGDClassifier`
        several labels                           :class:`~sklearn.multiclass.OneVsRestClassifier` of
                                                 one of these for each
        ``poisson``, ``gamma``, ``tweedie``      :class:`~sklearn.linear_model.PoissonRegressor`,
                                                 ``GammaRegressor``, ``TweedieRegressor``; of
                                                 several targets a
                                                 :class:`~sklearn.multioutput.MultiOutputRegressor`
        other regressors                         :class:`~sklearn.linear_model.LinearRegression`
        =======================================  ===================================================

        A loss of your own without ``probability`` or ``prediction`` is one of scores alone, an
        ``SGDClassifier(loss="hinge")`` or ``LinearRegression``.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    ValueError
        If it is another estimator, or its loss is your own and has a ``probability`` or
        ``prediction``.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_adagrad import AdagradClassifier
    >>> from sklearn_adagrad.export import to_sklearn
    >>> X, y = make_classification(random_state=0)
    >>> model = AdagradClassifier(random_state=0).fit(X, y)
    >>> plain = to_sklearn(model)
    >>> plain
    LogisticRegression()
    >>> bool((abs(plain.predict_proba(X) - model.predict_proba(X)) < 1e-12).all())
    True
    """
    if isinstance(model, Pipeline):
        pipeline, (name, last) = copy(model), model.steps[-1]
        pipeline.steps = [*model.steps[:-1], (name, to_sklearn(last))]
        return pipeline
    linear = linear_of(model)
    plain = _regressor(linear) if linear.classes is None else _classifier(linear)
    return _seen(plain, model)


def _classifier(linear):
    classes = linear.classes
    if not linear.has_columns:
        return _weighted(_of_classes(linear), linear.coef, linear.intercept)
    one = linear._replace(classes=np.arange(2))
    labels = np.array([np.zeros(len(classes), int), np.ones(len(classes), int)])
    plain = OneVsRestClassifier(LogisticRegression()).fit(np.zeros((2, 1)), labels)
    plain.estimator = clone(_of_classes(one))
    plain.estimators_ = [_of_classes(one) for _ in classes]
    return _weighted_each(plain, linear.coef[:, np.newaxis], linear.intercept[:, np.newaxis])


def _of_classes(linear):
    """An estimator whose scores mean the same."""
    labels = np.tile(linear.classes, 3)  # several rows for each: else they look like numbers
    zeros = np.zeros((len(labels), 1))
    is_logistic = linear.link == "logistic" and len(linear.classes) == 2
    if is_logistic or linear.link == "softmax":
        return LogisticRegression().fit(zeros, labels)
    loss = _LOSSES.get(type(linear.loss), "hinge")
    return SGDClassifier(loss=loss).partial_fit(zeros, labels, classes=labels)


def _regressor(linear):
    coef, intercept, loss, zero = linear.coef, linear.intercept, linear.loss, np.zeros((1, 1))
    if linear.link is None:
        of_all = (coef, intercept) if linear.has_columns else (coef[0], intercept[0])
        return _weighted(LinearRegression().fit(zero, zero), *of_all)
    if isinstance(loss, losses.Tweedie):
        plain = TweedieRegressor(power=loss.power, link="log")
    else:
        plain = PoissonRegressor() if isinstance(loss, losses.Poisson) else GammaRegressor()
    if not linear.has_columns:
        return _weighted(plain.fit(zero, [1.0]), coef[0], intercept[0])
    plain = MultiOutputRegressor(plain).fit(zero, np.ones((1, len(coef))))
    return _weighted_each(plain, coef, intercept)


# Estimators are fitted to a column of zeros first: so they have all that a fitted one has.


def _weighted(plain, coef, intercept):
    plain.coef_, plain.intercept_ = coef.copy(), intercept.copy()
    return plain


def _weighted_each(plain, coefs, intercepts):
    """One of several estimators for each output."""
    for each, coef, intercept in zip(plain.estimators_, coefs, intercepts, strict=True):
        _weighted(each, coef, intercept)
    return plain


def _seen(plain, model):
    """With the number of features that ``model`` saw, and their names if it saw any."""
    for each in [plain, *vars(plain).get("estimators_", [])]:
        each.n_features_in_ = model.n_features_in_
        if hasattr(model, "feature_names_in_"):
            each.feature_names_in_ = model.feature_names_in_.copy()
    return plain
