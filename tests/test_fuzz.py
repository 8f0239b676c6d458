"""Thousands of sparse matrices broken at random: refused or learnt, never a crash or a trace.

The matrices are made in a process of their own, so that a crash is a failed test.

    python -W ignore tests/test_fuzz.py 100000
"""

import sys

import numpy as np
from common import (
    AdagradClassifier,
    AdagradRegressor,
    all_bits,
    bits,
    random_rows,
    run_python,
    weights_of,
)
from sklearn.base import clone

from sklearn_adagrad import AdagradClassifierCV, AdagradRegressorCV

ROWS, FEATURES = 12, 9
# Python's and numpy's own words for a value or type they cannot take count as refusals too.
REFUSALS = (ValueError, TypeError)
HUGE = [-(2**63), -(2**31), -5, -1, 0, 1, 3, FEATURES, 2**31 - 1, 2**32, 2**63 - 1]
STRANGE = [0.0, -0.0, 5e-324, 1e-30, 1e30, 1e300, -1e308, np.nan, np.inf]
DTYPES = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64, np.float64]
VALUES = [np.float16, np.float32, np.float64, np.longdouble, np.int8, bool, complex, ">f8", object]


def test_broken_matrices_are_refused_or_learnt():
    """Seeded: what fails once fails again."""
    said = run_python("-W", "ignore", __file__, 1000)
    learnt, refused = map(int, said.split())
    assert learnt > 150
    assert refused > 300


def overwrite(rng, array, values):
    """Write one to four of ``values`` anywhere."""
    for _ in range(rng.integers(1, 5)):
        if array.size:
            value = values[rng.integers(len(values))]
            with np.errstate(all="ignore"):
                array.flat[rng.integers(array.size)] = np.array(value).astype(array.dtype)


def resized(rng, array):
    """The array cut short or made longer."""
    return np.resize(array, rng.integers(0, array.shape[0] + 4)) if array.size else array


ARRAYS = {"coo": ["row", "col", "data"], "dia": ["offsets", "data"]}


def break_lists(rng, X):
    """The same of a matrix that is lists of lists, or a dictionary."""
    number = HUGE[rng.integers(len(HUGE))]
    if X.format == "dok":
        X._dict[(number, 1) if rng.random() < 0.5 else (0, number)] = 1.0
        return
    row = rng.integers(X.shape[0])
    lists = X.rows if rng.random() < 0.5 else X.data
    deed = rng.integers(4)
    if deed == 0:
        lists[row] = [1] * rng.integers(50)
    elif deed == 1:
        lists[row] = np.arange(3)
    elif lists[row]:
        lists[row][0] = number if deed == 2 else STRANGE[rng.integers(len(STRANGE))]


def break_(rng, X):
    """Do to ``X`` what nobody should."""
    if X.format in ("lil", "dok"):
        break_lists(rng, X)
        return
    for _ in range(rng.integers(1, 3)):
        name = str(rng.choice(ARRAYS.get(X.format, ["indptr", "indices", "data"])))
        array = np.array(getattr(X, name))
        is_values = name == "data"
        deed = rng.integers(5)
        if deed <= 1:
            numbers = STRANGE if is_values else [*HUGE, *range(-2, ROWS + 2)]
            overwrite(rng, array, numbers)
        elif deed == 2:
            array = resized(rng, array)
        elif deed == 3:
            kinds = VALUES if is_values else DTYPES
            with np.errstate(all="ignore"):
                array = array.astype(kinds[rng.integers(len(kinds))])
        else:
            array = array[::-1] if rng.random() < 0.8 else array.reshape(-1, 1)
        try:
            setattr(X, name, array)
        except (*REFUSALS, AttributeError):  # scipy refuses by itself
            continue
    if rng.random() < 0.1:
        X._shape = (int(rng.integers(0, ROWS + 3)), int(rng.integers(0, FEATURES + 3)))


def matrix(rng):
    """A broken matrix of some format."""
    n_rows = rng.choice([ROWS, 150], p=[0.8, 0.2])  # the latter is inspected in blocks
    X = random_rows(rng, n_rows, FEATURES, 0.4, rng.choice([np.float64, np.float32]))
    if rng.random() < 0.3:
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    form = rng.choice(["csr", "csr", "csr", "csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
    X = X.asformat(form)
    break_(rng, X)
    return X


def known(model):
    """All that ``model`` has learnt, or that the candidates of a search have."""
    team = getattr(model, "_team", None)
    return all_bits(model), team and bits(team.estimator)


def taken(rng, model, X):
    """Train, predict or score with ``X``, or with targets: whether it was taken, not refused."""
    before, is_search = known(model), hasattr(model, "cv")
    method = rng.choice(["partial_fit", "fit", "predict", "score"])
    arguments = [X]
    if method != "predict":
        arguments.append(np.resize([0, 1], X.shape[0]))
    if method != "predict" and rng.random() < 0.1:  # as the targets
        arguments = [np.ones((X.shape[0], FEATURES)), X]
    refusal = None
    try:
        getattr(model, method)(*arguments)
    except REFUSALS as error:
        refusal = error
    except FloatingPointError:  # finite, but too large to learn: see test_divergence.py
        pass
    if method in ("predict", "score") or refusal is not None:
        assert known(model) == before, (method, refusal)
    if not is_search:
        assert np.isfinite(weights_of(model)).all(), (method, refusal)
    return refusal is None


def main(count):
    models = [
        estimator(lr=0.1, max_iter=2, tol=None, early_stopping=early_stopping, random_state=0)
        for estimator in (AdagradClassifier, AdagradRegressor)
        for early_stopping in (False, True)
    ]
    models += [
        search(lr=[0.1, 1.0], max_iter=1, cv=2, random_state=0)
        for search in (AdagradClassifierCV, AdagradRegressorCV)
    ]
    rows, labels = random_rows(np.random.default_rng(0), ROWS, FEATURES), np.resize([0, 1], ROWS)
    for model in models:
        model.fit(rows, labels)
    learnt = 0
    for case in range(count):
        rng = np.random.default_rng(case)
        X = matrix(rng)
        print(
            f"case {case}: {type(X).__name__}", file=sys.stderr, flush=True
        )  # the last words of a crash
        model = models[case % len(models)]
        if hasattr(model, "cv") and rng.random() < 0.5:  # in a stream
            begin = {"classes": [0, 1]} if isinstance(model, AdagradClassifierCV) else {}
            model = clone(model).partial_fit(rows, labels, **begin)
        learnt += taken(rng, model, X)
    print(learnt, count - learnt)


if __name__ == "__main__":
    main(int(sys.argv[1]))
