"""What is wrong with a sparse matrix, in words that name the row.

Slow and thorough, for matrices that the fast check did not pass. scipy trusts the arrays of a
matrix; whoever has changed them by hand gets a crash from it, or an error from here.
"""

import numpy as np

_REBUILD = (
    "Rebuild X, for instance with scipy.sparse.csr_array((data, (row, column)), shape=shape)."
)


def refuse_broken_csr(X):
    """Raise ValueError if the arrays of a CSR matrix do not describe a matrix."""
    indptr, indices, (n_rows, n_features) = X.indptr, X.indices, X.shape
    for name in ("indptr", "indices", "data"):
        array = getattr(X, name)
        if array.ndim != 1 or (name != "data" and array.dtype.kind not in "iu"):
            _refuse(f"X.{name} is an array of {array.dtype} and shape {array.shape}, not a vector")
    if len(indptr) != n_rows + 1:
        _refuse(f"X.indptr has {len(indptr)} entries, but {n_rows} rows need {n_rows + 1}")
    if len(indices) != len(X.data):
        _refuse(f"X.indices has {len(indices)} entries but X.data has {len(X.data)}")
    if indptr[0] != 0:
        _refuse(f"X.indptr[0] is {indptr[0]}: row 0 of X does not begin at entry 0")
    row = _first(indptr[1:] < indptr[:-1])
    if row is not None:
        _refuse(f"X.indptr goes down, from {indptr[row]} to {indptr[row + 1]}, at row {row} of X")
    row = _first(indptr[1:] > len(indices))
    if row is not None:
        _refuse(f"row {row} of X ends at entry {indptr[row + 1]}, but X stores {len(indices)}")
    used = indices[: indptr[-1]]
    entry = _first((used < 0) | (used >= n_features))
    if entry is not None:
        _refuse(
            f"row {row_of(indptr, entry)} of X has the column index {used[entry]}, but X has "
            f"{n_features} columns, 0 to {n_features - 1}"
        )


def refuse_broken(X):
    """The same for a sparse matrix of any format, before scipy converts it without looking."""
    if X.format == "csr":
        refuse_broken_csr(X)
    elif X.format == "coo":
        for axis, coordinates in zip(("row", "column"), X.coords, strict=True):
            size = X.shape[axis == "column"]
            if len(coordinates) != len(X.data):
                _refuse(f"X has {len(coordinates)} {axis} indices for {len(X.data)} values")
            entry = _first((coordinates < 0) | (coordinates >= size))
            if entry is not None:
                _refuse(f"entry {entry} of X is in {axis} {coordinates[entry]} of {size}")
    elif X.format in ("csc", "bsr"):
        try:
            X.check_format(full_check=True)
        except ValueError as error:
            _refuse(f"X is not a valid {X.format.upper()} matrix: {error}")


def refuse_not_finite(rows):
    """Raise ValueError that names the first value that is NaN or infinite."""
    entry = _first(~np.isfinite(rows.values))
    raise ValueError(
        f"Input X contains {name_of(rows.values[entry])} in row {row_of(rows.indptr, entry)}, "
        f"column {rows.indices[entry]}. Drop the row, or fill gaps with "
        "sklearn.impute.SimpleImputer."
    )


def row_of(indptr, entry):
    """The row that stores ``entry``."""
    return int(np.searchsorted(indptr, entry, side="right")) - 1


def name_of(value):
    """What to call a number that is not finite."""
    return "NaN" if np.isnan(value) else "infinity or a value too large for its dtype"


def _first(bad):
    return int(np.argmax(bad)) if bad.any() else None


def _refuse(what):
    raise ValueError(f"{what[0].upper()}{what[1:]}. {_REBUILD}")
