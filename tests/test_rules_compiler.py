"""Rules are compiled once for each class: no parameter compiles them again."""

import pickle

import numpy as np
import pytest
from common import random_rows, stream
from numba.core import event
from stacks import N_FEATURES, every_case, model_of

from sklearn_adagrad import AdagradRegressor
from sklearn_adagrad.rules import Averaged, Clipped, Momentum, Multiplied, WeightDecay

X, Y = random_rows(np.random.default_rng(0), 20, N_FEATURES), np.arange(20) % 3


def settings_of(case):
    """Ways to set what all rules have."""
    _, alpha, decays = case
    settings = [{"lr": 1, "eps": 0}, {"lr": np.float32(0.5), "initial_accumulator_value": 1}]
    if alpha != "none":
        settings += [{"l1_ratio": each} for each in (0, 1, 1.0 - 1e-9, np.float64(0.5))]
    if alpha == "number":
        settings += [{"alpha": each} for each in (1, 1e-9, np.float64(0.1))]
    if alpha == "array":
        arrays = np.arange(N_FEATURES), np.ones(N_FEATURES, np.float32), [0.1] * N_FEATURES
        settings += [{"alpha": each} for each in arrays]
    if decays:
        settings += [{"lr_decay": each} for each in (1, 1e-6, np.float32(0.1))]
    return settings


@every_case
def test_no_parameter_recompiles(case):
    stream(model_of(case), X, Y).predict(X)
    with event.install_recorder("numba:compile") as recorder:
        for nth in (1, 2, 3):
            stream(model_of(case, nth=nth), X, Y).predict(X)
        for parameters in settings_of(case):
            model = stream(model_of(case).set_params(**parameters), X, Y)
            stream(pickle.loads(pickle.dumps(model)), X, Y).predict(X)
            model.set_params(lr=0.1).partial_fit(X, Y).predict(X)
    assert [str(each) for _, each in recorder.buffer] == []


@pytest.mark.parametrize(
    ("rule", "others"),
    [
        (Momentum("adagrad"), [Momentum("adagrad", 0), Momentum("adagrad", np.float32(0.5), 1)]),
        (Averaged("adagrad"), [Averaged("adagrad", np.int64(5)), Averaged("adagrad", 10**12)]),
        (
            Clipped(WeightDecay(Multiplied("adagrad"))),
            [
                Clipped(WeightDecay(Multiplied("adagrad", 2, [1] * 13), 0, 1), 1, np.float32(2)),
                Clipped(WeightDecay(Multiplied("adagrad", 0), 1, np.bool_(True)), True),
            ],
        ),
    ],
    ids=["momentum", "averaged", "three more"],
)
def test_nor_does_any_way_to_write_it(rule, others):
    stream(AdagradRegressor(lr=0.1, rule=rule), X, Y).predict(X)
    with event.install_recorder("numba:compile") as recorder:
        for other in others:
            stream(AdagradRegressor(lr=0.1, rule=other), X, Y).predict(X)
    assert [str(each) for _, each in recorder.buffer] == []
