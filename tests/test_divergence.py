"""Divergence is said, not returned: with the remedy, and with weights that are still numbers."""

import contextlib
import re

import numpy as np
import pytest
from common import (
    all_bits,
    bits,
    every_dtype,
    every_estimator,
    every_loss,
    random_rows,
    random_targets,
    stream,
    weights_of,
)
from sklearn.base import clone
from sklearn.preprocessing import MaxAbsScaler

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.formulas.losses import REGRESSION
from sklearn_adagrad.rules import Multiplied

FAR_TOO_LARGE = {np.float64: 1e200, np.float32: 1e25}
HUGE_FEATURE = {np.float64: 1e200, np.float32: 1e30}
# Losses whose slope grows with the score: a large enough step must end in overflow.
UNBOUNDED = {"squared_hinge", "squared_error", "squared_epsilon_insensitive", "poisson", "tweedie"}


def data(estimator, loss, dtype=np.float64, n_classes=2):
    rng = np.random.default_rng(0)
    return random_rows(rng, dtype=dtype), random_targets(rng, estimator, loss, 50, n_classes)


def diverges(train, model, *arguments, **more):
    """The message with which training stops, leaving ``model`` as it was."""
    before = all_bits(model)
    with pytest.raises(FloatingPointError) as caught:
        train(model, *arguments, **more)
    assert all_bits(model) == before
    return str(caught.value)


def fit(model, X, y, **more):
    return model.fit(X, y, **more)


def suggestion(message):
    """The learning rate that the message recommends."""
    return float(re.search(r"at most ([-+.\w]+) is safe", message).group(1))


@every_loss
@every_dtype
def test_far_too_large_lr(estimator, loss, dtype):
    """It is said, with an lr that works; or the loss can bear it."""
    X, y = data(estimator, loss, dtype)
    model = estimator(loss, lr=FAR_TOO_LARGE[dtype], max_iter=3, tol=None, random_state=0)
    if loss in UNBOUNDED:
        message = diverges(fit, model, X, y)
        assert f"lr={model.lr:g}" in message
        assert re.search(r"row \d+ ", message)
        assert suggestion(message) < model.lr
        model.set_params(lr=suggestion(message))
    with contextlib.suppress(FloatingPointError if loss not in UNBOUNDED else ()):
        model.fit(X, y)
        assert np.isfinite(weights_of(model)).all()
        assert np.isfinite(model.progressive_loss_)
        assert np.isfinite(model._scores(X)).all()


@pytest.mark.parametrize("count", [1e3, 1e6])
@pytest.mark.parametrize("loss", ["poisson", "tweedie"])
def test_suggested_lr_minds_the_link(loss, count):
    """Scores of these losses are logarithms: an lr of the size of y is far too large."""
    X, y = data(AdagradRegressor, loss)
    model = AdagradRegressor(loss, lr=1e4, max_iter=20, tol=None, random_state=0)
    message = diverges(fit, model, X, np.ceil(y * count))
    assert suggestion(message) < model.lr
    model.set_params(lr=suggestion(message)).fit(X, np.ceil(y * count))
    assert np.isfinite(model.predict(X)).all()


@every_loss
@every_dtype
def test_huge_features(estimator, loss, dtype):
    X, y = data(estimator, loss, dtype)
    model = estimator(loss, lr=0.1, max_iter=3, tol=None, shuffle=False)
    message = diverges(fit, model, X * dtype(HUGE_FEATURE[dtype]), y)
    assert re.search("scale .*features", message)


@every_dtype
@pytest.mark.parametrize("loss", REGRESSION)
def test_one_row_of_huge_features(loss, dtype):
    """The row that is named is the row that is to blame."""
    X, y = data(AdagradRegressor, loss, dtype)
    X.data[X.indptr[23] : X.indptr[24]] = HUGE_FEATURE[dtype]
    model = AdagradRegressor(loss, lr=0.1, max_iter=3, tol=None, shuffle=False)
    message = diverges(fit, model, X, y)
    assert "row 23 " in message
    assert re.search("scale .*features", message)


@every_estimator
def test_scaling_helps(estimator):
    """The remedy that the message names."""
    X, y = data(estimator, "hinge" if estimator is AdagradClassifier else "squared_error")
    X = X * 1e200
    message = diverges(fit, estimator(lr=0.1, max_iter=3, tol=None), X, y)
    assert "MaxAbsScaler" in message
    model = estimator(lr=0.1, max_iter=3, tol=None).fit(MaxAbsScaler().fit_transform(X), y)
    assert np.isfinite(weights_of(model)).all()


@pytest.mark.parametrize("what", ["y", "sample_weight"])
def test_message_names_no_lr_where_no_lr_helps(what):
    X, y = data(AdagradRegressor, "squared_error")
    weights = np.full(50, 1e200) if what == "sample_weight" else None
    model = AdagradRegressor(lr=0.1, max_iter=3, tol=None, random_state=0)
    message = diverges(fit, model, X, y * (1e200 if what == "y" else 1.0), sample_weight=weights)
    assert re.search(rf"\b{what}\b", message)
    if "is safe" in message:
        assert suggestion(message) < model.lr


@every_dtype
@every_estimator
def test_fit_leaves_a_trained_model_as_it_was(estimator, dtype):
    X, y = data(estimator, "squared_error", dtype)
    model = estimator(
        loss_that_diverges(estimator), lr=0.1, max_iter=3, tol=None, random_state=0
    ).fit(X, y)
    for warm_start in (False, True):
        model.set_params(lr=FAR_TOO_LARGE[dtype], warm_start=warm_start)
        diverges(fit, model, X, y)
        diverges(fit, model, X, y, sample_weight=np.arange(50.0))


def loss_that_diverges(estimator):
    return "squared_hinge" if estimator is AdagradClassifier else "squared_error"


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_gradient_of_the_intercept_counts_however_small_the_values(n_outputs):
    X, y = 1e-100 * np.eye(2), np.full((2, n_outputs), 1e160)
    model = AdagradRegressor(lr=0.1)
    assert stopped(model, X, y if n_outputs > 1 else y[:, 0]) == 0
    assert not model.coef_.any()


@pytest.mark.parametrize(
    "parameters",
    [
        {"rule": "dual_averaging", "lr": 1e200},
        {"rule": Multiplied("dual_averaging", 1e200)},
        {"rule": Multiplied("dual_averaging", [1.0, 1e200])},
    ],
    ids=str,
)
def test_gradient_that_lr_would_take_out_of_range(parameters):
    """It fits by itself, and so does lr."""
    model = AdagradRegressor(**{"lr": 0.1} | parameters)
    assert stopped(model, np.eye(2), np.full(2, 1e120)) == 0
    assert not model.coef_.any()


# --- streams: the rows before the one named are learnt, that one and those after it are not -------

STREAMS = {
    "regression": AdagradRegressor("squared_error", lr=0.1),
    "classes": AdagradClassifier("squared_hinge", lr=0.1),
    "balanced": AdagradClassifier("squared_hinge", lr=0.1, class_weight="balanced"),
    "poisson": AdagradRegressor("poisson", lr=0.1),
}


def begun(model, X, y, first, **more):
    """A copy of ``model`` that will diverge, perhaps after some rows with a good lr."""
    fresh = clone(model)
    if not first:
        stream(fresh, X[:10], y[:10], **more)
    return fresh.set_params(lr=1e4 if model.loss == "poisson" else 1e155)


def stopped(model, X, y, **more):
    """The row at which ``model`` stops."""
    with pytest.raises(FloatingPointError) as caught:
        stream(model, X, y, **more)
    assert np.isfinite(weights_of(model)).all()
    return int(re.search(r"row (\d+) ", str(caught.value)).group(1))


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("first", [False, True], ids=["later call", "first call"])
def test_stream_stops_at_the_row_that_is_named(name, first):
    """So a stream that diverges ends in the same state however it was cut."""
    model = STREAMS[name]
    X, y = data(type(model), model.loss)
    at_once = begun(model, X, y, first)
    row = stopped(at_once, X, y)
    assert row > 0
    one_by_one = begun(model, X, y, first)
    for i in range(row):
        stream(one_by_one, X[i : i + 1], y[i : i + 1])
    assert bits(at_once) == bits(one_by_one)
    assert stopped(one_by_one, X[row : row + 1], y[row : row + 1]) == 0
    assert bits(at_once) == bits(one_by_one)


@pytest.mark.parametrize("seed", range(5))
def test_every_class_has_learnt_the_rows_before_the_one_that_is_named(seed):
    more = {"classes": range(3)}
    X, _ = data(AdagradClassifier, "squared_hinge")
    y = np.random.default_rng(seed).integers(0, 3, 50)
    model = begun(AdagradClassifier("squared_hinge", lr=0.1), X, y, first=False, **more)
    row = stopped(model, X, y, **more)
    before = begun(AdagradClassifier("squared_hinge", lr=0.1), X, y, first=False, **more)
    assert model.t_ == 10 + row
    assert bits(model) == bits(before.partial_fit(X[:row], y[:row]))


@every_loss
@every_dtype
def test_score_that_is_no_number(estimator, loss, dtype):
    """inf - inf: a comparison with it is False, and a loss with an ``if`` may not mind."""
    model, target = estimator(loss, lr=10.0), 1 if estimator is AdagradClassifier else 3
    stream(model, np.array([[1.0, -1.0, 1.0, -1.0]], dtype), [target])
    np.testing.assert_allclose(model.coef_.ravel(), [10.0, -10.0, 10.0, -10.0], rtol=1e-6)
    before = bits(model)
    huge = np.full((1, 4), np.finfo(dtype).max / 2, dtype)
    assert stopped(model, huge, [0 if estimator is AdagradClassifier else 2]) == 0
    assert bits(model) == before


@every_dtype
@every_estimator
def test_row_of_weight_zero_may_hold_anything(estimator, dtype):
    """It is not learnt; so it cannot make the others diverge."""
    loss = loss_that_diverges(estimator)
    X, y = data(estimator, loss, dtype)
    weights = np.ones(50)
    weights[7] = 0.0
    plain = stream(estimator(loss, lr=0.1), X, y, sample_weight=weights)
    X.data[X.indptr[7] : X.indptr[8]] = HUGE_FEATURE[dtype]
    assert bits(stream(estimator(loss, lr=0.1), X, y, sample_weight=weights)) == bits(plain)
