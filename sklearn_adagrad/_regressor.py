"""The regressor: targets, and the inverse of the link function."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.model_selection import ShuffleSplit

from ._base import BaseAdagrad, _fit_context, loss_options
from .kernels.losses import REGRESSION


class AdagradRegressor(RegressorMixin, BaseAdagrad):
    """TODO."""

    _parameter_constraints = {
        "loss": loss_options(REGRESSION),
        **BaseAdagrad._parameter_constraints,
    }
    _losses = REGRESSION

    def __init__(
        self,
        loss="squared_error",
        *,
        lr=0.1,
        eps=1e-10,
        lr_decay=0.0,
        initial_accumulator_value=0.0,
        rule="adagrad",
        fit_intercept=True,
        max_iter=100,
        tol=1e-3,
        n_iter_no_change=5,
        shuffle=True,
        early_stopping=False,
        validation_fraction=0.1,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.lr = lr
        self.eps = eps
        self.lr_decay = lr_decay
        self.initial_accumulator_value = initial_accumulator_value
        self.rule = rule
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        return self._partial_fit(X, y, sample_weight)

    def _begin_fit(self, y, weights, warm):
        return {}

    def _begin_partial_fit(self):
        return {}

    def _n_heads(self, fitted):
        return 1

    def _targets(self, y, fitted):
        y = np.ascontiguousarray(y, dtype=np.float64)
        loss = self._loss()
        if hasattr(loss, "check_target"):
            loss.check_target(y)
        return (y,)

    def _splitter(self):
        return ShuffleSplit(
            n_splits=1, test_size=self.validation_fraction, random_state=self.random_state
        )

    def predict(self, X):
        scores = self._scores(X)[:, 0]
        loss = self._loss()
        return loss.prediction(scores) if hasattr(loss, "prediction") else scores

    @property
    def coef_(self):
        return self._read("weight", "cells")[0]

    @property
    def intercept_(self):
        return self._read("weight", "intercept")[0]

    @property
    def accumulator_(self):
        return self._read("accumulator", "cells")[0]
