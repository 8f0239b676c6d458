"""What an optimizer remembers of one array, and how it makes a step."""

import math

import numpy as np

from ..kernels._jit import variant
from ..kernels.records import record_of
from ..kernels.rules import at, local, longest, renewed, settled, settles, weight
from ..kernels.steps import step_dense, step_rows, views
from ..kernels.times import TIME_OF
from ._gradients import Scratch


class Parameter:
    """What is remembered of one array: its clock, and the fields of its records."""

    def __init__(self, shape, dtype, bound):
        self.shape, self.dtype, self.t = shape, dtype, 0
        self.obey(bound)
        self.scratch = Scratch()
        self.like = np.empty(0, [
            (name, TIME_OF[dtype] if name == "since" else dtype) for name in bound.start
        ])  # fmt: skip
        size, self.width = math.prod(shape), math.prod(shape[1:])
        rows = sum(name != "weight" for name in bound.start)
        self.memory = np.empty((rows, size), dtype)

    def obey(self, bound):
        """Be learnt with the rule ``bound`` from now on."""
        self.bound = bound
        self.step_dense = variant(step_dense, bound.rule)
        self.step_rows = variant(step_rows, bound.rule)

    def adapt(self, weights, bound):
        """Go on with the rule ``bound``: what is due by the old one is settled first."""
        if settles(bound.rule) or "z" in bound.start:
            self.settle(weights)
            self.obey(bound)
            self.renew(weights)
        self.obey(bound)

    def fields(self, weights):
        """All fields as arrays; ``weights`` is the caller's array, flat."""
        return views(weights, self.like, self.memory)

    def begin(self, weights):
        """Start from the caller's weights."""
        for name, field in self.fields(weights).items():
            value = self.bound.start[name]
            if np.ndim(value) and len(value) != len(field):
                raise ValueError(f"{name} has {len(value)} entries, the parameter {len(field)}.")
            if name != "weight":
                field[:] = value
        self.renew(weights)

    def settle(self, weights):
        """Bring all weights up to date."""
        self._apply(weights, lambda rule, record, now: settled(rule, record, self.t, now))
        weights[:] = self._read(weights, self.bound.rule)

    def renew(self, weights):
        """Adapt what is remembered to new hyper-parameters."""
        self._apply(weights, renewed)

    def _apply(self, weights, change):
        fields = self.fields(weights)
        record = record_of(self.like.dtype.names)(*fields.values())
        rule = self.bound.rule
        now = local(rule, record, at(rule, self.bound.settings, max(self.t, 1)))
        with np.errstate(all="ignore"):
            changed = change(rule, record, now)
        for name, value in changed._asdict().items():
            fields[name][:] = value

    def read(self, weights):
        """The weights to predict with."""
        return self._read(weights, self.bound.reading)

    def _read(self, weights, reading):
        record = record_of(self.like.dtype.names)(*self.fields(weights).values())
        rule = self.bound.rule
        now = local(rule, record, at(rule, self.bound.settings, self.t))
        return np.array(weight(reading, settled(rule, record, self.t, now), now), self.dtype)


def ready(parameter, array, bound):
    """``parameter``, or a new one, if it can be learnt with the rule ``bound``."""
    if parameter is None:
        parameter = Parameter(array.shape, array.dtype, bound)
        parameter.begin(array.reshape(-1))
    if list(parameter.bound.start) != list(bound.start):
        raise ValueError("rule or alpha cannot change in kind once a step was made: begin a new "
                         "optimizer.")  # fmt: skip
    return parameter


def step(parameter, weights, grad, bound, scale):
    """One step of ``scale`` times a prepared gradient; ``weights`` is the caller's array, flat."""
    if parameter.bound is not bound:
        parameter.adapt(weights, bound)
    rule = bound.rule
    dense = isinstance(grad, np.ndarray)
    norm = longest(rule)
    if norm < np.inf:
        values = grad if dense else grad.taken(parameter.width)
        with np.errstate(over="ignore"):
            length = abs(scale) * float(np.linalg.norm(values.astype(np.float64)))
        scale *= norm / length if length > norm else 1.0
    parameter.t += 1
    rest = (float(scale), parameter.like, parameter.memory, rule, bound.settings, parameter.t)
    if dense:
        parameter.step_dense(weights, grad, *rest)
    else:
        parameter.step_rows(weights, parameter.width, *grad, *rest)
