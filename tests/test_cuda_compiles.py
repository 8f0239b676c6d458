"""Every loss, rule and wrapper becomes code for a GPU, which need not be there, only its compiler.

What that code computes is seen in ``test_cuda``.
"""

import math
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from common import random_rows
from stacks import BATCHED, CASES, N_FEATURES, model_of, name_of
from test_optimizer import SHAPE
from test_optimizer import STACKS as OPTIMIZERS

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor
from sklearn_adagrad.formulas.losses import CLASSIFICATION, REGRESSION
from sklearn_adagrad.optim import Optimizer, SparseRows
from sklearn_adagrad.rules import Clipped

pytest.importorskip("numba_cuda", reason="numba-cuda[cu13] is not installed")
from numba import cuda
from numba.cuda import api, compiler, dispatcher
from on_gpu import Csr, there

from sklearn_adagrad.engines.cuda import device, engine, loops, steps
from sklearn_adagrad.estimators import fitted
from sklearn_adagrad.input.gpu import GpuArray

try:
    cuda.compile_ptx(lambda: None, (), cc=(9, 0))
except Exception as error:  # of a library that is not there, by whatever name
    pytest.skip(f"numba-cuda[cu13] is not installed: {error}", allow_module_level=True)

SIZED = [case for case in CASES if "aware" in case[0] or "scale-free" in case[0]]
PLAIN = [case for case in CASES if case not in SIZED]


@pytest.fixture
def compiled(monkeypatch):
    """The code of every kernel that would have been run."""
    found, asked, gpu = [], {}, SimpleNamespace(compute_capability=(9, 0))
    for module in (api, compiler, dispatcher):
        monkeypatch.setattr(module, "get_current_device", lambda: gpu, raising=False)
    monkeypatch.setattr(engine, "require", lambda number, device: None)
    monkeypatch.setattr(cuda, "gpus", {0: nullcontext()})
    monkeypatch.setattr(device, "IS_SIMULATED", True)  # arrays stay those of NumPy

    def run(function, size, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(device, "IS_SIMULATED", False)
            asked.update(device._kernel(function, math.prod(size.threads)).targetoptions)
        device._compiled(SimpleNamespace(compile=partial(compile_, function)), arguments)

    def compile_(function, kinds):
        options = {"launch_bounds": asked["launch_bounds"], "cc": (9, 0)}
        code, _ = cuda.compile_ptx(function, kinds, device=False, abi="numba", **options)
        found.append((function.__name__, code))

    for module in (engine, steps):
        monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(fitted, "engine_of", lambda name: engine.Engine(0, name))
    return found


assert loops.WARP == 32  # was imported before the fixture says that this is the simulator


def check(found, names):
    assert [name for name, _ in found] == names
    for _, code in found:
        assert ".version" in code
        assert "llvm." not in code  # a function that no GPU has


def learn(model, dtype, batch_size=1, n_outputs=1):
    rng = np.random.default_rng(0)
    X = random_rows(rng, 6, N_FEATURES, 0.5, dtype)
    y = np.abs(rng.normal(size=(6, n_outputs))) + 0.1
    model.set_params(device="cuda", batch_size=batch_size)
    model.partial_fit(X, y[:, 0] if n_outputs == 1 else y)
    model._scores(X, engine=model._engine)  # as a search does: predict is of the processor


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", PLAIN, ids=name_of)
def test_rules(compiled, case, dtype):
    learn(model_of(case), dtype)
    check(compiled, ["learn_row_by_row", "score_rows"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "case", [case for case in BATCHED if case in PLAIN and "admitted" not in case[0]], ids=name_of
)
def test_rules_in_batches(compiled, case, dtype):
    learn(model_of(case, nth=1), dtype, 1 / 16)  # the first values: decay is coupled
    check(compiled, ["learn_in_batches", "score_rows"])


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("loss", [*REGRESSION, *CLASSIFICATION, "multinomial"])
def test_losses(compiled, loss, batch_size):
    rng = np.random.default_rng(0)
    X, parameters = random_rows(rng, 6, 5, 0.5, np.float32), {"lr": 0.1, "batch_size": batch_size}
    if loss in REGRESSION:
        model = AdagradRegressor(loss, device="cuda", **parameters)
        model.partial_fit(X, np.abs(rng.normal(size=6)) + 0.1)
    else:
        parameters |= {"multi_class": "multinomial"} if loss == "multinomial" else {"loss": loss}
        model = AdagradClassifier(device="cuda", **parameters)
        model.partial_fit(X, np.arange(6) % 3, classes=[0, 1, 2])
    check(compiled, ["learn_row_by_row" if batch_size == 1 else "learn_in_batches"])


def test_candidates(compiled):
    search = AdagradClassifierCV(lr=[0.1, 0.5], alpha=[0.0, 0.1], device="cuda")
    search.partial_fit(np.eye(4, dtype=np.float32), [0, 1, 0, 1], classes=[0, 1])
    check(compiled, ["learn_row_by_row"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_lie_on_the_gpu(compiled, dtype):
    X = Csr(random_rows(np.random.default_rng(0), 6, 5, 0.5, dtype))
    model = AdagradRegressor(lr=0.1, device="cuda", max_iter=1, tol=None, early_stopping=True)
    model.fit(X, np.ones(6))
    learnt = ["learn_row_by_row", "inspect_rows", "score_rows"]
    check(compiled, ["inspect_rows", "take_rows", *learnt])


def test_rows_that_lie_on_another_gpu(monkeypatch):
    """Of which the driver tells: no GPU is asked here."""
    monkeypatch.setattr(device, "IS_SIMULATED", False)
    attribute = SimpleNamespace(CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL=9)
    driver = SimpleNamespace(
        binding=SimpleNamespace(CUpointer_attribute=attribute, CUdeviceptr=int),
        driver=SimpleNamespace(cuPointerGetAttribute=lambda what, pointer: what - 8),
    )
    monkeypatch.setattr(cuda.cudadrv, "driver", driver)
    here = SimpleNamespace(device=SimpleNamespace(id=0))
    monkeypatch.setattr(cuda, "current_context", lambda: here)
    with pytest.raises(ValueError, match=r"memory of GPU 1.* GPU 0 .*device='cuda:1'"):
        device.lying(GpuArray(None, np.ones(3).__array_interface__))
    here.device.id = 1
    view = SimpleNamespace(bind=lambda: "without its stream")
    monkeypatch.setattr(cuda, "as_cuda_array", lambda item: view)
    assert device.lying(GpuArray(None, np.ones(3).__array_interface__)) == "without its stream"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("settings", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_optimizers(compiled, settings, dtype):
    array, optimizer = there(np.zeros(SHAPE, dtype)), Optimizer(**settings)
    optimizer.step(array, there(np.ones(SHAPE, dtype)))
    optimizer.step(array, SparseRows([3, 1, 3], there(np.ones((3, 3), dtype))))
    check(compiled, ["step_dense", "add_rows", "step_rows"])


def test_an_optimizer_with_a_norm(compiled):
    array = there(np.zeros(3))
    Optimizer(Clipped("adagrad", norm=1.0)).step(array, there(np.ones(3)))
    check(compiled, ["find_largest", "add_squares", "step_dense"])


class Decimal(NamedTuple):
    """A loss by a function of NumPy that GPUs do not have."""

    def value(self, y, score):
        return np.cbrt(score - y)

    def gradient(self, y, score):
        return np.cbrt(score - y)


def test_a_loss_of_ones_own_that_does_not_compile(compiled):
    model = AdagradRegressor(Decimal(), lr=0.1, device="cuda")
    with pytest.raises(TypeError, match=r"Decimal.*math"):
        model.partial_fit(np.eye(2), [0.0, 1.0])
    assert not hasattr(model, "_state")


def test_blocks_have_registers_for_all_threads(compiled):
    """Or no GPU would begin: of 512 threads each has 128, and some rules would take more."""
    learn(AdagradRegressor(lr=0.1), np.float64)
    code = dict(compiled)["learn_row_by_row"]
    assert ".maxntid 512" in code


def test_numbers_are_not_fused(compiled):
    """What the processor rounds on its own, a GPU must."""
    learn(AdagradRegressor(lr=0.1), np.float32, 2)
    code = dict(compiled)["learn_in_batches"]
    assert code.count("add.rn.f32") >= 6
