"""Models in several threads: each learns as if it were alone, and can be read at any time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
from common import (
    AdagradClassifier,
    AdagradRegressor,
    bits,
    every_estimator,
    every_loss,
    random_rows,
    random_targets,
    stream,
)
from joblib import Parallel, delayed
from numba import config
from numba.extending import is_jitted

from sklearn_adagrad.engines.cpu import heads, losses, one_head, rows, steps

ROWS, FEATURES = 4000, 500


def data(estimator, loss="log_loss"):
    rng = np.random.default_rng(0)
    return random_rows(rng, ROWS, FEATURES, 0.05), random_targets(rng, estimator, loss, ROWS)


@every_loss
def test_models_side_by_side(estimator, loss):
    """Two threads start together, on the same rows; the kernels let go of the lock."""
    X, y = data(estimator, loss)
    parts = [slice(first, first + 500) for first in range(0, ROWS, 500)]
    barrier = threading.Barrier(2)

    def train(lr):
        barrier.wait(60)
        return bits(stream(estimator(loss, lr=lr), X, y, parts))

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(train, [0.1, 0.3]))
    assert found == [bits(stream(estimator(loss, lr=lr), X, y, parts)) for lr in (0.1, 0.3)]
    assert found[0] != found[1]


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_learning_leaves_the_arithmetic_of_the_thread_as_it_was(n_outputs):
    """A kernel takes subnormal numbers for zero; whoever called it does not."""
    y = np.ones((4, n_outputs)) if n_outputs > 1 else np.ones(4)
    model = AdagradRegressor().partial_fit(np.eye(4), y)
    assert (np.full(16, 1e-310) / 2.0 > 0.0).all()
    with pytest.raises(FloatingPointError):
        model.partial_fit(np.eye(4), 1e300 * y)
    assert (np.full(16, 1e-310) / 2.0 > 0.0).all()


def test_every_kernel_lets_go_of_the_lock():
    """Else two threads would take turns, chunk by chunk."""
    modules = (heads, losses, one_head, rows, steps)
    compiled = [each for module in modules for each in vars(module).values() if is_jitted(each)]
    assert compiled
    assert all(each.targetoptions["nogil"] for each in compiled)


@every_estimator
def test_prediction_while_another_thread_learns(estimator):
    """Some of what it reads may be old and some new; all of it is numbers."""
    X, y = data(estimator, "squared_error")
    model = stream(estimator(), X[:10], y[:10])
    done, seen, clocks = threading.Event(), [], []

    def read():
        while not done.is_set() or not seen:
            seen.append(np.isfinite(model._scores(X[:200])).all())
            seen.append(np.isfinite(model.coef_).all())
            seen.append(np.isfinite(model.predict(X[:200]).astype(float)).all())
            clocks.append(model.t_)

    with ThreadPoolExecutor(2) as pool:
        reader = pool.submit(read)
        try:
            for _ in range(20):
                stream(model, X, y)
        finally:
            done.set()
        reader.result(60)
    assert all(seen)
    assert clocks == sorted(clocks)
    assert model.t_ == 10 + 20 * ROWS
    alone = stream(stream(estimator(), X[:10], y[:10]), X, y)
    for _ in range(19):
        stream(alone, X, y)
    assert bits(model) == bits(alone)


def trained(lr):
    """What a worker hands back."""
    X, y = data(AdagradClassifier)
    return stream(AdagradClassifier(lr=lr), X, y)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers(backend):
    """A model made in a worker goes on here; one made here goes on in a worker."""
    X, y = data(AdagradClassifier)
    rates = [0.1, 0.2, 0.3]
    models = Parallel(n_jobs=2, backend=backend)(delayed(trained)(lr) for lr in rates)
    assert [bits(model) for model in models] == [bits(trained(lr)) for lr in rates]
    again = Parallel(n_jobs=2, backend=backend)(delayed(stream)(model, X, y) for model in models)
    for model, lr in zip(again, rates, strict=True):
        assert bits(model) == bits(stream(trained(lr), X, y))


def test_first_compilation_in_two_threads_at_once():
    """A loss that nothing has compiled yet, wanted by both."""

    class Own(NamedTuple):
        def value(self, y, score):
            return abs(score - y)

        def gradient(self, y, score):
            return 2.0 if score > y else -2.0

    X, y = data(AdagradRegressor, "squared_error")
    barrier = threading.Barrier(2)

    def train(_):
        barrier.wait(60)
        return bits(stream(AdagradRegressor(Own()), X, y))

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(train, range(2))
    assert one == other == bits(stream(AdagradRegressor(Own()), X, y))
