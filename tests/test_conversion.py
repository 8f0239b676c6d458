"""Good rows in unusual clothes: dtypes, lists, mapped memory, data frames."""

import numpy as np
import pytest
from common import (
    FEATURES,
    ROWS,
    assert_refused,
    bits,
    every_estimator,
    small_data,
    stream,
    untrained,
)
from scipy import sparse

from sklearn_adagrad import AdagradClassifier, AdagradRegressor

NATIVE = [np.int8, np.int64, np.uint32, bool, np.longdouble]
DRESSES = [(form, dtype) for form in ("csr_array", "csc_array", "coo_array") for dtype in NATIVE]
DRESSES += [("csr_array", ">f8"), ("csc_array", ">f8"), ("csr_array", ">i8"), ("csc_array", ">i8")]
DRESSES += [("array", each) for each in (*NATIVE, np.float16, object, ">f2", ">f4", ">f8", ">i8")]


def dressed(X, form, dtype):
    """``X`` in another form and dtype, be it one that scipy would not make itself."""
    if form == "array":
        return X.astype(dtype)
    X = getattr(sparse, form)(X)
    X.data = X.data.astype(dtype)
    return X


@every_estimator
@pytest.mark.parametrize(("form", "dtype"), DRESSES, ids=str)
def test_other_dtypes_are_converted(estimator, form, dtype):
    X = np.random.default_rng(0).integers(0, 3, (ROWS, FEATURES)).astype(dtype).astype(float)
    y = small_data()[1]
    plain, other = stream(untrained(estimator), X, y), dressed(X, form, dtype)
    assert bits(stream(untrained(estimator), other, y)) == bits(plain)
    assert bits(untrained(estimator).fit(other, y)) == bits(untrained(estimator).fit(X, y))
    np.testing.assert_array_equal(plain.predict(other), plain.predict(X))


@every_estimator
def test_lists_and_scalar_weights(estimator):
    X, y = small_data()
    plain = stream(untrained(estimator), X, y, sample_weight=np.full(ROWS, 0.5))
    listed = stream(untrained(estimator), X.toarray().tolist(), y.tolist(), sample_weight=0.5)
    assert bits(listed) == bits(plain)
    listed = stream(untrained(estimator), X, tuple(y), sample_weight=[0.5] * ROWS)
    assert bits(listed) == bits(plain)


@every_estimator
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_column_of_targets(estimator):
    X, y = small_data()
    column = stream(untrained(estimator), X, y[:, np.newaxis])
    assert bits(column) == bits(stream(untrained(estimator), X, y))


@every_estimator
def test_read_only_memory(estimator, tmp_path):
    X, y = small_data()
    arrays = {"data": X.data, "indices": X.indices, "indptr": X.indptr, "dense": X.toarray()}
    arrays |= {"y": y, "weights": np.ones(ROWS)}
    mapped = {}
    for name, array in arrays.items():
        np.save(tmp_path / name, array)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    csr = sparse.csr_array((mapped["data"], mapped["indices"], mapped["indptr"]), shape=X.shape)
    for matrix in (csr, mapped["dense"]):
        for train in (stream, lambda model, X, y, **more: model.fit(X, y, **more)):
            fresh, plain = untrained(estimator), untrained(estimator)
            train(fresh, matrix, mapped["y"], sample_weight=mapped["weights"])
            assert bits(fresh) == bits(train(plain, X, y))
            np.testing.assert_array_equal(fresh.predict(matrix), plain.predict(X))


def frame(library, names="abcdefgh"):
    module = pytest.importorskip(library)
    X = small_data()[0].toarray()
    return module.DataFrame({name: X[:, i] for i, name in enumerate(names)}), module


@every_estimator
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(estimator, library):
    X, module = frame(library)
    y = small_data()[1]
    plain = stream(untrained(estimator), *small_data())
    named = stream(
        untrained(estimator), X, module.Series(y), sample_weight=module.Series(np.ones(ROWS))
    )
    assert bits(named) == bits(plain)
    assert named.feature_names_in_.tolist() == list("abcdefgh")
    np.testing.assert_array_equal(named.predict(X), plain.predict(small_data()[0]))
    assert bits(untrained(estimator).fit(X, y)) == bits(untrained(estimator).fit(*small_data()))
    for names in ("abcdefgx", "bacdefgh"):
        other = frame(library, names)[0]
        for method in ("partial_fit", "predict"):
            arguments = (other,) if method == "predict" else (other, y)
            assert_refused(named, method, "feature names", *arguments)
    refused = untrained(estimator)
    assert_refused(refused, "partial_fit", "infinity|NaN", frame(library)[0] / 0, y)


def test_sparse_data_frame():
    pandas = pytest.importorskip("pandas")
    X, y = small_data()
    sparse_frame = pandas.DataFrame.sparse.from_spmatrix(
        sparse.csr_matrix(X), columns=list("abcdefgh")
    )
    named = stream(untrained(AdagradRegressor), sparse_frame, y)
    assert bits(named) == bits(stream(untrained(AdagradRegressor), X, y))


def test_missing_values_of_pandas():
    pandas = pytest.importorskip("pandas")
    X, y = small_data()
    missing = pandas.Series(y, dtype="Int64")
    missing[3] = pandas.NA
    for estimator in (AdagradClassifier, AdagradRegressor):
        for method in ("fit", "partial_fit"):
            error = (ValueError, TypeError)
            assert_refused(untrained(estimator), method, None, X, missing, error=error)
