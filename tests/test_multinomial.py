"""``multi_class="multinomial"``: all classes together, by the softmax of their scores."""

import itertools
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from common import (
    DTYPES,
    assert_refused,
    bits,
    rows_of_lengths,
    small_data,
    stream,
    untrained,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from stacks import N_FEATURES, model_of, name_of

from sklearn_adagrad import AdagradClassifier, losses
from sklearn_adagrad.engines.cpu.judge import judge_heads
from sklearn_adagrad.engines.cpu.losses import _judge_classes, judge_of
from sklearn_adagrad.formulas.losses import CLASSIFICATION, Multinomial

COUNTS = (3, 4, 5, 8, 9, 13)
TOLERANCE = {np.float64: 1e-12, np.float32: 5e-5}


def multinomial(**parameters):
    return AdagradClassifier(multi_class="multinomial", **{"lr": 0.1} | parameters)


def data(n_classes, dtype=np.float64, n_rows=50, n_features=N_FEATURES):
    """Rows of many lengths, labels of which each occurs, and weights with zeros among them."""
    rng = np.random.default_rng(n_classes)
    X = rows_of_lengths(rng, rng.integers(0, n_features, n_rows), n_features, dtype)
    y = rng.permutation(np.arange(n_rows) % n_classes)
    return X, y, rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)


def expected(model, X, y, weights, n_classes, learnt=None):
    """What the oracle learns with the parameters of ``model``."""
    start = model.initial_accumulator_value
    learnt = learnt or [oracle.nothing(X.shape[1], start) for _ in range(n_classes)]
    return oracle.learn_classes(learnt, X.toarray(), y, weights, **model.get_params())


def assert_same(model, learnt, X, tolerance=1e-12):
    """Every class has learnt what the oracle has."""
    close = {"rtol": tolerance, "atol": tolerance}
    coef, intercept = np.stack([m.coef for m in learnt]), np.stack([m.intercept for m in learnt])
    np.testing.assert_allclose(model.coef_, coef, **close)
    np.testing.assert_allclose(model.intercept_, intercept, **close)
    np.testing.assert_allclose(model.accumulator_, np.stack([m.s[:-1] for m in learnt]), **close)
    scores = X @ coef.T + intercept
    close = {"rtol": 20 * tolerance, "atol": 20 * tolerance}
    np.testing.assert_allclose(model.decision_function(X), scores, **close)
    np.testing.assert_allclose(model.predict_proba(X), softmax(scores, axis=1), **close)
    assert model.t_ == learnt[0].t
    if not hasattr(model, "loss_curve_"):  # of a stream, all rows are new
        mean = sum(m.loss for m in learnt) / learnt[0].mass
        np.testing.assert_allclose(model.progressive_loss_, mean, **close)


# --- against the oracle -------------------------------------------------------------------------

SETTINGS = {
    "defaults": {},
    "eps and decay": {"eps": 0.1, "lr_decay": 0.05},
    "no eps": {"eps": 0.0, "lr": 0.5},
    "initial accumulator": {"initial_accumulator_value": 0.5},
    "no intercept": {"fit_intercept": False},
    "penalty": {"alpha": 0.02, "l1_ratio": 0.5},
}


@pytest.mark.parametrize("n_classes", COUNTS)
@pytest.mark.parametrize(
    ("setting", "dtype"), [("defaults", np.float32), *((each, np.float64) for each in SETTINGS)]
)
def test_stream(n_classes, dtype, setting):
    X, y, weights = data(n_classes, dtype)
    model = multinomial(**SETTINGS[setting])
    parts = [slice(0, 20), slice(20, 50)]
    stream(model, X, y, parts, sample_weight=weights, classes=range(n_classes))
    learnt = expected(model, X, y, weights, n_classes)
    assert_same(model, learnt, X, TOLERANCE[dtype])
    assert model.coef_.dtype == dtype


RULES = [
    ("adagrad", "array", True),
    ("ftrl", "number", False),
    ("all with momentum", "none", False),
]


@pytest.mark.parametrize("case", RULES, ids=name_of)
@pytest.mark.parametrize("n_classes", [3, 12])
def test_rules(case, n_classes):
    X, y, weights = data(n_classes)
    for nth in (0, 1):
        model = model_of(case, AdagradClassifier, nth=nth, multi_class="multinomial")
        stream(model, X, y, sample_weight=weights, classes=range(n_classes))
        assert_same(model, expected(model, X, y, weights, n_classes), X)


@pytest.mark.parametrize("class_weight", [None, {0: 2.0, 2: 0.0}, "balanced"], ids=str)
def test_epochs(class_weight):
    X, y, weights = data(5)
    model = multinomial(shuffle=False, max_iter=3, tol=None, class_weight=class_weight)
    model.fit(X, y, sample_weight=weights)
    if class_weight == "balanced":
        weights = weights * (weights.sum() / 5 / np.bincount(y, weights))[y]
    elif class_weight:
        weights = weights * np.array([2.0, 1.0, 0.0, 1.0, 1.0])[y]
    learnt, curve, before = None, [], 0.0
    for _ in range(3):
        learnt = expected(model, X, y, weights, 5, learnt)
        total = sum(m.loss for m in learnt)
        curve.append((total - before) / weights.sum())
        before = total
    assert_same(model, learnt, X)
    np.testing.assert_allclose(model.loss_curve_, curve, rtol=1e-12)
    assert model.progressive_loss_ == model.loss_curve_[0]


# --- the loss -----------------------------------------------------------------------------------


@njit
def _judge_heads(judge, y, scores, n_outputs, n_heads, gradients, values):
    judge_heads(judge, y, scores, n_outputs, n_heads, gradients, values)


def compiled(loss, *rest):
    _judge_heads(judge_of(loss, False), *rest)


def interpreted(loss, *rest):
    _judge_classes.py_func(loss, *rest)


def of_scores(scores, labels, run=compiled):
    """The gradient of every score, and the loss, of models that lie side by side."""
    n_models, n_classes = scores.shape
    room = -(-scores.size // 4) * 4
    y, padded, gradients, values = np.full((4, room), -1.0)
    padded[: scores.size] = scores.ravel()
    y[np.arange(n_models) * n_classes + labels] = 1.0
    run(Multinomial(), y, padded, n_classes, scores.size, gradients, values)
    found = (each[: scores.size].reshape(scores.shape) for each in (gradients, values))
    return tuple(found)


@pytest.mark.parametrize("run", [compiled, interpreted], ids=["compiled", "interpreted"])
@settings(max_examples=60, deadline=None)
@given(
    n_models=st.integers(1, 4), n_classes=st.integers(3, 13), size=st.sampled_from([1e-9, 1.0, 30])
)
def test_gradient_is_the_derivative(run, n_models, n_classes, size):
    rng = np.random.default_rng(n_models * n_classes)
    scores = size * rng.standard_normal((n_models, n_classes))
    labels = rng.integers(0, n_classes, n_models)
    gradients, values = of_scores(scores, labels, run)
    chosen = np.arange(n_models), labels
    one_hot = np.zeros_like(scores)
    one_hot[chosen] = 1.0
    np.testing.assert_allclose(gradients, softmax(scores, axis=1) - one_hot, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(
        values.sum(axis=1), -log_softmax(scores, axis=1)[chosen], rtol=1e-13, atol=1e-14
    )
    np.testing.assert_allclose(gradients.sum(axis=1), 0.0, atol=1e-14)
    for n in range(n_classes):
        h = np.zeros_like(scores)
        h[:, n] = 1e-5
        up, down = (of_scores(scores + sign * h, labels, run)[1].sum(axis=1) for sign in (1, -1))
        np.testing.assert_allclose((up - down) / 2e-5, gradients[:, n], rtol=0, atol=2e-9)


@pytest.mark.parametrize("run", [compiled, interpreted], ids=["compiled", "interpreted"])
def test_scores_of_any_size(run):
    """Only differences matter, and what is beyond the range of ``exp`` is 0 or 1."""
    for size, shift in itertools.product((1e3, 1e150, 8e307), range(5)):
        scores, right, wrong_ = (
            np.roll([each], shift)
            for each in (
                [size, 0.0, -size, size, 1.0],
                [0.5, 0.0, 0.0, -0.5, 0.0],
                [0.5, 0.0, -1.0, 0.5, 0.0],
            )
        )
        labels = [(3 + shift) % 5], [(2 + shift) % 5]
        with np.errstate(under="ignore"):
            gradients, values = of_scores(scores, labels[0], run)
            wrong, lost = of_scores(scores, labels[1], run)
        np.testing.assert_allclose(gradients, right, atol=1e-300)
        np.testing.assert_allclose(values.sum(), np.log(2.0))
        np.testing.assert_allclose(wrong, wrong_, atol=1e-300)
        np.testing.assert_allclose(lost.sum(), 2.0 * size + np.log(2.0))


@pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
def test_huge_weights_do_no_harm(dtype):
    """No overflow, no NaN, no warning; steps that are far too long are bounded by ``lr``."""
    X, y, _ = data(5, dtype)
    model = stream(multinomial(lr=1e25), X, y, classes=range(5))
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.progressive_loss_)
    chances = model.predict_proba(X)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_array_equal(chances.argmax(axis=1), model.predict(X))


# --- probabilities ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", COUNTS)
def test_probabilities_are_the_softmax_of_the_scores(n_classes):
    X, y, _ = data(n_classes)
    model = multinomial(lr=1.0, max_iter=3, tol=None, random_state=0).fit(X, y)
    scores, chances = model.decision_function(X), model.predict_proba(X)
    assert scores.shape == chances.shape == (50, n_classes)
    np.testing.assert_allclose(chances, softmax(scores, axis=1), rtol=1e-13)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(model.predict_log_proba(X), log_softmax(scores, axis=1), rtol=1e-11)
    np.testing.assert_array_equal(model.predict(X), scores.argmax(axis=1))
    model.set_params(multi_class="ovr").fit(X, y)
    assert np.abs(model.predict_proba(X) - chances).max() > 0.01


def test_first_loss_is_that_of_knowing_nothing():
    X, y, _ = data(7)
    model = multinomial().partial_fit(X[:1], y[:1], classes=range(7))
    np.testing.assert_allclose(model.progressive_loss_, np.log(7))


@pytest.mark.parametrize("given_rows", [False, True])
def test_early_stopping_goes_by_the_joint_loss(given_rows):
    X, y, weights = data(4, n_rows=120)
    model = multinomial(early_stopping=True, max_iter=4, tol=None, random_state=0, lr=0.5)
    if given_rows:
        weights = weights + 0.5
        more = {"X_val": X[80:], "y_val": y[80:], "sample_weight_val": weights[80:]}
        model.fit(X[:80], y[:80], **more)
        found = log_loss(y[80:], model.predict_proba(X[80:]), sample_weight=weights[80:])
        best = model.validation_loss_curve_[model.best_n_iter_ - 1]
        np.testing.assert_allclose(best, found, rtol=1e-12)
    else:
        model.fit(X, y)
    assert model.best_n_iter_ == 1 + np.argmin(model.validation_loss_curve_)


def test_approaches_the_optimum():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    chances = softmax(X @ rng.standard_normal((4, 3)), axis=1)
    y = (chances.cumsum(axis=1) < rng.random((300, 1))).sum(axis=1)
    peer = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    model = multinomial(lr=0.2, max_iter=1000, tol=None, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=0.02)
    apart = model.set_params(multi_class="ovr").fit(X, y)
    assert np.abs(apart.predict_proba(X) - peer.predict_proba(X)).max() > 0.04


# --- where it makes no difference, and where it makes no sense ----------------------------------


def test_two_classes_are_the_binary_log_loss():
    X, y, weights = data(2)
    plain, joint = (
        AdagradClassifier(lr=0.1, multi_class=each, max_iter=3, tol=None, random_state=0).fit(
            X, y, weights
        )
        for each in ("ovr", "multinomial")
    )
    assert bits(joint) == bits(plain)
    assert joint.coef_.shape == (1, N_FEATURES)
    np.testing.assert_array_equal(joint.predict_proba(X), plain.predict_proba(X))


def test_labels_of_which_a_row_may_have_several_are_separate():
    X, y, _ = data(2)
    y = np.stack([np.roll(y, n) for n in range(5)], axis=1)
    plain, joint = (
        AdagradClassifier(lr=0.1, multi_class=each).partial_fit(X, y)
        for each in ("ovr", "multinomial")
    )
    assert bits(joint) == bits(plain)
    np.testing.assert_array_equal(joint.predict_proba(X), plain.predict_proba(X))


def test_loss_by_name_and_as_object_are_one():
    X, y, _ = data(3)
    named, given_ = (
        multinomial(loss=each).partial_fit(X, y, classes=range(3))
        for each in ("log_loss", losses.LogLoss())
    )
    assert bits(named) == bits(given_)


class Own(NamedTuple):
    """A log loss that nobody knows to be one."""

    value = losses.LogLoss.value
    gradient = losses.LogLoss.gradient


@pytest.mark.parametrize("loss", [*CLASSIFICATION, losses.Hinge(), Own()], ids=str)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_other_losses_are_refused(loss, n_classes):
    if loss == "log_loss":
        return
    X, y = small_data()[0], np.arange(20) % n_classes
    model = untrained(AdagradClassifier, loss=loss, multi_class="multinomial")
    message = r"multi_class='multinomial' needs loss='log_loss', but loss=.*'ovr'"
    assert_refused(model, "fit", message, X, y)
    assert_refused(model, "partial_fit", message, X, y, classes=range(n_classes))
    model.set_params(multi_class="ovr").fit(X, y).set_params(multi_class="multinomial")
    assert_refused(model, "partial_fit", message, X, y, classes=None)


@pytest.mark.parametrize("value", ["auto", "softmax", None, 3])
def test_unknown_name(value):
    X, y = small_data()
    model = untrained(AdagradClassifier).set_params(multi_class=value)
    for method in ("fit", "partial_fit"):
        assert_refused(model, method, "'multi_class' parameter of Adagrad", X, y)


def test_it_is_a_parameter_as_any_other():
    X, y, _ = data(3)
    assert repr(multinomial()) == "AdagradClassifier(lr=0.1, multi_class='multinomial')"
    model = untrained(AdagradClassifier).fit(X, y)
    joint = untrained(AdagradClassifier, multi_class="multinomial").fit(X, y)
    assert bits(model) != bits(joint)
    assert bits(model.set_params(multi_class="multinomial").fit(X, y)) == bits(joint)
