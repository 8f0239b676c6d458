"""How the loops call a loss: by the address of its machine code.

So the loops are compiled once for all losses, and a loss once for all loops. Such a call takes a
few nanoseconds of a row's hundred. What is at the address is in ``losses``, which the loops
do not know of: an edited loss recompiles no loop.
"""

from typing import Any, NamedTuple

from numba import types

from ...arithmetic.jit import emits

_NUMBERS = types.Array(types.float64, 1, "C")
# What the code for a single head, and that for several, returns and takes.
ONE = types.UniTuple(types.float64, 2), (types.float64, types.float64)
MANY = types.none, (_NUMBERS, _NUMBERS, types.intp, types.intp, _NUMBERS, _NUMBERS)
# The same for how far scores fall in small steps.
ONE_DROP = types.float64, (types.float64, types.float64, types.float64)
MANY_DROPS = types.none, (_NUMBERS, _NUMBERS, _NUMBERS, types.intp, types.intp, _NUMBERS)


class NoJudge(NamedTuple):
    """For loops that need none."""


class Judge(NamedTuple):
    """A loss as the loops see it. In plain Python, its function and itself."""

    address: Any  # int
    fields: Any  # ndarray


def judged(judge, y, score):
    """The gradient of ``score``, and its loss, where ``y`` was right."""
    return judge.address(judge.fields, y, score)


def judge_heads(judge, y, scores, n_outputs, n_heads, gradients, values):
    """The same for every head of a row, into ``gradients`` and ``values``."""
    judge.address(judge.fields, y, scores, n_outputs, n_heads, gradients, values)


def dropped(judge, y, score, reach):
    """By how much the score falls if a row is learnt in small steps; see ``losses``."""
    return judge.address(judge.fields, y, score, reach)


def drop_heads(judge, y, scores, reaches, n_outputs, n_heads, drops):
    """The same for every head of a row, into ``drops``."""
    judge.address(judge.fields, y, scores, reaches, n_outputs, n_heads, drops)


def _calls(function, result, kinds):
    """Let compiled code call the machine code of a ``Judge`` where Python runs ``function``."""

    @emits(function)
    def define(judge, *given):
        def emit(context, builder, args):
            pointer = types.CPointer(types.float64)
            fields = context.make_array(judge.types[1])(
                context, builder, builder.extract_value(args[0], 1)
            ).data
            values = [
                context.cast(builder, value, *pair)
                for value, *pair in zip(args[1:], given, kinds, strict=True)
            ]
            kind = context.call_conv.get_function_type(result, (pointer, *kinds))
            code = builder.inttoptr(builder.extract_value(args[0], 0), kind.as_pointer())
            _, found = context.call_conv.call_function(
                builder, code, result, (pointer, *kinds), [fields, *values]
            )
            return found

        return result, emit


_calls(judged, *ONE)
_calls(judge_heads, *MANY)
_calls(dropped, *ONE_DROP)
_calls(drop_heads, *MANY_DROPS)
