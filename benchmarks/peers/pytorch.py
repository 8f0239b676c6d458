"""PyTorch: EmbeddingBag with sparse gradients, and torch.optim.Adagrad.

A batch of one row is what the other learners do: an update after every row. Larger batches
are faster and another algorithm, one update for all of their rows. The intercept is one more
feature of every row, which spares a second parameter. Batches are tensors made beforehand.
"""

import numpy as np
from scipy import sparse

from ..measure import Contestant

ROWS = {1: 3000, 256: 50_000, 1024: 100_000, 4096: 200_000, 16384: 400_000}


def contestants(X, y, device="cpu"):
    """One contestant for each size of a batch."""
    import torch

    torch.set_num_threads(1)
    torch.sparse.check_sparse_tensor_invariants.disable()  # the default, but said: no warning
    return [_contestant(torch, X, y, batch, rows, device) for batch, rows in ROWS.items()]


def _contestant(torch, X, y, batch, rows, device):
    X, y = X[:rows], y[:rows]
    batches = [[each.to(device) for each in some] for some in _batches(torch, X, y, batch)]

    def prepare():
        bag = torch.nn.EmbeddingBag(X.shape[1] + 1, 1, mode="sum", sparse=True)
        torch.nn.init.zeros_(bag.weight)
        bag = bag.to(device)
        return bag, torch.optim.Adagrad(bag.parameters(), lr=0.1)

    def learn(model):
        bag, optimizer = model
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        for columns, starts, values, labels in batches:
            optimizer.zero_grad()
            loss(bag(columns, starts, per_sample_weights=values)[:, 0], labels).backward()
            optimizer.step()

    size = {"rows": X.shape[0], "nonzeros": X.nnz}
    where = "" if device == "cpu" else f" on {device}"
    return Contestant(f"PyTorch{where}, batches of {batch}", learn, prepare, size)


def _batches(torch, X, y, batch):
    ones = sparse.csr_array(np.ones((X.shape[0], 1), X.dtype))
    X = sparse.hstack([X, ones], format="csr")
    labels = torch.from_numpy(y.astype(X.dtype))
    batches = []
    for start in range(0, X.shape[0], batch):
        rows = X[start : start + batch]
        columns, starts = (
            torch.from_numpy(each.astype(np.int64)) for each in (rows.indices, rows.indptr[:-1])
        )
        values = torch.from_numpy(rows.data)
        batches.append((columns, starts, values, labels[start : start + batch]))
    return batches
