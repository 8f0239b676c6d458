"""Many records at once, as arrays: reading them, trying a row, going on with other settings."""

import numpy as np

from ..arithmetic.lanes import padded
from ..arithmetic.rounding import noise_of
from ..arithmetic.tuples import record_of, replaced
from ..formulas.batches import Batched
from ..formulas.rules import (
    Frozen,
    Settings,
    advanced,
    context_at,
    local,
    renewed,
    settled,
    unpenalised,
    weight,
)
from .binding import chain, reading, same_rule


def by_head(value, n_heads):
    """A number for each candidate as one for each head; anything else as it is."""
    if np.ndim(value) < 2:
        return value
    heads = np.minimum(np.arange(padded(n_heads)), n_heads - 1)
    return value[:, heads // (n_heads // value.shape[1])]


def up_to_date(bound, record, t, is_intercept=False):
    """``record`` settled through row ``t``, and what the rule needs to read it."""
    row = _context(bound, record, t, is_intercept)
    return settled(bound.rule, record, t, row), row


def read(bound, record, t, is_intercept=False):
    """The weights that predict after ``t`` rows."""
    record, row = up_to_date(bound, record, t, is_intercept)
    return weight(reading(bound.rule), record, row)


def change(bound, record, gradient, share, t, is_intercept=False):
    """By how much the weights that learn would change in row ``t + 1`` by these gradients.

    ``share`` is what share of them moves weights.
    """
    record, row = up_to_date(bound, record, t, is_intercept)
    before = weight(bound.rule, record, row)
    row = replaced(_context(bound, record, t + 1, is_intercept), "share", share)
    rule = bound.intercept_rule if is_intercept else bound.rule
    record, row = up_to_date(bound, advanced(rule, record, gradient, row), t + 1, is_intercept)
    return weight(bound.rule, record, row) - before


def with_sum(bound, record, gradient, t, is_intercept=False):
    """``record`` with ``gradient`` in the sum of the batch that begins after ``t`` rows."""
    rule = bound.intercept_rule if is_intercept else bound.rule
    batched = next(each for each in chain(rule) if isinstance(each, Batched))
    noise = noise_of(t + 1, gradient)
    row = replaced(_context(bound, record, t, is_intercept), "noise", noise)
    record = settled(rule, record, t, row)
    row = replaced(_context(bound, record, t + 1, is_intercept), "noise", noise)
    return advanced(batched, record, gradient, row)


def _context(bound, record, t, is_intercept):
    settings = Settings(*(by_head(each, record[0].shape[-1]) for each in bound.settings))
    row = context_at(bound.rule, settings, t)
    return local(bound.rule, record, unpenalised(row) if is_intercept else row)


def adapted(record, before, after, t, is_intercept=False):
    """``record``, learnt with the rule ``before``, ready to be learnt with the rule ``after``.

    What is due by the one is settled before the other takes over.
    """
    record, row = up_to_date(before, record, t, is_intercept)
    return made_of(record, weight(before.rule, record, row), before, after, t, is_intercept)


def made_of(record, weights, before, after, t, is_intercept=False):
    """A record of the rule ``after`` with these ``weights``, and else what ``record`` says."""
    fields = {
        name: np.full(weights.shape, t, np.uint64)
        if name in after.times - after.pending
        else _begun(name, value, weights, is_intercept)
        if name in {*after.given, *after.derived, *after.pending} or name not in record._fields
        else getattr(record, name)
        for name, value in after.start.items()
    }
    record = record_of(tuple(fields))(**fields)
    row = _context(after, record, t, is_intercept)
    record = renewed(after.rule, record, row)
    with np.errstate(all="ignore"):
        for each in reversed(list(chain(after.rule))):
            if hasattr(each, "carried"):
                record = each.carried(record, _same_kind(each, before.rule), weights, row)
    return record


def _same_kind(link, rule):
    """What in the stack ``rule`` is of the class of ``link``, or None."""
    return next((each for each in chain(rule) if type(each) is type(link)), None)


def _begun(name, value, weights, is_intercept):
    if is_intercept and np.ndim(value):
        value = 1.0
    return np.full(weights.shape, spread(value, weights), weights.dtype)


def spread(value, like):
    """``value``, which may have one entry per feature, in a form that assigns to ``like``."""
    return np.reshape(value, (-1, 1)) if np.ndim(value) == 1 and like.ndim == 2 else value


def refuse_frozen(bound):
    """Refuse a rule that does not learn."""
    if isinstance(bound.base, Frozen):
        raise ValueError(
            "This model was saved for serving: it has no accumulators to learn with. Load the file "
            "of the whole model, or fit it anew."
        )


def must_adapt(before, after, t):
    """Whether records learnt with ``before`` are not ready for ``after``; or ValueError."""
    kinds = [type(each.base) for each in (before, after)]
    refuse_frozen(before)
    if before.mixes != after.mixes:
        raise ValueError(
            "lr cannot become 'auto', or cease to be, once rows were learnt: begin anew. 'auto' is "
            "the default: set lr to a number such as 0.1 before the first row to change it later."
        )
    if kinds[0] is not kinds[1]:
        raise ValueError(
            f"rule cannot change from {kinds[0].__name__} to {kinds[1].__name__} once rows were "
            "learnt: begin anew."
        )
    begun = [(each, _same_kind(each, before.rule)) for each in chain(after.rule)]
    ended = [(each, None) for each in chain(before.rule) if _same_kind(each, after.rule) is None]
    for each, other in begun + ended:
        if hasattr(each, "check_change"):
            each.check_change(other, t)
    if list(before.start) != list(after.start):
        return True
    if any(
        not np.array_equal(before.start[name], after.start[name])
        for name in {*after.given, *after.derived}
    ):
        return True
    return before.remembers_settings and not same_rule(before, after)
