"""The contract of ``engines``, kept by a GPU."""

import math
from functools import partial

import numpy as np

from ...arithmetic.lanes import SIZE
from ...formulas.batches import Batched
from ...formulas.losses import Multinomial
from ...formulas.rules import (
    factor,
    is_batched,
    is_importance_aware,
    is_scale_free,
    last_row,
)
from ...formulas.wrappers import Clipped
from ...input.gpu import GpuArray
from ...input.rows import Rows, Verdict
from ...model.binding import reading
from ...model.combinations import chain
from ..cpu import engine as cpu
from ..cpu.batches import Pending
from ..cpu.judge import NoJudge
from ..cpu.one_head import Learner, Steps
from ..cpu.scaling import Unscaled
from ..cpu.team import together
from .device import (
    IS_SIMULATED,
    THREADS,
    Size,
    back,
    fetched,
    lent,
    on_gpu,
    one_each,
    require,
    room,
    run,
    there,
)
from .task import LOSSES, WARP, Limits, Pieces, Sums, Targets, Task, Work
from .twins import Twin, twin_of

_ENTRIES_AT_ONCE = 2**30  # a second or two of work, in which nobody reads
_NEVER = 2**62
_WARPS = 2 if IS_SIMULATED else 16  # that share the entries of a row
_NUMBERS = 2**21  # rows times heads of a piece
_LEAST_HEADS = 32  # of a block


class Engine:
    """One GPU."""

    learns_elsewhere, entries_at_once = True, _ENTRIES_AT_ONCE

    def __init__(self, number, device):
        require(number, device)
        self._number, self._device = number, device

    losses = staticmethod(cpu.losses)

    def check_rule(self, bound):
        """Refuse what this engine does not learn."""
        if bound.mixes or is_scale_free(bound.rule) or is_importance_aware(bound.rule):
            raise ValueError(
                f"device={self._device!r} cannot size a row's step by the rows before it, as "
                "lr='auto', ScaleFree and ImportanceAware do, since it learns many rows at the "
                "same time. Set lr to a number such as 0.1, with a rule without these, or "
                "device='cpu'."
            )
        if is_batched(bound.rule):
            for each in chain(bound.rule):
                if isinstance(each, Batched):
                    break
                if not isinstance(each, Clipped):
                    raise ValueError(
                        f"device={self._device!r} cannot learn {type(each).__name__} in batches: "
                        "it acts on gradients one row after the other. Use batch_size=1, or "
                        "device='cpu'."
                    )

    def learn(self, rows, order, targets, weights, loss, bound, state, **kwargs):
        """Learn rows; nothing interrupts it."""
        self.check_rule(bound)
        return self._call(_learn, rows, order, targets, weights, loss, bound, state, **kwargs)

    def scores(self, rows, bits, n_features, bound, state, *, clips=False, n_jobs=1):
        """Scores of all rows, with a column for each head, and the ``Verdict`` on the rows."""
        verdict = self.inspect(rows, bits, n_features)
        if not verdict.is_valid:
            return np.empty((len(rows.indptr) - 1, state.n_heads)), verdict
        return self._call(_scores, rows, bound, state), verdict

    def inspect(self, rows, bits, n_features):
        """The ``Verdict`` on rows, by whoever has their memory."""
        if not isinstance(rows.values, GpuArray):
            return cpu.inspect(rows, bits, n_features)
        indptr, size = rows.indptr, len(rows.indices)
        is_valid = indptr[0] == 0 and indptr[-1] <= size == len(rows.values)
        if not is_valid or (indptr[1:] < indptr[:-1]).any():
            return Verdict(False, int(bits.unsigned), 0)
        return self._call(_inspect, rows, bits, n_features)

    def fetched(self, array):
        """A copy of a ``GpuArray`` in the processor's memory."""
        return self._call(lambda number: fetched(array))

    def taken(self, rows, chosen, n_features):
        """The ``chosen`` of rows in the GPU's memory, copied within it."""
        return self._call(_taken, rows, np.asarray(chosen, np.int64))

    def _call(self, function, *args, **kwargs):
        work = partial(function, self._number, *args, **kwargs)
        return together(1, lambda who: on_gpu(self._number, work))[0]


def _learn(
    number, rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, max_abs,
    drops=False, refuses=False, scores=None, has_unit=False, n_jobs=1,
):  # fmt: skip
    order = np.asarray(order)[weights[order] != 0]
    if not len(order):
        return None
    twin, t, n_heads = twin_of(state, number), state.t, state.n_heads
    per_judge = targets.n_outputs if isinstance(loss, Multinomial) else 1
    low, high = int(order.min()), int(order.max()) + 1
    task = Task(
        there(_slice(rows, low, high)), there((order - low).astype(np.int64)),
        _targets(targets, low, high), there(weights[low:high]),
        room((high - low, n_heads) if scores is not None else (1, 1), np.float64),
        scores is not None, n_heads, per_judge,
    )  # fmt: skip
    max_value = min((each.value for each in chain(bound.rule) if isinstance(each, Clipped)),
                    default=math.inf)  # fmt: skip
    limits = Limits(float(bound.max_norm), float(max_value), bool(drops), bool(refuses))
    leaves = np.where(np.isinf(state.losses[0]), -1, _NEVER).astype(np.int64)
    call = _Call(twin, task, loss, limits, leaves, state)
    seen = np.empty(task.scores.shape)
    running = {
        name: np.add.accumulate(np.concatenate(([state.totals[name][0]], weights[order])))
        for name in ("weight", "epoch_weight")
    }
    # What a kernel has learnt is undone or counted: nothing that may fail comes in between.
    if is_batched(bound.rule):
        done, begun = call.in_batches(_batched(bound), fit_intercept, limit, t)
    else:
        begun = None
        kept = twin.kept()
        done = call.row_by_row(bound, fit_intercept, limit, t)
        if done < len(order):
            twin.begin_anew(kept)
            call.task = task._replace(order=there((order - low)[: max(1, done)].astype(np.int64)))
            if done:
                call.row_by_row(bound, fit_intercept, limit, t)
            else:
                call.losses = state.losses.copy()
    if scores is not None:
        back(task.scores, seen)
        scores[order[:done]] = seen[order[:done] - low]
    state.guard.is_behind = True
    state.losses[...] = call.losses
    for name, sums in running.items():
        state.totals[name] = sums[done]
    state.totals["t"] = t + done
    if begun is not None:
        state.beside["batch"][:] = begun
    return None if done == len(order) else order[done]


class _Call:
    """Kernels for the rows of one call."""

    def __init__(self, twin, task, loss, limits, leaves, state):
        self.twin, self.task, self.loss = twin, task, loss
        self.limits, self.leaves, self.state, self.losses = limits, leaves, state, None

    def row_by_row(self, bound, fit_intercept, limit, t):
        """Learn rows; how many were learnt by the block that learnt the fewest."""
        from . import loops

        n_heads, size = self.state.n_heads, self.task.n_judged
        by_block = size if size > 1 else _LEAST_HEADS
        n_blocks = -(-n_heads // by_block)
        heads, work = self._heads(), self._room(1, 1 + _WARPS, n_blocks)
        run(
            loops.learn_row_by_row, Size(n_blocks, (WARP, _WARPS)), self.task,
            self.loss, _learner(bound, self.state, fit_intercept), heads, _steps(self.state),
            self.limits, float(limit), work, by_block, t,
        )  # fmt: skip
        return self._done(heads, work)

    def in_batches(self, bound, fit_intercept, limit, t):
        """The same in batches, and what rows the last of them has."""
        from . import loops

        n_rows, n_heads = len(self.task.order), self.state.n_heads
        most = max(1, _NUMBERS // self.twin.width)
        pieces, spans, n_valid = _pieces(bound.rule, self.state, n_rows, limit, t, most)
        if not n_valid:
            self.losses = self.state.losses.copy()
            return 0, self.state.beside["batch"]
        longest = int(np.diff(pieces.begins).max())
        heads, work = self._heads(), self._room(longest, longest, 1)
        n_touched = min(self.state.n_features, len(self.task.rows.indices))
        limbs, marks, first = self.twin.sums(n_heads, len(pieces.starts))
        sums = Sums(
            limbs, room(n_heads, np.float64), marks, first, room(max(1, n_touched), np.int64),
            room(1, np.int64), room((-(-longest // LOSSES), n_heads), np.float64),
        )  # fmt: skip
        learner = _learner(bound, self.state, fit_intercept)
        run(
            loops.learn_in_batches, Size(None, (THREADS,)), self.task, self.loss, learner, heads,
            _steps(self.state), self.limits, work, there(pieces), sums,
        )  # fmt: skip
        done = min(n_valid, self._done(heads, work))
        last = np.searchsorted(pieces.begins, done, side="left") - 1
        return done, spans[last] if done else self.state.beside["batch"]

    def _heads(self):
        return self.twin.heads._replace(losses=there(self.state.losses))

    def _room(self, n_rows, n_sums, n_blocks):
        width, kind = self.twin.width, self.state.dtype
        return Work(
            room((n_sums, width), kind), room((n_rows, width), kind), room(width, kind),
            there(np.zeros(width)), room((n_rows, width), np.float64),
            room((n_rows, width), np.float64), there(np.full(n_blocks, _NEVER, np.int64)),
            there(self.leaves),
        )  # fmt: skip

    def _done(self, heads, work):
        """How many rows were learnt; and let the losses be known."""
        stops = np.empty(work.stops.shape, np.int64)
        back(work.stops, stops)
        self.losses = np.empty_like(self.state.losses)
        back(heads.losses, self.losses)
        return int(min(stops.min(), len(self.task.order)))


def _pieces(rule, state, n_rows, limit, t, most):
    """Pieces of at most so many rows; the batch of each; and how many rows have a rate at all."""
    begins, starts, limits, spans = [0], [], [], []
    start, end = map(int, state.beside["batch"])
    n_valid = n_rows
    while begins[-1] < n_rows:
        now = t + begins[-1]
        if now >= end:
            start, end = now, int(last_row(rule, now))
        if not 0 <= factor(rule, start + 1) < np.inf:
            n_valid = begins[-1]
            break
        starts.append(start)
        limits.append(limit / math.sqrt(int(last_row(rule, start)) - start))
        spans.append((start, end))
        begins.append(min(n_rows, begins[-1] + most, end - t))
    pieces = np.array(begins, np.int64), np.array(starts, np.int64), np.array(limits, np.float64)
    return Pieces(*pieces), spans, n_valid


def _scores(number, rows, bound, state):
    from . import loops

    n_rows, n_heads, twin = len(rows.indptr) - 1, state.n_heads, state.guard.twin
    if twin is None or twin.number != number:
        state.guard.catch_up()
        twin = Twin(number, state)  # for this once: others may change the state meanwhile
    out = np.empty((n_rows, twin.width), state.dtype)
    if not n_rows:
        return np.empty((0, n_heads))
    sums = room(out.shape, out.dtype)
    rule = bound._replace(rule=reading(bound.rule), intercept_rule=reading(bound.intercept_rule))
    run(
        loops.score_rows, one_each(n_rows * n_heads), there(rows),
        _learner(rule, state, True), twin.heads, _steps(state), state.t, sums, n_heads,
    )  # fmt: skip
    back(sums, out)
    return out[:, :n_heads].astype(np.float64)


def _inspect(number, rows, bits, n_features):
    from . import loops

    found, out = there(np.array([1, bits.unsigned, 0], np.int64)), np.empty(3, np.int64)
    given = there(rows), there(bits), n_features, found
    run(loops.inspect_rows, one_each(len(rows.indptr) - 1), *given)
    back(found, out)
    return Verdict(bool(out[0]), *map(int, out[1:]))


def _taken(number, rows, chosen):
    from . import loops

    sizes = (rows.indptr[1:] - rows.indptr[:-1])[chosen]
    indptr = np.concatenate(([0], np.cumsum(sizes))).astype(rows.indptr.dtype)
    size = max(1, int(indptr[-1]))
    own = Rows(there(indptr), *(room(size, each.dtype) for each in rows[1:]))
    run(loops.take_rows, one_each(len(chosen)), there(rows), there(chosen), own)
    return Rows(indptr, *(lent(each)[: indptr[-1]] for each in own[1:]))


def _batched(bound):
    """``bound`` without what is done to the gradients of each row, which the loop does."""
    rules = (_inner(each) for each in (bound.rule, bound.intercept_rule))
    return bound._replace(**dict(zip(("rule", "intercept_rule"), rules, strict=True)))


def _inner(rule):
    return next(each for each in chain(rule) if isinstance(each, Batched))


def _learner(bound, state, fit_intercept):
    settings = bound.settings
    if bound.n_candidates > 1:
        settings = there(cpu.by_head_settings(settings, state))
    return Learner(bound.rule, bound.intercept_rule, settings, bool(fit_intercept))


def _steps(state):
    nothing = room(SIZE, state.dtype)
    pending = Pending(room(1, np.int64), room((1, 1), np.float64))
    return Steps(Unscaled(), pending, NoJudge(), nothing, nothing)


def _slice(rows, first, last):
    """The rows from ``first`` on, up to ``last``."""
    start, stop = rows.indptr[first], rows.indptr[last]
    indptr = rows.indptr[first : last + 1] - start
    return Rows(indptr, *(each[start:stop] for each in rows[1:]))


def _targets(targets, first, last):
    values, codes = (np.asarray(each[first:last]) for each in targets[:2])
    return Targets(there(values), there(codes), len(codes) > 0, targets.n_outputs)
