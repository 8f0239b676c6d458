"""Models as estimators of scikit-learn: the same predictions."""

import pickle

import numpy as np
import pytest
from common import (
    LOSSES,
    every_dtype,
    every_loss,
    random_rows,
    random_targets,
    run_python,
    small_data,
    trained,
    untrained,
)
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor, losses
from sklearn_adagrad.export import to_sklearn

METHODS = ("predict", "decision_function", "predict_proba")


def example(estimator, loss, n_outputs, dtype=np.float64, labels=False):
    """A fitted model of classes, of labels or of targets, and rows."""
    rng = np.random.default_rng(n_outputs)
    X = random_rows(rng, 60, 7, dtype=dtype)
    if estimator is AdagradClassifier and not labels:
        n_classes = max(2, n_outputs)
        y = np.array(["ann", "bob", "cem"])[random_targets(rng, estimator, loss, 60, n_classes)]
    else:
        y = np.stack([random_targets(rng, estimator, loss, 60) for _ in range(n_outputs)], axis=1)
        y = y if n_outputs > 1 else y[:, 0]
    return untrained(estimator, loss=loss).fit(X, y), X


EXAMPLES = [(*each, n_outputs, False) for each in LOSSES for n_outputs in (1, 3)]
EXAMPLES += [(*each, 3, True) for each in LOSSES if each[0] is AdagradClassifier]
every_example = pytest.mark.parametrize(
    ("estimator", "loss", "n_outputs", "labels"),
    EXAMPLES,
    ids=[f"{loss}-{n}{'-labels' * labels}" for _, loss, n, labels in EXAMPLES],
)


def assert_same(plain, model, X):
    for method in METHODS:
        assert hasattr(plain, method) == hasattr(model, method), method
        if hasattr(model, method):
            ours, theirs = getattr(model, method)(X), getattr(plain, method)(X)
            assert theirs.shape == ours.shape
            if ours.dtype.kind != "f":
                np.testing.assert_array_equal(theirs, ours)
            else:
                tolerance = 1e-12 if X.dtype == np.float64 else 1e-5
                np.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance)


@every_dtype
@every_example
def test_plain_models_predict_the_same(estimator, loss, n_outputs, labels, dtype):
    model, X = example(estimator, loss, n_outputs, dtype, labels)
    plain = to_sklearn(model)
    check_is_fitted(plain)
    assert_same(plain, model, X)
    assert_same(pickle.loads(pickle.dumps(plain)), model, X.toarray())
    with pytest.raises(NotFittedError):
        check_is_fitted(clone(plain))


@every_dtype
@every_loss
def test_weights_are_copies_of_the_same_dtype(estimator, loss, dtype):
    model, _ = example(estimator, loss, 1, dtype)
    plain, before = to_sklearn(model), model.coef_.copy()
    assert plain.coef_.dtype == plain.intercept_.dtype == dtype
    plain.coef_ += 7.0
    np.testing.assert_array_equal(model.coef_, before)


def test_which_estimators():
    X, y = small_data()
    three = np.arange(len(y)) % 3

    def of(model, y):
        return to_sklearn(model.fit(X, y))

    assert isinstance(of(untrained(AdagradClassifier), y), LogisticRegression)
    joint = untrained(AdagradClassifier, multi_class="multinomial")
    assert isinstance(of(joint, three), LogisticRegression)
    assert of(untrained(AdagradClassifier), three).loss == "log_loss"
    assert isinstance(of(untrained(AdagradClassifier), np.eye(3)[three]), OneVsRestClassifier)
    for loss in ("hinge", "squared_hinge", "modified_huber", "perceptron"):
        plain = of(untrained(AdagradClassifier, loss=loss), y)
        assert isinstance(plain, SGDClassifier)
        assert plain.loss == loss
    assert isinstance(of(untrained(AdagradRegressor), y), LinearRegression)
    assert isinstance(of(untrained(AdagradRegressor, loss="poisson"), y), PoissonRegressor)
    tweedie = of(untrained(AdagradRegressor, loss=losses.Tweedie(1.2)), y)
    assert isinstance(tweedie, TweedieRegressor)
    assert tweedie.power == 1.2


def test_multinomial_models_predict_the_same():
    X, y = small_data()
    model = untrained(AdagradClassifier, multi_class="multinomial").fit(X, np.arange(len(y)) % 4)
    assert_same(to_sklearn(model), model, X)


@pytest.mark.parametrize("labels", [[False, True], [-3, 5], ["b", "a"], range(40)], ids=str)
def test_labels_are_kept(labels):
    labels = np.array(labels)
    y = np.tile(labels, 3)
    X = random_rows(np.random.default_rng(0), len(y), 5)
    model = untrained(AdagradClassifier).fit(X, y)
    plain = to_sklearn(model)
    assert plain.classes_.dtype == model.classes_.dtype
    assert_same(plain, model, X)


@pytest.mark.parametrize("n_labels", [1, 3])
@pytest.mark.parametrize(
    ("estimator", "loss"), [(AdagradClassifier, "log_loss"), (AdagradRegressor, "poisson")]
)
def test_names_of_features_are_kept(estimator, loss, n_labels):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(np.eye(6), columns=list("abcdef"))
    y = np.array([[0, 1, 1], [1, 0, 1]] * 3)
    y = y if n_labels > 1 else y[:, 0]
    model = untrained(estimator, loss=loss).fit(X, y)
    plain = to_sklearn(model)
    assert plain.feature_names_in_.tolist() == list("abcdef")
    np.testing.assert_allclose(plain.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        plain.predict(X[["b", "a", "c", "d", "e", "f"]])


def test_sparse_weights_become_dense():
    X, y = small_data()
    for estimator in (AdagradClassifier, AdagradRegressor):
        model = untrained(estimator, alpha=0.1, l1_ratio=1.0).fit(X, y).sparsify()
        assert_same(to_sklearn(model), model, X)


def test_a_pipeline_keeps_its_other_steps():
    texts, y = ["a cat", "a dog", "cats", "dogs"], [0, 1, 0, 1]
    model = make_pipeline(CountVectorizer(), untrained(AdagradClassifier)).fit(texts, y)
    plain = to_sklearn(model)
    assert plain[0] is model[0]
    assert isinstance(plain[1], LogisticRegression)
    assert isinstance(model[1], AdagradClassifier)
    np.testing.assert_allclose(plain.predict_proba(texts), model.predict_proba(texts))


class Own(losses.SquaredHinge):
    """A loss of scores alone."""


class OwnLogLoss(losses.LogLoss):
    """A loss that predicts something."""


class OwnPoisson(losses.Poisson):
    """The same for a regressor."""


def test_losses_of_ones_own():
    X, y = small_data()
    model = trained(AdagradClassifier, loss=Own())
    assert_same(to_sklearn(model), model, X)
    for estimator, loss, method in (
        (AdagradClassifier, OwnLogLoss(), "probability"),
        (AdagradRegressor, OwnPoisson(), "prediction"),
    ):
        model = untrained(estimator, loss=loss).fit(X, y)
        with pytest.raises(ValueError, match=rf"{type(loss).__name__}\(\) has a method {method}"):
            to_sklearn(model)
        scores = "hinge" if estimator is AdagradClassifier else "squared_error"
        assert_same(to_sklearn(model.set_params(loss=scores)), model, X)


def test_what_cannot_be_exported():
    with pytest.raises(NotFittedError):
        to_sklearn(AdagradClassifier())
    with pytest.raises(
        ValueError, match=r"AdagradClassifierCV cannot be exported.*best_estimator_"
    ):
        to_sklearn(AdagradClassifierCV())


def test_onnx_is_not_imported_by_others():
    run_python(
        "-c",
        "import sys, sklearn_adagrad.export as e, numpy as np\n"
        "from sklearn_adagrad import AdagradRegressor\n"
        "e.to_sklearn(AdagradRegressor(lr=0.1).fit(np.eye(2), [0, 1]))\n"
        "assert not {'onnx', 'skl2onnx', 'onnxruntime'} & set(sys.modules)",
    )


def test_correction_for_sampling_is_exported():
    X, y = small_data()
    model = untrained(AdagradClassifier, negatives_kept=0.1).fit(X, y)
    assert_same(to_sklearn(model), model, X)
    assert abs(to_sklearn(model).decision_function(X) - model._scores(X)[:, 0]).min() > 2
