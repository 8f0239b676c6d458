"""scikit-learn's callbacks see every epoch, may stop training, and change nothing."""

import numpy as np
import pytest
from common import ROWS, all_bits, bits, every_estimator, random_rows, small_data, stream
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV

from sklearn_adagrad import AdagradClassifier, AdagradRegressor

SETTINGS = {"lr": 0.1, "max_iter": 6, "tol": None, "random_state": 0}


class Witness:
    """Notes every call; may stop training or break it after an epoch."""

    def __init__(self, stop_after=None, break_after=None):
        self.stop_after, self.break_after = stop_after, break_after
        self.calls, self.epochs, self.models = [], 0, []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append(f"begin {context.task_name}")
        self.begun_with = X, y, metadata

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.calls.append(f"end {context.task_name}")
        self.models.append(fitted_estimator)
        if context.task_name == "epoch":
            self.epochs += 1
            if self.epochs == self.break_after:
                raise RuntimeError("enough")
            return self.epochs == self.stop_after
        return None


@every_estimator
def test_every_epoch_is_told(estimator):
    X, y = small_data()
    witness, weights = Witness(), np.arange(ROWS) / 2
    estimator(**SETTINGS).set_callbacks(witness).fit(X, y, sample_weight=weights)
    epoch = ["begin epoch", "end epoch"]
    assert witness.calls == ["setup", "begin fit", *epoch * 6, "end fit", "teardown"]
    assert witness.begun_with[0] is X
    assert witness.begun_with[1] is y
    assert witness.begun_with[2]["sample_weight"] is weights


@every_estimator
@pytest.mark.parametrize("early_stopping", [False, True])
def test_watching_changes_nothing(estimator, early_stopping):
    X, y = small_data()
    settings = {**SETTINGS, "early_stopping": early_stopping, "validation_fraction": 0.3}
    plain, monitor = estimator(**settings).fit(X, y), ScoringMonitor(scoring="r2")
    watched = estimator(**settings).set_callbacks(Witness(), monitor).fit(X, y)
    assert bits(watched) == bits(plain)
    assert watched.loss_curve_ == plain.loss_curve_


@every_estimator
def test_fitted_estimator_is_the_model_as_if_training_had_stopped(estimator):
    X, y = small_data()
    witness = Witness()
    model = estimator(**SETTINGS).set_callbacks(witness).fit(X, y)
    assert len(witness.models) == 7
    for epoch, seen in enumerate(witness.models[:-1], 1):
        stopped = estimator(**SETTINGS | {"max_iter": epoch}).fit(X, y)
        assert bits(seen) == bits(stopped)
        np.testing.assert_array_equal(seen.predict(X), stopped.predict(X))
        assert seen.score(X, y) == stopped.score(X, y)
        assert seen.t_ == ROWS * epoch
    assert bits(witness.models[-1]) == bits(model)
    stream(witness.models[-1], X, y)  # a copy, that may be trained on
    assert model.t_ == 6 * ROWS


def test_last_model_told_of_is_the_one_kept_by_early_stopping():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 40), rng.integers(0, 2, 40)
    witness = Witness()
    model = AdagradClassifier(early_stopping=True, lr=1.0, max_iter=20, tol=None, random_state=0)
    model.set_callbacks(witness).fit(X, y)
    assert model.best_n_iter_ < 20
    assert bits(witness.models[-1]) == bits(model)
    assert bits(witness.models[-2]) != bits(model)


@every_estimator
def test_callback_may_stop_training(estimator):
    """And there is no warning then."""
    X, y = small_data()
    witness = Witness(stop_after=3)
    model = estimator(lr=0.1, max_iter=6, tol=1e-9, random_state=0).set_callbacks(witness).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == witness.epochs == 3
    assert witness.calls[-2:] == ["end fit", "teardown"]
    assert bits(model) == bits(estimator(**SETTINGS | {"max_iter": 3}).fit(X, y))


@every_estimator
@pytest.mark.parametrize("trained", [False, True])
def test_broken_callback_leaves_the_model_as_it_was(estimator, trained):
    X, y = small_data()
    model = estimator(**SETTINGS)
    if trained:
        model.fit(X, y)
    witness = Witness(break_after=2)
    model.set_callbacks(witness)
    before = all_bits(model)
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X[:10], y[:10])
    assert witness.calls[-1] == "teardown"
    assert all_bits(model) == before


@every_estimator
def test_callbacks_are_torn_down_after_divergence(estimator):
    X, y = small_data()
    witness = Witness()
    model = estimator(**SETTINGS).set_callbacks(witness)
    before = all_bits(model)
    with pytest.raises(FloatingPointError):
        model.fit(X * 1e200, y)
    assert witness.calls == ["setup", "begin fit", "begin epoch", "teardown"]
    assert all_bits(model) == before


@every_estimator
def test_partial_fit_tells_nobody(estimator):
    witness = Witness()
    stream(estimator(lr=0.1).set_callbacks(witness), *small_data())
    assert witness.calls == []


@pytest.mark.parametrize("weighted", [False, True])
def test_scoring_monitor(weighted):
    X, y = small_data()
    weights = np.arange(ROWS) / 2 if weighted else None
    monitor = ScoringMonitor(scoring="accuracy")
    model = AdagradClassifier(**SETTINGS).set_callbacks(monitor).fit(X, y, sample_weight=weights)
    log = [entry for entry in monitor.get_logs().data if entry["task_name"] == "epoch"]
    assert len(log) == 6
    wanted = accuracy_score(y, model.predict(X), sample_weight=weights)
    assert log[-1]["accuracy"] == wanted


def test_scoring_monitor_in_a_search():
    X, y = small_data()
    monitor = ScoringMonitor(scoring="r2")
    model = AdagradRegressor(**SETTINGS).set_callbacks(monitor)
    GridSearchCV(model, {"lr": [0.1, 0.3]}, cv=2).fit(X, y)
    epochs = [each for each in monitor.get_logs("all") for each in each.data]
    assert len([each for each in epochs if each["task_name"] == "epoch"]) == 6 * (2 * 2 + 1)


def test_progress_bar(capsys):
    pytest.importorskip("rich", reason="scikit-learn's progress bar is drawn by rich")
    X, y = small_data()
    plain = AdagradClassifier(**SETTINGS).fit(X, y)
    model = AdagradClassifier(**SETTINGS).set_callbacks(ProgressBar()).fit(X, y)
    assert bits(model) == bits(plain)
    assert "AdagradClassifier" in capsys.readouterr().out
