"""fit with five shuffled epochs, beside SGDClassifier.

Shuffled rows lie anywhere in memory: what a pass in order gains from reading ahead is lost.
"""

from functools import partial

import numpy as np

from .. import data, learners
from ..measure import Contestant, compare

COLUMNS = (
    "data", "dtype", "contestant", "seconds", "range",
    "rows_per_second", "nonzeros_per_second", "ratio",
)  # fmt: skip
EPOCHS = 5
SETTINGS = {"max_iter": EPOCHS, "tol": None, "shuffle": True, "random_state": 0}


def run(options):
    """Both data sets, both dtypes."""
    for name, full in data.ROWS.items():
        for dtype in map(np.dtype, learners.DTYPES):
            X, y = data.load(name, dtype, options.rows(full))
            size = {"rows": EPOCHS * X.shape[0], "nonzeros": EPOCHS * X.nnz}
            contestants = [
                Contestant(who, partial(_fit, X, y), partial(make, **SETTINGS), size)
                for who, make in learners.BOTH.items()
            ]
            yield from compare(
                {"data": name, "dtype": dtype.name}, contestants, options.rounds or 5
            )


def _fit(X, y, model):
    return model.fit(X, y)
