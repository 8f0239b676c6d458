"""The plain estimators in the wrappers and searches of dask-ml, and with joblib's Dask backend."""

import joblib
import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV

pytest.importorskip("distributed", reason="dask is not installed")
import dask.array as da
from distributed import Client, LocalCluster

BLOCK = 50


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5))
    return X, (X[:, 0] + rng.normal(size=400) > 0).astype(int)


@pytest.fixture(scope="module")
def client():
    how = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": ":0"}
    with LocalCluster(**how) as cluster, Client(cluster) as client:
        yield client


def arrays(problem):
    return [da.from_array(each, (BLOCK, *each.shape[1:])) for each in problem]


def test_incremental_and_parallel_post_fit(problem, client):
    wrappers = pytest.importorskip("dask_ml.wrappers", reason="dask-ml is not installed")
    (X, y), (blocks, labels) = problem, arrays(problem)
    plain = AdagradClassifier(lr=0.1)
    for n in range(0, len(y), BLOCK):
        plain.partial_fit(X[n : n + BLOCK], y[n : n + BLOCK], classes=[0, 1])
    model = wrappers.Incremental(AdagradClassifier(lr=0.1), shuffle_blocks=False)
    model.fit(blocks, labels, classes=[0, 1])
    np.testing.assert_array_equal(model.estimator_.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(blocks).compute(), plain.predict(X))
    after = wrappers.ParallelPostFit(plain)
    np.testing.assert_array_equal(after.predict_proba(blocks).compute(), plain.predict_proba(X))


def test_incremental_search(problem, client):
    searches = pytest.importorskip("dask_ml.model_selection", reason="dask-ml is not installed")
    how = {"n_initial_parameters": "grid", "max_iter": 3, "decay_rate": None, "random_state": 0}
    blocks, labels = arrays(problem)
    try:
        search = searches.IncrementalSearchCV(SGDClassifier(), {"alpha": [1e-4, 1e-3]}, **how)
        search.fit(blocks, labels, classes=[0, 1])
    except RuntimeError as error:
        pytest.skip(f"This dask-ml does not get along with this Dask: {error}")
    grid = {"lr": [0.0, 0.1], "eps": [1e-10, 0.1]}
    search = searches.IncrementalSearchCV(AdagradClassifier(), grid, **how)
    search.fit(blocks, labels, classes=[0, 1])
    assert search.best_params_["lr"] == 0.1
    assert search.best_score_ > 0.6


def test_searches_with_the_backend_of_joblib(problem, client):
    X, y = problem
    grid = {"lr": [0.01, 0.1], "eps": [1e-10, 0.1]}
    for search in (
        AdagradClassifierCV(**grid, max_iter=3, cv=3, random_state=0),
        GridSearchCV(AdagradClassifier(max_iter=3, tol=None, random_state=0), grid, cv=3),
    ):
        here = search.fit(X, y).cv_results_["mean_test_score"]
        with joblib.parallel_backend("dask"):
            there = search.set_params(n_jobs=2).fit(X, y).cv_results_["mean_test_score"]
        np.testing.assert_array_equal(here, there)
