"""What a search does if nothing is set."""

import numpy as np
import pytest
import sklearn
from common import random_rows
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, train_test_split

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressorCV


def problem(n_classes=3, n_rows=60):
    rng = np.random.default_rng(0)
    return random_rows(rng, n_rows, 9, 0.5), np.arange(n_rows) % n_classes, rng.random(n_rows)


def search_of(**parameters):
    return AdagradClassifierCV(**{"lr": [0.1, 1.0], "cv": 3, "random_state": 0} | parameters)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_judged_by_their_log_loss(n_classes):
    X, y, weights = problem(n_classes)
    for weight in ({}, {"sample_weight": weights}):
        found = search_of().fit(X, y, **weight)
        named = search_of(scoring="neg_log_loss").fit(X, y, **weight)
        for name in ("mean_test_score", "std_test_score", "rank_test_score"):
            np.testing.assert_allclose(found.cv_results_[name], named.cv_results_[name])
        wanted = -log_loss(y, found.predict_proba(X), **weight)
        assert found.score(X, y, **weight) == pytest.approx(wanted)
        accuracy = accuracy_score(y, found.predict(X), **weight)
        assert found.best_estimator_.score(X, y, **weight) == accuracy


def test_classes_without_probabilities_by_their_accuracy():
    X, y, _ = problem()
    found = search_of(loss="hinge").fit(X, y)
    assert found.score(X, y) == accuracy_score(y, found.predict(X))


def test_numbers_by_r2():
    X, y, _ = problem()
    found = AdagradRegressorCV(lr=[0.1, 1.0], random_state=0).fit(X, y)
    assert found.score(X, y) == found.best_estimator_.score(X, y)


@pytest.mark.parametrize("kind", [np.asarray, np.ndarray.tolist, csr_array])
def test_labels_by_the_mean_of_theirs(kind):
    X, y, weights = problem()
    dense = np.stack([y == 0, y == 1, y > 0], axis=1).astype(int)
    y = kind(dense)
    found = search_of().fit(X, y, sample_weight=weights)
    chances = found.predict_proba(X)
    losses = [
        log_loss(column, chance, sample_weight=weights, labels=[0, 1])
        for column, chance in zip(dense.T, chances.T, strict=True)
    ]
    assert found.score(X, y, sample_weight=weights) == pytest.approx(-np.mean(losses))
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


@pytest.mark.filterwarnings("ignore:The least populated class in y:UserWarning")
@pytest.mark.parametrize("cv", [3, KFold(3)])
def test_a_class_of_one_row(cv):
    """No row of training has it in one fold, and none of the rows to judge in the others."""
    X, y, _ = problem(2)
    y[-1] = 7
    found = search_of(cv=cv, lr=[0.1]).fit(X, y)
    splitter = cv if isinstance(cv, KFold) else StratifiedKFold(cv)
    for n, (train, test) in enumerate(splitter.split(X, y)):
        model = clone(found.estimator).set_params(lr=0.1).fit(X[train], y[train])
        chances = dict(zip(model.classes_, model.predict_proba(X[test]).T, strict=True))
        of_truth = [
            chances[label][i] if label in chances else 0.0 for i, label in enumerate(y[test])
        ]
        wanted = np.mean(np.log(np.maximum(of_truth, np.finfo(float).eps)))
        assert found.cv_results_[f"split{n}_test_score"] == pytest.approx([wanted])


@pytest.mark.parametrize(
    ("fitted_to", "judged_by", "message"),
    [
        ([0, 1], lambda y: y.astype(str), "Mix of label input types"),
        ([0, 1], lambda y: np.stack([y, 1 - y], axis=1), "one class for each row"),
        ([0, 1, 2], lambda y: np.array(["a", "b", "c"])[y], "Mix of label input types"),
        (None, lambda y: y[:, 0], "y has shape .*the model has 2 labels"),
        (None, lambda y: np.stack([y[:, 0]] * 3, axis=1), "y has shape .*the model has 2 labels"),
        (None, lambda y: y + 1, "must be 0 or 1"),
        ([0, 1], lambda y: None, "y is\n?.*None"),
    ],
)
def test_targets_of_another_kind_are_refused(fitted_to, judged_by, message):
    X, y, _ = problem(len(fitted_to or [0, 1]))
    y = y if fitted_to else np.stack([y, 1 - y], axis=1)
    found = search_of().fit(X, y)
    with pytest.raises(ValueError, match=message):
        found.score(X, judged_by(y))


def test_in_a_stream():
    X, y, weights = problem()
    found = search_of().partial_fit(X, y, classes=[0, 1, 2])
    wanted = -log_loss(y, found.predict_proba(X), sample_weight=weights)
    assert found.score(X, y, sample_weight=weights) == pytest.approx(wanted)


def test_weights_are_routed_to_it():
    X, y, weights = problem()
    with sklearn.config_context(enable_metadata_routing=True):
        found = search_of().set_fit_request(sample_weight=True).fit(X, y, sample_weight=weights)
        plain = AdagradClassifier(lr=0.1, max_iter=20, tol=None, random_state=0)
        plain.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scorer = sklearn.metrics.get_scorer("neg_log_loss").set_score_request(sample_weight=True)
        grid = GridSearchCV(plain, {"lr": [0.1, 1.0]}, cv=3, scoring=scorer)
        grid.fit(X, y, sample_weight=weights)
        score = found.score(X, y, sample_weight=weights)
        assert score == pytest.approx(grid.score(X, y, sample_weight=weights))
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_allclose(found.cv_results_[name], grid.cv_results_[name])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_no_worse_than_one_model(load):
    X, y = load(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=1, stratify=y)
    plain = AdagradClassifier(lr=0.1, random_state=0).fit(X, y)
    search = AdagradClassifierCV(random_state=0).fit(X, y)
    losses = [log_loss(y_test, each.predict_proba(X_test)) for each in (search, plain)]
    assert losses[0] < losses[1] + 0.02
    assert search.best_estimator_.score(X_test, y_test) > plain.score(X_test, y_test) - 0.01
