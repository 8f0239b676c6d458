"""One pass with L1 and L2 penalties beside one without, for us and for SGDClassifier.

Ours are exact: every weight gets its penalty for every row. The ratio is that of a learner to
itself without a penalty.
"""

from functools import partial

import numpy as np

from .. import data, learners
from ..measure import Contestant, compare, judge

COLUMNS = ("data", "dtype", "contestant", "setting", "seconds", "range", "ratio", "target")
ALPHA = 1e-6
SETTINGS = {
    "none": {},
    "L2": {"alpha": ALPHA, "l1_ratio": 0.0},
    "L1": {"alpha": ALPHA, "l1_ratio": 1.0},
    "L1 and L2": {"alpha": ALPHA, "l1_ratio": 0.5},
}
_PENALTIES = {"none": None, "L2": "l2", "L1": "l1", "L1 and L2": "elasticnet"}


def run(options):
    """Both data sets, both dtypes; every learner against itself."""
    for name, full in data.ROWS.items():
        for dtype in map(np.dtype, learners.DTYPES):
            X, y = data.load(name, dtype, options.rows(full))
            for who in learners.BOTH:
                yield from _one(X, y, who, {"data": name, "dtype": dtype.name}, options)


def _one(X, y, who, case, options):
    contestants = [
        Contestant(setting, partial(_learn, X, y), partial(_model, who, setting))
        for setting in SETTINGS
    ]
    for record in compare(case, contestants, options.rounds or 9):
        record |= {"contestant": who, "setting": record["contestant"]}
        if who == learners.OURS and record["setting"] == "L1 and L2":
            record = judge(record, "ratio", at_most=1.5)
        yield record


def _model(who, setting):
    if who == learners.OURS:
        return learners.ours(**SETTINGS[setting])
    return learners.sgd(penalty=_PENALTIES[setting], **({"alpha": ALPHA} | SETTINGS[setting]))


def _learn(X, y, model):
    return model.partial_fit(X, y, classes=data.CLASSES)
