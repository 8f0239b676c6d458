"""A second engine, as plain as can be: one entry at a time, in Python, over the same mathematics.

It shows what an engine must do, and the tests of the contract run on it too.
"""

import numpy as np

from sklearn_adagrad.arithmetic.tuples import record_of
from sklearn_adagrad.engines.cpu.engine import host, inspect, losses  # noqa: F401
from sklearn_adagrad.formulas.rules import advanced, context_at, local, settled, unpenalised, weight
from sklearn_adagrad.model.binding import reading


def read(table, j):
    return record_of(table.dtype.names)(*(table[name][j] for name in table.dtype.names))


def entries(rows, i):
    span = slice(rows.indptr[i], rows.indptr[i + 1])
    return list(zip(rows.indices[span], rows.values[span].astype(float), strict=True))


def as_it_is(rule):
    return rule


def score(rows, i, bound, state, read_as=as_it_is):
    row, tables = context_at(bound.rule, bound.settings, state.t), state.tables

    def weight_of(rule, record, row):
        row = local(rule, record, row)
        return float(weight(read_as(rule), settled(rule, record, row.t, row), row))

    found = weight_of(bound.intercept_rule, read(tables["intercept"], 0), unpenalised(row))
    return found + sum(
        value * weight_of(bound.rule, read(tables["weights"], j), row)
        for j, value in entries(rows, i)
    )


def scores(rows, bits, n_features, bound, state):
    verdict = inspect(rows, bits, n_features)
    n_rows = len(rows.indptr) - 1 if verdict.is_valid else 0
    return np.array([[score(rows, i, bound, state, reading)] for i in range(n_rows)]), verdict


def learn(
    rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, max_abs,
    drops=False, refuses=False, scores=None,
):  # fmt: skip
    for i in order:
        if weights[i] == 0:
            continue
        y, found = targets.values[i, 0], score(rows, i, bound, state)
        gradient, row = weights[i] * loss.gradient(y, found), state.t + 1
        row = context_at(bound.rule, bound.settings, row)
        largest = max([1.0, *(abs(value) for _, value in entries(rows, i))])
        if not (abs(gradient) * largest <= limit and np.isfinite(found) and np.isfinite(row.lr)):
            return i
        if scores is not None:
            scores[i, 0] = found
        state.losses[:] += weights[i] * loss.value(y, found)
        state.totals["weight"] += weights[i]
        state.totals["epoch_weight"] += weights[i]
        state.totals["t"] += 1
        norm = abs(gradient) * np.sqrt(sum(v**2 for _, v in entries(rows, i)) + fit_intercept)
        gradient *= min(1.0, bound.max_norm / norm) if norm > 0 else 1.0
        parts = [("weights", j, bound.rule, row, gradient * value) for j, value in entries(rows, i)]
        if fit_intercept:
            parts.append(("intercept", 0, bound.intercept_rule, unpenalised(row), gradient))
        for table, j, rule, row, g in parts:
            record = read(state.tables[table], j)
            row = local(rule, record, row)
            record = advanced(rule, settled(rule, record, row.t - 1, row), g, row)
            state.tables[table][j] = tuple(record)
    return None
