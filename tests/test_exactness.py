"""The promises that hold to the last bit, whatever happens while a model learns."""

import copy
import io
import pickle
import tempfile

import joblib
import numpy as np
import pytest
from common import (
    all_bits,
    bits,
    every_dtype,
    every_estimator,
    every_loss,
    first_call,
    random_rows,
    random_targets,
    run_python,
    stream,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import fit, learn, problems
from scipy import sparse
from sklearn.base import clone

from sklearn_adagrad import AdagradClassifier, load

EPOCH = {"max_iter": 1, "shuffle": False, "tol": None, "early_stopping": False}
some = settings(max_examples=12, deadline=None)
many = settings(max_examples=60, deadline=None)


def cut(data, n_rows):
    """A random partition of the rows into slices."""
    ends = sorted(data.draw(st.sets(st.integers(1, n_rows - 1))))
    return [slice(*pair) for pair in zip([0, *ends], [*ends, n_rows], strict=True)]


# --- however a stream is cut --------------------------------------------------------------------


@every_loss
@some
@given(data=st.data())
def test_chunks_make_no_difference(estimator, loss, data):
    problem = data.draw(problems([(estimator, loss)]))
    assert bits(learn(problem, cut(data, len(problem["y"])))) == bits(learn(problem))


@every_loss
@some
@given(data=st.data())
def test_one_epoch_of_fit_is_one_partial_fit(estimator, loss, data):
    problem = data.draw(problems([(estimator, loss)]))
    if problem["model"].get_params().get("class_weight") == "balanced":
        problem["model"].class_weight = None  # fit goes by the counts of all of y
    streamed, fitted = learn(problem), fit(problem, **EPOCH)
    assert bits(fitted)[0] == bits(streamed)[0]
    assert fitted.t_ == streamed.t_
    assert fitted.loss_curve_ == [streamed.progressive_loss_]


@many
@given(problem=problems())
def test_rows_one_by_one(problem):
    rows = [slice(i, i + 1) for i in range(len(problem["y"]))]
    assert bits(learn(problem, rows, X=problem["X"].toarray())) == bits(learn(problem))


@every_loss
@every_dtype
def test_columns_that_no_row_has_make_no_difference(estimator, loss, dtype):
    """Large models fetch records ahead, small ones do not: the same weights and scores."""
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 150, 40, dtype=dtype), random_targets(rng, estimator, loss, 150)
    wide = sparse.csr_array((X.data, X.indices, X.indptr), shape=(150, 2**17))
    narrow, wide_model = (
        stream(estimator(loss, lr=0.1), X, y),
        stream(estimator(loss, lr=0.1), wide, y),
    )
    for name in ("coef_", "accumulator_"):
        weights = getattr(wide_model, name)
        np.testing.assert_array_equal(weights[..., :40], getattr(narrow, name))
        assert not weights[..., 40:].any()
    np.testing.assert_array_equal(wide_model._scores(wide), narrow._scores(X))
    assert wide_model.progressive_loss_ == narrow.progressive_loss_


# --- rows of weight zero ------------------------------------------------------------------------


def with_ignored_rows(data, problem):
    """The problem with more rows of weight zero, anywhere, and where they are."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n_rows, n_more = len(problem["y"]), data.draw(st.integers(1, 20))
    more = random_rows(rng, n_more, problem["X"].shape[1], dtype=problem["X"].dtype) * 100
    weights = problem["sample_weight"]
    weights = np.ones(n_rows) if weights is None else weights
    order = rng.permutation(n_rows + n_more)
    order[order < n_rows] = np.arange(n_rows)  # the others stay in their order
    return problem | {
        "X": sparse.vstack([problem["X"], more], format="csr")[order],
        "y": np.concatenate([problem["y"], rng.choice(problem["y"], n_more)])[order],
        "sample_weight": np.concatenate([weights, np.zeros(n_more)])[order],
    }


@every_loss
@some
@given(data=st.data())
def test_rows_of_weight_zero_do_nothing(estimator, loss, data):
    problem = data.draw(problems([(estimator, loss)]))
    padded = with_ignored_rows(data, problem)
    plain = learn(problem)
    parts = cut(data, len(padded["y"]))
    assert bits(learn(padded, parts)) == bits(plain)
    assert learn(padded, parts).t_ == plain.t_
    epochs = {"max_iter": 3, "shuffle": False, "tol": None}
    fitted, wanted = fit(padded, **epochs), fit(problem, **epochs)
    assert bits(fitted) == bits(wanted)
    assert fitted.loss_curve_ == wanted.loss_curve_


@every_estimator
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_chunk_of_weight_zero_does_nothing(estimator, first):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng), np.arange(50) % 2
    plain, other = estimator(lr=0.1), estimator(lr=0.1)
    if not first:
        stream(plain, X, y)
        stream(other, X, y)
    stream(other, X, y, sample_weight=np.zeros(50))
    assert other.t_ == (0 if first else 50)
    assert np.isnan(other.progressive_loss_) == first
    assert bits(stream(other, X, y)) == bits(stream(plain, X, y))


# --- reading ------------------------------------------------------------------------------------


def read_everything(model, X, y):
    """Use all that promises not to change the model."""
    for method in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        if hasattr(model, method):
            getattr(model, method)(X)
    model.score(X, y)
    model.uncertainty(X)
    repr(model), model.get_params(), clone(model)
    pickle.dumps(model), copy.deepcopy(model), joblib.dump(model, io.BytesIO())
    for name in ("coef_", "intercept_", "accumulator_"):
        assert not getattr(model, name).flags.writeable  # a copy: it would have no effect
    assert model.t_ >= 0
    assert model.n_live_features_ <= model.n_features_in_
    assert model.progressive_loss_ == model.progressive_loss_


@every_loss
@some
@given(data=st.data())
def test_reading_changes_nothing(estimator, loss, data):
    problem = data.draw(problems([(estimator, loss)]))
    problem["sample_weight"] = None
    model = learn(problem)
    before = all_bits(model)
    read_everything(model, problem["X"], problem["y"])
    if data.draw(st.integers(0, 9)) == 0:  # it takes longer than all the rest
        model._repr_html_()
    assert all_bits(model) == before
    assert np.isfinite(model.coef_).all()


# --- interruption -------------------------------------------------------------------------------


def through_joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def through_a_dict(model):
    """As a meta-estimator might: parameters by clone, the rest by hand."""
    other = clone(model)
    vars(other).update(copy.deepcopy(vars(model)))
    return other


def through_a_file(model):
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model")
        return load(f"{folder}/model")


INTERRUPTIONS = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "pickle protocol 2": lambda model: pickle.loads(pickle.dumps(model, protocol=2)),
    "deepcopy": copy.deepcopy,
    "joblib": through_joblib,
    "dict": through_a_dict,
    "file": through_a_file,
}


@pytest.mark.parametrize("interrupted", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_resumed_equals_uninterrupted(interrupted, data):
    problem = data.draw(problems())
    first, *rest = cut(data, len(problem["y"]))
    begun = learn(problem, [first])
    resumed = interrupted(begun)
    before = bits(begun)
    for part in rest:
        weights = problem["sample_weight"]
        weights = None if weights is None else weights[part]
        resumed = interrupted(resumed)
        resumed.partial_fit(problem["X"][part], problem["y"][part], sample_weight=weights)
    assert bits(resumed) == bits(learn(problem))
    assert bits(begun) == before  # a copy, whose records are its own


MAPPED = """
import sys
import joblib, numpy as np
from common import AdagradClassifier, bits, random_rows, stream
path = sys.argv[1]
X, y = random_rows(np.random.default_rng(0)), np.arange(50) % 2
whole = stream(AdagradClassifier(lr=0.1), X, y, [slice(0, 20), slice(20, 50)])
begun = stream(AdagradClassifier(lr=0.1), X, y, [slice(0, 20)])
joblib.dump(begun, path)
for mode in ("r", "c", "r+"):
    resumed = joblib.load(path, mmap_mode=mode)
    assert isinstance(resumed._state.tables["weights"], np.memmap)
    np.testing.assert_array_equal(resumed.predict_proba(X), begun.predict_proba(X))
    resumed.partial_fit(X[20:], y[20:])
    assert bits(resumed) == bits(whole)
"""


def test_model_in_mapped_memory_goes_on_learning(tmp_path):
    """Kernels write where they are told; in read-only memory that would end the process."""
    run_python("-c", MAPPED, tmp_path / "model.joblib")


@every_loss
@some
@given(data=st.data())
def test_warm_start_continues(estimator, loss, data):
    """With weights, accumulators and clock: two fits of one epoch are one of two epochs."""
    problem = data.draw(problems([(estimator, loss)]))
    twice = fit(problem, warm_start=True, **EPOCH)
    twice.fit(problem["X"], problem["y"], sample_weight=problem["sample_weight"])
    once = fit(problem, **EPOCH | {"max_iter": 2})
    assert bits(twice) == bits(once)
    assert twice.loss_curve_ == once.loss_curve_[1:]


def test_warm_start_copies_and_cold_start_forgets():
    rng = np.random.default_rng(0)
    X, y = random_rows(rng), np.arange(50) % 2
    model = AdagradClassifier(lr=0.1, max_iter=2, tol=None, random_state=0).fit(X, y)
    once = bits(model)
    assert bits(model.fit(X, y)) == once
    state = model._state
    assert bits(model.set_params(warm_start=True).fit(X, y)) != once
    assert state.totals["t"] == 100  # who held the old state still has it


# --- chance -------------------------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("early_stopping", [False, True])
def test_random_state_decides_everything(estimator, early_stopping):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, 200), np.arange(200) % 2

    def trained(random_state, shuffle=True):
        model = estimator(
            lr=0.1, max_iter=3, tol=None, shuffle=shuffle, early_stopping=early_stopping
        )
        return bits(model.set_params(random_state=random_state).fit(X, y))

    assert trained(0) == trained(0) == trained(0)
    assert trained(np.random.RandomState(0)) == trained(np.random.RandomState(0))
    assert trained(0) != trained(1)
    assert trained(0) != trained(0, shuffle=False)
    assert (trained(0, shuffle=False) == trained(1, shuffle=False)) == (not early_stopping)
    generator = np.random.RandomState(0)
    assert trained(generator) != trained(generator)


@every_loss
def test_partial_fit_never_shuffles(estimator, loss):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng), random_targets(rng, estimator, loss, 50)
    begin = first_call(estimator)
    one, other = (
        estimator(loss, lr=0.1, shuffle=shuffle, random_state=seed).partial_fit(X, y, **begin)
        for shuffle, seed in ((True, 0), (False, 1))
    )
    assert bits(one) == bits(other)
    backwards = estimator(loss, lr=0.1).partial_fit(X[::-1], y[::-1], **begin)
    assert bits(backwards) != bits(one)
