"""Recorded runs of real Adagrad optimizers, repeated from their first weights.

``golden/README.md`` says what was recorded. Gradients are computed anew from our own weights.
``--golden-dir`` names another directory of recordings in the same format. It may hold any of the
systems, any of their runs, and no probes.
"""

import gzip
import json
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from golden_systems import SYSTEMS
from scipy.special import expit

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, optim

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = {"float64": 1e-12, "float32": 5e-6}

# What these runs did, we don't do: the name of the file, the run, and why not.
DECLINED = {
    ("torch", "groups_acc_ignored/*"): "a group's initial_accumulator_value is honoured here",
    ("mindspore", "groups_acc_ignored/*"): "a group's initial_accumulator_value is honoured here",
    ("mindspore", "*_float64_param/*"): "float64 parameters are accepted there and never change",
    ("mindspore", "*_float16_param/*"): "float16 parameters are accepted there and never change",
    ("mxnet?", "lr0.5_clip0/*"): "a clip_gradient of 0 is refused here",
    ("mxnet?", "lr0.5_clip0_rsp/*"): "a clip_gradient of 0 is refused here",
    ("mxnet?", "lr0.5_clip-1*/*"): "a negative clip_gradient is refused here",
}

# Runs of algorithms that are not among ours.
OTHERS = {
    ("tf", "*global_clipnorm*"): "the norm of all arrays together is not offered",
    ("tf", "*_ema*"): "weights that are replaced by a moving average are not offered",
    ("tf", "*_accum3/*"): "gradients are accumulated by the caller",
    ("tf", "lr0.5*_sparse/P3*"): "rows named twice are summed here, before they are squared",
    ("tf", "ftrl_*shrink*"): "shrinkage is not offered",
    ("tf", "ftrl_*pow*"): "a power other than -1/2 is not offered",
    ("tf", "*[fF]trl_*/P?w"): "FTRL that forgets its first weights is not offered",
    ("tf", "*[fF]trl_*/P3*"): "FTRL that forgets its first weights is not offered",
    ("tf", "raw_ProximalAdagrad_*.*_sparse/*"): "penalties of touched weights only are not offered",
    ("optax", "sched_exp/*"): "the rates of this schedule were not recorded",
    ("river", "ftrl_*"): "FTRL one step late, whose weights never return to 0, is not offered",
    ("river", "*_l1_*"): "the cumulative L1 penalty is not offered",
    ("river", "own_intercept*"): "an intercept by plain gradient descent is not offered",
    ("vw", "*_p[013]*/*"): "a power_t other than 1/2 is not offered",
    ("vw", "*_l[12]*/*"): "penalties by the global rate are not offered",
    ("vw", "*_nobias/*"): "penalties by the global rate are not offered",
    ("vw", "*_adax/*"): "gradients without x squared are not offered",
    ("vw", "*_clipped_predictions/*"): "predictions clipped to the range of labels are not offered",
}

# Gradients of 0, NaN and infinity, given by hand; and what sparse ones are called.
PROBES = ("zero_first", "all_zero", "nan", "inf")
PROBED = {
    "torch": "sparse",
    "mindspore": None,
    "mxnet1": "row_sparse",
    "mxnet2": "row_sparse",
    "downhill": None,
    "puzzlelib": None,
    "tf": "IndexedSlices",
    "optax": None,
}
# Probes of PyTorch alone, which a test of their own repeats.
SUMMED, SKIPPED = "sparse_duplicate_index_and_explicit_zero", "grad_is_None_skips_step_count"


@cache
def recorded(path):
    with gzip.open(path, "rt") as file:
        return json.load(file)


def recordings(directory):
    """Every file of runs in ``directory``: its name, its system, and what was recorded.

    The system is the name up to the first underscore.
    """
    for path in sorted(directory.glob("*.json.gz")):
        content = recorded(path)
        if "runs" in content:
            name = path.name.removesuffix(".json.gz")
            yield name, name.partition("_")[0], content


def runs(directory):
    for name, system, content in recordings(directory):
        for run in content["runs"]:
            yield name, system, run


def probes_of(directory):
    for name, system, content in recordings(directory):
        if system in PROBED and content.get("probes"):
            yield name, system, content["probes"]


def reason(table, system, run):
    """Why ``table`` names this run; None if it doesn't."""
    name = f"{run['id']}/{run['problem']}"
    found = [key for key in table if fnmatchcase(system, key[0]) and fnmatchcase(name, key[1])]
    return table[found[0]] if found else None


def pytest_generate_tests(metafunc):
    """One test for each run that is the business of a function, one for each system's probes."""
    directory = metafunc.config.getoption("--golden-dir")
    if not any(recordings(directory)):
        raise pytest.UsageError(f"--golden-dir: {directory} has no recorded runs")
    if "probes" in metafunc.fixturenames:
        cases = list(probes_of(directory))
        names = [name for name, _, _ in cases]
        metafunc.parametrize(("system", "probes"), [case[1:] for case in cases], ids=names)
    elif "run" in metafunc.fixturenames:
        ours = metafunc.function.__name__
        cases = [case for case in runs(directory) if kind_of(*case[1:]) == ours]
        names = [f"{name}-{run['id']}-{run['problem']}" for name, _, run in cases]
        metafunc.parametrize(("system", "run"), [case[1:] for case in cases], ids=names)


def kind_of(system, run):
    """The name of the test of this run."""
    if reason(OTHERS, system, run):
        return None
    if reason(DECLINED, system, run):
        return test_declined_run.__name__
    if system == "lightning":
        return test_run_of_estimator.__name__
    return test_run_of_optimizer.__name__


@pytest.fixture
def problem(request, run):
    return Problem(request.config.getoption("--golden-dir"), run)


class Problem:
    """The rows of a run and the gradients of its loss."""

    def __init__(self, directory, run):
        problem = recorded(directory / "problems.json.gz")[run["problem"]]
        X = np.array(problem["X"])
        if problem["intercept"]:
            X = np.column_stack([X, np.ones(len(X))])
        self.X, self.y = X.astype(run["dtype"]), np.array(problem["y"], run["dtype"])
        self.squared, self.size = problem["loss"] == "squared", problem["batch_size"]

    def batch(self, t):
        """The rows of step ``t``; the last batch of an epoch has what is left."""
        starts = range(0, len(self.X), self.size)
        first = starts[t % len(starts)]
        return np.arange(first, min(first + self.size, len(self.X)))

    def gradient(self, w, t, scale, clip):
        X, y = self.X[self.batch(t)], self.y[self.batch(t)]
        score = X @ w
        slope = scale * ((score if self.squared else expit(score)) - y)
        return np.clip(slope, -clip, clip) @ X / X.dtype.type(len(X))

    def touched(self, t):
        """The columns of step ``t``."""
        return np.flatnonzero(self.X[self.batch(t)].any(axis=0))


def replayed(system, run, problem):
    """Our weights at the start and after every step."""
    plan = SYSTEMS[system](run)
    w = numbers(run["params"][0]).astype(run["dtype"])
    params = [w[first:last] for _, first, last in run["tensors"]]
    trajectory = [w.copy()]
    for t in range(run["steps"]):
        schedule(plan.optimizer, run, t)
        with np.errstate(all="ignore"):
            g = plan.driver(problem.gradient(w, t, plan.scale, plan.slope_clip), w)
        grads = []
        for n, (_, first, last) in enumerate(run["tensors"]):
            part = g[first:last]
            if plan.sparse:
                rows = problem.touched(t)
                rows = rows[(first <= rows) & (rows < last)]
                part = optim.SparseRows(rows - first, g[rows])
            grads.append(None if n in plan.without else part)
        plan.optimizer.step(params, grads)
        trajectory.append(w.copy())
    return np.array(trajectory)


def schedule(optimizer, run, t):
    """Set the rate of step ``t``, if there was a schedule."""
    options = run["options"]
    if (
        "lr_scheduler" in options
        or "learnRate after every update *=" in options
        or any(isinstance(options.get(name), str) for name in ("lr", "learning_rate"))
    ):
        for group in optimizer.groups:
            group["lr"] = run["lrs"][t]


def numbers(rows):
    return np.array(rows, dtype=np.float64)


def assert_same(ours, run, rtol=0.0):
    tolerance = TOLERANCE[run["dtype"]]
    np.testing.assert_allclose(ours, numbers(run["params"]), rtol=rtol, atol=tolerance)


def test_run_of_optimizer(system, run, problem):
    # VW's weights become large, and its inverse roots are approximations.
    rtol = 2e-5 if system == "vw" else 0.0
    assert_same(replayed(system, run, problem), run, rtol)


def test_declined_run(system, run, problem):
    """It is refused, or comes out differently."""
    if run["options"].get("clip_gradient", 1.0) <= 0:
        with pytest.raises(ValueError, match=r"Clipped\.value"):
            SYSTEMS[system](run)
        return
    if run["dtype"] == "float16":
        run = run | {"dtype": "float32"}
    ours = replayed(system, run, problem)
    with pytest.raises(AssertionError, match="Not equal"):
        assert_same(ours, run)


def test_run_of_estimator(system, run, problem):
    options = {"eta": 1.0, "alpha": 1.0, "l1_ratio": 0.0} | run["options"]
    estimator = AdagradRegressor if problem.squared else AdagradClassifier
    model = estimator(
        rule="dual_averaging",
        fit_intercept=False,
        lr=options["eta"],
        eps=0.0,
        alpha=options["alpha"],
        l1_ratio=options["l1_ratio"],
    )
    more = {} if problem.squared else {"classes": [0, 1]}
    trajectory = [np.zeros(problem.X.shape[1])]
    for t in range(run["steps"]):
        rows = problem.batch(t)
        model.partial_fit(problem.X[rows], problem.y[rows], **more)
        trajectory.append(np.ravel(model.coef_))
    assert_same(np.array(trajectory), run)


def test_probes(system, probes):
    compared = False
    for probe in probes:
        name = probe["probe"].removesuffix("_sparse").removesuffix("_rsp")
        # Here, a NaN does not spread through the norm.
        if name not in PROBES or (name == "nan" and "max_gradient_norm" in probe["options"]):
            continue
        compared = True
        sparse = name != probe["probe"]
        dtype = "float32" if system in ("mindspore", "puzzlelib") else "float64"
        run = {
            "options": probe["options"],
            "gradient": PROBED[system] if sparse else "dense",
            "dtype": probe.get("dtype", dtype),
            "tensors": [["w", 0, len(probe["w0"])]],
            "params": probe["params"],
        }
        plan = SYSTEMS[system](run)
        w, trajectory = numbers(probe["w0"]).astype(run["dtype"]), []
        for g in numbers(probe["grads"]):
            g = -g if system == "puzzlelib" else g
            rows = np.flatnonzero(g)
            plan.optimizer.step(w, optim.SparseRows(rows, g[rows]) if plan.sparse else g)
            trajectory.append(w.copy())
        assert_same(np.array(trajectory), run)
    if not compared:
        pytest.skip("none of the probes that are repeated was recorded")


def named(probe, directory):
    """The recorded probes of PyTorch of that name; without any, the test is skipped."""
    every = [
        each for _, system, probes in probes_of(directory) if system == "torch" for each in probes
    ]
    found = [each for each in every if each["probe"] == probe]
    if not found:
        pytest.skip("no such probe was recorded")
    return found


def test_pytorch_sums_rows_named_twice(request):
    for probe in named(SUMMED, request.config.getoption("--golden-dir")):
        w = numbers(probe["w0"])
        rows = optim.SparseRows(np.array(probe["indices"]), numbers(probe["values"]))
        optim.pytorch(**probe["options"]).step(w, rows)
        np.testing.assert_allclose([w], numbers(probe["params"]), rtol=0, atol=1e-15)


def test_pytorch_does_not_count_a_step_without_a_gradient(request):
    for probe in named(SKIPPED, request.config.getoption("--golden-dir")):
        optimizer = optim.pytorch(**probe["options"])
        always, last = np.ones(1), np.ones(1)
        for g in (None, None, np.ones(1)):
            optimizer.step([always, last], [np.ones(1), g])
        ours = np.array([[always[0], last[0]]])
        np.testing.assert_allclose(ours, numbers(probe["params"]), rtol=0, atol=1e-15)


def names_of(directory):
    return {(system, f"{run['id']}/{run['problem']}") for _, system, run in runs(directory)}


def test_tables_name_recorded_runs(request):
    """Nothing is excused that is not there."""
    selected = names_of(GOLDEN)
    every = names_of(request.config.getoption("--golden-dir"))
    # tests/golden is a selection, without the runs of other algorithms.
    whole = every > selected
    for system, pattern in DECLINED | (OTHERS if whole else {}):
        known = every if whole else selected
        assert any(fnmatchcase(s, system) and fnmatchcase(n, pattern) for s, n in known), pattern
    assert {system for system, _ in OTHERS} == {"tf", "optax", "river", "vw"}


def test_golden_has_every_probe():
    """In another directory they may be absent."""
    found = {}
    for _, system, probes in probes_of(GOLDEN):
        found.setdefault(system, set()).update(each["probe"] for each in probes)
    assert set(found) == set(PROBED)
    for probes in found.values():
        assert set(PROBES) <= probes
    assert {SUMMED, SKIPPED} <= found["torch"]


# Five rows in batches of two: one is left over. The gradient is that of half a square.
ROWS = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.5], [3.0, 0.0, 0.0], [0.0, 2.0, 1.0], [1.0, 1.0, 0]])
TARGETS = np.array([1.0, -1.0, 2.0, 0.5, 3.0])
BATCHES = [[0, 1], [2, 3], [4]]


def adagrad(lr, divisors):
    """The weights that AdaGrad passes in two epochs, in plain NumPy."""
    w, squares, passed = np.zeros(3), np.zeros(3), [np.zeros(3)]
    for batch, divisor in 2 * list(zip(BATCHES, divisors, strict=True)):
        X, y = ROWS[batch], TARGETS[batch]
        g = (X @ w - y) @ X / divisor
        squares = squares + g * g
        w = w - lr * g / (np.sqrt(squares) + 1e-10)
        passed.append(w)
    return np.array(passed).tolist()


def write(path, content):
    with gzip.open(path, "wt") as file:
        json.dump(content, file)


def recorded_run(name, params):
    return {
        "id": name,
        "problem": "five",
        "options": {"lr": 0.5},
        "dtype": "float64",
        "tensors": [["w", 0, 3]],
        "gradient": "dense",
        "steps": len(params) - 1,
        "params": params,
    }


@pytest.fixture
def other_directory(tmp_path):
    """One system, no probes, two runs; the second divides by two where one row is left over."""
    problem = {
        "X": ROWS.tolist(),
        "y": TARGETS.tolist(),
        "loss": "squared",
        "intercept": False,
        "w0": [0.0, 0.0, 0.0],
        "batch_size": 2,
        "epochs": 2,
    }
    right = recorded_run("right", adagrad(0.5, [2, 2, 1]))
    wrong = recorded_run("wrong", adagrad(0.5, [2, 2, 2]))
    write(tmp_path / "problems.json.gz", {"five": problem})
    write(tmp_path / "torch.json.gz", {"system": "torch.optim.Adagrad", "runs": [right, wrong]})
    return tmp_path


def test_other_directory(other_directory):
    """Another directory is taken as it is, and what differs in it is found."""
    options = ["-q", "-rA", "-o", "addopts=", "-p", "no:cacheprovider", "-k", "not other_directory"]
    command = [sys.executable, "-m", "pytest", __file__, "--golden-dir", other_directory, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    reports = [line.partition(" - ")[0] for line in done.stdout.splitlines()]
    runs = [line for line in reports if test_run_of_optimizer.__name__ in line]
    outcomes = [(line.split()[0], line.partition("[")[2]) for line in runs]
    expected = [("FAILED", "torch-wrong-five]"), ("PASSED", "torch-right-five]")]
    assert [each for each in sorted(outcomes) if each[0] in ("FAILED", "PASSED")] == expected
    assert "1 failed" in done.stdout
