"""All records at once, as arrays: reading them, and going on with other hyper-parameters."""

import numpy as np

from ._rules import chain
from .kernels.records import record_of
from .kernels.rules import at, local, renewed, settled, settles, unpenalised, weight

# The fields of a record that hold hyper-parameters, or follow from them.
_GIVEN = {"lr_multiplier", "decay_multiplier", "alpha", "share", "since"}


def up_to_date(bound, record, t, is_intercept=False):
    """``record`` settled through row ``t``, and what the rule needs to read it."""
    now = _now(bound, record, t, is_intercept)
    return settled(bound.rule, record, t, now), now


def read(bound, record, t, is_intercept=False):
    """The weights that predict after ``t`` rows."""
    record, now = up_to_date(bound, record, t, is_intercept)
    return weight(bound.reading, record, now)


def _now(bound, record, t, is_intercept):
    now = at(bound.rule, bound.settings, t)
    return local(bound.rule, record, unpenalised(now) if is_intercept else now)


def adapted(record, before, after, t, is_intercept=False):
    """``record``, learnt with the rule ``before``, ready to be learnt with the rule ``after``.

    What is due by the one is settled before the other takes over.
    """
    record, now = up_to_date(before, record, t, is_intercept)
    weights = weight(before.rule, record, now)
    kept = set(record._fields) - _GIVEN
    fields = {
        name: getattr(record, name) if name in kept else _begun(name, value, weights, is_intercept)
        for name, value in after.start.items()
    }
    if "since" in fields:
        fields["since"] = np.full(weights.shape, t, np.uint64)
    if "missed" in fields and before.rule.first_row != after.rule.first_row:
        fields["missed"] = np.zeros_like(weights)
    record = record_of(tuple(fields))(**fields)
    now = _now(after, record, t, is_intercept)
    record = renewed(after.rule, record, now)
    if "missed" in fields:
        rows = max(t + 1 - after.rule.first_row, 0)
        missed = record.missed + rows * (weight(after.rule, record, now) - weights)
        record = record._replace(missed=missed)
    return record


def _begun(name, value, weights, is_intercept):
    if is_intercept and np.ndim(value):
        value = 1.0
    return np.full(weights.shape, spread(value, weights), weights.dtype)


def spread(value, like):
    """``value``, which may have one entry per feature, in a form that assigns to ``like``."""
    return np.reshape(value, (-1, 1)) if np.ndim(value) == 1 and like.ndim == 2 else value


def must_adapt(before, after, t):
    """Whether records learnt with ``before`` are not ready for ``after``; or ValueError."""
    kinds = [type(each.base) for each in (before, after)]
    if kinds[0] is not kinds[1]:
        raise ValueError(
            f"rule cannot change from {kinds[0].__name__} to {kinds[1].__name__} once rows were "
            "learnt: begin anew."
        )
    if ("missed" in before.start) != ("missed" in after.start):
        raise ValueError("rule cannot begin or cease to be Averaged once rows were learnt: begin "
                         "anew.")  # fmt: skip
    if "missed" in after.start and before.rule.first_row != after.rule.first_row <= t:
        raise ValueError(
            f"Averaged.first_row cannot change to {after.rule.first_row:g} after {t} rows: it must "
            "be a later row, or as it was."
        )
    if list(before.start) != list(after.start):
        return True
    if any(not np.array_equal(before.start[name], after.start[name])
           for name in _GIVEN & set(after.start)):  # fmt: skip
        return True
    remembers = settles(before.rule) or {"z", "missed"} & set(before.start)
    return bool(remembers) and _numbers_of(before) != _numbers_of(after)


def _numbers_of(bound):
    return [type(each) for each in chain(bound.rule)], bound.rule, bound.settings
