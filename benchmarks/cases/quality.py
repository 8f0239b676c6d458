"""Log loss of every row before it is learnt, over a range of learning rates.

Both learners get chunks of 1000 rows, predict each chunk and then learn it, once. Clicks are
the first 100,000 rows; Adult is read if its file is there or ``--adult`` names it.
"""

import numpy as np
from sklearn.metrics import log_loss

from .. import adult, data, learners

COLUMNS = ("data", "contestant", "setting", "log_loss")
CHUNK = 1000
ROWS = 100_000
RATES = (0.02, 0.05, 0.1, 0.2, 0.5)


def run(options):
    """Every setting of both learners on both data sets."""
    X, y = data.load("clicks", np.float32, options.rows(data.ROWS["clicks"]))
    rows = min(options.rows(ROWS), len(y))
    yield from _grid("clicks", X[:rows], y[:rows])
    found = adult.load(options.adult)
    if found is None:
        yield {"data": "Adult", "contestant": "Adult", "skipped": "no file: name one by --adult"}
    else:
        yield from _grid("Adult", *found)


def _grid(name, X, y):
    share = y.mean()
    constant = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    yield _record(name, "constant", "the share of positives", constant)
    for lr in RATES:
        yield _record(name, learners.OURS, f"lr={lr:g}", _progressive(learners.ours(lr=lr), X, y))
    for setting, parameters in learners.SGD_SETTINGS.items():
        loss = _progressive(learners.sgd(**parameters), X, y)
        yield _record(name, learners.SGD, setting, loss)


def _record(name, who, setting, loss):
    return {"data": name, "contestant": who, "setting": setting, "log_loss": float(loss)}


def _progressive(model, X, y):
    """Mean log loss of all rows but the first chunk, each chunk predicted before it is learnt."""
    chances = []
    for start in range(0, len(y), CHUNK):
        rows, labels = X[start : start + CHUNK], y[start : start + CHUNK]
        if start:
            chances.append(model.predict_proba(rows)[:, 1])
        model.partial_fit(rows, labels, classes=data.CLASSES)
    return log_loss(y[CHUNK:], np.concatenate(chances))
