"""A GPU learns what the processor learns, up to rounding: on a GPU, or in numba's simulator.

Without either these tests are skipped; ``test_cuda_simulated`` runs them in the simulator.
"""

import os
import pickle
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from common import random_rows
from sklearn.base import clone
from stacks import BATCHED, CASES, N_FEATURES, model_of, name_of

from sklearn_adagrad import (
    AdagradClassifier,
    AdagradClassifierCV,
    AdagradRegressor,
    AdagradRegressorCV,
)
from sklearn_adagrad.engines import engine_of
from sklearn_adagrad.formulas.losses import CLASSIFICATION, REGRESSION
from sklearn_adagrad.rules import Admission, Clipped, Scheduled
from sklearn_adagrad.serving import Predictor

try:
    engine_of("cuda")
except (ImportError, RuntimeError) as error:
    pytest.skip(str(error), allow_module_level=True)

from sklearn_adagrad.engines.cuda import engine

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # of overflows, in plain Python
]
SUPPORTED = [case for case in CASES if "aware" not in case[0] and "scale-free" not in case[0]]
IN_BATCHES = [case for case in BATCHED if case in SUPPORTED and "admitted" not in case[0]]
NEAR = {np.float32: 2e-6, np.float64: 1e-13}  # of the largest weight


def problem(dtype=np.float64, n_rows=12, n_outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    X = random_rows(rng, n_rows, N_FEATURES, 0.5, dtype)
    y = np.abs(rng.normal(size=(n_rows, n_outputs))) + 0.1
    weights = rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)
    weights[0] = 1.0
    return X, y[:, 0] if n_outputs == 1 else y, weights


def both(model, learn):
    """``model`` once it has learnt, by the processor and by a GPU."""
    models = [clone(model).set_params(device=device) for device in ("cpu", "cuda")]
    for each in models:
        learn(each)
    return models


def assert_near(cpu, gpu, dtype=np.float64):
    for name in ("coef_", "intercept_"):
        here, there = getattr(cpu, name), getattr(gpu, name)
        most = max(np.abs(here).max(), 1e-3)
        np.testing.assert_allclose(there, here, rtol=0, atol=NEAR[dtype] * most)
    assert gpu.t_ == cpu.t_
    np.testing.assert_allclose(gpu.progressive_loss_, cpu.progressive_loss_, rtol=1e-5)


def assert_same(one, other):
    for name in ("coef_", "intercept_", "t_", "progressive_loss_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("case", SUPPORTED, ids=name_of)
def test_rules(case):
    dtype = np.float32 if case[2] else np.float64
    X, y, weights = problem(dtype, n_outputs=2)
    pair = both(model_of(case), lambda model: model.partial_fit(X, y, weights))
    assert_near(*pair, dtype)
    np.testing.assert_allclose(*(each.predict(X) for each in pair), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", IN_BATCHES, ids=name_of)
def test_rules_in_batches(case, dtype):
    X, y, weights = problem(dtype)

    def learn(model):
        model.partial_fit(X[:7], y[:7], weights[:7]).partial_fit(X[7:], y[7:], weights[7:])

    model = model_of(case, nth=1).set_params(batch_size=0.4)
    assert_near(*both(model, learn), dtype)


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("loss", [*REGRESSION, *CLASSIFICATION, "multinomial"])
def test_losses(loss, batch_size):
    X, y, weights = problem(n_outputs=2)
    if loss in REGRESSION:
        model = AdagradRegressor(loss, lr=0.1, batch_size=batch_size)
        pair = both(model, lambda model: model.partial_fit(X, y, weights))
    else:
        model = AdagradClassifier(lr=0.1, batch_size=batch_size)
        how = {"multi_class": "multinomial"} if loss == "multinomial" else {"loss": loss}
        labels = np.arange(12) % 3
        pair = both(
            model.set_params(**how),
            lambda model: model.partial_fit(X, labels, [0, 1, 2], weights),
        )
    assert_near(*pair)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_many_heads(batch_size):
    """More than a block of threads has."""
    X, y, weights = problem(n_outputs=37, n_rows=3)
    model = AdagradRegressor(lr=0.1, batch_size=batch_size)
    assert_near(*both(model, lambda model: model.partial_fit(X, y, weights)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_same_bits_again_and_wherever_the_rows_are_cut(batch_size, dtype):
    X, y, weights = problem(dtype, n_outputs=2)
    weights[weights == 0] = 1.0

    def learnt(*cuts):
        model = AdagradRegressor(lr=0.1, alpha=0.01, batch_size=batch_size, device="cuda")
        for first, last in zip((0, *cuts), (*cuts, len(y)), strict=True):
            model.partial_fit(X[first:last], y[first:last], weights[first:last])
        return model

    assert_same(learnt(), learnt())
    assert_same(learnt(), learnt(4, 8))  # between batches
    assert_near(learnt(), learnt(3, 6, 7), dtype)  # a sum in two parts is rounded twice


@pytest.mark.parametrize("batch_size", [1, 4])
def test_rows_of_weight_zero_are_not_there(batch_size):
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, alpha=0.01, batch_size=batch_size, device="cuda")
    there = weights > 0
    assert not there.all()
    one = clone(model).partial_fit(X, y, weights)
    assert_same(one, clone(model).partial_fit(X[there], y[there], weights[there]))


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("row", [0, 5])
def test_divergence(batch_size, row):
    """Rows before the one that cannot be learnt are learnt, as by the processor."""
    X, y, weights = problem(n_outputs=2)
    weights[:] = 1.0
    y[row, 1] = 1e300
    y[9] = -1e300
    model = AdagradRegressor(lr=0.1, batch_size=batch_size)

    def learn(model):
        with pytest.raises(FloatingPointError, match=rf"[rR]ow {row}\b"):
            model.partial_fit(X, y, weights)

    cpu, gpu = both(model, learn)
    assert hasattr(cpu, "t_") == hasattr(gpu, "t_")
    if row:
        assert cpu.t_ == row
        assert_near(cpu, gpu)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_candidates(batch_size):
    X, y, _ = problem(n_rows=15)
    labels = (y > np.median(y)).astype(int)

    def learn(search):
        search.partial_fit(X[:8], labels[:8], classes=[0, 1]).partial_fit(X[8:], labels[8:])

    grid = {"lr": [0.01, 0.1, 0.5], "alpha": [0.0, 0.1], "batch_size": batch_size}
    cpu, gpu = both(AdagradClassifierCV(**grid), learn)
    assert gpu.best_params_ == cpu.best_params_
    assert_near(cpu.best_estimator_, gpu.best_estimator_)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_candidates_that_diverge_are_left_out(batch_size):
    X, y, _ = problem(n_rows=15)

    def learn(search):
        search.partial_fit(X, y)

    grid = {"lr": [0.1, 1e160], "loss": "squared_error", "batch_size": batch_size}
    cpu, gpu = both(AdagradRegressorCV(**grid), learn)
    assert gpu.best_params_ == cpu.best_params_ == {"lr": 0.1}
    np.testing.assert_array_equal(
        *(np.isfinite(each.cv_results_["mean_test_score"]) for each in (cpu, gpu))
    )


def test_folds():
    X, y, _ = problem(n_rows=12)

    def learn(search):
        search.fit(X, y)

    cpu, gpu = both(AdagradRegressorCV(lr=[0.01, 0.1], cv=2, max_iter=1, random_state=0), learn)
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_allclose(gpu.cv_results_[name], cpu.cv_results_[name], rtol=1e-9)


def test_fit_and_epochs():
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, max_iter=3, tol=None, random_state=0, batch_size=2)
    cpu, gpu = both(model, lambda model: model.fit(X, y, weights))
    assert_near(cpu, gpu)
    np.testing.assert_allclose(gpu.loss_curve_, cpu.loss_curve_, rtol=1e-12)


def test_what_is_said_of_rows_before_they_are_learnt():
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, batch_size=3)
    seen = {}

    def learn(model):
        seen[model.device] = model._progressive_partial_fit(X, y, weights)

    both(model, learn)
    np.testing.assert_allclose(seen["cuda"], seen["cpu"], rtol=1e-12)


def test_from_one_device_to_the_other():
    X, y, weights = problem()
    plain = AdagradRegressor(lr=0.1, alpha=0.01, batch_size=3)
    model = clone(plain)
    for n, device in enumerate(["cuda", "cpu", "cuda", "cuda"]):
        part = slice(3 * n, 3 * n + 3)
        model.set_params(device=device).partial_fit(X[part], y[part], weights[part])
        plain.partial_fit(X[part], y[part], weights[part])
        if n % 2:
            assert_near(plain, model)
            model = pickle.loads(pickle.dumps(model))
    assert_near(plain, model)


def test_a_predictor():
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, device="cuda").partial_fit(X, y, weights)
    predictor, row = Predictor(model), X.indices[: X.indptr[1]]
    assert predictor.predict(row) == model.predict((X[[0]] != 0).astype(float))
    with pytest.raises(ValueError, match="device='cuda'"):
        predictor.partial_fit(row, 1.0)
    model.set_params(device="cpu")
    predictor.partial_fit(row, 1.0).partial_fit(row, 1.0)
    before = model.coef_
    model.set_params(device="cuda").partial_fit(X, y)
    assert not np.array_equal(model.coef_, before)


def test_a_copy_is_a_model_of_its_own():
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, device="cuda").partial_fit(X, y, weights)
    copy = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
    before = model.coef_
    copy.partial_fit(X, y, weights)
    np.testing.assert_array_equal(model.coef_, before)
    assert_near(copy, model.partial_fit(X, y, weights))


@pytest.mark.parametrize(
    "parameters",
    [{"lr": "auto"}, {"lr": 0.1, "rule": Admission("adagrad"), "batch_size": 4}],
    ids=["sized", "each row"],
)
def test_what_is_refused(parameters):
    X, y, weights = problem()
    model = AdagradRegressor(device="cuda", **parameters)
    for device in ("cuda", "cuda:0"):
        with pytest.raises(ValueError, match=f"^device='{device}' cannot"):
            model.set_params(device=device).partial_fit(X, y, weights)
    assert not hasattr(model, "t_")


def test_gradients_clipped_in_batches():
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, rule=Clipped("adagrad", value=0.02, norm=0.3), batch_size=4)
    assert_near(*both(model, lambda model: model.partial_fit(X, y, weights)))


def test_what_is_clipped_does_not_hide_other_gradients():
    y, rule = np.array([1e40, 1.0, 1.0]), Clipped("adagrad", value=0.5)
    model = AdagradRegressor(lr=0.1, rule=rule, batch_size=3)
    assert_near(*both(model, lambda model: model.partial_fit([[1, 0], [0, 1], [0, 2]], y)))


class Breaks(NamedTuple):
    """A schedule that is no number after some rows."""

    rows: float

    def factor(self, t):
        return np.inf if t > self.rows else 1.0


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_rate_that_is_no_number(batch_size):
    X, y, weights = problem()
    weights[:] = 1.0

    def learn(model):
        with pytest.raises(FloatingPointError, match="factor"):
            model.partial_fit(X, y, weights)

    rule = Scheduled("adagrad", Breaks(5.0))
    cpu, gpu = both(AdagradRegressor(lr=0.1, rule=rule, batch_size=batch_size), learn)
    assert_near(cpu, gpu)
    assert cpu.t_ > 0


def test_candidates_that_diverge_in_the_midst_of_a_batch():
    X, y, _ = problem(n_rows=15)

    def learn(search):
        search.partial_fit(X[:6], y[:6]).partial_fit(X[6:], y[6:])

    rule = Scheduled("adagrad", Jumps(4.0))
    grid = {"lr": [0.1, 1e140], "rule": rule, "batch_size": 9}
    cpu, gpu = both(AdagradRegressorCV(**grid), learn)
    here, there = (each._team.estimator.coef_ for each in (cpu, gpu))
    np.testing.assert_allclose(there, here, rtol=1e-9)  # of those left out, as they were then
    assert gpu.best_params_ == cpu.best_params_ == {"lr": 0.1}
    assert_near(cpu.best_estimator_, gpu.best_estimator_)


class Jumps(NamedTuple):
    """A schedule that is huge after some rows."""

    rows: float

    def factor(self, t):
        return 1e20 if t > self.rows else 1.0


def test_batches_in_pieces(monkeypatch):
    """As the largest have to be: room is for so many rows times heads."""
    X, y, weights = problem(n_outputs=2)
    model = AdagradRegressor(lr=0.1, alpha=0.01, batch_size=7)
    whole = both(model, lambda model: model.partial_fit(X, y, weights))[1]
    monkeypatch.setattr(engine, "_NUMBERS", 8)
    cpu, gpu = both(model, lambda model: model.partial_fit(X, y, weights))
    assert_near(cpu, gpu)
    assert_near(whole, gpu)


def test_a_large_gradient_is_of_its_batch():
    """Sums are exact relative to the largest gradient of a batch, not of one before."""
    X, y, _ = problem()
    model = AdagradRegressor("absolute_error", lr=0.1, batch_size=3)
    weights = np.where(np.arange(12) < 3, 1e45, 1e-3)
    assert_near(*both(model, lambda model: model.partial_fit(X, y, weights)))


def test_the_limit_of_a_gradient_is_less_in_batches():
    X, y, _ = problem(np.float32)
    model = AdagradRegressor(lr=0.1, batch_size=10)
    y[3] = 6e18
    seen = {}

    def learn(model):
        try:
            model.partial_fit(X, y)
        except FloatingPointError as error:
            seen[model.device] = str(error)

    both(model, learn)
    assert seen["cuda"] == seen["cpu"]


@pytest.mark.parametrize("batch_size", [1, 3])
def test_changes_between_calls(batch_size):
    """On the processor in between, and of what the rule is made of."""
    X, y, weights = problem()
    plain = AdagradRegressor(lr=0.1, alpha=0.01, batch_size=batch_size)
    model = clone(plain)
    changes = [{}, {"device": "cpu"}, {"device": "cuda"}, {"alpha": 0.1}, {"eps": 0.1}]
    for n, change in enumerate([{"device": "cuda"}, *changes]):
        part = slice(2 * n, 2 * n + 2)
        model.set_params(**change).partial_fit(X[part], y[part], weights[part])
        plain.set_params(**change).set_params(device="cpu")
        plain.partial_fit(X[part], y[part], weights[part])
    assert_near(plain, model)


def test_an_error_before_the_rows_are_learnt(monkeypatch):
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, device="cuda")
    plain = clone(model).partial_fit(X[:6], y[:6], weights[:6])
    model.partial_fit(X[:6], y[:6], weights[:6])

    def no_room(*args):
        raise MemoryError("none left")

    with monkeypatch.context() as patched:
        patched.setattr(engine, "room", no_room)
        with pytest.raises(MemoryError, match="none left"):
            model.partial_fit(X[6:], y[6:], weights[6:])
    assert_same(model, plain)
    model.partial_fit(X[6:], y[6:], weights[6:])
    assert_same(model, plain.partial_fit(X[6:], y[6:], weights[6:]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_reads_the_model():
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, device="cuda").partial_fit(X, y, weights)
    assert model._state.guard.is_behind
    out, into = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads beside a fork
        pid = os.fork()
    if not pid:
        is_home = model._state.guard.twin is None and not model._state.guard.is_behind
        os.write(into, str(is_home).encode() + model.coef_.tobytes())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(out, 4096) == b"True" + model.coef_.tobytes()
