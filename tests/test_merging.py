"""Models of different rows become one: what adds up, what stays, how good it is, refusals."""

import copy
import itertools
import lzma
import pickle
from pathlib import Path

import numpy as np
import pytest
from common import LOSSES, all_bits, every_dtype, random_rows, random_targets
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_svmlight_file
from sklearn.exceptions import NotFittedError

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, load, merge, merging
from sklearn_adagrad.model.state import settle
from sklearn_adagrad.rules import FTRL, Adagrad, Clipped, Momentum

RULES = ("adagrad", "ftrl", "dual_averaging")
PENALTIES = {
    "none": {},
    "L1": {"alpha": 0.01, "l1_ratio": 1.0},
    "L2": {"alpha": 0.01},
    "both": {"alpha": 0.01, "l1_ratio": 0.5},
    "of each feature": {"alpha": np.linspace(0.0, 0.02, 20), "l1_ratio": 0.5},
}
KINDS = {  # what a model is made with, and how many columns its targets have; 0 is none
    "binary": (AdagradClassifier, {}, 0, 2),
    "ovr": (AdagradClassifier, {}, 0, 3),
    "multinomial": (AdagradClassifier, {"multi_class": "multinomial"}, 0, 3),
    "labels": (AdagradClassifier, {}, 3, 2),
    "numbers": (AdagradRegressor, {}, 0, None),
    "several numbers": (AdagradRegressor, {}, 3, None),
}
every_rule = pytest.mark.parametrize("rule", RULES)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
every_kind = pytest.mark.parametrize("kind", KINDS)


class Stream:
    """Rows of one kind, and models that learn slices of them."""

    def __init__(self, kind="binary", dtype=np.float64, n_rows=120, n_features=20, **parameters):
        if kind == "ovr" and parameters.get("rule") == "dual_averaging":
            kind = "multinomial"  # the other one is refused
        estimator, more, n_columns, n_classes = KINDS[kind]
        rng = np.random.default_rng(0)
        self.X = random_rows(rng, n_rows, n_features, dtype=dtype)
        shape = (n_rows, n_columns) if n_columns else n_rows
        self.y = (
            rng.normal(size=shape) if n_classes is None else rng.integers(n_classes, size=shape)
        )
        self.call = {"classes": np.arange(n_classes)} if n_classes and not n_columns else {}
        self.make = lambda: estimator(lr=0.3, **more, **parameters)

    def learnt(self, first, last, start=None):
        model = self.make() if start is None else copy.deepcopy(start)
        return model.partial_fit(self.X[first:last], self.y[first:last], **self.call)

    def parted(self, start=None):
        return [self.learnt(first, first + 30, start) for first in (30, 60, 90)]

    @property
    def rows(self):
        return {"X": self.X, "y": self.y}


def with_columns(stream, part, first, last):
    """Let these rows of a stream have the columns of ``part`` only."""
    keep = np.zeros(stream.X.shape, bool)
    keep[:] = True
    keep[first:last] = False
    keep[first:last, part] = True
    stream.X = sparse.csr_array(stream.X.toarray() * keep)


@every_kind
@every_rule
@every_dtype
@pytest.mark.parametrize("with_rows", [False, True])
def test_what_adds_up_is_that_of_all_rows(kind, rule, dtype, with_rows):
    stream = Stream(kind, dtype, rule=rule)
    start = stream.learnt(0, 30)
    models = stream.parted(start)
    model = merge(models, start=start, **(stream.rows if with_rows else {}))
    assert model.t_ == 120
    state = model._state
    assert state.totals["weight"] == 120.0
    expected = sum(each._state.losses for each in models) - 2 * start._state.losses
    np.testing.assert_allclose(state.losses, expected, rtol=1e-14)
    assert model.coef_.dtype == dtype
    assert np.isfinite(model.coef_).all()


@every_rule
def test_counts_of_classes_and_the_next_weights(rule):
    stream = Stream(rule=rule, class_weight="balanced")
    start = stream.learnt(0, 30)
    model = merge(stream.parted(start), start=start)
    assert (model._class_counts == np.bincount(stream.y)).all()
    assert model._all_counts == 120.0
    assert (merge(stream.parted())._class_counts == np.bincount(stream.y[30:])).all()


@every_kind
@every_rule
@every_penalty
@every_dtype
def test_features_of_the_first_model_alone_are_as_after_all_rows(kind, rule, penalty, dtype):
    """On one machine, the others' rows follow without them."""
    stream = Stream(kind, dtype, rule=rule, fit_intercept=False, **penalty)
    own, never = slice(0, 5), slice(15, 20)
    for rows in (slice(60, 90), slice(90, 120)):
        with_columns(stream, slice(5, 15), rows.start, rows.stop)
    with_columns(stream, slice(0, 15), 30, 60)
    start = stream.learnt(0, 30)
    alone, models = stream.learnt(30, 120, start), stream.parted(start)
    for model in (merge(models, start=start), merge(models, start=start, **stream.rows)):
        for name in ("coef_", "accumulator_"):
            found, expected = (np.atleast_2d(getattr(each, name)) for each in (model, alone))
            for columns in (own, never):
                np.testing.assert_array_equal(found[:, columns], expected[:, columns])
        if not penalty and rule == "adagrad":
            assert (
                model._state.tables["weights"][own] == models[0]._state.tables["weights"][own]
            ).all()


@every_rule
def test_features_of_a_later_model_alone_keep_its_weight(rule):
    stream = Stream(rule=rule)
    with_columns(stream, slice(0, 15), 0, 90)
    models = stream.parted()
    found = merge(models, **stream.rows)
    assert models[2].coef_[:, 15:].all()
    np.testing.assert_array_equal(found.coef_[:, 15:], models[2].coef_[:, 15:])


@every_kind
@every_rule
@every_penalty
@every_dtype
def test_features_of_two_models_have_the_penalties_of_the_third(kind, rule, penalty, dtype):
    stream = Stream(kind, dtype, rule=rule, fit_intercept=False, **penalty)
    shared = slice(0, 5)
    with_columns(stream, slice(5, 20), 90, 120)
    start = stream.learnt(0, 30)
    models = stream.parted(start)
    expected = stream.learnt(90, 120, merge(models[:2], start=start))
    found = merge(models, start=start)
    np.testing.assert_allclose(
        np.atleast_2d(found.coef_)[:, shared],
        np.atleast_2d(expected.coef_)[:, shared],
        rtol=1e-5 if dtype == np.float32 else 1e-12,
    )


@every_kind
@every_penalty
@every_dtype
@pytest.mark.parametrize("rule", ["adagrad", "ftrl"])
def test_two_equal_models_become_one_whose_penalties_go_on_as_theirs(kind, penalty, dtype, rule):
    stream = Stream(kind, dtype, rule=rule, **penalty)
    model = stream.learnt(0, 60)
    merged = merge([model, copy.deepcopy(model)])
    for each in (model, merged):
        each.partial_fit(0 * stream.X, stream.y)
    rounding = 1e-6 if dtype == np.float32 else 1e-13
    for name in ("coef_", "intercept_"):
        found, expected = getattr(merged, name), getattr(model, name)
        np.testing.assert_allclose(found, expected, rtol=10 * rounding, atol=rounding)


def test_a_model_with_another_lr_in_between_has_not_learnt_what_it_had_no_rows_of():
    """Its records were brought up to date for that, but only the other one learnt the feature."""
    X, y = np.eye(2), np.array([1, 1])
    start = AdagradClassifier(lr=0.5, alpha=0.01, fit_intercept=False)
    start.partial_fit(X, y, classes=[0, 1])
    learning = copy.deepcopy(start).partial_fit(X[:1], [0])
    other = copy.deepcopy(start).set_params(lr=0.2).partial_fit(X[1:], [1])
    other.set_params(lr=0.5).partial_fit(X[1:], [1])
    alone = copy.deepcopy(learning).partial_fit(X[[1, 1]], [1, 1])
    found = merge([learning, other], start=start)
    np.testing.assert_allclose(found.coef_[0, 0], alone.coef_[0, 0], rtol=1e-14)


def test_rows_to_choose_by_are_scored_by_the_processor():
    """Models that were learnt on a GPU are merged where there is none."""
    stream = Stream()
    models = stream.parted()
    expected = merge(models, **stream.rows)
    for model in models:
        model.set_params(device="cuda")
    found = merge(models, **stream.rows)
    assert found.device == "cuda"
    np.testing.assert_array_equal(found.coef_, expected.coef_)


@every_kind
@every_rule
@every_penalty
def test_one_model_is_itself(kind, rule, penalty):
    stream = Stream(kind, rule=rule, **penalty)
    start = stream.learnt(0, 30)
    for begun in (None, start):
        model = stream.learnt(30, 60, begun)
        merged = merge([model], start=begun, **stream.rows)
        assert all_bits(merged) == all_bits(model)


@every_kind
@every_rule
@every_penalty
def test_models_that_learnt_nothing_are_their_start(kind, rule, penalty):
    stream = Stream(kind, rule=rule, **penalty)
    start = stream.learnt(0, 30)
    copies = [copy.deepcopy(start) for _ in range(3)]
    assert all_bits(merge(copies, start=start, **stream.rows)) == all_bits(start)
    assert all_bits(merge([start], start=start)) == all_bits(start)
    busy = stream.learnt(30, 60, start)
    assert all_bits(merge([copies[0], busy, copies[1]], start=start)) == all_bits(busy)


@every_kind
@every_rule
@every_dtype
def test_the_order_of_the_models_matters_by_rounding_at_most(kind, rule, dtype):
    stream = Stream(kind, dtype, rule=rule, alpha=0.001, l1_ratio=0.5)
    models = stream.parted()
    one, other = (merge(each, **stream.rows) for each in (models, models[::-1]))
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-5 if dtype == np.float32 else 1e-12)
    assert one.progressive_loss_ == other.progressive_loss_


@every_kind
def test_the_models_stay_as_they_are(kind):
    stream = Stream(kind)
    start = stream.learnt(0, 30)
    models = [*stream.parted(start), start]
    before = [pickle.dumps(each) for each in models]
    model = merge(models[:3], start=start, **stream.rows)
    model.partial_fit(stream.X, stream.y)
    assert [pickle.dumps(each) for each in models] == before


@every_kind
@every_rule
def test_it_goes_on_learning_and_into_files(kind, rule, tmp_path):
    stream = Stream(kind, rule=rule, alpha=0.001)
    model = merge(stream.parted(), **stream.rows)
    model.save(tmp_path / "model")
    others = [pickle.loads(pickle.dumps(model)), load(tmp_path / "model"), copy.deepcopy(model)]
    for each in (model, *others):
        each.partial_fit(stream.X, stream.y)
        assert all_bits(each) == all_bits(model)
    assert model.t_ == 210


def test_what_fit_said_of_its_epochs_is_left_out():
    stream = Stream()
    models = [stream.make().fit(stream.X[n : n + 60], stream.y[n : n + 60]) for n in (0, 60)]
    model = merge(models)
    assert model.t_ == sum(each.t_ for each in models)
    assert not hasattr(model, "n_iter_")
    assert not hasattr(model, "loss_curve_")


@pytest.mark.parametrize(("lr", "size"), [(1e4, 1e10)])
def test_an_accumulator_that_a_gradient_is_too_small_for(lr, size):
    """The moves of weights are still there: they are added up, as on one machine."""
    X, y = np.ones((1, 1), np.float32), np.ones(1)
    start = AdagradRegressor(lr=lr, initial_accumulator_value=size, fit_intercept=False)
    start.partial_fit(0 * X, y)
    models = [copy.deepcopy(start).partial_fit(X, y) for _ in range(3)]
    assert models[0].accumulator_[0] == np.float32(size)
    model = merge(models, start=start)
    np.testing.assert_allclose(model.coef_, models[0].coef_, rtol=1e-6)
    added = merge(models, start=start, X=X, y=np.ones(1))
    np.testing.assert_allclose(added.coef_, 3 * models[0].coef_, rtol=1e-6)


def test_clocks_beyond_what_a_record_of_32_bits_counts():
    """All records are brought up to date, as by calls that pass such an age."""
    stream = Stream(dtype=np.float32, alpha=1e-12, l1_ratio=1.0)
    with_columns(stream, slice(0, 10), 30, 120)
    start = stream.learnt(0, 30)
    start._state.totals["t"] = 2**31
    settle(start._bound, start._state)  # as the call that passes this age does
    start._state.totals["t"] = 2**32 - 50
    model, alone = merge(stream.parted(start), start=start), stream.learnt(30, 120, start)
    assert model.t_ == alone.t_ == 2**32 + 40
    assert (model._state.tables["weights"]["since"] == 40).all()
    np.testing.assert_allclose(model.coef_[0, 10:], alone.coef_[0, 10:], rtol=1e-5)
    assert (np.abs(model.coef_[0, 10:] - start.coef_[0, 10:]) < 1e-6).all()
    np.testing.assert_allclose(model.coef_[0, :10], alone.coef_[0, :10], atol=0.5)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    rule=st.sampled_from([*RULES, Clipped(Adagrad(), 0.5), Clipped(FTRL(), norm=0.3)]),
    penalty=st.sampled_from(sorted(PENALTIES)),
    dtype=st.sampled_from([np.float32, np.float64]),
    cuts=st.lists(st.integers(30, 120), min_size=1, max_size=4).map(sorted),
    has_start=st.booleans(),
    with_rows=st.booleans(),
)
def test_every_merge(kind, rule, penalty, dtype, cuts, has_start, with_rows):
    """It is finite, has all rows, its accumulators are not below any model's start, and it learns.

    Every weight without a penalty of which all models say the same sign of a move moves that way.
    """
    stream = Stream(kind, dtype, rule=rule, **PENALTIES[penalty])
    start = stream.learnt(0, 30) if has_start else None
    ends = [30, *cuts, 120]
    pairs = [pair for pair in itertools.pairwise(ends) if pair[0] < pair[1]]
    models = [stream.learnt(*pair, start) for pair in pairs]
    model = merge(models, start=start, **(stream.rows if with_rows else {}))
    assert model.t_ == (120 if has_start else 90)
    assert np.isfinite(model.coef_).all()
    origin = 0.0 if start is None else start.accumulator_
    assert (model.accumulator_ >= origin).all()
    if penalty == "none" and rule in ("adagrad", "ftrl"):
        before = 0.0 if start is None else start.coef_
        moves = np.array([each.coef_ - before for each in models])
        agreed, move = (moves > 0).all(axis=0), model.coef_ - before
        if rule == "adagrad":
            assert (move[agreed] > 0).all()
    model.partial_fit(stream.X, stream.y)
    assert np.isfinite(model.coef_).all()


# --- how good it is -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adult_rows():
    path = Path(__file__).parents[1] / "examples" / "data" / "a9a.xz"
    if not path.exists():
        pytest.skip("the Adult rows, a9a.xz, are not in examples/data")
    with lzma.open(path) as file:
        X, y = load_svmlight_file(file, n_features=123, dtype=np.float32)
    return sparse.csr_array(X), (y > 0).astype(int)


@every_rule
@pytest.mark.parametrize("rounds", [1, 8])
def test_it_is_near_one_pass_and_better_than_the_average(adult_rows, rule, rounds):
    X, y = adult_rows
    n, test = 24_000, slice(28_000, None)
    rows_to_choose_by = {"X": X[n:28_000], "y": y[n:28_000]}

    def loss(coef, intercept):
        scores = X[test] @ coef[0] + intercept
        return np.mean(np.logaddexp(0, np.where(y[test] == 1, -scores, scores)))

    def begun():
        return AdagradClassifier(lr=0.1, rule=rule)

    def shares(rows, model):
        return [
            copy.deepcopy(model).partial_fit(X[part], y[part], classes=[0, 1])
            for part in np.array_split(rows, 8)
        ]

    start, blindly = None, None
    for rows in np.array_split(np.arange(n), rounds):
        models = shares(rows, start or begun())
        start = merge(models, start=start, **rows_to_choose_by)
        blindly = merge(shares(rows, blindly or begun()), start=blindly)
    alone = begun().partial_fit(X[:n], y[:n], classes=[0, 1])
    one_pass, chosen, means = (loss(m.coef_, m.intercept_) for m in (alone, start, blindly))
    assert chosen < 1.02 * one_pass
    assert chosen < means < 1.06 * one_pass
    if rounds == 1:
        average = loss(
            *(
                np.mean([getattr(m, name) for m in models], axis=0)
                for name in ("coef_", "intercept_")
            )
        )
        assert chosen < average
        assert means < 1.001 * average
        assert means < np.mean([loss(m.coef_, m.intercept_) for m in models])


# --- what is refused ------------------------------------------------------------------------


def refused(match, models, error=ValueError, **more):
    before = [pickle.dumps(each) for each in models if hasattr(each, "predict")]
    with pytest.raises(error, match=match):
        merge(models, **more)
    assert [pickle.dumps(each) for each in models if hasattr(each, "predict")] == before


def test_lists_that_are_none():
    model = Stream().learnt(0, 30)
    refused("models is empty", [])
    for none in (model, None, 1):
        with pytest.raises(TypeError, match=f"models is a {type(none).__name__}: .* a list"):
            merge(none)
    refused(r"models\[1\] is a str", [model, "model"], TypeError)
    refused(r"start is a int", [model], TypeError, start=1)
    refused(r"models\[2\] is models\[0\] again", [model, copy.deepcopy(model), model])
    refused("not fitted", [model, AdagradClassifier()], NotFittedError)
    refused("not fitted", [model], NotFittedError, start=AdagradClassifier())


@pytest.mark.parametrize(
    "changed",
    [{"eps": 1.0}, {"rule": "ftrl"}, {"alpha": 0.1}, {"fit_intercept": False}, {"loss": "hinge"},
     {"class_weight": "balanced"}, {"initial_accumulator_value": 1.0}, {"l1_ratio": 0.5},
     {"class_weight": {0: 2.0}}, {"multi_class": "multinomial"}, {"rule": Clipped(Adagrad(), 1.0)}],
    ids=str,
)  # fmt: skip
def test_models_with_different_parameters(changed):
    model, other = Stream().learnt(0, 30), Stream(**changed).learnt(30, 60)
    name = next(iter(changed))
    refused(rf"models\[1\] has {name}=", [model, other])
    refused(rf"start has {name}=", [model], start=other)


def test_models_of_different_rows():
    model = Stream().learnt(0, 30)
    refused("dtype=", [model, Stream(dtype=np.float32).learnt(30, 60)])
    refused("n_features_in_=21", [model, Stream(n_features=21).learnt(30, 60)])
    refused("classes_=", [model, Stream("ovr").learnt(30, 60)])
    refused("is_multilabel=True", [Stream("ovr").learnt(0, 9), Stream("labels").learnt(0, 9)])
    refused("the class=", [model, Stream("numbers").learnt(30, 60)])
    refused("n_targets=3", [Stream(k).learnt(0, 9) for k in ("numbers", "several numbers")])


def test_starts_that_are_none():
    stream = Stream()
    early, late = stream.learnt(0, 30), stream.learnt(0, 60)
    refused(r"models\[0\] did not begin from start", [early], start=late)
    other = stream.learnt(90, 120)
    refused(r"models\[1\] did not begin from start", [late, other], start=early)
    idle = Stream(fit_intercept=False).learnt(0, 30)
    longer = copy.deepcopy(idle).partial_fit(0 * stream.X, stream.y)
    refused(r"models\[0\] did not begin from start", [idle], start=longer)
    pruned = copy.deepcopy(late).prune(0.1)
    refused(r"models\[0\] did not begin from start", [pruned], start=early)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"lr_decay": 0.1}, "lr_decay=0.1"),
        ({"batch_size": 8}, "batch_size=8"),
        ({"rule": Momentum(Adagrad())}, "Momentum"),
        ({"rule": Adagrad(eps_inside=True)}, "eps_inside"),
        ({"loss": "perceptron"}, "perceptron"),
    ],
    ids=str,
)
def test_what_was_not_measured(parameters, match):
    stream = Stream(**parameters)
    refused(match, [stream.learnt(0, 30), stream.learnt(30, 60)])


def test_learners_that_are_averaged_and_models_that_only_predict(tmp_path):
    X, y = Stream().X, Stream().y
    models = [AdagradClassifier().partial_fit(X, y, classes=[0, 1]) for _ in range(2)]
    refused("lr='auto'", models)
    Stream().learnt(0, 30).save(tmp_path / "model", serving=True)
    refused("saved for serving", [load(tmp_path / "model")])


def test_one_versus_rest_with_dual_averaging():
    models = [
        Stream("ovr").make().set_params(rule="dual_averaging").partial_fit(X, y, classes=range(3))
        for X, y in [(Stream("ovr").X, Stream("ovr").y)] * 2
    ]
    refused("Set multi_class='multinomial'", models)


def test_rows_that_are_none():
    stream = Stream()
    models = stream.parted()
    refused("X and y must be given together", models, X=stream.X)
    refused("X and y must be given together", models, y=stream.y)
    refused("21 features", models, X=random_rows(np.random.default_rng(0), 120, 21), y=stream.y)
    refused("y", models, X=stream.X, y=stream.y + 1)
    refused("All weights are zero", models, **stream.rows, sample_weight=np.zeros(120))


def test_every_loss_that_is_taken():
    """Their names are in the docstring, less those that are left out."""
    left_out = {"perceptron", "gamma", "tweedie", "epsilon_insensitive"}
    left_out |= {"squared_epsilon_insensitive"}
    rng = np.random.default_rng(0)
    for estimator, loss in LOSSES:
        X, y = random_rows(rng), random_targets(rng, estimator, loss, 50)
        call = {"classes": [0, 1]} if estimator is AdagradClassifier else {}
        models = [estimator(loss, lr=0.1).partial_fit(X, y, **call) for _ in range(2)]
        if loss in left_out:
            refused(loss, models)
        else:
            assert merge(models, X=X, y=y).t_ == 100


def test_means_are_kept_if_nothing_is_better(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    y = (X[:, 0] > 0).astype(int)
    models = [AdagradClassifier(lr=0.1).partial_fit(X[n::3], y[n::3], [0, 1]) for n in range(3)]
    monkeypatch.setattr(merging, "_reached", lambda *_: (np.inf, None))
    averaged = merge(models)
    np.testing.assert_array_equal(merge(models, X=X, y=y).coef_, averaged.coef_)
