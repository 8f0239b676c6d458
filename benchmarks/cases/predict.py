"""predict_proba of all rows at once, and of one row.

The models are trained beforehand; validating the input is part of the time.
"""

import numpy as np

from .. import data, learners
from ..measure import Contestant, compare, judge

COLUMNS = (
    "data", "dtype", "case", "contestant", "seconds", "range",
    "rows_per_second", "nonzeros_per_second", "ratio", "target",
)  # fmt: skip
CALLS = 200


def run(options):
    """Both data sets, both dtypes, in one batch and row by row."""
    for name, full in data.ROWS.items():
        for dtype in map(np.dtype, learners.DTYPES):
            X, y = data.load(name, dtype, options.rows(full))
            models = {
                who: make().partial_fit(X, y, classes=data.CLASSES)
                for who, make in learners.BOTH.items()
            }
            case = {"data": name, "dtype": dtype.name}
            yield from _batch(case, models, X, options)
            yield from _row_by_row(case, models, X, options)


def _batch(case, models, X, options):
    size = {"rows": X.shape[0], "nonzeros": X.nnz}
    contestants = [
        Contestant(who, lambda _, model=model: model.predict_proba(X), size=size)
        for who, model in models.items()
    ]
    yield from compare(case | {"case": "all rows"}, contestants, options.rounds or 11)


def _row_by_row(case, models, X, options):
    rows = [X[[row]] for row in range(CALLS)]

    def predict(model):
        for row in rows:
            model.predict_proba(row)

    contestants = [
        Contestant(who, predict, lambda model=model: model, {"calls": CALLS})
        for who, model in models.items()
    ]
    for record in compare(case | {"case": "one row"}, contestants, options.rounds or 11):
        ours = record["contestant"] == learners.OURS
        yield judge(record, "seconds", at_most=150e-6) if ours else record
