"""How functions are compiled, and how they reach the methods of a loss or a rule.

1. A loss or a rule is a ``NamedTuple`` with plain Python methods. Its class selects the machine
   code; its fields stay run-time values, so no number ever recompiles. Rules hold other rules
   in the same way.
2. Compiled code is kept on disk (see ``cache``), under a name that holds the digest of all sources
   that it depends on: editing a rule or upgrading the package can never run yesterday's code.
3. A class that is not part of this package (a user's loss) is compiled in memory only: its source
   is out of sight, and a stale copy would be a silent error.
4. numba spends most of its time on functions, not on instructions. Operations of one or two
   instructions are therefore emitted where they stand (``emits``), a method that only returns
   one of its arguments costs nothing (``generic``), and a function that is part of a kernel is
   neither optimised nor made executable by itself (``compiled_part``). The last takes what numba
   calls internal, ``compile_internal`` and ``JITCodeLibrary``, as its own ``overload`` does.

Named tuples without fields are equal whatever their class, and numba tells named tuples apart
by their names only: whatever is kept for a class is kept by the class itself.
"""

import dis
import functools
import inspect
from types import FunctionType

import llvmlite.ir as ir
import numpy as np
from numba import njit, types
from numba.core import config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Flags, compile_internal
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu_options import FastMathOptions
from numba.core.registry import cpu_target
from numba.core.target_extension import current_target
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

from .cache import keep_on_disk

_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",  # Python's checks of every division stop vectorisation
    "_nrt": False,  # kernels allocate nothing: no reference counts either
    "fastmath": {"contract"},  # fused multiply-add; nothing that reorders a sum
    "no_cfunc_wrapper": True,  # a quarter of the time that a small function takes to compile
}
# From compiled code only. A call would pass all that is in its named tuples, number by number.
_CALLED = {"no_cpython_wrapper": True, "forceinline": True}
_PACKAGE = __name__.split(".")[0]


def compiled(function):
    """Compile ``function`` at its first call and keep the machine code on disk."""
    return function if config.DISABLE_JIT else _kept(function, (function.__module__,))


def shared(function):
    """The same for a function that only kernels call: numba's part of the work is done once."""
    return function if config.DISABLE_JIT else _kept(function, (function.__module__,), True)


def inlined(function=None, *, literal=False):
    """Make ``function`` a part of every kernel that calls it; ``literal`` as in ``emits``."""
    if function is None:
        return functools.partial(inlined, literal=literal)

    @emits(function, literal=literal)
    def define(*kinds):
        part = compiled_part(function, kinds)
        return part.signature.return_type, functools.partial(call_part, part)

    return function


def by_type(function, *, literal=False):
    """Let compiled code call, instead of ``function``, what is decorated returns for its types.

    None is for types that it does not take; ``literal`` as in ``emits``.
    """

    def register(choose):
        choose = functools.cache(choose)

        @emits(function, literal=literal)
        def define(*kinds):
            chosen = choose(*kinds)
            if chosen is None:
                return None
            part = compiled_part(chosen, kinds)
            return part.signature.return_type, functools.partial(call_part, part)

        return choose

    return register


@functools.cache
def _kept(function, modules, only_called=False):
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    copy.__doc__, copy.__wrapped__ = function.__doc__, function
    options = _OPTIONS | (_CALLED if only_called else {})
    return keep_on_disk(njit(**options)(copy), modules)


@functools.cache
def _in_memory(function, classes):
    return njit(**_OPTIONS)(function)


def variant(kernel, *objects):
    """``kernel`` for the classes of ``objects``: it is compiled anew when their sources change."""
    if config.DISABLE_JIT:
        return kernel
    return _variant(kernel, tuple(each for item in objects for each in _classes(item)))


@functools.cache
def _variant(kernel, classes):
    modules = {each.__module__ for each in classes}
    if all(module.split(".")[0] == _PACKAGE for module in modules):
        return _kept(kernel.py_func.__wrapped__, tuple(sorted(modules | {kernel.__module__})))
    return _in_memory(kernel.py_func.__wrapped__, classes)


def _classes(item):
    """The classes of a named tuple and of those within it; a class counts as itself."""
    if isinstance(item, type):
        yield item
    elif isinstance(item, tuple):
        yield type(item)
        for each in item:
            yield from _classes(each)


def read_only(array, dtype=None):
    """A contiguous, aligned, read-only view: one kind of array for the compiler to see."""
    flags = array.flags if type(array) is np.ndarray and dtype in (None, array.dtype) else None
    if flags is None or not (flags.c_contiguous and flags.aligned):
        array = np.require(array, dtype, ("C", "A"))
    elif not flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


# --- operations that are emitted where they stand -----------------------------------------------


def emits(function, *kinds, literal=False):
    """Let compiled code emit instructions for ``function`` instead of calling it.

    What is decorated takes the types of the arguments, and returns the type of the result and a
    function of ``(context, builder, args)`` that emits it; or None if it is not for such types.
    ``kinds`` are the classes of these types where others have a say in ``function`` too.
    ``literal`` asks for the types of literals as such.
    """

    def register(define):
        class Template(AbstractTemplate):
            key = function
            prefer_literal = literal

            def generic(self, args, kws):
                found = None if kws else define(*args)
                return found and signature(found[0], *args)

        infer_global(function, types.Function(Template))

        @lower_builtin(function, *(kinds or [types.VarArg(types.Any)]))
        def lower(context, builder, signature, args):
            return define(*signature.args)[1](context, builder, args)

        return define

    return register


# --- functions that are part of a kernel --------------------------------------------------------


class _Part(JITCodeLibrary):
    """The code of a function that is only ever linked into others, where it is optimised."""

    def finalize(self):
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


def compiled_part(function, kinds):
    """``function`` for arguments of these types, to be linked into its callers."""
    return _compiled_part(function, kinds, current_target())


@functools.cache
def _compiled_part(function, kinds, target):
    return PART_COMPILERS[target](function, kinds)


def _for_the_processor(function, kinds):
    flags = Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.error_model, flags.fastmath = (
        _OPTIONS["error_model"],
        FastMathOptions(_OPTIONS["fastmath"]),
    )
    flags.forceinline = True  # a call in the loop over a row's entries would spill all registers
    target = cpu_target.target_context
    library = _Part(target.codegen(), function.__qualname__)
    with global_compiler_lock:
        return compile_internal(
            cpu_target.typing_context, target, library, function, kinds, None, flags, {}
        )


PART_COMPILERS = {"cpu": _for_the_processor}  # by target; an engine may add its own


def call_part(part, context, builder, args):
    """Emit the call of a compiled part."""
    context.active_code_library.add_linking_library(part.library)
    return context.call_internal(builder, part.fndesc, part.signature, args)


# --- methods ------------------------------------------------------------------------------------


def declared(item, name, default=None):
    """What the class of ``item`` says of ``name``, or else that of the rule within it."""
    while not hasattr(type(item), name) and "rule" in getattr(item, "_fields", ()):
        item = item.rule
    return getattr(type(item), name, default)


def constant(stub):
    """Make ``stub(obj)`` what the class of ``obj`` declares under that name, True or False.

    To the compiler it is a constant. What ``stub`` returns is for classes that declare nothing.
    """
    name = stub.__name__

    @functools.wraps(stub)
    def call(self):
        return declared(self, name, stub(self))

    @emits(call)
    def define(kind):
        kind, _ = _holder(kind, name)
        value = getattr(kind.instance_class, name, stub(None))
        return types.boolean, lambda context, builder, args: ir.IntType(1)(int(value))

    return call


def says(kind, name):
    """What the class of things of type ``kind``, or of the rule within, declares as ``name``."""
    return getattr(_holder(kind, name)[0].instance_class, name, False)


def _holder(kind, name, delegated=True):
    """The type within ``kind`` whose class has ``name``, and the way to it."""
    way = []
    while delegated and not hasattr(kind.instance_class, name) and "rule" in kind.fields:
        way.append(kind.fields.index("rule"))
        kind = kind.types[way[-1]]
    return kind, way


def generic(stub=None, *, delegated=True):
    """Make ``stub(obj, ...)`` call ``obj``'s method of that name, compiled or not.

    An object without such a method that holds another one in its field ``rule`` leaves it to that
    one, if ``delegated``. The body of ``stub`` is for objects that have and hold none.
    """
    if stub is None:
        return functools.partial(generic, delegated=delegated)
    name = stub.__name__

    @functools.wraps(stub)
    def call(self, *args):
        while delegated and not hasattr(type(self), name) and "rule" in type(self)._fields:
            self = self.rule
        return getattr(type(self), name, stub)(self, *args)

    def define(kind, *kinds):
        holder, way = _holder(kind, name, delegated)
        function = getattr(holder.instance_class, name, stub)
        place = _returned(function)
        part = None if place is not None else compiled_part(function, (holder, *kinds))

        def emit(context, builder, args):
            item = args[0]
            for n in way:
                item = builder.extract_value(item, n)
            args = [item, *args[1:]]
            return args[place] if part is None else call_part(part, context, builder, args)

        if part is None:
            return (holder, *kinds)[place], emit
        return part.signature.return_type, emit

    emits(call)(define)
    return call


@functools.cache
def _returned(function):
    """The position of the argument that is all that ``function`` returns, or None."""
    steps = [each for each in dis.get_instructions(function) if each.opname != "RESUME"]
    if len(steps) != 2 or not steps[0].opname.startswith("LOAD_FAST"):
        return None
    return list(inspect.signature(function).parameters).index(steps[0].argval)
