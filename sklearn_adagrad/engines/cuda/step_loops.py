"""The kernels of an optimizer: a thread for each weight."""

import numpy as np
from numba import cuda

from ...arithmetic.arrays import load_lanes, store
from ...arithmetic.jit import inlined
from ...formulas.rules import context_at
from ..cpu.steps import put, records_at, stepped


@inlined
def _step(table, place, gradient, k, scale, rule, row):
    record = records_at(table, place, 1)
    record, weight = stepped(rule, record, scale * load_lanes(gradient, k, 1), row)
    put(table, place, record)
    store(table.weights, place, weight)


def step_dense(table, gradient, scale, rule, settings, t):
    """Row ``t`` with ``scale * gradient`` for every weight."""
    row = context_at(rule, settings, t)
    for k in range(cuda.grid(1), len(table.weights), cuda.gridsize(1)):
        _step(table, np.uintp(k), gradient, np.uintp(k), scale, rule, row)


def step_rows(table, numbers, width, gradient, scale, rule, settings, t):
    """Row ``t`` for the rows of these ``numbers``, of ``width`` weights, all of them different."""
    row = context_at(rule, settings, t)
    for k in range(cuda.grid(1), len(numbers) * width, cuda.gridsize(1)):
        place = np.uintp(numbers[k // width] * width + k % width)
        _step(table, place, gradient, np.uintp(k), scale, rule, row)


def add_rows(values, width, order, begins, out):
    """The sum of the rows ``order[begins[r] : begins[r + 1]]`` as row ``r`` of ``out``."""
    for k in range(cuda.grid(1), (len(begins) - 1) * width, cuda.gridsize(1)):
        r, j = k // width, k % width
        total = values[order[begins[r]] * width + j]
        for m in range(begins[r] + 1, begins[r + 1]):
            total += values[order[m] * width + j]
        out[k] = total


def find_largest(values, n, out):
    """The largest magnitude of ``n`` values, in parts: one for each thread."""
    largest, who = 0.0, cuda.grid(1)
    for k in range(who, n, cuda.gridsize(1)):
        size = abs(np.float64(values[k]))
        largest = size if size > largest else largest
    out[who] = largest


def add_squares(values, n, divisor, out):
    """The sum of the squares of ``n`` values, each divided, in parts: one for each thread."""
    total, who = 0.0, cuda.grid(1)
    for k in range(who, n, cuda.gridsize(1)):
        one = np.float64(values[k]) / divisor
        total += one * one
    out[who] = total
