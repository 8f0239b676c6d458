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
from ...formulas.losses import LogLoss, Multinomial, gradient, value
from .judge import MANY, ONE, Judge

# Losses whose methods take lanes too.
_ON_LANES = (LogLoss,)


def judge_of(loss, is_single):
    """``loss`` for the loop of a single head, or of several."""
    kernel = _judge_one if is_single else _kernel_of_many(type(loss))
    if config.DISABLE_JIT:
        return Judge(kernel, loss)
    kernel = variant(kernel, type(loss))
    return Judge(_address(kernel, type(loss), is_single), np.array(loss, np.float64))


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


def _kernel_of_many(loss):
    if loss is Multinomial:
        return _judge_classes
    return _judge_lanes if loss in _ON_LANES else _judge_each


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
def _address(kernel, loss, is_single):
    fields = _Fields(types.NamedTuple([types.float64] * len(loss._fields), loss))
    arguments = (fields, *(ONE if is_single else MANY)[1])
    kernel.compile(arguments)
    code = kernel.overloads[arguments]
    return code.library.get_pointer_to_function(code.fndesc.llvm_func_name)
