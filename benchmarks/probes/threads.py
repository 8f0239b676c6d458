"""Prints how long passes take in one thread and in several: arguments are data, dtype, threads."""

import gc
import json
import statistics
import sys
import time

import numpy as np

from sklearn_adagrad import AdagradClassifier

from .. import data

ROWS, ROUNDS, CLASSES = 10_000_000, 7, 20  # a stream, whose last passes are timed
FRACTION = 1 / 128


def main():
    """One output, several, and predictions."""
    name, dtype, n, rows = sys.argv[1], np.dtype(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if name == "classes":
        X, y = data.classes(rows, CLASSES)
        X, classes = X.astype(dtype), np.arange(CLASSES)
    else:
        X, y = data.load(name, dtype, rows)
        classes = data.CLASSES
    models = {
        "row by row": AdagradClassifier(lr=0.1),
        "batches": AdagradClassifier(lr=0.1, batch_size=FRACTION),
        "batches in threads": AdagradClassifier(lr=0.1, batch_size=FRACTION, n_jobs=n),
    }
    passes = 1 if name == "classes" else ROWS // len(y)
    times = {who: [] for who in (*models, "predict", "predict in threads")}
    for model in models.values():
        for _ in range(passes):
            model.partial_fit(X, y, classes=classes)
    for _ in range(ROUNDS):
        for who, model in models.items():
            times[who].append(_seconds(model.partial_fit, X, y))
        model = models["row by row"]
        for who, n_jobs in (("predict", None), ("predict in threads", n)):
            times[who].append(_seconds(model.set_params(n_jobs=n_jobs).decision_function, X))
        model.set_params(n_jobs=None)
    same = np.array_equal(models["batches"].coef_, models["batches in threads"].coef_)
    seconds = {who: statistics.median(each) for who, each in times.items()}
    print(json.dumps({"seconds": seconds, "same": same, "rows": len(y), "nonzeros": X.nnz}))


def _seconds(call, *arguments):
    gc.collect()
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began


main()
