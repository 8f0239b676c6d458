"""Rows and numbers that lie in a GPU's memory already, whoever put them there.

They are known by ``__cuda_array_interface__``, which CuPy, PyTorch and numba have. Only an engine
that learns on the GPU reads them: everybody else refuses them, since a copy should be asked for.
"""

import math
from types import SimpleNamespace

import numpy as np
from sklearn.utils.validation import validate_data

from .._sklearn import _check_n_features
from .broken import refuse_broken, refuse_not_finite, row_of
from .rows import Rows, bits_of

_INTERFACE = "__cuda_array_interface__"
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_INDICES = (np.dtype(np.int32), np.dtype(np.int64))


def is_on_gpu(X):
    """Whether an array, or the numbers of a sparse matrix, lie in a GPU's memory."""
    is_sparse = hasattr(X, "indptr") or hasattr(X, "format")
    return hasattr(getattr(X, "data", None) if is_sparse else X, _INTERFACE)


def refuse_on_gpu(X, name):
    """Refuse, with a TypeError, what only a GPU can read."""
    if is_on_gpu(X):
        raise TypeError(
            f"{name} lies in a GPU's memory, where only fit and partial_fit of estimators, and "
            f"partial_fit of searches, read it, with device='cuda'. Pass a copy: {name}.get() of "
            f"CuPy, {name}.cpu() of PyTorch."
        )


class GpuArray:
    """An array in a GPU's memory; ``about`` is its interface, ``owner`` keeps it there."""

    def __init__(self, owner, about=None):
        self.owner = owner
        self.about = dict(getattr(owner, _INTERFACE) if about is None else about)
        self.shape, self.dtype = tuple(self.about["shape"]), np.dtype(self.about["typestr"])
        self.itemsize = self.dtype.itemsize

    @property
    def __cuda_array_interface__(self):
        return self.about

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, part):
        """Neighbours, of a vector without gaps."""
        start, stop, _ = part.indices(len(self))
        address, is_read_only = self.about["data"]
        data = address + start * self.itemsize, is_read_only
        return GpuArray(self.owner, self.about | {"data": data, "shape": (stop - start,)})

    def view(self, dtype):
        """The same memory as numbers of another dtype of that size."""
        return GpuArray(self.owner, self.about | {"typestr": np.dtype(dtype).str})

    def flat(self):
        """The same numbers in one dimension; there must be no gaps."""
        return GpuArray(self.owner, self.about | {"shape": (self.size,), "strides": None})

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def has_no_gaps(self):
        """Whether the numbers lie side by side, in C order."""
        strides, size = self.about.get("strides"), self.itemsize
        if strides is None or not self.size:
            return True
        for length, stride in zip(self.shape[::-1], strides[::-1], strict=True):
            if length > 1 and stride != size:
                return False
            size *= length
        return True


def check_gpu_rows(estimator, X, *, reset, engine, dtype=None, name="X"):
    """What ``check_rows`` returns, for a CSR matrix in the GPU's memory, which stays there.

    ``indptr`` is copied to the processor; the rest is inspected where it lies, and copied only to
    say what is wrong with it. Nothing is converted: what would have to be is refused.
    """
    if not hasattr(X, "indptr") or getattr(X, "format", "csr") != "csr":
        raise TypeError(
            f"{name} lies in a GPU's memory and is no CSR matrix. Convert it there, with "
            f"cupyx.scipy.sparse.csr_matrix({name}) or {name}.tocsr()."
        )
    indptr, indices, values = map(GpuArray, (X.indptr, X.indices, X.data))
    dtypes = _FLOATS if dtype is None else (np.dtype(dtype),)
    for each, what, allowed in (
        (indptr, "indptr", _INDICES), (indices, "indices", _INDICES), (values, "data", dtypes),
    ):  # fmt: skip
        if len(each.shape) != 1 or not each.has_no_gaps or each.dtype not in allowed:
            raise TypeError(
                f"{name}.{what} is an array of {each.dtype} and shape {each.shape} in a GPU's "
                f"memory: it must be a vector without gaps, of {' or '.join(map(str, allowed))}. "
                "Convert it there, for instance with astype of CuPy."
            )
    if min(X.shape) == 0:
        raise ValueError(f"{name} has shape {tuple(X.shape)}: there is nothing to learn.")
    if hasattr(estimator, "feature_names_in_"):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    else:
        _check_n_features(estimator, X, reset=reset)
    rows = Rows(engine.fetched(indptr).astype(indices.dtype), indices, values)
    bits = bits_of(values)
    is_valid = len(rows.indptr) == X.shape[0] + 1
    if is_valid:
        is_valid, smallest, largest = engine.inspect(rows, bits, X.shape[1])
    if not is_valid or smallest == 0:
        _refuse(Rows(rows.indptr, *map(engine.fetched, rows[1:])), X.shape, name)
    max_abs = float(np.array(largest, bits.words.dtype).view(values.dtype))
    if not np.isfinite(max_abs):
        refuse_not_finite(Rows(rows.indptr, *map(engine.fetched, rows[1:])), name)
    return rows, X.shape[1], max_abs


def _refuse(rows, shape, name):
    """Raise ValueError that says what is wrong with rows that were copied."""
    indptr, indices, values = rows
    about = {"indptr": indptr, "indices": indices, "data": values, "shape": shape}
    refuse_broken(SimpleNamespace(format="csr", **about), name)
    size, begins = indptr[-1], np.zeros(len(indices) + 1, bool)
    begins[indptr] = True
    falls = np.flatnonzero((np.diff(indices[:size]) <= 0) & ~begins[1:size])
    if len(falls):
        raise ValueError(
            f"Row {row_of(indptr, falls[0] + 1)} of {name} names a column twice, or its columns "
            f"are not in order. Call {name}.sum_duplicates() first: in a GPU's memory it is not "
            "done unasked."
        )
    zero = row_of(indptr, int(np.argmax(values[:size] == 0)))
    raise ValueError(
        f"Row {zero} of {name} stores a zero. Call {name}.eliminate_zeros() first: in a GPU's "
        "memory it is not done unasked."
    )
