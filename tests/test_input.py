"""Bad targets, weights, labels, shapes and parameters are refused by name.

And the model is as before, to the bit.
"""

import numpy as np
import pytest
from common import (
    FEATURES,
    ROWS,
    assert_refused,
    bits,
    every_estimator,
    first_call,
    small_data,
    stream,
    trained,
    untrained,
)
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_adagrad import AdagradClassifier, AdagradRegressor

# --- targets and weights ------------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, object])
def test_targets_not_finite(estimator, method, value, dtype):
    X, y = small_data()
    y = y.astype(dtype)
    y[7] = value
    named = r"y.*row 7|y\[7\]"
    if estimator is AdagradClassifier and dtype is object:
        named += "|[Uu]nknown label type"  # scikit-learn's, before anything else
    assert_refused(trained(estimator), method, named, X, y)
    assert_refused(untrained(estimator), method, named, X, y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "y",
    [np.array([1.0, None, 2.0] * 5, object), np.array(["1", "two", "3"] * 5), np.ones(15) + 1j],
    ids=["None", "text", "complex"],
)
def test_targets_that_are_no_numbers(method, y):
    X = small_data()[0][:15]
    for model in (untrained(AdagradRegressor), trained(AdagradRegressor)):
        assert_refused(model, method, "y|float", X, y, error=(ValueError, TypeError))


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_sample_weight(estimator, method):
    X, y = small_data()
    bad = {}
    for value, said in ((np.nan, "NaN"), (np.inf, "infinity"), (-0.5, "negative")):
        bad[value] = np.ones(ROWS), rf"sample_weight.*{said}|sample_weight\[11\].*{said}"
        bad[value][0][11] = value
    bad["length"] = np.ones(ROWS - 1), "sample_weight has 19"
    bad["shape"] = np.ones((ROWS, 1)), "sample_weight"
    bad["scalar"] = -1.0, "sample_weight.*negative"
    for weights, message in bad.values():
        for model in (trained(estimator), untrained(estimator)):
            assert_refused(model, method, message, X, y, sample_weight=weights)


@every_estimator
def test_weights_that_leave_nothing_to_fit(estimator):
    X, y = small_data()
    for weights in (np.zeros(ROWS), 0.0):
        message = "weights are zero by sample_weight"
        assert_refused(untrained(estimator), "fit", message, X, y, sample_weight=weights)


def test_class_weights_that_leave_nothing_to_fit():
    model = untrained(AdagradClassifier, class_weight={0: 0.0, 1: 0.0})
    assert_refused(model, "fit", "weight", *small_data())
    X, y = small_data()
    model.set_params(class_weight={0: 0.0})
    assert_refused(model, "fit", "weight", X, y, sample_weight=1.0 - y)


# --- labels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2]], ids=["two", "three"])
@pytest.mark.parametrize(
    "unknown", [7, -1, 0.5, "a", None], ids=["above", "below", "between", "text", "None"]
)
def test_unknown_label(labels, unknown):
    X, y = small_data()
    model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=labels)
    y = y.astype(object if isinstance(unknown, str | None) else float)
    y[4] = unknown
    if isinstance(unknown, str):
        y = y.astype(str)
        message = r"y\[[04]\] = .*not one of the classes"
    else:
        message = r"y\[4\] = (.*not one of the classes|None is missing)"
    assert_refused(model, "partial_fit", message, X, y, classes=None)
    model.set_params(warm_start=True)
    assert_refused(model, "fit", "y|label", X, y)


def test_classes_are_decided_in_the_first_call():
    X, y = small_data()
    refused = untrained(AdagradClassifier)
    assert_refused(refused, "partial_fit", "classes must be passed", X, y, classes=None)
    assert_refused(refused, "partial_fit", "one class|greater than one", X, y, classes=[1])
    model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=[0, 1])
    for classes in ([0, 1, 2], [1, 2], ["0", "1"]):
        assert_refused(model, "partial_fit", "classes=.*differs", X, y, classes=classes)
    model.partial_fit(X, y, classes=[1, 0]).partial_fit(X, y, classes=[1.0, 0.0]).partial_fit(X, y)


def test_fit_needs_two_classes():
    X = small_data()[0]
    for label in (0, 1, "a"):
        refused = untrained(AdagradClassifier)
        assert_refused(refused, "fit", "classes.*one class|1 class", X, np.full(ROWS, label))
    continuous = np.linspace(0.1, 0.9, ROWS)
    assert_refused(untrained(AdagradClassifier), "fit", "[Uu]nknown label type", X, continuous)


@pytest.mark.parametrize("labels", [["no", "yes"], ["no", "yes", "maybe"]])
@pytest.mark.parametrize("dtype", [str, object])
def test_labels_of_text(labels, dtype):
    X = small_data()[0]
    y = np.resize(np.array(labels, dtype), ROWS)
    numbers = np.searchsorted(np.sort(labels), y.astype(str))
    model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=labels)
    same = AdagradClassifier(lr=0.1).partial_fit(X, numbers, classes=np.unique(numbers))
    assert bits(model) == bits(same)
    np.testing.assert_array_equal(model.predict(X), np.sort(labels)[same.predict(X)])
    fitted = untrained(AdagradClassifier).fit(X, y)
    np.testing.assert_array_equal(fitted.classes_, np.sort(labels))


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({7: 1.0}, "class_weight.*7"),
        ({0: -1.0}, r"class_weight\[0\]"),
        ({1: np.nan}, r"class_weight\[1\]"),
        ({1: np.inf}, r"class_weight\[1\]"),
        ("balance", "'class_weight' parameter"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_class_weight(class_weight, message, method):
    model = untrained(AdagradClassifier, class_weight=class_weight)
    assert_refused(model, method, message, *small_data())


def test_class_weights_of_more_labels_than_there_are():
    """They are no misspelling if every label has its weight."""
    X, y = small_data()
    plain, more = (
        untrained(AdagradClassifier, class_weight={0: 2.0, 1: 0.5} | each).fit(X, y)
        for each in ({}, {7: 9.0})
    )
    assert bits(plain) == bits(more)


# --- shapes and names ---------------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("method", ["partial_fit", "predict", "fit"])
def test_number_of_features(estimator, method):
    X, y = small_data()
    y = None if method == "predict" else y
    model = trained(estimator).set_params(warm_start=True)
    for other in (X[:, :-1], sparse.hstack([X, X], format="csr"), X[:, :-1].toarray()):
        message = f"X has {other.shape[1]} features.*expecting 8"
        assert_refused(model, method, message, other, y)


@every_estimator
def test_fit_may_change_the_number_of_features(estimator):
    X, y = small_data()
    model = trained(estimator).fit(X[:, :5], y)
    assert model.n_features_in_ == 5
    assert model.coef_.shape[-1] == 5


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
@pytest.mark.parametrize(
    "X",
    [
        np.zeros((0, FEATURES)),
        sparse.csr_array((0, FEATURES)),
        np.zeros((3, 0)),
        sparse.csr_array((3, 0)),
        np.zeros(FEATURES),
        sparse.coo_array(np.ones(FEATURES)),
        sparse.csr_array(np.ones(FEATURES)),
        np.zeros((2, 2, 2)),
        [["a"] * FEATURES] * 3,
        np.ones((3, FEATURES)) + 1j,
        sparse.csr_array(np.ones((3, FEATURES)) + 1j),
        None,
        3.0,
    ],
    ids=lambda X: f"{type(X).__name__} {getattr(X, 'shape', '')} {getattr(X, 'dtype', '')}",
)
def test_not_a_matrix_of_numbers(estimator, method, X):
    y = None if method == "predict" else np.arange(getattr(X, "shape", (3,))[0]) % 2
    error = (ValueError, TypeError)
    assert_refused(trained(estimator), method, None, X, y, error=error)
    if y is not None:
        assert_refused(untrained(estimator), method, None, X, y, error=error)


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_shape_of_targets(estimator, method):
    X, y = small_data()
    cube = np.zeros((ROWS, 2, 2), int)
    for model in (trained(estimator), untrained(estimator)):
        assert_refused(model, method, "X has 20 rows, but y has 19", X, y[:-1])
        assert_refused(model, method, r"y has shape \(20, 2, 2\)", X, cube)
        assert_refused(model, method, r"y .* shape \(\)", X, np.array(1.0))
        assert_refused(model, method, "y has no columns", X, np.zeros((ROWS, 0)))
        with pytest.raises(ValueError, match=r"y to be passed.*y is None"):
            getattr(model, method)(X, None, **(first_call(estimator) if method != "fit" else {}))


# --- parameters ---------------------------------------------------------------------------------

PARAMETERS = {
    "lr": [-0.1, np.nan, np.inf, "best", None, 1e300],
    "eps": [-1e-10, np.nan, np.inf, None, 1e300],
    "lr_decay": [-1.0, np.nan, "x"],
    "initial_accumulator_value": [-1e-3, np.nan, np.inf, 1e300],
    "rule": ["adam", None, 3],
    "alpha": [-1e-3, np.nan, np.inf, "auto", None, 1e300],
    "l1_ratio": [-0.1, 1.1, np.nan, "auto", None],
    "batch_size": [0, -1, 1.0, 1.5, np.nan, "auto", None, 2**41],
    "n_jobs": ["two", 1.5],
    "device": [0, "tpu", "cuda:", "cuda:-1", "cuda:x"],
    "fit_intercept": ["yes", None],
    "max_iter": [0, -1, 2.5, None],
    "tol": [-1e-3, "auto"],
    "n_iter_no_change": [0, 1.5],
    "shuffle": ["yes"],
    "early_stopping": ["yes"],
    "validation_fraction": [0.0, 1.0, -0.1, 1.5],
    "warm_start": ["yes"],
    "random_state": ["seed", -1],
    "verbose": [-1, "loud"],
}


@every_estimator
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in PARAMETERS.items() for value in values]
)
def test_parameters(estimator, name, value):
    refused = untrained(estimator).set_params(**{name: value})
    assert_refused(refused, "fit", name, *small_data())
    assert_refused(refused, "partial_fit", name, *small_data())
    assert_refused(trained(estimator).set_params(**{name: value}), "fit", name, *small_data())


def test_every_parameter_is_tried_with_bad_values():
    tried = {*PARAMETERS, "loss"}  # the latter in test_own_losses.py
    # These in test_outputs.py, but for the last: in test_sampling.py.
    of_classes = {"class_weight", "multi_class", "negatives_kept"}
    assert set(AdagradClassifier().get_params()) == tried | of_classes
    assert set(AdagradRegressor().get_params()) == tried


@every_estimator
@pytest.mark.parametrize("number", [np.float16, np.float32, np.float64, np.longdouble, np.int64])
def test_parameters_of_numpys_types(estimator, number):
    names = ("lr", "eps", "lr_decay", "initial_accumulator_value", "tol", "alpha", "l1_ratio")
    model = estimator(lr=0.1, max_iter=2, random_state=0)
    model.set_params(**{name: number(1) for name in names})
    plain = estimator(lr=0.1, max_iter=2, random_state=0).set_params(**dict.fromkeys(names, 1.0))
    with pytest.warns(ConvergenceWarning):
        model.fit(*small_data())
    with pytest.warns(ConvergenceWarning):
        plain.fit(*small_data())
    assert bits(model) == bits(plain)


@every_estimator
def test_parameters_too_large_for_float32(estimator):
    X, y = small_data()
    for name in ("lr", "eps", "initial_accumulator_value"):
        model = untrained(estimator, **{name: 1e38})
        stream(model, X, y)
        small = untrained(estimator, **{name: 1e38})
        assert_refused(small, "partial_fit", f"{name}=1e\\+38.*float32", X.astype(np.float32), y)


# --- early stopping -----------------------------------------------------------------------------


@every_estimator
def test_arguments_for_early_stopping(estimator):
    X, y = small_data()
    plain = untrained(estimator)
    stopping = untrained(estimator, early_stopping=True)
    both, gap = {"X_val": X, "y_val": y}, X.toarray()
    gap[13, 5] = np.nan
    cases = [
        (plain, both, "early_stopping=True"),
        (stopping, {"X_val": X}, "y_val"),
        (stopping, {"y_val": y}, "X_val"),
        (stopping, {"sample_weight_val": np.ones(ROWS)}, "X_val"),
        (stopping, both | {"X_val": X[:, 1:]}, "7 features"),
        (stopping, both | {"y_val": y[1:]}, "y_val has 19"),
        (stopping, both | {"y_val": np.where(y, np.nan, 0)}, "y_val.*NaN"),
        (stopping, both | {"X_val": gap}, "X_val.*NaN.*row 13, column 5"),
        (stopping, both | {"sample_weight_val": -np.ones(ROWS)}, r"sample_weight_val\[0\]"),
        (stopping, both | {"sample_weight_val": np.zeros(ROWS)}, "zero by sample_weight_val"),
    ]
    if estimator is AdagradClassifier:
        cases.append((stopping, both | {"y_val": y + 1}, r"y_val\[1\].*not one of the classes"))
    for model, more, message in cases:
        assert_refused(model, "fit", message, X, y, **more)


def test_split_that_cannot_be_made():
    X, y = small_data()
    y = np.where(np.arange(ROWS) == 3, 1, 0)  # a class of one row cannot be on both sides
    model = untrained(AdagradClassifier, early_stopping=True)
    assert_refused(model, "fit", "validation_fraction=0.1 of 20 rows", X, y)
    for estimator in (AdagradClassifier, AdagradRegressor):
        model = untrained(estimator, early_stopping=True)
        weights = np.zeros(ROWS)
        weights[3] = 1.0
        assert_refused(model, "fit", "of 1 rows", X, y, sample_weight=weights)


class OnGpu:
    """What is known of an array in a GPU's memory without reading it."""

    __cuda_array_interface__ = {"shape": (2,), "typestr": "<f8", "data": (1, False), "version": 3}  # noqa: RUF012
    shape = (2, 1)


class SparseOnGpu:
    format, shape, data = "csr", (2, 1), OnGpu()


@every_estimator
@pytest.mark.parametrize("X", [OnGpu(), SparseOnGpu()], ids=["dense", "sparse"])
def test_what_lies_on_a_gpu_is_not_copied_unasked(estimator, X):
    rows, y = np.eye(2), np.array([0, 1])
    model = estimator(lr=0.1, max_iter=1, tol=None).fit(rows, y)
    before = model.coef_
    for call, name in (
        (lambda: model.partial_fit(X, y), "X"),
        (lambda: model.fit(X, y), "X"),
        (lambda: model.predict(X), "X"),
        (lambda: model.partial_fit(rows, OnGpu()), "y"),
        (lambda: model.partial_fit(rows, y, sample_weight=OnGpu()), "sample_weight"),
    ):
        with pytest.raises(TypeError, match=rf"^{name} lies in a GPU's memory.*{name}\.get\(\)"):
            call()
    np.testing.assert_array_equal(model.coef_, before)


@every_estimator
def test_columns_may_have_any_name(estimator):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"format": [1.0, 2.0], "indptr": [0.5, 0.0]})
    assert estimator(lr=0.1, max_iter=1, tol=None).fit(X, [0, 1]).n_features_in_ == 2
