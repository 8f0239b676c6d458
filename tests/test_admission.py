"""Features that are learnt only once they have occurred often enough."""

import numpy as np
import pytest
from common import bits, every_dtype, random_rows, stream
from test_own_rules import RMSProp

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor, optim
from sklearn_adagrad.rules import Adagrad, Admission, Averaged, WeightDecay


def regressor(occurrences, rule="adagrad", **parameters):
    return AdagradRegressor(rule=Admission(rule, occurrences), lr=0.5, **parameters)


def seen(model):
    return model._state.tables["weights"]["seen"]


@every_dtype
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_by_hand(dtype, n_outputs):
    """The third row of a feature is the first that it learns; the intercept learns them all."""
    X, y = np.eye(3, dtype=dtype)[[0, 0, 1, 0, 1]], np.ones((5, n_outputs))
    y = y if n_outputs > 1 else y[:, 0]
    model = regressor(3, initial_accumulator_value=0.25)
    for n in range(1, 4):
        model.partial_fit(X[[n - 1]], y[[n - 1]])
        assert not model.coef_.any()
        assert (model.accumulator_ == 0.25).all()
        assert (model.intercept_ > 0.1 * n).all()
    g = model.predict(X[[3]]).ravel()[0] - 1.0
    model.partial_fit(X[3:], y[3:])
    coef, accumulator = np.atleast_2d(model.coef_), np.atleast_2d(model.accumulator_)
    np.testing.assert_allclose(accumulator[:, 0], 0.25 + g**2, rtol=1e-6)
    np.testing.assert_allclose(coef[:, 0], -0.5 * g / np.sqrt(0.25 + g**2), rtol=1e-6)
    assert not coef[:, 1:].any()
    assert (accumulator[:, 1:] == 0.25).all()


@pytest.mark.parametrize("rule", [Adagrad(), "ftrl"])
def test_the_first_occurrence_is_the_rule_within(rule):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60, 10), rng.standard_normal(60)
    model, plain = regressor(1, rule), AdagradRegressor(rule=rule, lr=0.5)
    np.testing.assert_allclose(
        model.partial_fit(X, y).coef_, plain.partial_fit(X, y).coef_, rtol=1e-11, atol=1e-13
    )


@every_dtype
def test_what_counts_as_an_occurrence(dtype):
    """Rows without a gradient do, rows of weight zero and zeros that are stored do not."""
    X = np.ones((1, 1), dtype)
    model = AdagradClassifier(
        "perceptron", lr=0.1, rule=Admission("adagrad", 3), fit_intercept=False
    )
    model.partial_fit(X, [1], classes=[0, 1])
    model.partial_fit(X, [0], sample_weight=0.0).partial_fit(0 * X, [0])
    assert seen(model) == [1]
    hinge = AdagradClassifier("hinge", rule=Admission("adagrad", 3), lr=10.0)
    hinge.partial_fit(X, [1], classes=[0, 1])  # the intercept is far beyond the margin now
    assert hinge.decision_function(X) > 1
    assert not hinge.partial_fit(X, [1]).coef_.any()
    assert hinge.partial_fit(X, [0]).coef_.all()


def test_counts_in_float32_are_exact():
    model = regressor(2**24, fit_intercept=False)
    X = np.ones((1, 2), np.float32)
    model.partial_fit(X, [1.0])
    seen(model)[:] = 2**24 - 3
    for _ in range(2):
        assert not model.partial_fit(X, [1.0]).coef_.any()
    assert model.partial_fit(X, [1.0]).coef_.all()


@pytest.mark.parametrize("rule", [RMSProp(), WeightDecay("adagrad")], ids=str)
def test_records_stay_as_they_began(rule):
    """Also with rules to which a gradient of zero would make a difference."""
    w, g = np.full(3, 2.0), np.ones(3)
    optimizer = optim.Optimizer(Admission(rule, 3), lr=0.1, initial_accumulator_value=0.5)
    for _ in range(2):
        optimizer.step(w, g)
    np.testing.assert_array_equal(w, 2.0)
    state = optimizer.state_dict()["state"][0]
    np.testing.assert_array_equal(state["accumulator"], 0.5)
    optimizer.step(w, g)
    assert (w < 2.0).all()


def test_occurrences_change_in_mid_stream():
    """What is admitted stays so; counts of others go on."""
    X = np.eye(3)
    model = regressor(2).partial_fit(X[[0, 0, 1]], np.ones(3))
    coef = model.coef_
    assert (coef != 0).tolist() == [True, False, False]
    model.set_params(rule=Admission("adagrad", 3)).partial_fit(X[:2], np.ones(2))
    assert model.coef_[0] != coef[0]
    assert model.coef_[1] == 0
    assert model.partial_fit(X[[1]], [1.0]).coef_[1] != 0


def test_a_model_that_had_no_admission():
    X = np.eye(3)
    model = AdagradRegressor(lr=0.1).partial_fit(X[[0]], [1.0])
    coef = model.coef_
    model.set_params(rule=Admission("adagrad", 2)).partial_fit(X, np.ones(3))
    assert model.coef_[0] > coef[0] > 0
    assert not model.coef_[1:].any()
    before = model.coef_
    model.set_params(rule="adagrad")
    np.testing.assert_array_equal(model.coef_, before)
    assert model.partial_fit(X, np.ones(3)).coef_.all()


@pytest.mark.parametrize("forget", [("sparsify",), ("prune", 0.0)], ids=str)
def test_forgotten_features_wait_again(forget):
    X = np.eye(3)
    model = regressor(2).partial_fit(X[[0, 0, 1]], np.ones(3))
    name, *arguments = forget
    getattr(model, name)(*arguments)
    assert (seen(model) > 0).tolist() == [True, False, False]


def test_a_new_feature_is_not_uncertain_before_it_is_learnt():
    X = np.eye(2)
    model = regressor(2, fit_intercept=False).partial_fit(X[[0]], [1.0])
    np.testing.assert_allclose(model.uncertainty(X), [0.5, 0.0])


def test_in_a_search_and_with_a_mean():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 100, 12, 0.1), np.arange(100) % 2
    rule = Averaged(Admission("adagrad", 2))
    search = AdagradClassifierCV(rule=rule, lr=[0.01, 0.1], cv=2, max_iter=1, shuffle=False)
    best = search.fit(X, y).best_estimator_
    assert bits(best)[0] == bits(stream(AdagradClassifier(rule=rule, lr=best.lr), X, y))[0]
