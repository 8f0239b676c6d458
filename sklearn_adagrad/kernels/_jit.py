"""How the kernels are compiled, and how they reach the methods of a loss or a rule.

1. A loss or a rule is a ``NamedTuple`` with plain Python methods. Its class selects the
   machine code; its fields stay run-time values, so no number ever recompiles.
   Rules hold other rules in the same way.
2. Compiled code is kept on disk. numba watches only the file that defines a function,
   so the digest of all kernel sources is part of each function's name: editing a loss
   or upgrading the package can never run yesterday's code.
3. A class that is not part of this package (a user's loss) is compiled in memory only:
   its source is out of sight, and a stale copy would be a silent error.
"""

import functools
import hashlib
import inspect
from pathlib import Path

import numpy as np
from numba import njit
from numba.core import config
from numba.extending import overload

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",  # Python's checks of every division stop vectorisation
    "_nrt": False,  # kernels allocate nothing: no reference counts either
    "fastmath": {"contract"},  # fused multiply-add; nothing that reorders a sum
}
# Options of an ``overload``. A call in the loop over a row's entries would spill all registers.
INLINED = {"forceinline": True}
_PACKAGE = __name__.rpartition(".")[0]


def _digest():
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


_DIGEST = _digest()


def compiled(function):
    """Compile ``function`` at its first call and keep the machine code on disk."""
    if config.DISABLE_JIT:
        return function
    function.__qualname__ += f"-{_DIGEST}"
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # neither the package nor the home directory can be written
        return njit(**_OPTIONS)(function)


def inlined(function):
    """Make ``function`` a part of every kernel that calls it."""
    return function if config.DISABLE_JIT else njit(inline="always", **_OPTIONS)(function)


@functools.cache
def _in_memory(kernel, classes):
    # One for each set of classes: numba tells named tuples apart by their names only.
    return njit(**_OPTIONS)(kernel.py_func)


def variant(kernel, *objects):
    """Return ``kernel``, or its twin without a disk cache where a user's class takes part."""
    classes = tuple(each for item in objects for each in _classes(item))
    own = all(each.__module__.startswith(_PACKAGE) for each in classes)
    return kernel if own or config.DISABLE_JIT else _in_memory(kernel, classes)


def _classes(item):
    """The classes of a named tuple and of those within it."""
    if isinstance(item, tuple):
        yield type(item)
        for each in item:
            yield from _classes(each)


def read_only(array, dtype=None):
    """A contiguous, aligned, read-only view: one kind of array for the compiler to see."""
    view = np.require(array, dtype, ("C", "A")).view()
    view.flags.writeable = False
    return view


def generic(stub):
    """Make ``stub(obj, ...)`` call ``obj``'s method of that name, compiled or not.

    The body of ``stub`` is for objects without such a method.
    """
    name = stub.__name__

    @functools.wraps(stub)
    def call(self, *args):
        return getattr(type(self), name, stub)(self, *args)

    def choose(self, *args):
        return getattr(self.instance_class, name, stub)

    choose.__signature__ = inspect.signature(stub)
    overload(call, jit_options=INLINED)(choose)
    return call


def portable(function):
    """Let compiled code call ``function`` too."""

    def choose(*args):
        return function

    choose.__signature__ = inspect.signature(function)
    overload(function)(choose)
    return function
