"""Where the loops run. One engine so far: one thread of the processor.

An engine is a module with five functions, each given arrays and the ``BoundRule`` of a model:

* ``inspect(rows, bits, n_features)``: the ``Verdict`` on the rows;
* ``learn(rows, order, targets, weights, loss, bound, state, *, fit_intercept, limit, max_abs,
  drops, refuses, scores, has_unit, n_jobs)``: learn the rows in that order; None, or the first row
  that was not learnt. ``scores``, if given, receives what the model says of each row before it
  learns it. Up to ``n_jobs`` threads may work, and it makes no difference how many do;
* ``scores(rows, bits, n_features, bound, state, *, clips, n_jobs)``: with a column for each head,
  or for the mean of learners; and the ``Verdict``;
* ``losses(scores, targets, weights, loss)``: the weighted sum over the rows, by head;
* ``host(state)``: the state in arrays of NumPy that everything else reads.

An engine that serves single rows has three more, for calls that are prepared once:

* ``prepared_learn(rows, targets, weights, loss, bound, state, *, fit_intercept, limit,
  has_unit)``: a function without arguments that learns what is then the only row of these arrays;
  it returns 1, or 0 if the row was not learnt;
* ``prepared_scores(rows, bound, state, out)``: one that writes the scores into ``out``;
* ``take(indices, values, indptr, own_indices, own_values, n_features)``: put a row of the user's
  into such arrays; it returns whether the row is sound.

``ENGINES`` has all engines by name; the tests run on each of them.
"""

from .cpu import engine as cpu

ENGINES = {"cpu": cpu}
