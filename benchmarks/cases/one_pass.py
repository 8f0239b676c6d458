"""One pass of partial_fit over all rows, beside SGDClassifier.

Every run trains a fresh model on the same arrays; validating the input is part of the time.
"""

from functools import partial

import numpy as np

from .. import data, learners
from ..measure import Contestant, compare, judge

COLUMNS = (
    "data", "dtype", "contestant", "seconds", "range",
    "rows_per_second", "nonzeros_per_second", "ratio", "target",
)  # fmt: skip
TARGETS = {
    ("clicks", "float32"): 2.5,
    ("clicks", "float64"): 2.0,
    ("text", "float32"): 1.5,
    ("text", "float64"): 1.1,
}


def run(options):
    """Both data sets, both dtypes."""
    for name, full in data.ROWS.items():
        for dtype in map(np.dtype, learners.DTYPES):
            X, y = data.load(name, dtype, options.rows(full))
            size = {"rows": X.shape[0], "nonzeros": X.nnz}
            contestants = [
                Contestant(who, partial(_learn, X, y), make, size)
                for who, make in learners.BOTH.items()
            ]
            case = {"data": name, "dtype": dtype.name}
            for record in compare(case, contestants, options.rounds or 11):
                if record["contestant"] == learners.OURS:
                    yield record
                else:
                    yield judge(record, "ratio", at_least=TARGETS[name, dtype.name])


def _learn(X, y, model):
    return model.partial_fit(X, y, classes=data.CLASSES)
