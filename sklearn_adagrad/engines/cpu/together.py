"""Which rows several threads learn together, and what they need for it."""

import numpy as np

from ...arithmetic.atomics import GONE
from ...arithmetic.jit import variant
from ...formulas.batches import Batched
from ...formulas.rules import first_of_size, is_batched
from ...model.combinations import chain
from .heads_side_by_side import HeadsBlock, learn_heads_side_by_side
from .side_by_side import Block, learn_side_by_side
from .team import together

# How many entries, times heads, a batch must have, and how many there are between two meetings.
_ENTRIES, _BLOCK_ENTRIES, _BLOCK_ROWS = 2**16, 2**17, 2**13
# Threads that learn one output have twice the work of one alone: each row is visited twice, and
# records go from core to core.
_FEWEST = 3
_LINE = 16  # numbers between those of two threads
_SAMPLE = 2**12  # entries that tell which features are frequent


def rows_alone(rows, n_learnt, bound, state, n):
    """How many of ``n_learnt`` rows one thread learns before there is work enough for ``n``."""
    if n < (_FEWEST if state.n_heads == 1 else 2) or not is_batched(bound.rule):
        return n_learnt
    if "batch_shares" in state.beside or not _is_place_free(bound.rule):
        return n_learnt
    of_row = max(1, len(rows.indices)) * state.n_heads / (len(rows.indptr) - 1)
    alone = max(0, first_of_size(bound.rule, 1 + _ENTRIES / of_row) - state.t)
    return alone if (n_learnt - alone) * of_row > _ENTRIES else n_learnt


def _is_place_free(rule):
    """Whether what is done to the gradient of a row is ours: its noise goes by no entry's place."""
    for each in chain(rule):
        if isinstance(each, Batched):
            return True
        if type(each).__module__.partition(".")[0] != __name__.partition(".")[0]:
            return False
    return True


def learn_together(n, rule, state, arguments):
    """What the kernel with these ``arguments`` returns if ``n`` threads share the rows."""
    rows, room = arguments[0].rows, arguments[-1]
    n_heads, dtype = state.n_heads, rows.values.dtype
    most_rows, most_entries = (1 + each // n_heads for each in (_BLOCK_ROWS, _BLOCK_ENTRIES))
    counter, places = np.zeros(_LINE, np.int64), np.zeros((n, most_rows), np.int64)
    splits, bounds = np.empty((most_rows, n + 1), np.uintp), _bounds(rows.indices, n)
    if n_heads == 1:
        kernel, rooms = variant(learn_side_by_side, rule), None
        block = Block(
            counter, np.zeros((n, _LINE), np.int64), places,
            *(np.empty(most_rows, kind) for kind in (np.float64, np.float64, dtype)),
            splits, bounds,
        )  # fmt: skip
    else:
        kernel = variant(learn_heads_side_by_side, rule)
        rooms = [type(room)(*(np.zeros_like(each) for each in room)) for _ in range(n)]
        shape = most_rows, len(room.sums)
        block = HeadsBlock(
            counter, np.zeros(1, np.int64), places, *(np.empty(shape, dtype) for _ in range(2)),
            splits, bounds,
        )  # fmt: skip
    sizes = n, most_rows, most_entries

    def run(who):
        own = () if rooms is None else (rooms[who],)
        try:
            return kernel(*arguments[:-1], *own, block, sizes, who)
        except BaseException:  # before it began: the others wait for it
            counter[0] = GONE
            raise

    return together(n, run)[0]


def _bounds(indices, n):
    """The first features of ``n`` owners, of about equally many entries each."""
    bounds = np.zeros(n, np.uintp)
    if len(indices):
        chosen = np.random.default_rng(0).integers(len(indices), size=_SAMPLE)
        bounds[1:] = np.sort(indices[chosen])[_SAMPLE * np.arange(1, n) // n]
    return bounds
