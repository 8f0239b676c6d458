"""``fit``: how many epochs, in which order, judged by what, and which weights are kept."""

import re

import numpy as np
import pytest
from common import (
    bits,
    every_estimator,
    every_loss,
    loss_object,
    random_rows,
    random_targets,
    stream,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import compute_sample_weight

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.estimators.training import train
from sklearn_adagrad.model.guard import Guard
from sklearn_adagrad.model.state import State

NO_END = {"tol": None}


def data(estimator, n_rows=200, seed=0, n_classes=2):
    """Rows whose targets can be learnt, with some noise."""
    rng = np.random.default_rng(seed)
    X = random_rows(rng, n_rows, 20, 0.4)
    scores = X @ np.random.default_rng(99).standard_normal((20, n_classes))
    scores += 0.5 * rng.standard_normal(scores.shape)
    return X, scores.argmax(axis=1) if estimator is AdagradClassifier else scores[:, 0]


def mean_loss(model, X, y, weights=None):
    """The weighted mean loss of ``model``, by hand."""
    loss, scores = loss_object(type(model), model.loss), model._scores(X)
    if isinstance(model, AdagradClassifier):
        classes = model.classes_[1:] if len(model.classes_) == 2 else model.classes_
        targets = [np.where(y == label, 1.0, -1.0) for label in classes]
    else:
        targets = [y]
    return sum(
        np.average([loss.value(*pair) for pair in zip(target, score, strict=True)], weights=weights)
        for target, score in zip(targets, scores.T, strict=True)
    )


# --- when to stop -------------------------------------------------------------------------------


def stops_at(curve, tol, patience):
    """The epoch after which ``patience`` epochs in a row failed to improve the best by ``tol``."""
    best, failed = np.inf, 0
    for epoch, loss in enumerate(curve, 1):
        failed = failed + 1 if loss > best - tol else 0
        best = min(best, loss)
        if failed == patience:
            return epoch
    return None


@every_estimator
@pytest.mark.parametrize("tol", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("patience", [1, 2, 5])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_stops_when_the_loss_no_longer_improves(estimator, tol, patience, early_stopping):
    X, y = data(estimator)
    settings = {"lr": 0.3, "early_stopping": early_stopping, "random_state": 0}
    judged = "validation_loss_curve_" if early_stopping else "loss_curve_"
    endless = estimator(**settings, tol=None, max_iter=400).fit(X, y)
    model = estimator(**settings, tol=tol, n_iter_no_change=patience, max_iter=400).fit(X, y)
    wanted = stops_at(getattr(endless, judged), tol, patience)
    assert model.n_iter_ == wanted
    assert getattr(model, judged) == getattr(endless, judged)[:wanted]
    assert len(model.loss_curve_) == wanted
    assert endless.n_iter_ == 400


class Silent:
    """A monitor that says nothing."""

    def begin(self, max_iter): ...
    def begin_epoch(self): ...
    def end_epoch(self, task, line, state): ...
    def end(self, state): ...


def epochs_of(curve, validation=None, **parameters):
    """The outcome of epochs with these losses."""
    totals = np.zeros(1, [("t", int), ("weight", float), ("epoch_weight", float)])
    losses, judged = iter(curve), iter(validation or ())

    def learn(problem, order, state):
        state.totals["t"] += 1
        state.losses[1], state.totals["epoch_weight"] = next(losses), 1.0

    return train(
        learn, lambda problem, state: next(judged), None, np.arange(1), validation,
        State({}, totals, np.zeros((2, 1)), {}, Guard()), Silent(),
        max_iter=len(curve), random_state=None, **parameters,
    )  # fmt: skip


def test_improvement_by_exactly_tol_is_enough():
    outcome = epochs_of([4.0, 3.5, 3.0, 2.75, 2.5], tol=0.5, n_iter_no_change=1)
    assert outcome.loss_curve == [4.0, 3.5, 3.0, 2.75]
    assert outcome.converged


def test_first_of_equally_good_epochs_is_kept():
    outcome = epochs_of([1.0] * 4, [2.0, 1.0, 1.0, 3.0], tol=None, n_iter_no_change=1)
    assert outcome.best_epoch == outcome.state.t == 2


@every_estimator
def test_max_iter_is_said_when_it_cuts_training_short(estimator):
    X, y = data(estimator)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 .*tol=1e-05.*lr"):
        model = estimator(lr=0.1, max_iter=3, tol=1e-5, random_state=0).fit(X, y)
    assert model.n_iter_ == 3
    # Nothing to say where the number of epochs was what was asked for; warnings are errors here.
    assert estimator(lr=0.1, max_iter=3, tol=None, random_state=0).fit(X, y).n_iter_ == 3
    # Nor where patience ends in the last epoch.
    ends = estimator(lr=0.1, max_iter=400, tol=1e-3, random_state=0).fit(X, y).n_iter_
    assert estimator(lr=0.1, max_iter=ends, tol=1e-3, random_state=0).fit(X, y).n_iter_ == ends
    with pytest.warns(ConvergenceWarning):
        estimator(lr=0.1, max_iter=ends - 1, tol=1e-3, random_state=0).fit(X, y)


# --- early stopping -----------------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("n_classes", [2, 3])
def test_best_epoch_is_kept(estimator, n_classes):
    """Reproduced by hand: one partial_fit per epoch, and the loss of the other rows after each."""
    X, y = data(estimator, 24, n_classes=n_classes)  # few enough to learn by heart
    y[::3] = y[::3][::-1]  # and partly wrong
    X_val, y_val = data(estimator, 200, seed=1, n_classes=n_classes)
    weights, weights_val = np.arange(24) % 3 + 0.5, np.arange(200) % 4 * 1.0
    model = estimator(lr=1.0, early_stopping=True, shuffle=False, max_iter=30, tol=None)
    model.fit(X, y, weights, X_val=X_val, y_val=y_val, sample_weight_val=weights_val)
    by_hand, losses, states = estimator(lr=1.0), [], []
    for _ in range(model.n_iter_):
        stream(by_hand, X, y, sample_weight=weights, classes=range(n_classes))
        losses.append(mean_loss(by_hand, X_val, y_val, weights_val))
        states.append(bits(by_hand)[0][0])
    np.testing.assert_allclose(model.validation_loss_curve_, losses, rtol=1e-10)
    best = int(np.argmin(model.validation_loss_curve_))
    assert model.best_n_iter_ == best + 1 < model.n_iter_ == 30  # else this would show nothing
    assert bits(model)[0][0] == states[best] != states[-1]
    assert model.t_ == 24 * model.best_n_iter_


@every_estimator
@pytest.mark.parametrize("fraction", [0.1, 0.25])
def test_rows_held_out_are_not_learnt(estimator, fraction):
    """The split is scikit-learn's, stratified by class, of the rows whose weight is not zero."""
    X, y = data(estimator, 80)
    weights = np.where(np.arange(80) % 5 == 0, 0.0, np.arange(80) % 3 + 1.0)
    usable = np.flatnonzero(weights)
    kind = StratifiedShuffleSplit if estimator is AdagradClassifier else ShuffleSplit
    splitter = kind(n_splits=1, test_size=fraction, random_state=3)
    learnt, judged = (usable[each] for each in next(splitter.split(usable, y[usable])))
    learnt = np.sort(learnt)  # not shuffled: in the order of X
    model = estimator(lr=0.1, early_stopping=True, validation_fraction=fraction, random_state=3)
    model.set_params(shuffle=False, max_iter=5, tol=None).fit(X, y, weights)
    by_hand = estimator(lr=0.1, early_stopping=True, shuffle=False, max_iter=5, tol=None)
    by_hand.fit(
        X[learnt],
        y[learnt],
        weights[learnt],
        X_val=X[judged],
        y_val=y[judged],
        sample_weight_val=weights[judged],
    )
    assert bits(model)[0][0] == bits(by_hand)[0][0]
    assert model.validation_loss_curve_ == by_hand.validation_loss_curve_
    assert model.t_ == len(learnt) * model.best_n_iter_


def test_early_stopping_finds_what_generalises():
    """Pure noise in many columns: the longer one trains, the worse."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 200))
    y = (X[:, 0] + 2.0 * rng.standard_normal(400) > 0).astype(int)
    settings = {"lr": 0.3, "random_state": 0, "max_iter": 50, "tol": None}
    stopped = AdagradClassifier(early_stopping=True, **settings).fit(X[:200], y[:200])
    not_stopped = AdagradClassifier(**settings).fit(X[:200], y[:200])
    losses = [log_loss(y[200:], each.predict_proba(X[200:])) for each in (stopped, not_stopped)]
    assert losses[0] < 0.9 * losses[1]


@every_estimator
def test_validation_row_of_weight_zero_may_hold_anything(estimator):
    """Its loss is infinite here, and zero times that is not a number."""
    X, y = data(estimator, 40)
    X_val, y_val = data(estimator, 20, seed=1)
    X_val, weights = X_val.toarray(), np.where(np.arange(20) == 3, 0.0, 1.0)
    X_val[3] = 1e200
    loss = "squared_hinge" if estimator is AdagradClassifier else "squared_error"
    curves = []
    for kept in (weights >= 0, weights > 0):
        model = estimator(loss, lr=0.1, early_stopping=True, max_iter=3, tol=None, random_state=0)
        model.fit(X, y, X_val=X_val[kept], y_val=y_val[kept], sample_weight_val=weights[kept])
        curves.append(model.validation_loss_curve_)
    assert curves[0] == curves[1]
    assert np.isfinite(curves[0]).all()


@every_estimator
def test_curves_of_validation_only_with_early_stopping(estimator):
    X, y = data(estimator)
    model = estimator(lr=0.1, max_iter=2, **NO_END).fit(X, y)
    assert not hasattr(model, "validation_loss_curve_")
    assert not hasattr(model, "best_n_iter_")
    stopping = estimator(lr=0.1, max_iter=2, early_stopping=True, **NO_END).fit(X, y)
    assert len(stopping.validation_loss_curve_) == 2
    stopping.set_params(early_stopping=False).fit(X, y)
    assert not hasattr(stopping, "validation_loss_curve_")
    assert not hasattr(stopping, "best_n_iter_")


# --- what is reported ---------------------------------------------------------------------------


@every_loss
def test_progressive_loss_is_that_of_each_row_before_it_was_learnt(estimator, loss):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 30), random_targets(rng, estimator, loss, 30)
    weights = np.arange(30) % 3 * 1.0
    model = estimator(loss, lr=0.1)
    total = 0.0
    for i in range(30):
        row = slice(i, i + 1)
        before = (
            model if i else stream(estimator(loss, lr=0.1), X[:1], y[:1], sample_weight=np.zeros(1))
        )
        total += weights[i] * mean_loss(before, X[row], y[row])
        stream(model, X[row], y[row], sample_weight=weights[row])
        if weights[: i + 1].any():
            mean = total / weights[: i + 1].sum()
            np.testing.assert_allclose(model.progressive_loss_, mean, rtol=1e-9)
    assert model.t_ == 20


@every_estimator
def test_loss_curve_is_per_epoch_and_progressive_loss_of_the_first(estimator):
    X, y = data(estimator)
    model = estimator(lr=0.1, max_iter=7, random_state=0, **NO_END).fit(X, y)
    np.testing.assert_allclose(model.progressive_loss_, model.loss_curve_[0], rtol=1e-12)
    assert model.t_ == 7 * 200
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    final = mean_loss(model, X, y)
    assert final < model.loss_curve_[-1] * 1.05


@every_estimator
@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose(estimator, early_stopping, capsys):
    X, y = data(estimator)
    model = estimator(lr=0.1, early_stopping=early_stopping, max_iter=3, random_state=0, **NO_END)
    model.fit(X, y)
    assert capsys.readouterr().out == ""
    model.set_params(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for epoch, line in enumerate(lines, 1):
        assert line.startswith(f"Epoch {epoch}: loss {model.loss_curve_[epoch - 1]:.6g}")
        assert ("validation loss" in line) == early_stopping
    stream(model, X, y)
    assert capsys.readouterr().out == ""


# --- shuffling ----------------------------------------------------------------------------------


@every_estimator
def test_every_epoch_has_its_own_order(estimator):
    """Reproduced by hand with the same generator; and every row is visited once."""
    X, y = data(estimator, 50)
    model = estimator(lr=0.1, max_iter=3, random_state=5, **NO_END).fit(X, y)
    generator, order, by_hand = np.random.RandomState(5), np.arange(50), estimator(lr=0.1)
    for _ in range(3):
        order = generator.permutation(order)
        stream(by_hand, X[order], y[order])
    assert bits(model)[0][0] == bits(by_hand)[0][0]


# --- class weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.25}, {1: 0.0}])
@pytest.mark.parametrize("given", [False, True], ids=["no weights", "weights"])
def test_class_weight_is_a_sample_weight(n_classes, class_weight, given):
    X, y = data(AdagradClassifier, n_classes=n_classes)
    y = np.where(np.arange(200) % 7 == 0, y, 0)  # uneven, so that it matters
    weights = np.arange(200) % 4 + 0.5 if given else np.ones(200)
    settings = {"lr": 0.1, "max_iter": 3, "random_state": 0, **NO_END}
    model = AdagradClassifier(class_weight=class_weight, **settings)
    model.fit(X, y, sample_weight=weights if given else None)
    if class_weight == "balanced":  # by total weight, where scikit-learn counts rows
        mass = np.bincount(y, weights)
        factors = (weights.sum() / (n_classes * mass))[y]
        if not given:
            np.testing.assert_allclose(factors, compute_sample_weight("balanced", y))
    else:
        factors = compute_sample_weight(class_weight, y)
    other = AdagradClassifier(**settings).fit(X, y, sample_weight=weights * factors)
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-9, atol=1e-12)
    plain = AdagradClassifier(**settings).fit(X, y, sample_weight=weights)
    assert not np.allclose(model.coef_, plain.coef_, rtol=1e-3)
    if class_weight != "balanced":
        model.partial_fit(X, y, sample_weight=weights)
        other.partial_fit(X, y, sample_weight=weights * factors)
        assert bits(model)[0][0] == bits(other)[0][0]


def test_balanced_where_the_weights_leave_a_class_out():
    X, y = data(AdagradClassifier, n_classes=3)
    weights = np.where(y == 2, 0.0, 1.0 + y)
    settings = {"lr": 0.1, "max_iter": 2, "random_state": 0, **NO_END}
    model = AdagradClassifier(class_weight="balanced", **settings).fit(X, y, weights)
    factors = weights.sum() / (3.0 * np.maximum(np.bincount(y, weights), 1.0))
    other = AdagradClassifier(**settings).fit(X, y, weights * factors[y])
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_balanced_stream_goes_by_the_counts_so_far(n_classes):
    """Row by row, by hand: the weight so far over that of the row's class so far."""
    X, y = data(AdagradClassifier, 60, n_classes=n_classes)
    given = np.arange(60) % 3 * 0.75  # zeros too
    mass, weights = np.zeros(n_classes), np.zeros(60)
    for i, label in enumerate(y):
        mass[label] += given[i]
        if given[i]:
            weights[i] = given[i] * mass.sum() / (n_classes * mass[label])
    classes = range(n_classes)
    by_hand = stream(AdagradClassifier(lr=0.1), X, y, sample_weight=weights, classes=classes)
    model = AdagradClassifier(lr=0.1, class_weight="balanced")
    stream(model, X, y, [slice(0, 7), slice(7, 60)], sample_weight=given, classes=classes)
    np.testing.assert_allclose(model.coef_, by_hand.coef_, rtol=1e-9, atol=1e-12)
    assert model.t_ == by_hand.t_ == 40


def test_balanced_continues_the_counts_of_fit():
    X, y = data(AdagradClassifier)
    y = np.where(np.arange(200) % 5 == 0, y, 0)
    settings = {"lr": 0.1, "class_weight": "balanced", "max_iter": 1, "random_state": 0, **NO_END}
    model = AdagradClassifier(**settings).fit(X, y)
    counts = np.bincount(y)
    heads, row = model.coef_.copy(), np.flatnonzero(y)[:1]
    model.partial_fit(X[row], y[row])
    counts[1] += 1
    weight = counts.sum() / (2 * counts[1])
    other = AdagradClassifier(**settings).fit(X, y)
    other.set_params(class_weight=None).partial_fit(X[row], y[row], sample_weight=[weight])
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-12)
    assert not np.array_equal(model.coef_, heads)


# --- does it learn ------------------------------------------------------------------------------


@every_loss
def test_every_loss_learns(estimator, loss):
    """Far better than knowing nothing, on rows that were not learnt."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 600, 20, 0.5)
    scores = X @ rng.standard_normal(20)
    settings = {"lr": 0.1, "max_iter": 40, "random_state": 0, **NO_END}
    if estimator is AdagradClassifier:
        y = (scores > 0).astype(int)
        model = estimator(loss, **settings).fit(X[:400], y[:400])
        assert model.score(X[400:], y[400:]) > 0.92
    else:
        with_link = hasattr(loss_object(estimator, loss), "prediction")
        y = np.exp(scores / 5) if with_link else scores
        model = estimator(loss, **settings).fit(X[:400], y[:400])
        assert model.score(X[400:], y[400:]) > 0.95


def test_scores_are_scikit_learns():
    X, y = data(AdagradClassifier)
    model = AdagradClassifier(lr=0.1, max_iter=5, random_state=0, **NO_END).fit(X, y)
    np.testing.assert_allclose(mean_loss(model, X, y), log_loss(y, model.predict_proba(X)))
    X, y = data(AdagradRegressor)
    model = AdagradRegressor(lr=0.1, max_iter=5, random_state=0, **NO_END).fit(X, y)
    np.testing.assert_allclose(mean_loss(model, X, y), mean_squared_error(y, model.predict(X)) / 2)


def test_numbers_in_the_warning_are_those_of_the_model():
    X, y = data(AdagradRegressor)
    with pytest.warns(ConvergenceWarning) as caught:
        AdagradRegressor(lr=0.1, max_iter=2, tol=1e-7).fit(X, y)
    numbers = re.findall(r"\w+=[-\w]+", str(caught[0].message))
    assert numbers == ["max_iter=2", "tol=1e-07", "tol=None"]
    assert caught[0].filename == __file__  # points at the call of fit
