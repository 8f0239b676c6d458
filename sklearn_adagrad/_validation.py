"""Raw input becomes arrays that the kernels may trust, or an error that names the row.

numba checks no bounds. Whatever passes ``check_rows`` is safe to index with, and whatever
does not has changed nothing yet.
"""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from .kernels.rows import Rows, inspect

_FLOATS = (np.dtype(np.float64), np.dtype(np.float32))
_UNSIGNED = {4: np.dtype(np.uint32), 8: np.dtype(np.uint64)}
_REBUILD = (
    "Rebuild it, for instance with scipy.sparse.csr_array((data, (row, column)), shape=shape)."
)


def check_rows(estimator, X, *, reset, dtype=None):
    """Return ``X`` as ``Rows`` and the largest magnitude of its values.

    CSR input of floats with sorted, distinct indices and no stored zeros is used where it
    lies; anything else is converted to that form. ``dtype`` is the dtype to convert to;
    None keeps float32 and float64 as they are.
    """
    dtypes = _FLOATS if dtype is None else (np.dtype(dtype),)
    if sparse.issparse(X) and X.format == "csr" and X.dtype in dtypes and min(X.shape) > 0:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    else:
        _check_before_conversion(X)
        X = validate_data(
            estimator, X, reset=reset, accept_sparse="csr", dtype=dtypes, ensure_all_finite=False
        )
        X = X if sparse.issparse(X) else sparse.csr_array(X)
    n_features = X.shape[1]
    rows, ordered, smallest, largest = _inspect(X)
    if not ordered or smallest == 0:
        _explain_structure(X)
        X = sparse.csr_array((X.data.copy(), X.indices.copy(), X.indptr.copy()), shape=X.shape)
        X.sum_duplicates()
        X.eliminate_zeros()
        rows, _, _, largest = _inspect(X)
    if not np.isfinite(largest):
        _explain_values(rows)
    return rows, n_features, float(largest)


def take_rows(rows, chosen, n_features):
    """The ``chosen`` rows, copied."""
    X = sparse.csr_array(
        (rows.values, rows.indices, rows.indptr), shape=(len(rows.indptr) - 1, n_features)
    )
    return _inspect(X[chosen])[0]


def _inspect(X):
    """The arrays of a CSR matrix as ``Rows``, and what ``inspect`` says of them."""
    if len(X.indptr) != X.shape[0] + 1 or not X.indices.ndim == X.data.ndim == X.indptr.ndim == 1:
        _explain_structure(X)
    index = X.indices.dtype
    if index != X.indptr.dtype or index.kind != "i" or index.itemsize < 4:
        index = np.dtype(np.int64)
    size = int(X.indptr[-1])
    indptr, indices, values = (
        _read_only(array, kind)
        for array, kind in (
            (X.indptr, index),
            (X.indices[:size] if 0 <= size else X.indices, index),
            (X.data[:size] if 0 <= size else X.data, X.data.dtype),
        )
    )
    bits = values.view(_UNSIGNED[values.itemsize])
    sign = bits.dtype.type(np.iinfo(bits.dtype).max // 2)
    ordered, smallest, largest = inspect(indptr, indices, bits, sign, X.shape[1])
    return Rows(indptr, indices, values), ordered, smallest, _magnitude(largest, values.dtype)


def _magnitude(bits, dtype):
    return np.array(bits, _UNSIGNED[dtype.itemsize]).view(dtype)[()] if bits else dtype.type(0)


def _read_only(array, dtype):
    """A contiguous, aligned, read-only view: one kind of array for the compiler to see."""
    array = np.require(array, dtype, ("C", "A")).view()
    array.flags.writeable = False
    return array


def _check_before_conversion(X):
    """scipy converts between formats without looking: an index out of range is a crash."""
    if not sparse.issparse(X):
        return
    if X.format == "coo":
        for axis, coordinate in enumerate(X.coords):
            bad = (coordinate < 0) | (coordinate >= X.shape[axis])
            if len(coordinate) != len(X.data) or bad.any():
                entry = int(np.argmax(bad))
                raise ValueError(
                    f"Entry {entry} of X (COO) has {('row', 'column')[axis]} {coordinate[entry]}, but X has "
                    f"shape {X.shape}. {_REBUILD}"
                )
    elif X.format == "csr":
        _explain_structure(X)
    elif X.format in ("csc", "bsr"):
        try:
            X.check_format(full_check=True)
        except ValueError as error:
            raise ValueError(
                f"X ({X.format.upper()}) is not a valid matrix: {error}. {_REBUILD}"
            ) from error


def _explain_structure(X):
    """Raise if the arrays of a CSR matrix do not describe a matrix."""
    indptr, indices, (n_rows, n_features) = X.indptr, X.indices, X.shape
    for name in ("indptr", "indices", "data"):
        array = getattr(X, name)
        if array.ndim != 1 or (name != "data" and array.dtype.kind not in "iu"):
            raise ValueError(
                f"X.{name} must be a vector{'' if name == 'data' else ' of integers'}, got "
                f"{array.dtype} of shape {array.shape}. {_REBUILD}"
            )
    if len(indptr) != n_rows + 1:
        raise ValueError(
            f"X.indptr has {len(indptr)} entries, but X has {n_rows} rows, which need {n_rows + 1}. {_REBUILD}"
        )
    if len(indices) != len(X.data):
        raise ValueError(
            f"X.indices has {len(indices)} entries but X.data has {len(X.data)}. {_REBUILD}"
        )
    if indptr[0] != 0:
        raise ValueError(
            f"X.indptr[0] is {indptr[0]}, so row 0 of X does not begin at entry 0. {_REBUILD}"
        )
    bad = indptr[1:] < indptr[:-1]
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"X.indptr goes down from {indptr[row]} to {indptr[row + 1]} at row {row} of X. {_REBUILD}"
        )
    if indptr[-1] > len(indices):
        row = int(np.argmax(indptr[1:] > len(indices)))
        raise ValueError(
            f"Row {row} of X ends at entry {indptr[row + 1]}, but X stores {len(indices)} entries. {_REBUILD}"
        )
    used = indices[: indptr[-1]]
    bad = (used < 0) | (used >= n_features)
    if bad.any():
        entry = int(np.argmax(bad))
        raise ValueError(
            f"Row {_row_of(indptr, entry)} of X has the column index {used[entry]}, but X has {n_features} "
            f"columns, 0 to {n_features - 1}. {_REBUILD}"
        )


def _explain_values(rows):
    entry = int(np.argmin(np.isfinite(rows.values)))
    value = rows.values[entry]
    raise ValueError(
        f"Input X contains {_name(value)} in row {_row_of(rows.indptr, entry)}, column {rows.indices[entry]}. "
        f"Drop the row or fill the gap, for instance with sklearn.impute.SimpleImputer."
    )


def _row_of(indptr, entry):
    return int(np.searchsorted(indptr, entry, side="right")) - 1


def _name(value):
    return "NaN" if np.isnan(value) else "infinity or a value too large for its dtype"


def check_target(estimator, y, n_rows):
    """Return ``y`` as a vector with one finite entry per row."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    if not (isinstance(y, np.ndarray) and y.ndim == 1):
        y = column_or_1d(y, warn=True)
    _check_length("y", y, n_rows)
    if y.dtype.kind == "f":
        _check_finite("y", y)
    return y


def check_weights(sample_weight, n_rows, name="sample_weight"):
    """Return the weights of the rows as float64: finite, not negative."""
    if sample_weight is None:
        return np.ones(n_rows)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight)
    weights = check_array(
        sample_weight,
        dtype=np.float64,
        order="C",
        ensure_2d=False,
        ensure_all_finite=False,
        input_name=name,
    )
    if weights.ndim != 1:
        raise ValueError(
            f"{name} must be a number or a vector with one entry per row, got shape {weights.shape}."
        )
    _check_length(name, weights, n_rows)
    _check_finite(name, weights)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"{name}[{row}] = {weights[row]:g} is negative. Use 0 to leave a row out.")
    return weights


def _check_length(name, values, n_rows):
    if len(values) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, "
            f"but {name} has {len(values)} entries."
        )


def _check_finite(name, values):
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argmin(finite))
        raise ValueError(
            f"Input {name} contains {_name(values[row])}: {name}[{row}]. Drop the row or correct it."
        )
