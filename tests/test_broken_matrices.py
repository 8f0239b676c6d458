"""A broken matrix is refused with the row named, and the model is as before, to the bit.

The kernels check no bounds: what gets past this is a crash or a wrong model.
"""

import re

import numpy as np
import pytest
from common import (
    FEATURES,
    assert_refused,
    bits,
    every_estimator,
    small_data,
    stream,
    trained,
    untrained,
)
from scipy import sparse

from sklearn_adagrad import AdagradRegressor
from sklearn_adagrad.rules import WeightDecay


def broken(change):
    """A CSR array whose arrays were changed by hand, past scipy's checks."""
    X = sparse.csr_array((np.ones(6), [0, 3, 7, 1, 2, 5], [0, 3, 3, 4, 6]), shape=(4, FEATURES))
    change(X)
    return X


def put(name, position, value):
    return lambda X: getattr(X, name).__setitem__(position, value)


def replace(name, array):
    return lambda X: setattr(X, name, np.asarray(array))


BROKEN = {
    "negative index": (put("indices", 4, -1), r"[Rr]ow 3 .*column index -1"),
    "index past the last column": (put("indices", 2, 8), r"[Rr]ow 0 .*column index 8.*0 to 7"),
    "huge index": (put("indices", 3, 2**31 - 1), r"[Rr]ow 2 .*column index 2147483647"),
    "hidden among unsorted": (replace("indices", [7, 99, 1, 1, 2, 5]), r"[Rr]ow 0 .*99"),
    "indptr decreasing": (replace("indptr", [0, 4, 3, 4, 6]), r"indptr goes down.* row 1"),
    "indptr past the end": (put("indptr", 4, 7), r"[Rr]ow 3 of X ends at entry 7.* 6"),
    "indptr far past the end": (put("indptr", slice(2, None), 10**9), r"[Rr]ow 1 of X ends"),
    "indptr negative": (put("indptr", 1, -3), r"indptr goes down.* row 0"),
    "indptr all negative": (replace("indptr", [0, -1, -1, -1, -1]), r"indptr goes down.* row 0"),
    "indptr not from 0": (put("indptr", 0, 1), r"row 0 .*does not begin"),
    "indptr too short": (replace("indptr", [0, 3, 6]), r"indptr has 3 entries.* 5"),
    "indptr too long": (replace("indptr", [0, 1, 2, 3, 4, 5, 6]), r"indptr has 7 entries.* 5"),
    "indptr empty": (replace("indptr", np.array([], int)), r"indptr has 0 entries"),
    "too few values": (replace("data", np.ones(5)), r"6 entries.* 5"),
    "too few indices": (replace("indices", [0, 3, 7, 1, 2]), r"5 entries.* 6|ends at entry 6.* 5"),
    "float indices": (replace("indices", np.array([0.5, 3, 7, 1, 2, 5])), r"X\.indices.*float64"),
    "float indptr": (replace("indptr", np.array([0, 3, 3, 4, 6.5])), r"X\.indptr.*float64"),
    "infinite indptr": (replace("indptr", np.array([0, 3, 3, 4, np.inf])), r"X\.indptr.*float64"),
    "indices of two dimensions": (replace("indices", np.zeros((6, 1), int)), r"X\.indices"),
    "values of two dimensions": (replace("data", np.ones((6, 1))), r"X\.data"),
}


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("dtype", [np.float64, int], ids=["as it is", "to be converted"])
def test_broken_csr(estimator, method, what, dtype):
    change, message = BROKEN[what]
    X = broken(change)
    X.data = X.data.astype(dtype)
    y = None if method == "predict" else np.arange(4) % 2
    assert_refused(trained(estimator), method, f"{message}.*Rebuild X", X, y)
    if method != "predict":
        assert_refused(untrained(estimator), method, message, X, y)


# Rows are inspected in blocks of 32 and of 256: what one says must not be lost in the next.
N_ROWS = 600
DECAY = WeightDecay("adagrad", 0.1)
every_place = pytest.mark.parametrize("row", [0, 1, 31, 32, 255, 256, 511, 512, 599])


@every_estimator
@every_place
def test_one_broken_row_among_many(estimator, row):
    X = sparse.csr_array(np.tile(np.arange(FEATURES) % 3, (N_ROWS, 1)).astype(float))
    y = np.arange(N_ROWS) % 2
    entry = X.indptr[row]
    for name, value, message in (
        ("indices", -1, f"[Rr]ow {row} .*column index -1"),
        ("indices", FEATURES, f"[Rr]ow {row} .*column index 8"),
        ("data", np.nan, f"NaN in row {row}, column 1"),
        ("data", np.inf, f"infinity.* in row {row}, column 1"),
    ):
        bad = X.copy()
        getattr(bad, name)[entry] = value
        for method in ("fit", "partial_fit", "predict"):
            given = None if method == "predict" else y
            assert_refused(trained(estimator), method, message, bad, given)


@every_estimator
@every_place
def test_one_unusual_row_among_many(estimator, row):
    """Out of order, or with an entry stored twice, or with a zero: the same model.

    Of a rule to which it makes a difference what a row has, even where that is zero.
    """
    dense = np.tile(np.arange(FEATURES) % 3, (N_ROWS, 1)).astype(float)
    dense[row] = 0.0
    dense[row, [2, 5]] = [3.0, 4.0]
    X, y = sparse.csr_array(dense), np.arange(N_ROWS) % 2
    start = X.indptr[row]
    assert list(X.indices[start : start + 2]) == [2, 5]
    stored = {
        "reversed": ([5, 2], [4.0, 3.0]),
        "twice": ([2, 2, 5], [1.0, 2.0, 4.0]),
        "zero": ([2, 4, 5], [3.0, 0.0, 4.0]),
    }
    for indices, values in stored.values():
        more = len(indices) - 2
        other = sparse.csr_array(
            (
                np.concatenate([X.data[:start], values, X.data[start + 2 :]]),
                np.concatenate([X.indices[:start], indices, X.indices[start + 2 :]]),
                np.where(np.arange(N_ROWS + 1) > row, X.indptr + more, X.indptr),
            ),
            shape=X.shape,
        )
        plain = stream(untrained(estimator, rule=DECAY), X, y)
        assert bits(stream(untrained(estimator, rule=DECAY), other, y)) == bits(plain)
        np.testing.assert_array_equal(plain._scores(other), plain._scores(X))


@every_estimator
def test_unusual_row_before_an_empty_one(estimator):
    """Where a row begins an index may be smaller; where an empty one does, there is none."""
    arrays = [1.0, 1.0, 3.0, 4.0], [2, 2, 0, 1], [0, 2, 2, 4, 4]
    X, y = np.array([[0, 0, 2], [0, 0, 0], [3, 4, 0], [0, 0, 0]], float), np.arange(4) % 2
    plain = stream(untrained(estimator), X, y)
    stored = sparse.csr_array(arrays, shape=(4, 3))
    assert bits(stream(untrained(estimator), stored, y)) == bits(plain)
    np.testing.assert_array_equal(plain._scores(stored), plain._scores(X))


def bad_csc():
    X = sparse.csc_array(np.eye(4, FEATURES))
    X.indices[2] = 4
    return X


def bad_coo(row, column):
    X = sparse.coo_array(np.eye(4, FEATURES))
    X.coords[0][2], X.coords[1][2] = row, column
    return X


def bad_coo_length():
    X = sparse.coo_array(np.eye(4, FEATURES))
    X.data = X.data[:2]
    return X


def bad_bsr():
    X = sparse.bsr_array(np.eye(4, FEATURES), blocksize=(2, 2))
    X.indices[1] = 4
    return X


def bad_lil():
    X = sparse.lil_array(np.eye(4, FEATURES))
    X.rows[1][0] = 99
    return X


OTHERS = {
    "csc": (bad_csc, r"column 2 .*row index 4\b.* 4 rows"),
    "coo row": (lambda: bad_coo(4, 0), r"entry 2 .*row 4\b.* 4\b"),
    "coo negative row": (lambda: bad_coo(-1, 0), r"entry 2 .*row -1\b.* 4\b"),
    "coo column": (lambda: bad_coo(0, 8), r"entry 2 .*column 8\b.* 8\b"),
    "coo negative column": (lambda: bad_coo(0, -5), r"entry 2 .*column -5\b.* 8\b"),
    "coo lengths": (bad_coo_length, "4 row indices for 2 values"),
    "bsr": (bad_bsr, "row 1 .*column index 4.* 4 block columns"),
    "lil": (bad_lil, "row 1 .*column index 99"),
}


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
@pytest.mark.parametrize("what", OTHERS)
def test_broken_matrix_of_another_format(estimator, method, what):
    make, message = OTHERS[what]
    y = None if method == "predict" else np.arange(4) % 2
    message = re.compile(f"{message}.*Rebuild X", re.IGNORECASE | re.DOTALL)
    assert_refused(trained(estimator), method, message, make(), y)


def poisoned(form, value):
    """Rows of which row 13, column 5 is ``value``."""
    X = small_data()[0].toarray()
    X[13, 5] = value
    if form == "float16":
        return X.astype(np.float16)
    return X.astype(object) if form == "object" else getattr(sparse, form, np.asarray)(X)


FORMS = ["array", "csr_array", "csr_matrix", "csc_array", "coo_array", "float16", "object"]


@every_estimator
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("value", "said"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
def test_values_not_finite(estimator, method, form, value, said):
    y = None if method == "predict" else small_data()[1]
    message = f"X contains {said}.* row 13, column 5"
    assert_refused(trained(estimator), method, message, poisoned(form, value), y)
    if y is not None:
        assert_refused(untrained(estimator), method, message, poisoned(form, value), y)


@pytest.mark.parametrize("form", ["array", "csr_array", "float16"])
def test_value_too_large_for_a_model_of_float32(form):
    X, y = small_data()
    model = AdagradRegressor(lr=0.1).partial_fit(X.astype(np.float32), y)
    large = poisoned(form, 1e300 if form != "float16" else np.inf)
    with np.errstate(over="ignore"):
        assert_refused(model, "partial_fit", "infinity or a value too large", large, y)


def test_duplicates_whose_sum_overflows():
    X = sparse.csr_array(([1e308, 1e308, 1.0], [1, 1, 0], [0, 0, 3]), shape=(2, 3))
    assert_refused(
        AdagradRegressor(lr=0.1), "partial_fit", "infinity.* row 1, column 1", X, [0.0, 1.0]
    )
