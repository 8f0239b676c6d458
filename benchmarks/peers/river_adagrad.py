"""river: one dict per row. The dicts are made beforehand; only learning is timed."""

from ..measure import Contestant

ROWS = 20_000


def contestants(X, y):
    """The first rows, one by one."""
    from river import linear_model, optim

    X, y = X[:ROWS], y[:ROWS]
    rows = []
    for row in range(X.shape[0]):
        part = slice(X.indptr[row], X.indptr[row + 1])
        rows.append(dict(zip(X.indices[part].tolist(), X.data[part].tolist(), strict=True)))
    labels = y.astype(bool).tolist()

    def prepare():
        return linear_model.LogisticRegression(optimizer=optim.AdaGrad(lr=0.1))

    def learn(model):
        for row, label in zip(rows, labels, strict=True):
            model.learn_one(row, label)

    size = {"rows": X.shape[0], "nonzeros": X.nnz}
    return [Contestant("river", learn, prepare, size)]
