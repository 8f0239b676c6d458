"""Where the loops run: on the processor, or on a GPU.

An engine is a module or an object with four functions, each given arrays and the ``BoundRule`` of a
model:

* ``inspect(rows, bits, n_features)``: the ``Verdict`` on the rows;
* ``learn(rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, max_abs,
  drops, refuses, scores, has_unit, n_jobs)``: learn the rows in that order; None, or the first row
  that was not learnt. ``scores``, if given, receives what the model says of each row before it
  learns it. Up to ``n_jobs`` threads may work, and it makes no difference how many do;
* ``scores(rows, bits, n_features, bound, state, *, clips, n_jobs)``: with a column for each head,
  or for the mean of learners; and the ``Verdict``;
* ``losses(scores, targets, weights, loss)``: the weighted sum over the rows, by head.

Besides, ``entries_at_once`` is how many entries times heads ``learn`` is to be given, and
``learns_elsewhere`` whether it changes the twin of a state instead of its arrays (see
``model.guard``).

An engine that serves single rows has three more, for calls that are prepared once:

* ``prepared_learn(rows, targets, weights, loss, bound, state, *, fit_intercept, limit,
  has_unit)``: a function without arguments that learns what is then the only row of these arrays;
  it returns 1, or 0 if the row was not learnt;
* ``prepared_scores(rows, bound, state, out)``: one that writes the scores into ``out``;
* ``take(indices, values, indptr, own_indices, own_values, n_features)``: put a row of the user's
  into such arrays; it returns whether the row is sound.

``ENGINES`` has the engines of the processor by name; the tests run on each of them. ``engine_of``
finds that of a ``device``.
"""

import functools
import re

from .cpu import engine as cpu

ENGINES = {"cpu": cpu}
_GPU = re.compile(r"cuda(?::(0|[1-9]\d{0,3}))?", re.ASCII)


@functools.cache
def engine_of(device):
    """That of ``"cpu"``, ``"cuda"`` or ``"cuda:1"``, or an error that says what is missing."""
    if device == "cpu":
        return cpu
    gpu = _GPU.fullmatch(device)
    if gpu is None:
        raise ValueError(f"device={device!r} must be 'cpu', 'cuda', or one GPU such as 'cuda:1'.")
    from .cuda.engine import Engine

    return Engine(int(gpu[1] or 0), device)
