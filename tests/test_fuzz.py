"""Thousands of sparse matrices broken at random: refused or learnt, never a crash or a trace.

The matrices are made in a process of their own, so that a crash is a failed test.
"""

import sys

import numpy as np
from common import (
    AdagradClassifier,
    AdagradRegressor,
    all_bits,
    random_rows,
    run_python,
    weights_of,
)

ROWS, FEATURES = 12, 9
# Python's and numpy's own words for a value or type they cannot take count as refusals too.
REFUSALS = (ValueError, TypeError)
HUGE = [-(2**63), -(2**31), -5, -1, 0, 1, 3, FEATURES, 2**31 - 1, 2**32, 2**63 - 1]
STRANGE = [0.0, -0.0, 5e-324, 1e-30, 1e30, 1e300, -1e308, np.nan, np.inf]
DTYPES = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64, np.float64]
VALUES = [np.float16, np.float32, np.float64, np.longdouble, np.int8, bool, complex, ">f8", object]


def test_broken_matrices_are_refused_or_learnt():
    """Seeded: what fails once fails again."""
    said = run_python("-W", "ignore", __file__, 3000)
    learnt, refused = map(int, said.split())
    assert learnt > 500
    assert refused > 500


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


def arrays_of(X):
    """The names of the arrays that ``X`` consists of."""
    return ["row", "col", "data"] if X.format == "coo" else ["indptr", "indices", "data"]


def break_(rng, X):
    """Do to ``X`` what nobody should."""
    for _ in range(rng.integers(1, 3)):
        name = str(rng.choice(arrays_of(X)))
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
    form = rng.choice(["csr", "csr", "csr", "csr", "csc", "coo", "bsr"])
    X = X.asformat(form)
    break_(rng, X)
    return X


def taken(rng, model, X):
    """Train or predict with ``X``: whether it was taken rather than refused."""
    before = all_bits(model)
    method = rng.choice(["partial_fit", "fit", "predict"])
    y = [np.resize([0, 1], X.shape[0])] if method != "predict" else []
    refusal = None
    try:
        getattr(model, method)(X, *y)
    except REFUSALS as error:
        refusal = error
    except FloatingPointError:  # finite, but too large to learn: see test_divergence.py
        pass
    if method == "predict" or refusal is not None:
        assert all_bits(model) == before, (method, refusal)
    assert np.isfinite(weights_of(model)).all(), (method, refusal)
    return refusal is None


def main(count):
    models = [
        estimator(max_iter=2, tol=None, early_stopping=early_stopping, random_state=0)
        for estimator in (AdagradClassifier, AdagradRegressor)
        for early_stopping in (False, True)
    ]
    X = random_rows(np.random.default_rng(0), ROWS, FEATURES)
    for model in models:
        model.fit(X, np.resize([0, 1], ROWS))
    learnt = 0
    for case in range(count):
        rng = np.random.default_rng(case)
        X = matrix(rng)
        print(
            f"case {case}: {type(X).__name__}", file=sys.stderr, flush=True
        )  # the last words of a crash
        learnt += taken(rng, models[case % len(models)], X)
    print(learnt, count - learnt)


if __name__ == "__main__":
    main(int(sys.argv[1]))
