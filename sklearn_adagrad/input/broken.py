"""What is wrong with a sparse matrix, in words that name the row.

Slow and thorough, for matrices that the fast check did not pass, or that scipy must convert
first. scipy trusts the arrays of a matrix, and its own check overlooks some that make it crash.
"""

from numbers import Integral

import numpy as np


def refuse_broken(X, name):
    """Raise ValueError if the arrays of a sparse matrix do not describe a matrix."""
    try:
        _refuse_any(X, name)
    except ValueError as error:
        raise ValueError(
            f"{error} Rebuild {name}, for instance with scipy.sparse.csr_array((data, (row, "
            "column)), shape=shape)."
        ) from None


def _refuse_any(X, name):
    if X.format == "coo":
        _refuse_coordinates(X, name)
    elif X.format in ("csr", "csc", "bsr"):
        _refuse_compressed(X, name)
    elif X.format == "dia":
        _refuse_other_than_vector(f"{name}.offsets", X.offsets, "iu")
        if X.offsets.dtype.kind == "u" or np.iinfo(X.offsets.dtype).max < max(X.shape):
            _refuse(f"{name}.offsets is of {X.offsets.dtype}, too narrow for shape {X.shape}")
        if X.data.ndim != 2 or len(X.data) != len(X.offsets):
            _refuse(f"{name} has {len(X.offsets)} offsets for data of shape {X.data.shape}")
        far = _first(np.abs(X.offsets.astype(np.float64)) > np.iinfo(np.int32).max)
        if far is not None and not -X.shape[0] < X.offsets[far] < X.shape[1]:  # scipy would wrap it
            _refuse(f"{name} has the diagonal {X.offsets[far]}, but its shape is {X.shape}")
        if len(np.unique(X.offsets)) < len(X.offsets):
            _refuse(f"{name}.offsets names a diagonal twice: {X.offsets}")
    elif X.format == "lil":
        _refuse_lists(X, name)
    elif X.format == "dok":
        keys = list(X.keys())
        for key in keys:
            if not (isinstance(key, tuple) and len(key) == 2 and all(map(_is_index, key, X.shape))):
                _refuse(f"{name} has the key {key!r}, but its shape is {X.shape}")


def _is_index(n, size):
    return isinstance(n, Integral) and 0 <= n < size


def _refuse_lists(X, name):
    for part, lists in (("rows", X.rows), ("data", X.data)):
        if lists.shape != X.shape[:1] or not all(isinstance(each, list) for each in lists):
            _refuse(f"{name}.{part} is not an array of {X.shape[0]} lists")
    for row, (columns, values) in enumerate(zip(X.rows, X.data, strict=True)):
        if len(columns) != len(values):
            _refuse(f"row {row} of {name} has {len(columns)} columns for {len(values)} values")
        for n in columns:
            if not _is_index(n, X.shape[1]):
                _refuse(
                    f"row {row} of {name} has the column index {n!r}, but {name} has {X.shape[1]} "
                    "columns"
                )


def _refuse_coordinates(X, name):
    _refuse_other_than_vector(f"{name}.data", X.data)
    for axis, coordinates in zip(("row", "column"), X.coords, strict=True):
        _refuse_other_than_vector(f"the {axis} indices of {name}", coordinates, "iu")
        size = X.shape[axis == "column"]
        if len(coordinates) != len(X.data):
            _refuse(f"{name} has {len(coordinates)} {axis} indices for {len(X.data)} values")
        entry = _first((coordinates < 0) | (coordinates >= size))
        if entry is not None:
            _refuse(
                f"entry {entry} of {name} is in {axis} {coordinates[entry]}, but {name} has {size}"
            )


def _refuse_compressed(X, name):
    indptr, indices, data = X.indptr, X.indices, X.data
    major, minor = ("column", "row") if X.format == "csc" else ("row", "column")
    n_major, n_minor = X.shape[:: -1 if X.format == "csc" else 1]
    if X.format == "bsr":
        if (
            data.ndim != 3
            or 0 in data.shape[1:]
            or n_major % data.shape[1]
            or n_minor % data.shape[2]
        ):
            _refuse(
                f"{name}.data has shape {data.shape}, which is no set of blocks for shape {X.shape}"
            )
        n_major, n_minor = n_major // data.shape[1], n_minor // data.shape[2]
        major, minor = "block row", "block column"
    else:
        _refuse_other_than_vector(f"{name}.data", data)
    _refuse_other_than_vector(f"{name}.indptr", indptr, "iu")
    _refuse_other_than_vector(f"{name}.indices", indices, "iu")
    if len(indptr) != n_major + 1:
        _refuse(
            f"{name}.indptr has {len(indptr)} entries, but {n_major} {major}s need {n_major + 1}"
        )
    if len(indices) != len(data):
        _refuse(f"{name}.indices has {len(indices)} entries but {name}.data has {len(data)}")
    if indptr[0] != 0:
        _refuse(f"{name}.indptr[0] is {indptr[0]}: {major} 0 of {name} does not begin at entry 0")
    row = _first(indptr[1:] < indptr[:-1])
    if row is not None:
        _refuse(
            f"{name}.indptr goes down, from {indptr[row]} to {indptr[row + 1]}, at {major} {row} "
            f"of {name}"
        )
    row = _first(indptr[1:] > len(indices))
    if row is not None:
        _refuse(
            f"{major} {row} of {name} ends at entry {indptr[row + 1]}, but {name} stores "
            f"{len(indices)}"
        )
    used = indices[: indptr[-1]]
    entry = _first((used < 0) | (used >= n_minor))
    if entry is not None:
        _refuse(
            f"{major} {row_of(indptr, entry)} of {name} has the {minor} index {used[entry]}, but "
            f"{name} has {n_minor} {minor}s, 0 to {n_minor - 1}"
        )


def _refuse_other_than_vector(name, array, kinds="biufcO"):
    if array.ndim != 1 or array.dtype.kind not in kinds:
        _refuse(f"{name} is an array of {array.dtype} and shape {array.shape}, not a vector")


def refuse_not_finite(rows, name):
    """Raise ValueError that names the first value that is NaN or infinite."""
    entry = _first(~np.isfinite(rows.values))
    gaps = "fill gaps with sklearn.impute.SimpleImputer"
    remedy = gaps if np.isnan(rows.values[entry]) else "clip its values"
    raise ValueError(
        f"Input {name} contains {name_of(rows.values[entry])} in row {row_of(rows.indptr, entry)}, "
        f"column {rows.indices[entry]}. Drop the row, or {remedy}."
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
    raise ValueError(f"{what[:1].upper()}{what[1:]}.")
