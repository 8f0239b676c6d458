"""A single row of 39 non-zeros, for models of 2^10 to 2^24 features; and ways to serve one row.

Every call gets another row, so that its weights are as far away as they would be in a stream.
The model is already trained: what is timed is a call, not the making of a model.
"""

import numpy as np

from sklearn_adagrad import FieldHasher
from sklearn_adagrad.serving import Predictor

from .. import data, learners
from ..measure import Contestant, interleaved, judge, summary

COLUMNS = ("case", "contestant", "seconds", "range", "ratio", "growth", "target")
BITS = (10, 18, 22, 24)
CALLS = {  # SGDClassifier's calls grow with the number of features: fewer of them
    learners.OURS: dict.fromkeys(BITS, 300),
    learners.SGD: {10: 100, 18: 50, 22: 5, 24: 3},
}
SERVED = 22  # bits
PREDICTOR = "Predictor"
PREDICT, LEARN = "one prediction", "one row learnt"
AT_MOST = {PREDICT: 20e-6, LEARN: 30e-6}


def run(options):
    """All sizes and both learners take turns, so that their ratios compare like with like."""
    keys = [(who, bits) for bits in BITS for who in learners.BOTH]
    contestants = [_contestant(who, bits) for who, bits in keys]
    times = interleaved(contestants, options.rounds or 9)
    fields = {
        key: summary(taken, **contestant.size)
        for key, contestant, taken in zip(keys, contestants, times, strict=True)
    }
    for who, bits in keys:
        record = {
            "case": f"2^{bits} features",
            "contestant": who,
            **fields[who, bits],
            "ratio": fields[who, bits]["seconds"] / fields[learners.OURS, bits]["seconds"],
        }
        yield judge(record, "seconds", at_most=100e-6) if who == learners.OURS else record
    for who in learners.BOTH:
        growth = fields[who, BITS[-1]]["seconds"] / fields[who, BITS[0]]["seconds"]
        record = {"case": "growth", "contestant": who, "growth": growth}
        yield judge(record, "growth", at_most=1.3) if who == learners.OURS else record
    yield from _served(options)


def _contestant(who, bits):
    calls = CALLS[who][bits]
    X, y = data.uniform(calls, 2**bits, np.float32, nonzeros=39)
    model = learners.BOTH[who]().partial_fit(X, y, classes=data.CLASSES)
    rows = [(X[[row]], y[row : row + 1]) for row in range(calls)]

    def learn(_):
        for row, label in rows:
            model.partial_fit(row, label)

    return Contestant(who, learn, size={"calls": calls})


def _served(options):
    """A predictor beside the estimators that take a matrix of one row."""
    keys, contestants = zip(*_ways_to_serve(), strict=True)
    times = interleaved(contestants, options.rounds or 9)
    found = [
        summary(taken, **contestant.size)
        for contestant, taken in zip(contestants, times, strict=True)
    ]
    least = {}
    for (what, who), fields in zip(keys, found, strict=True):
        base = least.setdefault(what, fields["seconds"])
        record = {"case": what, "contestant": who, **fields, "ratio": fields["seconds"] / base}
        at_most = AT_MOST[what] if who.startswith(PREDICTOR) else None
        yield judge(record, "seconds", at_most=at_most) if at_most else record


def _ways_to_serve():
    n_rows, n_features = 300, 2**SERVED
    X, y = data.uniform(n_rows, n_features, np.float32, nonzeros=39)
    parts = [X[[row]] for row in range(n_rows)]
    fields = [_fields(row.indices) for row in parts]
    hasher = FieldHasher(n_features, dtype=np.float32).fit(fields)
    rows = {
        "indices": [row.indices for row in parts],
        "indices and values": [(row.indices, row.data) for row in parts],
        "dict": fields,
        "values of fields": [tuple(each.values()) for each in fields],
    }
    ours = learners.ours().partial_fit(X, y, classes=data.CLASSES)
    for form, given in rows.items():
        is_of_fields = form in ("dict", "values of fields")
        predictor = Predictor(ours, hasher if is_of_fields else None)
        labelled = list(zip(given, y.tolist(), strict=True))
        yield from _both(f"{PREDICTOR}, {form}", predictor, labelled)
    for who, make in learners.BOTH.items():
        model = make().partial_fit(X, y, classes=data.CLASSES)
        n = CALLS[who][SERVED]
        yield from _both(who, model, [(X[[row]], y[row : row + 1]) for row in range(n)])


def _both(who, model, rows):
    """Predicting and learning."""

    def predict(_):
        for row, _label in rows:
            model.predict_proba(row)

    def learn(_):
        for row, label in rows:
            model.partial_fit(row, label)

    for what, function in ((PREDICT, predict), (LEARN, learn)):
        yield (what, who), Contestant(who, function, size={"calls": len(rows)})


def _fields(indices):
    """39 fields, 13 of numbers and 26 of names."""
    numbers = {f"number{n}": float(index % 1000) for n, index in enumerate(indices[:13])}
    return numbers | {f"name{n}": f"{index:08x}" for n, index in enumerate(indices[13:])}
