"""How far a score would move: what really learning the row does, for every rule."""

import pickle
from typing import NamedTuple

import numpy as np
import pytest
from common import all_bits, every_dtype, every_estimator, random_rows, stream, trained
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import learn
from scipy import sparse
from sklearn.exceptions import NotFittedError
from stacks import CASES, FEW, name_of, rule_problems

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.model import uncertainty
from sklearn_adagrad.rules import Averaged, Clipped, ScaleFree


class Slope(NamedTuple):
    """Its gradient is ``y``, whatever the score."""

    def value(self, y, score):
        return y * score

    def gradient(self, y, score):
        return y

    def drop(self, y, score, reach):
        return y * reach

    def prediction(self, score):  # scores have no unit: targets have no scale
        return score


def copied(model):
    return pickle.loads(pickle.dumps(model))


def move(model, row, slope):
    """By how much the scores of one row change when it is learnt.

    With the scales of columns, and the shares of learners, that it is learnt with.
    """
    before, after = copied(model), copied(model)
    largest = before._state.beside.get("largest", ())
    if len(largest):
        largest[row.indices] = np.maximum(largest[row.indices], abs(row.data))
    y = np.full_like(before.predict(row), slope)
    after.partial_fit(row, y)
    if "shares" in after._state.beside:
        after._state.beside["shares"][:] = before._state.beside["shares"]
    return abs(after.predict(row) - before.predict(row))


def assert_moves_so(model, X):
    model = copied(model).set_params(loss=Slope())
    found = model.uncertainty(X)
    for i in range(X.shape[0]):
        wanted = np.maximum(*(move(model, X[[i]], slope) for slope in (1.0, -1.0)))[0]
        np.testing.assert_allclose(found[i], wanted, rtol=1e-8, atol=1e-11)


def without_mean(problem):
    """The weights that learn are those of the same model without the mean."""
    rule = problem["model"].rule
    if isinstance(rule, Averaged):
        problem["model"].rule = rule.rule
    return learn(problem)


@pytest.mark.parametrize("case", CASES[::3], ids=name_of)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_a_row_that_is_learnt(case, data):
    problem = data.draw(rule_problems(case))
    model = learn(problem)
    plain = without_mean(problem)
    X = problem["X"][:6]
    np.testing.assert_array_equal(model.uncertainty(X), plain.uncertainty(X))
    assert_moves_so(plain, X)


@pytest.mark.parametrize("case", FEW, ids=name_of)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_of_several_outputs(case, data):
    problem = data.draw(rule_problems(case, n_outputs=FEW[case]))
    model = without_mean(problem)
    X = problem["X"][:3]
    assert model.uncertainty(X).shape == model.predict(X).shape
    assert_moves_so(model, X)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("rule", ["adagrad", Clipped("ftrl", norm=0.5)], ids=str)
def test_of_learners_that_are_averaged(rule, n_outputs):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 40, 10), rng.standard_normal((40, n_outputs))
    model = AdagradRegressor(lr="auto", rule=rule, alpha=1e-3)
    model.partial_fit(X[:30], y[:30, 0] if n_outputs == 1 else y[:30])
    assert_moves_so(model, X[25:])


@pytest.mark.parametrize("by_column", [True, False])
def test_formula_of_scale_free_rules(by_column):
    """With the unit of the targets so far."""
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60, 10), 100.0 * rng.standard_normal(60)
    model = AdagradRegressor(rule=ScaleFree("adagrad", by_column), lr=0.3).partial_fit(X, y)
    s, above = model.accumulator_, model._state.tables["intercept"]["accumulator"][0]
    seen = np.vstack([X.toarray(), 3.0 * X[[0]].toarray()])  # with the row, of weight 1
    largest = np.maximum.accumulate(abs(seen)) if by_column else np.ones_like(seen)
    scaled = np.divide(seen, largest, out=np.zeros_like(seen), where=largest > 0)
    norms = (scaled**2).sum(axis=1) + 1.0
    stride = np.std(y) / np.sqrt(norms.mean() if by_column else norms.max())
    wanted = (scaled[-1] ** 2 / np.sqrt(s + scaled[-1] ** 2)).sum() + 1.0 / np.sqrt(above + 1.0)
    np.testing.assert_allclose(model.uncertainty(seen[-1:]), 0.3 * stride * wanted)


@every_dtype
def test_formula_of_adagrad(dtype):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60, 10, dtype=dtype), np.arange(60) % 2
    model = stream(AdagradClassifier(lr=0.3, eps=0.01), X, y)
    x, s = X.toarray().astype(float), model.accumulator_.astype(float)
    above = float(model._state.tables["intercept"]["accumulator"][0])
    wanted = (0.3 * x**2 / (np.sqrt(s + x**2) + 0.01)).sum(axis=1)
    wanted += 0.3 / (np.sqrt(above + 1.0) + 0.01)
    np.testing.assert_allclose(model.uncertainty(X), wanted, rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_what_a_label_can_do(seed):
    rng = np.random.default_rng(seed)
    X, y = random_rows(rng, 40, 10), rng.permutation(np.arange(40) % 2)
    model = stream(AdagradClassifier(lr=0.5), X[:30], y[:30])
    for i in range(30, 40):
        row = X[[i]]
        learnt = copied(model).partial_fit(row, y[[i]])
        moved = abs(learnt.decision_function(row) - model.decision_function(row))
        assert moved[0] <= model.uncertainty(row)[0] * (1 + 1e-9)


def test_rare_features_are_uncertain_and_frequent_ones_less_and_less():
    X = sparse.csr_array(np.eye(3))
    rows = X[[0] * 100 + [1]]
    first = stream(AdagradClassifier(lr=0.1), rows, np.arange(101) % 2)
    frequent, rare, new = first.uncertainty(X)
    assert frequent < rare < new
    second = copied(first).partial_fit(rows, np.arange(101) % 2)
    assert (second.uncertainty(X)[:2] < first.uncertainty(X)[:2]).all()


@every_estimator
def test_parts_forms_and_purity(estimator, monkeypatch):
    model = trained(estimator)
    X = random_rows(np.random.default_rng(0), 30, 8, 0.2)
    assert (np.diff(X.indptr) == 0).any()
    before, whole = all_bits(model), model.uncertainty(X)
    assert all_bits(model) == before
    assert whole.shape == (30,)
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(model.uncertainty(X.toarray()), whole)
    np.testing.assert_array_equal([model.uncertainty(X[[i]])[0] for i in range(30)], whole)
    for size in (1, 5, 7):
        monkeypatch.setattr(uncertainty, "_PART", size)
        np.testing.assert_array_equal(model.uncertainty(X), whole)


def test_without_an_intercept_a_row_of_nothing_moves_nothing():
    model = trained(AdagradRegressor, fit_intercept=False)
    np.testing.assert_array_equal(model.uncertainty(np.zeros((1, 8))), [0.0])


@every_estimator
def test_what_cannot_be_asked(estimator):
    X = np.ones((3, 8))
    with pytest.raises(NotFittedError):
        estimator().uncertainty(X)
    model = trained(estimator)
    with pytest.raises(ValueError, match="7 features"):
        model.uncertainty(X[:, :7])
    X[1, 2] = 1e200
    with pytest.raises(FloatingPointError, match=r"Row 1 cannot be learnt.* a value of 1e\+200"):
        model.uncertainty(X)


def test_only_features_of_the_rows_are_read():
    """However many columns there are."""
    wide = sparse.csr_array((np.ones(1), np.array([5]), np.array([0, 1])), shape=(1, 2**20))
    model = AdagradClassifier(lr=0.1).partial_fit(wide, [1], classes=[0, 1])
    taken = []

    class Watched(np.ndarray):
        def __getitem__(self, key):
            taken.append(key)
            return super().__getitem__(key)

    model._state.tables["weights"] = model._state.tables["weights"].view(Watched)
    assert model.uncertainty(wide).shape == (1,)
    np.testing.assert_array_equal(taken[0], [5])
