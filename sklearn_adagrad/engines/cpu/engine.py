"""One thread of the processor. One head has loops of its own."""

import numpy as np

from ...arithmetic.jit import read_only, variant
from ...arithmetic.lanes import SIZE, padded
from ...arithmetic.prepared import prepared
from ...formulas.losses import Multinomial
from ...formulas.rules import Settings, is_importance_aware, is_lazy, is_scale_free
from ...input.rows import Rows, Verdict, bits_of
from ...model.binding import reading
from ...model.state import by_head
from . import heads as several
from . import one_head as single
from . import rows as every_row
from .batches import Pending
from .head_vectors import Buffers, Heads, sizes_of
from .judge import NoJudge
from .losses import judge_of, solver_of
from .mixture import Mixture, Unmixed
from .one_head import Ahead, Batch, Learner, Limits, Steps
from .one_row import take  # noqa: F401
from .scaling import Scaling, Unscaled
from .team import allowed, together
from .together import learn_together, rows_alone

entries_at_once, learns_elsewhere = 2**22, False  # a few milliseconds
# How many entries ahead memory is asked for entries and records: far enough to hide the
# trip there, near enough for the first-level cache. A model that a second-level cache holds
# need not be asked for.
_ENTRIES_AHEAD, _RECORDS_AHEAD = 480, 160
_CACHE = 2**20
_ENTRIES_TO_SCORE = 2**18  # times heads, that are worth a thread
_NO_SCORES = np.empty((0, 1))
_NO_BATCH, _NO_SHARES = np.empty(0, np.int64), np.empty((2, 0))


def inspect(rows, bits, n_features):
    """Read all rows once, and return the ``Verdict``."""
    return Verdict(*every_row.inspect(rows, bits, n_features, 0, len(rows.indptr) - 1))


def learn(
    rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, max_abs,
    drops=False, refuses=False, scores=None, has_unit=False, n_jobs=1,
):  # fmt: skip
    """Learn ``rows`` in ``order``.

    Returns None, or the first row whose score or gradient left the range of numbers for some
    head. All heads have learnt the rows before it. With ``drops``, such heads are left out instead,
    as long as there are others where they are averaged;
    with ``refuses`` too, only if it is not the row that is out of range for a model of zeros.
    ``scores``, of shape (n_rows, n_heads), receives those of each row just before it is learnt;
    of learners that are averaged the mean. ``has_unit`` says that scores are in the units of the
    targets. Where rows can be learnt together, up to ``n_jobs`` threads do so, to the same bits.
    """
    limits = Limits(limit, max_abs, bound.max_norm, drops, refuses)
    longest, n_jobs = _longest_of(rows), allowed(n_jobs)
    alone = rows_alone(rows, len(order), bound, state, n_jobs)
    for part, n_threads in ((order[:alone], 1), (order[alone:], n_jobs)):
        if len(part) > 0:
            kernel, arguments = _learning(
                rows, part, targets, weights, loss, bound, state, fit_intercept, limits, longest,
                has_unit, scores,
            )  # fmt: skip
            if n_threads > 1:
                done = learn_together(n_threads, bound.rule, state, arguments)
            else:
                done = kernel(*arguments)
            if done < len(part):
                return part[done]
    return None


def prepared_learn(
    rows, targets, weights, loss, bound, state, *, fit_intercept, limit, has_unit=False
):  # fmt: skip
    """A function that does what ``learn`` does for the one row that ``rows`` then holds.

    ``refuses`` it too. Returns 1, or 0 if the row was not learnt.
    """
    rows, order = Rows(*map(read_only, rows)), np.zeros(1, np.intp)
    limits = Limits(limit, np.inf, bound.max_norm, bound.mixes, True)
    return prepared(
        _learning(
            rows, order, targets, weights, loss, bound, state, fit_intercept, limits,
            len(rows.indices), has_unit,
        )
    )  # fmt: skip


def _learning(
    rows, order, targets, weights, loss, bound, state, fit_intercept, limits, longest, has_unit,
    scores=None,
):  # fmt: skip
    """The kernel that learns rows, the longest of them of so many entries, and its arguments."""
    weights = read_only(weights)
    arrays, ahead = _arrays(state), _ahead(rows, state)
    learner, is_single = _learner(bound, state, fit_intercept), state.n_heads == 1
    solver = solver_of(loss, is_single) if is_importance_aware(bound.rule) else NoJudge()
    kept = longest + SIZE if is_importance_aware(bound.rule) else 0
    width = padded(state.n_heads) if state.n_heads > 1 else 1
    scaling = _scaling(bound, state, longest, fit_intercept, has_unit, clips=True)
    steps = Steps(
        scaling, _pending(state), solver,
        np.empty(kept * width * len(bound.start), state.dtype), np.empty(kept * width, state.dtype),
    )  # fmt: skip
    if is_single:
        seen = _NO_SCORES[:, 0] if scores is None else scores[:, 0]
        batch = Batch(rows, order, read_only(targets.values[:, 0]), weights, seen)
        judge, settled_records = judge_of(loss, True), _room_for_settled(rows, bound, longest)
        arguments = batch, judge, learner, steps, arrays, limits, ahead, settled_records
        return variant(single.learn, bound.rule), arguments
    seen = _NO_SCORES if scores is None else scores
    batch = Batch(rows, order, _read_only(targets), weights, seen)
    judge, buffers, mixture = judge_of(loss, False), _buffers(state), _mixture(bound, state, loss)
    arguments = batch, judge, learner, steps, mixture, arrays, limits, ahead, buffers
    return variant(several.learn_heads, bound.rule), arguments


def scores(rows, bits, n_features, bound, state, *, clips=False, n_jobs=1):
    """Scores of all rows, with a column for each head or mean, and the ``Verdict`` on the rows.

    With ``clips``, values beyond the scale of their column count as that. ``n_jobs`` threads share
    the rows if they are many.
    """
    n_rows = len(rows.indptr) - 1
    out = np.empty((n_rows, state.n_outputs if bound.mixes else state.n_heads))
    longest = min(_longest_of(rows), n_features, len(rows.indices))  # the rows may be broken

    def score_part(*part):
        kernel, arguments = _scoring(
            rows, bits, n_features, bound, state, longest, out, clips, every_row.Range(*part)
        )
        return kernel(*arguments)

    worth = 1 + len(rows.indices) * state.n_heads // _ENTRIES_TO_SCORE
    n = min(allowed(n_jobs), n_rows, worth)
    if n < 2 or not every_row.inspect(rows, bits, n_features, 0, 0)[0]:  # indptr is in disorder
        return out, Verdict(*score_part(0, n_rows))
    found = together(n, lambda who: score_part(who * n_rows // n, (who + 1) * n_rows // n))
    is_valid, smallest, largest = zip(*found, strict=True)
    return out, Verdict(all(is_valid), min(smallest), max(largest))


def prepared_scores(rows, bound, state, out):
    """A function that does what ``scores`` does for the rows that ``rows`` then holds.

    They must be sound. It writes into ``out``.
    """
    rows = Rows(*map(read_only, rows))
    bits = bits_of(rows.values)
    longest, part = len(rows.indices), every_row.Range(0, len(rows.indptr) - 1)
    given = rows, bits, state.n_features, bound, state, longest, out, False, part
    return prepared(_scoring(*given))


def _scoring(rows, bits, n_features, bound, state, longest, out, clips, part):
    """The kernel that scores the rows of a part, and its arguments."""
    learner = _learner(bound, state, True)
    learner = learner._replace(
        rule=reading(bound.rule), intercept_rule=reading(bound.intercept_rule)
    )
    arrays = _arrays(state)
    scaling = _scaling(bound, state, longest, clips=clips)
    names = ("cells", "intercept", "totals", "losses")
    arrays = arrays._replace(**{name: read_only(getattr(arrays, name)) for name in names})
    if state.n_heads == 1:
        ahead = _ahead(rows, state)
        arguments = rows, bits, n_features, learner, scaling, arrays, ahead, out[:, 0], part
        return variant(single.score, learner.rule), arguments
    nothing = np.empty(0, state.dtype)
    steps = Steps(scaling, _pending(state), NoJudge(), nothing, nothing)
    mixture, buffers = _mixture(bound, state), _buffers(state)
    arguments = rows, bits, n_features, learner, steps, mixture, arrays, buffers, out, part
    return variant(several.score_heads, learner.rule), arguments


def losses(scores, targets, weights, loss):
    """The weighted sum over the rows of the losses, by head."""
    n_heads = scores.shape[1]
    buffers, out = _buffers_for(n_heads, np.float64), np.zeros(n_heads)
    judge, weights = judge_of(loss, False), read_only(weights)
    several.add_losses(judge, _read_only(targets), scores, weights, buffers, out)
    return out


def _learner(bound, state, fit_intercept):
    """What the loops need to know of a rule."""
    settings = bound.settings
    if bound.n_candidates > 1:
        settings = by_head_settings(settings, state)
    return Learner(bound.rule, bound.intercept_rule, settings, fit_intercept)


def by_head_settings(settings, state):
    """The hyper-parameters, those of several candidates as one number for each head."""
    kind = state.tables["weights"].dtype[0].base
    return Settings(
        *(
            read_only(by_head(each, state.n_heads)[0], kind) if np.ndim(each) else float(each)
            for each in settings
        )
    )


def _scaling(bound, state, longest, fit_intercept=True, has_unit=True, clips=False):
    """What a scale-free rule knows of rows, with room for one of so many entries."""
    if not is_scale_free(bound.rule):
        return Unscaled()
    dtype, known = state.dtype, state.beside
    size = padded(state.n_heads) if state.n_heads > 1 else 1
    by_column = np.broadcast_to(by_head(bound.settings.by_column, state.n_heads), (1, size))[0]
    return Scaling(
        known["largest"], known["sums"], known["targets"], np.array(by_column, dtype),
        *(np.empty(longest + SIZE, dtype) for _ in range(2)), np.zeros(2), np.zeros(2),
        bool(has_unit and fit_intercept), bool(has_unit), not by_column.all(), clips,
    )  # fmt: skip


def _pending(state):
    """What is known of a batch, if rows are learnt in batches."""
    known = state.beside
    return Pending(known.get("batch", _NO_BATCH), known.get("batch_shares", _NO_SHARES))


def _mixture(bound, state, loss=None):
    """The mean of learners, if there is one."""
    if not bound.mixes:
        return Unmixed()
    n_outputs = state.n_outputs
    room = (np.zeros(padded(n_outputs)) for _ in range(4))
    width = n_outputs if isinstance(loss, Multinomial) else 1
    rate = float(np.log(bound.n_candidates))
    return Mixture(state.lost, state.beside["shares"], *room, width, rate)


def _arrays(state):
    """The state as the loops take it: records for one head, plain numbers for several."""
    cells, intercept = state.tables["weights"], state.tables["intercept"]
    if state.n_heads == 1:
        return single.Arrays(cells, intercept, state.totals, state.losses)
    fields, kind = cells.dtype, cells.dtype[0].base
    names = np.empty(0, [(name, fields[name].base) for name in fields.names])
    cells, intercept = cells.view(kind), intercept.view(kind)
    sizes = sizes_of(padded(state.n_heads))
    return Heads(names, sizes, cells, intercept, state.totals, state.losses)


def _buffers(state):
    return _buffers_for(state.n_heads, state.tables["weights"].dtype[0].base)


def _buffers_for(n_heads, dtype):
    kinds = (*[dtype] * 5, *[np.float64] * 7)
    return Buffers(*(np.zeros(padded(n_heads), kind) for kind in kinds))


def _read_only(targets):
    return targets._replace(values=read_only(targets.values), codes=read_only(targets.codes))


def _ahead(rows, state):
    """The same in rows, by their mean length."""
    length = max(1, len(rows.indices) // (len(rows.indptr) - 1))
    small = state.tables["weights"].nbytes <= _CACHE
    return Ahead(1 + _ENTRIES_AHEAD // length, 0 if small else 1 + _RECORDS_AHEAD // length)


def _longest_of(rows):
    """How many entries the longest row has."""
    return int(np.diff(rows.indptr).max(initial=0))


def _room_for_settled(rows, bound, longest):
    """Room for the records of the longest row, if the rule needs it."""
    size = longest + SIZE if is_lazy(bound.rule) else 0
    return np.empty(size * len(bound.start), rows.values.dtype)
