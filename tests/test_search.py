"""A search in one pass finds what GridSearchCV finds, candidate by candidate and fold by fold."""

import threading
import tracemalloc
import warnings
from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import sklearn
from common import all_bits, bits, random_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.callback import ProgressBar
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.metrics import get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_adagrad import (
    AdagradClassifier,
    AdagradClassifierCV,
    AdagradRegressor,
    AdagradRegressorCV,
    losses,
)
from sklearn_adagrad.rules import (
    FTRL,
    Averaged,
    Clipped,
    ImportanceAware,
    Momentum,
    Multiplied,
    ScaleFree,
)

SEARCHED = ("lr", "eps", "alpha", "l1_ratio", "initial_accumulator_value")
PLAIN = {AdagradClassifierCV: AdagradClassifier, AdagradRegressorCV: AdagradRegressor}
every_search = pytest.mark.parametrize("search", PLAIN)

FEATURES = 7
MULTIPLES = np.resize([1.0, 0.5, 0.0, 2.0], FEATURES)
RULES = {  # and whether alpha and lr_decay may come along
    "adagrad": ("adagrad", "alpha decay"),
    "dual averaging": ("dual_averaging", "alpha decay"),
    "ftrl": (FTRL(beta=0.1), "alpha"),
    "clipped": (Clipped(Multiplied("adagrad", MULTIPLES), norm=0.5), "alpha"),
    "momentum": (Momentum("adagrad", 0.5), "decay"),
    "averaged": (Averaged("adagrad", 5), "decay"),
}
# A search, its loss, what y looks like, a rule, and a dtype. Each of them compiles the kernels
# several times.
KINDS = [
    (AdagradClassifierCV, "log_loss", "two classes", "adagrad", np.float64),
    (AdagradClassifierCV, "log_loss", "joint classes", "ftrl", np.float64),
    (AdagradRegressorCV, "squared_error", "numbers", "clipped", np.float32),
    (AdagradRegressorCV, "squared_error", "columns", "momentum", np.float64),
]


def name_of(kind):
    _, loss, target, rule, dtype = kind
    return f"{loss}, {target}, {rule}, {np.dtype(dtype)}"


every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)


# --- what is searched, and what finds the same -------------------------------------------------


def grid_of(search, **changes):
    """The ``GridSearchCV`` that should find the same."""
    given = search.get_params(deep=False) | changes
    lists = {name: given.pop(name) for name in SEARCHED if np.ndim(given[name]) == 1}
    told = {name: given.pop(name) for name in ("scoring", "cv", "refit", "error_score")}
    for name in ("candidates_per_pass", "n_jobs", "verbose"):
        del given[name]
    model = PLAIN[type(search)](**given, tol=None)
    if told["scoring"] is None and hasattr(model, "predict_proba"):
        told["scoring"] = "neg_log_loss"
    return GridSearchCV(model, lists, **told)


def size_of_slope(model, X, y):
    """A scorer that needs the weights, and predictions for rows of its own."""
    half = model.predict(X[: X.shape[0] // 2])
    return float(np.abs(model.coef_).sum() + model.intercept_.sum() + half.sum())


def two_scores(model, X, y):
    return {"size": size_of_slope(model, X, y), "right": model.score(X, y)}


def _spread(y, response):
    return float(np.std(response))


spread = make_scorer(_spread, response_method=("decision_function", "predict"))


def last(results):
    return len(results["params"]) - 1


def scorings_of(kind):
    """What to score with, and names of scores, of which one decides."""
    search, loss, target, _, dtype = kind
    smooth = {
        ("log_loss", "two classes"): "neg_log_loss",
        ("log_loss", "classes"): "neg_log_loss",
        ("log_loss", "joint classes"): "neg_log_loss",
    }.get((loss, target), spread if search is AdagradClassifierCV else "neg_mean_squared_error")
    yield smooth, None
    yield spread, None
    yield {"spread": spread, "smooth": smooth}, ["spread", "smooth"]
    if dtype is np.float64:  # predicted classes may change by rounding
        steps = "accuracy" if search is AdagradClassifierCV else "r2"
        yield None, None
        yield steps, None
        yield size_of_slope, None
        yield two_scores, ["size", "right"]
        yield (steps, "neg_mean_absolute_error" if steps == "r2" else "f1_macro"), [steps]
        if target == "two classes":
            yield "roc_auc", None


def folds(kind, n_rows, seed):
    """Ways to set rows aside; what asks for groups has them at hand."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(n_rows)
    yield 2
    yield 3
    yield KFold(3, shuffle=True, random_state=seed)
    yield GroupKFold(3)
    yield TimeSeriesSplit(3)
    yield ShuffleSplit(2, test_size=0.4, random_state=seed)
    yield PredefinedSplit(rng.integers(-1, 2, n_rows))
    yield [(order[: n_rows // 2], order[n_rows // 2 :]), (order[::2][::-1], order[1::2])]
    yield [(np.sort(order[:9]).tolist() * 2, list(range(n_rows)))]
    if kind[2] in ("two classes", "classes", "joint classes"):
        yield StratifiedKFold(2, shuffle=True, random_state=seed)
        yield [(np.arange(n_rows) % 3 != 0, np.arange(n_rows) % 3 == 0)]


def target_of(kind, rng, n_rows):
    _, loss, target, _, _ = kind
    if target in ("two classes", "classes", "joint classes"):
        n_classes = 2 if target == "two classes" else 3
        y = np.sort(np.arange(n_rows) % n_classes)
        return y if rng.random() < 0.3 else rng.permutation(y)  # sorted: folds without a class
    if target == "labels":
        return rng.integers(0, 2, (n_rows, 3))
    y = rng.standard_normal((n_rows, 2) if target == "columns" else n_rows)
    return np.abs(y) if loss == "poisson" else y


def container(form, X):
    if form == "frame":
        return pd.DataFrame(X.toarray(), columns=[f"column {n}" for n in range(X.shape[1])])
    return {"csr": X, "csc": sparse.csc_array(X), "coo": X.tocoo(), "dense": X.toarray()}[form]


LISTS = {
    "lr": ([0.05, 0.3, 1.0], (0.3, 0.05), np.array([0.1, 0.5])),
    "eps": ([1e-10, 0.1], [0.0, 1e-3]),
    "alpha": ([0.0, 1e-2], [1e-3, 0.0, 0.1], [1e-2]),
    "l1_ratio": ([0.0, 0.3, 1.0], [1.0, 0.0]),
    "initial_accumulator_value": ([0.0, 0.1],),
}
NUMBERS = {
    "lr": (0.1, 0.5),
    "eps": (1e-10, 0.1),
    "alpha": (0.0, 1e-2),
    "l1_ratio": (0.0, 0.3, 1.0),
    "initial_accumulator_value": (0.0, 0.1),
}


@st.composite
def searches(draw, kind, most=None):
    """An unfitted search, and what its ``fit`` needs."""
    search, loss, target, rule, dtype = kind
    # Kernels are compiled once for four heads, once for eight, and once for both.
    most = most or (12 if target == "two classes" else 4 if target == "numbers" else 2)

    def of(*values):
        return values[draw(st.integers(0, len(values) - 1))]

    rule, allowed = RULES[rule]
    names = list(SEARCHED)
    if "alpha" not in allowed:
        names = [name for name in names if name not in ("alpha", "l1_ratio")]
    listed = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    given = {name: of(*(LISTS if name in listed else NUMBERS)[name]) for name in names}
    while np.prod([np.size(each) for each in given.values()]) > most:
        given[max(given, key=lambda name: np.size(given[name]))] = of(0.2, 0.5)
    if search is AdagradClassifierCV:
        given["multi_class"] = "multinomial" if target == "joint classes" else "ovr"
        if target != "labels":
            given["class_weight"] = of(None, "balanced", {0: 0.5, 1: 2.0})
    seed, n_rows = draw(st.integers(0, 2**32 - 1)), of(24, 31)
    rng = np.random.default_rng(seed)
    scoring, scores = of(*scorings_of(kind))
    X = random_rows(rng, n_rows, FEATURES, of(0.3, 1.0), dtype)
    forms = ("csr", "csc", "coo", "frame", "dense")
    return {
        "search": search(
            loss,
            rule=rule,
            lr_decay=of(0.0, 0.01) if "decay" in allowed else 0.0,
            fit_intercept=of(True, False),
            max_iter=of(1, 3),
            shuffle=of(True, False),
            random_state=of(seed % 1000, np.random.RandomState(seed % 1000)),
            scoring=scoring,
            refit=of(*(scores or [True]), False, last),
            cv=of(*folds(kind, n_rows, seed % 1000)),
            candidates_per_pass=of(None, 1, 2),
            n_jobs=of(None, 2),
            **given,
        ),
        "X": container(of(*forms), X),
        "y": target_of(kind, rng, n_rows),
        "sample_weight": of(None, rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)),
        "groups": rng.permutation(np.arange(n_rows) % 5),
    }


def assert_same_results(found, wanted, tol):
    """The same columns of ``cv_results_``, but for the times."""
    assert list(found) == list(wanted)
    assert found["params"] == wanted["params"]
    for name, column in wanted.items():
        assert len(found[name]) == len(column)
        if name.startswith("param_"):
            assert found[name].dtype == column.dtype
            assert found[name].tolist() == column.tolist()
        elif name.startswith("rank_"):
            mean = np.nan_to_num(wanted[f"mean_{name[5:]}"], nan=-1e300)
            gaps = np.abs(mean[:, np.newaxis] - mean)
            orders = [np.sign(each[:, np.newaxis] - each) for each in (found[name], column)]
            assert found[name].dtype == column.dtype
            assert np.equal(*orders)[gaps > 4 * tol * (1 + np.abs(mean))].all()
        elif "_test_" in name:
            np.testing.assert_allclose(found[name], column, rtol=tol, atol=tol, err_msg=name)


def assert_same_search(search, grid, tol=1e-9):
    """All that they found: the scores to rounding, the best to the last bit."""
    assert_same_results(search.cv_results_, grid.cv_results_, tol)
    assert search.n_splits_ == grid.n_splits_
    assert search.multimetric_ == grid.multimetric_
    assert hasattr(search, "best_index_") == hasattr(grid, "best_index_")
    if not hasattr(grid, "best_index_"):
        return
    if search.best_index_ != grid.best_index_:  # a tie, but for rounding
        metric = search.refit if isinstance(search.refit, str) else "score"
        mean = grid.cv_results_[f"mean_test_{metric}"]
        best = [mean[each.best_index_] for each in (search, grid)]
        np.testing.assert_allclose(*best, rtol=tol, atol=tol)
        return
    assert search.best_params_ == grid.best_params_
    assert hasattr(search, "best_score_") == hasattr(grid, "best_score_")
    if hasattr(grid, "best_score_"):
        np.testing.assert_allclose(search.best_score_, grid.best_score_, rtol=tol, atol=tol)
    assert hasattr(search, "best_estimator_") == hasattr(grid, "best_estimator_")
    if hasattr(grid, "best_estimator_"):
        assert type(search.best_estimator_) is PLAIN[type(search)]
        assert bits(search.best_estimator_) == bits(grid.best_estimator_)
        assert search.refit_time_ > 0


@every_kind
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_same_as_grid_search(kind, data):
    """Failed fits (a fold of one class), undefined scores and their warnings included."""
    problem = data.draw(searches(kind))
    search, given = problem.pop("search"), problem
    if not isinstance(search.cv, GroupKFold):
        del given["groups"]
    outcomes = []
    for each in (search, grid_of(search)):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                each.fit(**given)
                outcomes.append(None)
            except ValueError as error:  # all folds have one class, or no weight
                outcomes.append(type(error))
        kinds = Counter(each.category for each in heard)
        outcomes[-1] = outcomes[-1], kinds[FitFailedWarning], kinds[UserWarning] > 0
    assert outcomes[0] == outcomes[1]
    if outcomes[0][0] is None:
        grid = each
        assert_same_search(search, grid, 1e-9 if kind[-1] is np.float64 else 1e-4)


# --- a problem for all the rest ----------------------------------------------------------------


def problem_of(search, n_rows=40, n_targets=1, seed=0):
    rng = np.random.default_rng(seed)
    X = random_rows(rng, n_rows, FEATURES, 0.6)
    y = X @ rng.standard_normal((FEATURES, n_targets)) + 0.3 * rng.standard_normal((n_rows, 1))
    y = y[:, 0] if n_targets == 1 else y
    return X, (y > 0).astype(int) if search is AdagradClassifierCV else y


def small(search, **parameters):
    return search(**{"lr": [0.1, 0.5, 1.0], "max_iter": 2, "cv": 3, "random_state": 0} | parameters)


SIZING = [ImportanceAware("ftrl"), ImportanceAware(ScaleFree("adagrad"))]


@every_search
@pytest.mark.parametrize("rule", SIZING, ids=str)
def test_rules_that_choose_the_size_of_steps(search, rule):
    X, y = problem_of(search)
    found = small(search, rule=rule, lr=[0.1, 1.0]).fit(100.0 * X, y)
    assert_same_search(found, grid_of(found).fit(100.0 * X, y))


@every_search
def test_only_numbers_are_searched(search):
    X, y = problem_of(search)
    begin = {"classes": [0, 1]} if search is AdagradClassifierCV else {}
    for method, more in (("fit", {}), ("partial_fit", begin)):
        with pytest.raises(TypeError, match="lr has 'auto', which is not a number"):
            getattr(small(search, lr=["auto", 0.1]), method)(X, y, **more)
        with pytest.raises(ValueError, match=r"The 'lr' parameter .* Got 'auto' instead"):
            getattr(small(search, lr="auto"), method)(X, y, **more)


@every_search
def test_folds_in_threads_and_candidates_in_groups_change_no_bit(search):
    X, y = problem_of(search)
    found = [
        small(search, n_jobs=n_jobs, eps=[1e-10, 0.1], candidates_per_pass=size).fit(X, y)
        for n_jobs, size in ((1, None), (2, None), (2, 4))
    ]
    for each in found[1:]:
        for name, column in found[0].cv_results_.items():
            if "_test_" in name:
                np.testing.assert_array_equal(each.cv_results_[name], column)
        assert bits(each.best_estimator_) == bits(found[0].best_estimator_)


@every_search
def test_rows_of_a_fold_may_be_given_as_any_index(search):
    """As a mask, counted from the end, in other integers, as a list or a strided view."""
    X, y = problem_of(search)
    train, test = np.arange(5, 31, 2), np.arange(0, 40, 3)
    mask = np.isin(np.arange(40), train)
    wanted = small(search, cv=[(train, test)]).fit(X, y).cv_results_
    twice = np.repeat(train, 2)
    frozen = train.astype(np.uint8)
    frozen.flags.writeable = False
    for rows in (mask, mask.tolist(), train - 40, train.tolist(), twice[::2], frozen):
        found = small(search, cv=[(rows, test)]).fit(X, y).cv_results_
        assert_same_results(found, wanted, 0)
    with pytest.raises(IndexError, match="out of bounds"):
        small(search, cv=[(np.array([0, 1, 40]), test)], error_score="raise").fit(X, y)


@every_search
def test_one_weight_for_all_rows(search):
    X, y = problem_of(search)
    one, each = (small(search).fit(X, y, sample_weight=w) for w in (2.0, np.full(40, 2.0)))
    assert bits(one.best_estimator_) == bits(each.best_estimator_)
    assert bits(one.best_estimator_) != bits(small(search).fit(X, y).best_estimator_)


@every_search
def test_input_is_left_alone(search):
    X, y = problem_of(search)
    weights, groups = np.arange(40) % 4 * 1.0, np.arange(40) % 3
    given = [X.data, X.indices, X.indptr, y, weights, groups]
    before = [each.copy() for each in given]
    for each in given:
        each.flags.writeable = False
    small(search, cv=GroupKFold(3)).fit(X, y, sample_weight=weights, groups=groups)
    for each, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(each, copy)


@every_search
def test_a_number_is_not_searched(search):
    X, y = problem_of(search)
    found = small(search, lr=0.3, eps=[0.1]).fit(X, y)
    assert found.best_params_ == {"eps": 0.1}
    assert found.best_estimator_.lr == 0.3
    only = small(search, lr=0.3).fit(X, y)
    assert only.cv_results_["params"] == [{}]
    assert_same_search(only, grid_of(only).fit(X, y))


def test_many_targets_and_columns_of_frames():
    X, y = problem_of(AdagradRegressorCV, n_targets=3)
    X = container("frame", X)
    search = small(AdagradRegressorCV, alpha=[0.0, 1e-3]).fit(X, pd.DataFrame(y))
    assert_same_search(search, grid_of(search).fit(X, pd.DataFrame(y)))
    assert search.predict(X).shape == (40, 3)
    assert search.feature_names_in_.tolist() == list(X.columns)
    assert search.n_features_in_ == FEATURES


def test_labels_of_any_type():
    X, y = problem_of(AdagradClassifierCV)
    y = pd.Series(np.array(["no", "yes"])[y], index=range(100, 140))
    search = small(AdagradClassifierCV, scoring="roc_auc").fit(X, y)
    assert_same_search(search, grid_of(search).fit(X, y))
    assert search.classes_.tolist() == ["no", "yes"]
    assert set(search.predict(X)) == {"no", "yes"}


# --- scorers -----------------------------------------------------------------------------------


@every_search
def test_score_is_that_of_the_scorer(search):
    X, y = problem_of(search)
    named = "neg_log_loss" if search is AdagradClassifierCV else "neg_mean_absolute_error"
    for scoring, refit in ((None, True), (named, True), ([named, "r2"], named),
                           (size_of_slope, True), (two_scores, "size")):  # fmt: skip
        found = small(search, scoring=scoring, refit=refit).fit(X, y)
        grid = grid_of(found).fit(X, y)
        assert found.score(X, y) == grid.score(X, y)
        assert scoring is None or type(found.scorer_) is type(grid.scorer_)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scorers_see_a_fitted_model(n_jobs):
    """All that the model would have had: in a clone, a copy, and after it was meddled with."""
    X, y = problem_of(AdagradClassifierCV)

    def meddling(model, X, y):
        scores = model.decision_function(X)
        scores -= scores.max()
        vars(model).clear()
        return scores.sum()

    def cloning(model, X, y):
        return clone(model).fit(X, y).score(X, y) + clone(model).get_params()["lr"]

    def reading(model, X, y):
        return model.t_ + model.progressive_loss_ + model.accumulator_.sum() + model.lr

    def going_on(model, X, y):
        return model.partial_fit(X, y).score(X, y) + model.t_

    for scoring in (meddling, cloning, reading, going_on):
        search = small(AdagradClassifierCV, scoring=scoring, error_score="raise", n_jobs=n_jobs)
        assert_same_search(search.fit(X, y), grid_of(search).fit(X, y))


def test_scorers_run_with_the_configuration_of_the_caller():
    X, y = problem_of(AdagradClassifierCV)
    seen = []

    def scoring(model, X, y):
        seen.append((sklearn.get_config()["assume_finite"], threading.get_ident()))
        return 1.0

    with sklearn.config_context(assume_finite=True):
        small(AdagradClassifierCV, scoring=scoring, n_jobs=2).fit(X, y)
    assert len(seen) == 9
    assert {each for each, _ in seen} == {True}


def test_scorers_may_write_to_what_they_get():
    X, y = problem_of(AdagradClassifierCV)

    def scoring(model, X, y):
        scores = model.decision_function(X)
        size = float(np.abs(scores).sum())
        scores[:] = 0.0
        return {"first": size, "second": float(np.abs(model.decision_function(X)).sum())}

    results = small(AdagradClassifierCV, scoring=scoring, refit="first").fit(X, y).cv_results_
    np.testing.assert_array_equal(results["mean_test_second"], results["mean_test_first"])
    assert (results["mean_test_first"] > 0).all()


def test_broken_scorers():
    X, y = problem_of(AdagradClassifierCV)

    def scoring(model, X, y):
        if model.lr == 0.5:
            raise RuntimeError("enough")
        return 1.0

    search = small(AdagradClassifierCV, scoring=scoring)
    with pytest.warns(UserWarning, match="enough|non-finite"):
        search.fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], [1, np.nan, 1])
    with pytest.raises(RuntimeError, match="enough"):
        search.set_params(error_score="raise").fit(X, y)
    with pytest.raises(ValueError, match="must return a number"):
        search.set_params(scoring=lambda model, X, y: "much").fit(X, y)


# --- divergence --------------------------------------------------------------------------------


def heard(search, *given):
    """The search, fitted, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(*given)
    return search, [each for each in caught if each.category is FitFailedWarning]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("size", [None, 1, 2])
def test_diverged_candidates_fail_and_hurt_no_other(dtype, n_targets, size):
    X, y = problem_of(AdagradRegressorCV, n_targets=n_targets)
    X, huge = X.astype(dtype), 1e200 if dtype is np.float64 else 1e20
    lists = {"lr": [0.1, huge, 0.5], "scoring": "neg_mean_squared_error"}
    search = small(AdagradRegressorCV, **lists, candidates_per_pass=size)
    (search, said), (grid, wanted) = heard(search, X, y), heard(grid_of(search), X, y)
    tol = 1e-9 if dtype is np.float64 else 1e-4
    assert_same_search(search, grid, tol)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True, False]
    assert "3 fits failed out of a total of 9" in str(said[0].message)
    assert len(said) == len(wanted) == 1
    alone = small(AdagradRegressorCV, **lists | {"lr": [0.1, 0.5]}).fit(X, y)
    found = search.cv_results_["mean_test_score"][[0, 2]]
    np.testing.assert_allclose(found, alone.cv_results_["mean_test_score"], rtol=tol)


@pytest.mark.parametrize("names", [None, ["r2", "neg_mean_squared_error"]])
def test_error_score(names):
    X, y = problem_of(AdagradRegressorCV)
    lists = {"lr": [0.1, 1e200], "scoring": names, "refit": "r2" if names else True}
    search = small(AdagradRegressorCV, **lists, error_score=-7.0)
    (search, _), (grid, _) = heard(search, X, y), heard(grid_of(search), X, y)
    assert_same_search(search, grid)
    assert search.cv_results_[f"mean_test_{names[1] if names else 'score'}"][1] == -7
    search.set_params(error_score="raise")
    with pytest.raises(FloatingPointError, match=r"diverged.*1e\+200"):
        search.fit(X, y)


@pytest.mark.parametrize("lr", [[1e200], [1e200, 1e210]])
def test_every_candidate_may_diverge(lr):
    X, y = problem_of(AdagradRegressorCV)
    search = small(AdagradRegressorCV, lr=lr)
    for each in (search, grid_of(search)):
        with pytest.raises(ValueError, match=f"All the {3 * len(lr)} fits failed") as error:
            each.fit(X, y)
        assert "diverged" in str(error.value)
    with pytest.raises(FloatingPointError, match="diverged") as error:
        small(AdagradRegressorCV, lr=lr, error_score="raise").fit(X, y)
    assert "0.1" not in str(error.value)  # the default, which nobody asked for


class Odd(NamedTuple):
    """A loss with a field that is no number."""

    size: object
    value, gradient = losses.Hinge.value, losses.Hinge.gradient


def test_what_cannot_be_learnt_fails_in_every_fold():
    """An error of any type, as in a grid search."""
    X, y = problem_of(AdagradClassifierCV)
    search = small(AdagradClassifierCV, loss=Odd("much"))
    for each in (search, grid_of(search)):
        with pytest.raises(ValueError, match=r"All the 9 fits failed(?s:.*)must be numbers"):
            each.fit(X, y)


def test_divergence_in_some_folds():
    """One row is too large for one of the rates, and is learnt in two of three folds."""
    X, y = problem_of(AdagradRegressorCV)
    X = X.toarray()
    X[5] = 1e100
    search = small(AdagradRegressorCV, lr=[1.0, 1e-60], scoring=size_of_slope, refit=False)
    (search, _), (grid, _) = heard(search, X, y), heard(grid_of(search), X, y)
    assert_same_search(search, grid)
    failed = [np.isnan(search.cv_results_[f"split{n}_test_score"]) for n in range(3)]
    assert np.transpose(failed).tolist() == [[False, True, True], [False, False, False]]


@pytest.mark.parametrize("max_iter", [1, 3])
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_divergence_of_classifiers(multi_class, max_iter):
    rng = np.random.default_rng(0)
    X, y = rng.choice([-1e100, 1e100], (30, FEATURES)), np.arange(30) % 3
    search = small(
        AdagradClassifierCV, lr=[1e-101, 8e207, 1e-100], multi_class=multi_class,
        max_iter=max_iter, scoring=spread,
    )  # fmt: skip
    (search, said), (grid, wanted) = heard(search, X, y), heard(grid_of(search), X, y)
    assert len(said) == len(wanted) == 1
    assert_same_search(search, grid)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True, False]


# --- errors ------------------------------------------------------------------------------------


@every_search
@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"lr": []}, ValueError, "lr is empty"),
        ({"lr": "0.1"}, ValueError, "lr"),
        ({"lr": ["a", 0.1]}, TypeError, "lr has 'a'"),
        ({"lr": [0.1, -1.0]}, ValueError, "lr=-1 is out of range"),
        ({"lr": [0.1, np.nan]}, ValueError, "lr=nan is out of range"),
        ({"lr": [0.1, np.inf]}, ValueError, "lr=inf is out of range"),
        ({"lr": [0.1, True]}, TypeError, "lr has True"),
        ({"lr": [[0.1, 0.2], [0.3, 0.4]]}, (TypeError, ValueError), "lr"),
        ({"lr": [[0.1], [0.1, 0.2]]}, (TypeError, ValueError), "lr|shape"),
        ({"alpha": [[0.1, 0.2], [0.3, 0.4]]}, (TypeError, ValueError), "alpha"),
        ({"lr": None}, ValueError, "lr"),
        ({"lr": -1.0}, ValueError, "lr"),
        ({"l1_ratio": [0.5, 2.0]}, ValueError, "l1_ratio=2 is out of range"),
        ({"l1_ratio": 2.0}, ValueError, "l1_ratio"),
        ({"max_iter": [1, 2]}, ValueError, "max_iter"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"lr_decay": [0.0, 1.0]}, ValueError, "lr_decay"),
        ({"candidates_per_pass": 0}, ValueError, "candidates_per_pass"),
        ({"candidates_per_pass": 1.5}, ValueError, "candidates_per_pass"),
        ({"rule": "adam"}, ValueError, "rule"),
        ({"loss": "much"}, ValueError, "loss"),
        ({"scoring": "beauty"}, ValueError, "scoring"),
        ({"cv": 1}, ValueError, "cv"),
        ({"cv": []}, ValueError, "no split"),
        ({"error_score": "ignore"}, ValueError, "error_score"),
        ({"alpha": [0.0, 0.1], "rule": Momentum("adagrad")}, ValueError, "Momentum"),
        ({"lr": [0.0, 0.1], "rule": "ftrl"}, ValueError, "FTRL needs more than 0"),
        ({"lr": [0.1, 1e300]}, ValueError, "lr=1e\\+300 is out of range"),
        (
            {"scoring": ["r2", "neg_mean_squared_error"]},
            ValueError,
            "refit must be set to a scorer key",
        ),
        ({"refit": lambda results: 99}, IndexError, "out of range"),
    ],
    ids=lambda each: ", ".join(each) if isinstance(each, dict) else "",
)
def test_what_is_refused(search, parameters, error, message):
    """And no trace is left, of an earlier ``fit`` neither."""
    X, y = problem_of(search)
    for model in (small(search), small(search).fit(X, y)):
        model.set_params(**parameters)
        before = all_bits(model)
        with pytest.raises(error, match=message):
            model.fit(X, y)
        assert all_bits(model) == before


@every_search
def test_what_fit_does_not_take(search):
    X, y = problem_of(search)
    with pytest.raises(TypeError, match=r"X_val.*sample_weight and groups"):
        small(search).fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="negative"):
        small(search).fit(X, y, sample_weight=-np.ones(40))
    with pytest.raises(ValueError, match="inconsistent"):
        small(search).fit(X, y[:-1])
    with pytest.raises(ValueError, match="features"):
        small(search).fit(X, y).predict(X[:, :3])


def test_targets_that_cannot_be_learnt():
    X, y = problem_of(AdagradClassifierCV)
    with pytest.raises(ValueError, match="greater than one"):
        small(AdagradClassifierCV, cv=KFold(3)).fit(X, 0 * y)
    with pytest.raises(ValueError, match=r"Poisson loss needs .* y >= 0"):
        small(AdagradRegressorCV, loss="poisson").fit(X, y - 5.0)
    with pytest.raises(ValueError, match="NaN"):
        small(AdagradRegressorCV).fit(X, np.full(40, np.nan))


@every_search
def test_a_failed_refit_leaves_the_earlier_search(search):
    X, y = problem_of(search)
    model = small(search, refit=lambda results: 0).fit(X, y)
    before = all_bits(model)
    X = X.toarray()
    X[0] = 1e200  # is no fold's to learn
    model.set_params(cv=[(np.arange(1, 30), np.arange(30, 40))])
    given = all_bits(model)
    with pytest.raises(FloatingPointError, match="diverged"):
        model.fit(X, y)
    assert all_bits(model) == given
    assert before["cv_results_"] == given["cv_results_"]


@every_search
def test_nothing_to_predict_with(search):
    X, y = problem_of(search)
    for method in ("predict", "score"):
        with pytest.raises(NotFittedError):
            getattr(small(search), method)(X, *[y] * (method == "score"))
    for name in ("best_estimator_", "n_features_in_", "feature_names_in_", "classes_"):
        assert not hasattr(small(search), name)
    model = small(search, refit=False).fit(X, y)
    grid = grid_of(model).fit(X, y)
    for name in ("predict", "score", "best_estimator_", "n_features_in_", "best_params_"):
        if not hasattr(grid, name):
            with pytest.raises(AttributeError):
                getattr(model, name)(X, *[y] * (name == "score"))
        else:
            assert hasattr(model, name)


def test_probabilities_only_for_losses_that_have_them():
    X, y = problem_of(AdagradClassifierCV)
    model = small(AdagradClassifierCV).fit(X, y)
    best = model.best_estimator_
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(model, method)(X), getattr(best, method)(X))
    model = small(AdagradClassifierCV, loss="hinge").fit(X, y)
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model, "predict_log_proba")
    assert not hasattr(AdagradRegressorCV(), "decision_function")


# --- memory ------------------------------------------------------------------------------------

WIDE = 2**20


@every_search
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_memory_is_refused_before_it_is_taken(search, method, monkeypatch):
    rng = np.random.default_rng(0)
    X, (_, y) = random_rows(rng, 40, FEATURES), problem_of(search)
    X = sparse.csr_array((X.data, X.indices, X.indptr), shape=(40, WIDE))
    model = search(lr=np.geomspace(0.01, 1, 20), max_iter=1, cv=4, n_jobs=2)
    # Weights and accumulators of 20 candidates; in each of two folds, scores of 10 rows too.
    needed = 2 * 20 * 8 * (WIDE * 2 + 10) if method == "fit" else 20 * 8 * WIDE * 2
    more = {"classes": [0, 1]} if (search, method) == (AdagradClassifierCV, "partial_fit") else {}
    monkeypatch.setattr("sklearn_adagrad.search.memory.available_memory", lambda: needed - 1)
    before = all_bits(model)
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError, match="candidates_per_pass") as error:
            getattr(model, method)(X, y, **more)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert f"{needed:,} bytes" in str(error.value)
    assert f"{needed - 1:,} are available" in str(error.value)
    assert taken < needed / 20
    assert all_bits(model) == before


@every_search
def test_less_at_once_needs_less_memory(search, monkeypatch):
    X, y = problem_of(search)
    enough = (FEATURES * 2 + 14) * 4 * 8  # for one fold of four candidates, with 14 rows to score
    monkeypatch.setattr("sklearn_adagrad.search.memory.available_memory", lambda: enough)
    model = small(search, eps=[0.0, 0.1])
    with pytest.raises(MemoryError):
        model.fit(X, y)
    model.set_params(candidates_per_pass=4).fit(X, y)
    with pytest.raises(MemoryError):
        model.set_params(n_jobs=2).fit(X, y)
    monkeypatch.setattr("sklearn_adagrad.search.memory.available_memory", lambda: None)
    model.fit(X, y)


# --- scikit-learn ------------------------------------------------------------------------------

NO_REPETITION = "no online learner treats a weight of 2 as two visits to the row"
EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": NO_REPETITION,
    "check_sample_weight_equivalence_on_sparse_data": NO_REPETITION,
}
CHECKED = [
    AdagradClassifierCV(lr=[0.05, 0.1], cv=2, random_state=0),
    AdagradRegressorCV(lr=[0.1, 1.0], cv=2, n_jobs=2, candidates_per_pass=1, random_state=0),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning")
@parametrize_with_checks(CHECKED, expected_failed_checks=lambda _: EXPECTED)
def test_estimator(estimator, check):
    check(estimator)


@every_search
def test_tags_are_those_of_grid_search(search):
    model = small(search)
    grid = grid_of(model)
    assert is_classifier(model) == is_classifier(grid)
    assert is_regressor(model) == is_regressor(grid)
    mine, theirs = get_tags(model), get_tags(grid)
    assert mine.classifier_tags == theirs.classifier_tags
    assert mine.regressor_tags == theirs.regressor_tags
    assert mine.input_tags == theirs.input_tags
    assert mine.target_tags == get_tags(PLAIN[search]()).target_tags


@every_search
def test_parameters_and_representations(search):
    X, y = problem_of(search)
    model = small(search, eps=np.array([0.1, 0.2]))
    assert model.get_params() == model.get_params(deep=False)
    copy = clone(model)
    np.testing.assert_array_equal(copy.eps, model.eps)
    assert repr(copy) == repr(model)
    assert search.__name__ in repr(model)
    for each in (model, model.fit(X, y)):
        assert "<div" in each._repr_html_()
    assert not hasattr(clone(model), "cv_results_")


@every_search
def test_in_a_pipeline_and_within_cross_validation(search):
    X, y = problem_of(search, 60)
    model = make_pipeline(MaxAbsScaler(), small(search))
    scores = cross_val_score(model, X, y, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    wanted = make_pipeline(MaxAbsScaler(), grid_of(small(search)))
    np.testing.assert_allclose(scores, cross_val_score(wanted, X, y, cv=3), rtol=1e-9)


@every_search
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("wanted", [True, False])
def test_metadata_is_routed(search, n_jobs, wanted):
    """To learning and scoring as it was asked for."""
    X, y = problem_of(search)
    weights, groups = np.arange(40) % 4 * 1.0, np.arange(40) % 5
    with sklearn.config_context(enable_metadata_routing=True):
        scoring = get_scorer("accuracy" if search is AdagradClassifierCV else "r2")
        scoring.set_score_request(sample_weight=not wanted)
        model = small(search, cv=GroupKFold(3), n_jobs=n_jobs, scoring=scoring)
        grid = grid_of(model)
        model.set_fit_request(sample_weight=wanted).fit(X, y, sample_weight=weights, groups=groups)
        grid.estimator.set_fit_request(sample_weight=wanted)
        assert_same_search(model, grid.fit(X, y, sample_weight=weights, groups=groups))


class Witness:
    """Notes every call."""

    def __init__(self, break_at=None):
        self.calls, self.break_at = [], break_at

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append(f"end {context.task_name}")
        if context.task_name == self.break_at:
            raise RuntimeError("enough")


@every_search
def test_every_fold_is_told(search):
    X, y = problem_of(search)
    witness = Witness()
    watched = small(search).set_callbacks(witness).fit(X, y)
    assert witness.calls == [
        "setup", "begin fit", "begin folds", *["begin fold", "end fold"] * 3, "end folds",
        "begin refit", "end refit", "end fit", "teardown",
    ]  # fmt: skip
    assert bits(watched.best_estimator_) == bits(small(search).fit(X, y).best_estimator_)
    witness = Witness()
    small(search, n_jobs=2, refit=False).set_callbacks(witness).fit(X, y)
    assert Counter(witness.calls)["end fold"] == 3
    assert "begin refit" not in witness.calls


@every_search
@pytest.mark.parametrize("task", ["fold", "folds", "refit"])
def test_broken_callback_leaves_the_search_as_it_was(search, task):
    X, y = problem_of(search)
    witness = Witness(task)
    for model in (small(search), small(search).fit(X, y)):
        model.set_callbacks(witness)
        before = all_bits(model)
        with pytest.raises(RuntimeError, match="enough"):
            model.fit(X[:30], y[:30])
        assert witness.calls[-1] == "teardown"
        assert all_bits(model) == before


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar(n_jobs, capsys):
    pytest.importorskip("rich", reason="scikit-learn's progress bar is drawn by rich")
    X, y = problem_of(AdagradClassifierCV)
    plain = small(AdagradClassifierCV).fit(X, y)
    model = small(AdagradClassifierCV, n_jobs=n_jobs).set_callbacks(ProgressBar()).fit(X, y)
    assert bits(model.best_estimator_) == bits(plain.best_estimator_)
    assert "AdagradClassifierCV" in capsys.readouterr().out


@every_search
def test_verbose(search, capsys):
    X, y = problem_of(search)
    small(search).fit(X, y)
    assert capsys.readouterr().out == ""
    small(search, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"Fold {n} of 3: ") for n, line in enumerate(lines, 1))


@every_search
def test_picture_of_a_search(search):
    figure = pytest.importorskip("matplotlib.figure", reason="pictures need matplotlib")
    from sklearn_adagrad.plotting import SearchDisplay

    X, y = problem_of(search)
    model = small(search, eps=[1e-10, 0.1]).fit(X, y)
    display = SearchDisplay.from_estimator(model, ax=figure.Figure().subplots())
    assert [line.get_label() for line in display.lines_] == ["1e-10", "0.1"]
    best = model.best_params_["lr"], model.best_score_
    np.testing.assert_array_equal(display.best_.get_xydata()[0], best)
