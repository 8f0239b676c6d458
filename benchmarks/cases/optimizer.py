"""One step of ``optim.Optimizer`` beside torch.optim.Adagrad, dense and sparse.

PyTorch takes part with each of its implementations; the table shows the fastest as its best.
"""

from functools import partial

import numpy as np

from sklearn_adagrad import optim

from ..measure import Contestant, compare, judge

COLUMNS = ("case", "dtype", "contestant", "seconds", "range", "ratio", "target")
_OURS = "optim.Optimizer"
_DENSE = {10_000: 200, 1_000_000: 20, 10_000_000: 3}
_SPARSE = (  # rows of the array, weights in a row, rows in a gradient, steps in a run
    (1_000_000, 1, 1_000, 50),
    (1_000_000, 1, 100_000, 2),
    (100_000, 64, 100, 100),
    (100_000, 64, 1_000, 20),
)


def run(options):
    """Dense arrays of several sizes, then sparse gradients."""
    try:
        import torch
    except ImportError:
        yield {"contestant": "torch.optim.Adagrad", "skipped": "PyTorch is not installed"}
        return
    torch.set_num_threads(1)
    for dtype in (np.float32, np.float64):
        for size, steps in _DENSE.items():
            case = {"case": f"dense, {size:,} weights", "dtype": np.dtype(dtype).name}
            yield from _compare(case, _dense(torch, size, dtype), steps, options, 1.0)
    for n_rows, width, k, steps in _SPARSE:
        case = {"case": f"sparse, {k:,} of {n_rows:,} rows of {width}", "dtype": "float32"}
        yield from _compare(case, _sparse(torch, n_rows, width, k), steps, options, 5.0)


def _compare(case, steps_of, steps, options, target):
    contestants = [
        Contestant(who, partial(_repeat, steps), partial(lambda step: step, step))
        for who, step in steps_of.items()
    ]
    records = list(compare(case, contestants, options.rounds or 9))
    fastest = min((each for each in records if each["contestant"] != _OURS),
                  key=lambda each: each["seconds"])  # fmt: skip
    for record in records:
        record |= {name: record[name] / steps for name in ("seconds", "min_seconds", "max_seconds")}
        yield judge(record, "ratio", at_least=target) if record is fastest else record


def _repeat(steps, step):
    for _ in range(steps):
        step()


def _dense(torch, size, dtype):
    rng = np.random.default_rng(0)
    weights, gradient = (rng.standard_normal(size).astype(dtype) for _ in range(2))
    steps = {_OURS: partial(optim.Optimizer(lr=0.01).step, weights.copy(), gradient)}
    for how in ("foreach", "fused"):
        parameter = torch.nn.Parameter(torch.tensor(weights))
        parameter.grad = torch.tensor(gradient)
        other = torch.optim.Adagrad([parameter], lr=0.01, **{how: True})
        steps[f"torch.optim.Adagrad, {how}"] = other.step
    parameter = torch.nn.Parameter(torch.tensor(weights))
    parameter.grad = torch.tensor(gradient)
    steps["torch.optim.Adagrad"] = torch.optim.Adagrad([parameter], lr=0.01, foreach=False).step
    return steps


def _sparse(torch, n_rows, width, k):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((n_rows, width)).astype(np.float32)
    indices = rng.integers(n_rows, size=k)
    values = rng.standard_normal((k, width)).astype(np.float32)
    rows = optim.SparseRows(indices, values)
    steps = {_OURS: partial(optim.Optimizer(lr=0.01).step, weights.copy(), rows)}
    parameter = torch.nn.Parameter(torch.tensor(weights))
    parameter.grad = torch.sparse_coo_tensor(
        torch.tensor(indices)[None], torch.tensor(values), weights.shape, check_invariants=False
    )
    steps["torch.optim.Adagrad"] = torch.optim.Adagrad([parameter], lr=0.01).step
    return steps
