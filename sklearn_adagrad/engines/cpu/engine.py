"""One thread of the processor. One head has loops of its own."""

import numpy as np

from ...arithmetic.jit import read_only, variant
from ...arithmetic.lanes import SIZE, padded
from ...formulas.rules import Settings, is_lazy
from ...input.rows import Verdict
from ...model.binding import reading
from ...model.state import by_head
from . import heads as several
from . import one_head as single
from . import rows as every_row
from .losses import judge_of
from .one_head import Ahead, Batch, Learner, Limits

# How many entries ahead memory is asked for entries and records: far enough to hide the
# trip there, near enough for the first-level cache. A model that a second-level cache holds
# need not be asked for.
_ENTRIES_AHEAD, _RECORDS_AHEAD = 480, 160
_CACHE = 2**20
_NO_SCORES = np.empty((0, 1))


def inspect(rows, bits, n_features):
    """Read all rows once, and return the ``Verdict``."""
    return Verdict(*every_row.inspect(rows, bits, n_features, 0, len(rows.indptr) - 1))


def learn(
    rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, max_abs,
    drops=False, refuses=False, scores=None,
):  # fmt: skip
    """Learn ``rows`` in ``order``.

    Returns None, or the first row whose score or gradient left the range of numbers for some
    head. All heads have learnt the rows before it. With ``drops``, such heads are left out instead;
    with ``refuses`` too, only if it is not the row that is out of range for a model of zeros.
    ``scores``, of shape (n_rows, n_heads), receives those of each row just before it is learnt.
    """
    arrays, ahead = _arrays(state), _ahead(rows, state)
    learner = _learner(bound, state, fit_intercept)
    weights, limits = read_only(weights), Limits(limit, max_abs, bound.max_norm, drops, refuses)
    if state.n_heads == 1:
        kernel = variant(single.learn, bound.rule)
        seen = _NO_SCORES[:, 0] if scores is None else scores[:, 0]
        batch = Batch(rows, order, read_only(targets.values[:, 0]), weights, seen)
        settled_records = _room_for_settled(rows, bound)
        done = kernel(batch, judge_of(loss, True), learner, arrays, limits, ahead, settled_records)
    else:
        kernel = variant(several.learn_heads, bound.rule)
        seen = _NO_SCORES if scores is None else scores
        batch = Batch(rows, order, _read_only(targets), weights, seen)
        judge, buffers = judge_of(loss, False), _buffers(state)
        done = kernel(batch, judge, learner, arrays, limits, ahead.rows, buffers)
    return order[done] if done < len(order) else None


def scores(rows, bits, n_features, bound, state):
    """Scores of all rows, of shape (n_rows, n_heads), and the ``Verdict`` on the rows."""
    out = np.empty((len(rows.indptr) - 1, state.n_heads))
    learner = _learner(bound, state, True)
    learner = learner._replace(
        rule=reading(bound.rule), intercept_rule=reading(bound.intercept_rule)
    )
    arrays = _arrays(state)
    names = ("cells", "intercept", "totals", "losses")
    arrays = arrays._replace(**{name: read_only(getattr(arrays, name)) for name in names})
    if state.n_heads == 1:
        kernel, ahead = variant(single.score, learner.rule), _ahead(rows, state)
        verdict = kernel(rows, bits, n_features, learner, arrays, ahead, out[:, 0])
    else:
        kernel, sums = variant(several.score_heads, learner.rule), _buffers(state).sums
        verdict = kernel(rows, bits, n_features, learner, arrays, sums, out)
    return out, Verdict(*verdict)


def mean_loss(scores, targets, weights, loss):
    """Weighted mean over the rows of the losses, summed over the heads."""
    buffers = _buffers_for(scores.shape[1], np.float64)
    judge, weights = judge_of(loss, False), read_only(weights)
    return several.mean_loss(judge, _read_only(targets), scores, weights, buffers)


def host(state):
    """The state, which is in arrays of NumPy already."""
    return state


def _learner(bound, state, fit_intercept):
    """What the loops need to know of a rule."""
    settings = bound.settings
    if bound.n_candidates > 1:
        settings = _by_head(settings, state)
    return Learner(bound.rule, bound.intercept_rule, settings, fit_intercept)


def _by_head(settings, state):
    """The hyper-parameters, those of several candidates as one number for each head."""
    kind = state.tables["weights"].dtype[0].base
    return Settings(
        *(
            read_only(by_head(each, state.n_heads)[0], kind) if np.ndim(each) else float(each)
            for each in settings
        )
    )


def _arrays(state):
    """The state as the loops take it: records for one head, plain numbers for several."""
    cells, intercept = state.tables["weights"], state.tables["intercept"]
    if state.n_heads == 1:
        return single.Arrays(cells, intercept, state.totals, state.losses)
    fields, kind = cells.dtype, cells.dtype[0].base
    names = np.empty(0, [(name, fields[name].base) for name in fields.names])
    cells, intercept = cells.view(kind), intercept.view(kind)
    sizes = several.sizes_of(padded(state.n_heads))
    return several.Heads(names, sizes, cells, intercept, state.totals, state.losses)


def _buffers(state):
    return _buffers_for(state.n_heads, state.tables["weights"].dtype[0].base)


def _buffers_for(n_heads, dtype):
    kinds = (dtype, dtype, dtype, *[np.float64] * 4)
    return several.Buffers(*(np.zeros(padded(n_heads), kind) for kind in kinds))


def _read_only(targets):
    return targets._replace(values=read_only(targets.values), codes=read_only(targets.codes))


def _ahead(rows, state):
    """The same in rows, by their mean length."""
    length = max(1, len(rows.indices) // (len(rows.indptr) - 1))
    small = state.tables["weights"].nbytes <= _CACHE
    return Ahead(1 + _ENTRIES_AHEAD // length, 0 if small else 1 + _RECORDS_AHEAD // length)


def _room_for_settled(rows, bound):
    """Room for the records of the longest row, if the rule needs it."""
    longest = int(np.diff(rows.indptr).max(initial=0)) + SIZE if is_lazy(bound.rule) else 0
    return np.empty(longest * len(bound.start), rows.values.dtype)
