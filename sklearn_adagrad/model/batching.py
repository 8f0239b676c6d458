"""From ``batch_size`` to the rule that learns rows in batches."""

from numbers import Integral, Real

from ..formulas.batches import Batched
from .combinations import chain

_MOST_ROWS = 2**40  # of a batch


def checked_size(size):
    """``size`` of batches as an int or a float, or an error."""
    if isinstance(size, Integral) and 1 <= size <= _MOST_ROWS:
        return int(size)
    if isinstance(size, Real) and not isinstance(size, Integral) and 0 < float(size) < 1:
        return float(size)
    error = ValueError if isinstance(size, Real) else TypeError
    raise error(
        f"batch_size={size!r} must be a number of rows, an int from 1 to 2**40, or a fraction of "
        "the rows learnt so far, a float between 0 and 1."
    )


def in_batches(rule, batch_size):
    """``rule`` in batches of so many rows, or of such a share of the rows before.

    What is about the gradient of each row is taken out of it.
    """
    if batch_size == 1:
        return rule
    links = list(chain(rule))
    outside = [each for each in links[:-1] if getattr(each, "each_row", False)]
    inside = [each for each in links[:-1] if not getattr(each, "each_row", False)]
    inner = links[-1]
    for each in reversed(inside):
        inner = each._replace(rule=inner)
    if batch_size > 1:
        rule = Batched(inner, float(batch_size))
    else:
        rule = Batched(inner, 1.0, float(batch_size))
    for each in reversed(outside):
        rule = each._replace(rule=rule)
    return rule
