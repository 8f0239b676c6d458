"""river: one dict per row. The dicts are made beforehand; only learning is timed."""

import numpy as np

from ..measure import Contestant

ROWS = 20_000


def contestants(X, y):
    """The first rows, one by one."""
    from river import linear_model, optim

    X, y = X[:ROWS], y[:ROWS]
    rows = _dicts(X)
    labels = y.astype(bool).tolist()

    def prepare():
        return linear_model.LogisticRegression(optimizer=optim.AdaGrad(lr=0.1))

    def learn(model):
        for row, label in zip(rows, labels, strict=True):
            model.learn_one(row, label)

    size = {"rows": X.shape[0], "nonzeros": X.nnz}
    return [Contestant("river", learn, prepare, size)]


def progressive_loss(X, y):
    """Mean log loss of the rows before they are learnt, with the default optimizer."""
    from river import linear_model

    model, lost = linear_model.LogisticRegression(), 0.0
    for row, label in zip(_dicts(X), y.tolist(), strict=True):
        chance = model.predict_proba_one(row)[bool(label)]
        lost -= np.log(max(chance, np.finfo(float).eps))
        model.learn_one(row, bool(label))
    return lost / len(y)


def _dicts(X):
    """A dict of each row."""
    parts = map(slice, X.indptr[:-1].tolist(), X.indptr[1:].tolist())
    return [dict(zip(X.indices[p].tolist(), X.data[p].tolist(), strict=True)) for p in parts]
