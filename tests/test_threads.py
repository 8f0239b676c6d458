"""Models in several threads: each learns as if it were alone, and can be read at any time."""

import contextlib
import os
import pickle
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
    small_data,
    stream,
)
from joblib import Parallel, delayed
from numba import config
from numba.extending import is_jitted

from sklearn_adagrad import AdagradClassifierCV
from sklearn_adagrad.engines.cpu import heads, losses, one_head, rows, steps
from sklearn_adagrad.estimators.calls import turn_of

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
    model = AdagradRegressor(lr=0.1).partial_fit(np.eye(4), y)
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
    model = stream(estimator(lr=0.1), X[:10], y[:10])
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
    alone = stream(stream(estimator(lr=0.1), X[:10], y[:10]), X, y)
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
        return bits(stream(AdagradRegressor(Own(), lr=0.1), X, y))

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(train, range(2))
    assert one == other == bits(stream(AdagradRegressor(Own(), lr=0.1), X, y))


# --- one model in several threads ---------------------------------------------------------------


@pytest.mark.parametrize("search", [AdagradClassifierCV, None])
def test_threads_that_learn_one_model_take_turns(search):
    X, y = data(AdagradClassifier)
    model = search(lr=[0.1, 0.5]) if search else AdagradClassifier(lr=0.1, class_weight="balanced")
    barrier = threading.Barrier(4)

    def learn():
        barrier.wait(60)
        for _ in range(5):
            model.partial_fit(X, y, classes=[0, 1])

    in_threads(learn, 4)
    estimator = model._team.estimator if search else model
    assert estimator.t_ == 20 * ROWS
    if not search:
        np.testing.assert_array_equal(model._class_counts, 20 * np.bincount(y))


def test_refits_of_other_widths_and_classes_beside_readers():
    """Predictions are those of one fit, the earlier or the later."""
    X, _ = data(AdagradClassifier)
    wide, narrow = X.toarray(), X[:, :7].toarray()
    names = np.array(["a", "b", "c"])[np.arange(ROWS) % 3]
    model = AdagradClassifier(lr=0.1, max_iter=1, tol=None).fit(wide, names)
    stop = threading.Event()

    def refit():
        while not stop.is_set():
            model.fit(narrow[:50], np.arange(50) % 2)
            model.fit(wide[:50], names[:50])
            model.coef_.sum()

    def read():
        for _ in range(300):
            for each, kind in ((wide, "U"), (narrow, "i")):
                with contextlib.suppress(ValueError):  # of the other width
                    assert model.predict(each).dtype.kind == kind
        stop.set()

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(refit), pool.submit(read)]:
            each.result(120)


def test_attributes_do_not_vanish_while_a_search_goes_on():
    X, y = data(AdagradClassifier)
    model = AdagradClassifierCV(lr=[0.1, 0.5]).partial_fit(X, y, [0, 1])
    stop = threading.Event()

    def learn():
        for _ in range(30):
            model.partial_fit(X, y)
        stop.set()

    def read():
        while not stop.is_set():
            assert model.predict(X[:3]).shape == (3,)
            assert set(model.cv_results_) == set(model.cv_results_)
            assert model.best_params_ in model.cv_results_["params"]

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(learn), pool.submit(read)]:
            each.result(120)


def in_threads(function, n):
    with ThreadPoolExecutor(n) as pool:
        for each in [pool.submit(function) for _ in range(n)]:
            each.result(120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_holds_no_lock_of_another_thread():
    X, y = data(AdagradClassifier)
    model = stream(AdagradClassifier(lr=0.1), X, y)
    turn, guard = turn_of(model), model._state.guard.held()
    taken, done = threading.Event(), threading.Event()

    def hold():
        with turn, guard:
            taken.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(60)
    child = os.fork()
    if child == 0:
        try:
            model._state.guard._waiting = True
            model._state.guard._version |= 1  # as while it learns
            stream(model, X, y).predict(X[:3])
            os._exit(0)
        finally:
            os._exit(1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("is_search", [False, True])
def test_copies_beside_many_short_calls_are_of_one_moment(is_search):
    """As many rows are counted by class as were learnt."""
    X, y = small_data()
    estimator = AdagradClassifierCV(lr=[0.1, 1.0]) if is_search else AdagradClassifier(lr=0.1)
    model = estimator.set_params(class_weight="balanced").partial_fit(X, y, classes=[0, 1])
    stop = threading.Event()

    def learn():
        while not stop.is_set():
            model.partial_fit(X, y)

    learner = threading.Thread(target=learn)
    learner.start()
    try:
        for _ in range(150):
            copies = [pickle.loads(pickle.dumps(model))]
            copies += [model.best_estimator_] if is_search else []
            for copy in copies:
                plain = copy._team.estimator if hasattr(copy, "_team") else copy
                assert plain._class_counts.sum() == plain.t_
                assert not hasattr(plain, "_pending")
    finally:
        stop.set()
        learner.join()
