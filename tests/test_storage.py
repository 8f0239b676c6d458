"""However rows are stored, the model is the same to the last bit, and they stay as they were."""

import numpy as np
import pytest
from common import all_bits, bits, random_rows
from hypothesis import given, settings
from problems import fit, learn, problems
from scipy import sparse

from sklearn_adagrad import AdagradRegressor
from sklearn_adagrad.engines.cpu.engine import inspect
from sklearn_adagrad.input.checks import check_rows


def with_explicit_zeros(X):
    """``X`` with a stored 0.0 or -0.0 wherever it had nothing."""
    dense = X.toarray()
    empty = dense == 0
    dense[empty] = np.resize(np.array([0.0, -0.0]), empty.sum())
    n_rows, n_features = dense.shape
    indptr = np.arange(n_rows + 1) * n_features
    indices = np.tile(np.arange(n_features), n_rows)
    return sparse.csr_array((dense.ravel(), indices, indptr), shape=dense.shape)


def with_duplicates(X):
    """``X`` with every value stored as two halves."""
    halves = (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), X.indptr * 2)
    return sparse.csr_array(halves, shape=X.shape)


def unsorted(X):
    """``X`` with the entries of every row in reverse order."""
    rows = [np.arange(*ends)[::-1] for ends in zip(X.indptr[:-1], X.indptr[1:], strict=True)]
    order = np.concatenate(rows)
    return sparse.csr_array((X.data[order], X.indices[order], X.indptr), shape=X.shape)


def indexed_by(dtype):
    """A conversion to indices of ``dtype``."""

    def convert(X):
        X.indices, X.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
        return X

    return convert


def with_room_to_spare(X):
    """``X`` in arrays that go on where its last entry was, as scipy allows."""
    X.indices = np.append(X.indices, np.full(3, -1, X.indices.dtype))
    X.data = np.append(X.data, np.full((3, *X.data.shape[1:]), np.nan, X.data.dtype), axis=0)
    return X


def read_only(X):
    """``X`` in arrays that must not be written to."""
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    return X


FORMS = {
    "dense": lambda X: X.toarray(),
    "dense, column by column": lambda X: np.asfortranarray(X.toarray()),
    "dense, every other row of more": lambda X: np.repeat(X.toarray(), 2, axis=0)[::2],
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "csc_matrix": sparse.csc_matrix,
    "coo_array": sparse.coo_array,
    "coo_matrix": sparse.coo_matrix,
    "lil_array": sparse.lil_array,
    "dok_array": sparse.dok_array,
    "bsr_array": sparse.bsr_array,
    "dia_array": sparse.dia_array,
    "int16 indices": indexed_by(np.int16),
    "int32 indices": indexed_by(np.int32),
    "int64 indices": indexed_by(np.int64),
    "uint32 indices": indexed_by(np.uint32),
    "big-endian indices": indexed_by(">i4"),
    "explicit zeros": with_explicit_zeros,
    "explicit zeros in CSC": lambda X: with_explicit_zeros(X).tocsc(),
    "duplicates": with_duplicates,
    "duplicates in COO": lambda X: with_duplicates(X).tocoo(),
    "unsorted": unsorted,
    "unsorted duplicates": lambda X: unsorted(with_duplicates(X)),
    "unsorted CSC": lambda X: unsorted(sparse.csr_array(X.T)).T,
    "room to spare": with_room_to_spare,
    "room to spare in CSC": lambda X: with_room_to_spare(X.tocsc()),
    "room to spare in BSR": lambda X: with_room_to_spare(X.tobsr(blocksize=(1, 1))),
    "read-only": read_only,
}


def contents(X):
    """The raw contents of a matrix: what no call may change."""
    if isinstance(X, np.ndarray):
        return X.tobytes()
    names = ("data", "indices", "indptr", "row", "col", "rows", "offsets")
    arrays = [np.asarray(getattr(X, name)) for name in names if hasattr(X, name)]
    return [(str(array.dtype), array.shape, str(array.tolist())) for array in arrays]


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # dia_array
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=15, deadline=None)
@given(problem=problems())
def test_storage_makes_no_difference(form, problem):
    X = FORMS[form](problem["X"].copy())
    before = contents(X)
    streamed = learn(problem)
    assert bits(learn(problem, X=X)) == bits(streamed)
    epochs = {"max_iter": 2, "tol": None, "random_state": 0}
    assert bits(fit(problem | {"X": X}, **epochs)) == bits(fit(problem, **epochs))
    np.testing.assert_array_equal(streamed._scores(X), streamed._scores(problem["X"]))
    np.testing.assert_array_equal(streamed.predict(X), streamed.predict(problem["X"]))
    assert contents(X) == before


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_plain_csr_is_used_where_it_lies(index, dtype):
    X = indexed_by(index)(random_rows(np.random.default_rng(0), dtype=dtype))
    rows, n_features, peak = check_rows(AdagradRegressor(lr=0.1), X, reset=True, inspect=inspect)
    assert n_features == 30
    assert peak == np.abs(X.data).max()
    for mine, given_ in zip(rows, (X.indptr, X.indices, X.data), strict=True):
        assert np.shares_memory(mine, given_)


def test_indices_of_any_integer_type_are_read_as_what_they_say():
    """The check must not compare the bytes of one type and the kernels read those of another."""
    wanted = np.array([1, 2, 3])  # as big-endian bytes 2**24, 2**25, 3 * 2**24
    for index in ("<i4", ">i4", "<i8", ">i8", "<u4", ">u4", "<u8", ">u8", "<u2", "i1", "u1"):
        X = sparse.csr_array((np.ones(3), wanted, np.array([0, 1, 3])), shape=(2, 2**26))
        X = indexed_by(index)(X)
        rows, *_ = check_rows(AdagradRegressor(lr=0.1), X, reset=True, inspect=inspect)
        np.testing.assert_array_equal(rows.indices, wanted, err_msg=index)
        assert rows.indices.dtype.isnative, index
        assert rows.indptr.dtype.isnative, index


def test_first_call_decides_the_dtype():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng), rng.standard_normal(50)
    single = AdagradRegressor(lr=0.1).partial_fit(X.astype(np.float32), y)
    assert single.coef_.dtype == single.accumulator_.dtype == np.float32
    single.partial_fit(X, y)
    assert single.coef_.dtype == np.float32
    double = AdagradRegressor(lr=0.1).partial_fit(X, y)
    assert double.coef_.dtype == np.float64
    np.testing.assert_allclose(single.predict(X), double.partial_fit(X, y).predict(X), rtol=0.01)


@settings(max_examples=30, deadline=None)
@given(problem=problems())
def test_precision_of_targets_and_weights_is_float64(problem):
    """Whatever dtype they come in: numbers that float16 holds give the same model from each."""
    weights = np.arange(len(problem["y"])) % 3 * 0.5
    y = problem["y"] if problem["y"].dtype.kind == "i" else np.ceil(problem["y"] * 4) / 4
    y = np.where(y == 0, 1, y) if y.dtype.kind == "f" else y
    plain = learn(problem, y=y, sample_weight=weights)
    for dtype in (np.float16, np.float32, ">f8"):
        again = learn(problem, y=y.astype(dtype), sample_weight=weights.astype(dtype))
        assert bits(again) == bits(plain)


def test_refused_matrix_stays_as_it_was():
    X = unsorted(random_rows(np.random.default_rng(0)))
    X.data[3] = np.nan
    before, model = contents(X), AdagradRegressor(lr=0.1)
    unfitted = all_bits(model)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, np.zeros(50))
    assert contents(X) == before
    assert all_bits(model) == unfitted
