"""Metadata routing: weights and classes reach the model through scikit-learn's meta-estimators."""

import numpy as np
import pytest
import sklearn
from common import ROWS, bits, every_estimator, first_call, small_data
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline

from sklearn_adagrad import AdagradClassifier, AdagradRegressor

SETTINGS = {"lr": 0.1, "max_iter": 3, "tol": None, "random_state": 0}
WEIGHTS = np.arange(ROWS) % 3 * 1.0


@pytest.fixture(autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@every_estimator
def test_weights_through_a_pipeline_and_a_search(estimator):
    X, y = small_data()
    model = estimator(**SETTINGS).set_fit_request(sample_weight=True)
    model.set_score_request(sample_weight=True)
    search = GridSearchCV(Pipeline([("model", model)]), {"model__lr": [0.1]}, cv=2)
    search.fit(X, y, sample_weight=WEIGHTS)
    direct = estimator(**SETTINGS).fit(X, y, sample_weight=WEIGHTS)
    assert bits(search.best_estimator_[-1]) == bits(direct)
    assert bits(direct) != bits(estimator(**SETTINGS).fit(X, y))


@every_estimator
def test_weights_that_are_not_asked_for_stay_away(estimator):
    X, y = small_data()
    model = estimator(**SETTINGS).set_fit_request(sample_weight=False)
    model.set_score_request(sample_weight=True)
    found = cross_validate(
        model, X, y, cv=2, params={"sample_weight": WEIGHTS}, return_estimator=True
    )
    half = np.arange(ROWS) >= ROWS // 2
    if estimator is AdagradRegressor:  # whose folds are the halves
        direct = estimator(**SETTINGS).fit(X[half], y[half])
        assert bits(found["estimator"][0]) == bits(direct)
    assert np.isfinite(found["test_score"]).all()
    model = estimator(**SETTINGS)
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        cross_validate(model, X, y, params={"sample_weight": WEIGHTS}, error_score="raise")


@every_estimator
def test_validation_rows_and_their_weights_can_be_asked_for(estimator):
    X, y = small_data()
    X_val, y_val = small_data(2)
    model = estimator(early_stopping=True, **SETTINGS)
    model.set_fit_request(X_val=True, y_val=True, sample_weight_val=True)
    pipeline = Pipeline([("model", model)])
    more = {"X_val": X_val, "y_val": y_val, "sample_weight_val": WEIGHTS}
    pipeline.fit(X, y, **more)
    direct = estimator(early_stopping=True, **SETTINGS).fit(X, y, **more)
    assert bits(pipeline[-1]) == bits(direct)
    assert pipeline[-1].validation_loss_curve_ == direct.validation_loss_curve_


@every_estimator
def test_requests_of_partial_fit(estimator):
    wanted = {"sample_weight", *first_call(estimator)}
    requests = estimator().get_metadata_routing().partial_fit.requests
    assert set(requests) == wanted
    model = estimator().set_partial_fit_request(sample_weight=True)
    assert model.get_metadata_routing().partial_fit.requests["sample_weight"] is True


def test_requests_of_fit():
    requests = AdagradClassifier().get_metadata_routing().fit.requests
    assert set(requests) == {"sample_weight", "X_val", "y_val", "sample_weight_val"}
