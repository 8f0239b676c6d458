"""Every rule, wrapper and penalty against the dense, eager oracle."""

import numpy as np
import oracle
import pytest
from common import loss_object, random_targets
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import learn
from scipy import sparse
from stacks import (
    ALPHAS,
    MULTIPLES,
    N_FEATURES,
    STACKS,
    every_case,
    every_lazy_case,
    model_of,
    parameters,
    rule_problems,
)

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, rules
from sklearn_adagrad.formulas.rules import RULES


def expected(model, X, y, weights, learnt=None):
    """What the oracle learns with the parameters of ``model``."""
    loss = loss_object(type(model), model.loss)
    learnt = learnt or oracle.nothing(X.shape[1], model.initial_accumulator_value)
    return oracle.learn(learnt, X.toarray(), y, weights, **model.get_params() | {"loss": loss})


def assert_same(model, learnt, tolerance=1e-12):
    """Weights, their zeros and accumulators are those of the oracle."""
    found = np.append(np.ravel(model.coef_), model.intercept_)
    wanted = learnt.prediction
    error = np.abs(found - wanted) / np.maximum(1.0, np.abs(wanted))
    assert error.max() <= tolerance
    # A penalty on squares alone shrinks weights to less than rounding, but never to zero.
    differ = np.flatnonzero((found == 0.0) != (wanted == 0.0))
    assert np.all(np.abs(wanted[differ]) < 1e-15) or tolerance > 1e-9
    accumulator = np.append(np.ravel(model.accumulator_), model._read("accumulator", "intercept"))
    np.testing.assert_allclose(accumulator, learnt.s, rtol=10 * tolerance, atol=tolerance)
    assert model.t_ == learnt.t
    mean = learnt.loss / learnt.mass
    assert abs(model.progressive_loss_ - mean) <= 100 * tolerance * max(1.0, mean)


@every_case
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_stream(case, data):
    problem = data.draw(rule_problems(case))
    model = learn(problem)
    learnt = expected(model, *(problem[name] for name in ("X", "y", "sample_weight")))
    assert_same(model, learnt)
    scores = problem["X"] @ learnt.coef + learnt.intercept
    np.testing.assert_allclose(model.predict(problem["X"]), scores, rtol=1e-11, atol=1e-11)


IN_FLOAT32 = [
    ("adagrad", "number", False),
    ("adagrad", "number", True),
    ("momentum", "none", False),
    ("dual averaging", "none", False),
    ("multiplied, decayed, clipped", "array", False),
]


@pytest.mark.parametrize("case", IN_FLOAT32, ids=str)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_stream_in_float32(case, data):
    problem = data.draw(rule_problems(case, np.float32))
    model = learn(problem)
    assert model.coef_.dtype == np.float32
    learnt = expected(model, *(problem[name] for name in ("X", "y", "sample_weight")))
    assert_same(model, learnt, 2e-4)


def with_absences(rng, n_rows, dtype=np.float64):
    """One-feature rows. The first columns are in a few rows only, thousands of rows apart."""
    indices = rng.integers(8, N_FEATURES, n_rows)
    indices[: 2 * 8] = np.tile(np.arange(8), 2)
    indices[-8:] = np.arange(8)
    indices[n_rows // 3] = 3
    values = rng.standard_normal(n_rows).astype(dtype)
    indptr = np.arange(n_rows + 1, dtype=np.int32)
    X = sparse.csr_array((values, indices.astype(np.int32), indptr), shape=(n_rows, N_FEATURES))
    return X, random_targets(rng, AdagradRegressor, "squared_error", n_rows)


@every_lazy_case
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_absences_of_thousands_of_rows(case, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    X, y = with_absences(rng, 2500)
    weights = np.ones(len(y))
    model = AdagradRegressor(**data.draw(parameters(case)))
    begun = model.partial_fit(X[:-8], y[:-8])
    learnt = expected(model, X[:-8], y[:-8], weights[:-8])
    assert_same(begun, learnt, 4e-12)
    model.partial_fit(X[-8:], y[-8:])
    assert_same(model, expected(model, X[-8:], y[-8:], weights[-8:], learnt), 4e-12)


@pytest.mark.parametrize("lr_decay", [0.0, 1e-6, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0 - 1e-9, 1.0])
@pytest.mark.parametrize("alpha", [1e-8, 1e-3, 10.0])
def test_absent_weights_shrink_in_closed_form(lr_decay, l1_ratio, alpha):
    """One feature in one row, and thousands of rows without features."""
    parameters = {"alpha": alpha, "l1_ratio": l1_ratio, "lr_decay": lr_decay}
    model = AdagradRegressor(lr=0.2, fit_intercept=False, **parameters)
    indptr = np.append(0, np.ones(1500, np.int32)).astype(np.int32)
    X = sparse.csr_array((np.array([1.7]), np.array([2], np.int32), indptr), shape=(1500, 4))
    y = np.ones(1500)
    learnt = None
    for first, last in [(0, 1), (1, 2), (2, 25), (25, 1500)]:
        learnt = expected(model, X[first:last], y[first:last], np.ones(last - first), learnt)
        model.partial_fit(X[first:last], y[first:last])
        np.testing.assert_allclose(model.coef_, learnt.coef, rtol=1e-11, atol=1e-16)
        assert (model.coef_[2] == 0) == (learnt.coef[2] == 0) or abs(learnt.coef[2]) < 1e-15


CHANGES = [
    {"lr": 0.01},
    {"alpha": 0.3, "l1_ratio": 1.0},
    {"alpha": 0.0},
    {"alpha": 0.1 * ALPHAS},
    {"l1_ratio": 0.0, "eps": 0.1},
    {"lr_decay": 0.05},
    {"fit_intercept": False, "lr": 1.0},
]


@pytest.mark.parametrize(
    "name", ["adagrad", "dual averaging", "ftrl", "multiplied, decayed, clipped"]
)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_parameters_change_in_mid_stream(name, data):
    """What is due under the old ones is settled under the old ones."""
    problem = data.draw(rule_problems((name, "number", False)))
    model, X, y = problem["model"], problem["X"], problem["y"]
    middle, learnt = data.draw(st.integers(1, len(y) - 1)), None
    for part in (slice(0, middle), slice(middle, None)):
        if learnt:
            scores = model.predict(X)
            change = data.draw(
                st.sampled_from(
                    [each for each in CHANGES if name != "ftrl" or "lr_decay" not in each]
                )
            )
            model.set_params(**change)
            np.testing.assert_array_equal(model.predict(X), scores)
            learnt = oracle.changed(learnt, N_FEATURES, **model.get_params())
        weights = np.ones(len(y[part]))
        model.partial_fit(X[part], y[part])
        learnt = expected(model, X[part], y[part], weights, learnt)
    assert_same(model, learnt)


ADAGRAD = rules.Adagrad()
DUAL = rules.Clipped(rules.DualAveraging())
MORE = [
    (ADAGRAD, {"rule": rules.Momentum(ADAGRAD, 0.9)}),
    (rules.Momentum(ADAGRAD, 0.9, True), {"rule": rules.Momentum(ADAGRAD, 0.5)}),
    (rules.Momentum(ADAGRAD, 0.9), {"rule": ADAGRAD}),
    (rules.Multiplied(ADAGRAD, MULTIPLES), {"rule": rules.Multiplied(ADAGRAD, MULTIPLES[::-1])}),
    (rules.Multiplied(ADAGRAD, 0.5), {"rule": ADAGRAD}),
    (rules.FTRL(), {"rule": rules.FTRL(0.1), "lr": 1.0}),
    (rules.Averaged(ADAGRAD, 30), {"rule": rules.Averaged(ADAGRAD, 20)}),
    (rules.Averaged(DUAL), {"lr": 0.05, "eps": 0.01}),
]


@pytest.mark.parametrize(("rule", "change"), MORE, ids=str)
def test_rules_change_in_mid_stream(rule, change):
    X, y = with_absences(np.random.default_rng(0), 60)
    model = AdagradRegressor(rule=rule, lr=0.2).partial_fit(X[:15], y[:15])
    learnt = expected(model, X[:15], y[:15], np.ones(15))
    scores = model.predict(X)
    model.set_params(**change)
    np.testing.assert_array_equal(model.predict(X), scores)
    learnt = oracle.changed(learnt, N_FEATURES, **model.get_params())
    model.partial_fit(X[15:], y[15:])
    assert_same(model, expected(model, X[15:], y[15:], np.ones(45), learnt))


@pytest.mark.parametrize("case", [("adagrad", "number", True), ("all with momentum", "none", True)])
def test_classes_and_epochs(case):
    """Every class has its own weights, and an epoch goes on where the last one ended."""
    rng = np.random.default_rng(1)
    X, _ = with_absences(rng, 90)
    labels = rng.permutation(np.arange(90) % 3)
    model = model_of(case, AdagradClassifier, shuffle=False, max_iter=3, tol=None).fit(X, labels)
    for label in range(3):
        learnt = None
        for _ in range(3):
            signs = np.where(labels == label, 1.0, -1.0)
            learnt = expected(model, X, signs, np.ones(90), learnt)
        np.testing.assert_allclose(model.coef_[label], learnt.coef, rtol=0, atol=1e-12)
        np.testing.assert_allclose(model.intercept_[label], learnt.intercept, rtol=0, atol=1e-12)


def test_every_rule_and_wrapper_is_in_a_stack():
    links = {
        type(each).__name__
        for build, _ in STACKS.values()
        for each in oracle.chain(build(lambda *values: values[0]))
    }
    classes = {name for name in rules.__all__ if not name.islower()}
    assert {*links, "InverseScaling", "Warmup"} == classes
    assert oracle.BY_NAME == RULES
