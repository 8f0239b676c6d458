"""Rows in a GPU's memory are learnt where they lie: on a GPU, or in numba's simulator.

Without either these tests are skipped; ``test_cuda_simulated`` runs them in the simulator.
"""

import numpy as np
import pytest
from common import random_rows
from on_gpu import Csr, there
from sklearn.base import clone

from sklearn_adagrad import (
    AdagradClassifier,
    AdagradClassifierCV,
    AdagradRegressor,
    AdagradRegressorCV,
)
from sklearn_adagrad.engines import engine_of

try:
    engine_of("cuda")
except (ImportError, RuntimeError) as error:
    pytest.skip(str(error), allow_module_level=True)

from sklearn_adagrad.engines.cuda import device
from sklearn_adagrad.input import gpu

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # of overflows, in plain Python
]


def problem(dtype=np.float64, n_rows=12, seed=0):
    rng = np.random.default_rng(seed)
    X = random_rows(rng, n_rows, 9, 0.5, dtype)
    return X, rng.normal(size=n_rows), rng.choice([0.5, 1.0, 2.0], n_rows)


def assert_same(one, other):
    for name in ("coef_", "intercept_", "t_", "progressive_loss_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_the_same_bits_as_rows_that_are_copied(batch_size, kind, dtype):
    X, y, weights = problem(dtype)
    X.indices, X.indptr = X.indices.astype(kind), X.indptr.astype(kind)
    one = AdagradRegressor(lr=0.1, batch_size=batch_size, device="cuda")
    other = clone(one)
    for _ in range(2):
        one.partial_fit(X, y, weights)
        other.partial_fit(Csr(X), there(y), there(weights))
    assert_same(one, other)


def test_classes():
    X, y, _ = problem()
    labels = (y > 0).astype(np.int64)
    model = AdagradClassifier(lr=0.1, device="cuda")
    one = clone(model).partial_fit(X, labels, classes=[0, 1])
    assert_same(one, clone(model).partial_fit(Csr(X), there(labels), classes=[0, 1]))


@pytest.mark.parametrize(
    "more", [{}, {"early_stopping": True, "validation_fraction": 0.3}], ids=["all", "early"]
)
def test_fit(more):
    X, y, weights = problem(n_rows=20)
    model = AdagradRegressor(
        lr=0.1, max_iter=3, tol=None, random_state=0, batch_size=4, device="cuda", **more
    )
    one, other = clone(model).fit(X, y, weights), clone(model).fit(Csr(X), there(y), there(weights))
    assert_same(one, other)
    for name in {"loss_curve_", "validation_loss_curve_"} & {*dir(one)}:
        assert getattr(one, name) == getattr(other, name)


def test_fit_with_rows_to_validate():
    X, y, _ = problem(n_rows=20)
    given = {"early_stopping": True, "max_iter": 3, "tol": None, "random_state": 0}
    model = AdagradRegressor(lr=0.1, device="cuda", **given)
    one = clone(model).fit(X[:12], y[:12], X_val=X[12:], y_val=y[12:])
    other = clone(model).fit(Csr(X[:12]), y[:12], X_val=Csr(X[12:]), y_val=there(y[12:]))
    assert_same(one, other)
    assert one.validation_loss_curve_ == other.validation_loss_curve_


def test_what_is_said_of_rows_before_they_are_learnt():
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, batch_size=3, device="cuda")
    seen = clone(model)._progressive_partial_fit(X, y, weights)
    np.testing.assert_array_equal(
        clone(model)._progressive_partial_fit(Csr(X), y, there(weights)), seen
    )


@pytest.mark.parametrize(
    "search", [AdagradClassifierCV(lr=[0.1, 0.5]), AdagradRegressorCV(lr=[0.1, 0.5])]
)
def test_searches(search):
    X, y, _ = problem()
    y = (y > 0).astype(np.int64)
    search = clone(search).set_params(device="cuda")
    more = {"classes": [0, 1]} if isinstance(search, AdagradClassifierCV) else {}
    one = clone(search).partial_fit(X, y, **more)
    other = clone(search).partial_fit(Csr(X), there(y), **more)
    np.testing.assert_array_equal(*(each.cv_results_["progressive_loss"] for each in (one, other)))
    with pytest.raises(TypeError, match=r"X lies in a GPU's memory.*X\.get\(\)"):
        search.fit(Csr(X), y)


def test_rows_stay_where_they_lie(monkeypatch):
    """Neither copied to the processor, but for ``indptr``, nor within the GPU's memory."""
    X, y, _ = problem()
    seen, room = [], device.room

    def watched(shape, dtype, values=None):
        seen.append(values)
        return room(shape, dtype, values)

    def fetched(self, array):
        seen.append(device.fetched(array))
        return seen[-1]

    monkeypatch.setattr(device, "room", watched)
    monkeypatch.setattr("sklearn_adagrad.engines.cuda.engine.Engine.fetched", fetched)
    model = AdagradRegressor(lr=0.1, batch_size=3, device="cuda")
    model.partial_fit(X, y)
    assert any(np.array_equal(X.data, each) for each in seen)
    seen.clear()
    model.partial_fit(Csr(X), y)
    assert any(np.array_equal(X.indptr, each) for each in seen)
    for array in (X.data, X.indices):
        assert not any(np.array_equal(array, each) for each in seen)


def test_a_row_that_cannot_be_learnt():
    X, y, _ = problem()
    y[5] = 1e300
    model = AdagradRegressor(lr=0.1, device="cuda")
    with pytest.raises(FloatingPointError) as one:
        clone(model).partial_fit(X, y)
    with pytest.raises(FloatingPointError) as other:
        model.partial_fit(Csr(X), y)
    assert str(one.value) == str(other.value)
    assert model.t_ == 5


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


def in_row(X, n):
    return X.indptr[n]


@pytest.mark.parametrize(
    ("instead", "error", "match"),
    [
        (lambda X: {"indices": changed(X.indices, in_row(X, 3), 99)}, ValueError, "Row 3.*99"),
        (lambda X: {"indices": changed(X.indices, in_row(X, 3), -1)}, ValueError, "Row 3.*-1"),
        (
            lambda X: {"indices": changed(X.indices, in_row(X, 3) + 1, X.indices[in_row(X, 3)])},
            ValueError,
            r"Row 3.*twice.*sum_duplicates\(\)",
        ),
        (
            lambda X: {"data": changed(X.data, in_row(X, 3) + 1, 0.0)},
            ValueError,
            r"Row 3.*zero.*eliminate_zeros\(\)",
        ),
        (lambda X: {"data": changed(X.data, in_row(X, 3), np.nan)}, ValueError, "NaN in row 3"),
        (lambda X: {"data": changed(X.data, in_row(X, 3), -np.inf)}, ValueError, "inf.* row 3"),
        (lambda X: {"indptr": changed(X.indptr, 3, X.indptr[4] + 1)}, ValueError, "goes down.*3"),
        (lambda X: {"indptr": X.indptr + 1}, ValueError, r"indptr\[0\] is 1"),
        (lambda X: {"indptr": X.indptr[:-1]}, ValueError, "indptr has 12 entries"),
        (lambda X: {"indices": X.indices[:-1]}, ValueError, r"47 entries but X\.data has 48"),
        (lambda X: {"data": X.data[:-1]}, ValueError, r"48 entries but X\.data has 47"),
        (lambda X: {"data": X.data.astype(np.float32)}, TypeError, "float32.*of float64"),
        (lambda X: {"indices": X.indices.astype(np.uint16)}, TypeError, "uint16.*int32"),
        (lambda X: {"data": np.ones((2, 2))}, TypeError, "vector"),
    ],
)
def test_bad_rows(instead, error, match):
    X, y, _ = problem()
    model = AdagradRegressor(lr=0.1, device="cuda").partial_fit(Csr(X), y)
    before = model.coef_
    with pytest.raises(error, match=match):
        model.partial_fit(Csr(X, **instead(X)), y)
    np.testing.assert_array_equal(model.coef_, before)
    assert model.t_ == 12


def test_rows_without_entries_and_arrays_longer_than_what_is_in_use():
    X, y, _ = problem()
    model = AdagradRegressor(lr=0.1, device="cuda")
    one = clone(model).partial_fit(X[:4], y[:4])
    whole = Csr(X, indptr=X.indptr[:5])
    whole.shape = (4, X.shape[1])
    assert_same(one, clone(model).partial_fit(whole, y[:4]))
    one, other = (clone(model).partial_fit(rows, y) for rows in (0 * X, empty(X)))
    assert_same(one, other)


def empty(X):
    nothing = {"indices": X.indices[:0], "data": X.data[:0], "indptr": 0 * X.indptr}
    return Csr(X, **nothing)


def test_what_is_refused():
    X, y, _ = problem()
    gpu = AdagradRegressor(lr=0.1, device="cuda").partial_fit(X, y)
    for learn, name in (
        (lambda: AdagradRegressor(lr=0.1).partial_fit(Csr(X), y), "X"),
        (lambda: AdagradRegressor(lr=0.1).fit(X, there(y)), "y"),
        (lambda: AdagradRegressor(lr=0.1).partial_fit(X, y, there(y)), "sample_weight"),
        (lambda: gpu.predict(Csr(X)), "X"),
        (lambda: gpu.score(X, there(y)), "y"),
    ):
        with pytest.raises(TypeError, match=rf"{name} lies in a GPU's memory.*{name}\.get\(\)"):
            learn()
    with pytest.raises(TypeError, match="no CSR matrix"):
        gpu.partial_fit(there(X.toarray()), y)
    columns = Csr(X)
    columns.format = "csc"
    with pytest.raises(TypeError, match=r"tocsr\(\)"):
        gpu.partial_fit(columns, y)
    wide = Csr(X)
    wide.shape = (12, 10)
    with pytest.raises(ValueError, match="10 features"):
        gpu.partial_fit(wide, y)


def test_a_part_of_an_array():
    values = np.arange(5.0)
    part = gpu.GpuArray(there(values))[2:4]
    np.testing.assert_array_equal(device.fetched(part), [2.0, 3.0])
    np.testing.assert_array_equal(device.fetched(part.view(np.uint64)), values[2:4].view(np.uint64))
