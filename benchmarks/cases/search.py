"""A search over lr and eps in one pass, beside GridSearchCV and beside one model alone.

GridSearchCV has two processes, which it started in the untimed round; ours has two threads. Both
search 12 candidates in 5 folds, for accuracy, and then train the best one on all rows. In the
stream, eight candidates learn each row once, beside one model without a search. Every run
begins anew, memory included.
"""

from functools import partial

import numpy as np
from sklearn.model_selection import GridSearchCV

from sklearn_adagrad import AdagradClassifierCV

from .. import data, learners
from ..measure import Contestant, compare, judge

COLUMNS = ("case", "data", "contestant", "seconds", "range", "ratio", "target")
ROWS = 100_000
GRID = {"lr": [0.1, 0.3, 1.0, 3.0], "eps": [1e-10, 1e-2, 0.1]}
RATES = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
JOBS, FOLDS = 2, 5
OURS, GRID_SEARCH = "AdagradClassifierCV", "GridSearchCV"
TIMES_GRID_SEARCH, TIMES_ONE_MODEL = 8.0, 3.0


def run(options):
    """Folds on text; streams of text and of clicks."""
    X, y = data.load("text", np.float32, options.rows(data.ROWS["text"]))
    rows = min(options.rows(ROWS), len(y))
    yield from _folds("text", X[:rows], y[:rows], options.rounds or 5)
    for name in data.ROWS:
        X, y = data.load(name, np.float32, options.rows(data.ROWS[name]))
        yield from _stream(name, X[:rows], y[:rows], options.rounds or 11)


def _folds(name, X, y, rounds):
    for epochs in (1, 3):
        case = f"{len(GRID['lr']) * len(GRID['eps'])} candidates, {FOLDS} folds, {epochs} epochs"
        plain = learners.ours(shuffle=False, tol=None, max_iter=epochs)
        makers = {
            OURS: partial(AdagradClassifierCV, **GRID, max_iter=epochs, cv=FOLDS, n_jobs=JOBS),
            f"{OURS}, one thread": partial(AdagradClassifierCV, **GRID, max_iter=epochs, cv=FOLDS),
            GRID_SEARCH: partial(GridSearchCV, plain, GRID, cv=FOLDS, n_jobs=JOBS),
        }
        contestants = [
            Contestant(who, lambda model: model.fit(X, y), make) for who, make in makers.items()
        ]
        for record in compare({"case": case, "data": name}, contestants, rounds):
            if record["contestant"] == GRID_SEARCH:
                record = judge(record, "ratio", at_least=TIMES_GRID_SEARCH)
            yield record


def _stream(name, X, y, rounds):
    makers = {
        "AdagradClassifier, one model": learners.ours,
        f"{OURS}, {len(RATES)} candidates": partial(AdagradClassifierCV, lr=RATES),
    }
    contestants = [
        Contestant(who, lambda model: model.partial_fit(X, y, classes=data.CLASSES), make)
        for who, make in makers.items()
    ]
    for n, record in enumerate(compare({"case": "stream", "data": name}, contestants, rounds)):
        yield judge(record, "ratio", at_most=TIMES_ONE_MODEL) if n else record
