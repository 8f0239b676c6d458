"""Models of parts of the rows become one: their weights are averaged."""

import numpy as np

from ..formulas.rules import weight
from .adaptation import made_of, up_to_date
from .binding import unstacked
from .state import new_state, record_of_cells

_LIKE_WEIGHTS = {"weight", "velocity", "missed"}  # fields in units of the score over the feature


def merged(bound, lead, single, states):
    """A state of ``bound``, all learners of which have the mean of the weights of ``states``.

    These were learnt with ``single``, the rule of one of the learners. Accumulators are averaged
    too. ``lead`` is a state of ``bound`` that knows of scales which that learner does not need.
    """
    first, t = states[0], max(state.t for state in states)
    new = new_state(bound, first.n_features, first.dtype, first.n_heads)
    new.totals["t"] = t
    _merge_scales(new, lead, states)
    with np.errstate(over="ignore", under="ignore"):
        for table in new.tables:
            _merge(new, bound, single, states, table)
    return new


def _merge(new, bound, single, states, table):
    is_intercept, n_outputs = table == "intercept", states[0].n_heads
    mean, weights = _mean(new, single, states, table)
    for n in range(bound.n_candidates):
        own, heads = unstacked(bound, n), slice(n * n_outputs, (n + 1) * n_outputs)
        scale = 1.0
        if not is_intercept and own.settings.by_column != single.settings.by_column:
            largest = new.beside["largest"][:, np.newaxis]
            scale = largest if own.settings.by_column else _quotient(1.0, largest)
        record = type(mean)(
            *(_scaled(name, value, scale) for name, value in mean._asdict().items())
        )
        weights_of_own = _times(weights, scale)
        record = made_of(record, weights_of_own, single, own, new.t, is_intercept)
        for name, values in record._asdict().items():
            new.tables[table][name][:, heads] = values


def _merge_scales(new, lead, states):
    every = [state.beside for state in (lead, *states)]
    for each in every:
        if len(each["largest"]):
            np.maximum(new.beside["largest"], each["largest"], out=new.beside["largest"])
    new.beside["sums"][:2] = np.mean([each["sums"][:2] for each in every[1:]], axis=0)
    new.beside["sums"][2] = max(each["sums"][2] for each in every)
    targets = np.mean([each["targets"] for each in every[1:]], axis=0)
    new.beside["targets"][:] = np.tile(targets, new.n_heads // targets.shape[1])


def _scaled(name, value, scale):
    """A field for columns that are divided by so much more."""
    if name in _LIKE_WEIGHTS:
        return _times(value, scale)
    if name == "accumulator":
        inverse = _quotient(1.0, scale)
        return _times(_times(value, inverse), inverse)
    return value


def _times(value, scale):
    """The product; 0 stays 0."""
    return np.multiply(value, scale, out=np.zeros_like(value), where=value != 0.0)


def _quotient(a, b):
    """``a / b``, or 0 for columns without values."""
    a, b = np.broadcast_arrays(a, b)
    return np.divide(a, b, out=np.zeros(b.shape), where=b > 0)


def _mean(new, single, states, table):
    """The mean of the records of a table, and of the weights, with the scales of ``new``."""
    mean, weights, is_intercept = None, 0.0, table == "intercept"
    for state in states:
        cells, scale = state.tables[table], 1.0
        if single.settings.by_column and not is_intercept:
            scale = _quotient(new.beside["largest"], state.beside["largest"])[:, np.newaxis]
        record, row = up_to_date(single, record_of_cells(cells), state.t, is_intercept)
        shape, n = (len(cells), -1), state.n_heads
        own = weight(single.rule, record, row).reshape(shape)[:, :n]
        weights = weights + _times(own, scale) / len(states)
        fields = {
            name: _scaled(name, value.reshape(shape)[:, :n], scale) / len(states)
            for name, value in record._asdict().items()
        }
        mean = fields if mean is None else {name: mean[name] + fields[name] for name in fields}
    return type(record)(**mean), weights
