"""Raw input becomes arrays that the kernels may trust, or an error that names the row.

numba checks no bounds. Whatever ``check_rows`` returns is safe to index with, and when it
raises nothing has changed yet.
"""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from .._sklearn import _check_n_features
from ..arithmetic.jit import read_only
from .broken import name_of, refuse_broken, refuse_not_finite
from .gpu import refuse_on_gpu
from .labels import refuse_missing
from .rows import Rows, bits_of

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def check_rows(estimator, X, *, reset, inspect, dtype=None, name="X"):
    """Return ``X`` as ``Rows``, its number of columns, and its largest magnitude.

    CSR input of floats with sorted, distinct indices and no stored zeros is used where it
    lies; anything else is converted to that form. ``dtype`` is the dtype to convert to; None
    keeps float32 and float64 as they are. ``inspect`` is that of an engine, or one that also scores
    the rows while it has them at hand.
    """
    refuse_on_gpu(X, name)
    dtypes = _FLOATS if dtype is None else (np.dtype(dtype),)
    is_sparse = sparse.issparse(X)
    if np.ma.isMaskedArray(X) and np.ma.is_masked(X):
        row = int(np.argwhere(np.ma.getmaskarray(X))[0][0])
        raise ValueError(
            f"{name} is a masked array with something masked in row {row}, of which the number "
            f"beneath would be learnt. Fill it first, for instance with {name}.filled(0)."
        )
    if is_sparse and X.ndim != 2:
        raise ValueError(
            f"Expected a 2D sparse array, got {X.ndim}D. For one row use {name}.reshape(1, -1)."
        )
    if is_sparse and X.format == "csr" and X.data.dtype in dtypes and min(X.shape) > 0:
        if hasattr(estimator, "feature_names_in_"):
            validate_data(estimator, X, reset=reset, skip_check_array=True)
        else:
            _check_n_features(estimator, X, reset=reset)
    else:
        if is_sparse:
            refuse_broken(X, name)
            if X.dtype == object:
                raise ValueError(f"{name} is of objects: convert it with {name}.astype(float).")
        with np.errstate(over="ignore"):  # what is too large for float32 is refused below
            X = validate_data(
                estimator,
                X,
                reset=reset,
                accept_sparse="csr",
                dtype=dtypes,
                ensure_all_finite=False,
            )
        X = X if is_sparse else sparse.csr_array(X)
    rows, bits = _arrays(X, name)
    verdict = inspect(rows, bits, X.shape[1])
    if not verdict.is_valid or verdict.smallest == 0:
        refuse_broken(X, name)
        X = sparse.csr_array((X.data.copy(), X.indices.copy(), X.indptr.copy()), shape=X.shape)
        X.sum_duplicates()
        X.eliminate_zeros()
        rows, bits = _arrays(X, name)
        verdict = inspect(rows, bits, X.shape[1])
    max_abs = float(np.array(verdict.largest, bits.words.dtype).view(rows.values.dtype))
    if not np.isfinite(max_abs):
        refuse_not_finite(rows, name)
    return rows, X.shape[1], max_abs


def take_rows(rows, chosen, n_features):
    """The ``chosen`` rows, copied."""
    shape = (len(rows.indptr) - 1, n_features)
    X = sparse.csr_array((rows.values, rows.indices, rows.indptr), shape=shape)
    return _arrays(X[chosen], "X")[0]


def _arrays(X, name):
    """The arrays of a CSR matrix, in one of the few forms that the kernels are compiled for."""
    indptr, indices, values = X.indptr, X.indices, X.data
    kinds = indptr.dtype.kind + indices.dtype.kind
    vectors = indptr.ndim == indices.ndim == values.ndim == 1
    if not (vectors and set(kinds) <= set("iu") and len(indptr) == X.shape[0] + 1):
        refuse_broken(X, name)
    narrow = indptr.dtype == indices.dtype == np.int32
    index = np.dtype(np.int32 if narrow else np.int64)
    size = max(0, int(indptr[-1]))  # scipy allows arrays longer than what is in use
    rows = Rows(
        read_only(indptr, index),
        read_only(indices[:size], index),
        read_only(values[:size], values.dtype),
    )
    return rows, bits_of(rows.values)


def check_target(estimator, y, n_rows, name="y"):
    """Return ``y`` as a vector with an entry, or as a matrix with a row, for every row of X.

    Finite if it is of numbers. A classifier's single column becomes a vector.
    """
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires {name} to be passed, but the target {name} is "
            "None."
        )
    refuse_on_gpu(y, name)
    if sparse.issparse(y):
        if y.ndim == 2:
            refuse_broken(y, name)
        y = y.toarray()
    if not (isinstance(y, np.ndarray) and y.ndim == 1):
        kind = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
        if isinstance(kind, np.dtype) and not y.isna().any():  # or integers would become floats
            y = y.to_numpy(dtype=kind)
        if not isinstance(y, np.ndarray):
            y = check_array(
                y, dtype=None, ensure_2d=False, ensure_all_finite=False, ensure_min_samples=0,
                allow_nd=True, input_name=name,
            )  # fmt: skip
        if y.ndim > 2:
            raise ValueError(
                f"{name} has shape {y.shape}: it must be a vector, or a matrix with a column for "
                "each output."
            )
        if y.ndim != 2 or (y.shape[1] == 1 and is_classifier(estimator)):
            y = column_or_1d(y, warn=True)
    _check_length(name, y, n_rows)
    if y.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {y.dtype}.")
    if y.dtype.kind == "V" or np.ma.isMaskedArray(y):
        raise ValueError(
            f"{name} is a masked or structured array: pass the rows that have a target."
        )
    if y.ndim == 2 and y.shape[1] == 0:
        raise ValueError(f"{name} has no columns: it needs one for every output.")
    if y.dtype.kind == "f":
        _check_finite(name, y)
    if y.dtype.kind in "OSM" and is_classifier(estimator):
        refuse_missing(y, name)
    return y


def check_numbers(y, name="y"):
    """Return the targets ``y`` as float64."""
    if y.dtype.kind not in "biufOUS":
        raise ValueError(f"{name} must be numbers, got dtype {y.dtype}.")
    try:
        numbers = np.ascontiguousarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, got dtype {y.dtype}: {error}") from error
    _check_finite(name, numbers)
    return numbers


def check_weights(sample_weight, n_rows, name="sample_weight"):
    """Return the weights of the rows as float64: finite and not negative."""
    if sample_weight is None:
        return np.ones(n_rows)
    refuse_on_gpu(sample_weight, name)
    if isinstance(sample_weight, Real | np.ndarray) and np.ndim(sample_weight) == 0:
        sample_weight = np.full(n_rows, sample_weight)
    if np.ma.isMaskedArray(sample_weight):
        raise ValueError(f"{name} is a masked array: use a weight of 0 to skip a row.")
    try:
        weights = check_array(
            sample_weight,
            dtype=np.float64,
            order="C",
            ensure_2d=False,
            ensure_all_finite=False,
            input_name=name,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers, one per row: {error}") from error
    if weights.ndim != 1:
        raise ValueError(
            f"{name} must be a number or a vector of one weight per row, got shape {weights.shape}."
        )
    _check_length(name, weights, n_rows)
    _check_finite(name, weights)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"{name}[{row}] = {weights[row]:g} is negative. Use 0 to skip a row.")
    tiny = (weights > 0) & (weights < np.finfo(np.float64).tiny)
    if tiny.any():
        row = int(np.argmax(tiny))
        raise ValueError(
            f"{name}[{row}] = {weights[row]:g} is too small to be told from 0: scale the weights "
            "to a mean of 1."
        )
    with np.errstate(over="ignore"):
        if not np.isfinite(weights.sum()):
            raise ValueError(
                f"The sum of {name} is too large, {name}[{int(weights.argmax())}] = "
                f"{weights.max():g}: scale the weights to a mean of 1."
            )
    return weights


def _check_length(name, values, n_rows):
    if len(values) != n_rows:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: X has "
            f"{n_rows} rows, but {name} has {len(values)} entries."
        )


def _check_finite(name, values):
    finite = np.isfinite(values)
    if not finite.all():
        row, *column = (int(n) for n in np.argwhere(~finite)[0])
        where = "".join(f", column {n}" for n in column)
        raise ValueError(
            f"Input {name} contains {name_of(values[row, *column])} in row {row}{where}. Drop or "
            "correct that row."
        )
