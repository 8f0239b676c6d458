"""Faults that were found and mended, each by the story that showed it."""

import warnings

import numpy as np
import pytest
from common import AdagradClassifier, AdagradRegressor, bits, random_rows
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_adagrad import losses

Y = np.array([0, 1, 0, 1])


def test_warning_as_error_comes_after_the_model_is_whole():
    """Width and state disagreed, and the next call read beyond the weights."""
    model = AdagradClassifier(lr=0.1, max_iter=1, tol=None).fit(np.eye(4), Y).set_params(tol=1e-3)
    wide = sparse.csr_array(([1.0] * 4, ([0, 1, 2, 3], [0, 9, 2**20, 5])), shape=(4, 2**20 + 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning):
            model.fit(wide, Y)
    assert model.n_features_in_ == model.coef_.shape[1] == 2**20 + 1
    model.partial_fit(wide, Y).predict(wide)


def test_predicting_with_an_estimator_that_is_being_refitted():
    class Curious:
        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context): ...
        def on_fit_task_end(self, estimator, context):
            estimator.predict(np.ones((1, 4000)))

    model = (
        AdagradClassifier(lr=0.1, max_iter=1, tol=None).fit(np.eye(4), Y).set_callbacks(Curious())
    )
    with pytest.raises(ValueError, match="4000 features, but"):
        model.fit(np.ones((4, 4000)), Y)
    assert model.set_callbacks().predict(np.eye(4)).shape == (4,)


def test_loss_of_an_epoch_is_no_difference_of_large_sums():
    y = 1e9 + np.array([1.0, -1.0] * 20)
    model = AdagradRegressor(lr=1e9, max_iter=4, tol=None, shuffle=False).fit(np.ones((40, 1)), y)
    assert model.loss_curve_[0] > 1e15
    assert (np.array(model.loss_curve_[1:]) > 0.1).all()


def test_validation_that_is_never_finite():
    model = AdagradRegressor("poisson", lr=0.1, early_stopping=True, max_iter=8, random_state=0)
    far = {"X_val": np.full((2, 4), 1e4), "y_val": [1.0, 2.0]}
    with pytest.raises(FloatingPointError, match="finite validation loss"):
        model.fit(np.eye(4), Y + 20.0, **far)


def test_no_improvement_at_all_is_no_improvement_by_zero():
    model = AdagradClassifier("perceptron", lr=0.1, tol=0.0, max_iter=50, random_state=0).fit(
        np.eye(4), Y
    )
    assert model.n_iter_ < 20


def test_advice_that_helps():
    """A small lr is not to blame for large numbers."""
    X, y = np.full((5, 1), 1e8, np.float32), np.full(5, 1e8)
    for lr in (0.0, 1e-7):
        with pytest.raises(FloatingPointError, match="scale the features and y"):
            AdagradRegressor(lr=lr).fit(X, y)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr": -1.0}, "lr=-1 "),
        ({"lr": np.nan}, "lr=nan "),
        ({"eps": -1.0}, "eps=-1 "),
        ({"lr_decay": -1.0}, "lr_decay=-1 "),
        ({"loss": "nope"}, "loss='nope'"),
        ({"rule": "nope"}, "rule='nope'"),
        ({"class_weight": "nope"}, "class_weight='nope'"),
    ],
)
def test_parameters_changed_in_the_middle_of_a_stream(changed, message):
    """scikit-learn checks them in the first call only."""
    model = AdagradClassifier(lr=0.1).partial_fit(np.eye(4), Y, classes=[0, 1])
    with pytest.raises(ValueError, match=message):
        model.set_params(**changed).partial_fit(np.eye(4), Y)
    assert model.t_ == 4


def test_reading_does_not_mind_training_parameters():
    model = AdagradClassifier(lr=0.1, tol=None, max_iter=3).fit(np.eye(4, dtype=np.float32), Y)
    before = model.coef_, model.predict(np.eye(4))
    model.set_params(lr=1e30)
    np.testing.assert_array_equal(model.coef_, before[0])
    np.testing.assert_array_equal(model.predict(np.eye(4)), before[1])


@pytest.mark.parametrize(
    "loss",
    [
        losses.Quantile(5.0),
        losses.Huber(-1.0),
        losses.EpsilonInsensitive(-1.0),
        losses.Tweedie(0.5),
    ],
)
def test_parameters_of_losses(loss):
    with pytest.raises(ValueError, match=f"{loss._fields[0]}=.*must be"):
        AdagradRegressor(loss, lr=0.1).fit(np.eye(4), Y)


def test_fields_that_are_no_numbers():
    with pytest.raises(TypeError, match="must be numbers"):
        AdagradRegressor(losses.Quantile("a"), lr=0.1).fit(np.eye(4), Y)


@pytest.mark.parametrize("shape", [(5,), (5, 2, 2)])
def test_sparse_arrays_of_other_dimensions(shape):
    X = sparse.coo_array(np.ones(shape))
    with pytest.raises(ValueError, match="2D"):
        AdagradClassifier(lr=0.1).fit(X, np.arange(5) % 2)


@pytest.mark.parametrize("where", ["y", "sample_weight"])
def test_masked_arrays(where):
    masked = np.ma.masked_array([0.0, 1.0, 0.0, 1.0], mask=[0, 0, 0, 1])
    data = {"y": Y, "sample_weight": np.ones(4)} | {where: masked}
    with pytest.raises(ValueError, match="masked"):
        AdagradRegressor(lr=0.1).fit(np.eye(4), **data)


def test_dates_are_no_targets():
    with pytest.raises(ValueError, match="must be numbers"):
        AdagradRegressor(lr=0.1).fit(np.eye(4), np.array(["2026-01-01"] * 4, "datetime64[D]"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("offsets", np.array([0, 1, 2])),
        ("offsets", np.array([0.0, 1.0])),
        ("offsets", np.array([0, 0])),
        ("data", np.ones(4)),
        ("data", np.ones((5, 4))),
    ],
)
def test_diagonals_that_scipy_would_crash_on(name, value):
    X = sparse.dia_array((np.ones((2, 4)), [0, 1]), shape=(4, 4))
    model = AdagradClassifier(lr=0.1, max_iter=1, tol=None).fit(X, Y)
    setattr(X, name, value)
    with pytest.raises(ValueError, match="Rebuild X"):
        model.fit(X, Y)


@pytest.mark.parametrize("row", [0, 31, 32, 255, 256, 400, 599])
@pytest.mark.parametrize("method", ["partial_fit", "predict"])
def test_fault_in_any_row_of_many_is_found(row, method):
    """Rows are inspected in blocks: a sound last one must not hide what was wrong before."""
    X = random_rows(np.random.default_rng(0), 600, 9, 1.0)
    y = np.arange(600) % 2
    model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=[0, 1])
    entry = X.indptr[row] + 4
    faults = (X.indices, 9, "has the column index 9"), (X.data, np.nan, "NaN")
    for array, value, message in faults:
        before, array[entry] = array[entry], value
        with pytest.raises(ValueError, match=rf"(?s){message}|row {row}\b"):
            getattr(model, method)(*((X, y) if method == "partial_fit" else (X,)))
        array[entry] = before
    order = X.copy()
    order.indices[entry : entry + 2] = order.indices[entry : entry + 2][::-1]
    order.data[entry : entry + 2] = order.data[entry : entry + 2][::-1]
    zero, without = X.copy(), X.copy()
    zero.data[entry] = without.data[entry] = 0.0
    without.eliminate_zeros()
    for one, other in ((order, X), (zero, without)):
        first, second = (
            AdagradClassifier(lr=0.1, max_iter=1, shuffle=False, tol=None) for _ in range(2)
        )
        assert bits(first.fit(one, y)) == bits(second.fit(other, y))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fails", [False, True])
def test_subnormal_numbers_are_as_before_in_the_caller_s_thread(n_classes, fails):
    X, y = random_rows(np.random.default_rng(0), 30, 9, 1.0), np.arange(30) % n_classes
    model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=range(n_classes))
    if fails:
        weights = np.where(np.arange(30) == 7, 1e308, 1.0)
        with pytest.raises(FloatingPointError, match="row 7"):
            model.partial_fit(X, y, sample_weight=weights)
    assert np.float64(2.3e-308) * np.float64(0.25) > 0.0
