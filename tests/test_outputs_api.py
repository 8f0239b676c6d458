"""Several outputs in scikit-learn's ways: shapes, attributes, meta-estimators, and refusals."""

import copy
import pickle

import numpy as np
import pytest
from common import ROWS, all_bits, assert_refused, bits, small_data, stream, trained, untrained
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    ShuffleSplit,
    StratifiedShuffleSplit,
    cross_val_predict,
)
from sklearn.multioutput import ClassifierChain
from sklearn.neural_network import MLPClassifier
from test_callbacks import Witness

from sklearn_adagrad import AdagradClassifier, AdagradRegressor

X = small_data()[0]
CLASSES = np.arange(ROWS) % 3
LABELS = (np.random.default_rng(0).random((ROWS, 3)) < 0.5).astype(int)
TARGETS = np.random.default_rng(1).standard_normal((ROWS, 3))

KINDS = {
    "classes": (AdagradClassifier, {}, CLASSES),
    "multinomial": (AdagradClassifier, {"multi_class": "multinomial"}, CLASSES),
    "labels": (AdagradClassifier, {}, LABELS),
    "targets": (AdagradRegressor, {}, TARGETS),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def begun(kind, **more):
    """An untrained model that fits in a moment, and its targets."""
    estimator, parameters, y = KINDS[kind]
    return untrained(estimator, **parameters | more), y


# --- shapes, as in scikit-learn -----------------------------------------------------------------


def assert_alike(model, other, names):
    """Attributes and results of ``model`` have the shapes and kinds of another estimator's."""
    for name in names:
        found, wanted = getattr(model, name), getattr(other, name)
        found, wanted = (each(X) if callable(each) else each for each in (found, wanted))
        assert found.shape == wanted.shape, name
        assert found.dtype.kind == wanted.dtype.kind, name


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_shapes_of_classes(multi_class, n_classes):
    y = np.array(list("edcba"))[np.arange(ROWS) % n_classes]
    model = untrained(AdagradClassifier, multi_class=multi_class).fit(X, y)
    names = ("classes_", "coef_", "intercept_", "predict", "decision_function", "predict_proba")
    assert_alike(model, LogisticRegression().fit(X, y), (*names, "predict_log_proba"))
    assert model.accumulator_.shape == model.coef_.shape
    assert model.score(X, y) == accuracy_score(y, model.predict(X))
    assert model.classes_.tolist() == sorted(set(y))


@pytest.mark.parametrize("n_labels", [2, 3, 5])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_shapes_of_labels(n_labels):
    y = np.random.default_rng(0).integers(0, 2, (ROWS, n_labels))
    model = untrained(AdagradClassifier).fit(X, y)
    names = ("coef_", "intercept_", "predict", "decision_function")
    assert_alike(model, RidgeClassifier().fit(X, y), names)
    mlp = MLPClassifier([3], max_iter=2).fit(X, y)
    assert_alike(model, mlp, ("predict", "predict_proba", "predict_log_proba"))
    np.testing.assert_array_equal(model.classes_, mlp.classes_)
    assert model.score(X, y) == accuracy_score(y, model.predict(X))
    chances = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict(X), chances > 0.5)
    for n, column in enumerate(y.T):
        one = untrained(AdagradClassifier).fit(X, column)
        np.testing.assert_allclose(chances[:, n], one.predict_proba(X)[:, 1], rtol=1e-11)


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1), (ROWS, 2), (ROWS, 5)])
def test_shapes_of_targets(shape):
    y = np.random.default_rng(0).standard_normal(shape)
    model = untrained(AdagradRegressor).fit(X, y)
    assert_alike(model, LinearRegression().fit(X, y), ("coef_", "predict"))
    assert model.accumulator_.shape == model.coef_.shape
    assert model.intercept_.shape == shape[1:] if len(shape) > 1 else (1,)
    assert model.score(X, y) == r2_score(y, model.predict(X))
    streamed = AdagradRegressor(lr=0.1).partial_fit(X, y)
    assert streamed.predict(X).shape == shape


def test_single_column_is_the_vector():
    one, other = (untrained(AdagradRegressor).fit(X, y) for y in (TARGETS[:, 0], TARGETS[:, :1]))
    assert bits(one) == bits(other)
    np.testing.assert_array_equal(one.predict(X), other.predict(X)[:, 0])
    y = LABELS[:, 0]
    with pytest.warns(DataConversionWarning, match="column-vector"):
        other = untrained(AdagradClassifier).fit(X, y[:, np.newaxis])
    assert bits(other) == bits(untrained(AdagradClassifier).fit(X, y))


@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_link_functions(loss):
    y = np.abs(TARGETS) + 0.1
    model = untrained(AdagradRegressor, loss=loss).fit(X, y)
    scores = X @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.predict(X), np.exp(scores), rtol=1e-12)
    assert model.predict(X).shape == (ROWS, 3)


def test_losses_without_probabilities_have_none_for_labels_either():
    model = untrained(AdagradClassifier, loss="hinge").fit(X, LABELS)
    assert not hasattr(model, "predict_proba")
    np.testing.assert_array_equal(model.predict(X), model.decision_function(X) > 0)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_tags(class_weight):
    """A model with class weights refuses labels, and says so beforehand."""
    tags = AdagradClassifier(class_weight=class_weight).__sklearn_tags__()
    assert tags.classifier_tags.multi_label == (class_weight is None)
    assert AdagradRegressor().__sklearn_tags__().target_tags.multi_output


# --- what y may be ------------------------------------------------------------------------------

FORMS = {
    "lists": np.ndarray.tolist,
    "float32": lambda y: y.astype(np.float32),
    "objects": lambda y: y.astype(object),
    "column by column": np.asfortranarray,
    "every other row of more": lambda y: np.repeat(y, 2, axis=0)[::2],
    "csr_array": sparse.csr_array,
    "csc_matrix": sparse.csc_matrix,
    "coo_array": sparse.coo_array,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_forms_of_targets(kind, form):
    model, y = begun(kind)
    y = np.round(y * 4)  # numbers that every form holds
    y = (y > 0).astype(int) if kind == "labels" else y
    given = FORMS[form](y)
    assert bits(clone(model).fit(X, given)) == bits(clone(model).fit(X, y))
    assert bits(clone(model).partial_fit(X, given)) == bits(clone(model).partial_fit(X, y))


@pytest.mark.parametrize("kind", ["labels", "targets"])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_of_targets(kind, library):
    frames = pytest.importorskip(library)
    model, y = begun(kind)
    frame = frames.DataFrame(dict(zip("abc", y.T, strict=True)))
    assert bits(clone(model).fit(X, frame)) == bits(clone(model).fit(X, y))
    stopping = model.set_params(early_stopping=True)
    given = clone(stopping).fit(X, frame, X_val=X, y_val=frame)
    assert bits(given) == bits(stopping.fit(X, y, X_val=X, y_val=y))


def test_labels_may_be_truth_values():
    model = untrained(AdagradClassifier)
    assert bits(clone(model).fit(X, LABELS.astype(bool))) == bits(model.fit(X, LABELS))


def test_labels_of_which_some_never_occur():
    """There is nothing to refuse: a stream may bring them later."""
    y = LABELS * [1, 0, 0] + [0, 0, 1]
    model = untrained(AdagradClassifier).fit(X, y)
    np.testing.assert_array_equal(model.predict(X)[:, 1:], np.tile([0, 1], (ROWS, 1)))


# --- the life of a model ------------------------------------------------------------------------


@every_kind
def test_copies_go_on_alike(kind):
    model, y = begun(kind)
    model.fit(X, y)
    whole = bits(clone(model).fit(X, y).partial_fit(X, y))
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert bits(copied) == bits(model)
        np.testing.assert_array_equal(copied.predict(X), model.predict(X))
        assert bits(copied.partial_fit(X, y)) == whole
    assert bits(model) != whole


@every_kind
def test_reading_changes_nothing(kind):
    model, y = begun(kind, alpha=0.01, l1_ratio=0.5)
    model.fit(X, y)
    before = all_bits(model)
    for name in ("coef_", "intercept_", "accumulator_"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[...] = np.nan
    model.predict(X), model.score(X, y), model.progressive_loss_, repr(model), clone(model)
    assert all_bits(model) == before


@every_kind
def test_warm_start(kind):
    model, y = begun(kind, warm_start=True, alpha=0.01)
    once = clone(model).set_params(max_iter=4, shuffle=False, warm_start=False).fit(X, y)
    model.set_params(shuffle=False).fit(X, y)
    first = model._state
    before = bits(model)
    assert bits(model.fit(X, y)) == bits(once)
    assert model.t_ == 4 * ROWS
    assert bits(copy.copy(model).set_params()) != before
    assert first.totals["t"] == 2 * ROWS  # who held the old state still has it


@every_kind
@pytest.mark.parametrize("given", [False, True], ids=["split", "given"])
def test_early_stopping(kind, given):
    """By hand: epoch after epoch, and the losses of all outputs on the other rows after each."""
    model, y = begun(kind)
    model.set_params(lr=2.0, shuffle=False, max_iter=6, early_stopping=True)
    model.set_params(validation_fraction=0.3)
    if given:
        learnt, judged, weights = np.arange(14), np.arange(14, ROWS), np.arange(6) % 3 + 0.5
        more = {"X_val": X[14:], "y_val": y[14:], "sample_weight_val": weights}
        model.fit(X[:14], y[:14], **more)
    else:
        splitter = StratifiedShuffleSplit if y.ndim == 1 else ShuffleSplit
        splits = splitter(1, test_size=0.3, random_state=0).split(X, y)
        (learnt, judged), weights = next(splits), None
        learnt = np.sort(learnt)  # not shuffled: in the order of X
        model.fit(X, y)
    curve, states = [], []
    by_hand = clone(model).set_params(early_stopping=False)
    for _ in range(6):
        stream(by_hand, X[learnt], y[learnt], classes=range(3))
        curve.append(mean_loss(by_hand, kind, X[judged], y[judged], weights))
        states.append(bits(by_hand)[0][0])
    np.testing.assert_allclose(model.validation_loss_curve_, curve, rtol=1e-11)
    assert model.best_n_iter_ == 1 + np.argmin(curve)
    assert bits(model)[0][0] == states[model.best_n_iter_ - 1]
    assert model.t_ == model.best_n_iter_ * len(learnt)


def mean_loss(model, kind, X, y, weights):
    """The mean loss of ``model``, by hand."""
    scores = model._scores(X)
    if kind == "targets":
        lost = 0.5 * (scores - y) ** 2
    elif kind == "multinomial":
        lost = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        lost = lost - np.take_along_axis(scores, y[:, np.newaxis], axis=1)
    else:
        on = y if kind == "labels" else y[:, np.newaxis] == np.arange(3)
        lost = np.log1p(np.exp(np.where(on, -scores, scores)))
    return np.average(lost.sum(axis=1), weights=weights)


@every_kind
def test_progressive_loss_and_curves(kind):
    """The losses of all outputs, added; each row before it was learnt."""
    model, y = begun(kind, lr=0.5)
    by_hand, lost = clone(model), []
    stream(by_hand, X[:1], y[:1], sample_weight=[0.0], classes=range(3))
    for i in range(ROWS):
        lost.append(mean_loss(by_hand, kind, X[i : i + 1], y[i : i + 1], None))
        by_hand.partial_fit(X[i : i + 1], y[i : i + 1])
    np.testing.assert_allclose(by_hand.progressive_loss_, np.mean(lost), rtol=1e-12)
    model.set_params(shuffle=False, max_iter=3).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_[0], np.mean(lost), rtol=1e-12)
    np.testing.assert_allclose(model.progressive_loss_, model.loss_curve_[0], rtol=1e-12)
    assert model.n_iter_ == 3


@every_kind
def test_verbose(kind, capsys):
    model, y = begun(kind, verbose=1)
    model.fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for epoch, line in enumerate(lines, 1):
        assert line.startswith(f"Epoch {epoch}: loss {model.loss_curve_[epoch - 1]:.6g}")


@every_kind
def test_callbacks(kind):
    """They are shown the model as if training had stopped."""
    model, y = begun(kind)
    witness = Witness()
    model.set_params(max_iter=3).set_callbacks(witness).fit(X, y)
    for epoch, seen in enumerate(witness.models[:-1], 1):
        stopped = begun(kind)[0].set_params(max_iter=epoch).fit(X, y)
        assert bits(seen) == bits(stopped)
        assert seen.score(X, y) == stopped.score(X, y)
    assert bits(witness.models[-1]) == bits(model)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_balanced_stream(multi_class):
    """Row by row, by hand: the weight so far over that of the row's class so far."""
    y, given = np.arange(ROWS) ** 2 % 5 % 3, np.arange(ROWS) % 3 * 0.75
    mass, weights = np.zeros(3), np.zeros(ROWS)
    for i, label in enumerate(y):
        mass[label] += given[i]
        if given[i]:
            weights[i] = given[i] * mass.sum() / (3 * mass[label])
    model = AdagradClassifier(lr=0.1, multi_class=multi_class, class_weight="balanced")
    plain = clone(model).set_params(class_weight=None)
    stream(plain, X, y, sample_weight=weights, classes=range(3))
    stream(model, X, y, [slice(0, 7), slice(7, ROWS)], sample_weight=given, classes=range(3))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-9, atol=1e-12)
    assert model.t_ == np.count_nonzero(given)
    assert not np.allclose(model.coef_, stream(clone(plain), X, y, classes=range(3)).coef_)


def test_in_meta_estimators():
    search = GridSearchCV(untrained(AdagradClassifier), {"lr": [0.01, 1.0]}, cv=2)
    assert search.fit(X, LABELS).predict(X).shape == (ROWS, 3)
    chances = cross_val_predict(untrained(AdagradRegressor), X, TARGETS, cv=2)
    assert chances.shape == (ROWS, 3)
    chain = ClassifierChain(untrained(AdagradClassifier)).fit(X.toarray(), LABELS)
    assert chain.predict(X.toarray()).shape == (ROWS, 3)


# --- refusals -----------------------------------------------------------------------------------


def refused(model, method, message, y, **more):
    """Refused, and the model is as it was; the first call of a stream names no classes."""
    if method == "partial_fit" and isinstance(model, AdagradClassifier):
        more = {"classes": None} | more
    assert_refused(model, method, message, X, y, **more)


both_methods = pytest.mark.parametrize("method", ["fit", "partial_fit"])


def models(estimator, y):
    """One that has seen nothing and one that has learnt, both of which ``fit`` lets go on."""
    learnt = untrained(estimator, warm_start=True).fit(X, y)
    return untrained(estimator, warm_start=True), learnt


@both_methods
@pytest.mark.parametrize("value", [2, -1, 0.5, "1", None, np.nan], ids=repr)
def test_labels_other_than_0_and_1(method, value):
    y = LABELS.astype(float if isinstance(value, float) else object)
    y[7, 2] = value
    y[9, 0] = value
    named = r"y\[7, 2\] = .*0 or 1|y contains NaN in row 7, column 2"
    for model in models(AdagradClassifier, LABELS):
        refused(model, method, named, y)


@both_methods
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, None])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, object])
def test_targets_not_finite(method, value, dtype):
    y = TARGETS.astype(dtype)
    y[7, 2] = value
    for model in models(AdagradRegressor, TARGETS):
        refused(model, method, "y contains .* in row 7, column 2", y)


@both_methods
@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_targets_that_are_not_for_the_loss(method, loss):
    y = np.abs(TARGETS) + 0.1
    y[7, 2] = -1.0
    model = untrained(AdagradRegressor, loss=loss)
    refused(model, method, r"y\[7\] = -1: the", y)


@both_methods
@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_number_of_columns(method, kind):
    estimator, _, y = KINDS[kind]
    _, model = models(estimator, y)
    for n_columns in (2, 4):
        other = np.resize(y.T, (n_columns, ROWS)).T
        message = f"y has (shape .*, )?{n_columns}.*3"
        refused(model, method, message, other)
    model.set_params(warm_start=False).fit(X, y[:, :2])  # anew, it may be any
    assert model.predict(X).shape == (ROWS, 2)


@both_methods
@pytest.mark.parametrize("kind", ["labels", "targets"])
def test_vector_after_matrix_and_matrix_after_vector(method, kind):
    estimator, _, y = KINDS[kind]
    vector = CLASSES if kind == "labels" else y[:, 0]
    model = models(estimator, y)[1]
    refused(model, method, "y has (.*3 (labels|targets)|1 outputs.* 3|one class .*labels)", vector)
    model = models(estimator, vector)[1]
    refused(model, method, "y has 3 .*(3 classes|1 targets|has 1)", y)


@both_methods
@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0}], ids=str)
def test_class_weights_of_labels(method, class_weight):
    model = untrained(AdagradClassifier, class_weight=class_weight)
    refused(model, method, "class_weight=.*one class each", LABELS)


@pytest.mark.parametrize("classes", [[0, 1], [1, 2, 3], list("abc"), [[0, 1]] * 3], ids=str)
def test_classes_of_labels(classes):
    message = "classes=.*numbers of the 3 columns"
    refused(untrained(AdagradClassifier), "partial_fit", message, LABELS, classes=classes)
    model = AdagradClassifier(lr=0.1).partial_fit(X, LABELS)
    refused(model, "partial_fit", message, LABELS, classes=classes)
    again = AdagradClassifier(lr=0.1).partial_fit(X, LABELS, classes=[0, 1, 2])
    assert bits(again) == bits(model)


@both_methods
@pytest.mark.parametrize("kind", KINDS)
def test_matrices_that_are_none(method, kind):
    model, y = begun(kind)
    bad = {
        "no columns": np.zeros((ROWS, 0)),
        r"shape \(20, 3, 1\)": np.zeros((ROWS, 3, 1)),
        "20 rows, but y has 19": np.zeros((ROWS - 1, 3)),
        "omplex": np.zeros((ROWS, 3)) + 1j,
        "masked": np.ma.masked_array(np.zeros((ROWS, 3)), np.eye(ROWS, 3)),
    }
    for message, each in bad.items():
        refused(model, method, message, each)
        refused(copy.deepcopy(model).fit(X, y), method, message, each)


@pytest.mark.parametrize("kind", ["labels", "targets", "classes"])
def test_targets_of_validation(kind):
    """They are to have the form of ``y``."""
    model, y = begun(kind, early_stopping=True)
    others = {"labels": (CLASSES, LABELS[:, :2]), "targets": (CLASSES, TARGETS[:, :2])}
    for other in others.get(kind, (LABELS,)):
        refused(model, "fit", "y_val has", y, X_val=X, y_val=other)
    if kind != "classes":
        other = y.astype(float)
        other[3, 1] = np.nan
        message = "y_val contains NaN in row 3, column 1"
        refused(model, "fit", message, y, X_val=X, y_val=other)


def test_trained_model_of_one_output_stays_one():
    for estimator, y in ((AdagradClassifier, LABELS), (AdagradRegressor, TARGETS)):
        refused(trained(estimator), "partial_fit", "y has 3 columns", y)
