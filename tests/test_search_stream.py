"""A search on a stream: candidates that compete row by row are what each would be by itself."""

import copy
import pickle

import numpy as np
import pytest
from common import all_bits, bits, first_call, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer
from test_search import (
    FEATURES,
    PLAIN,
    SIZING,
    every_kind,
    every_search,
    problem_of,
    searches,
    small,
)

from sklearn_adagrad import AdagradClassifierCV, AdagradRegressorCV
from sklearn_adagrad.rules import (
    FTRL,
    Clipped,
    InverseScaling,
    Multiplied,
    Scheduled,
    Warmup,
    WeightDecay,
)


def streamed(model, X, y, parts=(slice(None),), sample_weight=None):
    """``model``, a search or not, after a ``partial_fit`` of each of the ``parts``."""
    begin = first_call(PLAIN.get(type(model), type(model)), np.unique(y)) if y.ndim == 1 else {}
    for part in parts:
        weights = None if sample_weight is None else sample_weight[part]
        model.partial_fit(X[part], y[part], sample_weight=weights, **begin)
    return model


def alone(search, candidate):
    """The candidate as an estimator that knows of no other."""
    return clone(search.estimator).set_params(**candidate)


def assert_near(found, wanted, tol=1e-12):
    np.testing.assert_allclose(found, wanted, rtol=tol, atol=tol)


def known(search):
    """All that a search on a stream has found, to the last bit."""
    results = {name: frozen(np.asarray(each)) for name, each in search.cv_results_.items()
               if name != "params"}  # fmt: skip
    return [results, search.best_index_, search.best_params_, frozen(search.best_score_)]


# --- candidates and plain estimators -----------------------------------------------------------


@every_search
@pytest.mark.parametrize("rule", SIZING, ids=str)
def test_rules_that_choose_the_size_of_steps(search, rule):
    X, y = problem_of(search)
    parts = [slice(0, 15), slice(15, None)]
    found = streamed(small(search, rule=rule, lr=[0.1, 1.0]), 100.0 * X, y, parts)
    for n, candidate in enumerate(found.cv_results_["params"]):
        plain = streamed(alone(found, candidate), 100.0 * X, y, parts)
        assert_near(found._team.plain(n).coef_, plain.coef_)
        assert_near(found._team.plain(n)._scores(X), plain._scores(X))
        assert_near(found._team.member(n)._scores(X), plain._scores(X))


@every_kind
@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_candidate_is_what_it_would_be_alone(kind, data):
    problem = data.draw(searches(kind))
    search, X, y, weights = (problem[name] for name in ("search", "X", "y", "sample_weight"))
    search.set_params(scoring=None, refit=True, random_state=0)
    cuts = sorted(data.draw(st.lists(st.integers(1, len(y) - 1), max_size=3, unique=True)))
    parts = [slice(*ends) for ends in zip([0, *cuts], [*cuts, len(y)], strict=True)]
    X = X.tocsr() if hasattr(X, "tocsr") else np.asarray(X)
    if weights is not None:
        weights[0] = 1.0
    streamed(search, X, y, parts, weights)
    tol = 1e-11 if X.dtype == np.float64 else 1e-4
    losses = []
    for n, candidate in enumerate(search.cv_results_["params"]):
        plain = streamed(alone(search, candidate), X, y, parts, weights)
        found = search._team.plain(n)
        assert type(found) is type(plain)
        assert repr(found) == repr(plain)
        assert found.t_ == plain.t_
        for name in ("coef_", "intercept_", "accumulator_", "progressive_loss_"):
            assert_near(getattr(found, name), getattr(plain, name), tol)
        name = "decision_function" if hasattr(plain, "classes_") else "predict"
        assert_near(getattr(found, name)(X[::-1]), getattr(plain, name)(X[::-1]), tol)
        losses.append(plain.progressive_loss_)
    assert_near(search.cv_results_["mean_test_score"], -np.array(losses), tol)
    assert_near(-search.best_score_, np.min(losses), tol)
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    assert search.cv_results_["rank_test_score"][search.best_index_] == 1
    assert losses[search.best_index_] <= np.min(losses) + tol


RULES = ["adagrad", "dual_averaging", FTRL()]


@every_search
@pytest.mark.parametrize("rule", RULES, ids=["adagrad", "dual averaging", "ftrl"])
@pytest.mark.parametrize("lr", [0.3, [0.3], [0.1, 0.3, 0.5]], ids=["none", "one", "three"])
def test_best_estimator_goes_on_as_the_plain_one(search, rule, lr):
    X, y = problem_of(search, 60)
    model = search(lr=lr, alpha=[0.0, 1e-3], l1_ratio=[0.3, 1.0], rule=rule)
    streamed(model, X[:40], y[:40])
    best, plain = model.best_estimator_, streamed(alone(model, model.best_params_), X[:40], y[:40])
    assert type(best) is PLAIN[search]
    for part in (slice(40, 45), slice(45, 60)):
        best.partial_fit(X[part], y[part])
        plain.partial_fit(X[part], y[part])
        for name in ("coef_", "intercept_", "progressive_loss_", "t_"):
            assert_near(getattr(best, name), getattr(plain, name))


def test_penalised_and_other_candidates_side_by_side():
    """Whichever comes first, and whichever is the best."""
    X, y = problem_of(AdagradRegressorCV)
    model = streamed(AdagradRegressorCV(lr=0.3, alpha=[0.0, 0.5, 0.1], l1_ratio=0.5), X, y)
    for n, candidate in enumerate(model.cv_results_["params"]):
        plain = streamed(alone(model, candidate), X, y)
        assert_near(model._team.plain(n).coef_, plain.coef_)


@every_search
@pytest.mark.parametrize("lr", [[0.1, 0.5], [0.3], 0.3], ids=["two", "one", "none"])
def test_best_estimator_is_a_copy(search, lr):
    """Whatever is done to it, the search goes on as before."""
    X, y = problem_of(search, 60)
    model, other = (streamed(search(lr=lr), X[:40], y[:40]) for _ in range(2))
    before, right = known(model), model.score(X, y)
    model.best_estimator_.partial_fit(X[40:], y[40:])
    assert known(model) == before
    assert model.score(X, y) == right
    assert bits(model.best_estimator_) == bits(other.best_estimator_)
    assert known(streamed(model, X[40:], y[40:])) == known(streamed(other, X[40:], y[40:]))


@every_search
def test_the_best_so_far_predicts(search):
    X, y = problem_of(search, 60)
    model, winners = search(lr=[0.01, 3.0, 0.3]), []
    for part in (slice(0, 5), slice(5, 20), slice(20, 60)):
        streamed(model, X, y, [part])
        best = model.best_estimator_
        winners.append(best.lr)
        methods = ["predict"]
        if search is AdagradClassifierCV:
            methods += ["decision_function", "predict_proba", "predict_log_proba"]
            assert model.classes_.tolist() == [0, 1]
        for method in methods:
            assert_near(getattr(model, method)(X), getattr(best, method)(X))
        assert_near(model.score(X, y), model.scorer_(best, X, y))
        assert model.n_features_in_ == X.shape[1]
    assert len(set(winners)) > 1  # or this test is about nothing


@pytest.mark.parametrize("refit", [True, False])
def test_score_of_a_stream_is_that_of_the_scorer(refit):
    X, y = problem_of(AdagradClassifierCV)
    model = streamed(AdagradClassifierCV(scoring="neg_log_loss", refit=refit), X, y)
    wanted = get_scorer("neg_log_loss")(model.best_estimator_, X, y)
    assert_near(model.score(X, y), wanted)


# --- how the stream is cut ---------------------------------------------------------------------


@every_search
@pytest.mark.parametrize("more", [{}, {"eps": [1e-10, 0.1, 1.0]}, {"alpha": [0.0, 1e-3]}])
@pytest.mark.parametrize("balanced", [False, True])
def test_chunks_change_no_bit(search, more, balanced):
    if balanced and search is AdagradClassifierCV:
        more = more | {"class_weight": "balanced"}
    X, y = problem_of(search)
    weights = np.arange(40) % 3 * 0.5 + (np.arange(40) == 0)
    whole = streamed(search(lr=[0.1, 0.5], **more), X, y, sample_weight=weights)
    parts = [slice(n, n + 1) for n in range(10)] + [slice(10, 33), slice(33, 40)]
    cut = streamed(search(lr=[0.1, 0.5], **more), X, y, parts, weights)
    assert known(cut) == known(whole)
    for n in range(len(whole.cv_results_["params"])):
        assert bits(cut._team.plain(n)) == bits(whole._team.plain(n))
    assert bits(cut.best_estimator_) == bits(whole.best_estimator_)


@every_search
def test_rows_of_weight_zero_are_passed_over(search):
    X, y = problem_of(search)
    weights = np.arange(40) % 2 * 1.5
    weighted = streamed(search(lr=[0.1, 0.5]), X, y, sample_weight=weights)
    without = streamed(search(lr=[0.1, 0.5]), X[1::2], y[1::2], sample_weight=weights[1::2])
    assert known(weighted) == known(without)
    assert bits(weighted.best_estimator_) == bits(without.best_estimator_)


@every_search
def test_nothing_learnt_yet(search):
    """The first of all is the best then, and its score unknown."""
    X, y = problem_of(search)
    model = streamed(search(lr=[0.5, 0.1]), X, y, sample_weight=np.zeros(40))
    assert model.best_index_ == 0
    assert np.isnan(model.best_score_)
    assert np.isnan(model.cv_results_["mean_test_score"]).all()
    assert model.cv_results_["rank_test_score"].tolist() == [1, 1]
    assert not model.best_estimator_.coef_.any()
    model.predict(X)
    assert known(streamed(model, X, y)) == known(streamed(search(lr=[0.5, 0.1]), X, y))


@every_search
@pytest.mark.parametrize("lr", [[0.3], [0.1, 0.5, 1.0]])
def test_pickled_in_mid_stream(search, lr):
    X, y = problem_of(search)
    model = streamed(search(lr=lr, alpha=[1e-3]), X[:20], y[:20])
    copy = pickle.loads(pickle.dumps(model))
    assert known(copy) == known(model)
    for each in (copy, model):
        streamed(each, X[20:], y[20:])
    assert known(copy) == known(model)
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    assert bits(copy.best_estimator_) == bits(model.best_estimator_)


# --- what cannot be done -----------------------------------------------------------------------


@every_search
@pytest.mark.parametrize(
    "changed",
    [
        {"lr": [0.1, 0.4]},
        {"lr": [0.1]},
        {"lr": 0.1},
        {"lr": [0.5, 0.1]},
        {"eps": [1e-10, 0.1]},
        {"eps": 0.1},
        {"lr_decay": 0.1},
        {"rule": "ftrl"},
    ],
    ids=str,
)
def test_candidates_cannot_change_during_a_stream(search, changed):
    X, y = problem_of(search)
    model = streamed(search(lr=[0.1, 0.5]), X, y)
    before = known(model), bits(model._team.estimator)
    model.set_params(**changed)
    with pytest.raises(ValueError, match="cannot change"):
        model.partial_fit(X, y)
    assert (known(model), bits(model._team.estimator)) == before
    model.set_params(lr=np.array([0.1, 0.5]), eps=1e-10, lr_decay=0.0, rule="adagrad")
    model.partial_fit(X, y)  # the same in another form
    other = search(lr=[0.1, 0.5])
    assert known(model) == known(streamed(other, X, y, [slice(None)] * 2))


@every_search
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Multiplied("adagrad", np.ones(FEATURES)), Multiplied("adagrad", np.full(FEATURES, 2.0))),
        (Clipped("adagrad", 0.5, 1.0), WeightDecay("adagrad", 0.5, True)),
        (Scheduled("adagrad", Warmup(3.0)), Scheduled("adagrad", InverseScaling(3.0))),
    ],
    ids=["arrays", "classes", "schedules"],
)
def test_rules_that_only_look_alike(search, before, after):
    """Arrays are in the records and not in the rule; and tuples are equal whatever their class."""
    X, y = problem_of(search)
    model = streamed(search(lr=[0.1, 0.5], rule=before), X, y)
    with pytest.raises(ValueError, match="rule and its numbers cannot change"):
        model.set_params(rule=after).partial_fit(X, y)


@every_search
def test_other_candidates_that_learn_the_same(search):
    """Without alpha, l1_ratio is no matter; but what the results say is."""
    X, y = problem_of(search)
    model = streamed(search(lr=0.1, l1_ratio=[0.0, 0.5]), X, y)
    with pytest.raises(ValueError, match="candidates cannot change"):
        model.set_params(l1_ratio=[0.5, 1.0]).partial_fit(X, y)


@every_search
def test_rows_after_folds_are_for_the_best_candidate(search):
    X, y = problem_of(search)
    model = small(search).fit(X, y)
    wanted, results = copy.deepcopy(model.best_estimator_), model.cv_results_
    weights = np.arange(40.0)
    streamed(model, X, y, sample_weight=weights)
    streamed(wanted, X, y, sample_weight=weights)
    assert bits(model.best_estimator_) == bits(wanted)
    assert model.cv_results_ is results
    without = small(search, refit=False).fit(X, y)
    with pytest.raises(AttributeError, match="refit=True"):
        streamed(without, X, y)


@every_search
def test_folds_after_a_stream_begin_anew(search):
    X, y = problem_of(search)
    model = streamed(small(search), X, y).fit(X, y)
    wanted = small(search).fit(X, y)
    assert vars(model).keys() == vars(wanted).keys()
    assert bits(model.best_estimator_) == bits(wanted.best_estimator_)
    np.testing.assert_array_equal(model.predict(X), wanted.predict(X))
    assert model.cv_results_.keys() == wanted.cv_results_.keys()


@every_search
@pytest.mark.parametrize("begun", [False, True])
def test_refused_rows_leave_no_trace(search, begun):
    X, y = problem_of(search)
    model = search(lr=[0.1, 0.5])
    if begun:
        streamed(model, X, y)
    more = {} if begun else first_call(PLAIN[search])
    before = known(model) if begun else all_bits(model)
    wide = X.toarray()[:, :3] if begun else X.toarray()[0]
    bad = y.astype(float)
    bad[7] = np.nan
    for rows, target, weights, message in (
        (wide, y, None, "features|2D"),
        (X, bad, None, "NaN|not one of"),
        (X, y[:-1], None, "inconsistent"),
        (X, y, -np.ones(40), "negative"),
        (np.full((40, X.shape[1]), np.inf), y, None, "infinity"),
        (X, None, None, "requires y"),
    ):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(rows, target, sample_weight=weights, **more)
        assert (known(model) if begun else all_bits(model)) == before
    if begun:
        wanted = streamed(search(lr=[0.1, 0.5]), X, y, [slice(None)] * 2)
        assert known(streamed(model, X, y)) == known(wanted)
    else:
        with pytest.raises(NotFittedError):
            model.predict(X)


def test_classes():
    X, y = problem_of(AdagradClassifierCV)
    model = AdagradClassifierCV(lr=[0.1, 0.5])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="differs from those of the first call"):
        model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not one of the classes"):
        model.partial_fit(X, y + 1)


@pytest.mark.parametrize("scoring", [["accuracy", "roc_auc"], {"one": "r2"}])
def test_several_scores_need_the_name_of_one(scoring):
    """Which is said before any row is learnt."""
    X, y = problem_of(AdagradClassifierCV)
    model = AdagradClassifierCV(lr=[0.1, 0.5], scoring=scoring)
    before = all_bits(model)
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        streamed(model, X, y)
    assert all_bits(model) == before


# --- divergence --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_a_diverged_candidate_never_wins_and_hurts_no_other(dtype, n_targets):
    X, y = problem_of(AdagradRegressorCV, n_targets=n_targets)
    X, huge = X.astype(dtype), 1e200 if dtype is np.float64 else 1e20
    parts = [slice(0, 1), slice(1, 2), slice(2, 20), slice(20, 40)]
    model, wanted = AdagradRegressorCV(lr=[huge, 0.1, 0.5]), AdagradRegressorCV(lr=[0.1, 0.5])
    for part in parts:
        model.partial_fit(X[part], y[part])
        wanted.partial_fit(X[part], y[part])
    tol = 1e-12 if dtype is np.float64 else 1e-5
    scores = model.cv_results_["mean_test_score"]
    assert_near(scores[1:], wanted.cv_results_["mean_test_score"], tol)
    assert scores[0] == -np.inf
    assert model.cv_results_["rank_test_score"][0] == 3
    assert model.best_params_ == wanted.best_params_
    for name in ("coef_", "intercept_", "progressive_loss_", "t_"):
        found = getattr(model.best_estimator_, name)
        assert_near(found, getattr(wanted.best_estimator_, name), tol)
    assert_near(model.predict(X), wanted.predict(X), tol)


@pytest.mark.parametrize("parts", [[slice(0, 3)], [slice(0, 2), slice(2, 3)]], ids=["one", "two"])
def test_a_diverged_candidate_learns_nothing_more(parts):
    """Of rows that it could learn neither, in the same call or a later one."""
    X, y = np.eye(2)[[0, 0, 1]], np.ones(3)
    model = streamed(AdagradRegressorCV(lr=[1e200, 0.1], fit_intercept=False), X, y, parts)
    assert model.cv_results_["progressive_loss"][0] == np.inf
    np.testing.assert_allclose(model._team.plain(0).coef_, [1e200, 0.0])
    np.testing.assert_allclose(model._team.plain(1).coef_[1], 0.1)


@pytest.mark.parametrize("lr", [[1e200], [1e200, 1e210]])
def test_all_candidates_may_diverge(lr):
    X, y = problem_of(AdagradRegressorCV)
    model = AdagradRegressorCV(lr=lr)
    for _ in range(2):
        with pytest.raises(FloatingPointError, match=r"diverged.*1e\+200"):
            model.partial_fit(X, y)


# --- pictures ----------------------------------------------------------------------------------


@every_search
def test_picture_of_a_stream(search):
    figure = pytest.importorskip("matplotlib.figure", reason="pictures need matplotlib")
    from sklearn_adagrad.plotting import SearchDisplay

    X, y = problem_of(search)
    model = streamed(search(lr=[0.1, 0.5, 1.0], scoring="r2"), X, y)
    display = SearchDisplay.from_estimator(model, ax=figure.Figure().subplots())
    best = model.best_params_["lr"], model.best_score_
    np.testing.assert_array_equal(display.best_.get_xydata()[0], best)
    assert display.fill_between_ is None
    assert "loss" in display.ax_.get_ylabel()  # which decides, and not r2
