"""What an optimizer remembers of one array, and how it makes a step."""

import math
from contextlib import contextmanager

import numpy as np

from ..arithmetic.jit import variant
from ..arithmetic.times import TIME_OF
from ..arithmetic.tuples import record_of
from ..engines.cpu.steps import SparseGradient, Table, step_dense, step_rows, views
from ..engines.cuda.steps import Gpu
from ..formulas.rules import context_at, local, renewed, weight
from ..input.gpu import GpuArray
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
        self.memory, self.gpu = np.empty((rows, size), dtype), None

    def follow(self, array):
        """Let what is remembered lie in the memory in which the array lies."""
        gpu = Gpu(array) if isinstance(array, GpuArray) else None
        if (gpu and gpu.number) != (self.gpu and self.gpu.number):
            memory = self.memory_here()
            self.memory, self.gpu = gpu.kept(memory) if gpu else memory, gpu

    def memory_here(self):
        """What is remembered, in the processor's memory; a copy if it lies elsewhere."""
        return self.gpu.fetched(self.memory) if self.gpu else self.memory

    def __getstate__(self):
        """Copies begin in the processor's memory, and follow their arrays."""
        return vars(self) | {"memory": self.memory_here(), "gpu": None}

    @contextmanager
    def _here(self, weights):
        """The weights in the processor's memory, as is what is remembered, for so long."""
        if self.gpu is None:
            yield weights
            return
        there, own = self.memory, self.gpu.fetched(weights)
        self.memory = self.memory_here()
        try:
            yield own
            self.gpu.put(self.memory, there)
            self.gpu.put(own, weights)
        finally:
            self.memory = there

    def set_rule(self, bound):
        """Be learnt with the rule ``bound`` from row on."""
        self.bound = bound
        self.step_dense = variant(step_dense, bound.rule)
        self.step_rows = variant(step_rows, bound.rule)

    def adapt(self, weights, bound):
        """Go on with the rule ``bound``: what is due by the old one is settled first."""
        if must_adapt(self.bound, bound, self.t):
            with self._here(weights) as own, np.errstate(all="ignore"):
                record = adapted(self._record(own), self.bound, bound, self.t)
                for name, field in self.fields(own).items():
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
        with self._here(weights) as own:
            self._begin(own)

    def _begin(self, weights):
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
        with self._here(weights) as own:
            record, row = up_to_date(self.bound, self._record(own), self.t)
            for name, field in self.fields(own).items():
                field[:] = getattr(record, name)
            own[:] = weight(self.bound.rule, record, row)

    def read(self, weights):
        """The weights to predict with."""
        with self._here(weights) as own:
            return np.array(read(self.bound, self._record(own), self.t), self.dtype)


def ready(parameter, array, bound):
    """``parameter``, or a new one, if it can be learnt with the rule ``bound``."""
    for name, value in bound.start.items():
        if np.ndim(value) and len(value) != array.size:
            raise ValueError(f"{name} has {len(value)} entries, the array {array.size} weights.")
    if parameter is None:
        parameter = Parameter(array.shape, array.dtype, bound)
        parameter.follow(array)
        parameter.begin(flat(array))
        return parameter
    if parameter.bound is not bound:
        must_adapt(parameter.bound, bound, parameter.t)
        if list(parameter.bound.start) != list(bound.start):
            raise ValueError("rule or alpha cannot change in kind once a step was made: begin a "
                             "new optimizer.")  # fmt: skip
    parameter.follow(array)
    return parameter


def flat(array):
    """An array of either memory in one dimension, over the same numbers."""
    return array.flat() if isinstance(array, GpuArray) else array.reshape(-1)


def step(parameter, weights, grad, bound, scale):
    """One step of ``scale`` times a prepared gradient; ``weights`` is the caller's array, flat."""
    if parameter.bound is not bound:
        parameter.adapt(weights, bound)
    if parameter.gpu:
        about = weights, parameter.like, parameter.memory
        rest = bound.rule, bound.settings, parameter.t + 1
        parameter.gpu.step(*about, grad, scale, bound.max_norm, *rest)
        parameter.t += 1
        return
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
