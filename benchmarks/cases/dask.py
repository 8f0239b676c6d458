"""Workers of a cluster beside one machine: a pass over files of clicks, and the loss of it.

From files in the format of the Criteo challenge, 2^22 features, batches of 1/128, eight blocks at
a time: one and two worker processes, each on a core of its own, and one thread without Dask. Client
and scheduler share these cores. Workers keep their memory (see docs/scaling.md) and are asked
directly. The ratio is to one worker; reading and hashing are in the time. Bytes are those of the
sums that go to workers and come from them. Losses are ratios to the same rows in one pass row by
row: progressive, and of rows held out.
"""

import statistics

import numpy as np

from sklearn_adagrad import AdagradClassifier
from sklearn_adagrad.dask import DaskAdagradClassifier

from .. import adult, data, logs
from ..measure import judge
from ..subprocesses import probe

COLUMNS = (
    "data", "contestant", "rows", "seconds", "rows_per_second", "quotient", "rounds_of_dask",
    "megabytes_per_million_rows", "progressive", "held_out", "target",
)  # fmt: skip
ROWS, PARTS, REPETITIONS = 400_000, 8, 50
WORKERS = {"one machine": 0, "1 worker": 1, "2 workers": 2}
BLOCK = 5_000  # rows, for the losses


def run(options):
    """Times, then losses."""
    yield from _times(options.rows(ROWS), options.rounds or 3)
    sets = {"clicks": data.load("clicks", np.float32, options.rows(data.ROWS["clicks"]))}
    found = adult.load(options.adult)
    if found is None:
        yield {"contestant": "Adult", "skipped": "it is not at hand: name it by --adult"}
    else:
        sets["Adult"] = found
    for name, (X, y) in sets.items():
        yield _losses(name, X, y)


def _times(rows, n):
    paths, found = _parts(logs.clicks(rows)["tsv"]), {who: [] for who in WORKERS}
    for _ in range(n):
        for who, workers in WORKERS.items():
            found[who].append(probe("cluster", workers, REPETITIONS, *paths))
    speeds = {}
    for who, each in found.items():
        seconds = statistics.median(one["seconds"] for one in each)
        last = each[-1]
        speeds[who] = last["rows"] / seconds
        record = {
            "data": "files", "contestant": who, "rows": last["rows"], "seconds": seconds,
            "rows_per_second": speeds[who],
        }  # fmt: skip
        if last["rounds"]:
            record["rounds_of_dask"] = last["rounds"]
            record["megabytes_per_million_rows"] = last["bytes"] / last["rows"]
        if "1 worker" in speeds and who != "1 worker":
            record["quotient"] = speeds[who] / speeds["1 worker"]
            record = judge(record, "quotient", at_least=1.5)
        yield record


def _parts(path):
    """The file cut into parts, which are kept beside it."""
    paths = [path.with_suffix(f".{n}.tsv") for n in range(PARTS)]
    if not all(each.exists() for each in paths):
        lines = path.read_bytes().splitlines(keepends=True)
        for n, each in enumerate(paths):
            part = lines[n * len(lines) // PARTS : (n + 1) * len(lines) // PARTS]
            each.write_bytes(b"".join(part))
    return paths


def _losses(name, X, y):
    cut = len(y) * 3 // 4
    plain = AdagradClassifier(lr=0.1).partial_fit(X[:cut], y[:cut], classes=data.CLASSES)
    blocks = [(X[n : n + BLOCK][: cut - n], y[n : n + BLOCK][: cut - n])
              for n in range(0, cut, BLOCK)]  # fmt: skip
    model = DaskAdagradClassifier(lr=0.1).partial_fit(blocks, classes=data.CLASSES)
    held_out = [_log_loss(each, X[cut:], y[cut:]) for each in (model, plain)]
    record = {
        "data": name, "contestant": "eight shards", "rows": cut,
        "progressive": model.progressive_loss_ / plain.progressive_loss_,
        "held_out": held_out[0] / held_out[1],
    }  # fmt: skip
    return judge(record, "held_out", at_most=1.003)


def _log_loss(model, X, y):
    scores = model.decision_function(X)
    return float(np.logaddexp(0.0, np.where(y == 1, -scores, scores)).mean())
