"""The GPU: its package, its memory, and kernels for it."""

import functools
import math
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from numba import typeof
from numba.core import config

from ..._optional import optional
from ...arithmetic.jit import PART_COMPILERS
from ...input.gpu import GpuArray

_PACKAGE = __name__.partition(".")[0]
IS_SIMULATED = bool(config.ENABLE_CUDASIM)
THREADS = 3 if IS_SIMULATED else 128  # of a block


def require(number, device):
    """Raise an error that names the ``device`` if there is no GPU of this number."""
    device = f"device={device!r}"
    try:
        optional("numba_cuda", "cuda")
    except ImportError as error:
        raise ImportError(f"{device} needs numba-cuda, or set it to 'cpu'. {error}") from error
    from numba import cuda

    if not IS_SIMULATED and not cuda.is_available():
        raise RuntimeError(
            f"{device} needs an NVIDIA GPU and its driver, but none was found here. A model "
            "that was learnt on one predicts without, and learns on with device='cpu'."
        )
    if not 0 <= number < len(cuda.gpus):
        raise ValueError(f"{device} is not here: there are {len(cuda.gpus)} GPU(s), from 'cuda:0'.")


def on_gpu(number, function):
    """What ``function()`` returns, while this GPU is the thread's."""
    from numba import cuda

    with cuda.gpus[number]:
        return function()


# --- memory -----------------------------------------------------------------------------------


def there(item):
    """``item`` with a copy in the GPU's memory of every array in it that is not there already.

    A kernel cannot be given an array without any element: it gets one of one.
    """
    if isinstance(item, GpuArray) and item.size:
        return lying(item)
    if isinstance(item, np.ndarray | GpuArray):
        if 0 in item.shape:
            item = np.zeros([1] * len(item.shape), item.dtype)
        return room(item.shape, item.dtype, item)
    if isinstance(item, tuple):
        parts = map(there, item)
        return type(item)(*parts) if hasattr(item, "_fields") else tuple(parts)
    return item


def room(shape, dtype, values=None):
    """An array in the GPU's memory, with these ``values`` or with any."""
    if IS_SIMULATED:
        return np.zeros(shape, dtype) if values is None else np.array(values)
    from numba import cuda

    try:
        if values is None:
            return cuda.device_array(shape, dtype)
        return cuda.to_device(np.ascontiguousarray(values))
    except cuda.cudadrv.driver.CudaAPIError as error:
        if "OUT_OF_MEMORY" not in str(error):
            raise
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        raise MemoryError(
            f"The GPU has no {size:,} bytes left. Hash the features to fewer columns, use float32 "
            "rows, or learn on the processor."
        ) from error


def lying(item):
    """A ``GpuArray`` as kernels take it, where it lies; ValueError if that is another GPU."""
    if IS_SIMULATED:
        about = SimpleNamespace(__array_interface__=item.about, owner=item)
        return np.asarray(about)
    from numba import cuda

    gpu, other = cuda.current_context().device.id, number_of(item)
    if other != gpu:
        raise ValueError(
            f"An array lies in the memory of GPU {other}, but GPU {gpu} is to read it. "
            f"Set device='cuda:{other}', or copy the array."
        )
    return cuda.as_cuda_array(item).bind()  # its stream has come to an end: copies wait again


def number_of(item):
    """The number of the GPU in whose memory a ``GpuArray`` lies; of one without any number, 0."""
    if IS_SIMULATED or not item.size:
        return 0
    from numba import cuda

    cuda.current_context()  # or the driver might not answer
    driver = cuda.cudadrv.driver
    attribute = driver.binding.CUpointer_attribute.CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL
    pointer = driver.binding.CUdeviceptr(item.about["data"][0])
    return int(driver.driver.cuPointerGetAttribute(attribute, pointer))


def fetched(item):
    """A copy of a ``GpuArray`` in the processor's memory."""
    out = np.empty(item.shape, item.dtype)
    if out.size:
        array = lying(item)
        out = array.copy() if IS_SIMULATED else array.copy_to_host()
    return out


def lent(array):
    """An array of the GPU's as a ``GpuArray``."""
    return GpuArray(array, array.__array_interface__ if IS_SIMULATED else None)


def copied(array):
    """A copy of an array of the GPU's, in its memory."""
    copy = room(array.shape, array.dtype)
    same(array, copy)
    return copy


def back(array, out):
    """Copy an array of the GPU's into ``out``, an array of NumPy."""
    if IS_SIMULATED:
        np.copyto(out, array)
    elif out.size:
        array.copy_to_host(out)


def same(array, other):
    """Copy one array of the GPU's into another."""
    if IS_SIMULATED:
        np.copyto(other, array)
    else:
        other.copy_to_device(array)


# --- kernels ----------------------------------------------------------------------------------


class Size(NamedTuple):
    """How many threads run a kernel: in all or, of one whose threads meet, as many as there may."""

    blocks: int | None
    threads: tuple


def one_each(n):
    """A thread for each of ``n`` pieces of work."""
    return Size(1 if IS_SIMULATED else max(1, -(-n // THREADS)), (THREADS,))


@functools.cache
def _kernel(function, n_threads):
    """For blocks of so many threads: none takes more registers than there are for all."""
    from numba import cuda

    return cuda.jit(function) if IS_SIMULATED else cuda.jit(function, launch_bounds=n_threads)


def run(function, size, *arguments):
    """Run ``function`` in threads of the GPU, and wait for them."""
    from numba import cuda

    kernel, blocks = _kernel(function, math.prod(size.threads)), size.blocks or 1
    if not IS_SIMULATED:
        compiled = _compiled(kernel, arguments)
        if size.blocks is None:
            blocks = compiled.max_cooperative_grid_blocks(size.threads)
    kernel[blocks, size.threads](*arguments)
    cuda.synchronize()


def _compiled(kernel, arguments):
    """The code of ``kernel`` for these arguments, or an error that says whose it cannot be."""
    try:
        return kernel.compile(tuple(map(typeof, arguments)))
    except Exception as error:
        own = sorted({each.__name__ for item in arguments for each in _own_classes(item)})
        if not own:
            raise
        raise TypeError(
            f"{' or '.join(own)} does not compile for a GPU ({type(error).__name__}: "
            f"{str(error).strip()[:500]}). Write its methods with functions of math instead of "
            "NumPy, or learn on the processor."
        ) from error


def _own_classes(item):
    """The classes of named tuples in ``item`` that are not of this package."""
    if isinstance(item, tuple):
        if type(item).__module__.partition(".")[0] != _PACKAGE and hasattr(item, "_fields"):
            yield type(item)
        for each in item:
            yield from _own_classes(each)


def _part(function, kinds):
    """``function`` for arguments of these types, to be linked into its callers."""
    from numba.cuda.compiler import compile_internal
    from numba.cuda.core.callconv import CUDACallConv
    from numba.cuda.core.targetconfig import ConfigStack
    from numba.cuda.descriptor import cuda_target

    flags = ConfigStack().top().copy()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    target = cuda_target.target_context
    library = target.codegen().create_library(function.__qualname__)
    return compile_internal(
        cuda_target.typing_context, target, library, function, kinds, None, flags, {},
        call_conv=CUDACallConv(target), abi_info={},
    )  # fmt: skip


PART_COMPILERS["cuda"] = _part
