"""partial_fit on a single row of 39 non-zeros, for models of 2^10 to 2^24 features.

Every call gets another row, so that its weights are as far away as they would be in a stream.
The model is already trained: what is timed is a call, not the making of a model.
"""

import numpy as np

from .. import data, learners
from ..measure import Contestant, interleaved, judge, summary

COLUMNS = ("case", "contestant", "seconds", "range", "ratio", "growth", "target")
BITS = (10, 18, 22, 24)
CALLS = {  # SGDClassifier's calls grow with the number of features: fewer of them
    learners.OURS: dict.fromkeys(BITS, 300),
    learners.SGD: {10: 100, 18: 50, 22: 5, 24: 3},
}


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
        yield judge(record, "seconds", at_most=150e-6) if who == learners.OURS else record
    for who in learners.BOTH:
        growth = fields[who, BITS[-1]]["seconds"] / fields[who, BITS[0]]["seconds"]
        record = {"case": "growth", "contestant": who, "growth": growth}
        yield judge(record, "growth", at_most=1.3) if who == learners.OURS else record


def _contestant(who, bits):
    calls = CALLS[who][bits]
    X, y = data.uniform(calls, 2**bits, np.float32, nonzeros=39)
    model = learners.BOTH[who]().partial_fit(X, y, classes=data.CLASSES)
    rows = [(X[[row]], y[row : row + 1]) for row in range(calls)]

    def learn(_):
        for row, label in rows:
            model.partial_fit(row, label)

    return Contestant(who, learn, size={"calls": calls})
