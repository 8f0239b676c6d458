"""What parameters and gradients must be like."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engines.cpu.steps import add_repeats, find_firsts
from ..engines.cuda.steps import Gpu, sparse_gradient
from ..input.gpu import GpuArray, is_on_gpu


class SparseRows(NamedTuple):
    """A gradient that is zero but for some rows of its array.

    Parameters
    ----------
    indices : ndarray of shape (k,)
        Integers: which rows, in any order. Rows named twice are summed first.
    values : ndarray of shape (k, ...)
        The gradient of each: as a row of the array, or numbers if that has one dimension.
    """

    indices: NDArray
    values: NDArray


class _Rows(NamedTuple):
    """Sparse rows as the kernels take them; ``firsts`` are the positions that count."""

    indices: NDArray
    firsts: NDArray
    values: NDArray

    def taken(self, width):
        """The values that count."""
        return self.values.reshape(len(self.indices), width)[self.firsts]


class Scratch:
    """Room for finding rows that are named twice, kept from one step to the next."""

    def __init__(self):
        self._table = self._firsts = np.empty(0, np.int32)
        self._repeats = np.empty((0, 2), np.int32)

    def room(self, size):
        """An empty hash table for ``size`` indices, and room for positions and pairs of them."""
        if len(self._firsts) < size:
            self._firsts, self._repeats = np.empty(size, np.int32), np.empty((size, 2), np.int32)
            self._table = np.empty(_buckets(size), np.int32)
        table = self._table[: _buckets(size)]
        table.fill(-1)
        return table, self._firsts[:size], self._repeats[:size]


def _buckets(size):
    return 2 << size.bit_length()


def checked_parameter(array, n):
    """``array`` if it can be learnt in place; as a ``GpuArray`` if it lies in a GPU's memory."""
    if is_on_gpu(array):
        return _checked_on_gpu(array, f"params[{n}]", writes=True)
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
        kind = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"params[{n}] is {kind}: it must be an ndarray of float32 or float64.")
    _refuse_other_arrays(array, f"params[{n}]")
    flags = array.flags
    if not (flags.c_contiguous and flags.writeable and flags.aligned and array.dtype.isnative):
        raise ValueError(f"params[{n}] must be C-contiguous, aligned, native and writeable.")
    return array


def _refuse_other_arrays(array, name):
    if isinstance(array, np.matrix | np.ma.MaskedArray):
        raise TypeError(f"{name} is a {type(array).__name__}: pass a plain array.")


def prepared(grad, array, n, scratch):
    """The gradient of ``array`` as the kernels take it: flat and of its dtype, or ``_Rows``."""
    if isinstance(array, GpuArray):
        return _prepared_on_gpu(grad, array, n)
    for each in grad if isinstance(grad, SparseRows) else (grad,):
        if is_on_gpu(each):
            raise TypeError(
                f"grads[{n}] lies in a GPU's memory, but params[{n}] in the processor's: copy one "
                "of them to the other."
            )
    if isinstance(grad, SparseRows):
        return _prepared_rows(grad, array, n, scratch)
    _refuse_other_arrays(grad, f"grads[{n}]")
    grad = np.asarray(grad)
    if grad.shape != array.shape:
        raise ValueError(f"grads[{n}] has shape {grad.shape}, params[{n}] {array.shape}.")
    return _numbers(grad, array, n)


def _prepared_rows(grad, array, n, scratch):
    for each, what in ((grad.indices, "indices"), (grad.values, "values")):
        _refuse_other_arrays(each, f"grads[{n}].{what}")
    indices, values = np.asarray(grad.indices), np.asarray(grad.values)
    indices = _checked_indices(indices, values, array, n)
    size = len(indices)
    table, firsts, repeats = scratch.room(size)
    count = find_firsts(indices, len(array), table, firsts, repeats)
    if count < 0:
        _refuse_index(indices, array, n)
    flat = _numbers(values, array, n)
    if count < size:
        flat = flat.copy()
        add_repeats(flat.reshape(size, -1), repeats[: size - count])
    return _Rows(indices, firsts[:count], flat)


def _checked_indices(indices, values, array, n):
    """The indices of rows as int64, if they fit the values and the array."""
    indices = indices if indices.size else indices.astype(np.int64)
    if not array.shape:
        raise ValueError(f"params[{n}] is a single number and has no rows.")
    if indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise TypeError(f"grads[{n}].indices must be integers in one dimension.")
    if values.shape != (len(indices), *array.shape[1:]):
        raise ValueError(
            f"grads[{n}].values has shape {values.shape}: it must be "
            f"{(len(indices), *array.shape[1:])}, a row of params[{n}] for each index."
        )
    return np.ascontiguousarray(indices, np.int64)


def _refuse_index(indices, array, n):
    wrong = indices[(indices < 0) | (indices >= len(array))][0]
    raise IndexError(f"grads[{n}].indices has {wrong}, but params[{n}] has {len(array)} rows.")


def _checked_on_gpu(array, name, *, writes=False):
    """``array``, in a GPU's memory, as a ``GpuArray``."""
    array = GpuArray(array)
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} is {array.dtype}: it must be float32 or float64.")
    if not array.has_no_gaps or (writes and array.about["data"][1]):
        raise ValueError(f"{name} must be C-contiguous{' and writeable' if writes else ''}.")
    return array


def _prepared_on_gpu(grad, array, n):
    """The gradient of an ``array`` in a GPU's memory: flat, or a ``SparseGradient``."""
    is_sparse = isinstance(grad, SparseRows)
    values = grad.values if is_sparse else grad
    if not is_on_gpu(values):
        raise TypeError(
            f"grads[{n}] lies in the processor's memory, but params[{n}] in a GPU's: copy one of "
            "them to the other."
        )
    values, gpu = _checked_on_gpu(values, f"grads[{n}]"), Gpu(array)
    if values.dtype != array.dtype:
        raise TypeError(
            f"grads[{n}] is {values.dtype}, params[{n}] {array.dtype}: convert one of them, in the "
            "GPU's memory."
        )
    if values.size and array.size and Gpu(values).number != gpu.number:
        raise ValueError(f"grads[{n}] and params[{n}] lie in the memory of different GPUs.")
    if not is_sparse:
        if values.shape != array.shape:
            raise ValueError(f"grads[{n}] has shape {values.shape}, params[{n}] {array.shape}.")
        return values.flat()
    indices = grad.indices
    if is_on_gpu(indices):
        indices = gpu.fetched(GpuArray(indices))
    indices = _checked_indices(np.asarray(indices), values, array, n)
    if ((indices < 0) | (indices >= len(array))).any():
        _refuse_index(indices, array, n)
    return sparse_gradient(indices, values.flat(), math.prod(array.shape[1:]))


def _numbers(values, array, n):
    """``values`` flat, of the dtype of ``array``, and not in its memory."""
    dtype = array.dtype
    if values.dtype.kind not in "fiu":
        raise TypeError(f"grads[{n}] is {values.dtype}: it must be real numbers.")
    ready = values.dtype == dtype and values.flags.c_contiguous and values.flags.aligned
    values = values if ready else np.require(values, dtype, ("C", "A"))
    return (values.copy() if np.may_share_memory(values, array) else values).reshape(-1)
