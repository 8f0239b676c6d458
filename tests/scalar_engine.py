"""A second engine, as plain as can be: one entry at a time, in Python, over the same mathematics.

It shows what an engine must do, and the tests of the contract run on it too.
"""

import numpy as np

from sklearn_adagrad.arithmetic.tuples import record_of, replaced
from sklearn_adagrad.engines.cpu.engine import (  # noqa: F401
    entries_at_once,
    inspect,
    learns_elsewhere,
    losses,
)
from sklearn_adagrad.formulas.rules import (
    advanced,
    context_at,
    is_batched,
    is_importance_aware,
    is_scale_free,
    last_row,
    local,
    pull,
    settled,
    unpenalised,
    weight,
)
from sklearn_adagrad.model.binding import reading


def read(table, j):
    return record_of(table.dtype.names)(*(table[name][j] for name in table.dtype.names))


def entries(rows, i):
    span = slice(rows.indptr[i], rows.indptr[i + 1])
    return list(zip(rows.indices[span], rows.values[span].astype(float), strict=True))


def divided(a, b):
    return a / b if b > 0.0 else 0.0


def seen(rows, i, state, learns):
    """The entries of row ``i`` in columns that are divided by their scales, if they have any.

    A row that is learnt belongs to what the scales are made of.
    """
    largest, given = state.beside.get("largest", ()), entries(rows, i)
    if not len(largest):
        return given
    sizes = [max(float(largest[j]), abs(value) * learns) for j, value in given]
    return [(j, divided(value, size)) for (j, value), size in zip(given, sizes, strict=True)]


def as_it_is(rule):
    return rule


def start_of_batch(bound, state):
    """After how many rows the batch of the next row begins; it does now if the last one is over."""
    if not is_batched(bound.rule):
        return state.t
    batch = state.beside["batch"]
    if state.t >= batch[1]:
        batch[:] = state.t, last_row(bound.rule, state.t)
        if "batch_shares" in state.beside:
            state.beside["batch_shares"][:] = 0.0
    return int(batch[0])


def mean_share(state, share, gradient):
    """The share of the batch so far."""
    if "batch_shares" not in state.beside:
        return share
    shares = state.beside["batch_shares"]
    shares[:, 0] += abs(gradient) * share, abs(gradient)
    return divided(*shares[:, 0]) or share


def score(rows, i, bound, state, read_as=as_it_is, learns=False):
    t = start_of_batch(bound, state) if learns else state.t
    row, tables = context_at(bound.rule, bound.settings, t), state.tables

    def weight_of(rule, record, row):
        row = local(rule, record, row)
        return float(weight(read_as(rule), settled(rule, record, row.t, row), row))

    found = weight_of(bound.intercept_rule, read(tables["intercept"], 0), unpenalised(row))
    if is_scale_free(bound.rule):
        found += float(state.beside["targets"][0, 0])
    return found + sum(
        value * weight_of(bound.rule, read(tables["weights"], j), row)
        for j, value in seen(rows, i, state, learns)
    )


def rescale(rows, i, state, y, weight, fit_intercept, has_unit):
    """Let the scales be those with row ``i``, and return what multiplies its step."""
    largest, sums, targets = (state.beside[name] for name in ("largest", "sums", "targets"))
    given = entries(rows, i)
    for j, value in given if len(largest) else ():
        largest[j] = max(largest[j], abs(value))
    mass, squares, longest = sums
    mass += weight
    squares += weight * (sum(value**2 for _, value in seen(rows, i, state, True)) + fit_intercept)
    longest = max(longest, sum(value**2 for _, value in given) + fit_intercept)
    sums[:] = mass, squares, longest
    step = divided(mass, squares) if len(largest) else divided(1.0, longest)
    if has_unit:
        before, deviations = targets[:, 0]
        after = before + weight / mass * (y - before) * fit_intercept
        deviations += weight * (y - before) * (y - after)
        targets[:, 0] = after, deviations
        step *= deviations / mass
    return float(np.sqrt(step))


def share(parts, loss, y, found, weight, step):
    """What share of the gradients moves weights, so that the row is learnt in small steps."""
    fall = 0.0
    for record, rule, row, value, gradient in parts:
        fall += float(value * pull(rule, record, gradient * value, row))
    most = step * np.sqrt(weight)
    if fall == 0.0:
        return most
    found = loss.drop(y, found, max(0.0, weight * step * fall / gradient)) / fall
    return found if 0.0 <= found < most else most


def scores(rows, bits, n_features, bound, state, *, clips=False, n_jobs=1):
    verdict = inspect(rows, bits, n_features)
    n_rows = len(rows.indptr) - 1 if verdict.is_valid else 0
    return np.array([[score(rows, i, bound, state, reading)] for i in range(n_rows)]), verdict


def learn(
    rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, max_abs,
    drops=False, refuses=False, scores=None, has_unit=False, n_jobs=1,
):  # fmt: skip
    for i in order:
        if weights[i] == 0:
            continue
        y, found = targets.values[i, 0], score(rows, i, bound, state, learns=True)
        gradient, start = weights[i] * loss.gradient(y, found), start_of_batch(bound, state)
        row = context_at(bound.rule, bound.settings, start + 1)
        largest = max([1.0, *(abs(value) for _, value in entries(rows, i))])
        if not (abs(gradient) * largest <= limit and np.isfinite(found) and np.isfinite(row.lr)):
            return i
        if scores is not None:
            scores[i, 0] = found
        state.losses[:] += weights[i] * loss.value(y, found)
        state.totals["weight"] += weights[i]
        state.totals["epoch_weight"] += weights[i]
        step = 1.0
        if is_scale_free(bound.rule):
            found -= state.beside["targets"][0, 0]
            step = rescale(rows, i, state, y, weights[i], fit_intercept, has_unit)
            found += state.beside["targets"][0, 0]
            gradient = weights[i] * loss.gradient(y, found)
        state.totals["t"] += 1
        row_entries = seen(rows, i, state, True)
        norm = abs(gradient) * np.sqrt(sum(v**2 for _, v in row_entries) + fit_intercept)
        gradient *= min(1.0, bound.max_norm / norm) if norm > 0 else 1.0
        if is_importance_aware(bound.rule):
            gradient /= np.sqrt(weights[i])
        places = [("weights", j, bound.rule, row, value) for j, value in row_entries]
        if fit_intercept:
            places.append(("intercept", 0, bound.intercept_rule, unpenalised(row), 1.0))
        parts = []
        for table, j, rule, row, value in places:
            record = read(state.tables[table], j)
            row = local(rule, record, row)
            parts.append((settled(rule, record, row.t - 1, row), rule, row, value, gradient))
        if is_importance_aware(bound.rule) and gradient != 0.0:
            step = share(parts, loss, y, found, weights[i], step)
        step = mean_share(state, step, gradient)
        for (table, j, *_), (record, rule, row, value, _) in zip(places, parts, strict=True):
            row = replaced(row, "share", step)
            state.tables[table][j] = tuple(advanced(rule, record, gradient * value, row))
    return None
