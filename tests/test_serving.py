"""A predictor gives what its estimator gives for a matrix of one row, to the last bit."""

import gc
import pickle
import signal
import sys
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
from common import (
    AdagradClassifier,
    AdagradRegressor,
    bits,
    every_loss,
    random_rows,
    random_targets,
    run_python,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from numba.core import event
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline

from sklearn_adagrad import FieldHasher, rules
from sklearn_adagrad.estimators.calls import ALL, NOTHING
from sklearn_adagrad.fields import Log, Quantiles, Words
from sklearn_adagrad.serving import Predictor

FEATURES = 50
METHODS = ("decision_function", "predict", "predict_proba")


def copied(model):
    return pickle.loads(pickle.dumps(model))


def as_row(X, i):
    """Row ``i`` of a CSR matrix as a predictor takes it."""
    return X.indices[X.indptr[i] : X.indptr[i + 1]], X.data[X.indptr[i] : X.indptr[i + 1]]


def as_matrix(row, n_features=FEATURES):
    indices, values = (np.array(each) for each in row)
    shape = 1, n_features
    return sparse.csr_array((values, indices.astype(np.int64), [0, len(indices)]), shape=shape)


def assert_same_bits(one, other):
    one, other = np.asarray(one), np.asarray(other)
    assert one.shape == other.shape
    assert one.dtype == other.dtype or one.dtype.kind == other.dtype.kind
    assert one.tobytes() == other.astype(one.dtype).tobytes()


def refusal_of(call):
    """What is wrong by ``call``, or None."""
    try:
        call()
    except ValueError as error:
        return str(error)


def assert_predicts(predictor, model, row, X):
    for name in METHODS:
        if hasattr(model, name):
            assert_same_bits(getattr(predictor, name)(row), getattr(model, name)(X)[0])
        else:
            with pytest.raises(AttributeError):
                getattr(predictor, name)(row)


def assert_goes_along(model, X, y, weights=None, rows=None):
    """A predictor of ``model`` and a copy of it learn and predict the same rows."""
    other, predictor = copied(model), Predictor(model)
    for i in range(X.shape[0]):
        row = as_row(X, i) if rows is None else rows[i]
        weight = 1.0 if weights is None else weights[i]
        assert_predicts(predictor, other, row, X[[i]])
        assert predictor.partial_fit(row, y[i], weight) is predictor
        other.partial_fit(X[[i]], y[i : i + 1], sample_weight=[weight])
    assert bits(model) == bits(other)
    assert vars(model).keys() == vars(other).keys()
    return model


def first_of(estimator, X, y, **parameters):
    """A model that has learnt the first rows."""
    model = estimator(**{"lr": 0.1} | parameters)
    classes = {}
    if isinstance(model, AdagradClassifier) and np.ndim(y) == 1:
        classes = {"classes": np.unique(y)}
    return model.partial_fit(X[:5], y[:5], **classes)


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_loss(estimator, loss, dtype):
    rng = np.random.default_rng(0)
    X = random_rows(rng, 40, FEATURES, 0.2, dtype)
    y = random_targets(rng, estimator, loss, 40)
    assert_goes_along(first_of(estimator, X, y, loss=loss), X, y, rng.integers(0, 3, 40) / 2)


RULES = {
    "dual averaging": "dual_averaging",
    "ftrl": rules.FTRL(beta=0.5),
    "clipped": rules.Clipped(rules.Adagrad(eps_inside=True), norm=0.5),
    "momentum": rules.Momentum(rules.Adagrad(), momentum=0.9),
    "rates": rules.Multiplied(rules.Adagrad(), lr=np.linspace(0.5, 2, FEATURES)),
}


@pytest.mark.parametrize(
    ("rule", "n_classes"), list(zip(RULES.values(), [2, 2, 4, 2, 4], strict=True)), ids=list(RULES)
)
def test_rules(rule, n_classes):
    rng = np.random.default_rng(1)
    X, y = random_rows(rng, 40, FEATURES, 0.2, "float32"), rng.integers(0, n_classes, 40)
    assert_goes_along(
        first_of(AdagradClassifier, X, np.r_[np.arange(5) % n_classes, y], rule=rule), X, y
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"alpha": 1e-2, "l1_ratio": 0.5},
        {"alpha": np.linspace(0, 1e-2, FEATURES)},
        {"lr_decay": 0.1, "fit_intercept": False},
        {"class_weight": "balanced"},
        {"class_weight": {0: 0.5, 1: 2.0}},
    ],
    ids=str,
)
def test_parameters(parameters):
    rng = np.random.default_rng(2)
    X, y = random_rows(rng, 40, FEATURES, 0.2, "float32"), rng.integers(0, 2, 40)
    y[:2] = 0, 1
    assert_goes_along(first_of(AdagradClassifier, X, y, **parameters), X, y)


@pytest.mark.parametrize("outputs", ["classes", "multinomial", "labels", "targets", "column"])
def test_several_outputs(outputs):
    rng = np.random.default_rng(3)
    X = random_rows(rng, 40, FEATURES, 0.2, "float64")
    estimator, parameters = AdagradClassifier, {}
    if outputs in ("classes", "multinomial"):
        y = np.array(["a", "b", "c"])[np.arange(40) % 3]
        parameters = {"multi_class": "multinomial"} if outputs == "multinomial" else {}
    elif outputs == "labels":
        y = rng.integers(0, 2, (40, 3))
    else:
        estimator, y = AdagradRegressor, rng.normal(size=(40, 1 if outputs == "column" else 3))
    assert_goes_along(first_of(estimator, X, y, **parameters), X, y)


class Own(NamedTuple):
    scale: float = 2.0

    def value(self, y, score):
        return self.scale * max(0.0, 1.0 - y * score)

    def gradient(self, y, score):
        return -y * self.scale if y * score < 1.0 else 0.0

    def probability(self, score):
        return np.where(score > 0, 0.75, 0.25)


def test_a_loss_of_one_s_own():
    rng = np.random.default_rng(4)
    X, y = random_rows(rng, 30, FEATURES, 0.2, "float32"), np.arange(30) % 2
    assert_goes_along(first_of(AdagradClassifier, X, y, loss=Own()), X, y)


# --- rows of indices ----------------------------------------------------------------------------

VALUES = st.one_of(
    st.floats(-100, 100), st.sampled_from([0.0, -0.0, 1e-310, 1e-42, 1e39, np.inf, np.nan])
)


@st.composite
def rows_of_indices(draw):
    n = draw(st.integers(0, 20))
    indices = draw(st.lists(st.integers(-2, FEATURES + 1), min_size=n, max_size=n))
    return indices, draw(st.lists(VALUES, min_size=n, max_size=n))


@settings(max_examples=60, deadline=None)
@given(
    row=rows_of_indices(),
    dtype=st.sampled_from(["float32", "float64"]),
    as_arrays=st.sampled_from([None, (np.int32, np.float32), (np.int64, np.float64)]),
)
def test_rows_of_indices(row, dtype, as_arrays):
    """Unsorted, with duplicates and zeros; what is not valid is refused, and nothing is learnt."""
    rng = np.random.default_rng(5)
    X, y = random_rows(rng, 10, FEATURES, 0.3, dtype), np.arange(10) % 2
    model = first_of(AdagradClassifier, X, y)
    if as_arrays:
        with np.errstate(over="ignore"):
            row = tuple(np.array(*each) for each in zip(row, as_arrays, strict=True))
    other, predictor = copied(model), Predictor(model)
    predictor.partial_fit(as_row(X, 5), 1)
    other.partial_fit(X[[5]], [1])
    refusal = refusal_of(lambda: other.partial_fit(as_matrix(row), [0]))
    if refusal:
        before = bits(model)
        assert refusal_of(lambda: predictor.partial_fit(row, 0)) == refusal
        assert refusal_of(lambda: predictor.predict(row))
        assert bits(model) == before
        return
    predictor.partial_fit(row, 0)
    assert bits(model) == bits(other)
    assert_predicts(predictor, other, row, as_matrix(row))


def test_forms_of_rows():
    rng = np.random.default_rng(6)
    X, y = random_rows(rng, 10, FEATURES, 0.3, "float32"), np.arange(10) % 2
    predictor = Predictor(first_of(AdagradClassifier, X, y))
    indices = np.array([3, 7, 20])
    expected = predictor.decision_function((indices, np.ones(3)))
    wide = np.zeros(6, np.int32)
    wide[::2] = indices
    frozen = indices.copy()
    frozen.flags.writeable = False
    for row in (
        [3, 7, 20], [20, 3, 7], indices, frozen, indices.astype(np.uint8), indices.astype(">i4"),
        wide[::2], ([3, 7, 20], [1, 1, 1]), (indices, np.ones(3, np.int8)), (indices, [True] * 3),
    ):  # fmt: skip
        assert predictor.decision_function(row) == expected
    assert predictor.decision_function([]) == predictor._model.intercept_[0]
    with event.install_recorder("numba:compile") as recorder:
        for row in (frozen, wide[::2], list(range(FEATURES)) * 3, (frozen, [1.0] * 3)):
            predictor.decision_function(row)
    assert not recorder.buffer


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((1, 2, 3), "tuple of 3"),
        ([0.5], "must be integers"),
        (["a"], "must be integers"),
        ([[1, 2]], "vector"),
        (([1, 2], [1.0]), "one for each"),
        (([1, 2], [1.0, 2j]), "not numbers"),
        ({"site": "a"}, "no hasher"),
        ([FEATURES], "column index 50"),
        ([-1], "column index -1"),
        (([1], [np.nan]), "NaN"),
    ],
)
def test_rows_that_are_refused(row, said):
    X, y = np.eye(10, FEATURES), np.arange(10) % 2
    predictor = Predictor(first_of(AdagradClassifier, X, y))
    before = bits(predictor._model)
    for call in (predictor.predict, lambda row: predictor.partial_fit(row, 1)):
        for _ in range(2):
            with pytest.raises(ValueError, match=said):
                call(row)
    assert bits(predictor._model) == before


@pytest.mark.parametrize(
    ("y", "weight"),
    [("c", 1.0), (None, 1.0), (np.nan, 1.0), (b"a", 1.0), ("a", -1.0), ("a", np.nan), ("a", "x"),
     ("a", 1e-310), ([1, 0], 1.0)],
)  # fmt: skip
def test_targets_that_are_refused(y, weight):
    X, names = np.eye(10, FEATURES), np.array(["a", "b"])[np.arange(10) % 2]
    predictor = Predictor(first_of(AdagradClassifier, X, names))
    predictor.partial_fit([3], "a")
    before = bits(predictor._model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, TypeError)):
            predictor.partial_fit([3], y, weight)
    assert bits(predictor._model) == before


def test_divergence_is_the_estimator_s():
    X, y = np.eye(10, FEATURES), np.ones(10)
    model = first_of(AdagradRegressor, X, y)
    predictor = Predictor(model).partial_fit([1], 2.0)
    with pytest.raises(FloatingPointError, match="row 0 is out of range") as found:
        predictor.partial_fit([1], 1e300, 1e10)
    assert not getattr(found.value, "__notes__", [])
    assert model.t_ == 6


# --- the model as it is now ---------------------------------------------------------------------


def test_what_is_set_or_fitted_meanwhile():
    rng = np.random.default_rng(7)
    X, y = random_rows(rng, 40, FEATURES, 0.2, "float32"), np.arange(40) % 2
    model = first_of(AdagradClassifier, X, y)
    other, predictor = copied(model), Predictor(model)
    changes = [{}, {"lr": 0.5}, {"alpha": 1e-3, "l1_ratio": 0.5}, {"alpha": 0.0},
               {"loss": "modified_huber", "lr_decay": 0.1}, {"fit_intercept": False}]  # fmt: skip
    for n, change in enumerate(changes):
        for each in (model, other):
            each.set_params(**change)
        for i in range(4 * n, 4 * n + 4):
            assert_predicts(predictor, other, as_row(X, i), X[[i]])
            predictor.partial_fit(as_row(X, i), y[i])
            other.partial_fit(X[[i]], y[[i]])
        model.partial_fit(X[:3], y[:3])
        other.partial_fit(X[:3], y[:3])
    assert bits(model) == bits(other)
    names = np.array(["no", "yes", "why"])[np.arange(40) % 3]
    for each in (model, other):
        each.set_params(max_iter=2, tol=None, random_state=0).fit(X[:, :20], names)
    assert_predicts(predictor, other, [3, 5], as_matrix(([3, 5], [1.0, 1.0]), 20))
    predictor.partial_fit([3, 5], "why")
    other.partial_fit(as_matrix(([3, 5], [1.0, 1.0]), 20), ["why"])
    assert bits(model) == bits(other)


def test_what_a_predictor_can_be_made_of():
    rows = [{"site": "a", "age": 3.0}] * 2
    X = FieldHasher(16).transform(rows)
    with pytest.raises(NotFittedError):
        Predictor(AdagradClassifier())
    model = AdagradClassifier(lr=0.1).partial_fit(X, [0, 1], classes=[0, 1])
    for wrong in (SGDClassifier(), make_pipeline(FieldHasher(16), SGDClassifier())):
        with pytest.raises(TypeError, match="must be an AdagradClassifier"):
            Predictor(wrong)
    with pytest.raises(TypeError, match="must be a FieldHasher"):
        Predictor(model, SGDClassifier())
    predictor = pickle.loads(pickle.dumps(Predictor(model, FieldHasher(16))))
    assert_same_bits(predictor.predict_proba(rows[0]), model.predict_proba(X)[0])


def test_threads_that_learn_and_predict():
    rng = np.random.default_rng(8)
    X, y = random_rows(rng, 50, FEATURES, 0.3, "float32"), np.arange(50) % 2
    model = first_of(AdagradClassifier, X, y)
    predictor, rows = Predictor(model), [as_row(X, i) for i in range(50)]
    barrier = threading.Barrier(4)

    def learn():
        barrier.wait(60)
        for _ in range(20):
            for row, label in zip(rows, y, strict=True):
                predictor.partial_fit(row, label)

    def read():
        barrier.wait(60)
        for _ in range(40):
            for row in rows:
                chances = predictor.predict_proba(row)
                assert chances.sum() == pytest.approx(1.0)
            model.predict(X)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(each) for each in (learn, learn, read, read)]:
            each.result(120)
    assert model.t_ == 5 + 2 * 20 * 50


@pytest.mark.parametrize("is_learnt", [False, True])
def test_an_interrupt_says_whether_the_row_was_learnt(is_learnt):
    rng = np.random.default_rng(9)
    X, y = random_rows(rng, 10, FEATURES, 0.3, "float32"), np.arange(10) % 2
    model = first_of(AdagradClassifier, X, y)
    predictor = Predictor(model).partial_fit(as_row(X, 5), 1)
    other, room = copied(model), predictor._learnt
    call = room._call

    def interrupted():
        if is_learnt:
            call()
        raise KeyboardInterrupt

    room._call = interrupted
    with pytest.raises(KeyboardInterrupt) as found:
        predictor.partial_fit(as_row(X, 6), 0)
    assert found.value.__notes__ == [ALL if is_learnt else NOTHING]
    room._call = call
    if is_learnt:
        other.partial_fit(X[[6]], [0])
    assert_predicts(predictor, other, as_row(X, 7), X[[7]])
    predictor.partial_fit(as_row(X, 7), 1)
    other.partial_fit(X[[7]], [1])
    assert bits(model) == bits(other)


SERVE = """
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    from sklearn_adagrad import AdagradClassifier, FieldHasher
    from sklearn_adagrad.serving import Predictor
    rows = [{"site": "a.com", "user": n, "price": n / 3, "age": 1.0} for n in range(6)]
    hasher = FieldHasher(2**12, fields={"user": "category", "price": "log"}, interactions="all")
    X = hasher.fit_transform(rows)
    for n_classes in (2,):
        y = [n % n_classes for n in range(6)]
        model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=range(n_classes))
        for hashes, given in ((hasher, rows), (None, [[1, 5]] * 6)):
            predictor = Predictor(model, hashes)
            for row, label in zip(given, y):
                predictor.partial_fit(row, label).predict_proba(row)
print(len(recorder.buffer) // 2)
"""


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
def test_second_process_compiles_nothing(tmp_path):
    first, second = (int(run_python("-c", SERVE, NUMBA_CACHE_DIR=str(tmp_path))) for _ in range(2))
    assert first > 0
    assert second == 0


# --- rows of fields -----------------------------------------------------------------------------

SPELT = st.text(max_size=12) | st.sampled_from(["a.com", "\0", "a\0b", "x" * 5000, "1", "é"])
NUMBER = (
    st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**70), 2**70) | st.booleans()
)
FIELDS = {
    "site": SPELT | st.none(),
    "user": st.integers(-(2**64), 2**64) | st.booleans() | SPELT | st.none(),
    "price": NUMBER | st.none(),
    "size": NUMBER | st.none(),
    "age": NUMBER | st.none(),
    "free": NUMBER | SPELT | st.none(),
    "text": st.text(alphabet="ab c", max_size=12) | st.none(),
}
SAMPLE = [
    {
        "site": "a.com",
        "user": n,
        "price": n / 3,
        "size": 2.0 * n,
        "age": n,
        "free": 1.0,
        "text": "a b",
    }
    for n in range(40)
]
KINDS = {"user": "category", "price": Log(1.7), "size": Quantiles(5), "text": "category"}


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.fixed_dictionaries(FIELDS), min_size=1, max_size=4),
    missing=st.sampled_from(["bucket", "ignore"]),
    interactions=st.sampled_from([(), [("site", "user"), ("age", "free", "text")], "all"]),
    words=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
    n_features=st.sampled_from([7, 2**20]),
    as_list=st.booleans(),
)
def test_rows_of_fields(rows, missing, interactions, words, dtype, n_features, as_list):
    """As a table of one row."""
    fields = KINDS | ({"text": Words(1, 2)} if words else {})
    hasher = FieldHasher(
        n_features, fields=fields, missing=missing, interactions=interactions, dtype=dtype
    ).fit(SAMPLE)
    y = np.arange(len(SAMPLE)) % 2
    model = AdagradClassifier(lr=0.1).partial_fit(hasher.transform(SAMPLE), y, classes=[0, 1])
    predictor = Predictor(make_pipeline(hasher, model))
    assert predictor.fields == tuple(FIELDS)
    for row in (SAMPLE[1], *rows, *rows, dict(reversed(rows[0].items()))):
        given = [row[name] for name in FIELDS] if as_list else row
        given_order = {name: row[name] for name in FIELDS} if as_list else row
        table = {name: [value] for name, value in given_order.items()}
        refusal = refusal_of(lambda: hasher.transform(table))  # noqa: B023
        if refusal:
            assert refusal_of(lambda: predictor.predict_proba(given)) == refusal  # noqa: B023
            continue
        X = hasher.transform(table)
        assert_same_bits(predictor.decision_function(given), model.decision_function(X)[0])
        alone = hasher.transform(row) if not as_list else X
        if not as_list:
            for name in ("indptr", "indices", "data"):
                assert_same_bits(getattr(alone, name), getattr(X, name))


def test_learning_rows_of_fields():
    hasher = FieldHasher(2**12, fields=KINDS, dtype=np.float32).fit(SAMPLE)
    model = AdagradClassifier(lr=0.1).partial_fit(
        hasher.transform(SAMPLE), np.arange(40) % 2, [0, 1]
    )
    other, predictor = copied(model), Predictor(model, hasher)
    for n, row in enumerate(SAMPLE):
        predictor.partial_fit(row, n % 2)
        other.partial_fit(hasher.transform([row]), [n % 2])
    assert bits(model) == bits(other)


def test_a_hasher_that_changes():
    hasher = FieldHasher(2**12, dtype=np.float32)
    row = {"site": "a", "age": 2.0}
    model = AdagradClassifier(lr=0.1).partial_fit(hasher.transform([row] * 2), [0, 1], [0, 1])
    predictor = Predictor(model, hasher)
    for change in (
        {},
        {"fields": {"age": "log"}},
        {"alternate_sign": False},
        {"missing": "ignore"},
    ):
        hasher.set_params(**change)
        for each in (row, row | {"site": None}, row | {"more": 3.0}):
            expected = model.decision_function(clone(hasher).transform([each]))[0]
            assert predictor.decision_function(each) == expected
    hasher.set_params(n_features=8)
    with pytest.raises(ValueError, match="8 features"):
        predictor.predict(row)
    with pytest.raises(ValueError, match="hasher was fitted"):
        predictor.predict(["a", 2.0])


def test_rows_of_texts_in_two_threads():
    """What is found while a text is hashed belongs to the thread that hashes it."""
    hasher = FieldHasher(2**18)
    first, second = ({f"f{n}": each for n in range(40)} for each in "ab")
    model = AdagradRegressor(lr=0.1).partial_fit(hasher.transform([first, second]), [1.0, -1.0])
    predictor, stop = Predictor(model, hasher), threading.Event()
    predictor.predict(first)
    wanted = predictor.predict(first)

    def disturb():
        while not stop.is_set():
            predictor.predict(second)

    thread = threading.Thread(target=disturb)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        assert {predictor.predict(first) for _ in range(30_000)} == {wanted}
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_two_threads_have_buffers_of_their_own():
    hasher = FieldHasher(2**10)
    model = AdagradRegressor(lr=0.1).partial_fit(hasher.transform([{"a": "u"}]), [1.0])
    predictor = Predictor(model, hasher)
    predictor.predict({"a": "u"})
    predictor.predict({"a": "u"})
    form = predictor._form
    calls = [
        next(iter(form.plan.calls((form.texts, None), ([], None, None), ([], None), None)))
        for _ in range(2)
    ]
    (_, first), (_, second) = calls
    assert not np.shares_memory(first[2].hashes, second[2].hashes)


def test_order_of_the_fields_of_a_dict():
    """Numbers that share a column are summed in the order in which they are given."""
    hasher = FieldHasher(1, alternate_sign=False)
    rows = [{"a": 0.1, "b": 0.2, "c": 0.3}, {"c": 1e16, "b": -1e16, "a": 1.0}]
    model = AdagradRegressor(lr=0.1).partial_fit(hasher.transform(rows[:1]), [1.0])
    predictor = Predictor(model, hasher)
    for row in rows * 3:
        assert predictor.predict(row) == model.predict(hasher.transform(row))[0]


def test_share_of_negatives_that_is_set_later():
    model = AdagradClassifier("hinge", lr=0.1).partial_fit(np.eye(2), [0, 1], classes=[0, 1])
    predictor = Predictor(model).partial_fit([1], 1)
    model.set_params(negatives_kept=0.5)
    for call in (lambda: predictor.partial_fit([1], 1), lambda: predictor.predict([1])):
        with pytest.raises(ValueError, match=r"negatives_kept=0\.5 needs loss='log_loss'"):
            call()
    model = AdagradClassifier(lr=0.1).partial_fit(np.eye(2), [0, 1], classes=[0, 1])
    predictor = Predictor(model)
    for wrong in (0, -1, 2.0, "x", None):
        model.set_params(negatives_kept=wrong)
        for call in (lambda: predictor.predict([1]), lambda: model.predict(np.eye(2))):
            with pytest.raises(ValueError, match="must be a number in"):
                call()


def test_old_models_are_not_kept():
    model = AdagradRegressor(lr=0.1, max_iter=1, tol=None).fit(np.eye(2), [0.0, 1.0])
    predictor = Predictor(model)
    threads = [threading.Thread(target=predictor.predict, args=([1],)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    old = weakref.ref(model._state.guard)
    model.fit(np.eye(2), [1.0, 0.0])
    predictor.predict([1])
    gc.collect()
    assert old() is None


def test_signal_handler_that_learns_too():
    """The row that it interrupts is learnt all the same."""
    model = AdagradRegressor(lr=0.1).partial_fit(np.eye(3), [0.0, 0.0, 0.0])
    predictor, learnt = Predictor(model), 0

    def handler(*_):
        predictor.partial_fit([2], 0.0)

    predictor.partial_fit([0], 1.0)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for n in range(2000):
            if n % 10 == 0:
                signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + n % 70))
            predictor.partial_fit([0], 1.0)
            learnt += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert learnt == 2000
    assert model.t_ > 2004
    plain = AdagradRegressor(lr=0.1).partial_fit(np.eye(3), [0.0, 0.0, 0.0])
    for _ in range(2001):
        plain.partial_fit(np.eye(3)[:1], [1.0])
    assert model.predict(np.eye(3))[0] == pytest.approx(plain.predict(np.eye(3))[0], abs=0.1)


def test_index_that_is_no_int64():
    model = AdagradRegressor(lr=0.1).partial_fit(np.eye(2), [0.0, 1.0])
    with pytest.raises(ValueError, match="Index 18446744073709551615 of row is out of range"):
        Predictor(model).predict(np.array([2**64 - 1], np.uint64))
