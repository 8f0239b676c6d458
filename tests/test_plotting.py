"""What a display draws is what the search found, the history says, or the model has learnt."""

import sys
from itertools import product
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
from common import all_bits, every_estimator, trained, untrained
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, FieldHasher
from sklearn_adagrad.plotting import ProgressDisplay, SearchDisplay, WeightsDisplay

LR, EPS, ALPHA = [0.01, 0.1, 1.0], [0.0, 1e-4], [0.0, 1e-6, 1e-3]
GRID = [dict(zip(("lr", "eps", "alpha"), each, strict=True)) for each in product(LR, EPS, ALPHA)]
MEAN = np.random.default_rng(0).permutation(len(GRID)) / 100 + 0.5
STD = np.random.default_rng(1).permutation(len(GRID)) / 1000 + 0.01


def found(params, mean, std=None, scoring=None, **columns):
    """A search that found this."""
    search = GridSearchCV(AdagradClassifier(lr=0.1), {}, scoring=scoring)
    search.cv_results_ = {"params": params, "mean_test_score": np.array(mean), **columns}
    if std is not None:
        search.cv_results_["std_test_score"] = np.array(std)
    return search


def drawn(search, **options):
    """Its display, in a figure of its own."""
    options.setdefault("ax", Figure(layout="constrained").subplots())
    display = SearchDisplay.from_estimator(search, **options)
    display.figure_.draw_without_rendering()
    return display


def points(line):
    return np.transpose(line.get_data()).tolist()


def best_of(**fixed):
    """Which candidate of GRID is the best of those with these parameters."""
    able = [n for n, each in enumerate(GRID) if fixed.items() <= each.items()]
    return max(able, key=lambda n: MEAN[n])


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def edges(band):
    """The ends of a band at each x, from below and from above."""
    corners = band.get_paths()[0].vertices
    return [
        [x, corners[corners[:, 0] == x, 1].min(), corners[corners[:, 0] == x, 1].max()]
        for x in np.unique(corners[:, 0])
    ]


# --- what is drawn ------------------------------------------------------------------------------


@every_estimator
def test_searches_of_both_estimators(estimator):
    X, y = make_classification(random_state=0)
    grid = {"lr": LR, "eps": [1e-10, 1e-2]}
    search = GridSearchCV(untrained(estimator), grid, cv=3).fit(X, y)
    display = drawn(search)
    results = search.cv_results_
    for line, band, eps in zip(display.lines_, display.fill_between_, grid["eps"], strict=True):
        of = [n for n, each in enumerate(results["params"]) if each["eps"] == eps]
        mean, std = results["mean_test_score"][of], results["std_test_score"][of]
        assert points(line) == np.transpose([LR, mean]).tolist()
        np.testing.assert_allclose(edges(band), np.transpose([LR, mean - std, mean + std]))
    assert points(display.best_) == [[search.best_params_["lr"], search.best_score_]]
    assert display.ax_.get_xscale() == "log"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("lr", "Score")


def test_a_point_is_the_best_over_the_other_parameters():
    display = drawn(found(GRID, MEAN, STD))
    assert display.ax_.get_xlabel() == "lr (every point at its best alpha)"
    for line, band, eps in zip(display.lines_, display.fill_between_, EPS, strict=True):
        best = [best_of(lr=lr, eps=eps) for lr in LR]
        assert points(line) == np.transpose([LR, MEAN[best]]).tolist()
        ends = np.transpose([LR, MEAN[best] - STD[best], MEAN[best] + STD[best]])
        np.testing.assert_allclose(edges(band), ends)


def test_order_of_the_candidates_is_no_matter():
    order = np.random.default_rng(2).permutation(len(GRID))
    one, other = found(GRID, MEAN), found([GRID[n] for n in order], MEAN[order])
    one, other = drawn(one), drawn(other)
    assert list(map(points, one.lines_)) == list(map(points, other.lines_))
    assert legend(one)[:-1] == legend(other)[:-1] == ["0", "0.0001"]


def test_parameters_with_one_value_were_not_searched():
    display = drawn(found([each | {"alpha": 1e-3} for each in GRID[::3]], MEAN[::3]))
    assert display.ax_.get_xlabel() == "lr"


def test_best_candidate_is_marked():
    display = drawn(found(GRID, MEAN))
    best = GRID[best_of()]
    assert points(display.best_) == [[best["lr"], MEAN.max()]]
    named = "\n".join(f"{name} = {value:g}" for name, value in best.items())
    assert legend(display)[-1] == f"best:\n{named}"


def test_first_of_equal_candidates_is_the_best_as_in_a_grid_search():
    display = drawn(found([{"lr": 1.0}, {"lr": 0.1}], [0.5, 0.5]))
    assert points(display.best_) == [[1.0, 0.5]]


@pytest.mark.parametrize("diverged", [np.nan, -np.inf])
def test_diverged_candidates_leave_a_gap(diverged):
    rates = [0.01, 0.1, 1.0, 10.0]
    params = [{"lr": lr} for lr in rates]
    display = drawn(found(params, [0.7, diverged, 0.8, diverged], [0.1, np.nan, 0.1, np.nan]))
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [0.7, np.nan, 0.8, np.nan])
    assert points(display.best_) == [[1.0, 0.8]]
    left, right = display.ax_.get_xlim()
    assert left < 0.01
    assert right > 10.0


def test_diverged_candidate_is_not_the_best_of_its_point():
    params = [{"lr": 0.1, "alpha": alpha} for alpha in ALPHA]
    display = drawn(found(params, [np.nan, 0.6, 0.7]))
    assert points(display.lines_[0]) == [[0.1, 0.7]]


def test_nothing_but_diverged_candidates():
    display = drawn(found([{"lr": 0.1}, {"lr": 1.0}], [np.nan, np.nan], [np.nan, np.nan]))
    assert display.best_ is None
    assert np.isnan(display.lines_[0].get_ydata()).all()


# --- spread -------------------------------------------------------------------------------------


def test_error_bars():
    display = drawn(found(GRID, MEAN, STD), std_display_style="errorbar")
    assert display.fill_between_ is None
    for line, bars, eps in zip(display.lines_, display.errorbar_, EPS, strict=True):
        best = [best_of(lr=lr, eps=eps) for lr in LR]
        heights = [[low, high] for (_, low), (_, high) in bars.lines[2][0].get_segments()]
        ends = np.transpose([MEAN[best] - STD[best], MEAN[best] + STD[best]])
        np.testing.assert_allclose(heights, ends)
        assert to_rgba(line.get_color()) == tuple(bars.lines[2][0].get_color()[0])


def test_no_spread_on_request():
    display = drawn(found(GRID, MEAN, STD), std_display_style=None)
    assert len(display.lines_) == 2
    assert display.fill_between_ is display.errorbar_ is None
    assert not display.ax_.collections


@pytest.mark.parametrize("style", ["fill_between", "errorbar"])
def test_without_folds_there_is_no_spread(style):
    search = found(GRID, MEAN, progressive_loss=1.0 - MEAN)
    display = drawn(search, std_display_style=style)
    assert len(display.lines_) == 2
    assert display.fill_between_ is display.errorbar_ is None


# --- x and hue ----------------------------------------------------------------------------------


def test_one_line_without_hue():
    display = drawn(found([{"lr": lr} for lr in LR], [0.7, 0.9, 0.8]))
    assert [points(line) for line in display.lines_] == [[[0.01, 0.7], [0.1, 0.9], [1.0, 0.8]]]
    assert legend(display) == ["best:\nlr = 0.1"]


def test_hue_of_none_takes_the_best_of_it_too():
    display = drawn(found(GRID, MEAN), hue=None)
    (line,) = display.lines_
    assert points(line) == [[lr, MEAN[best_of(lr=lr)]] for lr in LR]
    assert display.ax_.get_xlabel() == "lr (every point at its best alpha, eps)"


def test_other_parameters_as_x_and_hue():
    display = drawn(found(GRID, MEAN), x="eps", hue="lr")
    for line, lr in zip(display.lines_, LR, strict=True):
        assert points(line) == [[eps, MEAN[best_of(lr=lr, eps=eps)]] for eps in EPS]
    assert display.ax_.get_xscale() == "symlog"  # has a place for 0
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["0", "0.0001"]
    assert display.ax_.get_legend().get_title().get_text() == "lr"


def test_x_is_not_hue_as_well():
    assert len(drawn(found(GRID, MEAN), x="eps").lines_) == 1


def test_hue_may_be_anything():
    rules = [{"lr": lr, "rule": rule} for lr in LR for rule in ("ftrl", "adagrad", None)]
    assert legend(drawn(found(rules, MEAN[:9]), hue="rule"))[:-1] == ["None", "adagrad", "ftrl"]
    arrays = [{"lr": lr, "alpha": alpha} for lr in LR for alpha in (np.ones(2), 0.5)]
    assert legend(drawn(found(arrays, MEAN[:6]), hue="alpha"))[:-1] == ["0.5", "[1. 1.]"]
    assert drawn(found(arrays, MEAN[:6])).ax_.get_xlabel().endswith("best alpha)")


def test_candidates_of_another_grid_without_hue_have_a_line():
    params = [{"lr": 0.1, "eps": 1e-4}, {"lr": 0.1}, {"lr": 1.0}]
    display = drawn(found(params, [0.7, 0.8, 0.6]))
    assert list(map(points, display.lines_)) == [[[0.1, 0.7]], [[0.1, 0.8], [1.0, 0.6]]]
    assert legend(display)[:-1] == ["0.0001", "not searched"]


def test_pipeline():
    X, y = make_classification(random_state=0)
    model = make_pipeline(MaxAbsScaler(), untrained(AdagradClassifier))
    search = GridSearchCV(model, {"adagradclassifier__lr": LR}, cv=2).fit(X, y)
    with pytest.raises(ValueError, match=r"\(searched: adagradclassifier__lr\)"):
        drawn(search)
    (line,) = drawn(search, x="adagradclassifier__lr").lines_
    assert points(line) == np.transpose([LR, search.cv_results_["mean_test_score"]]).tolist()


# --- metrics and names --------------------------------------------------------------------------


def test_one_metric_of_several():
    several = {"mean_test_accuracy": MEAN / 2, "mean_test_roc_auc": MEAN}
    search = found(GRID, MEAN, std_test_roc_auc=STD, **several)
    del search.cv_results_["mean_test_score"]
    display = drawn(search, metric="roc_auc")
    assert points(display.best_)[0][1] == MEAN.max()
    assert display.ax_.get_ylabel() == "Roc auc"
    assert len(display.fill_between_) == 2
    for metric in (None, "auc"):
        with pytest.raises(ValueError, match=f"metric={metric!r}.*'accuracy', 'roc_auc'"):
            drawn(search, metric=metric)


@pytest.mark.parametrize(
    ("scoring", "name"),
    [
        (None, "Score"),
        (lambda model, X, y: 0.0, "Score"),
        ("accuracy", "Accuracy"),
        ("neg_mean_squared_error", "Negative mean squared error"),
    ],
)
def test_name_of_the_score(scoring, name):
    assert drawn(found(GRID, MEAN, scoring=scoring)).ax_.get_ylabel() == name


# --- where it is drawn --------------------------------------------------------------------------


def test_given_axes_are_used_and_the_legend_covers_nothing():
    figure = Figure(layout="constrained")
    _, ax = figure.subplots(1, 2)
    display = drawn(found(GRID, MEAN, STD), ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    box = ax.get_legend().get_window_extent()
    assert not box.overlaps(ax.get_window_extent())
    assert box.x1 <= figure.bbox.x1


def test_new_figure_and_once_more():
    plt.switch_backend("Agg")
    display = SearchDisplay.from_estimator(found(GRID, MEAN, STD))
    first = display.figure_
    assert display.plot(std_display_style=None) is display
    assert display.figure_ is not first
    assert display.fill_between_ is None
    plt.close(first)
    plt.close(display.figure_)


def test_search_is_left_alone():
    mean = np.array([0.5, -np.inf])
    search = found([{"lr": 0.1}, {"lr": 1.0}], mean)
    drawn(search)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], mean)


# --- refusals -----------------------------------------------------------------------------------


def test_unfitted_search():
    with pytest.raises(NotFittedError):
        drawn(GridSearchCV(AdagradClassifier(lr=0.1), {"lr": LR}))


@pytest.mark.parametrize(
    ("params", "searched"),
    [
        ([{"eps": 0.0, "alpha": 1.0}], "alpha, eps"),
        ([{}], "no parameters"),
        ([{"lr": 1}, {}], "lr"),
    ],
)
def test_x_must_be_searched(params, searched):
    with pytest.raises(ValueError, match=rf"x='lr'.*\(searched: {searched}\).*give another as x"):
        drawn(found(params, [0.5] * len(params)))


def test_x_must_be_numbers():
    with pytest.raises(ValueError, match=r"x='rule' has the value ftrl.*as hue"):
        drawn(found([{"rule": "ftrl"}], [0.5]), x="rule")


def test_unknown_style():
    with pytest.raises(ValueError, match=r"std_display_style='band'.*'fill_between', 'errorbar'"):
        drawn(found(GRID, MEAN, STD), std_display_style="band")


@pytest.mark.parametrize(
    "display",
    [
        SearchDisplay(params=[{"lr": 0.1}], mean_scores=[0.5]),
        ProgressDisplay(rows=[1], overall=[0.5]),
        WeightsDisplay(names=["a"], weights=[1.0]),
    ],
)
def test_without_matplotlib(monkeypatch, display):
    for name in [each for each in sys.modules if each.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-adagrad\[plot\]"'):
        display.plot()


# --- progress -----------------------------------------------------------------------------------

HISTORY = {
    "rows": np.array([100, 200, 300, 400]),
    "seconds": np.array([0.1, 0.2, 0.3, 0.4]),
    "log_loss": np.array([0.5, 0.4, 0.35, 0.34]),
    "window_log_loss": np.array([0.5, 0.3, 0.25, 0.31]),
    "roc_auc": np.array([np.nan, 0.6, 0.7, 0.75]),
    "window_roc_auc": np.array([np.nan, 0.65, np.nan, 0.9]),
    "calibration": np.array([np.inf, 1.1, 1.0, 1.0]),
    "normalized_entropy": np.array([np.nan, 0.9, 0.8, 0.7]),
}


class History:
    """Anything that becomes a dict."""

    def to_dict(self):
        return HISTORY


def progress(history=HISTORY, **options):
    """Its display, in a figure of its own."""
    options.setdefault("ax", Figure(layout="constrained").subplots())
    display = ProgressDisplay.from_history(history, **options)
    display.figure_.draw_without_rendering()
    return display


def assert_shows(line, metric):
    np.testing.assert_array_equal(line.get_xdata(), HISTORY["rows"])
    np.testing.assert_array_equal(line.get_ydata(), HISTORY[metric])


REPEATED = pd.DataFrame(HISTORY, index=[0, 1, 0, 1])  # of two parts that were put together


@pytest.mark.parametrize("history", [HISTORY, REPEATED, pl.DataFrame(HISTORY), History()])
def test_progress_of_any_history(history):
    display = progress(history)
    assert_shows(display.line_, "log_loss")
    assert_shows(display.window_, "window_log_loss")
    assert display.window_.get_linestyle() == "None"
    assert display.reference_ is None
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Rows learnt", "Log loss")
    assert legend(display) == ["all rows so far", "since the dot before"]


def test_progress_that_is_not_defined_leaves_a_gap():
    display = progress(metric="roc_auc")
    assert_shows(display.line_, "roc_auc")
    assert_shows(display.window_, "window_roc_auc")
    assert display.ax_.get_ylabel() == "ROC AUC"
    infinite = progress(metric="calibration")
    np.testing.assert_array_equal(infinite.line_.get_ydata(), [np.nan, 1.1, 1.0, 1.0])


def test_progress_ends_in_a_disc_where_it_is_defined():
    assert progress().line_.get_markevery() == [3]
    assert progress({"rows": [1, 2], "r2": [0.5, np.nan]}, metric="r2").line_.get_markevery() == [0]
    assert len(progress({"rows": [1], "r2": [np.nan]}, metric="r2").line_.get_markevery()) == 0


@pytest.mark.parametrize("metric", ["calibration", "normalized_entropy"])
def test_progress_is_compared_to_one(metric):
    display = progress(metric=metric)
    assert set(display.reference_.get_ydata()) == {1}
    assert display.window_ is None
    assert metric.replace("_", " ").capitalize() in display.ax_.get_ylabel()


def test_progress_of_any_metric_there_is():
    display = progress(
        {"rows": [1, 2], "mean_pinball_loss": [2.0, 1.0]}, metric="mean_pinball_loss"
    )
    assert display.ax_.get_ylabel() == "Mean pinball loss"


def test_progress_of_several_models():
    first = progress(name="slow")
    second = progress(name="fast", ax=first.ax_)
    third = progress(ax=first.ax_).plot(first.ax_, name="once more")
    colors = [each.line_.get_color() for each in (first, second, third)]
    assert len(set(colors)) == 3
    assert [each.window_.get_color() for each in (first, second, third)] == colors
    assert legend(first)[:2] == ["slow", "fast"]
    assert legend(first)[-1] == "once more"
    assert first.ax_.get_legend().get_title().get_text().startswith("line: all rows so far")


@pytest.mark.parametrize(
    ("rows", "scale"),
    [([100, 200, 300, 400], "linear"), ([2**n for n in range(10)], "log"), ([5], "linear")],
)
def test_progress_by_powers_of_two_is_on_a_logarithmic_axis(rows, scale):
    display = progress({"rows": rows, "r2": np.linspace(0, 1, len(rows))}, metric="r2")
    assert display.ax_.get_xscale() == scale


def test_progress_of_nothing():
    assert points(progress({"rows": [], "log_loss": []}).line_) == []


def test_history_is_left_alone():
    before = HISTORY["calibration"].copy()
    progress(metric="calibration")
    np.testing.assert_array_equal(HISTORY["calibration"], before)


@pytest.mark.parametrize("metric", ["accuracy", "seconds", "rows", "window_log_loss"])
def test_unknown_metric_of_a_history(metric):
    known = "'log_loss', 'roc_auc', 'calibration', 'normalized_entropy'"
    with pytest.raises(ValueError, match=f"metric='{metric}' is not.*Its metrics are {known}."):
        progress(metric=metric)


@pytest.mark.parametrize(
    ("history", "error", "message"),
    [
        ({"log_loss": [0.5]}, ValueError, "has no column 'rows'"),
        ({"rows": [1]}, ValueError, "Its metrics are none"),
        ({"rows": [1, 2], "log_loss": [0.5]}, ValueError, r"'log_loss' of shape \(1,\).*\(2,\)"),
        (
            {"rows": [1], "log_loss": [0.5], "window_log_loss": [0.5, 0.4]},
            ValueError,
            r"'window_log_loss' of shape \(2,\)",
        ),
        ({"rows": 1, "log_loss": 0.5}, ValueError, r"'rows' of shape \(\)"),
        ([0.5, 0.4], TypeError, "history must be a dict of arrays.*got list"),
    ],
)
def test_what_is_no_history(history, error, message):
    with pytest.raises(error, match=message):
        progress(history)


# --- weights ------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(0)
LOG = {
    "site": RANDOM.choice(["a.com", "b.org", "Tom & Jerry = 3"], 200),
    "user": RANDOM.integers(0, 20, 200).astype(str),
    "title": RANDOM.choice(["red shoes", "blue hats", "shoes"], 200),
    "age": RANDOM.normal(size=200),
}
CLICKED = RANDOM.integers(0, 2, 200)
KINDS = {"title": "words"}
CROSSES = [("site", "title"), ("user", "age")]


class Plain(NamedTuple):
    """Gradient descent: nothing is remembered of a weight but itself."""

    def start(self, settings):
        return {"weight": 0.0}

    def step(self, record, g, row):
        return record, row.lr * g


def strongest(model, **options):
    """The display of its weights, in a figure of its own."""
    options.setdefault("ax", Figure(layout="constrained").subplots())
    display = WeightsDisplay.from_estimator(model, **options)
    display.figure_.draw_without_rendering()
    return display


def hashed(n_features=2**20, estimator=AdagradClassifier, y=CLICKED, **options):
    """A pipeline that has learnt LOG."""
    hasher = FieldHasher(n_features, fields=KINDS, interactions=CROSSES, **options)
    return make_pipeline(hasher, untrained(estimator)).fit(LOG, y)


def tick_labels(display):
    return [text.get_text() for text in display.ax_.get_yticklabels()]


@every_estimator
@pytest.mark.parametrize("alternate_sign", [True, False])
def test_effects_of_names_add_up_to_the_score(estimator, alternate_sign):
    model = hashed(estimator=estimator, alternate_sign=alternate_sign)
    display = strongest(model, X=LOG, n_weights=2**20)
    effects = dict(zip(display.names, display.weights, strict=True))
    assert len(effects) == len(display.names)  # nothing shares a column
    score = "decision_function" if estimator is AdagradClassifier else "predict"
    scores = getattr(model, score)(LOG)
    rows = zip(*LOG.values(), scores, strict=True)
    for site, user, title, age, expected in list(rows)[:20]:
        words = [f"title={word}" for word in title.split()]
        names = [f"site={site}", f"user={user}", *words, *(f"site={site} & {w}" for w in words)]
        effect = sum(effects[name] for name in names)
        effect += age * (effects["age"] + effects[f"user={user} & age"])
        np.testing.assert_allclose(effect + model[-1].intercept_[0], expected)


def test_fields_of_names():
    display = strongest(hashed(), X=LOG, n_weights=2**20)
    of = dict(zip(display.names, display.fields, strict=True))
    assert of["age"] == "age"
    assert of["site=Tom & Jerry = 3"] == "site"
    assert of["site=Tom & Jerry = 3 & title=shoes"] == "site & title"
    assert of["user=7 & age"] == "user & age"


@every_estimator
def test_weights_of_largest_magnitude(estimator):
    model = trained(estimator)
    coef, accumulators = np.ravel(model.coef_), np.ravel(model.accumulator_)
    largest = np.argsort(-np.abs(coef))[:3]
    display = strongest(model, n_weights=3)
    assert display.names == [f"column {column}" for column in largest]
    np.testing.assert_array_equal(display.weights, coef[largest])
    np.testing.assert_array_equal(display.accumulators, accumulators[largest])
    assert [bar.get_width() for bar in display.bars_] == list(display.weights)
    heights = [bar.get_y() for bar in display.bars_]
    assert heights == sorted(heights, reverse=True)
    assert tick_labels(display) == display.names
    assert display.ax_.get_legend() is None
    assert len(strongest(model, n_weights=100).names) == np.count_nonzero(coef)


def test_weights_of_zero_are_not_shown():
    X = np.eye(4)
    model = untrained(AdagradRegressor).fit(X[:2], [1.0, 2.0])
    assert set(strongest(model).names) == {"column 0", "column 1"}
    nothing = untrained(AdagradRegressor).fit(X, np.zeros(4))
    assert strongest(nothing).names == []


@every_estimator
def test_weights_of_a_sparse_model(estimator):
    display = strongest(trained(estimator))
    sparse = strongest(trained(estimator).sparsify())
    assert sparse.names == display.names
    np.testing.assert_array_equal(sparse.weights, display.weights)


def test_accumulators_stand_beside_the_bars():
    display = WeightsDisplay(
        names=list("abcdef"), weights=np.arange(6.0), accumulators=[0, 1e-9, 2.345, 99.7, 1e5, 1e9]
    ).plot(Figure().subplots())
    texts = [text.get_text() for text in display.accumulator_texts_]
    assert texts == ["0", "1e-09", "2.3", "100", "100,000", "1e+09"]
    assert display.ax_.get_xlabel() == "Weight\n(beside the bars: accumulator)"


def test_rule_without_an_accumulator():
    display = strongest(trained(AdagradClassifier, rule=Plain()))
    assert display.accumulators is display.accumulator_texts_ is None
    assert display.ax_.get_xlabel() == "Weight for class 1"


# --- names --------------------------------------------------------------------------------------


def test_most_frequent_of_several_names():
    hasher = FieldHasher(1, alternate_sign=False)
    rows = {"site": ["b", "a", "a", "c"]}
    model = make_pipeline(hasher, untrained(AdagradRegressor)).fit(rows, [1.0, 2.0, 3.0, 4.0])
    assert strongest(model, X=rows).names == ["site=a (+2 more)"]
    assert strongest(model[-1], X=rows, hasher=hasher).names == ["site=a (+2 more)"]


@pytest.mark.parametrize(("alternate_sign", "more"), [(True, " (either sign)"), (False, "")])
def test_names_that_are_not_in_the_sample(alternate_sign, more):
    sites = {"site": ["a", "b"]}
    hasher = FieldHasher(alternate_sign=alternate_sign)
    model = make_pipeline(hasher, untrained(AdagradRegressor)).fit(sites, [1.0, -2.0])
    column = hasher.transform({"site": ["b"]}).indices[0]
    display = strongest(model, X={"site": ["a"]})
    place = display.names.index(f"column {column}{more}")
    assert display.weights[place] == model[-1].coef_[column]
    assert "site=a" in display.names
    assert display.fields[place] is None
    assert display.bars_[place].get_facecolor() == to_rgba("white")
    assert legend(display) == ["unknown"]
    plain = strongest(model)
    assert set(plain.names) == {f"column {n}" for n in hasher.transform(sites).indices}
    assert plain.ax_.get_xlabel().startswith("Weight")


def test_names_of_a_frame():
    frame = pd.DataFrame(RANDOM.normal(size=(50, 4)), columns=["age", "site=a", "site=b", "x=1=2"])
    display = strongest(untrained(AdagradRegressor).fit(frame, frame @ [4.0, 3.0, 2.0, 1.0]))
    assert sorted(zip(display.names, display.fields, strict=True)) == [
        ("age", "age"), ("site=a", "site"), ("site=b", "site"), ("x=1=2", "x"),
    ]  # fmt: skip
    assert legend(display)[0] == "site"


def test_long_and_odd_names():
    names = ["_url=" + "x" * 60 + "end", "$a$_b\n"]
    fields = ["_url", "_url", "$b$"]
    display = WeightsDisplay(names=[*names, "c"], weights=[3, 2, 1], fields=fields)
    display.plot(Figure().subplots()).figure_.draw_without_rendering()
    long, odd, _ = tick_labels(display)
    assert len(long) == 48
    assert long.startswith("_url=xx")
    assert long.endswith("xxend")
    assert odd == "$a$_b\N{REPLACEMENT CHARACTER}"
    assert legend(display) == ["_url", "$b$"]
    texts = display.ax_.get_yticklabels() + display.ax_.get_legend().get_texts()
    assert not any(text.get_parse_math() for text in texts)


# --- colours ------------------------------------------------------------------------------------


def colors_of(fields):
    """The colour of each bar, and the legend."""
    names = list(map(str, fields))
    display = WeightsDisplay(names=names, weights=np.arange(len(fields)), fields=fields)
    display.plot(Figure().subplots())
    colors = [bar.get_facecolor() for bar in display.bars_]
    box = display.ax_.get_legend()
    entries = [patch.get_facecolor() for patch in box.get_patches()] if box else []
    return colors, dict(zip(legend(display) if box else [], entries, strict=True))


def test_most_frequent_fields_have_colours_of_their_own():
    fields = ["h", *"abcdefg", *"abcdefg", None]
    colors, named = colors_of(fields)
    assert list(named) == [*"abcdef", "others", "unknown"]
    assert len(set(named.values())) == 8
    assert colors == [named.get(each, named["others"]) for each in fields[:-1]] + [named["unknown"]]


@pytest.mark.parametrize("fields", [["a", "b", "c"], ["a", "a"]])
def test_colours_that_would_tell_nothing(fields):
    colors, named = colors_of(fields)
    assert len(set(colors)) == 1
    assert named == {}


# --- outputs ------------------------------------------------------------------------------------


def test_one_class_of_several():
    X, y = np.eye(9), np.array(["red", "green", "blue"] * 3)
    model = untrained(AdagradClassifier).fit(X, y)
    for k, label in enumerate(["blue", "green", "red"]):
        display = strongest(model, output=label)
        assert display.weight_name == f"Weight for class {label}"
        expected = sorted(np.abs(model.coef_[k]), reverse=True)
        np.testing.assert_array_equal(np.abs(display.weights), expected)
    for output in (None, "black", 0):
        with pytest.raises(ValueError, match=f"output={output!r}.*give one of 'blue', 'green', 'r"):
            strongest(model, output=output)


def test_one_target_of_several():
    model = untrained(AdagradRegressor).fit(np.eye(20), np.eye(20))
    display = strongest(model, output=3, n_weights=1)
    assert display.names == ["column 3"]
    assert display.weight_name == "Weight for target 3"
    with pytest.raises(ValueError, match=r"give one of 0, 1, .*, 9, \.\.\.\."):
        strongest(model)


def test_weights_of_two_classes_are_for_the_second():
    model = trained(AdagradClassifier)
    assert strongest(model).names == strongest(model, output=1).names
    with pytest.raises(ValueError, match=r"output=0 is none of this model: give one of 1\."):
        strongest(model, output=0)


# --- refusals -----------------------------------------------------------------------------------


def test_weights_of_an_unfitted_model():
    for model in (
        AdagradClassifier(lr=0.1),
        make_pipeline(FieldHasher(), AdagradRegressor(lr=0.1)),
    ):
        with pytest.raises(NotFittedError):
            strongest(model)


@pytest.mark.parametrize("n_weights", [0, -1, 2.5, None])
def test_number_of_weights_must_be_one(n_weights):
    with pytest.raises(ValueError, match=f"n_weights must be a whole.*{n_weights}"):
        strongest(trained(AdagradClassifier), n_weights=n_weights)


def test_hasher_must_be_that_of_the_model():
    model = hashed(2**10)
    with pytest.raises(ValueError, match=r"hasher makes 2048 columns, but the model has 1024"):
        strongest(model, hasher=FieldHasher(2**11), X=LOG)
    with pytest.raises(ValueError, match=r"X is to be hashed.*hasher=None: give the FieldHasher"):
        strongest(model[-1], X=LOG)


def test_more_weights_make_a_higher_figure():
    plt.switch_backend("Agg")
    few, many = (WeightsDisplay(names=["a"] * n, weights=[1.0] * n).plot() for n in (3, 30))
    assert few.figure_.get_figheight() < many.figure_.get_figheight()
    plt.close(few.figure_)
    plt.close(many.figure_)


def test_weights_leave_a_model_alone():
    model = trained(AdagradClassifier)
    before = all_bits(model)
    strongest(model)
    assert all_bits(model) == before
