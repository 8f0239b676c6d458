"""Negative rows that were sampled down: predictions are for rows before sampling."""

import numpy as np
import pytest
from common import assert_refused, bits, every_dtype, random_rows, small_data, stream, untrained
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV

READ = ("decision_function", "predict", "predict_proba", "predict_log_proba")


@every_dtype
@settings(max_examples=30, deadline=None)
@given(kept=st.floats(1e-6, 1.0), seed=st.integers(0, 2**32 - 1))
def test_the_identity(dtype, kept, seed):
    rng = np.random.default_rng(seed)
    X, y = random_rows(rng, 40, 10, dtype=dtype), rng.permutation(np.arange(40) % 2)
    sampled = stream(AdagradClassifier(lr=1.0), X, y)
    model = stream(AdagradClassifier(lr=1.0, negatives_kept=kept), X, y)
    assert bits(model) == bits(sampled)
    assert model.progressive_loss_ == sampled.progressive_loss_
    p = sampled.predict_proba(X)[:, 1]
    wanted = p / (p + (1.0 - p) / kept)
    found = model.predict_proba(X)
    np.testing.assert_allclose(found[:, 1], wanted, rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), found, rtol=1e-12)
    scores = model.decision_function(X)
    np.testing.assert_allclose(scores, sampled.decision_function(X) + np.log(kept), rtol=1e-14)
    np.testing.assert_array_equal(model.predict(X), (scores > 0).astype(int))
    assert model.score(X, model.predict(X)) == 1.0


def clicks(rng, n_rows, chances):
    """One-hot rows whose labels are 1 with the chance of their feature, and one in ten of the 0."""
    feature = rng.integers(0, len(chances), n_rows)
    y = (rng.random(n_rows) < chances[feature]).astype(int)
    keep = (y == 1) | (rng.random(n_rows) < 0.1)
    return np.eye(len(chances))[feature[keep]], y[keep]


def test_probabilities_are_those_before_sampling():
    """The truth, by which the rows were drawn; and what Bayes makes of it in the sample."""
    chances = np.array([0.01, 0.03, 0.1, 0.3])
    X, y = clicks(np.random.default_rng(0), 200_000, chances)
    settings_ = {"lr": 1.0, "fit_intercept": False, "random_state": 0, "tol": 1e-6}
    model = AdagradClassifier(negatives_kept=0.1, **settings_).fit(X, y)
    each = np.eye(4)
    np.testing.assert_allclose(model.predict_proba(each)[:, 1], chances, rtol=0.15)
    by_bayes = chances / (chances + 0.1 * (1.0 - chances))
    sampled = model.set_params(negatives_kept=1.0).predict_proba(each)[:, 1]
    np.testing.assert_allclose(sampled, by_bayes, rtol=0.15)


def test_exactly_where_the_sample_is_exact():
    """Counts as weights of rows: no chance is in it."""
    chances, counts, kept = np.array([0.002, 0.05, 0.4]), 1e4, 0.02
    X, y = np.tile(np.eye(3), (2, 1)), np.repeat([0, 1], 3)
    weights = np.append(kept * counts * (1.0 - chances), counts * chances) / counts
    model = AdagradClassifier(
        lr=1.0, negatives_kept=kept, fit_intercept=False, max_iter=3000, tol=None, random_state=0
    ).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.predict_proba(np.eye(3))[:, 1], chances, rtol=1e-2)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"loss": "hinge", "negatives_kept": 0.5}, "loss='log_loss', but loss='hinge'.* of 2"),
        ({"loss": "modified_huber", "negatives_kept": 0.5}, "needs loss='log_loss'"),
        ({"negatives_kept": 0.0}, r"negatives_kept.*\(0.0, 1.0\]"),
        ({"negatives_kept": 1.5}, r"negatives_kept.*\(0.0, 1.0\]"),
        ({"negatives_kept": "0.5"}, "negatives_kept"),
    ],
)
def test_what_it_is_not_for(method, parameters, message):
    X, y = small_data()
    assert_refused(untrained(AdagradClassifier, **parameters), method, message, X, y)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_two_classes_only(multi_class):
    X, _ = small_data()
    y = np.arange(20) % 3
    model = untrained(AdagradClassifier, negatives_kept=0.5, multi_class=multi_class)
    message = "negatives_kept=0.5 needs two classes, but y has 3 classes"
    assert_refused(model, "fit", message, X, y)
    assert_refused(model, "partial_fit", message, X, y, classes=[0, 1, 2])
    labels = np.eye(3, dtype=int)[y]
    assert_refused(model, "fit", "but y has 3 labels", X, labels)
    assert_refused(model, "fit", "but y has 2 labels", X, labels[:, :2])
    model.set_params(negatives_kept=1.0).fit(X, y).set_params(negatives_kept=0.5)
    for read in READ:
        with pytest.raises(ValueError, match=message):
            getattr(model, read)(X)


def test_searches_judge_by_the_rows_as_they_are():
    rng = np.random.default_rng(0)
    X, y = clicks(rng, 4000, np.array([0.05, 0.2, 0.5]))

    def search_of(**parameters):
        return AdagradClassifierCV(lr=[0.01, 0.1], cv=2, max_iter=2, random_state=0, **parameters)

    plain, search = search_of().fit(X, y), search_of(negatives_kept=0.1).fit(X, y)
    for name in ("mean_test_score", "split1_test_score"):
        np.testing.assert_array_equal(search.cv_results_[name], plain.cv_results_[name])
    assert search.best_estimator_.negatives_kept == 0.1
    streams = [
        search_of(negatives_kept=kept).partial_fit(X, y, classes=[0, 1]) for kept in (1.0, 0.1)
    ]
    assert streams[0].best_score_ == streams[1].best_score_
    for one, other in ((plain, search), streams):
        lower = one.decision_function(X) + np.log(0.1)
        np.testing.assert_allclose(other.decision_function(X), lower, rtol=1e-12)
        np.testing.assert_array_equal(other.predict(X), lower > 0)
        assert other.score(X, y) < one.score(X, y)
    with pytest.raises(ValueError, match=r"negatives_kept=0\.1 needs loss='log_loss'"):
        AdagradClassifierCV("hinge", negatives_kept=0.1).fit(X, y)
