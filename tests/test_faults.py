"""Situations in which users of such libraries were let down; each has its right value here."""

import pickle
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import skops.io
from common import all_bits, bits, every_estimator, small_data, stream
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.model_selection import StratifiedShuffleSplit

from sklearn_adagrad import (
    AdagradClassifier,
    AdagradClassifierCV,
    AdagradRegressor,
    AdagradRegressorCV,
    losses,
    optim,
    rules,
)
from sklearn_adagrad.estimators import saving
from sklearn_adagrad.saving import TRUSTED_TYPES

X = np.random.default_rng(0).normal(size=(200, 5))
Y = (X[:, 0] > 0).astype(int)


# --- broken input in a search, and in y ---------------------------------------------------------


def broken(form):
    eye = np.eye(20)
    if form == "coo":
        matrix = sparse.coo_array(eye)
        matrix.coords[0][5] = 10**9
    elif form == "dia":
        matrix = sparse.dia_array(eye)
        matrix.data = np.ones((0, 20))
    elif form == "lil":
        matrix = sparse.lil_array(eye)
        matrix.data[1] = [1.0] * 1000
    elif form == "dok":
        matrix = sparse.dok_array(eye)
        matrix._dict[(3, 10**9)] = 1.0
    elif form == "bsr":
        matrix = sparse.bsr_array(eye, blocksize=(2, 2))
        matrix.indices[3] = 10**9
    else:
        matrix = sparse.csc_array(eye)
        matrix.indices[5] = 10**9
    return matrix


@pytest.mark.parametrize("form", ["coo", "dia", "lil", "dok", "bsr", "csc"])
@pytest.mark.parametrize(
    "model",
    [AdagradClassifier(lr=0.1), AdagradClassifierCV(cv=2), AdagradRegressorCV(cv=2)],
    ids=lambda model: type(model).__name__,
)
def test_no_converter_sees_a_broken_matrix(form, model):
    y = np.arange(20) % 2
    model = clone(model).set_params(max_iter=1)
    for call in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="Rebuild X"):
            call(broken(form), y)
    trained = stream(AdagradClassifier(lr=0.1), np.eye(20), y)
    with pytest.raises(ValueError, match="Rebuild X"):
        trained.predict(broken(form))


def test_broken_targets():
    for model in (AdagradRegressor(lr=0.1), AdagradRegressorCV(cv=2)):
        with pytest.raises(ValueError, match="row index 1000000000"):
            model.fit(np.eye(20), broken("csc"))


@pytest.mark.parametrize("model", [AdagradClassifier(lr=0.1), AdagradClassifierCV(cv=2)])
def test_masked_arrays(model):
    masked = np.ma.masked_array(np.where(X > 1.5, 1e6, X), mask=X > 1.5)
    with pytest.raises(ValueError, match=r"masked in row 8.*filled"):
        model.fit(masked, Y)
    nothing = np.ma.masked_array(X, mask=False)
    assert bits(stream(AdagradClassifier(lr=0.1), nothing, Y)) == bits(
        stream(AdagradClassifier(lr=0.1), X, Y)
    )


def test_a_row_out_of_range_in_the_stream_of_a_search():
    narrow = X.astype(np.float32)
    bad, label = narrow[:1].copy(), 1 - Y[:1]
    bad[0, 1] = 1e30
    search = AdagradClassifierCV(lr=[0.001, 0.1]).partial_fit(narrow[:100], Y[:100], classes=[0, 1])
    before = search.best_score_, bits(search._team.estimator)
    with pytest.raises(FloatingPointError, match=r"row 0.*1e\+30"):
        search.partial_fit(bad, label)
    assert (search.best_score_, bits(search._team.estimator)) == before
    search.partial_fit(narrow[100:], Y[100:])
    assert np.isfinite(search.cv_results_["progressive_loss"]).all()
    assert search._team.estimator.t_ == 200


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["adagrad", "ftrl", "dual_averaging"])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_float32_sees_steps_below_its_last_digit(rule, n_outputs):
    """A thousandth of it each, as of a frequent feature in a long stream."""
    model = AdagradRegressor(
        "absolute_error", lr=1e4, rule=rule, initial_accumulator_value=1e14, fit_intercept=False
    )
    rows = np.ones((100_000, 1), np.float32)
    targets = np.full((100_000, n_outputs), 1e9)
    targets = targets[:, 0] if n_outputs == 1 else targets
    model.partial_fit(rows[:8000], targets[:8000])
    before = np.ravel(model.coef_).astype(float)
    model.partial_fit(rows, targets, sample_weight=1e-5)
    np.testing.assert_allclose(before, 8.0, rtol=1e-4)
    np.testing.assert_allclose(np.ravel(model.coef_) - before, 1e-3, rtol=0.15)


def test_noise_is_that_of_the_row_alone():
    """However the stream is cut, with weights of zero in between."""
    narrow = X.astype(np.float32)
    whole = stream(AdagradClassifier(lr=0.1, alpha=1e-3), narrow, Y)
    cut = stream(AdagradClassifier(lr=0.1, alpha=1e-3), narrow, Y, [slice(0, 1), slice(1, 200)])
    assert bits(cut) == bits(whole)


def test_penalties_leave_exact_zeros_in_float32():
    model = AdagradClassifier(lr=0.1, alpha=0.5, l1_ratio=1.0).partial_fit(
        X.astype("f"), Y, classes=[0, 1]
    )
    assert 0 < np.count_nonzero(model.coef_) < 5


@pytest.mark.parametrize(
    "parameters",
    [{"alpha": 1e-9}, {"alpha": 1e-9, "l1_ratio": 0.5, "lr_decay": 1e-9},
     {"rule": rules.Momentum("adagrad", 0.9)}],
    ids=["l2", "decaying", "momentum"],
)  # fmt: skip
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_feature_that_is_absent_for_more_rows_than_32_bits_count(parameters, n_outputs):
    rows, y = np.eye(4), np.repeat(np.arange(1.0, 5.0)[:, np.newaxis], n_outputs, axis=1)
    y = y[:, 0] if n_outputs == 1 else y
    found = []
    for dtype in (np.float64, np.float32):
        model = AdagradRegressor(lr=0.1, **parameters).partial_fit(rows.astype(dtype), y)
        for billions in range(1, 5):  # half of them each
            model._state.totals["t"] = billions * 2**31 - 2
            model.partial_fit(rows[:1].astype(dtype).repeat(4, axis=0), y[:1].repeat(4, axis=0))
        found.append(model.coef_)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3)


def test_norms_whose_squares_overflow():
    """The gradient of a row of 1e200 with a weight of 1e-150 is shortened to 1, not to 0."""
    model = AdagradRegressor(lr=0.1, rule=rules.Clipped("adagrad", norm=1.0), fit_intercept=False)
    model.partial_fit(np.full((1, 2), 1e200), [1.0], sample_weight=[1e-150])
    np.testing.assert_allclose(model.accumulator_, 0.5)
    weights = np.zeros(2)
    optim.Optimizer(rule=rules.Clipped("adagrad", norm=1.0)).step(weights, np.full(2, 1e200))
    assert weights.all()


@pytest.mark.parametrize(
    ("parameters", "dtype", "message"),
    [
        ({"rule": rules.WeightDecay(rules.Adagrad(), 30.0, True)}, "d", r"decoupled.* 3 times"),
        ({"rule": "ftrl", "lr": 1e-38}, "f", r"lr=1e-38 .*FTRL"),
        ({"rule": "ftrl", "lr": 1e-300}, "d", r"lr=1e-300 .*FTRL"),
    ],
)
def test_settings_that_lead_to_no_number(parameters, dtype, message):
    with pytest.raises(ValueError, match=message):
        AdagradClassifier(**{"lr": 0.1} | parameters).fit(X.astype(dtype), Y)
    model = AdagradClassifier(**parameters | {"lr": 1e-3}).fit(X.astype(dtype), Y)
    before = model.coef_
    with pytest.raises(ValueError, match=message.replace(" 3 ", " ")):
        model.set_params(**{"lr": 0.1} | parameters).partial_fit(X.astype(dtype), Y)
    np.testing.assert_array_equal(model.coef_, before)


@pytest.mark.parametrize("change", [{"lr": 0.02}, {"eps": 0.5}, {"alpha": 0.01}, {"l1_ratio": 0.1}])
def test_dual_averaging_does_not_act_backwards(change):
    settings = {"lr": 0.2, "alpha": 1e-3, "l1_ratio": 0.7}
    model = AdagradRegressor(rule="dual_averaging", **settings).partial_fit(X, X[:, 0])
    before = model.coef_, model.intercept_
    assert 0 < np.count_nonzero(before[0]) < 5
    model.set_params(**change).partial_fit(X[:1], [1.0], sample_weight=[0.0])
    np.testing.assert_allclose(model.coef_, before[0], rtol=1e-12)
    np.testing.assert_allclose(model.intercept_, before[1], rtol=1e-12)


def test_predictions_beyond_the_largest_float():
    narrow = AdagradClassifier(lr=0.1).fit(X.astype(np.float32), Y)
    far = np.full((2, 5), 3e38, np.float32)
    right = far.astype(float) @ narrow.coef_[0].astype(float) + narrow.intercept_[0]
    np.testing.assert_allclose(narrow.decision_function(far), right, rtol=1e-6)
    assert np.isfinite(narrow.predict_proba(far)).all()
    wide = AdagradClassifier(lr=0.1).fit(X, Y)
    with pytest.raises(FloatingPointError, match=r"row 1 .*float64.*1e\+308"):
        wide.predict(np.vstack([X[:1], np.full((1, 5), 1e308) * np.sign(wide.coef_)]))


@pytest.mark.parametrize(
    ("weight", "message"),
    [(1e-310, r"sample_weight\[0\] = 1e-310"), (1e307, r"sum of sample_weight.*1e\+307")],
)
def test_weights_that_are_no_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        AdagradClassifier("hinge", lr=0.1).fit(X, Y, sample_weight=np.full(200, weight))


def test_losses_and_rules_of_different_classes_are_unequal():
    objects = [losses.Hinge(), losses.LogLoss(), losses.Huber(), losses.EpsilonInsensitive()]
    objects += [rules.Adagrad(), rules.DualAveraging(), rules.Warmup(0.5), rules.InverseScaling()]
    objects += [rules.Averaged(rules.Adagrad(False)), rules.Momentum(rules.Adagrad(False), 1.0)]
    assert len(set(objects)) == len(objects)
    assert all((a == b) is (a is b) for a in objects for b in objects)
    assert losses.Huber() == losses.Huber()
    assert rules.Averaged("adagrad") != rules.Averaged("ftrl")


# --- the optimizer ------------------------------------------------------------------------------


def test_a_weight_without_gradients_stays_although_lr_over_eps_overflows():
    weights = np.ones(3, np.float32)
    optim.pytorch(lr=1e3, eps=1e-36).step(weights, np.zeros(3, np.float32))
    assert (weights == 1).all()


@pytest.mark.parametrize("name", ["lr", "alpha", "multiples"])
def test_settings_changed_in_place(name):
    def given(setting):
        multiples = name == "multiples"
        return {"rule": rules.Multiplied("adagrad", setting)} if multiples else {name: setting}

    setting = np.array(0.1) if name == "lr" else np.full(3, 0.1)
    one, other = optim.Optimizer(**given(setting)), optim.Optimizer(**given(setting.copy()))
    weights = np.ones((2, 3))
    one.step(weights[0], np.ones(3))
    other.step(weights[1], np.ones(3))
    setting *= 2.0
    other.groups[0].update(given(setting.copy()))
    before = weights[0].copy()
    one.step(weights[0], np.ones(3))
    other.step(weights[1], np.ones(3))
    np.testing.assert_array_equal(*weights)
    assert (weights[0] != before).all()


@pytest.mark.parametrize(
    "change", [{"accumulator": [-1.0, 0.0]}, {"accumulator": [np.nan, 0.0]}, {"t": 2**70}]
)
def test_states_that_no_steps_lead_to(change):
    optimizer, weights = optim.Optimizer(), np.ones(2)
    optimizer.step(weights, np.ones(2))
    saved = optimizer.state_dict()
    saved["state"][0] |= change
    with pytest.raises(ValueError, match=next(iter(change))):
        optimizer.load_state_dict(saved)


@pytest.mark.parametrize("kind", [np.matrix, np.ma.MaskedArray])
def test_arrays_of_other_kinds(kind):
    plain = np.ones((2, 2))
    for arrays in ((plain.view(kind), plain), (plain, plain.view(kind))):
        with pytest.raises(TypeError, match=r"(params|grads)\[0\] is a (matrix|MaskedArray)"):
            optim.Optimizer().step(*arrays)


@pytest.mark.parametrize("place", ["indptr", "indices"])
@pytest.mark.parametrize("search", [False, True])
def test_broken_targets_reach_no_scorer(search, place):
    labels = np.stack([Y, 1 - Y, Y], axis=1)
    model = AdagradClassifierCV(lr=[0.1, 1.0], cv=2) if search else AdagradClassifier(lr=0.1)
    model.partial_fit(X, labels)
    broken = sparse.csr_array(labels)
    getattr(broken, place)[3] = 10**6
    for scoring in (None, "accuracy") if search else (None,):
        if search:
            model.set_params(scoring=scoring)
        with pytest.raises(ValueError, match=r"of y.*Rebuild y"):
            model.score(X, broken)


def test_diagonals_that_scipy_would_wrap():
    diagonals = sparse.dia_array((np.ones((1, 5)), [0]), shape=(10, 5))
    diagonals.offsets = np.array([2**40])
    with pytest.raises(ValueError, match=r"X has the diagonal 1099511627776, but its shape is"):
        AdagradRegressor(lr=0.1).fit(diagonals, np.arange(10.0))


@pytest.mark.parametrize("dtype", [np.int8, np.uint32])
def test_diagonals_in_numbers_that_scipy_cannot_add(dtype):
    diagonals = sparse.dia_array((np.ones((1, 150)), [0]), shape=(150, 5))
    diagonals.offsets = np.zeros(1, dtype)
    for X, y in ((diagonals, np.zeros(150)), (np.ones((150, 5)), diagonals)):
        with pytest.raises(ValueError, match=r"offsets is of u?int\d+, too narrow for shape"):
            AdagradRegressor(lr=0.1).fit(X, y)


def test_labels_in_nullable_columns():
    frame = pd.DataFrame(np.stack([Y, 1 - Y], axis=1)).astype("Int64")
    plain = AdagradClassifier(lr=0.1, max_iter=3, tol=None).fit(X, frame)
    search = AdagradClassifierCV(lr=[0.1, 1.0], cv=2, random_state=0).fit(X, frame)
    assert plain.score(X, frame) > 0.9
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(search.score(X, frame))


class Certain(NamedTuple):
    """A loss whose probabilities are none."""

    by: float

    def value(self, y, score):
        return 0.5 * (score - y) ** 2

    def gradient(self, y, score):
        return score - y

    def probability(self, score):
        return self.by * (2.0 + score)


@pytest.mark.parametrize("by", [np.inf, 1.0, -1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_of_a_loss_are_between_zero_and_one(by, n_classes):
    model = AdagradClassifier(Certain(by), lr=0.1).partial_fit(
        X, np.arange(len(X)) % n_classes, range(3)[:n_classes]
    )
    with pytest.raises(
        ValueError, match=r"loss=Certain\(by=.* gives row 0 the probability .* from 0 to 1"
    ):
        model.predict_proba(X)


@pytest.mark.parametrize("loss", ["poisson", "gamma", "tweedie"])
def test_exponentials_of_scores_beyond_the_largest_float(loss):
    model = AdagradRegressor(loss, lr=0.1).partial_fit(np.abs(X), np.full(len(X), 50.0))
    far = np.ones((3, X.shape[1])) * [[1.0], [1e5], [1.0]]
    assert 1e5 * model.coef_.sum() > np.log(np.finfo(float).max)
    with pytest.raises(FloatingPointError, match=r"prediction of row 1 .* its score is .*lower lr"):
        model.predict(far)
    assert np.isfinite(model.predict(far[[0, 2]])).all()


# --- what users of scikit-learn expect ----------------------------------------------------------


def test_early_stopping_without_shuffling_learns_in_the_order_of_x():
    split = StratifiedShuffleSplit(1, test_size=0.1, random_state=0)
    learnt = np.sort(next(split.split(X, Y))[0])
    same = {"lr": 0.1, "shuffle": False, "tol": None}
    model = AdagradClassifier(early_stopping=True, random_state=0, max_iter=3, **same).fit(X, Y)
    by_hand = AdagradClassifier(max_iter=model.best_n_iter_, **same).fit(X[learnt], Y[learnt])
    np.testing.assert_array_equal(model.coef_, by_hand.coef_)


def test_sorted_rows_in_a_search():
    rows, labels = load_iris(return_X_y=True)
    search = AdagradClassifierCV(random_state=0).fit(rows, labels)
    assert search.best_estimator_.score(rows, labels) > 0.9


def test_searches_have_weights_as_linear_models_have():
    search = AdagradClassifierCV(cv=2, random_state=0)
    assert SelectFromModel(search).fit(X, Y).transform(X).shape[1] < 5
    assert RFE(search, n_features_to_select=1).fit(X, Y).support_.tolist() == [True] + [False] * 4
    stream_ = AdagradRegressorCV(lr=[0.1, 1.0]).partial_fit(X, X[:, 0])
    np.testing.assert_array_equal(stream_.coef_, stream_.best_estimator_.coef_)
    np.testing.assert_array_equal(stream_.intercept_, stream_.best_estimator_.intercept_)


@every_estimator
def test_written_into_attributes(estimator):
    model = stream(estimator(lr=0.1), *small_data())
    for name in ("coef_", "intercept_", "accumulator_"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[...] = 0


IDS = np.array([1234567890123456789, 1234567890123456790])


@pytest.mark.parametrize(
    "form",
    [np.asarray, lambda y: pd.Series(y, dtype="Int64"), lambda y: y.astype(np.uint64)],
    ids=["int64", "nullable", "unsigned"],
)
def test_large_integers_as_labels(form):
    wanted = stream(AdagradClassifier(lr=0.1), X, Y)
    found = AdagradClassifier(lr=0.1).partial_fit(X, form(IDS[Y]), classes=IDS)
    np.testing.assert_array_equal(found.coef_, wanted.coef_)
    assert set(found.predict(X)) == set(IDS)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT], ids=repr)
def test_missing_labels(missing):
    y = np.where(Y, "yes", "no").astype(object)
    y[3] = missing
    for labels in (y, pd.Series(y, dtype="string")):
        with pytest.raises(ValueError, match=r"y\[3\] = .* is missing"):
            AdagradClassifier(lr=0.1).fit(X, labels)
        with pytest.raises(ValueError, match=r"y\[3\] = .* is missing"):
            AdagradClassifier(lr=0.1).partial_fit(X, labels, classes=["no", "yes"])


def test_labels_of_bytes_and_numbers_in_messages():
    with pytest.raises(ValueError, match=r"y\[0\] = b'.*decode"):
        AdagradClassifier(lr=0.1).fit(X, np.where(Y, b"yes", b"no"))
    with pytest.raises(ValueError, match=r"y\[0\] = 6 is not one"):
        AdagradClassifier(lr=0.1).partial_fit(X, np.full(200, 6), classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes\[0\] = None is missing"):
        AdagradClassifier(lr=0.1).partial_fit(X, Y, classes=[None, 1])


@pytest.mark.parametrize(
    "model", [AdagradClassifier(lr=0.1), AdagradClassifierCV(cv=2, lr=[0.1, 1.0])]
)
def test_weights_of_scores(model):
    model.fit(X, Y)
    for weight in (2.0, np.array(2.0), np.full(200, 2.0), None):
        score = model.fit(X, Y, sample_weight=weight).score(X, Y, sample_weight=weight)
        assert score == pytest.approx(model.score(X, Y))
    for method in (model.fit, model.score):
        with pytest.raises(ValueError, match="sample_weight must be numbers"):
            method(X, Y, sample_weight="abc")


def test_progressive_loss_is_of_rows_that_were_new():
    model = AdagradClassifier(lr=0.1, max_iter=20, tol=None, shuffle=False).fit(X, Y)
    assert model.progressive_loss_ == model.loss_curve_[0]
    assert model.progressive_loss_ == stream(AdagradClassifier(lr=0.1), X, Y).progressive_loss_


# --- saved models -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [AdagradClassifier(lr=0.1), AdagradClassifierCV(lr=[0.1, 1.0])])
@pytest.mark.parametrize("number", [0, 2])
def test_models_of_another_format(model, number, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(saving, "FORMAT", number)
        saved = pickle.dumps(model.partial_fit(X, Y, classes=[0, 1]))
    with pytest.raises(ValueError, match=rf"saved in format {number} .*reads format 1.*train"):
        pickle.loads(saved)


def test_pickles_name_only_what_is_public():
    """What is saved must stay where it is."""

    models = [
        AdagradClassifier(lr=0.1, alpha=1e-3),
        AdagradClassifierCV(lr=[0.1, 1.0], loss=losses.Hinge()),
    ]
    for model in models:
        saved = pickle.dumps(model.partial_fit(X, Y, classes=[0, 1]))
        for private in (b"BoundRule", b"State", b"Guard", b"Team", b"Penalised", b"Settings"):
            assert private not in saved
        again = pickle.loads(saved)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        same = [all_bits(each.partial_fit(X, Y)) for each in (model, again)]
        assert str(same[0].keys()) == str(same[1].keys())
        np.testing.assert_array_equal(again.coef_, model.coef_)


@pytest.mark.parametrize(
    "model",
    [
        AdagradClassifier(losses.Hinge(), lr=0.1, alpha=1e-3),
        AdagradRegressor(
            "huber", lr=0.1, rule=rules.Averaged(rules.Multiplied("adagrad", np.ones(5)))
        ),
        AdagradRegressor(
            lr=0.1, rule=rules.Scheduled(rules.Clipped("adagrad", 1.0), rules.Warmup(5))
        ),
        AdagradClassifierCV(lr=[0.1, 1.0], alpha=[1e-3, 1e-4]),
        AdagradRegressorCV(lr=[0.1, 1.0], rule=rules.FTRL()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_skops_loads_what_it_saved(model):
    is_classifier = isinstance(model, AdagradClassifier | AdagradClassifierCV)
    model.partial_fit(X, Y, **({"classes": [0, 1]} if is_classifier else {}))
    again = skops.io.loads(skops.io.dumps(model), trusted=TRUSTED_TYPES)
    for each in (model, again):
        each.partial_fit(X, Y)
    np.testing.assert_array_equal(again.coef_, model.coef_)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
