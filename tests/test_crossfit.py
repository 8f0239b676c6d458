"""``fit`` with lr="auto" and nothing said about stopping: rows held out in folds."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_wine
from sklearn.metrics import log_loss

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.engines import ENGINES
from sklearn_adagrad.estimators import crossfit
from sklearn_adagrad.estimators.training import Problem
from sklearn_adagrad.input.checks import check_rows
from sklearn_adagrad.input.targets import of_columns
from sklearn_adagrad.model.binding import LEARNERS, unstacked
from sklearn_adagrad.model.merging import merged
from sklearn_adagrad.model.state import candidate_state, field
from sklearn_adagrad.rules import ImportanceAware, ScaleFree


def rows_of(rng, n_rows=60, n_features=8):
    X = rng.standard_normal((n_rows, n_features)) * (rng.random((n_rows, n_features)) < 0.6)
    return X * 10.0 ** np.arange(-4, n_features - 4), X @ rng.standard_normal(n_features)


def problem(kind, seed=0):
    """An untrained model and rows for it."""
    rng = np.random.default_rng(seed)
    X, score = rows_of(rng)
    noisy = score + rng.standard_normal(len(score))
    classifier = AdagradClassifier(lr="auto", shuffle=False, max_iter=6)
    regressor = AdagradRegressor(lr="auto", shuffle=False, max_iter=6)
    return {
        "classes": (classifier, X, (noisy > 0).astype(int)),
        "three": (classifier, X, np.digitize(noisy, [-1.0, 1.0])),
        "labels": (classifier, X, np.stack([noisy > 0, score > 1], axis=1).astype(int)),
        "numbers": (regressor, X, 1000.0 + noisy),
        "columns": (regressor, X, np.stack([noisy, 5.0 * score], axis=1)),
    }[kind]


KINDS = ["classes", "three", "labels", "numbers", "columns"]


def by_hand(model, X, y, folds):
    """The mean of the models that ``fit_summary_`` speaks of."""
    n_epochs, lr = model.best_n_iter_, float(model.fit_summary_.split("lr=")[1].split()[0])
    rule = ImportanceAware(ScaleFree("adagrad", by_column=dict(LEARNERS)[lr]))
    parameters = {"lr": lr, "rule": rule, "max_iter": n_epochs, "tol": None}
    coef, intercept = [], []
    for n in range(folds.max() + 1):
        own = type(model)(**parameters, shuffle=False).fit(X[folds != n], y[folds != n])
        coef.append(own.coef_)
        intercept.append(own.intercept_)
    return np.mean(coef, axis=0), np.mean(intercept, axis=0)


@pytest.mark.parametrize("is_small", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_model_is_the_mean_of_those_of_the_folds(kind, is_small, monkeypatch):
    if not is_small:
        monkeypatch.setattr(crossfit, "_SMALL", 0)
    n_folds = crossfit.N_FOLDS if is_small else crossfit.N_FOLDS_OF_MANY
    model, X, y = problem(kind)
    model.fit(X, y)
    labels = y if kind in ("classes", "three") else np.zeros(len(y))
    folds = crossfit.folds_of(labels, np.ones(len(y)), n_folds, None)
    coef, intercept = by_hand(model, X, y, folds)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, intercept, rtol=1e-9)
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_
    best = min(model.validation_loss_curve_)
    assert best == model.validation_loss_curve_[model.best_n_iter_ - 1]
    assert model.progressive_loss_ == pytest.approx(best, rel=1e-12)
    assert f"mean of {n_folds} models after epoch {model.best_n_iter_} of" in model.fit_summary_


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_after(kind):
    """Rows of weight zero are no rows, and the stream goes on from the mean."""
    model, X, y = problem(kind)
    weights = np.arange(len(y)) % 3 > 0
    kept = pickle.loads(pickle.dumps(model)).fit(X[weights], y[weights])
    model.fit(X, y, sample_weight=weights.astype(float))
    np.testing.assert_array_equal(model.coef_, kept.coef_)
    before = model.predict(X)
    model.partial_fit(X[:1], y[:1], sample_weight=0.0)
    np.testing.assert_array_equal(model.predict(X), before)
    model.partial_fit(X, y)
    again = pickle.loads(pickle.dumps(kept)).partial_fit(X, y)
    np.testing.assert_array_equal(model.coef_, again.coef_)
    assert model.fit_summary_ == kept.fit_summary_
    with_epochs = model.set_params(early_stopping=False, tol=None).fit(X, y)
    assert not hasattr(with_epochs, "fit_summary_")


def test_a_fit_is_decided_by_random_state():
    model, X, y = problem("classes")
    model.set_params(shuffle=True, random_state=3)
    first = model.fit(X, y).coef_
    np.testing.assert_array_equal(model.fit(sparse.csc_array(X), y).coef_, first)
    assert (model.set_params(random_state=4).fit(X, y).coef_ != first).any()


def test_every_label_has_its_share_in_every_fold():
    labels = np.repeat([2, 0, 1], [7, 50, 25])
    weights = np.arange(len(labels)) != 6
    folds = crossfit.folds_of(labels, weights, 5, np.random.RandomState(0))
    assert np.flatnonzero(folds < 0).tolist() == [6]
    for label, least in ((0, 10), (1, 5), (2, 1)):
        counts = np.bincount(folds[weights & (labels == label)], minlength=5)
        assert counts.min() >= least
        assert counts.max() <= least + 1


def test_names_that_say_nothing_are_learnt_once_and_numbers_often():
    rng = np.random.default_rng(0)
    names = rng.integers(0, 2000, (3000, 10)) + 2000 * np.arange(10)
    indptr = np.arange(0, 30_001, 10)
    X = sparse.csr_array((np.ones(30_000), names.ravel(), indptr), shape=(3000, 20_000))
    model = AdagradClassifier(lr="auto", random_state=0).fit(X, rng.random(3000) < 0.2)
    assert model.best_n_iter_ == 1
    X, y = load_wine(return_X_y=True)
    model = AdagradClassifier(lr="auto", random_state=0, max_iter=40).fit(X[::2], y[::2])
    assert model.best_n_iter_ > 20
    assert log_loss(y[1::2], model.predict_proba(X[1::2])) < 0.2


def test_few_rows_are_not_held_out():
    X, y = np.eye(4), np.array([0, 1, 0, 1])
    model = AdagradClassifier(lr="auto", tol=None, max_iter=3).fit(X, y)
    assert not hasattr(model, "fit_summary_")
    assert model.n_iter_ == 3


def test_what_is_said(capsys):
    model, X, y = problem("classes")
    model.set_params(verbose=1, max_iter=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["Epoch 1", "Epoch 2"]
    assert lines[2] == model.fit_summary_
    model.set_params(max_iter=1).fit(X, y)
    assert model.fit_summary_.endswith("a larger max_iter may be better.")


def test_stop():
    def stops(*losses, least=0):
        stop = crossfit.Stop(least)
        return [stop.now(np.atleast_1d(each)) for each in losses].index(True) + 1

    assert stops(1.0, 0.9, 0.95) == 3  # no learner is as good as it was
    assert stops([1.0, 2.0], [1.1, 1.9], [1.2, 1.8], [1.3, 1.7]) == 3  # the best waited twice
    assert stops(1.0, 0.999, 0.998, 0.9975) == 3  # too little is no improvement
    assert stops(1.0, 1.1, 1.2, 1.3, least=4) == 4
    assert stops(-1.0, -1.1, -1.1001, -1.1002, -1.1003) == 4  # less than 0, as Poisson's can be
    assert stops([-1.0, -0.5], [-0.9, -0.4]) == 2


@pytest.mark.parametrize("rule", ["adagrad", "ftrl", "dual_averaging"])
@pytest.mark.parametrize("learner", range(len(LEARNERS)))
def test_every_learner_goes_on_from_the_mean(learner, rule):
    """Whichever was the best, and whatever the scales of each fold."""
    rng = np.random.default_rng(learner)
    X, score = rows_of(rng)
    y = (score > 0).astype(int)
    parts = [
        AdagradClassifier(lr="auto", rule=rule).partial_fit(X[n::2], y[n::2], classes=[0, 1])
        for n in range(2)
    ]
    bound = parts[0]._bound
    single = unstacked(bound, learner)
    states = [candidate_state(each._state, bound, learner, single) for each in parts]
    state = merged(bound, parts[0]._state, single, states)
    for table in state.tables:
        mean = np.mean([field(single, each, table, "weight") for each in states], axis=0)
        for n in range(len(LEARNERS)):
            state.beside["shares"][:] = np.arange(len(LEARNERS)) == n
            np.testing.assert_allclose(field(bound, state, table, "weight"), mean, rtol=1e-9)


def test_values_beyond_the_scale_of_their_column_do_not_decide():
    """In columns that are divided; rows as they are have no scale to be within."""
    model = AdagradClassifier(lr="auto").partial_fit(np.eye(3), [0, 1, 0], classes=[0, 1])

    def losses(value, **more):
        row = check_rows(model, [[0.0, value, 0.0]], reset=False, inspect=ENGINES["cpu"].inspect)
        part = Problem(row[0], of_columns(np.array([[1.0]])), np.ones(1), value)
        bound = model._bound._replace(mixes=False)
        return model._losses_of(part, model._loss(), bound, model._state, **more)

    by_column = np.array([each for _, each in LEARNERS])
    within, beyond = losses(1.0, clips=True), losses(1e3, clips=True)
    np.testing.assert_array_equal(beyond[by_column], within[by_column])
    assert (beyond != within)[~by_column].all()
    assert (losses(1e3) != losses(1.0)).all()


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_held_out_losses_beyond_all_numbers(lost, monkeypatch):
    """A learner that has them is not chosen; if all have, there is no model."""
    model, X, y = problem("classes")
    judge = AdagradClassifier._losses_of
    monkeypatch.setattr(
        AdagradClassifier,
        "_losses_of",
        lambda *args, **more: np.where(np.arange(4) == 3, judge(*args, **more), lost),
    )
    assert "lr=20 " in model.fit(X, y).fit_summary_
    assert np.isfinite(model.partial_fit(X, y).predict_proba(X)).all()
    before = model.coef_
    monkeypatch.setattr(AdagradClassifier, "_losses_of", lambda *args, **more: np.full(4, lost))
    with pytest.raises(FloatingPointError, match="No epoch has a finite loss of held-out rows"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.coef_, before)
