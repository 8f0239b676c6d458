"""Predicted against true click rates in long streams, float32 beside float64.

A thousandth of the rows are clicks. "one column" is an intercept and a column that is in no row;
"frequent features" are two features of ten values each, of which one is in every row.
"""

import numpy as np
from scipy import sparse

from sklearn_adagrad import AdagradClassifier

from ..measure import judge

COLUMNS = ("data", "rule", "dtype", "rows", "predicted", "target")
ROWS, CHUNK, RATE, VALUES = 200_000_000, 2_000_000, 1e-3, 10
SEEN = (0.05, 0.25, 1.0)  # of the rows


def run(options):
    """The mean prediction over the share of clicks, and float32's against float64's."""
    for name, chunk in (("one column", _nothing), ("frequent features", _fields)):
        yield from _stream(name, chunk, max(1, options.rows(ROWS) // CHUNK))


def _stream(name, chunk, n_chunks):
    models = {
        (rule, dtype): AdagradClassifier(lr=0.05, rule=rule)
        for rule in ("adagrad", "ftrl", "dual_averaging")
        for dtype in ("float64", "float32")
    }
    rng, clicks = np.random.default_rng(0), 0
    shown = {max(1, int(n_chunks * share)) for share in SEEN}
    for n in range(1, n_chunks + 1):
        X, y = chunk(rng), (rng.random(CHUNK) < RATE).astype(np.int8)
        clicks += int(y.sum())
        for (_, dtype), model in models.items():
            model.partial_fit(X.astype(dtype), y, classes=[0, 1])
        if n not in shown:
            continue
        found = {}
        for (rule, dtype), model in models.items():
            mean = model.predict_proba(X[:100_000].astype(dtype))[:, 1].mean()
            found[rule, dtype] = float(mean) / (clicks / (n * CHUNK))
            record = {"data": name, "rule": rule, "rows": n * CHUNK, "dtype": dtype}
            record |= {"predicted": found[rule, dtype]}
            if dtype == "float32":  # within 2 % of float64
                record = judge(record, "predicted", at_most=1.02 * found[rule, "float64"])
            yield record


def _nothing(rng):
    return sparse.csr_array((CHUNK, 1))


def _fields(rng):
    columns = rng.integers(0, VALUES, (CHUNK, 2), dtype=np.int32) + np.array([0, VALUES], np.int32)
    starts, shape = np.arange(0, 2 * CHUNK + 1, 2, dtype=np.int32), (CHUNK, 2 * VALUES)
    return sparse.csr_array((np.ones(2 * CHUNK), columns.ravel(), starts), shape=shape)
