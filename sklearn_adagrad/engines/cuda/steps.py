"""The steps of an optimizer whose arrays lie in a GPU's memory.

Vectors are ``GpuArray``, as are gradients; what is sparse has been put in order by the processor.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ..._optional import optional
from ...input.gpu import GpuArray
from ..cpu.steps import Table
from ..cpu.team import together
from .device import (
    IS_SIMULATED,
    THREADS,
    Size,
    back,
    fetched,
    lent,
    lying,
    number_of,
    on_gpu,
    one_each,
    room,
    run,
    same,
    there,
)

_MOST_PARTS = 2 if IS_SIMULATED else 512  # blocks that share the norm of an array


class SparseGradient(NamedTuple):
    """The gradients of the rows of these ``numbers``, which are different.

    Row ``r`` is the sum of the rows ``order[begins[r] : begins[r + 1]]`` of ``values``.
    """

    numbers: np.ndarray
    order: np.ndarray
    begins: np.ndarray
    values: GpuArray
    width: int


def sparse_gradient(indices, values, width):
    """That of ``indices`` in any order, in the processor's memory."""
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    begins = np.flatnonzero(np.diff(ordered, prepend=-1))
    begins, numbers = np.append(begins, len(order)), ordered[begins]
    return SparseGradient(numbers, order, begins, values, width)


class Gpu:
    """The GPU in whose memory an array lies."""

    def __init__(self, array):
        optional("numba_cuda", "cuda")
        self.number = number_of(array)

    def kept(self, array):
        """A copy of an array of NumPy in the memory of this GPU."""
        return self._call(lambda: lent(room(array.shape, array.dtype, array)))

    def fetched(self, array):
        """A copy of an array of the GPU's in the processor's memory."""
        return self._call(lambda: fetched(array))

    def put(self, values, array):
        """Write an array of NumPy into one of the GPU's."""
        if array.size:
            self._call(lambda: same(room(values.shape, values.dtype, values), lying(array)))

    def step(self, weights, like, memory, grad, scale, max_norm, *rest):
        """A step of ``scale`` times a gradient that is no longer than ``max_norm``.

        The rest are the rule, its settings, and the number of the step.
        """
        self._call(partial(_step, weights, like, memory, grad, scale, max_norm, rest))

    def _call(self, function):
        return together(1, lambda who: on_gpu(self.number, function))[0]


def _step(weights, like, memory, grad, scale, max_norm, rest):
    from . import step_loops as loops

    is_dense = isinstance(grad, GpuArray)
    size = len(grad) if is_dense else len(grad.numbers) * grad.width
    if not size:
        return
    table = Table(there(weights), there(like), there(memory))
    if is_dense:
        values = there(grad)
    else:
        values = room(size, grad.values.dtype)
        given = there(grad.values), grad.width, there(grad.order), there(grad.begins), values
        run(loops.add_rows, one_each(size), *given)
    if max_norm < np.inf:
        length = abs(scale) * _norm(loops, values, size)
        scale *= max_norm / length if length > max_norm else 1.0
    if is_dense:
        run(loops.step_dense, one_each(size), table, values, float(scale), *rest)
    else:
        numbers = there(grad.numbers), grad.width
        run(loops.step_rows, one_each(size), table, *numbers, values, float(scale), *rest)


def _norm(loops, values, size):
    blocks = min(_MOST_PARTS, one_each(size).blocks)
    parts = Size(blocks, (THREADS,))
    out, found = room(blocks * THREADS, np.float64), np.empty(blocks * THREADS)
    run(loops.find_largest, parts, values, size, out)
    back(out, found)
    largest = float(found.max())
    largest = largest if 0.0 < largest < np.inf else 1.0  # squares of large numbers would overflow
    run(loops.add_squares, parts, values, size, largest, out)
    back(out, found)
    return largest * float(np.sqrt(found.sum()))
