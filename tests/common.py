"""What several files of tests need: the registries, random rows, and the bits of a model."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import sklearn_adagrad
from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.formulas.losses import CLASSIFICATION, REGRESSION
from sklearn_adagrad.model.state import State

ESTIMATORS = (AdagradClassifier, AdagradRegressor)
DTYPES = (np.float64, np.float32)
PACKAGE = Path(sklearn_adagrad.__file__).parent

LOSSES = [(AdagradClassifier, name) for name in CLASSIFICATION]
LOSSES += [(AdagradRegressor, name) for name in REGRESSION]
every_loss = pytest.mark.parametrize(
    ("estimator", "loss"), LOSSES, ids=[name for _, name in LOSSES]
)
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])


def loss_object(estimator, name):
    """The loss that ``estimator`` knows by ``name``, with its default parameters."""
    return (CLASSIFICATION if estimator is AdagradClassifier else REGRESSION)[name]()


def random_rows(rng, n_rows=50, n_features=30, density=0.3, dtype=np.float64):
    """A CSR array of normally distributed values."""
    keep = rng.random((n_rows, n_features)) < density
    return sparse.csr_array((rng.standard_normal((n_rows, n_features)) * keep).astype(dtype))


def rows_of_lengths(rng, lengths, n_features, dtype=np.float64):
    """A CSR array whose rows have these numbers of entries."""
    indices = [np.sort(rng.choice(n_features, length, replace=False)) for length in lengths]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = rng.standard_normal(indptr[-1]).astype(dtype)
    shape = (len(lengths), n_features)
    return sparse.csr_array((values, np.concatenate(indices).astype(np.int32), indptr), shape=shape)


def random_targets(rng, estimator, loss, n_rows, n_classes=2):
    """Targets that ``loss`` accepts; labels of which each occurs."""
    if estimator is AdagradClassifier:
        return rng.permutation(np.arange(n_rows) % n_classes)
    y = rng.standard_normal(n_rows)
    if isinstance(loss, str):
        loss = REGRESSION[loss]()
    return np.abs(y) + 0.1 if hasattr(loss, "check_target") else y


def first_call(estimator, classes=(0, 1)):
    """What the first ``partial_fit`` of ``estimator`` needs besides ``X`` and ``y``."""
    return {"classes": list(classes)} if estimator is AdagradClassifier else {}


def stream(model, X, y, parts=None, sample_weight=None, classes=(0, 1)):
    """``model`` after a ``partial_fit`` of all rows, or of each of the ``parts`` in turn."""
    begin = first_call(type(model), classes)
    if parts is None:
        return model.partial_fit(X, y, sample_weight=sample_weight, **begin)
    for part in parts:
        weights = None if sample_weight is None else sample_weight[part]
        model.partial_fit(X[part], y[part], sample_weight=weights, **begin)
    return model


def bits(model):
    """All that ``model`` has learnt, to the last bit: equal if and only if nothing differs."""
    return frozen([model._state, getattr(model, "_class_counts", None)])


def all_bits(model):
    """Every attribute of ``model``, parameters included, to the last bit."""
    return {name: frozen(value) for name, value in vars(model).items() if name != "_turn"}


def frozen(value):
    """``value`` with the bytes of arrays in their place; records field by field."""
    if isinstance(value, State):
        # The sums of the current epoch tell where calls of ``fit`` began, no more.
        beside = {name: array for name, array in value.beside.items() if name != "lost"}
        value = value.tables, value.totals, value.losses[:1], value.lost[::2], beside
    if isinstance(value, np.ndarray):
        if value.dtype.names:
            names = [name for name in value.dtype.names if not name.startswith("epoch_")]
            return [(name, frozen(value[name])) for name in names]
        content = value.tolist() if value.dtype == object else value.tobytes()
        return (str(value.dtype), value.shape, content)
    if isinstance(value, dict):
        return {name: frozen(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [frozen(each) for each in value]
    return float(value).hex() if isinstance(value, float) else value


ROWS, FEATURES = 20, 8


def small_data(seed=0):
    """A few rows with the labels 0 and 1."""
    rng = np.random.default_rng(seed)
    return random_rows(rng, ROWS, FEATURES, 0.5), np.arange(ROWS) % 2


def untrained(estimator, **parameters):
    """A model that fits in a moment."""
    return estimator(**{"lr": 0.1, "max_iter": 2, "tol": None, "random_state": 0} | parameters)


def trained(estimator, **parameters):
    """A model that has learnt some rows."""
    return stream(untrained(estimator, **parameters), *small_data(1))


def assert_refused(model, method, message, X, y=None, error=ValueError, **more):
    """The call raises, says ``message``, and leaves no trace in ``model``."""
    before = all_bits(model)
    arguments = (X,) if y is None else (X, y)
    if method == "partial_fit" and "classes" not in more:
        more = more | first_call(type(model))
    with pytest.raises(error, match=message):
        getattr(model, method)(*arguments, **more)
    assert all_bits(model) == before


def weights_of(model):
    """Every weight and accumulator of ``model``, as one vector of numbers."""
    return np.concatenate(
        [
            part[name].ravel()
            for part in (*model._state.tables.values(), *model._state[1:3])
            for name in part.dtype.names or [...]
        ]
    ).astype(float)


def run_python(*arguments, package=PACKAGE, timeout=300, **environment):
    """Run another Python on ``arguments``; return its output, or fail with what it said."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package.parent), str(Path(__file__).parent)]),
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-P", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"exit status {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout
