"""Machine code on disk: found again while its sources are the same, and never in the way.

numba's cache is used as it is, but for two things. numba watches the one file that defines a
function; here the digest of every source that a kernel depends on is in the kernel's name. And
what numba raises when a file of its cache is damaged, or a disk is full, is a warning here: the
code is compiled in memory then.
"""

import contextlib
import functools
import hashlib
import re
import sys
import warnings
from pathlib import Path

from numba.core.caching import FunctionCache

_PACKAGE = __name__.split(".")[0]
_IMPORT = re.compile(r"^from (\.+)([\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


def keep_on_disk(dispatcher, modules):
    """Let ``dispatcher`` keep its code on disk for as long as ``modules`` are what they are."""
    dispatcher.py_func.__qualname__ += f"-{_digest(modules)}"
    # Where neither the package nor the home directory can be written, in memory only.
    with contextlib.suppress(OSError, RuntimeError):
        dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher


class _Cache(FunctionCache):
    """numba's, whose troubles are warnings."""

    def load_overload(self, signature, target_context):
        try:
            return super().load_overload(signature, target_context)
        except Exception as error:
            self._give_up("read", error)

    def save_overload(self, signature, data):
        try:
            super().save_overload(signature, data)
        except Exception as error:
            self._give_up("written", error)

    def _give_up(self, what, error):
        self.disable()
        if self.cache_path not in _warned:
            _warned.add(self.cache_path)
            warnings.warn(
                f"Compiled code in {self.cache_path} cannot be {what} "
                f"({type(error).__name__}: {error}): it is compiled in memory. Delete that folder, "
                "or let NUMBA_CACHE_DIR name another.",
                RuntimeWarning,
                stacklevel=2,
            )


_warned = set()  # folders


@functools.cache
def _digest(modules):
    """Of the sources of these modules, and of all that they import from this package."""
    names, found = list(modules), {}
    while names:
        name = names.pop()
        if name not in found:
            found[name] = _source(name)
            names += _imported(name, found[name])
    digest = hashlib.sha256()
    for name in sorted(found):
        digest.update(f"{name}\0{found[name]}\0".encode())
    return digest.hexdigest()[:16]


@functools.cache
def _source(name):
    return Path(sys.modules[name].__file__).read_text("utf-8")


def _imported(name, source):
    """The modules of this package that ``source``, the module ``name``, imports from."""
    for dots, module, names in _IMPORT.findall(source):
        parts = name.split(".")[: -len(dots)]
        base = ".".join([*parts, *([module] if module else [])])
        names = (each.split(" as ")[0].strip(" (),\n") for each in names.split(","))
        for found in (base, *(f"{base}.{each}" for each in names)):
            if found.startswith(_PACKAGE) and found in sys.modules:
                yield found
