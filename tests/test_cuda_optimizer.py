"""Arrays in a GPU's memory get the steps of the processor: on a GPU, or in numba's simulator.

Without either these tests are skipped; ``test_cuda_simulated`` runs them in the simulator.
"""

import pickle

import numpy as np
import pytest
from common import every_dtype
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_adagrad import optim, rules
from sklearn_adagrad.engines import engine_of
from sklearn_adagrad.optim import Optimizer, SparseRows

try:
    engine_of("cuda")
except (ImportError, RuntimeError) as error:
    pytest.skip(str(error), allow_module_level=True)

from on_gpu import here, there
from test_optimizer import SHAPE, every_stack, gradients, start

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # of overflows, in plain Python
]
NEAR = {np.float32: 1e-6, np.float64: 1e-14}


def assert_near(one, other, dtype=np.float64):
    assert_allclose(here(one), here(other), rtol=0, atol=NEAR[dtype])


def steps_of(dtype):
    """Dense gradients, and sparse ones, in turn."""
    for n, (dense, rows) in enumerate(gradients(steps=8)):
        if n % 2:
            yield SparseRows(rows.indices, dense[rows.indices].astype(dtype))
        else:
            yield dense.astype(dtype)


def sent(gradient):
    if isinstance(gradient, SparseRows):
        return SparseRows(there(gradient.indices), there(gradient.values))
    return there(gradient)


@every_stack
@every_dtype
def test_rules(settings, dtype):
    weights = start(settings, dtype)
    array = there(weights.copy())
    one, other = (Optimizer(lr=0.3, **settings) for _ in range(2))
    for gradient in steps_of(dtype):
        one.step(weights, gradient)
        other.step(array, sent(gradient))
    assert_near(*(each.averages(x)[0] for each, x in ((one, weights), (other, array))), dtype)
    one.settle(weights)
    other.settle(array)
    assert_near(weights, array, dtype)
    assert not np.array_equal(weights, start(settings, dtype))
    here_, there_ = (each.state_dict()["state"][0] for each in (one, other))
    assert here_.keys() == there_.keys()
    for name in here_.keys() - {"t", "dtype"}:
        assert type(there_[name]) is np.ndarray
        assert_near(here_[name], there_[name], dtype)
    assert (there_["t"], there_["dtype"]) == (here_["t"], here_["dtype"])


@every_dtype
def test_clipped_norms(dtype):
    rule = rules.Clipped("adagrad", norm=0.7)
    weights = start({}, dtype)
    array = there(weights.copy())
    one, other = (Optimizer(rule, lr=0.3, rescale_grad=0.5, maximize=True) for _ in range(2))
    for gradient in steps_of(dtype):
        one.step(weights, gradient)
        other.step(array, sent(gradient))
    assert_near(weights, array, dtype)


@pytest.mark.parametrize("largest", [1e300, np.inf, np.nan])
def test_norms_of_numbers_beyond_squares(largest):
    weights, gradient = np.zeros(3), np.array([1.0, largest, 2.0])
    array = there(weights.copy())
    with np.errstate(all="ignore"):
        for params, grad in ((weights, gradient), (array, there(gradient))):
            Optimizer(rules.Clipped("adagrad", norm=1.0)).step(params, grad)
    assert_allclose(here(array), weights, rtol=1e-12)


@every_dtype
def test_rows_named_twice_are_summed_in_order(dtype):
    """To the same bits as on the processor, and wherever the indices lie."""
    rng = np.random.default_rng(0)
    indices, values = rng.integers(0, 5, 40), rng.normal(size=(40, 3)).astype(dtype)
    weights = np.zeros((5, 3), dtype)
    arrays = [there(weights.copy()) for _ in range(2)]
    Optimizer(lr=0.3).step(weights, SparseRows(indices, values))
    for array, given in zip(arrays, (indices, there(indices)), strict=True):
        Optimizer(lr=0.3).step(array, SparseRows(given, there(values)))
        assert_near(array, weights, dtype)
    assert_array_equal(*map(here, arrays))


@every_dtype
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 0), (2, 3, 4)])
def test_shapes(shape, dtype):
    array = there(np.zeros(shape, dtype))
    Optimizer(lr=0.5, eps=0.0).step(array, there(np.ones(shape, dtype)))
    assert_array_equal(here(array), np.full(shape, -0.5, dtype))


@pytest.mark.parametrize("rule", ["adagrad", "ftrl", rules.Averaged("adagrad")], ids=str)
@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_an_array_of_nothing_takes_steps(rule, shape):
    array, optimizer = there(np.zeros(shape)), Optimizer(rule, lr=0.5)
    optimizer.step(array, there(np.zeros(shape)))
    optimizer.step(array, there(np.zeros(shape)))
    assert optimizer.state_dict()["state"][0]["t"] == 2


def test_a_sparse_gradient_of_nothing_is_a_step():
    array, optimizer = there(np.zeros((3, 2))), Optimizer()
    optimizer.step(array, SparseRows(np.empty(0, int), there(np.empty((0, 2)))))
    assert optimizer.state_dict()["state"][0]["t"] == 1
    assert_array_equal(here(array), 0)


@pytest.mark.parametrize("rule", ["adagrad", "ftrl"])
def test_settings_change_between_steps(rule):
    """What is due is settled first, with the old ones."""
    weights = np.zeros(SHAPE)
    array = there(weights.copy())
    pair = [Optimizer(rule, lr=0.3, alpha=0.01) for _ in range(2)]
    for n, gradient in enumerate(steps_of(np.float64)):
        if n == 4:
            for each in pair:
                each.groups[0].update(lr=0.1, alpha=0.05)
        pair[0].step(weights, gradient)
        pair[1].step(array, sent(gradient))
    for each, params in zip(pair, (weights, array), strict=True):
        each.settle(params)
    assert_near(weights, array)


def test_from_one_memory_to_the_other():
    """With the arrays, or by a state."""
    weights = start({})
    moved, one, other = weights.copy(), Optimizer(alpha=0.01), Optimizer(alpha=0.01)
    for n, gradient in enumerate(steps_of(np.float64)):
        one.step(weights, gradient)
        if n % 4 < 2:
            array = there(moved.copy())
            other.step(array, sent(gradient))
            moved = here(array).copy()
        else:
            other.step(moved, gradient)
        state, other = other.state_dict(), Optimizer()
        other.load_state_dict(state)
    one.settle(weights)
    array = there(moved.copy())
    other.settle(array)
    assert_near(weights, array)
    assert_near(one.averages(weights)[0], other.averages(array)[0])


def test_several_arrays_in_either_memory():
    one, other = np.zeros(3), there(np.zeros((2, 2)))
    optimizer = Optimizer(lr=0.5, eps=0.0)
    optimizer.step([one, other], [np.ones(3), None])
    optimizer.step([one, other], [None, there(np.ones((2, 2)))])
    assert_array_equal(one, -0.5)
    assert_array_equal(here(other), -0.5)
    assert_array_equal(Optimizer().averages([other])[0], here(other))


def test_presets():
    weights, gradient = np.ones(4), np.arange(4.0)
    array = there(weights.copy())
    for params, grad in ((weights, gradient), (array, there(gradient))):
        optim.keras(learning_rate=0.1, clipnorm=1.0).step(params, grad)
    assert_near(weights, array)


ZEROS = np.zeros((2, 3))
BAD = {
    "host gradient": (lambda: np.ones((2, 3)), TypeError, "processor's memory.*a GPU's"),
    "dtype": (lambda: there(np.ones((2, 3), np.float32)), TypeError, "float32, params.*float64"),
    "integers": (lambda: there(np.ones((2, 3), int)), TypeError, "float32 or float64"),
    "shape": (lambda: there(np.ones(6)), ValueError, r"grads\[1\] has shape \(6,\)"),
    "index": (lambda: SparseRows([0, 2], there(ZEROS)), IndexError, "has 2, but .* 2 rows"),
    "negative": (lambda: SparseRows([0, -1], there(ZEROS)), IndexError, "has -1"),
    "width": (lambda: SparseRows([0], there(np.ones((1, 2)))), ValueError, r"\(1, 3\)"),
    "float index": (lambda: SparseRows([0.5, 1], there(ZEROS)), TypeError, "must be integers"),
    "host values": (lambda: SparseRows(there(np.arange(2)), ZEROS), TypeError, "processor's"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_before_anything_changes(case):
    gradient, error, message = BAD[case]
    params, optimizer = [there(ZEROS.copy()) for _ in range(2)], Optimizer(lr=0.5)
    with pytest.raises(error, match=message):
        optimizer.step(params, [there(np.ones((2, 3))), gradient()])
    assert_array_equal(here(params[0]), 0)
    assert optimizer.state_dict()["state"] == []


def test_what_lies_on_a_gpu_is_no_gradient_of_an_array_of_numpy():
    for gradient in (there(ZEROS), SparseRows([0, 1], there(ZEROS))):
        with pytest.raises(TypeError, match=r"a GPU's memory, but .* the processor's"):
            Optimizer().step(ZEROS.copy(), gradient)
    with pytest.raises(ValueError, match="C-contiguous"):
        Optimizer().step(there(np.zeros((3, 2)), order="F"), there(np.zeros((3, 2))))
    with pytest.raises(TypeError, match=r"params\[0\] is int64"):
        Optimizer().step(there(np.zeros(2, np.int64)), there(np.zeros(2)))


def test_a_copy_begins_on_the_processor():
    array, optimizer = there(np.zeros(3)), Optimizer(lr=0.5)
    optimizer.step(array, there(np.ones(3)))
    copy, weights = pickle.loads(pickle.dumps(optimizer)), here(array).copy()
    copy.step(weights, np.ones(3))
    optimizer.step(array, there(np.ones(3)))
    assert_near(weights, array)
