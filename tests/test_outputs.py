"""Several outputs are learnt in one visit of a row, each as if it were alone."""

import pickle
import re

import numpy as np
import pytest
from common import (
    LOSSES,
    all_bits,
    bits,
    every_dtype,
    random_rows,
    random_targets,
    rows_of_lengths,
    stream,
    weights_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import learn
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import compute_sample_weight
from stacks import ALPHAS, FEW, N_FEATURES, name_of, rule_problems
from test_storage import FORMS

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.arithmetic.jit import variant
from sklearn_adagrad.engines.cpu import heads
from sklearn_adagrad.input.targets import of_classes, of_columns, show
from sklearn_adagrad.rules import Adagrad, Averaged, Momentum, WeightDecay

# Heads are learnt in vectors of eight and of four, some of which are full.
COUNTS = (2, 3, 4, 5, 8, 9, 12, 13)
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}
N_ROWS = 40


def columns(rng, estimator, loss, n_outputs, n_rows=N_ROWS):
    """Targets that ``loss`` accepts, a column for each output."""
    y = [random_targets(rng, estimator, loss, n_rows) for _ in range(n_outputs)]
    return np.stack(y, axis=1)


def rows(rng, dtype=np.float64, n_features=20):
    """Rows of many lengths, and weights with zeros among them."""
    X = rows_of_lengths(rng, rng.integers(0, 13, N_ROWS), n_features, dtype)
    return X, rng.choice([0.0, 0.5, 1.0, 3.0], N_ROWS)


def assert_close(found, wanted, dtype=np.float64):
    tolerance = TOLERANCE[dtype]
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale)


def assert_heads_are(model, models, X, dtype=np.float64):
    """Every head of ``model`` has learnt what one of the ``models`` of one head has."""
    for name in ("coef_", "intercept_", "accumulator_"):
        found = getattr(model, name)
        assert found.dtype == dtype
        assert len(found) == len(models)
        each = [np.reshape(getattr(one, name), found[0].shape) for one in models]
        assert_close(found, np.stack(each), dtype)
    assert_close(model._scores(X), np.hstack([one._scores(X) for one in models]), dtype)
    total = sum(one.progressive_loss_ for one in models)
    assert_close(model.progressive_loss_, total, dtype)
    assert all(model.t_ == one.t_ for one in models)


# --- a head is a model --------------------------------------------------------------------------


# Every kernel takes seconds to compile: not all of them are tried in float32.
TRIED = ("log_loss", "hinge", "modified_huber", "squared_error", "quantile", "poisson")
KERNELS = [(*each, np.float64) for each in LOSSES if each[1] in TRIED]
KERNELS += [(*each, np.float32) for each in LOSSES if each[1] in ("log_loss", "squared_error")]


@pytest.mark.parametrize(("estimator", "loss", "dtype"), KERNELS)
@pytest.mark.parametrize("n_outputs", COUNTS)
def test_every_column(estimator, loss, dtype, n_outputs):
    rng = np.random.default_rng(n_outputs)
    X, weights = rows(rng, dtype)
    y = columns(rng, estimator, loss, n_outputs)
    model = estimator(loss, lr=0.2, lr_decay=0.01, fit_intercept=n_outputs != 5)
    models = [stream(clone(model), X, column, sample_weight=weights) for column in y.T]
    parts = [slice(0, 7), slice(7, 8), slice(8, N_ROWS)]
    stream(model, X, y, parts, sample_weight=weights, classes=range(n_outputs))
    assert_heads_are(model, models, X, dtype)


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge"])
@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 1: 0.25}, {2: 0.0}, "balanced"], ids=str)
def test_every_class_against_the_rest(loss, class_weight):
    for n_classes in COUNTS[1:]:
        rng = np.random.default_rng(n_classes)
        X, weights = rows(rng)
        y = random_targets(rng, AdagradClassifier, loss, N_ROWS, n_classes)
        settings_ = {"lr": 0.2, "max_iter": 2, "tol": None, "random_state": 0}
        model = AdagradClassifier(loss, class_weight=class_weight, **settings_)
        model.fit(X, y, sample_weight=weights)
        if class_weight == "balanced":
            mass = np.maximum(np.bincount(y, weights), 0.1)
            weights = weights * (weights.sum() / n_classes / mass)[y]
        else:
            weights = weights * compute_sample_weight(class_weight, y)
        one = AdagradClassifier(loss, **settings_)
        models = [clone(one).fit(X, y == label, weights) for label in range(n_classes)]
        assert_heads_are(model, models, X)


@pytest.mark.parametrize("case", FEW, ids=name_of)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_rules(case, data):
    problem = data.draw(rule_problems(case, n_outputs=FEW[case]))
    model = learn(problem)
    parts = [slice(0, 1), slice(1, None)]
    assert bits(learn(problem, parts)) == bits(model)
    models = [learn(problem, y=column) for column in problem["y"].T]
    assert_heads_are(model, models, problem["X"])
    assert_heads_that_fill_up_know_nothing(model)


def assert_heads_that_fill_up_know_nothing(model):
    n_heads = model._state.losses.shape[1]
    for part in model._state.tables.values():
        for name in set(part.dtype.names) & {"weight", "velocity", "gradient_sum", "z", "missed"}:
            assert part[name].shape[1] % 4 == 0
            assert not part[name][:, n_heads:].any()
        filling = part["accumulator"][:, n_heads:]
        assert (filling == filling.dtype.type(model.initial_accumulator_value)).all()


PENALTIES = [
    ("adagrad", 0.2, 0.0, "number", np.float64),
    ("adagrad", 0.2, 0.0, "number", np.float32),
    ("adagrad", 0.2, 0.01, "number", np.float64),
    ("adagrad", 0.2, 0.0, "array", np.float64),
    ("dual_averaging", 0.1, 0.01, "number", np.float64),
    ("ftrl", 3.0, 0.0, "array", np.float64),
]


@pytest.mark.parametrize(("rule", "alpha", "lr_decay", "kind", "dtype"), PENALTIES)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_every_penalty(rule, alpha, lr_decay, kind, l1_ratio, dtype):
    """Of weights whose features are absent for a while too; zeros are the same zeros."""
    alpha = alpha if kind == "number" else alpha * ALPHAS
    rng = np.random.default_rng(0)
    X, weights = rows(rng, dtype, N_FEATURES)
    y = columns(rng, AdagradRegressor, "squared_error", 7 if kind == "number" else 3)
    model = AdagradRegressor(lr=0.1, rule=rule, alpha=alpha, l1_ratio=l1_ratio, lr_decay=lr_decay)
    models = [stream(clone(model), X, column, sample_weight=weights) for column in y.T]
    stream(model, X, y, [slice(0, 15), slice(15, 16), slice(16, N_ROWS)], sample_weight=weights)
    assert_heads_are(model, models, X, dtype)
    if dtype == np.float64:
        zeros = np.stack([one.coef_ == 0 for one in models])
        np.testing.assert_array_equal(model.coef_ == 0, zeros)
        assert zeros.any() == (l1_ratio > 0)
        assert not zeros.all()


CHANGES = [{"lr": 0.01}, {"alpha": 0.3, "l1_ratio": 1.0}, {"alpha": 0.0}, {"alpha": 0.1 * ALPHAS}]


@pytest.mark.parametrize("change", CHANGES, ids=str)
@pytest.mark.parametrize("rule", ["adagrad", "dual_averaging", "ftrl"])
def test_parameters_change_in_mid_stream(rule, change):
    rng = np.random.default_rng(0)
    X = random_rows(rng, N_ROWS, N_FEATURES)
    y = columns(rng, AdagradRegressor, "squared_error", 3)
    model = AdagradRegressor(rule=rule, alpha=0.01, l1_ratio=0.3, lr=0.3)
    models = [clone(model) for _ in y.T]
    for first, parameters in ((0, {}), (20, change)):
        part = slice(first, first + 20)
        model.set_params(**parameters).partial_fit(X[part], y[part])
        for one, column in zip(models, y.T, strict=True):
            one.set_params(**parameters).partial_fit(X[part], column[part])
    assert_heads_are(model, models, X)


@pytest.mark.parametrize(
    "rule", [WeightDecay("adagrad", 0.1), Momentum("adagrad"), Averaged("adagrad")], ids=str
)
def test_rows_from_which_some_or_all_heads_learn_nothing(rule):
    """Their weights may move nevertheless."""
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, N_ROWS, 60), columns(rng, AdagradClassifier, "hinge", 3)
    model = AdagradClassifier("hinge", rule=rule, lr=0.5, max_iter=5, tol=None, random_state=0)
    models = [clone(model).fit(X, column) for column in y.T]
    satisfied = model.fit(X, y).decision_function(X) * (2 * y - 1) > 1.0
    assert satisfied.all(axis=1).any()
    assert not satisfied.all()
    assert_heads_are(model, models, X)


def test_shuffled_epochs():
    rng = np.random.default_rng(0)
    X, weights = rows(rng)
    y = columns(rng, AdagradRegressor, "huber", 6)
    model = AdagradRegressor("huber", lr=0.1, max_iter=4, tol=None, random_state=3)
    models = [clone(model).fit(X, column, weights) for column in y.T]
    model.fit(X, y, weights)
    assert_heads_are(model, models, X)
    assert_close(model.loss_curve_, np.sum([one.loss_curve_ for one in models], axis=0))


# --- to the last bit ----------------------------------------------------------------------------

KINDS = {
    "classes": AdagradClassifier(lr=0.1),
    "balanced classes": AdagradClassifier("hinge", lr=0.1, class_weight="balanced"),
    "multinomial": AdagradClassifier(lr=0.1, multi_class="multinomial"),
    "labels": AdagradClassifier("modified_huber", lr=0.1),
    "targets": AdagradRegressor(lr=0.1, alpha=0.01, l1_ratio=0.5),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_count = pytest.mark.parametrize("n_outputs", [3, 5, 12])


def problem_of(kind, n_outputs, dtype=np.float64, n_rows=N_ROWS):
    """A model that has learnt nothing, and rows for it."""
    rng = np.random.default_rng(n_outputs)
    X, model = random_rows(rng, n_rows, 30, 0.2, dtype), clone(KINDS[kind])
    if kind in ("labels", "targets"):
        y = columns(rng, type(model), "squared_error", n_outputs, n_rows)
    else:
        y = random_targets(rng, AdagradClassifier, "log_loss", n_rows, n_outputs)
    return {"model": model, "X": X, "y": y, "classes": range(n_outputs)}


@every_kind
@pytest.mark.parametrize(
    ("n_outputs", "dtype"), [(3, np.float32), (3, np.float64), (5, np.float64), (12, np.float64)]
)
def test_chunks_storage_and_rows_of_weight_zero(kind, n_outputs, dtype):
    problem = problem_of(kind, n_outputs, dtype)
    whole, weights = bits(learn(problem)), np.ones(N_ROWS)
    assert_heads_that_fill_up_know_nothing(learn(problem))
    assert bits(learn(problem)) == whole
    assert bits(learn(problem, [slice(i, i + 1) for i in range(N_ROWS)])) == whole
    forms = ["dense", "csc_array", "coo_array", "unsorted duplicates"]
    for form in [*forms, "int64 indices"] if n_outputs == 3 else forms:  # these compile anew
        assert bits(learn(problem, X=FORMS[form](problem["X"].copy()))) == whole
    X, y = problem["X"], problem["y"]
    more = {"X": sparse.vstack([X * 100, X], format="csr"), "y": np.concatenate([y, y])}
    more["sample_weight"] = np.concatenate([0.0 * weights, weights])
    assert bits(learn(problem, **more)) == whole
    begun = learn(problem, [slice(0, 17)])
    assert bits(pickle.loads(pickle.dumps(begun)).partial_fit(X[17:], y[17:])) == whole


@every_kind
@every_count
def test_columns_that_no_row_has(kind, n_outputs):
    problem = problem_of(kind, n_outputs)
    X = problem["X"]
    wide = sparse.csr_array((X.data, X.indices, X.indptr), shape=(N_ROWS, 2**15))
    one, other = learn(problem), learn(problem, X=wide)
    np.testing.assert_array_equal(other.coef_[:, :30], one.coef_)
    assert not other.coef_[:, 30:].any()
    np.testing.assert_array_equal(other._scores(wide), one._scores(X))


@every_kind
def test_scores_do_not_depend_on_the_other_rows(kind):
    """More rows than are inspected at once."""
    problem = problem_of(kind, 5, n_rows=100)
    model, X = learn(problem), problem["X"]
    whole = model._scores(X)
    one_by_one = [model._scores(X[i : i + 1]) for i in range(100)]
    np.testing.assert_array_equal(np.vstack(one_by_one), whole)
    np.testing.assert_array_equal(model._scores(FORMS["unsorted duplicates"](X)), whole)
    np.testing.assert_allclose(whole, X @ model.coef_.T + model.intercept_, rtol=0, atol=1e-13)


# --- divergence ---------------------------------------------------------------------------------


def diverges(train, *arguments, **more):
    """The row that the error names, and its message."""
    with pytest.raises(FloatingPointError) as caught:
        train(*arguments, **more)
    return int(re.search(r"row (\d+) ", str(caught.value)).group(1)), str(caught.value)


@pytest.mark.parametrize(
    ("n_outputs", "dtype"), [(3, np.float32), (3, np.float64), (12, np.float64)]
)
@pytest.mark.parametrize("output", [0, -1])
def test_one_output_that_diverges_stops_all(n_outputs, output, dtype):
    """At the row that is named: every head has learnt those before it, and no other."""
    problem = problem_of("targets", n_outputs, dtype)
    model, X, y = problem["model"], problem["X"], problem["y"]
    y[20, output] = 1e200
    row, message = diverges(model.partial_fit, X, y)
    assert row == 20
    assert "a target y of 1e+200: scale y" in message
    assert model.t_ == 20
    assert bits(model) == bits(clone(model).partial_fit(X[:20], y[:20]))
    assert diverges(model.partial_fit, X[20:], y[20:])[0] == 0
    assert bits(model) == bits(clone(model).partial_fit(X[:20], y[:20]))
    model.partial_fit(X[21:], y[21:])
    assert np.isfinite(weights_of(model)).all()


@every_kind
@every_dtype
def test_row_that_no_output_can_take(kind, dtype):
    problem = problem_of(kind, 5, dtype)
    X, y = problem["X"], problem["y"]
    before = bits(learn(problem, [slice(0, 30)]))
    X.data[X.indptr[30] : X.indptr[31]] = np.finfo(dtype).max / 2
    model, classes = clone(problem["model"]), {}
    if isinstance(model, AdagradClassifier):
        classes = {"classes": problem["classes"]}
    row, message = diverges(model.partial_fit, X, y, **classes)
    assert row == 30
    assert "scale the features" in message
    assert bits(model) == before


@every_kind
@pytest.mark.parametrize("warm_start", [False, True])
def test_fit_that_diverges_leaves_the_model_as_it_was(kind, warm_start):
    problem = problem_of(kind, 5)
    X, y = problem["X"], problem["y"]
    model = problem["model"].set_params(max_iter=2, tol=None, warm_start=warm_start)
    for trained in (False, True):
        if trained:
            model.fit(X, y)
        before = all_bits(model)
        diverges(model.fit, X * 1e200, y)
        assert all_bits(model) == before


# --- compilation --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["learn_heads", "score_heads", "add_losses"])
def test_no_number_of_outputs_recompiles(name):
    kernel = variant(getattr(heads, name), *([] if name == "add_losses" else [Adagrad()]))

    def train(n_outputs):
        for kind in KINDS:
            problem = problem_of(kind, n_outputs)
            settings_ = {"max_iter": 1, "tol": None, "early_stopping": True}
            model = problem["model"].set_params(**settings_, validation_fraction=0.5)
            model.fit(problem["X"], problem["y"]).predict(problem["X"])

    for n_outputs in (3, 5, 12):  # a vector of four, vectors of eight, and both
        train(n_outputs)
    before = len(kernel.signatures)
    for n_outputs in COUNTS[1:]:
        train(n_outputs)
    assert len(kernel.signatures) == before > 0


def test_targets_are_shown_to_every_set_of_heads():
    """Candidates side by side have the same targets; heads that fill up may see anything."""
    y = np.full(8, np.nan)
    show(of_columns(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])), 1, y)
    np.testing.assert_array_equal(y[:6], [4.0, 5.0, 6.0] * 2)
    show(of_classes(np.array([2, 0]), 3), 0, y)
    np.testing.assert_array_equal(y[:6], [-1.0, -1.0, 1.0] * 2)
