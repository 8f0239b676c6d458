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
    for table in new.tables:
        is_intercept = table == "intercept"
        mean, weights = _mean(single, states, table)
        for n in range(bound.n_candidates):
            own = unstacked(bound, n)
            heads = slice(n * first.n_heads, (n + 1) * first.n_heads)
            scale = 1.0 if is_intercept else _scale(own, new)
            record = mean._make(
                _scaled(name, value, scale) for name, value in zip(mean._fields, mean, strict=True)
            )
            record = made_of(record, weights * scale, single, own, t, is_intercept)
            for name, values in record._asdict().items():
                new.tables[table][name][:, heads] = values
    return new


def _merge_scales(new, lead, states):
    every = [state.beside for state in (lead, *states)]
    for each in every:
        if len(each["largest"]):
            np.maximum(new.beside["largest"], each["largest"], out=new.beside["largest"])
    new.beside["sums"][:2] = np.mean([each["sums"][:2] for each in every[1:]], axis=0)
    new.beside["sums"][2] = max(each["sums"][2] for each in every)
    targets = np.mean([each["targets"] for each in every[1:]], axis=0)
    new.beside["targets"][:] = np.tile(targets, new.n_heads // targets.shape[1])


def _scale(own, state):
    """By what weights for rows as they are are multiplied for a learner's columns."""
    if not own.settings.by_column:
        return 1.0
    return state.beside["largest"][:, np.newaxis]


def _scaled(name, value, scale):
    if name in _LIKE_WEIGHTS:
        return value * scale
    if name == "accumulator":
        return value * _inverse(scale * scale)
    return value


def _inverse(scale):
    """One over ``scale``, or 0 for a column without values."""
    scale = np.asarray(scale)
    return np.divide(1.0, scale, out=np.zeros(scale.shape), where=scale > 0)


def _mean(single, states, table):
    """The mean of the records of a table, and of the weights, for rows as they are."""
    mean, weights = None, 0.0
    for state in states:
        cells, is_intercept = state.tables[table], table == "intercept"
        record, row = up_to_date(single, record_of_cells(cells), state.t, is_intercept)
        shape, n = (len(cells), -1), state.n_heads
        inverse = 1.0 if is_intercept else _inverse(_scale(single, state))
        own = weight(single.rule, record, row).reshape(shape)[:, :n]
        weights = weights + own * inverse / len(states)
        fields = {
            name: _scaled(name, value.reshape(shape)[:, :n], inverse) / len(states)
            for name, value in record._asdict().items()
        }
        mean = fields if mean is None else {name: mean[name] + fields[name] for name in fields}
    return type(record)(**mean), weights
