"""Wrappers that choose the size of a row's step. What they do is done by the engines, row by row.

A row's step is one number, ``row.share``: what share of the gradient moves the weights.
Accumulators see all of it, and penalties have rates of their own: they stay exact and lazy.
"""

from typing import NamedTuple

from ..arithmetic.tuples import told_apart


class ScaleFree(NamedTuple):
    """Columns, rows and targets may have any scale: ``lr`` is a number without a unit.

    As each row comes, before it is learnt,

    * every column is divided by the largest magnitude that it has shown;
    * steps are multiplied by ``sqrt(n / sum(norms ** 2))``, with the norms of the ``n`` rows so far
      in these columns, the 1 of the intercept included;
    * for losses of regression whose scores are in the units of ``y``, the mean of the targets so
      far is taken from them (if there is an intercept), and steps are multiplied by their standard
      deviation.

    A row is scored with the scales that it makes before it is learnt, and its loss noted by these.
    ``predict`` knows the scales of the rows learnt only. A row of weight ``w`` counts as ``w``
    rows. Nothing is kept of rows but these numbers, one for
    each feature. ``coef_`` and ``intercept_`` are for rows and targets as they are. All else speaks
    of the divided columns: ``eps``, ``alpha``, and the accumulators. Penalties are not multiplied:
    ``alpha`` weighs against the losses of rows of norm 1.

    With ``by_column`` the method is NAG of Ross, Mineiro and Langford (2013), "Normalized Online
    Learning", algorithm 2, but that the accumulators are of the divided columns. Multiplying a
    column by any number changes nothing but its ``coef_``. Adding one does: a column that is near
    1000 in all rows acts as a second intercept. Its mean cannot be taken from it as the target's
    is: the rows without the feature would then have a gradient for it too, and Adagrad's steps by
    many gradients have no closed form, so that every row would have to visit every feature.

    The best ``lr`` is between 0.2 and 2 for most data with a column for each of many names, and
    larger where classes are nearly separable.

    Parameters
    ----------
    rule : rule
        The rule to wrap. It must declare ``takes_share``.
    by_column : bool, default=True
        Whether columns have scales of their own. Without, values are as they are, and steps are
        divided by the largest norm of a row so far: right for TF-IDF and other rows whose
        scale carries meaning.
    """

    rule: tuple
    by_column: bool = True

    is_scale_free = True
    needs_share = True

    def check_change(self, other, t):
        if other is None:
            raise ValueError(
                "rule cannot begin or cease to be ScaleFree once rows were learnt: begin anew."
            )
        if other.by_column != self.by_column:
            raise ValueError(
                f"ScaleFree.by_column cannot change to {self.by_column} once rows were learnt: "
                "begin anew."
            )


class ImportanceAware(NamedTuple):
    """A row is learnt in infinitely many small steps, which never go beyond its target.

    By the closed form of their limit: Karampatziakis and Langford (2011), "Online Importance
    Weight Aware Updates", section 4. With the accumulators as this row leaves them, its score moves
    along ``d score / d s = -gradient(score) * reach`` from ``s = 0`` to the weight of the row,
    where ``reach`` is what a step changes the score by for each unit of gradient: for "adagrad" the
    sum of ``lr * x ** 2 / (sqrt(accumulator) + eps)``. All weights of the row make the step that
    takes the score there. So a large ``lr`` does not overshoot, and a row of weight ``w`` is like
    ``w`` rows: the accumulators get ``w`` times the square of its gradient.

    The loss must say where the limit is; all do but the perceptron's, which has none. The softmax
    of several classes has no closed form: there each class's score moves as if those of the others
    stayed. For "tweedie" see :class:`~sklearn_adagrad.losses.Tweedie`. Momentum adds earlier steps
    to these, which may overshoot together. Penalties come after the step, as always.

    Parameters
    ----------
    rule : rule
        The rule to wrap. It must declare ``takes_share``.
    """

    rule: tuple

    is_importance_aware = True
    needs_share = True


told_apart(ScaleFree, ImportanceAware)
