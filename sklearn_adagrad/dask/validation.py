"""What a model loses on blocks of rows that it does not learn."""

import math

from ..estimators.judging import judged_by


def validation_loss(model, blocks, workers):
    """The mean loss of a model on all rows of the blocks."""
    lost, weight = zip(*workers.each(_judged, model, blocks), strict=True)
    if not sum(weight) > 0:
        raise ValueError("All blocks of X_val are empty or of weight zero.")
    return math.fsum(lost) / math.fsum(weight)


def _judged(model, rows, name):
    """What is lost on the rows of a block, and what they weigh."""
    if rows.X.shape[0] == 0:
        return 0.0, 0.0
    try:
        lost, weights = judged_by(model, *rows)
    except (ArithmeticError, ValueError, TypeError) as error:
        error.add_note(f"It was {name} that was judged.")
        raise
    return lost(model._state), float(weights.sum())
