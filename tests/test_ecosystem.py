"""Inside scikit-learn's pipelines and searches, on data where the result means something."""

import lzma
from pathlib import Path

import numpy as np
import pytest
from common import bits, random_rows, stream
from joblib import parallel_backend
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_svmlight_file
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.metrics import brier_score_loss, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, losses

TOPICS = {
    "sea": ["boat", "wave", "salt", "fish", "harbour", "sail", "tide", "anchor", "storm"],
    "hill": ["rock", "snow", "peak", "goat", "trail", "pine", "ridge", "eagle", "storm"],
    "town": ["tram", "shop", "square", "cafe", "crowd", "light", "street", "clock", "storm"],
}


def texts(n=300, seed=0):
    """Short texts of three topics, among words that say nothing."""
    rng = np.random.default_rng(seed)
    noise = [f"word{i}" for i in range(200)]
    topics = rng.choice(list(TOPICS), n)
    rows = [" ".join([*rng.choice(TOPICS[topic], 2), *rng.choice(noise, 10)]) for topic in topics]
    return rows, topics


def clicks(n=1500, seed=0):
    """Users and items by name, whether a user clicked, and the chance that was drawn from."""
    rng, names = np.random.default_rng(seed), np.random.default_rng(99)
    taste, charm = names.standard_normal(60), names.standard_normal(40)
    user, item = rng.integers(0, 60, n), rng.integers(0, 40, n)
    chance = 1.0 / (1.0 + np.exp(-1.5 * (taste[user] + charm[item])))
    rows = np.array([[f"user{u}", f"item{i}"] for u, i in zip(user, item, strict=True)])
    return rows, (rng.random(n) < chance).astype(int), chance


def wide(n=1000, n_features=300, seed=0):
    """Sparse rows of very unequal columns, as counts of words are, and noisy labels."""
    rng = np.random.default_rng(seed)
    often = 1.0 / np.arange(1, n_features + 1) ** 0.7
    X = sparse.csr_array(
        (rng.random((n, n_features)) < often) * rng.integers(1, 4, (n, n_features))
    )
    weights = np.random.default_rng(98).standard_normal(n_features)
    scores = X @ weights
    return X.astype(float), (scores + rng.standard_normal(n) > np.median(scores)).astype(int)


# --- pipelines ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        [HashingVectorizer(n_features=2**16)],
        [HashingVectorizer(n_features=2**16, norm=None), TfidfTransformer()],
        [TfidfVectorizer(dtype=np.float32)],
    ],
    ids=["hashed", "hashed and weighted", "float32"],
)
def test_texts(steps):
    rows, topics = texts()
    model = make_pipeline(*steps, AdagradClassifier(lr=1.0, random_state=0))
    chance = np.unique(topics, return_counts=True)[1].max() / len(topics)
    assert cross_val_score(model, rows, topics, cv=3).mean() > 0.85 > chance + 0.4


def test_stream_of_hashed_rows():
    """Progressive validation on a stream, against the best that anyone could know."""
    rows, clicked, chance = clicks(20_000)
    hasher = FeatureHasher(2**18, input_type="string", alternate_sign=False)
    model = AdagradClassifier(lr=0.2)
    for first in range(0, len(rows), 1000):
        part = slice(first, first + 1000)
        model.partial_fit(hasher.transform(rows[part]), clicked[part], classes=[0, 1])
    ignorant, best = log_loss(clicked, np.full(20_000, clicked.mean())), log_loss(clicked, chance)
    assert best < model.progressive_loss_ < best + 0.15 * (ignorant - best)


def test_one_hot_columns_beside_numbers():
    pandas = pytest.importorskip("pandas")
    rows, clicked, chance = clicks(4000)
    frame = pandas.DataFrame({"user": rows[:, 0], "item": rows[:, 1]})
    frame["noise"] = np.random.default_rng(1).normal(50.0, 10.0, len(frame))
    columns = ColumnTransformer(
        [
            ("names", OneHotEncoder(handle_unknown="ignore"), ["user", "item"]),
            ("numbers", StandardScaler(), ["noise"]),
        ],
        sparse_threshold=1.0,
    )
    model = make_pipeline(columns, AdagradClassifier(lr=0.1, random_state=0))
    model.fit(frame[:3000], clicked[:3000])
    assert sparse.issparse(model[:-1].transform(frame))
    found = log_loss(clicked[3000:], model.predict_proba(frame[3000:]))
    best = log_loss(clicked[3000:], chance[3000:])
    ignorant = log_loss(clicked[3000:], np.full(1000, clicked[:3000].mean()))
    assert found < best + 0.3 * (ignorant - best)


def test_output_as_data_frames():
    pytest.importorskip("pandas")
    X, y = wide(300, 10)
    model = make_pipeline(
        StandardScaler(), FunctionTransformer(), AdagradClassifier(lr=0.1, random_state=0)
    ).set_output(transform="pandas")
    model.fit(X.toarray(), y)
    plain = make_pipeline(StandardScaler(), AdagradClassifier(lr=0.1, random_state=0)).fit(
        X.toarray(), y
    )
    assert bits(model[-1]) == bits(plain[-1])
    assert model[-1].feature_names_in_.tolist() == [f"x{i}" for i in range(10)]


def test_dict_vectorizer_gives_indices_that_are_taken():
    rows = [{"a": 1.0, "b": 2.0}, {"b": 3.0}, {"c": 1.0, "a": -1.0}] * 20
    X, y = DictVectorizer().fit_transform(rows), np.resize([1, 0, 0], 60)
    assert AdagradClassifier(lr=0.1, random_state=0).fit(X, y).score(X, y) == 1.0


# --- searches and workers -----------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_grid_search(backend):
    """In other processes and threads, to the same scores."""
    X, y = wide(300)
    grid = {"lr": [1e-4, 0.1, 3.0], "eps": [1e-10, 1.0]}
    model = AdagradClassifier(lr=0.1, max_iter=5, tol=None, random_state=0)
    search = GridSearchCV(model, grid, cv=3, n_jobs=1 if backend == "sequential" else 2)
    with parallel_backend(backend):
        search.fit(X, y)
    by_hand = [
        cross_val_score(clone(model).set_params(**each), X, y, cv=3).mean()
        for each in search.cv_results_["params"]
    ]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], by_hand)
    assert search.best_params_["lr"] == 0.1
    assert search.best_score_ > 0.7


def test_workers_that_share_large_arrays():
    """joblib maps large arrays read-only into its workers, those of models included."""
    rng = np.random.default_rng(0)
    X = random_rows(rng, 60, 2**17, 1e-4)
    y = rng.integers(0, 2, (60, 3))
    model = MultiOutputClassifier(AdagradClassifier(lr=0.1), n_jobs=2)
    model.partial_fit(X, y, classes=[[0, 1]] * 3)
    model.partial_fit(X, y)
    for output, head in enumerate(model.estimators_):
        direct = stream(AdagradClassifier(lr=0.1), X, y[:, output])
        assert bits(head) == bits(stream(direct, X, y[:, output]))


def test_cross_val_predict():
    X, y = wide(600)
    model = AdagradClassifier(lr=0.1, max_iter=10, tol=None, random_state=0)
    chances = cross_val_predict(model, X, y, cv=3, method="predict_proba")
    assert chances.shape == (600, 2)
    assert log_loss(y, chances) < 0.75 * log_loss(y, np.full(600, y.mean()))
    labels = cross_val_predict(model, X, y, cv=3)
    np.testing.assert_array_equal(labels, chances.argmax(axis=1))


# --- models of models ---------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_one_vs_rest_is_what_we_do_ourselves(loss):
    rows, topics = texts()
    X = TfidfVectorizer().fit_transform(rows)
    model = AdagradClassifier(loss, lr=0.5, max_iter=3, tol=None, shuffle=False)
    own, theirs = model.fit(X, topics), OneVsRestClassifier(clone(model)).fit(X, topics)
    close = {"rtol": 0, "atol": 1e-12}  # the sum over a row is in another order
    for head, other in enumerate(theirs.estimators_):
        np.testing.assert_allclose(own.coef_[head], other.coef_[0], **close)
        np.testing.assert_allclose(own.intercept_[head], other.intercept_[0], **close)
    np.testing.assert_array_equal(own.predict(X), theirs.predict(X))
    np.testing.assert_allclose(own.decision_function(X), theirs.decision_function(X), **close)
    if loss == "log_loss":
        np.testing.assert_allclose(own.predict_proba(X), theirs.predict_proba(X), rtol=1e-11)


def test_many_outputs():
    """One model for each; they are also learnt in one, to the same numbers."""
    X, _ = wide(400, 50)
    y = (X @ np.random.default_rng(0).standard_normal((50, 3)) > 0).astype(int)
    settings = {"max_iter": 5, "tol": None, "random_state": 0}
    plain = {"lr": 0.1, **settings}
    model = MultiOutputClassifier(AdagradClassifier(**plain)).fit(X, y)
    for output, head in enumerate(model.estimators_):
        assert bits(head) == bits(AdagradClassifier(**plain).fit(X, y[:, output]))
    assert (model.predict(X) == y).mean() > 0.9
    at_once = AdagradClassifier(**plain).fit(X, y)
    coef = np.concatenate([head.coef_ for head in model.estimators_])
    np.testing.assert_allclose(at_once.coef_, coef, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(at_once.predict(X), model.predict(X))
    scores = X @ np.random.default_rng(0).standard_normal((50, 2))
    regressor = MultiOutputRegressor(AdagradRegressor(lr=0.5, **settings)).fit(X, scores)
    assert regressor.score(X, scores) > 0.9
    at_once = AdagradRegressor(lr=0.5, **settings).fit(X, scores)
    np.testing.assert_allclose(at_once.predict(X), regressor.predict(X), rtol=0, atol=1e-11)


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method):
    """The hinge loss has no probabilities; calibrated ones beat the base rate by far."""
    X, y = wide(1200)
    model = AdagradClassifier("hinge", lr=0.1, max_iter=10, tol=None, random_state=0)
    calibrated = CalibratedClassifierCV(model, method=method, cv=3).fit(X[:800], y[:800])
    found = brier_score_loss(y[800:], calibrated.predict_proba(X[800:])[:, 1])
    assert found < 0.7 * brier_score_loss(y[800:], np.full(400, y[:800].mean()))


def test_scaled_targets():
    """As the documentation of the regressor recommends for targets far from 0."""
    X, _ = wide(400, 30)
    y = 1e5 + 1e3 * (X @ np.random.default_rng(0).standard_normal(30))
    model = AdagradRegressor(lr=0.1, max_iter=30, tol=None, random_state=0)
    scaled = TransformedTargetRegressor(model, transformer=StandardScaler())
    assert scaled.fit(X, y).score(X, y) > 0.95
    assert model.fit(X, y).score(X, y) < 0


# --- quality ------------------------------------------------------------------------------------

RATES = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]


def best_of_sgd(X, y, X_test, y_test):
    """The best accuracy of SGDClassifier over rates and schedules."""
    models = [SGDClassifier("log_loss", alpha=alpha, random_state=0) for alpha in RATES]
    models += [
        SGDClassifier("log_loss", learning_rate="constant", eta0=eta0, random_state=0)
        for eta0 in RATES
    ]
    return max(model.fit(X, y).score(X_test, y_test) for model in models)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", [0, 1])
def test_as_accurate_as_the_best_of_many_constant_rates(seed):
    X, y = wide(3000, seed=seed)
    split = slice(2000), slice(2000, None)
    sgd = best_of_sgd(X[split[0]], y[split[0]], X[split[1]], y[split[1]])
    model = AdagradClassifier(lr=0.1, random_state=0).fit(X[split[0]], y[split[0]])
    assert model.score(X[split[1]], y[split[1]]) > sgd - 0.02
    assert sgd > 0.7


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_adult():
    folder = Path(__file__).parent.parent / "examples" / "data"
    if not (folder / "a9a.xz").exists():
        pytest.skip("the Adult rows, a9a.xz and a9a.t.xz, are not in examples/data")
    rows = []
    for name in ("a9a.xz", "a9a.t.xz"):
        with lzma.open(folder / name) as file:
            rows += load_svmlight_file(file, n_features=123)
    for X in rows[::2]:
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # for SGD
    X, y, X_test, y_test = rows
    model = AdagradClassifier(lr=0.1, random_state=0).fit(X, y)
    assert model.score(X_test, y_test) > max(best_of_sgd(X, y, X_test, y_test) - 0.003, 0.845)


def small_regression(positive):
    """A small problem with an exact optimum, and noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 4))
    scores = X @ [0.5, -0.3, 0.2, 0.0] + 0.4
    if positive == "counts":
        return X, rng.poisson(np.exp(scores)).astype(float)
    if positive == "amounts":
        return X, rng.gamma(2.0, np.exp(scores) / 2.0)
    return X, scores + 0.3 * rng.standard_t(3, 200)


@pytest.mark.parametrize(
    ("loss", "kind", "peer"),
    [
        ("squared_error", "any", Ridge(alpha=0.0)),
        (losses.Quantile(0.75), "any", QuantileRegressor(quantile=0.75, alpha=0.0)),
        ("absolute_error", "any", QuantileRegressor(quantile=0.5, alpha=0.0)),
        ("poisson", "counts", PoissonRegressor(alpha=0.0, tol=1e-8)),
        ("gamma", "amounts", GammaRegressor(alpha=0.0, tol=1e-8)),
        (losses.Tweedie(1.5), "counts", TweedieRegressor(power=1.5, alpha=0.0, link="log")),
    ],
    ids=str,
)
def test_many_epochs_approach_the_optimum(loss, kind, peer):
    """That of scikit-learn's batch solvers, within what steps of single rows allow."""
    X, y = small_regression(kind)
    model = AdagradRegressor(loss, lr=0.1, max_iter=1500, tol=None, random_state=0).fit(X, y)
    peer.fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=0.02)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, atol=0.02)


def test_huber_approaches_the_optimum_at_a_known_scale():
    """HuberRegressor estimates the scale; given its scale, the optimum is the same."""
    X, y = small_regression("any")
    peer = HuberRegressor(epsilon=1.5, alpha=0.0).fit(X, y)
    loss = losses.Huber(1.5 * peer.scale_)
    model = AdagradRegressor(loss, lr=0.1, max_iter=1500, tol=None, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=0.02)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, atol=0.02)


def test_log_loss_approaches_the_optimum():
    X, scores = small_regression("any")
    y = (scores > np.random.default_rng(1).logistic(0.4, 0.5, 200)).astype(int)
    peer = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    model = AdagradClassifier(lr=0.2, max_iter=1500, tol=None, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=0.05)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=0.02)
