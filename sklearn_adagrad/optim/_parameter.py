"""What an optimizer remembers of one array, and how it makes a step."""

import math

import numpy as np

from ..arithmetic.jit import variant
from ..arithmetic.times import TIME_OF
from ..arithmetic.tuples import record_of
from ..engines.cpu.steps import SparseGradient, Table, step_dense, step_rows, views
from ..formulas.rules import context_at, local, renewed, weight
from ..model.adaptation import adapted, must_adapt, read, up_to_date
from ._gradients import Scratch


class Parameter:
    """What is remembered of one array: its number of steps, and the fields of its records."""

    def __init__(self, shape, dtype, bound):
        self.shape, self.dtype, self.t = shape, dtype, 0
        self.set_rule(bound)
        self.scratch = Scratch()
        self.like = np.empty(0, [
            (name, TIME_OF[dtype] if name in bound.times else dtype) for name in bound.start
        ])  # fmt: skip
        size, self.width = math.prod(shape), math.prod(shape[1:])
        rows = sum(name != "weight" for name in bound.start)
        self.memory = np.empty((rows, size), dtype)

    def set_rule(self, bound):
        """Be learnt with the rule ``bound`` from row on."""
        self.bound = bound
        self.step_dense = variant(step_dense, bound.rule)
        self.step_rows = variant(step_rows, bound.rule)

    def adapt(self, weights, bound):
        """Go on with the rule ``bound``: what is due by the old one is settled first."""
        if must_adapt(self.bound, bound, self.t):
            with np.errstate(all="ignore"):
                record = adapted(self._record(weights), self.bound, bound, self.t)
            for name, field in self.fields(weights).items():
                field[:] = getattr(record, name)
        self.set_rule(bound)

    def fields(self, weights):
        """All fields as arrays; ``weights`` is the caller's array, flat."""
        return views(self.table(weights))

    def table(self, weights):
        """What the compiled steps need to know of the array."""
        return Table(weights, self.like, self.memory)

    def _record(self, weights):
        return record_of(self.like.dtype.names)(*self.fields(weights).values())

    def begin(self, weights):
        """Start from the caller's weights."""
        fields = self.fields(weights)
        for name, field in fields.items():
            if name != "weight":
                field[:] = self.bound.start[name]
        bound, record = self.bound, self._record(weights)
        with np.errstate(all="ignore"):
            row = local(bound.rule, record, context_at(bound.rule, bound.settings, 1))
            record = renewed(bound.rule, record, row)
        for name, field in fields.items():
            field[:] = getattr(record, name)

    def settle(self, weights):
        """Bring all weights up to date."""
        record, row = up_to_date(self.bound, self._record(weights), self.t)
        for name, field in self.fields(weights).items():
            field[:] = getattr(record, name)
        weights[:] = weight(self.bound.rule, record, row)

    def read(self, weights):
        """The weights to predict with."""
        return np.array(read(self.bound, self._record(weights), self.t), self.dtype)


def ready(parameter, array, bound):
    """``parameter``, or a new one, if it can be learnt with the rule ``bound``."""
    for name, value in bound.start.items():
        if np.ndim(value) and len(value) != array.size:
            raise ValueError(f"{name} has {len(value)} entries, the array {array.size} weights.")
    if parameter is None:
        parameter = Parameter(array.shape, array.dtype, bound)
        parameter.begin(array.reshape(-1))
    elif parameter.bound is not bound:
        must_adapt(parameter.bound, bound, parameter.t)
        if list(parameter.bound.start) != list(bound.start):
            raise ValueError("rule or alpha cannot change in kind once a step was made: begin a "
                             "new optimizer.")  # fmt: skip
    return parameter


def step(parameter, weights, grad, bound, scale):
    """One step of ``scale`` times a prepared gradient; ``weights`` is the caller's array, flat."""
    if parameter.bound is not bound:
        parameter.adapt(weights, bound)
    rule = bound.rule
    dense = isinstance(grad, np.ndarray)
    norm = bound.max_norm
    if norm < np.inf:
        values = grad if dense else grad.taken(parameter.width)
        top = float(np.abs(values).max(initial=0.0))
        top = top if 0.0 < top < np.inf else 1.0  # squares of large numbers would overflow
        with np.errstate(over="ignore"):
            length = abs(scale) * top * float(np.linalg.norm(values.astype(np.float64) / top))
        scale *= norm / length if length > norm else 1.0
    parameter.t += 1
    table, rest = parameter.table(weights), (float(scale), rule, bound.settings, parameter.t)
    if dense:
        parameter.step_dense(table, grad, *rest)
    else:
        parameter.step_rows(table, SparseGradient(*grad, parameter.width), *rest)
