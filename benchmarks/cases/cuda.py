"""A GPU beside one core: passes in batches over clicks and texts, and many classes row by row.

Every run trains a fresh model in float32 on rows in the memory of the processor; copying them to
the GPU is part of its time, compiling is not. ``quotient`` is to the same rows, row by row, in one
thread of the processor. The bound is what moving the records would take at the speed at which the
GPU copies its own memory: 32 bytes read to score an entry, and 32 read and written to learn it;
with many classes, the weights and accumulators of all. Where no GPU is found, this says so.
"""

import time
from functools import partial

import numpy as np

from sklearn_adagrad import AdagradClassifier

from .. import data
from ..measure import Contestant, compare, judge

COLUMNS = ("data", "contestant", "seconds", "range", "rows_per_second", "quotient", "target")
PASSES = {"clicks": 400_000, "text": 200_000}
BATCHES = (128, 64)
HEADS = {20: 20_000, 1024: 2_000, 4096: 500}
GOALS = {"clicks": 5.0, 1024: 40.0, 4096: 100.0}
CPU, BOUND = "cpu, row by row", "bound of the GPU's memory"


def run(options):
    """One output in batches, beside PyTorch on the same GPU; then 20 and more classes."""
    try:
        speed = _bytes_per_second()
    except (ImportError, RuntimeError) as error:
        yield {"data": "all", "contestant": "cuda", "skipped": str(error)}
        return
    for name, rows in PASSES.items():
        X, y = data.load(name, np.float32, options.rows(rows))
        models = {CPU: {}} | {f"cuda, 1/{n}": {"batch_size": 1 / n, "device": "cuda"}
                              for n in BATCHES}  # fmt: skip
        models |= {f"cpu, 1/{n}": {"batch_size": 1 / n} for n in BATCHES}
        contestants = [_contestant(who, X, y, data.CLASSES, **how) for who, how in models.items()]
        contestants += _peers(X, y)
        seconds = 96 * X.nnz / speed
        yield from _records(name, contestants, len(y), seconds, GOALS.get(name), options.rounds)
    for n_classes, rows in HEADS.items():
        X, _ = data.load("text", np.float32, PASSES["text"])
        X, y = X[: options.rows(rows)], np.random.default_rng(0).integers(n_classes, size=len(y))
        y = y[: X.shape[0]]
        contestants = [
            _contestant(who, X, y, np.arange(n_classes), device=device)
            for who, device in ((CPU, "cpu"), ("cuda, row by row", "cuda"))
        ]
        seconds, name = 24 * n_classes * X.nnz / speed, f"{n_classes} classes"
        goal = GOALS.get(n_classes)
        yield from _records(name, contestants, len(y), seconds, goal, options.rounds)


def _contestant(who, X, y, classes, **how):
    def learn(model):
        return model.partial_fit(X, y, classes=classes)

    return Contestant(who, learn, partial(AdagradClassifier, lr=0.1, **how), {"rows": len(y)})


def _peers(X, y):
    try:
        from ..peers import pytorch

        return pytorch.contestants(X, y, "cuda")
    except ImportError:
        return []


def _records(name, contestants, rows, bound, goal, rounds):
    first = None
    for record in compare({"data": name}, contestants, rounds or 5):
        first = first or record["rows_per_second"]
        record["quotient"] = record.pop("rows_per_second") / first
        record["rows_per_second"] = record["quotient"] * first
        if goal and record["contestant"].startswith("cuda"):
            record = judge(record, "quotient", at_least=goal)
        yield record
    yield {"data": name, "contestant": BOUND, "seconds": bound, "quotient": rows / bound / first}


def _bytes_per_second():
    """How fast the GPU copies its own memory, reading and writing counted."""
    from sklearn_adagrad.engines.cuda import device

    cuda = device.found(0)
    one, other = (device.room(2**26, np.float32) for _ in range(2))
    best = 0.0
    for _ in range(5):
        cuda.synchronize()
        began = time.perf_counter()
        device.same(one, other)
        cuda.synchronize()
        best = max(best, 2 * one.nbytes / (time.perf_counter() - began))
    return best
