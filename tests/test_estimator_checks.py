"""scikit-learn's own checks, on both estimators with their defaults and with other settings."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.losses import Huber

NO_REPETITION = "no online learner treats a weight of 2 as two visits to the row"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": NO_REPETITION,
    "check_sample_weight_equivalence_on_sparse_data": NO_REPETITION,
}
ESTIMATORS = [
    AdagradClassifier(),
    AdagradClassifier("hinge", lr=0.1, alpha=1e-4, early_stopping=True, validation_fraction=0.3),
    AdagradClassifier(
        "modified_huber", lr=0.1, class_weight="balanced", lr_decay=1e-3, shuffle=False
    ),
    AdagradClassifier("squared_hinge", lr=0.5, initial_accumulator_value=0.1, eps=0.0),
    AdagradRegressor(),
    AdagradRegressor("quantile", lr=0.1, early_stopping=True, initial_accumulator_value=0.1),
    AdagradRegressor(Huber(0.5), lr=1.0, eps=1e-3, fit_intercept=False),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda _: EXPECTED)
def test_estimator(estimator, check):
    check(estimator)
