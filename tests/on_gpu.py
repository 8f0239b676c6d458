"""Arrays in a GPU's memory as users have them, without CuPy: on a GPU, or in numba's simulator."""

import numpy as np
from numba import cuda

from sklearn_adagrad.engines.cuda import device


class Lies:
    """An array that may be read through the interface only, as one of CuPy's."""

    def __init__(self, array):
        self._array = array

    @property
    def __cuda_array_interface__(self):
        return self._array.__array_interface__

    def copy_to_host(self):
        return self._array.copy()


class Csr:
    """What rows need to have of ``cupyx.scipy.sparse.csr_matrix``."""

    format = "csr"

    def __init__(self, X, **instead):
        for name in ("data", "indices", "indptr"):
            setattr(self, name, there(instead.get(name, getattr(X, name))))
        self.shape = X.shape


def there(array, order="C"):
    array = np.require(array, requirements=order)
    return Lies(array) if device.IS_SIMULATED else cuda.to_device(array)


def here(array):
    return array if isinstance(array, np.ndarray) else array.copy_to_host()
