"""The regressor that searches while it learns."""

from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin, _fit_context

from ._regressor import AdagradRegressor
from ._search import BaseAdagradCV
from ._team import RegressorTeam
from ._types import Loss, MatrixLike, Rule


class AdagradRegressorCV(RegressorMixin, BaseAdagradCV):
    """TODO."""

    _plain = AdagradRegressor
    _team_of = RegressorTeam
    _fixed = ("loss", "lr_decay", "rule", "fit_intercept", "max_iter")

    _parameter_constraints: ClassVar[dict] = {
        **AdagradRegressor._parameter_constraints,
        **BaseAdagradCV._parameter_constraints,
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        *,
        lr: float | ArrayLike = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        eps: float | ArrayLike = 1e-10,
        lr_decay: float = 0.0,
        initial_accumulator_value: float | ArrayLike = 0.0,
        rule: str | Rule = "adagrad",
        alpha: float | ArrayLike = 0.0,
        l1_ratio: float | ArrayLike = 0.0,
        fit_intercept: bool = True,
        max_iter: int = 5,
        scoring=None,
        cv=None,
        refit=True,
        error_score=np.nan,
        candidates_per_pass: int | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.lr = lr
        self.eps = eps
        self.lr_decay = lr_decay
        self.initial_accumulator_value = initial_accumulator_value
        self.rule = rule
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.error_score = error_score
        self.candidates_per_pass = candidates_per_pass
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: MatrixLike, y: ArrayLike, **params) -> Self:
        return self._fit(X, y, params)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None) -> Self:
        return self._partial_fit(X, y, sample_weight=sample_weight)

    def _n_outputs(self, y):
        return y.shape[1] if y.ndim == 2 else 1
