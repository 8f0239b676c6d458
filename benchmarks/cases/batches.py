"""Rows learnt in batches, beside the same rows learnt one by one: losses as ratios.

Batches of a fraction of the rows learnt so far, and of fixed sizes. A quarter of the rows is held
out. Losses: of each row by the weights at the start of its batch, in one pass; held out after one
pass; with a plain rate, which calls of ``partial_fit`` serve for epochs too, held out after three.
That rate is the best of 12 row by row; it is left out where columns differ so much in scale that
none is of use.
"""

import math
from functools import partial

import numpy as np

from sklearn_adagrad import AdagradClassifier

from .. import data, real
from ..measure import judge

COLUMNS = (
    "data", "contestant", "setting", "progressive", "held_out", "three_passes", "target",
)  # fmt: skip
RATES = np.geomspace(0.005, 10, 12)
SIZES = {f"1/{n}": 1 / n for n in (256, 128, 64, 32, 16, 8)}
SIZES |= {f"{n:,} rows": n for n in (16, 64, 256, 1024, 4096)}
LOSSES = ("progressive", "held_out", "three_passes")


def run(options):
    """Generated data, then real ones."""
    sets = {name: partial(data.load, name, np.float32, options.rows(rows))
            for name, rows in data.ROWS.items()}  # fmt: skip
    if options.data is not None:
        known = real.BINARY | real.CLASSES
        sets |= {name: partial(real.load, options, *known[name]) for name in known}
    for name, load in sets.items():
        found = load()
        if found is None:
            yield {"contestant": name, "skipped": "it is not in the folder"}
        else:
            yield from _compared(name, *found)
    if options.data is None:
        yield {"contestant": "real data", "skipped": "no folder: name one by --data"}


def _compared(name, X, y):
    several = {"multi_class": "multinomial"} if len(np.unique(y)) > 2 else {}
    cut = len(y) * 3 // 4
    lost = partial(_losses, (X[:cut], y[:cut]), (X[cut:], y[cut:]), np.unique(y), **several)
    best = min(RATES, key=lambda lr: lost(1, lr=lr)[LOSSES[0]])
    learners = [('lr="auto"', "auto")]
    if not name.startswith(real.UNSCALED):
        learners.insert(0, (f"lr={best:.2g}", best))
    for who, lr in learners:
        passes = 1 if lr == "auto" else 3
        alone = lost(passes, lr=lr)
        for setting, size in SIZES.items():
            found = lost(passes, lr=lr, batch_size=size)
            record = {"data": name, "rows": cut, "contestant": who, "setting": setting}
            for each in alone:
                record |= {each: found[each] / alone[each], f"{each}_loss": alone[each]}
            yield judge(record, "held_out", at_most=1.005) if setting == "1/128" else record


def _losses(learnt, held_out, classes, passes, **parameters):
    """By name; after one pass there are two of them."""
    model, found = AdagradClassifier(**parameters), []
    try:
        for n in range(passes):
            model.partial_fit(*learnt, classes=classes)
            if n == 0:
                found.append(model.progressive_loss_)
            if n in (0, 2):
                found.append(_loss(model, *held_out))
    except FloatingPointError:  # it diverged
        found = [math.inf] * (2 if passes == 1 else 3)
    return dict(zip(LOSSES, found, strict=False))


def _loss(model, X, y):
    """Log loss from scores: chances of 0 and 1 have one too."""
    scores = model.decision_function(X)
    if scores.ndim == 1:
        return float(np.mean(np.logaddexp(0.0, np.where(y == model.classes_[1], -scores, scores))))
    right = scores[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return float(np.mean(np.logaddexp.reduce(scores, axis=1) - right))
