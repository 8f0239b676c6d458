"""Prints the memory that one way of training takes beyond its input.

Arguments: learner, method, dtype, and how many rows there are at most.
"""

import json
import re
import sys
import tracemalloc
from pathlib import Path

from .. import data, learners

FEATURES = 2**22
EPOCHS = {"max_iter": 2, "tol": None, "shuffle": True, "random_state": 0}


def allocated(train):
    """Most bytes that were allocated at once, touched or not, as NumPy tells ``tracemalloc``."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    result = train()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del result
    return peak - before


def resident(train):
    """Most bytes by which the process grew, as Linux tells it; None elsewhere."""
    status = Path("/proc/self/status")
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    except OSError:
        return None
    before = _kilobytes(status, "VmRSS")
    result = train()
    peak = _kilobytes(status, "VmHWM")
    del result
    return 1024 * (peak - before)


def _kilobytes(status, name):
    return int(re.search(rf"{name}:\s+(\d+) kB", status.read_text())[1])


def main(who, method, dtype, rows):
    """Measure at the full size, with fewer features and with fewer rows: slopes tell the rest."""
    rows = int(rows)

    def training(n_rows, n_features):
        X, y = data.uniform(n_rows, n_features, dtype)
        if method == "fit":
            return lambda: learners.BOTH[who](**EPOCHS).fit(X, y)
        return lambda: learners.BOTH[who]().partial_fit(X, y, classes=data.CLASSES)

    training(1000, 2**10)()  # imports and compiled code are not what is measured
    full = training(rows, FEATURES)
    grown = resident(full)
    peak = allocated(full)
    few_features = allocated(training(rows, FEATURES // 4))
    few_rows = allocated(training(rows // 2, FEATURES))
    X, _ = data.uniform(10, FEATURES, dtype)
    print(
        json.dumps(
            {
                "resident": grown,
                "allocated": peak,
                "bytes_per_feature": (peak - few_features) / (FEATURES - FEATURES // 4),
                "bytes_per_row": (peak - few_rows) / (rows - rows // 2),
                "data_bytes_per_row": (X.data.nbytes + X.indices.nbytes + X.indptr[:-1].nbytes)
                / 10,
            }
        )
    )


main(*sys.argv[1:])
