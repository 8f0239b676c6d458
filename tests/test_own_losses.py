"""A loss of one's own: a named tuple of a few lines, without registration, never stale."""

import math
import pickle
from typing import NamedTuple

import numpy as np
import pytest
from common import all_bits, bits, every_estimator, every_loss, first_call, random_rows
from numba.core import event
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, losses


class Cauchy(NamedTuple):
    scale: float = 1.0

    def value(self, y, score):
        return 0.5 * self.scale**2 * math.log1p(((score - y) / self.scale) ** 2)

    def gradient(self, y, score):
        return (score - y) / (1.0 + ((score - y) / self.scale) ** 2)


class Logistic(NamedTuple):
    """The log loss again, from outside the package."""

    value = losses.LogLoss.value
    gradient = losses.LogLoss.gradient
    probability = losses.LogLoss.probability


def test_own_loss_works_without_registration():
    rng = np.random.default_rng(0)
    X = random_rows(rng, 200)
    y = X @ rng.standard_normal(30)
    y[::10] += 50.0  # outliers, which the Cauchy loss hardly heeds
    robust, plain = (
        AdagradRegressor(loss, lr=0.3, max_iter=200, tol=None, random_state=0).fit(X, y)
        for loss in (Cauchy(1.0), "squared_error")
    )
    clean = np.arange(200) % 10 != 0
    errors = [np.abs(model.predict(X) - y)[clean].mean() for model in (robust, plain)]
    assert errors[0] < 0.1 * errors[1]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(robust)).coef_, robust.coef_)
    assert clone(robust).loss == Cauchy(1.0)


def of_classes(loss, n_classes):
    """A model with this loss, and its probabilities."""
    X, y = random_rows(np.random.default_rng(0)), np.arange(50) % n_classes
    model = AdagradClassifier(loss, lr=0.1, max_iter=5, tol=None, random_state=0).fit(X, y)
    return model, model.predict_proba(X)


def test_own_copy_of_a_loss_gives_the_same_bits():
    (own, chances), (named, same) = (of_classes(loss, 2) for loss in (Logistic(), "log_loss"))
    assert bits(own) == bits(named)
    np.testing.assert_array_equal(chances, same)


def test_own_copy_of_a_loss_gives_the_same_numbers_for_many_classes():
    """Its methods take one number at a time; the named loss takes vectors of heads."""
    (own, chances), (named, same) = (of_classes(loss, 3) for loss in (Logistic(), "log_loss"))
    np.testing.assert_allclose(own.coef_, named.coef_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(own.intercept_, named.intercept_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(own.progressive_loss_, named.progressive_loss_, rtol=1e-12)
    np.testing.assert_allclose(chances, same, rtol=0, atol=1e-12)


def test_own_loss_in_a_search_over_its_parameters():
    rng = np.random.default_rng(0)
    X = random_rows(rng, 120)
    y = X @ rng.standard_normal(30)
    grid = {"loss": [Cauchy(0.1), Cauchy(3.0), losses.Huber(0.2), "squared_error"]}
    search = GridSearchCV(
        AdagradRegressor(lr=0.5, tol=None, max_iter=20, random_state=0), grid, cv=2
    )
    search.fit(X, y)
    assert search.best_score_ > 0.5
    assert np.unique(search.cv_results_["mean_test_score"]).size == 4


@pytest.mark.parametrize("make", [Cauchy, losses.Huber], ids=["own", "named"])
def test_fields_of_a_loss_recompile_nothing(make):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng), rng.standard_normal(50)
    settings = {"lr": 0.1, "tol": None, "max_iter": 2, "early_stopping": True, "random_state": 0}
    AdagradRegressor(make(1.0), **settings).fit(X, y).partial_fit(X, y)
    with event.install_recorder("numba:compile") as recorder:
        coefs = [
            AdagradRegressor(make(field), **settings).fit(X, y).partial_fit(X, y).coef_
            for field in (0.5, 2, np.float32(0.25), np.int64(3))
        ]
    assert not recorder.buffer
    assert np.unique(coefs, axis=0).shape[0] == 4


def test_redefined_loss_takes_effect():
    """As in a notebook: the same name, the same module, another gradient."""
    source = (
        "class Own(NamedTuple):\n"
        "    def value(self, y, score): return 0.0\n"
        "    def gradient(self, y, score): return {}\n"
    )
    coefs = []
    for slope in (1.0, -1.0, 1.0):
        namespace = {"NamedTuple": NamedTuple, "__name__": "notebook"}
        exec(source.format(slope), namespace)
        model = AdagradRegressor(namespace["Own"](), lr=0.5, eps=0).partial_fit([[1.0]], [0.0])
        coefs.append(model.coef_[0])
    assert coefs == [-0.5, 0.5, -0.5]


class Huber(NamedTuple):
    """Neither what the package calls Huber nor with its gradient."""

    epsilon: float = 0.1

    def value(self, y, score):
        return 0.0

    def gradient(self, y, score):
        return 1.0


def test_own_loss_may_have_the_name_of_another():
    X, y = np.ones((3, 1)), np.full(3, 5.0)
    for _ in range(2):
        assert AdagradRegressor(losses.Huber(), lr=0.1).partial_fit(X, y).coef_ > 0
        assert AdagradRegressor(Huber(), lr=0.1).partial_fit(X, y).coef_ < 0


class NotATuple:
    def value(self, y, score):
        return 0.0

    def gradient(self, y, score):
        return 0.0


class Methodless(NamedTuple):
    scale: float = 1.0


def refused(estimator, loss, error, message):
    model = estimator(loss, lr=0.1)
    X, y = np.eye(4), np.arange(4) % 2
    before = all_bits(model)
    for method, more in ((model.fit, {}), (model.partial_fit, first_call(estimator))):
        with pytest.raises(error, match=message):
            method(X, y, **more)
        assert all_bits(model) == before


@every_estimator
@pytest.mark.parametrize("loss", [NotATuple(), Cauchy], ids=["object", "class"])
def test_loss_that_is_no_named_tuple_is_refused(estimator, loss):
    refused(estimator, loss, TypeError, "loss=.*NamedTuple")


@every_estimator
@pytest.mark.parametrize("loss", ["log-loss", None, 3, Methodless()], ids=repr)
def test_unknown_loss_is_refused(estimator, loss):
    refused(estimator, loss, ValueError, "'loss' parameter of Adagrad")


@every_loss
def test_loss_of_the_other_estimator_is_unknown_by_name(estimator, loss):
    other = AdagradRegressor if estimator is AdagradClassifier else AdagradClassifier
    refused(other, loss, ValueError, "'loss' parameter of Adagrad")
