"""Rows of a batch that several threads learn: the same bits as one."""

import threading
import time
from typing import NamedTuple

import joblib
import numpy as np
import pytest
from common import all_bits, bits, every_dtype, every_estimator, random_rows, random_targets, stream
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import learn
from stacks import BATCHED, FEW, name_of, rule_problems
from test_exactness import cut
from threadpoolctl import threadpool_limits

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad._sklearn import _openmp_effective_n_threads
from sklearn_adagrad.engines.cpu import engine, team
from sklearn_adagrad.engines.cpu import together as sharing
from sklearn_adagrad.rules import ImportanceAware

ONE_HEAD = [case for case in BATCHED if "scale" not in case[0] and "importance" not in case[0]]


LIMIT = "sklearn_adagrad.estimators.parameters._openmp_effective_n_threads"


@pytest.fixture(autouse=True, scope="module")
def small():
    """Let few rows be worth threads, as many as are asked for."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"_ENTRIES": 0, "_BLOCK_ENTRIES": 12, "_BLOCK_ROWS": 5}.items():
            patch.setattr(sharing, name, value)
        patch.setattr(sharing, "_FEWEST", 2)
        patch.setattr(engine, "_ENTRIES_TO_SCORE", 1)
        patch.setattr(engine, "allowed", lambda n: n)
        patch.setattr(LIMIT, lambda **_: 8)
        yield


@pytest.mark.parametrize("case", ONE_HEAD, ids=name_of)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_the_number_of_threads_makes_no_difference(case, data):
    problem = data.draw(rule_problems(case, data.draw(st.sampled_from([np.float32, np.float64]))))
    problem["model"].set_params(batch_size=data.draw(st.sampled_from([2, 7, 64, 0.1, 0.5])))
    alone = learn(problem)
    problem["model"].set_params(n_jobs=data.draw(st.sampled_from([2, 3])))
    together = learn(problem, cut(data, len(problem["y"])))
    assert bits(together) == bits(alone)
    np.testing.assert_array_equal(together.predict(problem["X"]), alone.predict(problem["X"]))


@pytest.mark.parametrize("case", [case for case in ONE_HEAD if case in FEW], ids=name_of)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_several_outputs(case, data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    problem = data.draw(rule_problems(case, dtype, n_outputs=FEW[case]))
    problem["model"].set_params(batch_size=data.draw(st.sampled_from([2, 7, 64, 0.1, 0.5])))
    alone = learn(problem)
    problem["model"].set_params(n_jobs=data.draw(st.sampled_from([2, 3])))
    assert bits(learn(problem, cut(data, len(problem["y"])))) == bits(alone)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_several_classes_and_candidates(multi_class):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 150), rng.permutation(np.arange(150) % 6)
    given = {"multi_class": multi_class, "batch_size": 0.3}
    models = [AdagradClassifier(lr=0.1, n_jobs=n, **given) for n in (None, 2, 3)]
    for model in models:
        stream(model, X, y, [slice(0, 50), slice(50, 150)], classes=range(6))
    assert bits(models[0]) == bits(models[1]) == bits(models[2])


@every_estimator
@every_dtype
@pytest.mark.parametrize("parameters", [{}, {"lr": 0.1}], ids=str)
def test_predictions(estimator, dtype, parameters):
    """Of every kind of model, and of rows that cannot be read."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 99, dtype=dtype)
    y = random_targets(rng, estimator, "squared_error", 99, n_classes=3)
    model = stream(estimator(**parameters), X, y, classes=range(3))
    alone = model._scores(X)
    for n_jobs in (2, 5):
        np.testing.assert_array_equal(model.set_params(n_jobs=n_jobs)._scores(X), alone)
        broken = X.copy()
        broken.indices[-1] = 1000
        with pytest.raises(ValueError, match=r"row 98|column|index"):
            model.predict(broken)
        broken = X.copy()
        broken.data[5] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            model.predict(broken)
        broken = X.copy()
        broken.indptr[50] = 2**30
        with pytest.raises(ValueError, match="indptr"):
            model.predict(broken)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("bad", [0, 11, 29, 59])
@pytest.mark.parametrize("batch_size", [10, 60, 0.5])
def test_a_row_out_of_range_is_named_and_not_learnt(bad, batch_size, n_outputs):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60), rng.standard_normal((60, n_outputs))
    y[bad, -1] = 1e300
    y = y[:, 0] if n_outputs == 1 else y
    models = [AdagradRegressor(lr=0.1, batch_size=batch_size, n_jobs=n) for n in (1, 2, 3)]
    for model in models:
        with pytest.raises(FloatingPointError, match=f"row {bad} "):
            model.partial_fit(X, y)
    for model in models[1:]:
        if bad:
            assert bits(model) == bits(models[0])


def test_fit_and_progressive_scores():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60), random_targets(rng, AdagradClassifier, "log_loss", 60)
    found = []
    for n in (1, 2):
        model = AdagradClassifier(lr=0.1, batch_size=0.2, n_jobs=n, random_state=0, max_iter=3,
                                  tol=None, early_stopping=True)  # fmt: skip
        model.fit(X, y)
        scores = model._progressive_partial_fit(X, y)
        found.append((bits(model), scores.tobytes(), model.validation_loss_curve_))
    assert found[0] == found[1]


def test_callers_in_several_threads():
    """Each has threads of its own: nobody waits for somebody who waits."""
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 200), rng.standard_normal(200)
    alone = AdagradRegressor(lr=0.1, batch_size=50).partial_fit(X, y)
    models = [AdagradRegressor(lr=0.1, batch_size=50, n_jobs=2) for _ in range(6)]
    threads = [threading.Thread(target=model.partial_fit, args=(X, y)) for model in models]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(bits(model) == bits(alone) for model in models)


def _learnt_in_a_process(X, y):
    return AdagradRegressor(lr=0.1, batch_size=50, n_jobs=2).partial_fit(X, y).coef_


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_in_joblib(backend):
    """multiprocessing forks: the threads of this process are not there."""
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 200), rng.standard_normal(200)
    alone = _learnt_in_a_process(X, y)
    with joblib.parallel_config(backend, n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(_learnt_in_a_process)(X, y) for _ in range(4))
    for each in found:
        np.testing.assert_array_equal(each, alone)


def test_what_limits_the_number(monkeypatch):
    monkeypatch.setattr(LIMIT, _openmp_effective_n_threads)
    model = AdagradRegressor(n_jobs=-1)
    assert AdagradRegressor()._n_threads() == 1
    assert model._n_threads() >= 1
    with joblib.parallel_config("threading", n_jobs=2):
        assert AdagradRegressor()._n_threads() == min(2, model._n_threads())
    with threadpool_limits(1):
        assert model._n_threads() == 1
    monkeypatch.setattr(team.config, "NUMBA_NUM_THREADS", 3)
    assert team.allowed(10**6) == 3


@pytest.mark.parametrize("calls", [{1}, {2}, {3}, {3, 4}], ids=str)
def test_an_interrupt_waits_for_the_threads_or_nobody_begins(calls, monkeypatch):
    """After the first or the second thread was called, or once or twice while they are awaited."""
    done, made = [], []

    def interrupted(function):
        def call(*args):
            result = function(*args) if args else None
            made.append(function)
            if len(made) in calls:
                time.sleep(0.05)  # all could have begun by now
                raise KeyboardInterrupt
            return result if args else function()

        return call

    class Work(team._Work):
        def __init__(self, *given):
            super().__init__(*given)
            self.finished.wait = interrupted(self.finished.wait)

    def work(who):
        time.sleep(0.2)
        done.append(who)

    mine = team.Team(2)
    monkeypatch.setattr(team, "_Work", Work)
    monkeypatch.setattr(mine._threads, "submit", interrupted(mine._threads.submit))
    with pytest.raises(KeyboardInterrupt):
        mine.run(2, work)
    before = list(done)
    time.sleep(0.5)
    assert done == before
    assert len(done) == (0 if calls == {1} else 2)


def test_a_thread_that_fails_before_it_begins_stops_the_others(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60), rng.standard_normal(60)
    real = sharing.variant

    def failing(kernel, rule):
        def call(*arguments):
            if arguments[-1] == 1:
                raise MemoryError("no more")
            return real(kernel, rule)(*arguments)

        return call

    monkeypatch.setattr(sharing, "variant", failing)
    with pytest.raises(MemoryError, match="no more"):
        AdagradRegressor(lr=0.1, batch_size=10, n_jobs=2).partial_fit(X, y)


def test_teams_do_not_pile_up():
    for n in (*range(2, 9), *range(8, 1, -1)):
        assert team.together(n, lambda who: who) == list(range(n))
    assert len(team._idle) <= team._MOST_IDLE


@pytest.mark.parametrize("batch_size", [40, 0.2])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_small_batches_are_learnt_in_one_thread(batch_size, n_outputs, monkeypatch):
    """Until they are large enough, in the midst of a call; and where too little is left."""
    monkeypatch.setattr(sharing, "_ENTRIES", 200 * n_outputs)
    learnt, real = [], sharing.together
    monkeypatch.setattr(
        sharing, "together", lambda n, function: learnt.append(n) or real(n, function)
    )
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 300), rng.standard_normal((300, n_outputs))
    y = y[:, 0] if n_outputs == 1 else y
    alone = AdagradRegressor(lr=0.1, batch_size=batch_size).partial_fit(X, y)
    assert learnt == []
    model = AdagradRegressor(lr=0.1, batch_size=batch_size, n_jobs=2)
    for part in (slice(0, 10), slice(10, 200), slice(200, 300)):
        model.partial_fit(X[part], y[part])
    assert 1 <= len(learnt) <= 2
    assert bits(model) == bits(alone)
    AdagradRegressor(lr=0.1, batch_size=1e-308, n_jobs=2).partial_fit(X, y)


@pytest.mark.parametrize("parameters", [{}, {"rule": ImportanceAware("adagrad"), "lr": 0.1}])
def test_steps_that_are_sized_are_learnt_in_one_thread(parameters, monkeypatch):
    monkeypatch.setattr(sharing, "together", None)
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60), rng.standard_normal(60)
    one, two = (AdagradRegressor(batch_size=20, n_jobs=n, **parameters) for n in (1, 2))
    assert bits(one.partial_fit(X, y)) == bits(two.partial_fit(X, y))


class OfRows(NamedTuple):
    """A wrapper of the user's, which may round by the place of an entry in its row."""

    rule: tuple
    each_row = True


def test_wrappers_about_rows_are_learnt_in_one_thread(monkeypatch):
    learnt, real = [], sharing.together
    monkeypatch.setattr(
        sharing, "together", lambda n, function: learnt.append(n) or real(n, function)
    )
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 60), rng.standard_normal(60)
    for rule, threads in ((OfRows("adagrad"), []), ("adagrad", [2])):
        AdagradRegressor(rule=rule, lr=0.1, batch_size=20, n_jobs=2).partial_fit(X, y)
        assert learnt == threads


def test_owners_have_about_as_many_entries_each():
    """Also if rows are of one length."""
    rows = np.tile(np.arange(64), 32_512)
    bounds = sharing._bounds(rows, 4).astype(int)
    counts = np.diff(np.searchsorted(np.sort(rows), [*bounds, 64]))
    assert (np.abs(counts / len(rows) - 0.25) < 0.05).all()


def test_an_error_in_a_thread_is_raised():
    def fail(who):
        raise ValueError(who)

    with pytest.raises(ValueError, match=r"^[01]$"):
        team.together(2, fail)


def test_reading_beside_threads():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 100), rng.standard_normal(100)
    model = AdagradRegressor(lr=0.1, batch_size=30, n_jobs=2).partial_fit(X, y)
    before = all_bits(model)
    model.predict(X)
    model.coef_  # noqa: B018
    assert all_bits(model) == before
