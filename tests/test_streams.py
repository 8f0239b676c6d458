"""Streams: the figures are those of rows that were predicted before they were learnt."""

import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from common import PACKAGE, bits, random_rows, run_python
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import Perceptron, SGDClassifier, SGDRegressor
from sklearn.naive_bayes import MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MaxAbsScaler

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor, load
from sklearn_adagrad.hashing.hasher import FieldHasher
from sklearn_adagrad.readers import Delimited
from sklearn_adagrad.streams import fit_stream

N_ROWS = 3000
RNG = np.random.default_rng(0)
X = random_rows(RNG, N_ROWS, 20, 0.3)
SCORES = X @ RNG.standard_normal(20)
Y = (SCORES + RNG.standard_normal(N_ROWS) > 1).astype(int)
WEIGHTS = RNG.choice([0.0, 0.5, 1.0, 2.0], N_ROWS)
TOPICS = np.digitize(SCORES, [-1, 0, 1])


def chunks_of(y, weights=None, sizes=(700,), rows=X):
    """The rows in chunks of these sizes, again and again."""
    first, n = 0, 0
    while first < rows.shape[0]:
        part = slice(first, first + sizes[n % len(sizes)])
        yield (rows[part], y[part]) if weights is None else (rows[part], y[part], weights[part])
        first, n = part.stop, n + 1


def one_by_one(model, y, weights, method, **given):
    """What ``model`` says of each row that counts, before it learns it."""
    said = []
    for n in range(N_ROWS):
        row = slice(n, n + 1)
        begun = hasattr(model, "t_")
        said.append(getattr(model, method)(X[row])[0] if begun else None)
        model.partial_fit(X[row], y[row], sample_weight=weights[row], **given)
    return said


def counted(history):
    """All but the seconds."""
    return {
        name: values.tolist() for name, values in history.to_dict().items() if name != "seconds"
    }


def run(model, chunks, classes=None, **more):
    return fit_stream(model, chunks, classes=classes, report=None, **more)


# --- figures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_two_classes(loss):
    model = AdagradClassifier(loss, lr=0.1)
    said = one_by_one(AdagradClassifier(loss, lr=0.1), Y, WEIGHTS, "predict_proba", classes=[0, 1])
    history = run(model, chunks_of(Y, WEIGHTS), [0, 1], window=1000)
    assert history["rows"].tolist() == [1000, 2000, 3000]
    first = int(np.flatnonzero(WEIGHTS)[0])
    chance = np.array([0.5 if each is None else each[1] for each in said])
    for line, rows in enumerate([slice(first, 1000), slice(1000, 2000), slice(2000, 3000)]):
        for name, part in (("window_", rows), ("", slice(first, rows.stop))):
            y, p, w = Y[part], chance[part], WEIGHTS[part]
            share = np.average(y, weights=w)
            entropy = metrics.log_loss(y, np.full(len(y), share), sample_weight=w)
            lost = metrics.log_loss(y, p, sample_weight=w)
            assert history[f"{name}log_loss"][line] == pytest.approx(lost)
            assert history[f"{name}normalized_entropy"][line] == pytest.approx(lost / entropy)
            calibration = np.average(p, weights=w) / share
            assert history[f"{name}calibration"][line] == pytest.approx(calibration)
            auc = metrics.roc_auc_score(y, p, sample_weight=w)
            assert history[f"{name}roc_auc"][line] == pytest.approx(auc, abs=2e-4)
    if loss == "log_loss":
        assert history["log_loss"][-1] == pytest.approx(model.progressive_loss_)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_several_classes(multi_class):
    labels = np.array(["a", "b", "c", "d"])
    y = labels[TOPICS]
    model = AdagradClassifier(lr=0.1, multi_class=multi_class)
    said = one_by_one(
        AdagradClassifier(lr=0.1, multi_class=multi_class),
        y,
        WEIGHTS,
        "predict_proba",
        classes=labels,
    )
    first = int(np.flatnonzero(WEIGHTS)[0])
    said[: first + 1] = [np.full(4, 0.25)] * (first + 1)
    history = run(model, chunks_of(y, WEIGHTS), labels)
    p, w = np.array(said), WEIGHTS
    lost = metrics.log_loss(y, p, sample_weight=w, labels=labels)
    assert history["log_loss"][-1] == pytest.approx(lost)
    accuracy = metrics.accuracy_score(y, labels[p.argmax(axis=1)], sample_weight=w)
    assert history["accuracy"][-1] == pytest.approx(accuracy)
    shares = np.bincount(TOPICS, w) / w.sum()
    assert history["normalized_entropy"][-1] == pytest.approx(lost / -(shares @ np.log(shares)))


def test_numbers():
    for y in (SCORES + 5.0, np.stack([SCORES, 2.0 - SCORES], axis=1)):
        said = one_by_one(AdagradRegressor(lr=0.1), y, np.ones(N_ROWS), "predict")
        said[0] = np.zeros_like(y[0])
        history = run(AdagradRegressor(lr=0.1), chunks_of(y))
        assert history["mean_squared_error"][-1] == pytest.approx(
            metrics.mean_squared_error(y, said)
        )
        assert history["mean_absolute_error"][-1] == pytest.approx(
            metrics.mean_absolute_error(y, said)
        )
        if y.ndim == 1:
            assert history["r2"][-1] == pytest.approx(metrics.r2_score(y, said))
    history = run(AdagradRegressor("poisson", lr=0.1), chunks_of(Y))
    assert history["mean_absolute_error"][-1] < 1


def test_scores_and_labels_without_probabilities():
    history = run(AdagradClassifier("hinge", lr=0.1), chunks_of(Y), [0, 1])
    assert {"accuracy", "roc_auc"} < set(history.columns)
    assert history["accuracy"][-1] > 0.7
    assert history["roc_auc"][-1] > 0.8
    history = run(AdagradClassifier("hinge", lr=0.1), chunks_of(TOPICS), range(4))
    assert set(history.columns) == {"rows", "seconds", "accuracy", "window_accuracy"}
    labels = (X[:, :3].toarray() > 0).astype(int)
    model = AdagradClassifier(lr=0.1)
    history = run(model, chunks_of(labels, WEIGHTS), window=500)
    assert history["rows"].tolist() == [500, 1000, 1500, 2000, 2500, 3000]
    assert history["log_loss"][-1] == pytest.approx(model.progressive_loss_ / 3)


OTHERS = {
    "proba": SGDClassifier(loss="log_loss"), "hinge": SGDClassifier(), "several": MultinomialNB(),
    "labels": Perceptron(), "numbers": SGDRegressor(),
    "search": AdagradClassifierCV(lr=[0.1, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_estimators(name):
    """They predict a chunk before they learn it, from the second one on."""
    model, rows = OTHERS[name], abs(X)
    y = {"several": TOPICS, "labels": TOPICS, "numbers": SCORES}.get(name, Y)
    classes = None if name == "numbers" else np.unique(y)
    history = run(model, chunks_of(y, rows=rows), classes)
    assert history["rows"].tolist() == [1024, 2048, 3000]
    assert history.n_rows == 3000
    assert set(history.columns) > {
        "proba": {"log_loss", "roc_auc", "calibration"}, "search": {"normalized_entropy"},
        "hinge": {"accuracy", "roc_auc"}, "several": {"log_loss", "accuracy"},
        "labels": {"accuracy"}, "numbers": {"r2"},
    }[name]  # fmt: skip


def test_classes_that_come_with_the_estimator():
    model = AdagradClassifier(lr=0.1).partial_fit(X[:10], Y[:10], [0, 1])
    assert run(model, chunks_of(Y)).n_rows == 3000
    assert model.t_ == 3010


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=4), weighted=st.booleans(),
    window=st.sampled_from([100, 512, 1000, 10**6]),
)  # fmt: skip
def test_neither_chunks_nor_the_driver_make_a_difference(sizes, weighted, window):
    sizes = [max(size, 40) for size in sizes]
    weights = WEIGHTS if weighted else None
    model, again, bare = (
        AdagradClassifier(lr=0.1),
        AdagradClassifier(lr=0.1),
        AdagradClassifier(lr=0.1),
    )
    history = run(model, chunks_of(Y, weights, sizes), [0, 1], window=window)
    other = run(again, chunks_of(Y, weights), [0, 1], window=window)
    bare.partial_fit(X, Y, [0, 1], weights)
    assert bits(model) == bits(again) == bits(bare)
    assert counted(history) == counted(other)


def test_nan_where_a_class_is_missing():
    history = run(AdagradClassifier(lr=0.1), [(X[:9], np.zeros(9))], [0, 1])
    assert history["log_loss"][0] > 0
    assert np.isnan([history[name][0] for name in ("roc_auc", "calibration")]).all()
    assert repr(history).startswith("History(9 rows, log_loss=")
    assert len(run(AdagradClassifier(lr=0.1), [], [0, 1])) == 0
    with pytest.raises(KeyError, match="'auc' is no column; the columns are"):
        history["auc"]
    assert history.to_pandas().shape == (1, 10)


# --- stopping and going on ----------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_resumed_equals_uninterrupted(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("runs") / "checkpoint"
    kind = data.draw(st.sampled_from(["two", "several", "numbers", "labels"]))
    y = {
        "two": Y, "several": TOPICS, "numbers": SCORES, "labels": (X[:, :3].toarray() > 0) + 0,
    }[kind]  # fmt: skip
    estimator = AdagradRegressor if kind == "numbers" else AdagradClassifier
    begin = {"numbers": {}, "labels": {}}.get(kind, {"classes": np.unique(y)})
    window = data.draw(st.sampled_from([100, 600, 2048]))
    whole = estimator(lr=0.1)
    wanted = run(whole, chunks_of(y, WEIGHTS), window=window, **begin)
    stops = sorted(data.draw(st.lists(st.integers(1, N_ROWS), max_size=3)))
    for stop in (*stops, None):
        model = estimator(lr=0.1)
        history = run(
            model, chunks_of(y, WEIGHTS, data.draw(st.sampled_from([(700,), (64, 999)]))),
            window=window, max_rows=stop, checkpoint=path, resume=True, **begin,
        )  # fmt: skip
        assert load(path).t_ == model.t_
    assert bits(model) == bits(whole)
    assert counted(history) == counted(wanted)


LEARNING = """
import sys, time
import numpy as np
from test_streams import X, Y, chunks_of
from sklearn_adagrad import AdagradClassifier
from sklearn_adagrad.streams import fit_stream
path, pause = sys.argv[1], float(sys.argv[2])
def slow():
    for chunk in chunks_of(Y, sizes=(50,)):
        time.sleep(pause)
        yield chunk
history = fit_stream(AdagradClassifier(lr=0.1), slow(), classes=[0, 1], checkpoint=path,
                     resume=True, checkpoint_seconds=0.0, window=600)
print(history.n_rows, history.interrupted)
"""


def begin(path, pause):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-c", LEARNING, path, str(pause)], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(path, child):
    while not path.exists():
        assert child.poll() is None, child.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_interrupted_process_is_resumed(tmp_path, how):
    path = tmp_path / "checkpoint"
    child = begin(path, 0.02)
    wait_for(path, child)
    time.sleep(0.2)
    child.send_signal(getattr(signal, how))
    output, errors = child.communicate(timeout=60)
    assert 0 < load(path).t_ < N_ROWS
    if how == "SIGINT":
        assert output.split() == [str(load(path).t_), "True"]
        assert f"Stopped by Ctrl-C after {load(path).t_:,} rows." in errors
    child = begin(path, 0.0)
    output, errors = child.communicate(timeout=60)
    assert output.split() == ["3000", "False"], errors
    assert bits(load(path)) == bits(AdagradClassifier(lr=0.1).partial_fit(X, Y, [0, 1]))


SILENT = """
import os, sys
from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.readers import Delimited
from sklearn_adagrad.streams import fit_stream
log = Delimited("-", FieldHasher(16), target="y", chunk_rows=2)
history = fit_stream(AdagradClassifier(lr=0.1), log, classes=[0, 1], checkpoint=sys.argv[1],
                     checkpoint_seconds=0)
print(history.n_rows, history.interrupted)
"""


def test_ctrl_c_while_a_pipe_says_nothing(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    child = subprocess.Popen(
        [sys.executable, "-c", SILENT, tmp_path / "checkpoint"], env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    child.stdin.write("y,a\n1,u\n0,v\n1,w\n")
    child.stdin.flush()
    wait_for(tmp_path / "checkpoint", child)
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    code = child.wait(60)  # its input stays open
    output, errors = child.communicate()
    assert (code, output.split()) == (0, ["2", "True"]), errors
    assert load(tmp_path / "checkpoint").t_ == 2


def test_stream_that_ended_is_ended(tmp_path):
    arguments = {"checkpoint": tmp_path / "checkpoint", "classes": [0, 1]}
    model, again = AdagradClassifier(lr=0.1), AdagradClassifier(lr=0.1)
    history = run(model, chunks_of(Y), **arguments)
    once_more = run(again, chunks_of(Y), resume=True, **arguments)
    assert counted(once_more) == counted(history)
    assert bits(again) == bits(model)


def test_what_cannot_be_resumed(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("y,a\n" + "1,u\n0,v\n" * 100)

    def reader(**more):
        return Delimited(log, FieldHasher(64, **more), target="y")

    path = tmp_path / "checkpoint"
    arguments = {"checkpoint": path, "classes": [0, 1]}
    run(AdagradClassifier(lr=0.1), reader(), max_rows=50, **arguments)
    before = path.read_bytes()
    refused = {
        "exists: pass resume=True": (AdagradClassifier(lr=0.1), reader(), {}),
        r"lr=0\.5, but the checkpoint .* was made with\nlr=0\.1": (
            AdagradClassifier(lr=0.5), reader(), {"resume": True},
        ),
        "is a checkpoint of AdagradClassifier, not of AdagradRegressor": (
            AdagradRegressor(lr=0.1), reader(), {"resume": True, "classes": None},
        ),
        "is of other rows": (AdagradClassifier(lr=0.1), reader(missing="ignore"), {"resume": True}),
        "window=7, but": (AdagradClassifier(lr=0.1), reader(), {"resume": True, "window": 7}),
    }  # fmt: skip
    for message, (model, chunks, more) in refused.items():
        with pytest.raises(ValueError, match=message.replace("\n", " ").replace(r"\n", " ")):
            run(model, chunks, **arguments | more)
        assert not hasattr(model, "_state")
    log.write_text(log.read_text() + "1,u\n")
    with pytest.raises(ValueError, match="is of other rows"):
        run(AdagradClassifier(lr=0.1), reader(), resume=True, **arguments)
    AdagradClassifier(lr=0.1).partial_fit(X, Y, [0, 1]).save(tmp_path / "model")
    arguments["checkpoint"] = tmp_path / "model"
    with pytest.raises(ValueError, match="is a model, but no checkpoint"):
        run(AdagradClassifier(lr=0.1), reader(), resume=True, **arguments)
    assert path.read_bytes() == before


def test_parameters_that_make_no_sense(tmp_path):
    def refused(message, error=ValueError, model=None, **more):
        with pytest.raises(error, match=message):
            run(model or AdagradClassifier(lr=0.1), chunks_of(Y), **more)

    refused("window must be an integer of at least 1, got 0", window=0)
    refused("max_rows must be", max_rows=-1)
    refused("checkpoint_seconds must be a number", checkpoint_seconds="60")
    refused("resume=True needs a checkpoint", resume=True)
    refused("classes must be passed")
    refused("has no partial_fit", TypeError, model=MaxAbsScaler.fit)
    refused("is neither a classifier nor", TypeError, model=MaxAbsScaler())
    refused("SGDClassifier cannot be saved", TypeError, model=SGDClassifier(), checkpoint=tmp_path)
    with pytest.raises(ValueError, match="report must be 'lines', 'bar' or None"):
        fit_stream(AdagradClassifier(lr=0.1), [], report="line")


def test_error_in_a_row_leaves_those_before(tmp_path):
    y = Y.copy()
    y[1500] = 2
    model = AdagradClassifier(lr=0.1)
    with pytest.raises(ValueError, match=r"y\[100\] = 2"):
        run(model, chunks_of(y), [0, 1], checkpoint=tmp_path / "checkpoint")
    assert model.t_ == 1400


# --- reports ------------------------------------------------------------------------------------


def test_lines(capsys):
    fit_stream(AdagradClassifier(lr=0.1), chunks_of(Y), classes=[0, 1], window=600)
    output = capsys.readouterr()
    assert output.out == ""
    *head, first, second, third, last = output.err.splitlines()
    assert "log loss" in head[0]
    assert [line.split()[0] for line in (first, second, third, last)] == [
        "600", "1,200", "2,400", "3,000",
    ]  # fmt: skip
    assert len({len(line) for line in (*head, first, last)}) == 1
    assert len(first) <= 110


def test_bar(capsys):
    history = fit_stream(
        AdagradClassifier(lr=0.1), chunks_of(Y), classes=[0, 1], report="bar", max_rows=2000
    )
    assert history.n_rows == 2000
    assert "2,000 rows" in capsys.readouterr().err


NO_RICH = """
import sys
sys.modules["rich.progress"] = None
from sklearn_adagrad import AdagradClassifier
from sklearn_adagrad.streams import fit_stream
try:
    fit_stream(AdagradClassifier(lr=0.1), [], classes=[0, 1], report="bar")
except ImportError as error:
    print(error)
"""


def test_bar_needs_rich():
    assert "python -m pip install rich" in run_python("-c", NO_RICH)


def test_used_in_a_thread_and_where_signals_are_taken():
    import threading

    found = []
    thread = threading.Thread(
        target=lambda: found.append(run(AdagradClassifier(lr=0.1), chunks_of(Y), [0, 1]))
    )
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        found.append(run(AdagradClassifier(lr=0.1), chunks_of(Y), [0, 1]))
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert counted(found[0]) == counted(found[1])


def test_numbers_in_every_form():
    """Lists, columns, frames, sparse labels: whatever the estimator takes is judged."""
    pd = pytest.importorskip("pandas")
    wanted = counted(
        run(AdagradClassifier(lr=0.1), chunks_of(TOPICS, WEIGHTS), range(4), window=500)
    )
    forms = {
        "column": (X, TOPICS[:, np.newaxis], WEIGHTS),
        "frame": (pd.DataFrame(X.toarray()), pd.Series(TOPICS, np.arange(N_ROWS)[::-1]), WEIGHTS),
        "lists": (X.toarray().tolist(), TOPICS.tolist(), WEIGHTS.tolist()),
    }
    for chunk in forms.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns, of names of features
            model = AdagradClassifier(lr=0.1)
            assert counted(run(model, [chunk], range(4), window=500)) == wanted
            run(model := AdagradClassifier(lr=0.1), [chunk], range(4), max_rows=1700)
        assert model.t_ == np.count_nonzero(WEIGHTS[:1700])
    labels = (X[:, :3] > 0).astype(int)
    dense = run(AdagradClassifier(lr=0.1), [(X, labels.toarray())])
    assert counted(run(AdagradClassifier(lr=0.1), [(X, labels)])) == counted(dense)
    model = MLPClassifier((2,), max_iter=5, random_state=0)
    with pytest.raises(ValueError, match="can be judged of AdagradClassifier only"):
        run(model, chunks_of(labels.toarray()), np.arange(3))


def test_large_numbers():
    y = 1e8 + SCORES
    y[5] = 1e300
    weights = np.where(np.arange(N_ROWS) == 5, 0.0, 1.0)
    history = run(SGDRegressor(eta0=1e-9), [(X[:1], y[:1]), (X, y, weights)])
    said = SGDRegressor(eta0=1e-9).partial_fit(X[:1], y[:1]).predict(X)
    kept = weights > 0
    assert history["r2"][-1] == pytest.approx(metrics.r2_score(y[kept], said[kept]))
    assert np.isfinite(history["mean_squared_error"][-1])


def test_the_same_parameters_are_the_same(tmp_path):
    path, alpha = tmp_path / "checkpoint", np.ones(20)
    first = AdagradClassifier(lr=np.float64(0.1), alpha=alpha, random_state=np.int64(3))
    run(first, chunks_of(Y), [0, 1], checkpoint=path, max_rows=1000)
    alpha = alpha.copy()
    again = AdagradClassifier(lr=0.1, alpha=alpha, random_state=3)
    run(again, chunks_of(Y), [0, 1], checkpoint=path, resume=True, max_rows=2000)
    assert again.t_ == 2000
    alpha[7] += 1e-12
    with pytest.raises(ValueError, match="alpha="):
        run(again, chunks_of(Y), [0, 1], checkpoint=path, resume=True)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        run(again, chunks_of(Y), [0, 1], checkpoint=tmp_path / "absent" / "checkpoint")


class Undecided(ClassifierMixin, BaseEstimator):
    """Predicts what is no number."""

    def partial_fit(self, X, y, classes=None):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.full((X.shape[0], 2), np.nan)


def test_predictions_that_are_no_numbers():
    """They have no figures, and no place in memory that is not theirs."""
    history = run(Undecided(), chunks_of(Y), [0, 1])
    assert np.isnan(history["log_loss"]).all()
    assert history["rows"][-1] == 3000


def test_estimator_becomes_what_was_saved(tmp_path):
    """Nothing is left of what it had learnt before."""
    path = tmp_path / "checkpoint"
    run(AdagradClassifier(lr=0.1), chunks_of(Y), [0, 1], checkpoint=path, max_rows=1000)
    model = AdagradClassifier(lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[:50], Y[:50])
    run(model, chunks_of(Y), [0, 1], checkpoint=path, resume=True)
    assert not hasattr(model, "n_iter_")
    assert bits(model) == bits(AdagradClassifier(lr=0.1).partial_fit(X, Y, [0, 1]))
