"""The optimizer: what it does to arrays, and what it refuses."""

import pickle

import numpy as np
import pytest
from common import every_dtype
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_adagrad import AdagradRegressor, optim, rules
from sklearn_adagrad.optim import Optimizer, SparseRows

STACKS = {
    "adagrad": {},
    "decay": {"lr_decay": 0.1, "initial_accumulator_value": 0.3, "eps": 0.1},
    "penalised": {"alpha": 1e-2, "l1_ratio": 0.5},
    "penalised, decay": {"alpha": 1e-2, "l1_ratio": 0.3, "lr_decay": 0.05},
    "momentum": {"rule": rules.Momentum(rules.Adagrad(eps_inside=True), 0.9, nesterov=True)},
    "ftrl": {"rule": rules.FTRL(beta=0.5), "alpha": 0.3, "l1_ratio": 0.5},
    "dual averaging": {"rule": "dual_averaging", "alpha": 1e-2, "l1_ratio": 0.5},
    "averaged": {"rule": rules.Averaged(rules.Clipped(rules.Adagrad(), value=0.5))},
    "multiplied": {"rule": rules.Multiplied(rules.Adagrad(), lr=np.linspace(0, 1, 42))},
}
every_stack = pytest.mark.parametrize("settings", STACKS.values(), ids=STACKS)
SHAPE = (14, 3)


def gradients(seed=0, steps=30, shape=SHAPE, share=0.3):
    """Gradients of which only some rows are not zero, dense and sparse."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = np.flatnonzero(rng.random(shape[0]) < share)
        dense = np.zeros(shape)
        dense[rows] = rng.standard_normal((len(rows), *shape[1:]))
        yield dense, SparseRows(rng.permutation(rows), dense)


def start(settings, dtype=np.float64):
    weights = np.zeros(SHAPE, dtype)
    if settings.get("rule") != "dual_averaging":
        weights += np.random.default_rng(1).standard_normal(SHAPE)
    return weights


@every_stack
@every_dtype
def test_sparse_steps_are_dense_steps_with_zeros(settings, dtype):
    dense, sparse = start(settings, dtype), start(settings, dtype)
    one, other = (Optimizer(lr=0.3, **settings) for _ in range(2))
    for gradient, rows in gradients():
        one.step(dense, gradient)
        other.step(sparse, SparseRows(rows.indices, gradient[rows.indices]))
    other.settle(sparse)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    assert_allclose(sparse, dense, rtol=0, atol=tolerance)
    assert_array_equal(sparse == 0, dense == 0)
    assert_allclose(other.averages([sparse]), one.averages([dense]), rtol=0, atol=tolerance)
    assert not np.array_equal(dense, start(settings, dtype))


@every_stack
def test_a_regressor_is_an_optimizer_with_batches_of_one(settings):
    if "multiplied" in str(settings.get("rule", "")).lower():
        settings = {"rule": rules.Multiplied(rules.Adagrad(), lr=np.linspace(0, 1, 6))}
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((40, 6)) * (rng.random((40, 6)) < 0.5), rng.standard_normal(40)
    model = AdagradRegressor(lr=0.3, fit_intercept=False, **settings).partial_fit(X, y)
    weights, optimizer = np.zeros(6), Optimizer(lr=0.3, **settings)
    for x, target in zip(X, y, strict=True):
        optimizer.step(weights, (x @ weights - target) * x)
    assert_allclose(optimizer.averages(weights)[0], model.coef_, rtol=0, atol=1e-12)


@every_stack
def test_state_dict_goes_on_where_it_was(settings):
    whole, cut = start(settings), start(settings)
    one, two = Optimizer(lr=0.3, **settings), Optimizer(lr=0.3, **settings)
    three = Optimizer()
    for n, (gradient, _) in enumerate(gradients()):
        one.step(whole, gradient)
        if n < 11:
            two.step(cut, gradient)
            three.load_state_dict(pickle.loads(pickle.dumps(two.state_dict())))
        else:
            three.step(cut, gradient)
    assert_array_equal(whole, cut)


def test_state_dict_is_a_copy_and_says_what_it_has():
    weights, optimizer = np.zeros((2, 3)), Optimizer(lr=0.1)
    optimizer.step(weights, np.ones((2, 3)))
    state = optimizer.state_dict()
    assert state["groups"][0]["lr"] == 0.1
    assert state["state"][0]["t"] == 1
    assert_array_equal(state["state"][0]["accumulator"], np.ones((2, 3)))
    state["state"][0]["accumulator"][:] = 7
    assert_array_equal(optimizer.state_dict()["state"][0]["accumulator"], np.ones((2, 3)))
    del state["state"][0]["accumulator"]
    with pytest.raises(ValueError, match="accumulator"):
        optimizer.load_state_dict(state)
    assert optimizer.state_dict()["state"][0]["t"] == 1


def test_rows_named_twice_are_summed_first():
    weights, other = np.zeros((9, 2)), np.zeros((9, 2))
    indices, values = np.array([7, 2, 7, 7, 2, 0]), np.arange(12.0).reshape(6, 2) + 1
    summed = np.zeros((9, 2))
    np.add.at(summed, indices, values)
    kept = values.copy()
    Optimizer(lr=0.5).step(weights, SparseRows(indices, values))
    Optimizer(lr=0.5).step(other, summed)
    assert_array_equal(weights, other)
    assert_array_equal(values, kept)


@every_dtype
def test_an_empty_gradient_is_a_step_of_nothing(dtype):
    weights, optimizer = np.ones((3, 2), dtype), Optimizer(lr=0.5)
    optimizer.step(weights, SparseRows(np.empty(0, int), np.empty((0, 2))))
    assert_array_equal(weights, 1)
    assert optimizer.state_dict()["state"][0]["t"] == 1


def test_many_repeats_against_numpy():
    rng = np.random.default_rng(3)
    indices, values = rng.integers(0, 50, 3000), rng.standard_normal(3000)
    summed = np.zeros(50)
    np.add.at(summed, indices, values)
    weights, other = np.zeros(50), np.zeros(50)
    Optimizer(lr=0.5).step(weights, SparseRows(indices, values))
    Optimizer(lr=0.5).step(other, summed)
    assert_array_equal(weights, other)


def test_groups_have_settings_of_their_own():
    params = [np.zeros(2), np.zeros(2), np.zeros(2)]
    groups = [{"params": [0, 2], "lr": 0.1}, {"params": [1], "maximize": True}]
    Optimizer(lr=0.5, groups=groups).step(params, [np.ones(2)] * 3)
    assert_allclose([each[0] for each in params], [-0.1, 0.5, -0.1])


def test_none_leaves_an_array_and_its_clock_alone():
    params = [np.zeros(2), np.zeros(2)]
    optimizer = Optimizer(lr=0.5, lr_decay=1.0)
    optimizer.step(params, [np.ones(2), None])
    optimizer.step(params, [np.ones(2), np.ones(2)])
    assert_allclose(params[1], -0.5)
    assert [each["t"] for each in optimizer.state_dict()["state"]] == [2, 1]


def test_lr_may_change_between_steps():
    weights, optimizer = np.zeros(1), Optimizer(lr=0.5)
    optimizer.step(weights, np.ones(1))
    optimizer.groups[0]["lr"] = 0.0
    optimizer.step(weights, np.ones(1))
    assert_allclose(weights, -0.5)


@pytest.mark.parametrize("rule", ["adagrad", "ftrl"])
def test_what_is_due_is_settled_under_the_old_settings(rule):
    changing = [np.ones((4, 1)), np.ones((4, 1))]
    optimizers = [Optimizer(rule, lr=0.1, alpha=0.1, l1_ratio=0.5) for _ in changing]
    for n, (gradient, rows) in enumerate(gradients(4, 20, (4, 1))):
        given = (gradient, SparseRows(rows.indices, gradient[rows.indices]))
        for weights, optimizer, each in zip(changing, optimizers, given, strict=True):
            if n == 10:
                optimizer.groups[0] |= {"lr": 0.3, "alpha": 0.2}
            optimizer.step(weights, each)
    optimizers[1].settle(changing[1])
    assert_allclose(*changing, rtol=0, atol=1e-13)


def test_rescaling_comes_before_clipping():
    weights, other = np.zeros(3), np.zeros(3)
    rule = rules.Clipped(rules.Adagrad(), value=0.4, norm=0.5)
    Optimizer(rule, lr=1.0, eps=1.0, rescale_grad=0.1).step(weights, np.array([3.0, 4.0, 0.0]))
    Optimizer(lr=1.0, eps=1.0).step(other, np.array([0.3, 0.4, 0.0]))
    assert_allclose(weights, other, atol=1e-15)


def test_zero_by_zero_is_no_step_unless_asked_for():
    weights = np.zeros(2)
    Optimizer(lr=0.5, eps=0.0).step(weights, np.array([0.0, 2.0]))
    assert_array_equal(weights, [0.0, -0.5])
    Optimizer(lr=0.5, eps=0.0, floor_eps=False).step(weights, np.array([0.0, 2.0]))
    assert_array_equal(weights, [np.nan, -1.0])


@every_dtype
@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 0), (2, 3, 4)])
def test_shapes(shape, dtype):
    weights = np.zeros(shape, dtype)
    Optimizer(lr=0.5, eps=0.0).step(weights, np.ones(shape))
    assert weights.dtype == dtype
    assert_array_equal(weights, np.full(shape, -0.5))


BAD = {
    "list": ([0.0, 1.0], np.ones(2), TypeError, r"params\[0\]"),
    "integers": (np.zeros(2, int), np.ones(2), TypeError, "float32 or float64"),
    "strided": (np.zeros(4)[::2], np.ones(2), ValueError, "contiguous"),
    "shape": (np.zeros(2), np.ones(3), ValueError, r"grads\[0\] has shape \(3,\)"),
    "text": (np.zeros(2), np.array(["a", "b"]), TypeError, r"grads\[0\]"),
    "index": (np.zeros(2), SparseRows([0, 2], [1.0, 1.0]), IndexError, "has 2 rows"),
    "negative": (np.zeros(2), SparseRows([-1], [1.0]), IndexError, "has -1"),
    "float index": (np.zeros(2), SparseRows([0.5], [1.0]), TypeError, "indices must be integers"),
    "width": (np.zeros((2, 3)), SparseRows([0], np.ones((1, 2))), ValueError, r"\(1, 3\)"),
    "number": (np.zeros(()), SparseRows([0], [1.0]), ValueError, "single number"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_before_anything_changes(case):
    weights, gradient, error, message = BAD[case]
    first, optimizer = np.zeros(2), Optimizer(lr=0.5)
    params = [weights] if case == "list" else [first, weights]
    if case == "list":
        with pytest.raises(error, match=message):
            optimizer.step(params, [gradient])
        return
    with pytest.raises(error, match=message.replace("[0", "[1")):
        optimizer.step(params, [np.ones(2), gradient])
    assert_array_equal(first, 0)
    assert optimizer.state_dict()["state"] == []


def test_read_only_arrays_are_refused():
    weights = np.zeros(2)
    weights.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        Optimizer().step(weights, np.ones(2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1.0}, "lr=-1"),
        ({"eps": -1e-9}, "eps="),
        ({"alpha": -1.0}, "alpha=-1"),
        ({"l1_ratio": 1.5}, "l1_ratio=1.5"),
        ({"rule": "adam"}, "rule='adam'"),
        ({"rule": rules.Momentum(rules.Adagrad(), 1.0)}, "momentum=1"),
        ({"rescale_grad": np.inf}, "rescale_grad=inf"),
        ({"groups": [{"lr": 1.0}]}, "'params'"),
        ({"groups": [{"params": [0], "learning_rate": 1.0}]}, "learning_rate"),
    ],
)
def test_bad_settings_are_refused_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        Optimizer(**settings)


def test_bad_settings_between_steps_change_nothing():
    weights, optimizer = np.zeros(2), Optimizer(lr=0.5)
    optimizer.step(weights, np.ones(2))
    for change in ({"lr": -1.0}, {"alpha": 0.1}, {"rule": "ftrl"}):
        optimizer.groups[0] |= change
        with pytest.raises(ValueError, match=r"lr=-1|in kind|cannot change"):
            optimizer.step(weights, np.ones(2))
        optimizer.groups[0] |= {"lr": 0.5, "alpha": 0.0, "rule": "adagrad"}
    assert_allclose(weights, -0.5)


def test_params_must_stay_what_they_were():
    optimizer = Optimizer()
    optimizer.step([np.zeros(2), np.zeros(3)], [np.ones(2), np.ones(3)])
    with pytest.raises(ValueError, match="There were 2 params"):
        optimizer.step(np.zeros(2), np.ones(2))
    with pytest.raises(ValueError, match=r"params\[1\] was float64 of shape \(3,\)"):
        optimizer.step([np.zeros(2), np.zeros(4)], [np.ones(2), np.ones(4)])
    for groups in ([{"params": [0]}], [{"params": [0, 1]}, {"params": [1]}], [{"params": [0, 5]}]):
        with pytest.raises(ValueError, match="groups: parameter"):
            Optimizer(groups=groups).step([np.zeros(2), np.zeros(2)], [np.ones(2), np.ones(2)])


def test_everything_public_is_documented():
    for name in optim.__all__:
        assert len(getattr(optim, name).__doc__) > 50, name
