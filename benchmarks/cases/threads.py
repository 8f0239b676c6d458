"""Several threads beside one: passes in batches, and predictions.

Two outputs of 10 million rows: passes over the same data until so many were learnt, of which the
last seven are timed, in turns; batches are 1/128 of the rows so far. For 20 classes, the passes
after the first. As many threads as there are processors. The ratio is to one thread, and for
batches in one thread to row by row. The weights of one thread and of several are the same to the
last bit, or this fails.
"""

import os

import numpy as np

from .. import data, learners
from ..measure import judge
from ..subprocesses import probe

COLUMNS = ("data", "dtype", "contestant", "seconds", "nonzeros_per_second", "quotient", "target")
BESIDE = {
    "batches": "row by row",
    "batches in threads": "batches",
    "predict in threads": "predict",
}
CLASSES_ROWS = 50_000
FEWEST = 3  # threads that learn one output


def run(options):
    """Every data set and dtype in a process of its own, which is allowed all threads."""
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    allowed = {"SKLEARN_ADAGRAD_BENCHMARK_THREADS": str(n)}
    for name, rows in (*data.ROWS.items(), ("classes", CLASSES_ROWS)):
        for dtype in (np.dtype(each).name for each in learners.DTYPES):
            found = probe("threads", name, dtype, n, options.rows(rows), **allowed)
            if not found["same"]:
                raise AssertionError("the models of one thread and of several differ")
            if name != "classes" and n < FEWEST:
                del found["seconds"]["batches in threads"]
                why = f"with {n} threads it is learnt in one"
                yield {"contestant": f"batches in threads, {name}, {dtype}", "skipped": why}
            yield from _records({"data": name, "dtype": dtype, "threads": n}, found)


def _records(case, found):
    seconds = found["seconds"]
    for who, taken in seconds.items():
        record = {**case, "contestant": who, "seconds": taken, "rows": found["rows"]}
        record["nonzeros_per_second"] = found["nonzeros"] / taken
        if who in BESIDE:
            record["quotient"] = seconds[BESIDE[who]] / taken
        if who == "batches in threads":
            record = judge(record, "quotient", at_least=1.35)
        yield record
