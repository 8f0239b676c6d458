"""Seconds until the first result: imports, compiled code from disk, compiling it.

Each round takes a new empty folder for compiled code, one process that must compile and a
second one that finds the result on disk.
"""

import tempfile

from ..measure import judge, summary
from ..subprocesses import probe

COLUMNS = ("case", "seconds", "range", "target")


def run(options):
    """Five rounds of two processes."""
    first, second = [], []
    for _ in range(options.rounds or 5):
        with tempfile.TemporaryDirectory() as folder:
            for seen in (first, second):
                seen.append(probe("startup", NUMBA_CACHE_DIR=folder))

    def record(case, times):
        return {"case": case, "contestant": "sklearn_adagrad", **summary(times)}

    def beyond(name):
        return [each[f"first_{name}"] - each[f"later_{name}"] for each in second]

    yield record("import sklearn.linear_model", [each["import_sklearn"] for each in second])
    imports = [each["import_ours"] for each in second]
    yield judge(record("import sklearn_adagrad after that", imports), "seconds", at_most=0.6)
    ever = [each["first_fit"] for each in first]
    yield judge(record("first fit ever: compiles", ever), "seconds", at_most=4.0)
    loads = record("first fit of another process, minus a later fit", beyond("fit"))
    yield judge(loads, "seconds", at_most=0.6)
    ever = [each["first_predict_proba"] for each in first]
    yield record("first predict_proba ever: compiles", ever)
    yield record(
        "first predict_proba of another process, minus a later one", beyond("predict_proba")
    )
