"""The machine code of a loss, for a single head and for all heads of a row."""

import functools
import math

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils, config
from numba.extending import models, register_model

from ...arithmetic.arrays import load_lanes, store
from ...arithmetic.elementary import exp
from ...arithmetic.jit import compiled, emits, variant
from ...formulas.losses import LogLoss, Multinomial, drop, gradient, value
from .judge import MANY, MANY_DROPS, ONE, ONE_DROP, Judge

# Losses whose methods take lanes too.
_ON_LANES = (LogLoss,)
_LEAST = 1e-300  # of the odds of all classes but one


def judge_of(loss, is_single):
    """``loss`` for the loop of a single head, or of several."""
    if is_single:
        return _made(loss, _judge_one, ONE)
    return _made(loss, _kernel_of(loss, _judge_classes, _judge_lanes, _judge_each), MANY)


def solver_of(loss, is_single):
    """The same for where small steps end."""
    if is_single:
        return _made(loss, _drop_one, ONE_DROP)
    return _made(loss, _kernel_of(loss, _drop_classes, _drop_lanes, _drop_each), MANY_DROPS)


def _kernel_of(loss, of_classes, of_lanes, of_each):
    if type(loss) is Multinomial:
        return of_classes
    return of_lanes if type(loss) in _ON_LANES else of_each


def _made(loss, kernel, kinds):
    if config.DISABLE_JIT:
        return Judge(kernel, loss)
    kernel = variant(kernel, type(loss))
    return Judge(_address(kernel, type(loss), kinds), np.array(loss, np.float64))


# --- the machine code of a loss -------------------------------------------------------------


def _loss_of(fields):
    """The loss that has these fields; in plain Python it is passed as it is."""
    return fields


@compiled
def _judge_one(fields, y, score):
    loss = _loss_of(fields)
    return gradient(loss, y, score), value(loss, y, score)


@compiled
def _judge_each(fields, y, scores, n_outputs, n_heads, gradients, values):
    loss = _loss_of(fields)
    for h in range(n_heads):
        gradients[h] = gradient(loss, y[h], scores[h])
        values[h] = value(loss, y[h], scores[h])


@compiled
def _judge_lanes(fields, y, scores, n_outputs, n_heads, gradients, values):
    loss = _loss_of(fields)
    for h in range(0, len(y), 4):
        z, score = load_lanes(y, h, 4), load_lanes(scores, h, 4)
        store(gradients, h, gradient(loss, z, score))
        store(values, h, value(loss, z, score))


@compiled
def _judge_classes(fields, y, scores, n_outputs, n_heads, gradients, values):
    # Every model's scores are taken from their largest, so that no exponential overflows.
    for first in range(0, n_heads, n_outputs):
        top = scores[first]
        for h in range(first, first + n_outputs):
            top = scores[h] if scores[h] > top else top
        for h in range(first, first + n_outputs):
            values[h] = scores[h] - top
    for h in range(0, len(y), 4):
        store(gradients, h, exp(load_lanes(values, h, 4)))
    for first in range(0, n_heads, n_outputs):
        total, right = 0.0, 0.0
        for h in range(first, first + n_outputs):
            total += gradients[h]
            right = values[h] if y[h] > 0.0 else right
            values[h] = 0.0
        values[first] = math.log(total) - right
        for h in range(first, first + n_outputs):
            gradients[h] = gradients[h] / total - (1.0 if y[h] > 0.0 else 0.0)


@compiled
def _drop_one(fields, y, score, reach):
    return drop(_loss_of(fields), y, score, reach)


@compiled
def _drop_each(fields, y, scores, reaches, n_outputs, n_heads, drops):
    loss = _loss_of(fields)
    for h in range(n_heads):
        drops[h] = drop(loss, y[h], scores[h], reaches[h])


@compiled
def _drop_lanes(fields, y, scores, reaches, n_outputs, n_heads, drops):
    loss = _loss_of(fields)
    for h in range(0, len(y), 4):
        z, score, reach = load_lanes(y, h, 4), load_lanes(scores, h, 4), load_lanes(reaches, h, 4)
        store(drops, h, drop(loss, z, score, reach))


@compiled
def _drop_classes(fields, y, scores, reaches, n_outputs, n_heads, drops):
    # The odds of a class move as those of two classes, if the scores of the others stay.
    for first in range(0, n_heads, n_outputs):
        top, total = scores[first], 0.0
        for h in range(first, first + n_outputs):
            top = scores[h] if scores[h] > top else top
        for h in range(first, first + n_outputs):
            drops[h] = math.exp(scores[h] - top)
            total += drops[h]
        for h in range(first, first + n_outputs):
            others = total - drops[h]
            odds = scores[h] - top - math.log(others if others > _LEAST else _LEAST)
            drops[h] = drop(LogLoss(), y[h], odds, reaches[h])


# --- its fields, and its address ----------------------------------------------------------------


class _Fields(types.Type):
    """numba's type of a pointer to the fields of a loss of type ``loss``."""

    def __init__(self, loss):
        self.loss = loss
        super().__init__(f"Fields({loss})")

    @property
    def key(self):  # numba takes types with one key for one
        return self.loss


@register_model(_Fields)
class _FieldsModel(models.PrimitiveModel):
    def __init__(self, manager, fields):
        super().__init__(manager, fields, ir.DoubleType().as_pointer())


@emits(_loss_of)
def _emit_loss_of(fields):
    def emit(context, builder, args):
        places = (cgutils.gep_inbounds(builder, args[0], n) for n in range(len(fields.loss)))
        return context.make_tuple(builder, fields.loss, [builder.load(each) for each in places])

    return fields.loss, emit


@functools.cache
def _address(kernel, loss, kinds):
    fields = _Fields(types.NamedTuple([types.float64] * len(loss._fields), loss))
    arguments = (fields, *kinds[1])
    kernel.compile(arguments)
    code = kernel.overloads[arguments]
    return code.library.get_pointer_to_function(code.fndesc.llvm_func_name)
