"""Learning with Dask: the same model whoever learns which rows."""

import copy
import gc
import os
import pickle
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
from common import random_rows
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from stacks import BATCHED, N_FEATURES, model_of, name_of

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, FieldHasher, load
from sklearn_adagrad.estimators import base
from sklearn_adagrad.rules import Admission
from sklearn_adagrad.streams import fit_stream

pytest.importorskip("distributed", reason="dask is not installed")
import dask
import dask.array as da
import dask.dataframe as dd
import pandas as pd
from distributed import Client, LocalCluster

from sklearn_adagrad.dask import (
    DaskAdagradClassifier,
    DaskAdagradRegressor,
    common,
    learner,
    moves,
    reports,
    rounds,
    sums,
)
from sklearn_adagrad.dask.blocks import Block, _rows_of_chunk
from sklearn_adagrad.dask.workers import Lost, There

SUPPORTED = [each for each in BATCHED if "aware" not in each[0] and "admitted" not in each[0]]
ROWS, BLOCK = 900, 70


@pytest.fixture(autouse=True)
def _few_rows_alone(monkeypatch):
    monkeypatch.setattr(rounds, "ALONE", 150)
    monkeypatch.setattr(rounds, "LEAST", 4)


def rows(dtype=np.float64, n_outputs=1, n_rows=ROWS):
    rng = np.random.default_rng(0)
    X = random_rows(rng, n_rows, N_FEATURES, 0.4, dtype)
    y = X @ rng.normal(size=(N_FEATURES, n_outputs)) + rng.normal(size=(n_rows, n_outputs))
    weights = rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)
    return X, y[:, 0] if n_outputs == 1 else y, weights


def chunks(*arrays):
    starts = range(0, len(arrays[1]), BLOCK)
    return [tuple(each[start : start + BLOCK] for each in arrays) for start in starts]


def assert_same(one, other):
    for name in ("coef_", "intercept_", "t_", "progressive_loss_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def assert_near(one, other, rtol=1e-10):
    for name in ("coef_", "intercept_", "progressive_loss_"):
        here, there = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(here, there, rtol=0, atol=rtol * max(1, np.abs(there).max()))
    assert one.t_ == other.t_


def cluster(n):
    return LocalCluster(
        n_workers=n, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    )


# --- without a cluster ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("case", SUPPORTED, ids=name_of)
def test_one_shard_is_what_one_machine_learns(case, n_outputs):
    X, y, weights = rows(n_outputs=n_outputs)
    plain = model_of(case).set_params(batch_size=1 / 8).partial_fit(X, y, weights)
    model = DaskAdagradRegressor(**plain.get_params()).set_params(n_shards=1)
    assert_near(model.partial_fit(chunks(X, y, weights)), plain)


def test_float32():
    X, y, weights = rows(np.float32)
    plain = AdagradRegressor(lr=0.1, batch_size=1 / 8).partial_fit(X, y, weights)
    model = DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=1)
    assert_near(model.partial_fit(chunks(X, y, weights)), plain, 1e-5)


def test_small_steps_of_float32_are_not_rounded_away():
    changes = {}
    for dtype in (np.float32, np.float64):
        X, y, _ = rows(dtype, n_rows=4 * ROWS)
        X = abs(X)
        model = DaskAdagradRegressor(lr=0.1, batch_size=4).partial_fit(chunks(X, y))
        before = model.coef_
        model.set_params(lr=1e-8).partial_fit(chunks(X, y + 9))  # a tenth of a weight's last digit
        changes[dtype] = (model.coef_ - before).astype(np.float64)
    exact = changes[np.float64]
    assert 0 < np.abs(exact).max() < 1e-4
    assert changes[np.float32] @ exact / (exact @ exact) == pytest.approx(1.0, abs=0.2)


def test_several_shards_are_rows_in_another_order():
    X, y, weights = rows()
    model = DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=4)
    model.partial_fit(chunks(X, y, weights))
    plain = AdagradRegressor(lr=0.1, batch_size=1 / 8).partial_fit(X, y, weights)
    assert model.t_ == plain.t_
    assert not np.array_equal(model.coef_, plain.coef_)
    assert model.score(X, y, weights) == pytest.approx(plain.score(X, y, weights), abs=0.02)


@pytest.mark.parametrize("batch_size", [1 / 8, 200, 10**5], ids=str)
def test_several_shards_are_these_rows_in_this_order(monkeypatch, batch_size):
    X, y, weights = rows()
    weights[300:420] = 0.0
    order = []

    class Lane(rounds.Lane):
        def __setattr__(self, name, value):
            if name == "first" and value > self.first:
                start = BLOCK * int(self.block.name.split()[1])
                order.extend(range(start + self.first, start + value))
            super().__setattr__(name, value)

        first = 0

    monkeypatch.setattr(rounds, "Lane", Lane)
    model = DaskAdagradRegressor(lr=0.1, batch_size=batch_size, n_shards=4)
    model.partial_fit(chunks(X, y, weights))
    assert sorted(order) == list(range(ROWS))
    assert order != sorted(order)
    plain = AdagradRegressor(lr=0.1, batch_size=batch_size)
    assert_near(model, plain.partial_fit(X[order], y[order], weights[order]))


def test_small_batches_take_rows_from_few_blocks(monkeypatch):
    X, y, _ = rows()
    monkeypatch.setattr(rounds, "LEAST", 40)
    sizes, plan = [], rounds._plan

    def noted(lanes, moment):
        sizes.append((moment.end - moment.t, len(lanes)))
        return plan(lanes, moment)

    monkeypatch.setattr(rounds, "_plan", noted)
    model = DaskAdagradRegressor(lr=0.1, batch_size=1 / 4, n_shards=4)
    assert model.partial_fit(chunks(X, y)).t_ == ROWS
    assert {n for _, n in sizes} >= {1, 2, 3}
    assert all(n <= max(1, rows // 40) for rows, n in sizes)


def test_classes_and_balanced_weights():
    X, y, weights = rows()
    labels = np.digitize(y, [-1, 1])
    how = {"lr": 0.1, "class_weight": "balanced"}
    model = DaskAdagradClassifier(**how, n_shards=3)
    model.partial_fit(chunks(X, labels, weights), classes=[0, 1, 2])
    plain = AdagradClassifier(**how, batch_size=1 / 128)
    plain.partial_fit(X, labels, [0, 1, 2], weights)
    np.testing.assert_allclose(model._class_counts, plain._class_counts)
    assert model.score(X, labels) == pytest.approx(plain.score(X, labels), abs=0.02)
    assert model.predict_proba(X).shape == (ROWS, 3)


def test_going_on_is_as_if_nothing_had_been():
    """Also in the midst of a batch, and from a local model."""
    X, y, weights = rows()
    every = chunks(X, y, weights)
    model = DaskAdagradRegressor(lr=0.1, alpha=0.01, batch_size=1 / 3, n_shards=1)
    whole = clone(model).partial_fit(every)
    parts = clone(model).partial_fit(every[:4]).partial_fit(every[4:9])
    parts = pickle.loads(pickle.dumps(parts)).partial_fit(every[9:])
    assert_near(parts, whole)
    local = whole.to_local()
    assert type(local) is AdagradRegressor
    assert_same(local, whole)
    assert local.partial_fit(X, y).t_ > whole.t_ == np.count_nonzero(weights)


@pytest.mark.parametrize(
    "changed",
    [{"batch_size": 1 / 30}, {"batch_size": 7}, {"lr": 0.5}, {"alpha": 0.1}, {"lr_decay": 0.1}],
    ids=str,
)
def test_parameters_that_change_between_calls(changed):
    X, y, weights = rows()
    plain = AdagradRegressor(lr=0.1, batch_size=1 / 8).partial_fit(X, y, weights)
    model = DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=1)
    model.partial_fit(chunks(X, y, weights))
    plain.set_params(**changed).partial_fit(X, y, weights)
    model.set_params(**changed).partial_fit(chunks(X, y, weights))
    assert_near(model, plain)


def test_classes_that_change_are_refused():
    X, y, _ = rows()
    every = chunks(X, (y > 0).astype(int))
    model = DaskAdagradClassifier(lr=0.1).partial_fit(every, classes=[0, 1])
    with pytest.raises(ValueError, match="They cannot change"):
        model.partial_fit(every, classes=[0, 7])


def test_several_labels():
    X, y, weights = rows(n_outputs=3)
    y = (y > 0).astype(int)
    plain = AdagradClassifier(lr=0.1, batch_size=1 / 8)
    model = DaskAdagradClassifier(lr=0.1, batch_size=1 / 8, n_shards=1)
    for _ in range(2):
        plain.partial_fit(X, y, sample_weight=weights)
        model.partial_fit(chunks(X, y, weights))
    assert_near(model, plain)


def test_when_all_records_are_brought_up_to_date(monkeypatch):
    """Which is due whenever rows outgrow what records know of them."""
    X, y, weights = rows()
    plain = AdagradRegressor(lr=0.1, alpha=0.01, batch_size=1 / 8).partial_fit(X, y, weights)
    for module in (base, rounds):
        monkeypatch.setattr(module, "MOST_ROWS", 256)
    model = DaskAdagradRegressor(lr=0.1, alpha=0.01, batch_size=1 / 8, n_shards=1)
    assert_near(model.partial_fit(chunks(X, y, weights)), plain)


def test_blocks_stay_as_they_are():
    X = csr_array(([1.0, 2.0, 3.0], [2, 0, 0], [0, 3]), shape=(1, 3))
    DaskAdagradRegressor(lr=0.1).partial_fit([(X, [1.0])])
    assert X.indices.tolist() == [2, 0, 0]
    assert X.data.tolist() == [1, 2, 3]


def test_no_row(capsys):
    X, y, weights = rows()
    model = DaskAdagradRegressor(lr=0.1, verbose=1)
    for none in [(X[:0], y[:0]), (X, y, 0 * weights)]:
        with pytest.raises(ValueError, match="no row to go by"):
            clone(model).fit([none])
        clone(model).partial_fit([none])
    model.partial_fit([(X, y)]).partial_fit([(X[:0], y[:0])])
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["0", "900", "0"]


def test_files(tmp_path):
    pytest.importorskip("safetensors")
    X, y, _ = rows()
    labels = np.digitize(y, [-1, 1])
    model = DaskAdagradClassifier(lr=0.1, n_shards=3).partial_fit(
        chunks(X, labels), classes=[0, 1, 2]
    )
    model.client = object()  # which no file can hold
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert type(loaded) is DaskAdagradClassifier
    assert (loaded.n_shards, loaded.client) == (3, None)
    assert_same(loaded, model)
    model.client = None
    assert_same(loaded.partial_fit(chunks(X, labels)), model.partial_fit(chunks(X, labels)))


def test_fit():
    X, y, weights = rows()
    model = DaskAdagradRegressor(lr=0.1, max_iter=4, tol=None, shuffle=False, n_shards=2)
    model.fit(chunks(X, y, weights))
    again = clone(model).partial_fit(chunks(X, y, weights))
    assert model.progressive_loss_ == again.progressive_loss_ == model.loss_curve_[0]
    for _ in range(3):
        again.partial_fit(chunks(X, y, weights))
    np.testing.assert_array_equal(model.coef_, again.coef_)
    assert model.n_iter_ == len(model.loss_curve_) == 4
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert_same(clone(model).fit(chunks(X, y, weights)), model)


def test_epochs_stop_where_those_of_one_machine_do():
    X, y, weights = rows()
    how = {"lr": 0.3, "batch_size": 1 / 8, "shuffle": False, "tol": 1e-2, "n_iter_no_change": 2}
    plain = AdagradRegressor(**how, early_stopping=False).fit(X, y, weights)
    model = DaskAdagradRegressor(**how, n_shards=1).fit(chunks(X, y, weights))
    assert 2 < model.n_iter_ == plain.n_iter_ < 100
    np.testing.assert_allclose(model.loss_curve_, plain.loss_curve_)
    assert_near(model, plain)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 epochs") as caught:
        model.set_params(max_iter=1).fit(chunks(X, y, weights))
    assert caught[0].filename == __file__


@pytest.mark.parametrize("as_arrays", [False, True])
def test_rows_to_judge_by(as_arrays):
    X, y, weights = rows()
    learnt, judged = (X[:100], y[:100], weights[:100]), (X[100:], y[100:], weights[100:])
    how = {"lr": 1.0, "batch_size": 1 / 8, "shuffle": False, "early_stopping": True}
    how |= {"n_iter_no_change": 3}
    plain = AdagradRegressor(**how).fit(
        *learnt, X_val=judged[0], y_val=judged[1], sample_weight_val=judged[2]
    )
    model = DaskAdagradRegressor(**how, n_shards=1)
    if as_arrays:
        names = "X_val", "y_val", "sample_weight_val"
        arrays = [each.toarray() if each is judged[0] else each for each in judged]
        given = {name: da.from_array(each, 50) for name, each in zip(names, arrays, strict=True)}
        model.fit(chunks(*learnt), **given)
    else:
        model.fit(chunks(*learnt), X_val=chunks(*judged))
    assert 1 < model.best_n_iter_ == plain.best_n_iter_ < model.n_iter_ == plain.n_iter_
    np.testing.assert_allclose(model.validation_loss_curve_, plain.validation_loss_curve_)
    assert_near(model, plain)


def test_what_cannot_be_judged():
    X, y, weights = rows()
    model = DaskAdagradRegressor(lr=0.1, max_iter=2, tol=None)
    with pytest.raises(ValueError, match="set early_stopping=True"):
        model.fit(chunks(X, y), X_val=chunks(X, y))
    model.set_params(early_stopping=True)
    with pytest.raises(ValueError, match="needs X_val"):
        model.fit(chunks(X, y))
    with pytest.raises(ValueError, match="X_val are empty or of weight zero"):
        model.fit(chunks(X, y), X_val=chunks(X, y, 0 * weights))
    with pytest.raises(ValueError, match="sample_weight_val are in the chunks"):
        model.fit(chunks(X, y), X_val=chunks(X, y), y_val=y)
    with pytest.raises(ValueError, match="5 features") as raised:
        model.fit(chunks(X, y), X_val=[(X[:, :5], y)])
    assert raised.value.__notes__ == ["It was block 0 of X_val that was judged."]


# --- checkpoints ---------------------------------------------------------------------------------


class Stopped(Exception):
    pass


def stop_after(monkeypatch, n):
    """Let a pass end by an error after so many rounds."""
    calls = []

    def report(self, model):
        calls.append(model.t_)
        if len(calls) == n:
            raise Stopped

    monkeypatch.setattr(reports.Report, "__call__", report)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 17])
def test_going_on_from_a_checkpoint(monkeypatch, tmp_path, n):
    X, y, weights = rows()
    path, every = tmp_path / "checkpoint", chunks(X, y, weights)
    model = DaskAdagradRegressor(lr=0.1, alpha=0.01, batch_size=1 / 8, n_shards=3)
    how = {"checkpoint": path, "checkpoint_seconds": 0.0, "resume": True}
    whole = clone(model).partial_fit(every)
    with monkeypatch.context() as patched:
        stop_after(patched, n)
        with pytest.raises(Stopped):
            clone(model).partial_fit(every, **how)
    assert path.exists()
    resumed = clone(model).partial_fit(every, **how)
    assert_same(resumed, whole)
    assert_same(load(path), whole)
    assert type(load(path)) is AdagradRegressor
    with pytest.warns(UserWarning, match="nothing is learnt"):
        assert_same(clone(model).partial_fit(every, **how), whole)


@pytest.mark.parametrize("n", [3, 20, 40])
@pytest.mark.parametrize("judged", [False, True])
def test_going_on_with_an_epoch(monkeypatch, tmp_path, n, judged):
    X, y, weights = rows(n_rows=300)
    every = chunks(X, y, weights)
    model = DaskAdagradRegressor(
        lr=0.5, batch_size=1 / 8, n_shards=2, max_iter=4, tol=None, random_state=0,
        early_stopping=judged,
    )  # fmt: skip
    given = {"X_val": chunks(X[:100], 1 - y[:100])} if judged else {}
    how = {"checkpoint": tmp_path / "checkpoint", "checkpoint_seconds": 0.0, "resume": True}
    whole = clone(model).fit(every, **given)
    with monkeypatch.context() as patched:
        stop_after(patched, n)
        with pytest.raises(Stopped):
            clone(model).fit(every, **given, **how)
    resumed = clone(model).fit(every, **given, **how)
    assert_same(resumed, whole)
    for name in ("loss_curve_", "n_iter_", *(["validation_loss_curve_"] if judged else [])):
        assert getattr(resumed, name) == getattr(whole, name)
    with pytest.warns(UserWarning, match="nothing is learnt"):
        assert_same(clone(model).fit(every, **given, **how), whole)


@pytest.mark.parametrize("n", [1, 4])
def test_an_interrupt_leaves_a_checkpoint(monkeypatch, tmp_path, n):
    X, y, weights = rows()
    path, every = tmp_path / "checkpoint", chunks(X, y, weights)
    model, calls = DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=3), []
    whole = clone(model).partial_fit(every)

    def report(self, model):
        calls.append(model.t_)
        if len(calls) == n:
            raise KeyboardInterrupt

    stopped = clone(model)
    with monkeypatch.context() as patched:
        patched.setattr(reports.Report, "__call__", report)
        with pytest.raises(KeyboardInterrupt):
            stopped.partial_fit(every, checkpoint=path)
    assert load(path).t_ == stopped.t_ == calls[-1]
    how = {"checkpoint": path, "resume": True}
    assert_same(clone(model).set_params(verbose=1).partial_fit(every, **how), whole)


def test_no_checkpoint_is_written_in_the_midst_of_a_round(monkeypatch, tmp_path):
    X, y, weights = rows()
    every, calls = chunks(X, y, weights), []
    model = DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=3)
    whole = clone(model).partial_fit(every)
    how = {"checkpoint": tmp_path / "checkpoint", "resume": True}
    apply = rounds.apply

    def interrupted(*args):
        apply(*args)
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rounds, "apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clone(model).partial_fit(every, **how)
    assert_same(clone(model).partial_fit(every, **how), whole)


def test_a_block_that_has_shrunk_since_its_checkpoint(monkeypatch, tmp_path):
    X, y, _ = rows()
    model, path = DaskAdagradRegressor(lr=0.1, n_shards=1), tmp_path / "checkpoint"
    given = {"checkpoint": path, "checkpoint_seconds": 0.0, "resume": True}
    with monkeypatch.context() as patched:
        stop_after(patched, 1)
        with pytest.raises(Stopped):
            clone(model).partial_fit([(X, y)], **given)
    with pytest.raises(ValueError, match="block 0 has 100 rows, but 150 of it were"):
        clone(model).partial_fit([(X[:100], y[:100])], **given)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_an_interrupt_before_an_epoch_learns_a_row(monkeypatch, tmp_path, n):
    X, y, weights = rows(n_rows=300)
    every, begun = chunks(X, y, weights), []
    how = {"lr": 0.5, "batch_size": 1 / 8, "max_iter": 3, "tol": None, "random_state": 0}
    model = DaskAdagradRegressor(**how, n_shards=2)
    given = {"checkpoint": tmp_path / "checkpoint", "resume": True}
    whole, learn_pass = clone(model).fit(every), common.learn_pass

    def interrupted(*args):
        begun.append(args)
        if len(begun) == n:
            raise KeyboardInterrupt
        learn_pass(*args)

    with monkeypatch.context() as patched:
        patched.setattr(common, "learn_pass", interrupted)
        with pytest.raises(KeyboardInterrupt):
            clone(model).fit(every, **given)
    resumed = clone(model).fit(every, **given)
    assert_same(resumed, whole)
    assert resumed.loss_curve_ == whole.loss_curve_


def test_streams_are_not_for_workers():
    X, y, _ = rows()
    with pytest.raises(TypeError, match="list of readers"):
        fit_stream(DaskAdagradRegressor(lr=0.1), chunks(X, y), report=None)


def test_checkpoints_that_are_refused(tmp_path):
    X, y, _ = rows()
    every, path = chunks(X, y), tmp_path / "checkpoint"
    model = DaskAdagradRegressor(lr=0.1, n_shards=2).partial_fit(every, checkpoint=path)
    for changed, others, said in [
        ({}, {}, "exists: pass resume=True"),
        ({"lr": 0.2}, {"resume": True}, "lr=0.2"),
        ({"n_shards": 3}, {"resume": True}, "n_shards was 2"),
        ({}, {"resume": True, "checkpoint": None}, "needs a checkpoint"),
        ({}, {"checkpoint_seconds": -1, "checkpoint": None}, "checkpoint_seconds"),
    ]:
        other = clone(model).set_params(**changed)
        with pytest.raises(ValueError, match=said):
            other.partial_fit(every, **{"checkpoint": path} | others)
        assert not hasattr(other, "t_")
    with pytest.raises(ValueError, match="method was partial_fit"):
        clone(model).fit(every, checkpoint=path, resume=True)
    with pytest.raises(ValueError, match="of other rows: blocks"):
        clone(model).partial_fit(every[:5], checkpoint=path, resume=True)


# --- input ---------------------------------------------------------------------------------------


def test_arrays():
    X, y, weights = rows()
    model = DaskAdagradRegressor(lr=0.1, n_shards=3)
    plain = clone(model).partial_fit(chunks(X, y, weights))
    X_, y_, weights_ = (da.from_array(each, BLOCK) for each in (X.toarray(), y, weights))
    model.partial_fit(X_, y_, weights_)
    assert_same(model, plain)
    predicted = model.predict(X_)
    assert isinstance(predicted, da.Array)
    np.testing.assert_allclose(predicted.compute(scheduler="synchronous"), model.predict(X))
    sparse = [dask.delayed(each) for each in chunks(X, y, weights)]
    assert_same(clone(model).partial_fit(sparse), plain)


def frame(n_rows=600):
    rng = np.random.default_rng(0)
    site, price = rng.integers(0, 9, n_rows), rng.lognormal(size=n_rows)
    clicked = rng.random(n_rows) < np.where(site < 3, 0.8, 0.3)
    columns = {"site": [f"s{each}" for each in site], "price": price, "clicked": clicked}
    return pd.DataFrame(columns)


def test_dataframes_in_a_pipeline_with_a_hasher():
    table, names = frame(), ["site", "price"]
    lazy = dd.from_pandas(table, npartitions=7)
    hasher = FieldHasher(2**10, fields={"price": "quantiles"})
    model = DaskAdagradClassifier(lr=0.1, n_shards=1, max_iter=2, tol=None, shuffle=False)
    pipeline = make_pipeline(hasher, clone(model))
    how = {"daskadagradclassifier__classes": [False, True]}
    pipeline.fit(lazy[names], lazy["clicked"], **how)
    parts = [each.compute() for each in lazy.partitions]
    hashed = clone(hasher).fit(parts[0][names])
    every = [(hashed.transform(each[names]), each["clicked"]) for each in parts]
    assert_same(pipeline[-1], model.fit(every, classes=[False, True]))
    predicted = pipeline.predict_proba(lazy[names])
    assert isinstance(predicted, da.Array)
    here = model.predict_proba(hashed.transform(table[names]))
    np.testing.assert_array_equal(predicted.compute(scheduler="synchronous"), here)
    fewer = lazy["clicked"].repartition(npartitions=5)
    with pytest.raises(ValueError, match="y has 5 partitions and X 7"):
        model.fit(hashed.transform(lazy[names]), fewer, classes=[False, True])


def test_a_move_leaves_its_model_as_it_is():
    X, y, _ = rows()
    model = AdagradRegressor(lr=0.1, batch_size=1 / 8).partial_fit(X[:500], y[:500])
    before, table = pickle.dumps(model), model._state.tables["weights"].copy()
    moment = moves.moment_of(model)
    some = X[500:520], y[500:520]
    distinct = sums.Sums(N_FEATURES).distinct
    move = moves.move_of(model, some[0], moment, lambda m: m.partial_fit(*some), distinct)
    assert move.n_rows == 20
    np.testing.assert_array_equal(model._state.tables["weights"], table)
    assert pickle.dumps(model) == before


def test_a_move_is_learnt_as_a_whole_or_not(monkeypatch):
    X, y, _ = rows()
    model = AdagradRegressor(lr=0.1, batch_size=1 / 8).partial_fit(X[:500], y[:500])
    moment, some = moves.moment_of(model), (X[500:520], y[500:520])
    distinct = sums.Sums(N_FEATURES).distinct
    move = moves.move_of(model, some[0], moment, lambda m: m.partial_fit(*some), distinct)
    whole = copy.deepcopy(model)
    moves.apply(whole, move, moment)
    assert whole.t_ == 520
    commit, calls = AdagradRegressor._commit, []

    def interrupted(self, *args, **more):
        calls.append(args)
        if len(calls) == 1:
            raise KeyboardInterrupt
        commit(self, *args, **more)

    monkeypatch.setattr(AdagradRegressor, "_commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        moves.apply(model, move, moment)
    assert_same(model, whole)


def test_dataframes_are_refused_with_a_remedy():
    class Frame:
        def to_delayed(self):
            raise NotImplementedError

    X, y, _ = rows()
    model = DaskAdagradRegressor(lr=0.1, n_shards=2).partial_fit(chunks(X, y))
    for call in (model.predict, model.partial_fit):
        with pytest.raises(TypeError, match="to_dask_array"):
            call(Frame())


def test_blocks_are_loaded_when_they_are_needed():
    X, y, _ = rows()
    loaded = []

    def load(n, chunk):
        loaded.append((n, model.t_ if hasattr(model, "_state") else 0))
        return chunk

    model = DaskAdagradRegressor(lr=0.1, n_shards=2)
    every = [dask.delayed(load)(n, chunk) for n, chunk in enumerate(chunks(X, y))]
    seen = []

    def report(places):
        seen.append((plain.t_, len(loaded)))

    plain = model.to_local()
    from sklearn_adagrad.dask.blocks import blocks_of
    from sklearn_adagrad.dask.workers import Here

    rounds.learn_pass(plain, Here(plain), blocks_of(every), 2, {}, report)
    assert len(loaded) == len(every)
    assert all(n_loaded <= t / BLOCK + 5 for t, n_loaded in seen)


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"lr": "auto"}, "lr='auto'"),
        ({"batch_size": 1}, "batch_size=1"),
        ({"rule": Admission("adagrad")}, "Admission"),
        ({"device": "cuda"}, "device"),
        ({"warm_start": True}, "warm_start"),
        ({"n_shards": 0}, "n_shards"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_what_is_refused(parameters, said):
    X, y, _ = rows()
    model = DaskAdagradRegressor(**{"lr": 0.1} | parameters)
    with pytest.raises(ValueError, match=said):
        model.partial_fit(chunks(X, y))
    assert not hasattr(model, "t_")


@pytest.mark.parametrize("block", [0, 9])
def test_a_row_that_cannot_be_learnt(block):
    X, y, _ = rows()
    every = chunks(X, y)
    every[block][1][20] = 1e300
    model = DaskAdagradRegressor(lr=0.1, n_shards=2)
    with pytest.raises(FloatingPointError) as raised:
        model.partial_fit(every)
    (note,) = [each for each in raised.value.__notes__ if "block" in each]
    assert f"in block {block}," in note
    row = int(str(raised.value).partition("row ")[2].split()[0])
    assert row + int(note.partition("from its row ")[2].split()[0]) == 20
    assert getattr(model, "t_", 0) <= 70 * block + 20


@pytest.mark.parametrize("width", [5, 20])
def test_blocks_of_other_widths(width):
    X, y, _ = rows()
    every = chunks(X, y)
    every[8] = np.ones((BLOCK, width)), every[8][1]
    model = DaskAdagradRegressor(lr=0.1, n_shards=2)
    with pytest.raises(ValueError, match=f"{width} features") as raised:
        model.partial_fit(every)
    assert any("block 8" in each for each in raised.value.__notes__)


@pytest.mark.parametrize("block", [0, 9])
def test_a_block_that_cannot_be_loaded(block):
    X, y, _ = rows()
    every = chunks(X, y)
    every[block] = X, y[:-1]
    with pytest.raises(ValueError, match="rows, but y has shape") as raised:
        DaskAdagradRegressor(lr=0.1, n_shards=2).partial_fit(every)
    assert raised.value.__notes__ == [f"block {block} was being loaded."]


def test_what_is_no_data():
    model, (X, y, _) = DaskAdagradRegressor(lr=0.1), rows()
    with pytest.raises(TypeError, match="Dask array"):
        model.partial_fit(X, y)
    frame = type("DataFrame", (), {"to_delayed": None})()
    with pytest.raises(TypeError, match="to_dask_array"):
        model.partial_fit(frame, y)
    with pytest.raises(ValueError, match="empty"):
        model.partial_fit([])
    with pytest.raises(TypeError, match=r"\(X, y\)"):
        model.partial_fit([X])
    with pytest.raises(ValueError, match="chunks of"):
        model.partial_fit(da.from_array(X.toarray(), 70), da.from_array(y, 60))


# --- with a cluster ------------------------------------------------------------------------------


def test_the_same_bits_on_any_number_of_workers():
    X, y, weights = rows(np.float32, n_outputs=2)
    every = chunks(X, y, weights)
    model = DaskAdagradRegressor(lr=0.1, alpha=0.01, batch_size=1 / 8, n_shards=3)
    alone = clone(model).partial_fit(every)
    for n in (1, 2, 3):
        with cluster(n) as machines, Client(machines) as client:
            assert_same(clone(model).set_params(client=client).partial_fit(every), alone)


def test_no_more_blocks_are_loaded_than_are_soon_needed(monkeypatch, tmp_path):
    X, y, _ = rows()

    def load(n, chunk):
        (tmp_path / str(n)).touch()
        return chunk

    every = [dask.delayed(load)(n, chunk) for n, chunk in enumerate(chunks(X, y))]
    seen = []

    def note(self, model):
        time.sleep(0.05)  # in which workers would load more
        seen.append((model.t_, len(list(tmp_path.iterdir()))))

    monkeypatch.setattr(reports.Report, "__call__", note)
    with cluster(2) as machines, Client(machines) as client:
        DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=2, client=client).partial_fit(every)
    assert seen[-1] == (ROWS, len(every))
    # Of each lane one that is being learnt, and one more; the first lane may be a block ahead.
    assert all(n_loaded <= t / BLOCK + 5 for t, n_loaded in seen)


def test_epochs_that_workers_judge():
    X, y, weights = rows()
    how = {"lr": 1.0, "batch_size": 1 / 8, "early_stopping": True, "n_iter_no_change": 2}
    model = DaskAdagradRegressor(**how, n_shards=2, random_state=0)
    given = {"X_val": chunks(X[:200], y[::-1][:200])}
    alone = clone(model).fit(chunks(X, y, weights), **given)
    with cluster(2) as machines, Client(machines) as client:
        learnt = clone(model).set_params(client=client).fit(chunks(X, y, weights), **given)
    assert_same(learnt, alone)
    assert learnt.validation_loss_curve_ == alone.validation_loss_curve_


def test_workers_that_are_all_killed(monkeypatch):
    X, y, _ = rows()
    every = [dask.delayed(tuple)(each) for each in chunks(X, y)]
    model = DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=3)
    alone = clone(model).partial_fit(every)
    with cluster(1) as machines, Client(machines) as client:
        killed_at = []

        def kill(self, learning):
            if not killed_at and learning.t_ > ROWS // 2:
                killed_at.append(learning.t_)
                for pid in client.run(os.getpid).values():
                    os.kill(pid, signal.SIGKILL)

        monkeypatch.setattr(reports.Report, "__call__", kill)
        learnt = clone(model).set_params(client=client).partial_fit(every)
        assert killed_at
    assert_same(learnt, alone)


def test_a_worker_that_is_killed(monkeypatch):
    X, y, _ = rows(n_rows=4 * ROWS)
    every, model = chunks(X, y), DaskAdagradRegressor(lr=0.1, batch_size=1 / 64, n_shards=3)
    alone = clone(model).partial_fit(every)
    with cluster(2) as machines, Client(machines) as client:
        pid, killed_at = next(iter(client.run(os.getpid).values())), []

        def kill(self, learning):
            if not killed_at and learning.t_ > ROWS:
                killed_at.append(learning.t_)
                os.kill(pid, signal.SIGKILL)

        monkeypatch.setattr(reports.Report, "__call__", kill)
        learnt = clone(model).set_params(client=client).partial_fit(every)
        assert killed_at
        assert pid not in client.run(os.getpid).values()
    assert_same(learnt, alone)


def test_a_worker_that_is_killed_while_it_learns(tmp_path):
    """By the weights of a row, the first time that they are looked at in a learner's thread."""
    X, y, weights = rows(n_rows=4 * ROWS)
    every, model = (
        chunks(X, y, weights),
        DaskAdagradRegressor(lr=0.1, batch_size=1 / 64, n_shards=3),
    )
    alone = clone(model).partial_fit(every)
    with cluster(2) as machines, Client(machines) as client:
        client.run(_let_a_learner_die, str(tmp_path / "died"))
        learnt = clone(model).set_params(client=client).partial_fit(every)
    assert (tmp_path / "died").exists()
    assert_same(learnt, alone)


def _let_a_learner_die(path):
    """Whoever learns row 2,000 dies, if nobody has."""
    learn = learner.Learner._move_of

    def move_of(self, part):
        if part.moment.t > 2000 and not os.path.exists(path):
            open(path, "x").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return learn(self, part)

    learner.Learner._move_of = move_of


def test_threads_of_one_process_learn_at_the_same_time():
    X, y, _ = rows()
    every, model = chunks(X, y), DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=3)
    alone = clone(model).partial_fit(every)
    how = {"processes": False, "dashboard_address": ":0", "threads_per_worker": 1}
    with LocalCluster(n_workers=2, **how) as machines, Client(machines) as client:
        assert_same(clone(model).set_params(client=client).partial_fit(every), alone)


def test_a_model_is_sent_once(monkeypatch):
    """Also to workers that have nothing to learn in some rounds."""
    X, y, _ = rows()
    monkeypatch.setattr(rounds, "LEAST", 40)
    every, model = chunks(X, y), DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=4)
    given, learn = [], learner.Learner.learn

    def noted(self, what, parts, n):
        given.append((hasattr(what, "partial_fit"), len(parts)))
        return learn(self, what, parts, n)

    monkeypatch.setattr(learner.Learner, "learn", noted)
    how = {"processes": False, "dashboard_address": ":0", "threads_per_worker": 1}
    with LocalCluster(n_workers=2, **how) as machines, Client(machines) as client:
        model.set_params(client=client).partial_fit(every)
    assert sum(is_whole for is_whole, _ in given) == 2
    assert any(n == 0 for _, n in given)


def test_a_learner_that_begins_anew_is_lost(monkeypatch):
    """Which is what Dask makes of a worker that comes back at the same address."""
    X, y, _ = rows()
    every, model = chunks(X, y), DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=3)
    alone, begun = clone(model).partial_fit(every), []

    def forget(self, given, parts, n):
        begun.append(self)
        if len(begun) == 3:
            self._model = None
        return learn(self, given, parts, n)

    learn = learner.Learner.learn
    how = {"processes": False, "dashboard_address": ":0", "threads_per_worker": 1}
    with LocalCluster(n_workers=1, **how) as machines, Client(machines) as client:
        monkeypatch.setattr(learner.Learner, "learn", forget)
        assert_same(clone(model).set_params(client=client).partial_fit(every), alone)
    assert len({*map(id, begun)}) == 2


def test_workers_that_come_later(monkeypatch):
    X, y, _ = rows(n_rows=4 * ROWS)
    every, model = chunks(X, y), DaskAdagradRegressor(lr=0.1, batch_size=1 / 64, n_shards=4)
    alone = clone(model).partial_fit(every)
    seats = set()
    with cluster(1) as machines, Client(machines) as client:
        learnt = rounds._learnt

        def noted(round_, plan, *more):
            seats.update(lane.seat for lane, *_ in plan)
            if len(seats) == 1 and len(machines.workers) == 1:
                machines.scale(2)
                client.wait_for_workers(2)
            return learnt(round_, plan, *more)

        monkeypatch.setattr(rounds, "_learnt", noted)
        assert_same(clone(model).set_params(client=client).partial_fit(every), alone)
    assert len(seats) == 2


def test_a_worker_that_is_killed_with_what_it_has_done():
    """Dask would wait for ever for a result which had been there, when it could be asked for."""
    block = Block("block 0", _rows_of_chunk, (([[1.0]], [1.0]),))
    with cluster(1) as machines, Client(machines) as client:
        handed = There(client).seat(0).load(block)
        while not handed.n_rows.future.done():
            time.sleep(0.01)
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(handed.n_rows.result)
            try:
                error = asked.exception(timeout=30)
            except TimeoutError:
                client.cancel(handed.n_rows.future)  # or the thread would never end
                raise
    assert isinstance(error, Lost)


def test_an_error_of_a_block_that_is_about_time():
    def load():
        raise TimeoutError("The file server is away.")

    with cluster(1) as machines, Client(machines) as client:
        model = DaskAdagradRegressor(lr=0.1, client=client)
        with pytest.raises(TimeoutError, match="file server"):
            model.partial_fit([dask.delayed(load)()])


def test_workers_that_are_all_killed_while_they_judge(monkeypatch):
    X, y, _ = rows()
    every = chunks(X, y)
    how = {"lr": 0.1, "batch_size": 1 / 8, "max_iter": 2, "tol": None, "early_stopping": True}
    model = DaskAdagradRegressor(**how, n_shards=3, random_state=0)
    alone = clone(model).fit(every, X_val=every)
    with cluster(1) as machines, Client(machines) as client:
        scatter, killed = client.scatter, []

        def scattered(*args, **more):
            shared = scatter(*args, **more)
            if not killed:
                killed.extend(client.run(os.getpid).values())
                os.kill(killed[0], signal.SIGKILL)
            return shared

        monkeypatch.setattr(client, "scatter", scattered)
        learnt = clone(model).set_params(client=client).fit(every, X_val=every)
        assert killed
    assert_same(learnt, alone)
    assert learnt.validation_loss_curve_ == alone.validation_loss_curve_


def test_learners_end_with_their_pass():
    X, y, _ = rows()
    every = chunks(X, y)
    with cluster(1) as machines, Client(machines) as client:
        model = DaskAdagradRegressor(lr=0.1, batch_size=1 / 8, n_shards=3, client=client)
        gc.disable()  # which would let go of them at some time or other
        try:
            for blocks in (every, [*every, None]):
                with pytest.raises(TypeError) if blocks[-1] is None else nullcontext():
                    clone(model).partial_fit(blocks)
                deadline = time.monotonic() + 30
                while any(client.run(_n_learners).values()) and time.monotonic() < deadline:
                    time.sleep(0.05)
                assert list(client.run(_n_learners).values()) == [0]
        finally:
            gc.enable()


def _n_learners(dask_worker):
    return len(dask_worker.state.actors)


def test_an_asynchronous_client_is_refused():
    class Asynchronous:
        asynchronous = True

    X, y, _ = rows()
    with pytest.raises(ValueError, match="pass one with asynchronous=False"):
        DaskAdagradRegressor(lr=0.1, client=Asynchronous()).partial_fit(chunks(X, y))
