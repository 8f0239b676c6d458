"""One thread. One head has loops of its own."""

import numpy as np

from ..kernels import heads as several
from ..kernels import learn as single
from ..kernels._jit import read_only, variant
from ..kernels.lanes import SIZE
from ..kernels.rows import Ahead
from ..kernels.rules import Settings, settles
from ..kernels.subnormal import flush, restore

# How many entries ahead memory is asked for entries and records: far enough to hide the
# trip there, near enough for the first-level cache. A model that a second-level cache holds
# need not be asked for.
_ENTRIES_AHEAD, _RECORDS_AHEAD = 480, 160
_CACHE = 2**20


def learn(
    rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, peak, drops=False
):  # fmt: skip
    """Learn ``rows`` in ``order``.

    Returns None, or the first row whose score or gradient left the range of numbers for some
    head. All heads have learnt the rows before it. With ``drops``, such heads are left out instead.
    """
    rule, settings = bound.rule, bound.settings
    ahead, weights = _ahead(rows, state), read_only(weights)
    before = flush()
    try:
        if _has_one_head(state):
            kernel = variant(single.learn, loss, rule)
            done = kernel(
                rows, order, read_only(targets.values[:, 0]), weights, loss, rule, settings, state,
                fit_intercept, limit, peak, ahead, _kept(rows, bound),
            )  # fmt: skip
        else:
            kernel = variant(several.learn_heads, loss, rule)
            done = kernel(
                rows, order, _read_only(targets), targets.n_outputs, weights, loss, rule,
                _by_head(settings, state), _heads(state), fit_intercept, limit, peak, ahead.rows,
                _room(state), drops,
            )  # fmt: skip
    finally:
        restore(before)
    return order[done] if done < len(order) else None


def scores(rows, bits, n_features, bound, state):
    """Scores of all rows, of shape (n_rows, n_heads), and the ``Verdict`` on the rows."""
    rule, settings, ahead = bound.reading, bound.settings, _ahead(rows, state)
    out = np.empty((len(rows.indptr) - 1, state.losses.shape[1]))
    state = single.State(*map(read_only, state))
    if _has_one_head(state):
        kernel, kept = variant(single.score, rule), np.empty(0, rows.values.dtype)
        verdict = kernel(rows, bits, n_features, rule, settings, state, ahead, kept, out[:, 0])
    else:
        kernel, settings = variant(several.score_heads, rule), _by_head(settings, state)
        sums = _room(state).sums
        verdict = kernel(rows, bits, n_features, rule, settings, _heads(state), sums, out)
    return out, verdict


def mean_loss(scores, targets, weights, loss):
    """Weighted mean over the rows of the losses, summed over the heads."""
    kernel, weights = variant(several.mean_loss, loss), read_only(weights)
    n_heads, room = scores.shape[1], _room_for(scores.shape[1], np.float64)
    return kernel(loss, _read_only(targets), n_heads, scores, weights, room)


def _has_one_head(state):
    return not state.cells.dtype[0].shape


def _heads(state):
    """The state as numbers."""
    fields = state.cells.dtype
    names = np.empty(0, [(name, fields[name].base) for name in fields.names])
    kind = fields[0].base
    return several.Heads(
        names, state.cells.view(kind), state.intercept.view(kind), state.totals, state.losses
    )


def _by_head(settings, state):
    """The hyper-parameters: each a number, or all of them one number for each head."""
    if not any(map(np.ndim, settings)):
        return settings
    kind, n_heads = state.cells.dtype[0].base, state.losses.shape[1]
    return Settings(
        *(
            read_only(several.by_head(each, n_heads)[0], kind) if np.ndim(each) else float(each)
            for each in settings
        )
    )


def _room(state):
    return _room_for(state.cells.dtype[0].shape[0], state.cells.dtype[0].base)


def _room_for(n_heads, dtype):
    kinds = (dtype, dtype, *[np.float64] * 4)
    return several.Room(*(np.zeros(several.padded(n_heads), kind) for kind in kinds))


def _read_only(targets):
    return type(targets)(*(read_only(each) if np.ndim(each) else each for each in targets))


def _ahead(rows, state):
    """The same in rows, by their mean length."""
    length = max(1, len(rows.indices) // (len(rows.indptr) - 1))
    small = state.cells.nbytes <= _CACHE
    return Ahead(1 + _ENTRIES_AHEAD // length, 0 if small else 1 + _RECORDS_AHEAD // length)


def _kept(rows, bound):
    """Room for the records of the longest row, if the rule needs it."""
    longest = int(np.diff(rows.indptr).max(initial=0)) + SIZE if settles(bound.rule) else 0
    return np.empty(longest * len(bound.start), rows.values.dtype)
