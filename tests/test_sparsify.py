"""Models with many zeros or small weights, and models of which most features were never learnt."""

import pickle
import threading
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import sklearn
from common import DTYPES, bits, every_estimator, random_rows, small_data, stream, trained
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import learn
from scipy import sparse
from sklearn.exceptions import NotFittedError
from stacks import CASES, MULTIPLES, N_FEATURES, name_of, rule_problems

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor
from sklearn_adagrad.rules import Adagrad, Multiplied

WIDTH = 2**16


def copied(model):
    return pickle.loads(pickle.dumps(model))


def model_with_zeros(n_outputs=1):
    """A regressor of which a penalty makes some weights zero, and rows."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 60, 40)
    y = X[:, [0, 1]] @ np.array([1.0, -2.0]) + 0.01 * rng.standard_normal(60)
    if n_outputs > 1:
        y = np.stack([np.roll(y, n) for n in range(n_outputs)], axis=1)
    model = AdagradRegressor(lr=0.3, alpha=0.2, l1_ratio=1.0, max_iter=20, tol=None)
    return model.fit(X, y), X, y


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_weights_and_predictions_stay_the_same(n_outputs):
    model, X, _ = model_with_zeros(n_outputs)
    coef, predictions, accumulator = model.coef_, model.predict(X), model.accumulator_
    assert 0 < np.count_nonzero(coef) < coef.size
    assert model.sparsify() is model
    assert sparse.issparse(model.coef_)
    assert model.coef_.format == "csr"
    assert model.coef_.nnz == np.count_nonzero(coef)
    np.testing.assert_array_equal(model.coef_.toarray(), np.atleast_2d(coef))
    np.testing.assert_array_equal(model.predict(X), predictions)
    learnt = np.atleast_2d(coef).any(axis=0)
    assert n_outputs == 1 or (np.atleast_2d(coef)[:, learnt] == 0).any()
    kept, before = np.atleast_2d(model.accumulator_), np.atleast_2d(accumulator)
    np.testing.assert_array_equal(kept[:, learnt], before[:, learnt])
    assert not kept[:, ~learnt].any()
    assert before[:, ~learnt].any()
    assert bits(copied(model)) == bits(model)
    assert sparse.issparse(copied(model).coef_)
    assert model.densify() is model
    np.testing.assert_array_equal(model.coef_, coef)


def test_forgotten_features_begin_anew():
    model, X, y = model_with_zeros()
    zeros = np.flatnonzero(model.coef_ == 0)
    model.sparsify().partial_fit(X[:5], y[:5])
    again = copied(model).partial_fit(X[5:9], y[5:9])
    assert bits(again) == bits(model.partial_fit(X[5:9], y[5:9]))
    assert sparse.issparse(model.coef_)
    assert model.accumulator_[zeros].any()
    assert not sparse.issparse(model.fit(X, y).coef_)


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickles_hold_what_was_learnt(dtype):
    rng = np.random.default_rng(0)
    few = random_rows(rng, 20, 30, dtype=dtype)
    X = sparse.csr_array((few.data, few.indices, few.indptr), shape=(20, WIDTH))
    y = np.arange(20) % 2
    model = stream(AdagradClassifier(lr=0.1, alpha=1e-3), X[:10], y[:10])
    assert len(pickle.dumps(model)) < 10_000 < WIDTH
    again = copied(model)
    assert bits(again) == bits(model)
    assert bits(again.partial_fit(X[10:], y[10:])) == bits(model.partial_fit(X[10:], y[10:]))
    search = AdagradClassifierCV(lr=[0.1, 1.0]).partial_fit(X, y, classes=[0, 1])
    assert len(pickle.dumps(search)) < 20_000
    np.testing.assert_array_equal(copied(search).coef_, search.coef_)


@pytest.mark.parametrize("case", CASES[::6], ids=name_of)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_pickles_of_some_rules_lose_nothing(case, data):
    problem = data.draw(rule_problems(case))
    n_seen = data.draw(st.integers(0, N_FEATURES))
    problem["X"] = sparse.csr_array(problem["X"] * (np.arange(N_FEATURES) < n_seen))
    half = len(problem["y"]) // 2
    model = learn(problem, [slice(0, half)]) if half else learn(problem)
    again = copied(model)
    assert bits(again) == bits(model)
    rest = problem["X"][half:], problem["y"][half:]
    assert bits(again.partial_fit(*rest)) == bits(model.partial_fit(*rest))


def test_arrays_of_the_user_are_saved_with_what_was_learnt():
    X, y = small_data()
    wide = sparse.csr_array((X.data, X.indices, X.indptr), shape=(len(y), N_FEATURES))
    model = AdagradClassifier(lr=0.1, rule=Multiplied("adagrad", MULTIPLES), alpha=1e-3)
    stream(model, wide[:3], y[:3])
    again = copied(model)
    np.testing.assert_array_equal(again.rule.lr, MULTIPLES)
    assert bits(again.partial_fit(wide, y)) == bits(model.partial_fit(wide, y))


@every_estimator
def test_there_must_be_a_model(estimator):
    for method, arguments in {"sparsify": (), "densify": (), "prune": (0.1,)}.items():
        with pytest.raises(NotFittedError):
            getattr(estimator(), method)(*arguments)
    with pytest.raises(AttributeError, match="not fitted"):
        estimator().n_live_features_  # noqa: B018


@pytest.mark.parametrize("interface", ["spmatrix", "sparray"])
def test_the_kind_of_sparse_matrix_is_an_option(interface):
    with sklearn.config_context(sparse_interface=interface):
        coef = trained(AdagradClassifier).sparsify().coef_
    assert isinstance(coef, sparse.spmatrix) == (interface == "spmatrix")


class FromOne(NamedTuple):
    """Adagrad from weights of 1."""

    rule: tuple = Adagrad()

    def start(self, settings):
        return {"weight": 1.0}


def test_weights_that_do_not_begin_at_zero():
    model = AdagradRegressor(lr=0.1, rule=FromOne()).partial_fit(*small_data())
    for forget in (model.sparsify, lambda: model.prune(0.1)):
        with pytest.raises(ValueError, match=r"rule=FromOne.* begins with weights that are not"):
            forget()
    assert bits(copied(model)) == bits(model)


@pytest.mark.parametrize("forget", [("sparsify",), ("prune", 0.01)], ids=str)
def test_after_an_interrupted_call(forget):
    """Rows and classes are counted first."""
    model = trained(AdagradClassifier, class_weight="balanced")
    before, (X, y) = model._class_counts.copy(), small_data()
    engine = model._engine

    def interrupted(*arguments, **more):
        engine.learn(*arguments, **more)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            type(model), "_engine", SimpleNamespace(**vars(engine) | {"learn": interrupted})
        )
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(X, y)
    name, *arguments = forget
    assert (getattr(model, name)(*arguments)._class_counts > before).all()


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_pruned_features_are_forgotten_whole(n_outputs):
    model, X, y = model_with_zeros(n_outputs)
    coef, accumulator = np.atleast_2d(model.coef_), np.atleast_2d(model.accumulator_)
    threshold = float(np.median(np.abs(coef[coef != 0])))
    small = (np.abs(coef) <= threshold).all(axis=0)
    live = int(coef.any(axis=0).sum())
    assert model.n_live_features_ == live
    intercept, scores = model.intercept_, model.predict(X)
    assert model.prune(threshold) is model
    assert not sparse.issparse(model.coef_)
    pruned = np.atleast_2d(model.coef_)
    assert not pruned[:, small].any()
    np.testing.assert_array_equal(pruned[:, ~small], coef[:, ~small])
    kept = np.atleast_2d(model.accumulator_)
    np.testing.assert_array_equal(kept[:, ~small], accumulator[:, ~small])
    assert not kept[:, small].any()
    np.testing.assert_array_equal(model.intercept_, intercept)
    assert 0 < model.n_live_features_ == int((~small).sum()) < live
    if n_outputs > 1:  # a small weight beside a larger one stays
        beside = (np.abs(coef) <= threshold) & (coef != 0) & ~small
        assert beside.any()
    most = threshold * np.abs(X).sum(axis=1).max() * (1 + 1e-9)
    assert np.abs(model.predict(X) - scores).max() <= most
    assert bits(copied(model).partial_fit(X, y)) == bits(model.partial_fit(X, y))


def test_a_threshold_of_zero_is_sparsify_without_a_sparse_matrix():
    model, X, _ = model_with_zeros()
    pruned, sparsified = copied(model).prune(0.0), copied(model).sparsify()
    assert bits(pruned) == bits(sparsified)
    assert not sparse.issparse(pruned.coef_)
    assert sparse.issparse(sparsified.prune(0).coef_)
    assert sparsified.n_live_features_ == np.count_nonzero(pruned.coef_)
    everything = model.prune(1e300)
    assert everything.n_live_features_ == 0
    np.testing.assert_array_equal(everything.predict(X), np.full(60, everything.intercept_[0]))


@pytest.mark.parametrize("case", CASES[::5], ids=name_of)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_pruning_with_every_kind_of_rule(case, data):
    """Forgotten features learn as new ones do, the others as if nothing had happened."""
    problem = data.draw(rule_problems(case))
    model = learn(problem)
    threshold = data.draw(st.sampled_from([0.0, 1e-3, 0.05, 1.0]))
    before, small = copied(model), np.abs(model.coef_) <= threshold
    model.prune(threshold)
    assert not model.coef_[small].any()
    np.testing.assert_array_equal(model.coef_[~small], before.coef_[~small])
    assert model.t_ == before.t_
    assert model.progressive_loss_ == before.progressive_loss_
    again = copied(model)
    rest = problem["X"], problem["y"]
    assert bits(again.partial_fit(*rest)) == bits(model.partial_fit(*rest))


@every_estimator
@pytest.mark.parametrize(
    ("threshold", "error", "message"),
    [
        (-1.0, ValueError, "threshold=-1.0 is out of range: it must be at least 0 and finite"),
        (np.nan, ValueError, "threshold=nan"),
        (np.inf, ValueError, "threshold=inf"),
        (10**400, ValueError, "threshold=1000.* is out of range"),
        ("small", TypeError, "threshold='small' must be a number"),
        (None, TypeError, "threshold=None must be a number"),
    ],
)
def test_thresholds_that_are_none(estimator, threshold, error, message):
    model = trained(estimator)
    before = bits(model)
    with pytest.raises(error, match=message):
        model.prune(threshold)
    assert bits(model) == before


def test_pruning_while_another_thread_predicts_and_learns():
    """Readers see the model before or after, and a call that learns waits for its turn."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 400, 50)
    y = (X @ rng.standard_normal(50) > 0).astype(int)
    model, expected = (stream(AdagradClassifier(lr=0.1), X, y) for _ in range(2))
    stop, found = threading.Event(), []

    def read():
        while not stop.is_set():
            found.append(np.isfinite(model.predict_proba(X[:5])).all() and model.n_live_features_)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(20):
            model.prune(0.01).partial_fit(X, y)
    finally:
        stop.set()
        reader.join()
    for _ in range(20):
        expected.prune(0.01).partial_fit(X, y)
    assert all(found)
    assert bits(model) == bits(expected)
