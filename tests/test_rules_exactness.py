"""What holds to the last bit, for every rule, wrapper and penalty."""

import pickle
import warnings

import numpy as np
import pytest
from common import (
    all_bits,
    bits,
    random_rows,
    random_targets,
    run_python,
    stream,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import fit, learn
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from stacks import CASES, FEW, N_FEATURES, every_case, model_of, name_of, rule_problems
from test_exactness import EPOCH, INTERRUPTIONS, cut, read_everything, with_ignored_rows
from test_storage import FORMS

from sklearn_adagrad import AdagradRegressor, rules

some = settings(max_examples=10, deadline=None)


@every_case
@some
@given(data=st.data())
def test_chunks_rows_of_weight_zero_and_epochs(case, data):
    problem = data.draw(rule_problems(case))
    parts = cut(data, len(problem["y"]))
    whole = learn(problem)
    assert bits(learn(problem, parts)) == bits(whole)
    padded = with_ignored_rows(data, problem)
    assert bits(learn(padded, cut(data, len(padded["y"])))) == bits(whole)
    assert bits(fit(problem, **EPOCH)) == bits(whole)
    twice = fit(problem, warm_start=True, **EPOCH)
    twice.fit(problem["X"], problem["y"], sample_weight=problem["sample_weight"])
    assert bits(twice) == bits(fit(problem, **EPOCH | {"max_iter": 2}))


STORED = ["dense", "csc_array", "int64 indices", "explicit zeros", "unsorted duplicates"]


@every_case
@some
@given(data=st.data())
def test_storage_reading_and_interruptions(case, data):
    problem = data.draw(rule_problems(case))
    X, y, weights = problem["X"], problem["y"], problem["sample_weight"]
    parts = cut(data, len(y))
    form = FORMS[data.draw(st.sampled_from(STORED[:2]))]
    interrupted = INTERRUPTIONS[data.draw(st.sampled_from(list(INTERRUPTIONS)))]
    model = clone(problem["model"])
    for part in parts:
        model = interrupted(model).partial_fit(form(X[part]), y[part], sample_weight=weights[part])
        before = all_bits(model)
        read_everything(model, X, y)
        assert all_bits(model) == before
    assert bits(model) == bits(learn(problem))


@pytest.mark.parametrize("form", STORED)
@pytest.mark.parametrize(
    "case", [("adagrad", "number", False), ("all with momentum", "none", True)]
)
def test_forms_of_storage(form, case):
    rng = np.random.default_rng(0)
    X = random_rows(rng, 30, N_FEATURES)
    y = random_targets(rng, AdagradRegressor, "squared_error", 30)
    plain = model_of(case).partial_fit(X, y)
    assert bits(model_of(case).partial_fit(FORMS[form](X.copy()), y)) == bits(plain)


@every_case
def test_columns_that_no_row_has(case):
    """Large models fetch records ahead."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 60, N_FEATURES)
    y = random_targets(rng, AdagradRegressor, "squared_error", 60)
    wide = sparse.csr_array((X.data, X.indices, X.indptr), shape=(60, 2**17))
    narrow = model_of(case, nth=1)
    if not np.ndim(narrow.alpha) and "Multiplied" not in repr(narrow.rule):
        one, other = stream(narrow, X, y), stream(clone(narrow), wide, y)
        np.testing.assert_array_equal(one.coef_, other.coef_[:N_FEATURES])
        assert not other.coef_[N_FEATURES:].any()
        np.testing.assert_array_equal(one.predict(X), other.predict(wide))


def trained_with_every_case(dtype="float64"):
    """Weights and scores of every rule, penalty and wrapper, of a few for several outputs too."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 16, N_FEATURES, 0.4, dtype)
    y = random_targets(rng, AdagradRegressor, "squared_error", 16)
    weights = np.arange(8) % 3 / 2
    found = {}
    for case in CASES:
        several = [np.stack([np.roll(y, n) for n in range(3)], axis=1)] if case in FEW else []
        for targets in (y, *several):
            model = model_of(case, nth=1)
            model.partial_fit(X[:8], targets[:8], sample_weight=weights)
            model = pickle.loads(pickle.dumps(model)).partial_fit(X[8:], targets[8:])
            parts = (model.coef_, model.intercept_, model.predict(X))
            found[name_of(case), targets.ndim] = np.concatenate([np.ravel(each) for each in parts])
    return found


def test_compiled_equals_interpreted(tmp_path):
    path = tmp_path / "found"
    script = (
        "import pickle, sys; from test_rules_exactness import trained_with_every_case as train;"
    )
    script += "pickle.dump([train(), train('float32')], open(sys.argv[1], 'wb'))"
    run_python("-c", script, path, NUMBA_DISABLE_JIT="1")
    double, single = pickle.loads(path.read_bytes())
    for name, wanted in trained_with_every_case().items():
        np.testing.assert_allclose(double[name], wanted, rtol=0, atol=1e-12, err_msg=str(name))
        np.testing.assert_allclose(single[name], wanted, rtol=0, atol=2e-4, err_msg=str(name))


# --- the ways of scikit-learn -------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES[::3], ids=name_of)
def test_early_stopping_keeps_the_best_epoch(case):
    rng = np.random.default_rng(0)
    X = random_rows(rng, 80, N_FEATURES)
    y = random_targets(rng, AdagradRegressor, "squared_error", 80)
    settings_ = {"early_stopping": True, "tol": None, "random_state": 0, "shuffle": False}
    model = model_of(case, max_iter=6, **settings_).fit(X, y)
    curve = model.validation_loss_curve_
    assert model.best_n_iter_ == 1 + np.argmin(curve)
    again = model_of(case, max_iter=model.best_n_iter_, **settings_).fit(X, y)
    assert bits(again) == bits(model)


def test_search_over_rules_and_their_parameters():
    rng = np.random.default_rng(0)
    X = random_rows(rng, 60, N_FEATURES)
    y = random_targets(rng, AdagradRegressor, "squared_error", 60)
    grid = {
        "rule": ["adagrad", "dual_averaging", rules.FTRL(0.5)],
        "alpha": [0.0, 1e-3, np.linspace(0, 1e-2, N_FEATURES)],
        "l1_ratio": [0.0, 0.5],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search = GridSearchCV(AdagradRegressor(lr=0.1, max_iter=3), grid, cv=3, error_score="raise")
        search.fit(X, y)
    best = search.best_estimator_
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert type(clone(best).rule) is type(best.rule)
    np.testing.assert_array_equal(best.predict(X), search.predict(X))


@every_case
def test_clone_and_parameters(case):
    model = model_of(case, nth=1)
    learnt = bits(fit_of(model))
    assert bits(fit_of(clone(model))) == learnt
    assert bits(fit_of(AdagradRegressor(lr=0.1).set_params(**model.get_params()))) == learnt
    for text in (repr(model), model._repr_html_()):
        assert type(model.rule).__name__ in text or isinstance(model.rule, str)


def fit_of(model):
    rng = np.random.default_rng(0)
    X = random_rows(rng, 20, N_FEATURES)
    return model.partial_fit(X, random_targets(rng, AdagradRegressor, "squared_error", 20))
