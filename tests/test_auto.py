"""``lr="auto"`` through the life of a model: it is one linear model, whatever learns within."""

import copy
import json

import numpy as np
import pytest
from common import all_bits, assert_refused, bits, random_rows, stream
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import fit, learn
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from test_exactness import EPOCH, INTERRUPTIONS, cut, read_everything, with_ignored_rows
from test_export import assert_same as assert_same_plain
from test_files import parts_of, predictions, write
from test_serving import assert_goes_along
from test_storage import FORMS

from sklearn_adagrad import (
    AdagradClassifier,
    AdagradRegressor,
    load,
    rules,
)
from sklearn_adagrad.engines.cpu.head_vectors import Buffers
from sklearn_adagrad.engines.cpu.mixture import Mixture, leave
from sklearn_adagrad.export import to_sklearn
from sklearn_adagrad.model.binding import LEARNERS
from sklearn_adagrad.optim import Optimizer
from sklearn_adagrad.streams import fit_stream

N_ROWS, N_FEATURES = 60, 12
PENALTY = {"alpha": 1e-3, "l1_ratio": 0.5}
KINDS = {
    "two classes": (AdagradClassifier, 2, "float32", {}),
    "three classes": (AdagradClassifier, 3, "float64", PENALTY),
    "multinomial": (AdagradClassifier, 3, "float32", {"multi_class": "multinomial"}),
    "regressor": (AdagradRegressor, "numbers", "float64", {}),
    "columns": (AdagradRegressor, "columns", "float64", {"rule": "dual_averaging", **PENALTY}),
}  # every kernel takes seconds to compile
every_kind = pytest.mark.parametrize("kind", KINDS)
few = settings(max_examples=6, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


def problem_of(kind, seed=0):
    """An untrained model, and what ``learn`` needs to teach it."""
    estimator, target, dtype, parameters = KINDS[kind]
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.integers(-3, 4, N_FEATURES)
    X = sparse.csr_array(random_rows(rng, N_ROWS, N_FEATURES) * scales).astype(dtype)
    y = {
        "numbers": lambda: 100.0 + rng.standard_normal(N_ROWS),
        "columns": lambda: rng.standard_normal((N_ROWS, 2)),
    }.get(target, lambda: rng.permutation(np.arange(N_ROWS) % target))()
    return {
        "model": estimator(lr="auto", **parameters),
        "X": X,
        "y": y,
        "sample_weight": rng.choice([0.5, 1.0, 2.0], N_ROWS),
        "classes": range(target if isinstance(target, int) else 3),
    }


# --- exactness ----------------------------------------------------------------------------------


@every_kind
@few
@given(data=st.data())
def test_chunks_epochs_and_rows_of_weight_zero(kind, data):
    problem = problem_of(kind, data.draw(SEEDS))
    whole = learn(problem)
    assert bits(learn(problem, cut(data, N_ROWS))) == bits(whole)
    padded = with_ignored_rows(data, problem)
    assert bits(learn(padded, cut(data, len(padded["y"])))) == bits(whole)
    fitted = fit(problem, **EPOCH)
    assert bits(fitted)[0] == bits(whole)[0]
    assert fitted.loss_curve_ == [whole.progressive_loss_]
    twice = clone(problem["model"]).set_params(warm_start=True, **EPOCH)
    for _ in range(2):
        twice.fit(problem["X"], problem["y"], sample_weight=problem["sample_weight"])
    assert bits(twice) == bits(fit(problem, **EPOCH | {"max_iter": 2}))


@every_kind
@few
@given(data=st.data())
def test_storage_reading_and_interruptions(kind, data):
    problem = problem_of(kind, data.draw(SEEDS))
    X, y, weights = problem["X"], problem["y"], problem["sample_weight"]
    model, classes = clone(problem["model"]), problem["classes"]
    for part in cut(data, N_ROWS):
        form = FORMS[data.draw(st.sampled_from(["dense", "csc_array", "coo_array", "unsorted"]))]
        model = INTERRUPTIONS[data.draw(st.sampled_from(list(INTERRUPTIONS)))](model)
        model = stream(model, form(X[part]), y[part], None, weights[part], classes)
        before = all_bits(model)
        read_everything(model, X, y)
        assert all_bits(model) == before
    assert bits(model) == bits(learn(problem))


@every_kind
def test_one_linear_model(kind):
    problem = problem_of(kind)
    model, X = learn(problem), problem["X"]
    coef, intercept = np.atleast_2d(model.coef_), model.intercept_
    assert (
        len(coef)
        == len(intercept)
        == {"two classes": 1, "regressor": 1}.get(kind, 2 if kind == "columns" else 3)
    )
    tolerance = 1e-11 if X.dtype == np.float64 else 1e-4
    np.testing.assert_allclose(X @ coef.T + intercept, model._scores(X), tolerance, tolerance)
    assert model.accumulator_.shape == model.coef_.shape
    seen = model._progressive_partial_fit(X[:1], problem["y"][:1])
    np.testing.assert_allclose(X[:1] @ coef.T + intercept, seen, tolerance, tolerance)


@pytest.mark.parametrize("rule", ["adagrad", rules.Clipped("ftrl", norm=0.3)], ids=str)
def test_learners_are_models_of_their_own(rule):
    X, y = (problem_of("regressor")[name] for name in ("X", "y"))
    model = AdagradRegressor(lr="auto", rule=rule).partial_fit(X, y)
    for n, (lr, by_column) in enumerate(LEARNERS):
        base = "adagrad" if rule == "adagrad" else rule.rule
        own = rules.ImportanceAware(rules.ScaleFree(base, by_column))
        own = own if rule == "adagrad" else rule._replace(rule=own)
        single = AdagradRegressor(lr=lr, rule=own).partial_fit(X, y)
        for name, table in single._state.tables.items():
            for field in table.dtype.names:
                found = model._state.tables[name][field][:, n]
                np.testing.assert_allclose(found, table[field], rtol=1e-9, atol=1e-12)


def adahedge(losses, scores):
    """The mean of the learners' scores of each row: de Rooij et al. (2014), figure 1."""
    total, gap, means = np.zeros(losses.shape[1]), 0.0, []
    for lost, score in zip(losses, scores, strict=True):
        eta = np.log(len(total)) / gap if gap > 0.0 else np.inf
        behind = total - total.min()
        shares = np.exp(-eta * behind) if eta < np.inf else (behind == 0.0).astype(float)
        shares /= shares.sum()
        means.append(shares @ score)
        least = lost[shares > 0.0].min()
        mixed = least - np.log(shares @ np.exp(-eta * (lost - least))) / eta if gap else least
        gap += max(0.0, shares @ lost - mixed)
        total += lost
    return np.array(means)


def test_the_mean_is_adahedge():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 5)) * [1.0, 10.0, 0.1, 1.0, 3.0]
    y = (X @ [1.0, 0.2, 3.0, -1.0, 0.5] + rng.standard_normal(300) > 0).astype(int)

    def scores(**parameters):
        model = AdagradClassifier(**parameters)
        return model._progressive_partial_fit(X, y, classes=[0, 1])[:, 0], model

    own = []
    for lr, by_column in LEARNERS:
        rule = rules.ImportanceAware(rules.ScaleFree("adagrad", by_column))
        own.append(scores(lr=lr, rule=rule)[0])
    own = np.array(own).T
    losses = np.logaddexp(0.0, np.where(y == 1, -1.0, 1.0)[:, np.newaxis] * own)
    found, model = scores(lr="auto")
    np.testing.assert_allclose(found, adahedge(losses, own), rtol=1e-6, atol=1e-9)
    assert model.progressive_loss_ < losses.mean(axis=0).min() + np.log(len(LEARNERS)) / len(y)


def test_columns_in_other_units_and_a_timestamp_change_nothing():
    problem = problem_of("two classes")
    X, y = np.asarray(problem["X"].todense()), problem["y"]
    powers = 2.0 ** np.arange(-20, X.shape[1] - 20)
    rule = rules.ImportanceAware(rules.ScaleFree("adagrad"))
    model = AdagradClassifier(lr=0.1, rule=rule).partial_fit(X, y, classes=[0, 1])
    scaled = AdagradClassifier(lr=0.1, rule=rule)
    scaled.partial_fit(X * powers.astype(X.dtype), y, classes=[0, 1])
    np.testing.assert_array_equal(scaled.coef_ * powers, model.coef_)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 4))
    y = (X.sum(axis=1) + rng.standard_normal(2000) > 0).astype(int)
    plain = AdagradClassifier(lr="auto").partial_fit(X, y, classes=[0, 1])
    times = np.column_stack([X, 1.7e9 + np.arange(2000.0)])
    timed = AdagradClassifier(lr="auto").partial_fit(times, y, classes=[0, 1])
    assert timed.progressive_loss_ < 1.02 * plain.progressive_loss_


def test_targets_may_be_of_any_scale_and_place():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 4))
    y = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * rng.standard_normal(500)
    model = AdagradRegressor(lr="auto").partial_fit(X, y)
    for scale, place in ((2.0**20, 0.0), (1.0, 1e6), (2.0**-20, -3.0)):
        other = AdagradRegressor(lr="auto").partial_fit(X, scale * y + place)
        np.testing.assert_allclose(other.coef_, scale * model.coef_, rtol=1e-3)
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize("kind", ["three classes", "regressor"])
def test_early_stopping_keeps_the_best_epoch(kind):
    problem = problem_of(kind)
    given = {"early_stopping": True, "tol": None, "random_state": 0, "shuffle": False}
    model = fit(problem, max_iter=5, **given)
    assert model.best_n_iter_ == 1 + np.argmin(model.validation_loss_curve_)
    assert bits(fit(problem, max_iter=model.best_n_iter_, **given)) == bits(model)


def test_a_row_out_of_range_is_named_and_not_learnt():
    X, y = (problem_of("regressor")[name] for name in ("X", "y"))
    y[7] = 1e300
    model = AdagradRegressor(lr="auto")
    with pytest.raises(FloatingPointError, match=r"row 7 .*a target y of 1e.300: scale y"):
        model.partial_fit(X, y)
    assert bits(model) == bits(AdagradRegressor(lr="auto").partial_fit(X[:7], y[:7]))
    far = AdagradRegressor("poisson", lr="auto").partial_fit([[1.0], [1e8]], [1e8, 9e8])
    assert np.isfinite(far.coef_).all()


# --- what changes meanwhile ---------------------------------------------------------------------

CHANGES = {
    "lr cannot become 'auto'": ({}, {"lr": "auto"}),
    "lr cannot become 'auto', or cease to be,": ({"lr": "auto"}, {"lr": 0.1}),
    "cannot begin or cease to be ScaleFree": ({}, {"rule": rules.ScaleFree("adagrad")}),
    "or cease to be ScaleFree": ({"rule": rules.ScaleFree("adagrad")}, {"rule": "adagrad"}),
    "ScaleFree.by_column cannot change to False": (
        {"rule": rules.ScaleFree("adagrad")}, {"rule": rules.ScaleFree("adagrad", False)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", CHANGES)
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_what_cannot_change_once_rows_were_learnt(said, method):
    begun, then = CHANGES[said]
    X, y = (problem_of("regressor")[name] for name in ("X", "y"))
    model = (
        AdagradRegressor(warm_start=True, **{"lr": 0.1} | begun)
        .partial_fit(X, y)
        .set_params(**then)
    )
    assert_refused(model, method, f"{said}.* once rows were learnt: begin anew", X, y)


@pytest.mark.parametrize("changes", [{"alpha": 1e-2}, {"eps": 0.1}, {"alpha": 0.0}], ids=str)
@pytest.mark.parametrize("kind", ["three classes", "columns"])
def test_what_can(kind, changes):
    """Weights stay as they are: penalties that are due were settled before."""
    problem = problem_of(kind)
    model = learn(problem)
    X, y = problem["X"], problem["y"]
    before = model._scores(X)
    model.set_params(**changes)
    model.partial_fit(X[:2], y[:2], sample_weight=[0.0, 0.0])
    np.testing.assert_allclose(model._scores(X), before, rtol=1e-10, atol=1e-10)
    again = copy.deepcopy(model)
    assert bits(again.partial_fit(X, y)) == bits(model.partial_fit(X, y))


def test_a_loss_with_other_units_goes_on_from_the_same_scores():
    X, y = (problem_of("regressor")[name] for name in ("X", "y"))
    for rule in (rules.ScaleFree("adagrad"), "adagrad"):
        lr = "auto" if rule == "adagrad" else 0.1
        model = AdagradRegressor(lr=lr, rule=rule).partial_fit(X, y / 100.0)
        model.set_params(loss="poisson")
        seen = model._progressive_partial_fit(X, y / 100.0)[0]
        model = AdagradRegressor(lr=lr, rule=rule).partial_fit(X, y / 100.0)
        np.testing.assert_allclose(seen, model._scores(X)[0], rtol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("lr", ["auto", 0.3])
def test_forgotten_features_are_new(lr, n_outputs):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng, N_ROWS, N_FEATURES), rng.standard_normal((N_ROWS, n_outputs))
    rule = "adagrad" if lr == "auto" else rules.ScaleFree("adagrad")
    model = AdagradRegressor(lr=lr, rule=rule).partial_fit(X, y)
    coef = model.coef_.copy()
    threshold = np.median(abs(coef).max(axis=0))
    gone = (abs(coef) <= threshold).all(axis=0)
    assert 0 < gone.sum() < N_FEATURES
    model.prune(threshold)
    np.testing.assert_array_equal(model.coef_, coef * ~gone)
    began = AdagradRegressor(lr=lr, rule=rule).partial_fit(X[:1] * 0, y[:1], [0.0])
    for mine, new in (
        (model._state.tables["weights"], began._state.tables["weights"]),
        (model._state.beside["largest"], began._state.beside["largest"]),
    ):
        np.testing.assert_array_equal(mine[gone], new[gone])
    assert model._state.beside["largest"][~gone].all()
    model.sparsify()
    assert model.coef_.nnz == np.count_nonzero(coef * ~gone)


# --- files --------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("width", [N_FEATURES, 2**12])
def test_files(kind, width, tmp_path):
    """Of few features and of many that no row has."""
    problem, path = problem_of(kind), tmp_path / "model"
    X = sparse.csr_array(problem["X"])
    problem["X"] = sparse.csr_array((X.data, X.indices, X.indptr), shape=(N_ROWS, width))
    model = learn(problem)
    model.save(path)
    loaded = load(path)
    assert bits(loaded) == bits(model)
    assert predictions(loaded, problem["X"]) == predictions(model, problem["X"])
    assert loaded.progressive_loss_ == model.progressive_loss_
    size = path.stat().st_size
    assert (size < 8 * width * 8) == (width > N_FEATURES)
    model.save(path, serving=True)
    served = load(path)
    assert path.stat().st_size < size
    assert served.progressive_loss_ == model.progressive_loss_
    np.testing.assert_array_equal(served.coef_, model.coef_)
    tolerance = 1e-11 if X.dtype == np.float64 else 1e-4
    scores = (each._scores(problem["X"]) for each in (served, model))
    np.testing.assert_allclose(*scores, tolerance, tolerance)
    with pytest.raises(ValueError, match="saved for serving"):
        served.partial_fit(problem["X"], problem["y"])


def test_a_feature_that_only_has_a_scale_is_kept(tmp_path):
    """Its gradients were zero."""
    X = sparse.csr_array(([5.0, 2.0], [3, 7], [0, 1, 2]), shape=(2, 20))
    rule = rules.ScaleFree("adagrad")
    model = AdagradRegressor("epsilon_insensitive", lr=0.1, rule=rule).partial_fit(X[:1], [0.0])
    model.partial_fit(X[1:], [9.0])
    assert not model._state.tables["weights"]["accumulator"][3]
    model.save(tmp_path / "model")
    places = parts_of(tmp_path / "model")[1]["model.places"]
    np.testing.assert_array_equal(places, [3, 7])
    for interrupted in INTERRUPTIONS.values():
        assert bits(interrupted(model)) == bits(model)


LIES = {
    "the array 'model.beside.shares' is missing": lambda text, arrays: arrays.pop(
        "model.beside.shares"
    ),
    r"'model.beside.lost' has shape \(3, 2\)": lambda text, arrays: arrays.update(
        {"model.beside.lost": np.zeros((3, 2))}
    ),
    r"'model.beside.largest' has shape \(7,\)": lambda text, arrays: arrays.update(
        {"model.beside.largest": np.zeros(7, np.float32)}
    ),
    "beside its weights": lambda text, arrays: text.pop("beside"),
    r"n_heads=5 are no multiple of 4": lambda text, arrays: text.update(n_heads=5),
    r"n_heads=1 are no multiple of 4": lambda text, arrays: text.update(n_heads=1),
    "has shape": lambda text, arrays: text.update(n_heads=2**40),
    "too many values": lambda text, arrays: text.update(rule=text["rule"] * 2),
    "not enough values": lambda text, arrays: text.update(rule=[]),
}


@pytest.mark.parametrize("said", LIES)
def test_files_that_lie(said, tmp_path):
    path = tmp_path / "model"
    learn(problem_of("two classes")).save(path)
    text, arrays = parts_of(path)
    LIES[said](text["model"]["state"], arrays)
    write(path, json.dumps(text), arrays)
    with pytest.raises(ValueError, match=f"cannot be loaded: .*{said}"):
        load(path)


# --- elsewhere ----------------------------------------------------------------------------------


@every_kind
def test_exported_models_predict_the_same(kind):
    problem = problem_of(kind)
    problem["X"] = sparse.csr_array(problem["X"] / abs(problem["X"]).max(axis=0).toarray())
    model = learn(problem)
    plain = to_sklearn(model)
    assert isinstance(plain, LinearRegression) == isinstance(model, AdagradRegressor)
    assert_same_plain(plain, model, problem["X"])


@pytest.mark.parametrize("kind", ["two classes", "three classes", "regressor"])
def test_models_as_onnx_predict_the_same(kind):
    onnx = pytest.importorskip("test_onnx")
    problem = problem_of(kind)
    X = problem["X"].toarray() / abs(problem["X"]).max(axis=0).toarray()
    model = learn(problem, X=X)
    onnx.assert_same(onnx.run(onnx.to_onnx(model, X), X=X), model, X)


OWN = [  # every one compiles four calls for single rows
    ("two classes", {"lr": "auto"}),
    ("multinomial", {"lr": "auto"}),
    ("regressor", {"rule": rules.ScaleFree("adagrad")}),
    ("two classes", {"rule": rules.ImportanceAware(rules.ScaleFree("adagrad", False))}),
]


@pytest.mark.parametrize(("kind", "parameters"), OWN, ids=str)
def test_predictors_go_along(kind, parameters):
    problem = problem_of(kind)
    model = problem["model"].set_params(**{"lr": 0.1} | parameters)
    X, y, weights = problem["X"], problem["y"], problem["sample_weight"]
    stream(model, X[:5], y[:5], None, None, problem["classes"])
    assert_goes_along(model, X, y, weights - 0.5)


@every_kind
def test_streams_that_are_resumed(kind, tmp_path):
    problem = problem_of(kind)
    X, y, path = problem["X"], problem["y"], tmp_path / "checkpoint"
    given = {"classes": list(problem["classes"])} if "classes" in kind else {}
    given |= {"classes": [0, 1, 2]} if kind == "multinomial" else {}

    def chunks(size):
        return ((X[n : n + size], y[n : n + size]) for n in range(0, N_ROWS, size))

    whole, model = clone(problem["model"]), None
    wanted = fit_stream(whole, chunks(25), **given)
    for stop in (11, 40, None):
        model = clone(problem["model"])
        history = fit_stream(
            model, chunks(7), max_rows=stop, checkpoint=path, resume=stop != 11, **given
        )
    assert bits(model) == bits(whole) == bits(load(path))
    assert history["rows"][-1] == wanted["rows"][-1] == N_ROWS


def test_optimizers_have_no_rows():
    for rule in (rules.ScaleFree("adagrad"), rules.Clipped(rules.ImportanceAware("ftrl"), 1.0)):
        with pytest.raises(ValueError, match=r"an optimizer has gradients only: leave out Scale"):
            Optimizer(rule)


# --- learners that fail -------------------------------------------------------------------------


def first_rows_are_tiny(dtype):
    """Rows as they are: steps that suit the first three are far too long for the others."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 4)).astype(dtype)
    X[:3] *= 1e-4
    return X * 30, np.r_[5.0, 5.0, 5.0, rng.poisson(np.exp(X[3:, 0]))]


def test_a_learner_whose_numbers_give_out_leaves_the_others_alone(tmp_path):
    X, y = first_rows_are_tiny("float32")
    model = AdagradRegressor("poisson").partial_fit(X, y)
    assert (model._state.losses[0] == np.inf).tolist() == [False] * 3 + [True]
    assert model._state.beside["shares"][3] == 0.0
    assert model.progressive_loss_ < 0.5
    by_rows = AdagradRegressor("poisson")
    for row in range(len(y)):
        by_rows.partial_fit(X[row : row + 1], y[row : row + 1])
    assert bits(by_rows) == bits(model)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert bits(again.partial_fit(X, y)) == bits(model.partial_fit(X, y))
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(AdagradRegressor("poisson", random_state=0).fit(X, y).predict(X)).all()


def test_a_row_that_no_learner_can_learn_is_refused():
    X, y = first_rows_are_tiny("float32")
    model = AdagradRegressor("poisson").partial_fit(X, y)
    before = all_bits(model)
    with pytest.raises(FloatingPointError, match="Training diverged"):
        model.partial_fit(X[:1], [1e38])
    assert all_bits(model) == before


def test_one_row_does_not_hide_which_learner_is_the_best():
    """Its loss counts in the weights as 100 times what is usual."""
    X, y = first_rows_are_tiny("float64")
    model = AdagradRegressor("poisson").partial_fit(X, y)
    losses, shares = model._state.losses[0], model._state.beside["shares"]
    assert losses[3] < 1e6
    assert model.progressive_loss_ > 1e6  # what was predicted then
    assert shares[3] < 1e-9
    assert shares.argmax() == losses.argmin()


@pytest.mark.parametrize("kind", ["sensor", "counts"])
def test_values_far_beyond_the_largest_so_far(kind):
    """A column idles, or rows have a few of many columns: no learner predicts nonsense."""
    rng = np.random.default_rng(4)
    if kind == "sensor":
        X = rng.standard_normal((3000, 5)) * [1e3, 1, 1, 0.01, 1]
        y = X @ [1e-3, 1, 1, 100, 1] + 0.3 * rng.standard_normal(3000)
        X[:3] *= 1e-6
        model = AdagradRegressor().partial_fit(X, y)
        assert model.score(X[-1000:], y[-1000:]) > 0.96
        assert model.progressive_loss_ < 1.0
    else:
        X = sparse.random_array((600, 300), density=0.02, rng=np.random.default_rng(2))
        y = np.random.default_rng(2).poisson(5, 600)
        model = AdagradRegressor("poisson", random_state=0).partial_fit(X, y)
        assert model.progressive_loss_ < 0.0  # 5 - 5 log(5) is; undivided values made it 319
        assert np.isfinite(model.fit(X, y).predict(X)).all()


@pytest.mark.parametrize("width", [1, 2])
def test_shares_of_learners_that_leave(width):
    """Two outputs, each with a weight of its own or both with one, and three learners."""
    losses, shares = np.array([1.0, 1.0, np.inf, 2.0, 3.0, np.inf]), np.repeat([0.5, 0.2, 0.3], 2)
    room = (np.zeros(2) for _ in range(4))
    mixture = Mixture(np.zeros((3, 2)), shares, *room, width, np.log(3))
    buffers = Buffers(*(np.zeros(6) for _ in Buffers._fields))._replace(losses=losses)
    assert leave(mixture, buffers)
    left = [5 / 8, 5 / 7, 0, 2 / 7, 3 / 8, 0] if width == 1 else [1, 1, 0, 0, 0, 0]
    np.testing.assert_allclose(shares, left, rtol=1e-15)
    shares[:2] = 0.0  # what is left had no share
    assert leave(mixture, buffers)
    np.testing.assert_allclose(shares[::2].sum(), 1.0, rtol=1e-15)
    losses[0] = losses[4] = np.inf
    assert not leave(mixture, buffers)
