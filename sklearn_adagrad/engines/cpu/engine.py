"""One thread of the processor. One head has loops of its own."""

import numpy as np

from ...arithmetic.jit import read_only, variant
from ...arithmetic.lanes import SIZE, padded
from ...arithmetic.prepared import prepared
from ...formulas.rules import Settings, is_lazy
from ...input.rows import Rows, Verdict, bits_of
from ...model.binding import reading
from ...model.state import by_head
from . import heads as several
from . import one_head as single
from . import rows as every_row
from .losses import judge_of
from .one_head import Ahead, Batch, Learner, Limits
from .one_row import take  # noqa: F401

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
    kernel, arguments = _learning(
        rows, order, targets, weights, loss, bound, state, fit_intercept,
        Limits(limit, max_abs, bound.max_norm, drops, refuses), _room_for_settled(rows, bound),
        scores,
    )  # fmt: skip
    done = kernel(*arguments)
    return order[done] if done < len(order) else None


def prepared_learn(rows, targets, weights, loss, bound, state, *, fit_intercept, limit):
    """A function that does what ``learn`` does for the one row that ``rows`` then holds.

    ``refuses`` it too. Returns 1, or 0 if the row was not learnt.
    """
    rows = Rows(*map(read_only, rows))
    limits = Limits(limit, np.inf, bound.max_norm, False, True)
    settled = np.empty((len(rows.indices) + SIZE) * len(bound.start), rows.values.dtype)
    order = np.zeros(1, np.intp)
    return prepared(
        _learning(rows, order, targets, weights, loss, bound, state, fit_intercept, limits, settled)
    )


def _learning(
    rows, order, targets, weights, loss, bound, state, fit_intercept, limits, settled_records,
    scores=None,
):  # fmt: skip
    """The kernel that learns rows, and its arguments."""
    weights = read_only(weights)
    arrays, ahead = _arrays(state), _ahead(rows, state)
    learner = _learner(bound, state, fit_intercept)
    if state.n_heads == 1:
        seen = _NO_SCORES[:, 0] if scores is None else scores[:, 0]
        batch = Batch(rows, order, read_only(targets.values[:, 0]), weights, seen)
        judge = judge_of(loss, True)
        arguments = batch, judge, learner, arrays, limits, ahead, settled_records
        return variant(single.learn, bound.rule), arguments
    seen = _NO_SCORES if scores is None else scores
    batch = Batch(rows, order, _read_only(targets), weights, seen)
    judge, buffers = judge_of(loss, False), _buffers(state)
    arguments = batch, judge, learner, arrays, limits, ahead.rows, buffers
    return variant(several.learn_heads, bound.rule), arguments


def scores(rows, bits, n_features, bound, state):
    """Scores of all rows, of shape (n_rows, n_heads), and the ``Verdict`` on the rows."""
    out = np.empty((len(rows.indptr) - 1, state.n_heads))
    kernel, arguments = _scoring(rows, bits, n_features, bound, state, out)
    return out, Verdict(*kernel(*arguments))


def prepared_scores(rows, bound, state, out):
    """A function that does what ``scores`` does for the rows that ``rows`` then holds.

    They must be sound. It writes into ``out``.
    """
    rows = Rows(*map(read_only, rows))
    bits = bits_of(rows.values)
    return prepared(_scoring(rows, bits, state.n_features, bound, state, out))


def _scoring(rows, bits, n_features, bound, state, out):
    """The kernel that scores rows, and its arguments."""
    learner = _learner(bound, state, True)
    learner = learner._replace(
        rule=reading(bound.rule), intercept_rule=reading(bound.intercept_rule)
    )
    arrays = _arrays(state)
    names = ("cells", "intercept", "totals", "losses")
    arrays = arrays._replace(**{name: read_only(getattr(arrays, name)) for name in names})
    if state.n_heads == 1:
        arguments = rows, bits, n_features, learner, arrays, _ahead(rows, state), out[:, 0]
        return variant(single.score, learner.rule), arguments
    arguments = rows, bits, n_features, learner, arrays, _buffers(state).sums, out
    return variant(several.score_heads, learner.rule), arguments


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
