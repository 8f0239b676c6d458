"""Rows that are learnt together."""

import pickle
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from common import (
    all_bits,
    assert_refused,
    bits,
    every_dtype,
    every_estimator,
    every_loss,
    first_call,
    loss_object,
    random_rows,
    random_targets,
    stream,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import fit, learn
from sklearn.base import clone
from stacks import BATCHED, FEW, name_of, rule_problems
from test_against_oracle import assert_same as assert_heads_same
from test_against_oracle import expected as expected_of_loss
from test_against_oracle import rows, signs
from test_exactness import EPOCH, INTERRUPTIONS, cut, read_everything, with_ignored_rows
from test_outputs import assert_heads_are
from test_rules_against_oracle import assert_same, expected

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor, load
from sklearn_adagrad.model.state import settle
from sklearn_adagrad.rules import (
    ImportanceAware,
    InverseScaling,
    ScaleFree,
    Scheduled,
    replaced,
    sqrt,
)

every_batched_case = pytest.mark.parametrize("case", BATCHED, ids=name_of)
FEW_BATCHED = [case for case in BATCHED if case in FEW]
SIZES = st.sampled_from([2, 7, 64, 0.1, 0.5, 0.99])
some = settings(max_examples=10, deadline=None)


def drawn(data, case, dtype=np.float64, **more):
    problem = data.draw(rule_problems(case, dtype, **more))
    problem["model"].set_params(batch_size=data.draw(SIZES))
    return problem


@every_batched_case
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_stream(case, data):
    """The state of the eager oracle, and its predictions: as if the last batch had ended."""
    problem = drawn(data, case)
    model = learn(problem)
    learnt = expected(model, *(problem[name] for name in ("X", "y", "sample_weight")))
    assert_same(model, learnt)
    scores = problem["X"] @ learnt.coef + learnt.intercept
    np.testing.assert_allclose(model.predict(problem["X"]), scores, rtol=1e-11, atol=1e-11)


@every_batched_case
@some
@given(data=st.data())
def test_chunks_rows_of_weight_zero_and_epochs(case, data):
    problem = drawn(data, case, data.draw(st.sampled_from([np.float32, np.float64])))
    whole = learn(problem)
    assert bits(learn(problem, cut(data, len(problem["y"])))) == bits(whole)
    padded = with_ignored_rows(data, problem)
    assert bits(learn(padded, cut(data, len(padded["y"])))) == bits(whole)
    assert bits(fit(problem, **EPOCH)) == bits(whole)
    twice = fit(problem, warm_start=True, **EPOCH)
    twice.fit(problem["X"], problem["y"], sample_weight=problem["sample_weight"])
    assert bits(twice) == bits(fit(problem, **EPOCH | {"max_iter": 2}))


@every_batched_case
@some
@given(data=st.data())
def test_reading_and_interruptions(case, data):
    problem = drawn(data, case)
    X, y, weights = problem["X"], problem["y"], problem["sample_weight"]
    interrupted = INTERRUPTIONS[data.draw(st.sampled_from(list(INTERRUPTIONS)))]
    model = clone(problem["model"])
    for part in cut(data, len(y)):
        model = interrupted(model).partial_fit(X[part].toarray(), y[part],
                                               sample_weight=weights[part])  # fmt: skip
        before = all_bits(model)
        read_everything(model, X, y)
        assert all_bits(model) == before
    assert bits(model) == bits(learn(problem))


@every_loss
def test_every_loss(estimator, loss):
    rng = np.random.default_rng(0)
    X, y, weights = rows(rng, estimator, loss)
    model = estimator(loss, lr=0.1, batch_size=0.2)
    targets = signs(y) if estimator is AdagradClassifier else y
    learnt = expected_of_loss(model, loss_object(estimator, loss), X, targets, weights)
    model.partial_fit(X, y, sample_weight=weights, **first_call(estimator))
    assert_heads_same(model, learnt)


@pytest.mark.parametrize("case", FEW_BATCHED, ids=name_of)
@some
@given(data=st.data())
def test_heads_are_models_of_their_own(case, data):
    problem = drawn(data, case, n_outputs=FEW[case])
    model = learn(problem)
    assert bits(learn(problem, cut(data, len(problem["y"])))) == bits(model)
    models = [learn(problem, y=column) for column in problem["y"].T]
    assert_heads_are(model, models, problem["X"])


@pytest.mark.parametrize(
    ("rule", "lr"),
    [(ImportanceAware("adagrad"), 0.3), (ScaleFree("adagrad"), 0.3), ("adagrad", "auto")],
    ids=str,
)
def test_heads_are_alone_where_gradients_are_zero(rule, lr):
    """Rows beyond the margin: one label has a gradient where another has none."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 300, 12)
    y = (X @ rng.standard_normal((12, 2)) > 0).astype(int)
    model = AdagradClassifier("hinge", rule=rule, lr=lr, batch_size=20)
    both = clone(model).partial_fit(X, y, classes=[0, 1])
    for n in range(2):
        one = clone(model).partial_fit(X, y[:, n], classes=[0, 1])
        np.testing.assert_allclose(both.coef_[n], one.coef_[0], rtol=1e-10, atol=1e-12)
        if lr != "auto":
            given = {"has_unit": False, "loss": loss_object(AdagradClassifier, "hinge")}
            learnt = oracle.learn(oracle.nothing(12), X.toarray(), signs(y[:, n]), np.ones(300),
                                  **one.get_params() | given)  # fmt: skip
            np.testing.assert_allclose(one.coef_[0], learnt.coef, rtol=1e-10, atol=1e-12)


def test_classes_of_one_softmax():
    rng = np.random.default_rng(0)
    X, labels = random_rows(rng, 60), rng.permutation(np.arange(60) % 5)
    weights = rng.choice([0.0, 0.5, 1.0], 60)
    model = AdagradClassifier(lr=0.2, multi_class="multinomial", batch_size=0.3, alpha=0.01)
    model.partial_fit(X, labels, classes=range(5), sample_weight=weights)
    given = model.get_params()
    begun = [oracle.nothing(X.shape[1]) for _ in range(5)]
    models = oracle.learn_classes(begun, X.toarray(), labels, weights, **given)
    for head, learnt in enumerate(models):
        assert_heads_same(model, learnt, head=head)


@every_estimator
@every_dtype
def test_with_nothing_else_set(estimator, dtype):
    """Four learners, whose steps are sized row by row; pickles in the midst of a batch."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 300, dtype=dtype)
    y = random_targets(rng, estimator, "squared_error", 300)
    model, whole = estimator(batch_size=0.1), estimator(batch_size=0.1)
    stream(whole, X, y)
    for part in (slice(0, 1), slice(1, 50), slice(50, 123), slice(123, 290), slice(290, 300)):
        stream(model, X, y, [part])
        model = pickle.loads(pickle.dumps(model))
    assert bits(model) == bits(whole)


@every_estimator
def test_files_in_the_midst_of_a_batch(estimator, tmp_path):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 100), random_targets(rng, estimator, "squared_error", 100)
    for parameters in ({}, {"lr": 0.1, "alpha": 1e-3, "lr_decay": 0.01}):
        model = stream(estimator(batch_size=30, **parameters), X[:70], y[:70])
        model.save(tmp_path / "model")
        loaded = load(tmp_path / "model")
        assert loaded.get_params() == model.get_params()
        assert bits(loaded) == bits(model)
        assert bits(stream(loaded, X[70:], y[70:])) == bits(stream(model, X[70:], y[70:]))
        model.save(tmp_path / "serving", serving=True)
        np.testing.assert_array_equal(load(tmp_path / "serving").coef_, model.coef_)


@pytest.mark.parametrize(
    "change", [{"batch_size": 1}, {"batch_size": 4}, {"batch_size": 0.5}, {"lr": 0.02},
               {"alpha": 0.3}, {"lr_decay": 0.1}], ids=str,
)  # fmt: skip
@pytest.mark.parametrize("before", [1, 16, 0.3])
def test_a_change_of_parameters_ends_the_batch(before, change):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60), random_targets(rng, AdagradRegressor, "squared_error", 60)
    given = {"rule": "adagrad", "lr": 0.1, "alpha": 0.01, "l1_ratio": 0.5, "batch_size": before}
    model, learnt = AdagradRegressor(**given).partial_fit(X[:37], y[:37]), None
    scores = model.predict(X)
    for part, more in ((slice(0, 37), {}), (slice(37, 60), change)):
        given |= more
        learnt = expected(AdagradRegressor(**given), X[part], y[part], np.ones(60)[part], learnt)
    model.set_params(**change)
    np.testing.assert_array_equal(model.predict(X), scores)
    model.partial_fit(X[37:], y[37:])
    np.testing.assert_allclose(model.coef_, learnt.coef, rtol=1e-11, atol=1e-13)


def test_a_batch_of_one_row_is_a_row():
    """As long as the fraction of the rows is below two, the same numbers come from other code."""
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 150), random_targets(rng, AdagradRegressor, "squared_error", 150)
    plain, batched = (
        AdagradRegressor(lr=0.1, alpha=1e-3, batch_size=size).partial_fit(X, y)
        for size in (1, 1 / 128)
    )
    np.testing.assert_allclose(batched.coef_, plain.coef_, rtol=1e-12)
    np.testing.assert_allclose(batched.progressive_loss_, plain.progressive_loss_, rtol=1e-12)


def test_what_batches_are():
    """Rows of one batch are scored alike, and whoever reads sees all rows."""
    model = AdagradRegressor(lr=0.5, fit_intercept=False, batch_size=4)
    ones = np.ones((6, 1))
    scores = model._progressive_partial_fit(ones, ones[:, 0])[:, 0]
    np.testing.assert_allclose(scores, [0, 0, 0, 0, 0.5, 0.5], rtol=1e-9)
    # -4 is the sum of the gradients of the first batch, and -1 that of the second so far.
    np.testing.assert_allclose(model.coef_, 0.5 + 0.5 / np.sqrt(17), rtol=1e-9)
    np.testing.assert_allclose(model.accumulator_, 17)
    before = all_bits(model)
    model.partial_fit(ones[:2], ones[:2, 0])
    assert all_bits(model) != before
    np.testing.assert_allclose(model.coef_, 0.5 + 0.5 * 2 / np.sqrt(20), rtol=1e-9)


def test_sums_in_float32_do_not_stand_still():
    """A million small gradients on top of a large one."""
    n = 2**20
    X = np.ones((n, 1), np.float32)
    y = np.where(np.arange(n) < 2**14, 500.0, 0.1)
    model = AdagradRegressor(lr=0.5, fit_intercept=False, batch_size=n)
    model.partial_fit(X, y)
    np.testing.assert_allclose(np.sqrt(model.accumulator_), y.sum(), rtol=1e-3)


def test_sums_of_large_gradients_are_in_range():
    X = np.full((64, 1), 1e13, np.float32)
    y = np.full(64, -1.0)
    AdagradRegressor("absolute_error", lr=0.1).partial_fit(X, y)
    model = AdagradRegressor("absolute_error", lr=0.1, batch_size=32)
    with pytest.raises(FloatingPointError, match="row 0 is out of range"):
        model.partial_fit(X, y)
    model.partial_fit(X / 4, y)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.accumulator_).all()


@pytest.mark.parametrize("start", [2**31 - 20, 2**32 - 20])
@pytest.mark.parametrize("size", [7, 19, 2**-29])
def test_clocks_of_32_bits_run_over(start, size):
    """float32 records count rows modulo 2**32: as with 64 bits, also where a batch begins at 0."""
    rng, found = np.random.default_rng(0), []
    X, y = random_rows(rng, 60), random_targets(rng, AdagradRegressor, "squared_error", 60)
    for dtype in (np.float32, np.float64):
        model = AdagradRegressor(lr=0.1, alpha=1e-3, batch_size=4)
        model.partial_fit(X[:4].astype(dtype), y[:4]).set_params(batch_size=size)
        model._state.totals["t"] = start
        settle(model._bound, model._state)
        for part in (slice(0, 25), slice(25, 60)):
            model.partial_fit(X[part].astype(dtype), y[part])
        found.append(model.coef_)
    np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-6)


@every_estimator
@pytest.mark.parametrize("size", [0, -1, 0.0, 1.0, 1.5, 2.0, "auto", None, np.nan, 2**41])
def test_sizes_out_of_range(estimator, size):
    X, y = random_rows(np.random.default_rng(0)), np.arange(50) % 2
    assert_refused(estimator(batch_size=size), "partial_fit", "batch_size", X, y)


def test_a_search_is_its_candidates():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 80), random_targets(rng, AdagradClassifier, "log_loss", 80)
    search = AdagradClassifierCV(lr=[0.05, 0.3], alpha=[0.0, 0.01], batch_size=0.1)
    for part in (slice(0, 33), slice(33, 80)):
        search.partial_fit(X[part], y[part], classes=[0, 1])
    best = AdagradClassifier(batch_size=0.1, **search.best_params_)
    best.partial_fit(X, y, classes=[0, 1])
    np.testing.assert_allclose(search.best_estimator_.coef_, best.coef_, rtol=1e-12)
    search.set_params(refit=True, max_iter=2).fit(X, y)
    assert search.best_estimator_.batch_size == 0.1


def test_fit_ends_with_all_rows():
    """Also if the last batch has not, and early stopping sees them."""
    X, y = np.eye(10), np.arange(10) % 2
    model = AdagradClassifier(lr=0.1, batch_size=1000, max_iter=1, tol=None).fit(X, y)
    assert (np.sign(model.coef_[0]) == 2 * y - 1).all()


class Summing(NamedTuple):
    """A rule whose record has an entry that batches keep too."""

    def start(self, settings):
        return {"weight": 0.0, "sum": 0.0}

    def step(self, record, g, row):
        return replaced(record, "sum", record.sum + g), row.lr * g


def test_names_that_batches_need():
    X, y = np.eye(4), np.arange(4.0)
    AdagradRegressor(rule=Summing(), lr=0.1).partial_fit(X, y)
    model = AdagradRegressor(rule=Summing(), lr=0.1, batch_size=2)
    assert_refused(model, "partial_fit", "Batched keeps an entry 'sum'", X, y)


class Slower(NamedTuple):
    """Adagrad whose rate falls by a method of its own."""

    def start(self, settings):
        return {"weight": 0.0, "accumulator": 0.0}

    def factor(self, t):
        return float(t) ** -0.5

    def step(self, record, g, row):
        record = replaced(record, "accumulator", record.accumulator + g * g)
        return record, row.lr * g / (sqrt(record.accumulator) + row.eps)


def test_a_rate_is_that_of_the_batch_whoever_changes_it():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60), random_targets(rng, AdagradRegressor, "squared_error", 60)
    own, wrapped = (
        AdagradRegressor(rule=rule, lr=0.5, batch_size=7).partial_fit(X, y).coef_
        for rule in (Slower(), Scheduled("adagrad", InverseScaling(0.5)))
    )
    np.testing.assert_allclose(own, wrapped, rtol=1e-12)


@every_dtype
def test_gradients_that_cancel_leave_nothing(dtype):
    """Gradients of one half and minus one half, whose sum needs no rounding."""
    y = np.random.default_rng(0).permutation(np.arange(3000) % 2)
    model = AdagradClassifier(lr=0.1, batch_size=10_000)
    model.partial_fit(np.ones((3000, 1), dtype), y, classes=[0, 1])
    for table in model._state.tables.values():
        assert table["sum"][0] == 0.0
    assert model.coef_[0, 0] == model.intercept_[0] == 0.0


@every_estimator
@pytest.mark.parametrize("size", [0, -5, 1.0, 2.5, np.nan, np.inf, "5", None, [5], 2**41])
def test_sizes_out_of_range_in_mid_stream(estimator, size):
    X, y = random_rows(np.random.default_rng(0)), np.arange(50) % 2
    model = stream(estimator(lr=0.1, batch_size=4), X, y).set_params(batch_size=size)
    error = TypeError if size is None or isinstance(size, str | list) else ValueError
    assert_refused(model, "partial_fit", "batch_size", X, y, error=error)


@pytest.mark.parametrize("lr", [0.1, "auto"])
def test_a_row_that_is_refused_begins_no_batch(lr):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 21), random_targets(rng, AdagradRegressor, "squared_error", 21)
    model = AdagradRegressor(lr=lr, batch_size=10).partial_fit(X[:20], y[:20])
    before = bits(model)
    with pytest.raises(FloatingPointError, match="row 0 "):
        model.partial_fit(X[20:], [1e300])
    assert bits(model) == before
