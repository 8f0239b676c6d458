"""Every loss against the dense NumPy oracle, in every kind of setting."""

import numpy as np
import oracle
import pytest
from common import (
    LOSSES,
    every_dtype,
    every_loss,
    first_call,
    loss_object,
    random_targets,
    rows_of_lengths,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, losses

# Vectors hold 4 or 8 numbers: rows around every boundary, and the empty row.
LENGTHS = [*range(10), 12, 15, 16, 17, 24, 31, 32, 33, 40]
TOLERANCE = {np.float64: {"rtol": 1e-12, "atol": 1e-13}, np.float32: {"rtol": 2e-5, "atol": 1e-6}}
SETTINGS = {
    "defaults": {},
    "eps": {"eps": 0.1},
    "no eps": {"eps": 0.0},
    "lr_decay": {"lr_decay": 0.05},
    "initial accumulator": {"initial_accumulator_value": 0.5},
    "no intercept": {"fit_intercept": False},
    "all": {"eps": 1e-3, "lr_decay": 0.01, "initial_accumulator_value": 0.1, "lr": 0.5},
}


def rows(rng, estimator, loss, dtype=np.float64, n_classes=2):
    """Two rows of every length, their targets, and weights with zeros among them."""
    X = rows_of_lengths(rng, rng.permutation(np.repeat(LENGTHS, 2)), 50, dtype)
    y = random_targets(rng, estimator, loss, X.shape[0], n_classes)
    return X, y, rng.choice([0.0, 0.5, 1.0, 3.0], X.shape[0])


def expected(model, loss, X, y, weights, learnt=None):
    """What the oracle learns with the parameters of ``model``; ``y`` as the loss sees it."""
    learnt = learnt or oracle.nothing(X.shape[1], model.initial_accumulator_value)
    return oracle.learn(learnt, X.toarray(), y, weights, **model.get_params() | {"loss": loss})


def signs(y, positive=1):
    return np.where(y == positive, 1.0, -1.0)


def assert_same(model, learnt, dtype=np.float64, head=0):
    """The ``head`` of ``model`` has learnt what the oracle has."""
    close = TOLERANCE[dtype]
    coef, accumulator = np.atleast_2d(model.coef_)[head], np.atleast_2d(model.accumulator_)[head]
    assert coef.dtype == accumulator.dtype == dtype
    np.testing.assert_allclose(coef, learnt.coef, **close)
    np.testing.assert_allclose(accumulator, learnt.s[:-1], **close)
    np.testing.assert_allclose(model.intercept_[head], learnt.intercept, **close)
    assert model.t_ == learnt.t


@every_loss
@every_dtype
@pytest.mark.parametrize("setting", SETTINGS)
def test_stream(estimator, loss, dtype, setting):
    rng = np.random.default_rng(sum(map(ord, loss + setting)))
    X, y, weights = rows(rng, estimator, loss, dtype)
    model = estimator(loss, **{"lr": 0.1} | SETTINGS[setting])
    targets = signs(y) if estimator is AdagradClassifier else y
    learnt = expected(model, loss_object(estimator, loss), X, targets, weights)
    model.partial_fit(X, y, sample_weight=weights, **first_call(estimator))
    assert_same(model, learnt, dtype)
    mean = learnt.loss / learnt.mass
    np.testing.assert_allclose(
        model.progressive_loss_, mean, rtol=1e-12 if dtype == np.float64 else 1e-5
    )


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_random_stream(data):
    estimator, loss = data.draw(st.sampled_from(LOSSES))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    lengths = data.draw(st.lists(st.integers(0, 40), min_size=2, max_size=60))
    X = rows_of_lengths(rng, lengths, 40)
    y = random_targets(rng, estimator, loss, len(lengths))
    weights = rng.choice([0.0, 1.0, 2.0], len(lengths))
    model = estimator(
        loss,
        lr=data.draw(st.floats(1e-3, 0.3)),
        eps=data.draw(st.floats(0.0, 1.0)),
        lr_decay=data.draw(st.floats(0.0, 1.0)),
        initial_accumulator_value=data.draw(st.floats(0.0, 1.0)),
        fit_intercept=data.draw(st.booleans()),
    )
    targets = signs(y) if estimator is AdagradClassifier else y
    learnt = expected(model, loss_object(estimator, loss), X, targets, weights)
    model.partial_fit(X, y, sample_weight=weights, **first_call(estimator))
    assert_same(model, learnt)
    scores = X @ learnt.coef + learnt.intercept
    np.testing.assert_allclose(model._scores(X)[:, 0], scores, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("loss", ["log_loss", "hinge", "modified_huber"])
def test_every_class_has_its_own_model_against_the_rest(loss):
    rng = np.random.default_rng(1)
    X, y, weights = rows(rng, AdagradClassifier, loss, n_classes=4)
    labels = np.array(["b", "c", "a", "d"])
    model = AdagradClassifier(loss, lr=0.2)
    model.partial_fit(X, labels[y], classes=labels, sample_weight=weights)
    np.testing.assert_array_equal(model.classes_, sorted(labels))
    total = 0.0
    for head, label in enumerate(sorted(labels)):
        targets = signs(labels[y], label)
        learnt = expected(model, loss_object(AdagradClassifier, loss), X, targets, weights)
        assert_same(model, learnt, head=head)
        total += learnt.loss / learnt.mass
    np.testing.assert_allclose(model.progressive_loss_, total, rtol=1e-12)
    scores = X @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.decision_function(X), scores, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.classes_[scores.argmax(axis=1)])


@every_loss
def test_epochs(estimator, loss):
    """``fit`` without shuffling: the same rows over and over, on the same clock."""
    rng = np.random.default_rng(2)
    X, y, weights = rows(rng, estimator, loss)
    model = estimator(loss, lr=0.2, lr_decay=0.01, shuffle=False, max_iter=4, tol=None)
    model.fit(X, y, sample_weight=weights)
    targets = signs(y) if estimator is AdagradClassifier else y
    learnt, curve = None, []
    for _ in range(4):
        before = learnt or oracle.nothing(X.shape[1])
        learnt = expected(model, loss_object(estimator, loss), X, targets, weights, learnt)
        curve.append((learnt.loss - before.loss) / (learnt.mass - before.mass))
    assert_same(model, learnt)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-10)
    np.testing.assert_allclose(model.progressive_loss_, curve[0], rtol=1e-11)
    assert model.n_iter_ == 4
    assert model.t_ == 4 * np.count_nonzero(weights)


OBJECTS = [losses.Huber(1.5), losses.EpsilonInsensitive(0.7), losses.SquaredEpsilonInsensitive(0.0)]
OBJECTS += [losses.Quantile(0.9), losses.Tweedie(1.0), losses.Tweedie(2.0), losses.Tweedie(1.2)]


@pytest.mark.parametrize("loss", OBJECTS, ids=repr)
def test_loss_objects(loss):
    rng = np.random.default_rng(3)
    X, y, weights = rows(rng, AdagradRegressor, loss)
    model = AdagradRegressor(loss, lr=0.2).partial_fit(X, y, sample_weight=weights)
    assert_same(model, expected(model, loss, X, y, weights))
    scores = X @ model.coef_ + model.intercept_[0]
    wanted = loss.prediction(scores) if hasattr(loss, "prediction") else scores
    np.testing.assert_allclose(model.predict(X), wanted, rtol=1e-11, atol=1e-12)


def test_first_step_has_the_size_of_lr_for_every_feature_of_the_row():
    """By hand: accumulators start at 0, so g / sqrt(g ** 2) is the sign of g."""
    X = sparse.csr_array([[3.0, 0.0, -1e-3, 1e5]])
    model = AdagradRegressor(lr=0.25, eps=0.0).partial_fit(X, [-2.0])
    np.testing.assert_array_equal(model.coef_, [-0.25, 0.0, 0.25, -0.25])
    np.testing.assert_array_equal(model.intercept_, [-0.25])
    np.testing.assert_array_equal(model.accumulator_, (2.0 * X.toarray()[0]) ** 2)
    assert model.progressive_loss_ == 2.0


def test_changed_parameters_take_effect_in_the_next_chunk():
    rng = np.random.default_rng(4)
    X, y, weights = rows(rng, AdagradRegressor, "squared_error")
    model, learnt = AdagradRegressor(lr=0.1), None
    for part, change in (
        (slice(0, 15), {}),
        (slice(15, 40), {"lr": 0.01, "loss": "huber", "eps": 1.0}),
    ):
        model.set_params(**change).partial_fit(X[part], y[part], sample_weight=weights[part])
        loss = loss_object(AdagradRegressor, model.loss)
        learnt = expected(model, loss, X[part], y[part], weights[part], learnt)
    assert_same(model, learnt)
