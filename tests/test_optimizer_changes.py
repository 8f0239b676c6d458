"""The optimizer while its settings change, and what it keeps and refuses then."""

import json
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_adagrad import AdagradRegressor, rules
from sklearn_adagrad.optim import Optimizer, SparseRows
from sklearn_adagrad.rules import (
    Adagrad,
    Averaged,
    Clipped,
    DualAveraging,
    InverseScaling,
    Multiplied,
    Scheduled,
    Warmup,
)


def run(optimizer, weights, change, steps=10, when=5, start=1.0):
    """The weights after each step; before step ``when`` the group is changed."""
    trail = []
    for n in range(steps):
        if n == when:
            optimizer.groups[0] |= change
        optimizer.step(weights, np.full(len(weights), start + 0.1 * n))
        trail.append(weights.copy())
    return np.array(trail)


def test_multipliers_may_change():
    weights, optimizer = np.zeros(2), Optimizer(Multiplied(Adagrad(), lr=1.0), lr=1.0)
    trail = run(optimizer, weights, {"rule": Multiplied(Adagrad(), lr=np.array([0.0, 1.0]))})
    assert_array_equal(trail[4:, 0], trail[4, 0])
    assert np.all(np.diff(trail[:, 1]) < 0)


def test_an_array_of_penalties_changes_as_a_number_does():
    results = []
    for kind in (float, lambda alpha: np.full(2, alpha)):
        weights, optimizer = np.zeros(2), Optimizer(lr=1.0, alpha=kind(1.0), l1_ratio=1.0)
        optimizer.step(weights, np.full(2, 3.0))
        optimizer.groups[0]["alpha"] = kind(9.0)
        optimizer.step(weights, np.full(2, -1.0))
        results.append(weights)
    assert_allclose(*results, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    "change", [{"alpha": np.ones(3)}, {"rule": Multiplied(Adagrad(), np.ones(3))}]
)
def test_arrays_of_another_length_are_refused_between_steps(change):
    first = (
        {"alpha": np.ones(2)} if "alpha" in change else {"rule": Multiplied(Adagrad(), np.ones(2))}
    )
    weights, optimizer = np.zeros(2), Optimizer(**first)
    optimizer.step(weights, np.ones(2))
    kept = weights.copy()
    optimizer.groups[0] |= change
    with pytest.raises(ValueError, match="3 entries"):
        optimizer.step(weights, np.ones(2))
    assert_array_equal(weights, kept)


@pytest.mark.parametrize("rule", [Averaged(DualAveraging()), Averaged(Adagrad(), first_row=3)])
def test_means_are_means_although_lr_changes(rule):
    weights, optimizer = np.zeros(1), Optimizer(rule, lr=1.0)
    trail = run(optimizer, weights, {"lr": 0.1})
    first = int(rule.first_row) - 1
    assert_allclose(optimizer.averages(weights)[0], trail[first:].mean(axis=0), rtol=1e-13)


def test_the_first_row_of_a_mean_cannot_become_one_that_has_passed():
    weights, optimizer = np.zeros(1), Optimizer(Averaged(Adagrad(), 1))
    with pytest.raises(ValueError, match="first_row"):
        run(optimizer, weights, {"rule": Averaged(Adagrad(), 3)})


def test_a_first_row_still_to_come_forgets_the_mean_so_far():
    weights, optimizer = np.zeros(1), Optimizer(Averaged(Adagrad(), 1), lr=1.0)
    trail = run(optimizer, weights, {"rule": Averaged(Adagrad(), 8)})
    assert_allclose(optimizer.averages(weights)[0], trail[7:].mean(axis=0), rtol=1e-13)


def test_the_last_row_has_passed_and_the_next_has_not():
    weights, optimizer = np.zeros(1), Optimizer(Averaged(Adagrad(), 1), lr=1.0)
    with pytest.raises(ValueError, match="first_row cannot change to 5 after 5 rows"):
        run(optimizer, weights, {"rule": Averaged(Adagrad(), 5)})
    weights, optimizer = np.zeros(1), Optimizer(Averaged(Adagrad(), 1), lr=1.0)
    trail = run(optimizer, weights, {"rule": Averaged(Adagrad(), 6)})
    assert_allclose(optimizer.averages(weights)[0], trail[5:].mean(axis=0), rtol=1e-13)


class Inverse(NamedTuple):
    """A schedule that is not defined before the first row."""

    power: float = 0.5

    def factor(self, t):
        return t**-self.power


class Bad(NamedTuple):
    value: float

    def factor(self, t):
        return self.value if t > 3 else 1.0


@pytest.mark.parametrize("rule", ["adagrad", "dual_averaging"])
def test_schedules_count_rows_from_one(rule):
    X, y = np.eye(6), np.ones(6)
    for weights in (np.ones(6), np.zeros(6)):
        model = AdagradRegressor(rule=Scheduled(rule, Inverse()), lr=1.0)
        model.partial_fit(X, y, sample_weight=weights)
        assert np.all(np.isfinite(model.coef_))
    model = AdagradRegressor(rule=Scheduled("adagrad", Inverse()), lr=1.0, fit_intercept=False)
    assert_allclose(model.partial_fit(X, y).coef_, np.arange(1, 7) ** -0.5)


T = np.arange(1, 7)


@pytest.mark.parametrize(
    ("rule", "factors"),
    [
        (Scheduled("adagrad", Warmup(3)), np.minimum(1.0, T / 3)),
        (Scheduled("adagrad", InverseScaling(1)), 1.0 / T),
        (Scheduled("adagrad", InverseScaling()), T**-0.5),
        (Scheduled(Scheduled("adagrad", Warmup(3)), InverseScaling(1)), np.minimum(1.0, T / 3) / T),
    ],
)
def test_schedules_by_hand(rule, factors):
    """A first step has the size of ``lr``; schedules within one another multiply."""
    model = AdagradRegressor(rule=rule, lr=0.5, fit_intercept=False)
    assert_allclose(model.partial_fit(np.eye(6), np.ones(6)).coef_, 0.5 * factors)


@pytest.mark.parametrize("shape", [6, (6, 3)], ids=["one", "several"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_schedule_out_of_range_ends_before_the_row(value, shape):
    model = AdagradRegressor(lr=0.1, rule=Scheduled("adagrad", Bad(value)))
    with pytest.raises(FloatingPointError, match=r"factor\(4\)"):
        model.partial_fit(np.eye(6), np.ones(shape))
    assert model.t_ == 3
    assert np.all(np.isfinite(model.coef_))


def test_a_norm_is_not_clipped_within():
    for rule in (
        rules.WeightDecay(Clipped(Adagrad(), norm=1.0), 0.1),
        Clipped(Clipped(Adagrad(), norm=1.0), value=3.0),
    ):
        with pytest.raises(ValueError, match=r"Clipped\.norm"):
            Optimizer(rule)
    Optimizer(Clipped(rules.WeightDecay(Adagrad(), 0.1), norm=1.0))
    Optimizer(rules.WeightDecay(Clipped(Adagrad(), norm=1.0), 0.1, decoupled=True))


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (rules.WeightDecay(Adagrad(), 1e25), "WeightDecay.weight_decay"),
        (rules.FTRL(beta=1e300), "FTRL.beta"),
        (Multiplied(Adagrad(), 1e26), "Multiplied.lr"),
        (Scheduled(Adagrad(), rules.FTRL()), "schedule"),
    ],
)
def test_parameters_too_large_for_the_dtype(rule, name):
    model = AdagradRegressor(rule=rule, lr=1e10)
    with pytest.raises((ValueError, TypeError), match=name):
        model.partial_fit(np.eye(2, dtype=np.float32), [0.0, 1.0])


def test_dual_averaging_forgets_what_weights_were():
    results = [np.ones(2), np.zeros(2)]
    for weights in results:
        Optimizer("dual_averaging").step(weights, np.ones(2))
    assert_array_equal(*results)


def test_averages_have_an_entry_for_every_array():
    params, optimizer = [np.ones(2), np.ones(3)], Optimizer()
    assert [each.shape for each in optimizer.averages(params)] == [(2,), (3,)]
    optimizer.step(params, [None, np.ones(3)])
    first, second = optimizer.averages(params)
    assert_array_equal(first, 1)
    assert_array_equal(second, params[1])
    assert first is not params[0]


def test_norms_of_arrays_without_width():
    params = [np.zeros(2), np.zeros((3, 0))]
    rows = SparseRows(np.array([0]), np.zeros((1, 0)))
    Optimizer(Clipped(Adagrad(), norm=1.0), lr=1.0, eps=0.0).step(params, [np.ones(2), rows])
    assert_allclose(params[0], -1.0)


def test_arrays_that_share_memory():
    buffer = np.arange(5.0)
    alone, weights, gradient = buffer[1:].copy(), buffer[1:], buffer[:-1]
    Optimizer(lr=0.1).step(alone, gradient.copy())
    Optimizer(lr=0.1).step(weights, gradient)
    assert_array_equal(weights, alone)
    with pytest.raises(ValueError, match="twice"):
        Optimizer().step([weights, weights], [gradient, gradient])


def test_sparse_rows_are_not_a_sequence_of_gradients():
    with pytest.raises(TypeError, match="one gradient for each array"):
        Optimizer().step([np.zeros(2), np.zeros(2)], SparseRows([0, 1], [1.0, 1.0]))


def test_state_dicts_before_the_first_step_and_as_json():
    fresh = Optimizer(lr=0.3, groups=[{"params": [1]}, {"params": [0], "lr": 0.5}])
    other = Optimizer()
    other.load_state_dict(fresh.state_dict())
    assert other.groups == fresh.groups
    weights, again = np.zeros(3, np.float32), np.zeros(3, np.float32)
    one, two = Optimizer(lr=0.3, alpha=1e-3), Optimizer()
    one.step(weights, np.ones(3))
    again[:] = weights
    state = one.state_dict()
    state["state"] = [
        {
            name: each.tolist() if isinstance(each, np.ndarray) else each
            for name, each in entry.items()
        }
        for entry in state["state"]
    ]
    two.load_state_dict(json.loads(json.dumps(state)))
    one.step(weights, np.ones(3))
    two.step(again, np.ones(3))
    assert_array_equal(weights, again)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"groups": [{}], "state": []},
        {"groups": [{"params": None}], "state": [{"t": 1, "dtype": "float64"}]},
        {
            "groups": [{"params": None}],
            "state": [{"t": -5, "dtype": "float64", "accumulator": [1.0]}],
        },
    ],
)
def test_bad_states_are_refused(state):
    optimizer = Optimizer(lr=0.7)
    with pytest.raises(ValueError, match=r"state|group"):
        optimizer.load_state_dict(state)
    assert optimizer.groups[0]["lr"] == 0.7
