"""What the compiler leaves on disk is found again, never stale, and never needed."""

import json
import os
import pickle
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from common import (
    LOSSES,
    PACKAGE,
    AdagradClassifier,
    AdagradRegressor,
    bits,
    every_dtype,
    every_estimator,
    random_rows,
    random_targets,
    run_python,
    small_data,
    stream,
    untrained,
)
from numba.core import event
from scipy import sparse

from sklearn_adagrad import losses

# Trains, scores and judges with a loss, and counts compilations.
TRAIN = """
import json, os, sys
from numba.core import event
with event.install_recorder("numba:compile") as recorder:
    from common import AdagradRegressor, small_data
    import numpy as np, sklearn_adagrad
    X, y = small_data()
    settings = {"lr": 0.1, "max_iter": 3, "tol": None, "early_stopping": True, "random_state": 0}
    loss = sys.argv[1]
    if loss == "own":
        from own import Own
        loss = Own()
    y = np.stack([y] * 5, axis=1) if "several" in sys.argv else y
    model = AdagradRegressor(loss, **settings).fit(X, y).partial_fit(X, y)
    model.predict(X)
said = {"compiled": len(recorder.buffer) // 2, "coef": model.coef_.tolist()}
print(json.dumps(said | {"where": os.path.dirname(sklearn_adagrad.__file__)}))
"""


def train(place, loss="squared_error", *more, **environment):
    """What ``TRAIN`` says in a new process, of the package in ``place``."""
    environment = {"NUMBA_CACHE_DIR": str(place / "cache")} | environment
    said = run_python("-c", TRAIN, loss, *more, package=place / "sklearn_adagrad", **environment)
    said = json.loads(said)
    assert Path(said["where"]) == place / "sklearn_adagrad"
    return said


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A copy of the package beside a cache to which the first process has written."""
    place = tmp_path_factory.mktemp("place")
    shutil.copytree(
        PACKAGE, place / "sklearn_adagrad", ignore=shutil.ignore_patterns("__pycache__")
    )
    return place


@pytest.fixture(scope="module")
def first(place):
    """What the first process said."""
    return train(place)


@contextmanager
def edited(path, text):
    """More text in a source file, which keeps its time, as files from an archive may."""
    source, times = path.read_text(), os.stat(path)
    try:
        path.write_text(source + text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        yield
    finally:
        path.write_text(source)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_second_process_compiles_nothing(place, first):
    second = train(place)
    assert first["compiled"] > 0
    assert second["compiled"] == 0
    assert second["coef"] == first["coef"]


def test_nor_does_it_for_several_outputs(place, first):
    one, other = (train(place, "squared_error", "several") for _ in range(2))
    assert one["compiled"] > 0
    assert other["compiled"] == 0
    assert other["coef"] == one["coef"]


@pytest.mark.parametrize(
    ("source", "change"),
    [
        (
            "formulas/losses.py",
            "\n\ndef _gradient(self, y, score):\n    return 1.0\n\n"
            "\nSquaredError.gradient = _gradient\n",
        ),
        (
            "formulas/rules.py",
            "\n\ndef _moved(self, record, by, row):\n"
            "    return replaced(record, 'weight', record.weight - row.lr)\n\n"
            "\nAdagrad.moved = _moved\n",
        ),
    ],
)
def test_edited_kernel_recompiles(place, first, source, change):
    """Where it lies, though numba watches only the file that defines what it compiled."""
    with edited(place / "sklearn_adagrad" / source, change):
        other = train(place)
        again = train(place)
    assert other["compiled"] > 0
    assert np.abs(np.subtract(other["coef"], first["coef"])).min() > 0
    assert again["compiled"] == 0
    assert again["coef"] == other["coef"]
    before = train(place)
    assert before["compiled"] == 0
    assert before["coef"] == first["coef"]


OWN = """
from typing import NamedTuple
class Own(NamedTuple):
    def value(self, y, score): return 0.0
    def gradient(self, y, score): return {}
"""


def test_edited_loss_of_one_s_own_is_never_stale(place, first):
    """It is compiled in memory: nobody watches its source."""
    source = place / "own.py"
    source.write_text(OWN.format("1.0"))
    times = os.stat(source)
    up = train(place, "own")
    source.write_text(OWN.format("-1."))
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    shutil.rmtree(place / "__pycache__", ignore_errors=True)  # Python itself goes by time and size
    down = train(place, "own")
    assert up["compiled"] > 0
    np.testing.assert_array_equal(up["coef"], np.negative(down["coef"]))
    assert np.count_nonzero(up["coef"]) > 0


def test_nothing_can_be_written(place, first, tmp_path):
    """Neither beside the package nor at home nor where the environment says."""
    package = tmp_path / "sklearn_adagrad"
    shutil.copytree(place / "sklearn_adagrad", package)
    for folder in (package / "arithmetic", package / "engines" / "cpu", package):
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        (folder / "__pycache__").write_text("not a folder")
    file = tmp_path / "file"
    file.write_text("not a folder")
    nowhere = str(file / "below")
    said = train(
        tmp_path,
        NUMBA_CACHE_DIR=nowhere,
        HOME=nowhere,
        XDG_CACHE_HOME=nowhere,
        LOCALAPPDATA=nowhere,
        IPYTHONDIR=nowhere,
    )
    assert said["coef"] == first["coef"]
    assert said["compiled"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "sklearn_adagrad"]


ODD_FIRST_INPUT = """
import numpy as np
from scipy import sparse
from common import AdagradRegressor, bits, small_data
X, y = small_data()
odd = X.copy()
odd.indices, odd.indptr = odd.indices.astype(">i4"), odd.indptr.astype(">i4")
first = AdagradRegressor(lr=0.1).partial_fit(odd, y)
assert bits(first) == bits(AdagradRegressor(lr=0.1).partial_fit(X, y))
"""


def test_first_input_of_a_process_may_be_odd():
    """Once a kernel is compiled numba takes more than it would compile for."""
    run_python("-c", ODD_FIRST_INPUT)


def trained_with_every_loss():
    """The state after some rows, of every loss and dtype, for one output and several."""
    found = {}
    cases = [(*each, "one") for each in LOSSES] + [(*each, "columns") for each in LOSSES]
    cases += [(AdagradClassifier, "hinge", "classes")]
    cases += [(AdagradClassifier, "log_loss", "multinomial")]
    for estimator, loss, outputs in cases:
        for dtype in ("float64", "float32"):
            rng = np.random.default_rng(0)
            X = random_rows(rng, 20, 15, 0.6, dtype)
            n_classes = 5 if outputs in ("classes", "multinomial") else 2
            y = random_targets(rng, estimator, loss, 20, n_classes)
            y = np.stack([np.roll(y, n) for n in range(5)], axis=1) if outputs == "columns" else y
            model = estimator(
                loss, lr=0.1, lr_decay=0.1, early_stopping=True, validation_fraction=0.25
            )
            if outputs == "multinomial":
                model.set_params(multi_class="multinomial")
            model.set_params(max_iter=2, tol=None, random_state=0).fit(X, y)
            model.partial_fit(X, y, sample_weight=np.arange(20) % 3 / 2)
            found[loss, outputs, dtype] = (
                model.coef_,
                model.intercept_,
                model.accumulator_,
                model.t_,
                model.progressive_loss_,
                model.validation_loss_curve_,
                model._scores(X),
            )
    return found


def test_compiled_equals_interpreted(tmp_path):
    """In a process without the compiler, where a debugger and a coverage tool see the kernels."""
    path = tmp_path / "found"
    script = "import pickle, sys; from test_compiler import trained_with_every_loss as train; "
    script += "pickle.dump(train(), open(sys.argv[1], 'wb'))"
    run_python("-c", script, path, NUMBA_DISABLE_JIT="1")
    interpreted, compiled = pickle.loads(path.read_bytes()), trained_with_every_loss()
    assert interpreted.keys() == compiled.keys()
    for case, parts in compiled.items():
        close = (
            {"rtol": 1e-12, "atol": 1e-13} if "float64" in case else {"rtol": 2e-4, "atol": 1e-5}
        )
        for one, other in zip(parts, interpreted[case], strict=True):
            np.testing.assert_allclose(one, other, err_msg=str(case), **close)


# --- what a search must not recompile -----------------------------------------------------------


@every_estimator
@every_dtype
def test_no_setting_recompiles(estimator, dtype):
    """Nor does any way to pass it, any number of rows, or the origin of the model."""
    X, y = small_data()
    X = X.astype(dtype)
    settings = {"early_stopping": True, "validation_fraction": 0.3}
    stream(untrained(estimator, **settings).fit(X, y), X, y).predict(X)
    with event.install_recorder("numba:compile") as recorder:
        for name, values in {
            "lr": [0.5, 1, np.int64(2)],
            "eps": [0, 1e-3, np.float64(1.0)],
            "lr_decay": [0, 0.1, 1],
            "initial_accumulator_value": [0, 1, 0.5],
            "fit_intercept": [False, True],
            "shuffle": [False],
        }.items():
            for value in values:
                untrained(estimator, **settings, **{name: value}).fit(X, y)
        for n_rows in (1, 2, 7):
            stream(untrained(estimator), X[:n_rows], y[:n_rows]).predict(X[:n_rows])
        model = stream(untrained(estimator), X, y, sample_weight=np.ones(len(y), dtype))
        stream(pickle.loads(pickle.dumps(model)), X, y)
        stream(model, sparse.csr_matrix(X), y.astype(float)).predict(X.toarray())
    assert [str(each) for _, each in recorder.buffer] == []


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c"]], ids=len)
def test_no_labels_recompile(labels):
    X, y = small_data()
    y = np.arange(len(y)) % len(labels)
    untrained(AdagradClassifier).fit(X, y)
    with event.install_recorder("numba:compile") as recorder:
        untrained(AdagradClassifier, class_weight="balanced").fit(X, np.array(labels)[y])
    assert not recorder.buffer


def test_loss_by_name_and_as_object_are_one():
    X, y = small_data()
    named = untrained(AdagradRegressor, loss="huber").fit(X, y)
    with event.install_recorder("numba:compile") as recorder:
        as_object = untrained(AdagradRegressor, loss=losses.Huber()).fit(X, y)
    assert not recorder.buffer
    assert bits(named) == bits(as_object)


# --- importing ----------------------------------------------------------------------------------

OPTIONAL = ["matplotlib", "pandas", "polars", "pyarrow", "torch", "river", "rich", "hypothesis"]


def test_import_brings_no_optional_packages():
    """Beyond what scikit-learn and numba bring themselves."""
    script = (
        "import sys, sklearn.model_selection, sklearn.callback, scipy.sparse, numba.extending\n"
    )
    script += "before = set(sys.modules)\nimport sklearn_adagrad\n"
    script += "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    brought = set(run_python("-c", script).split())
    assert "sklearn_adagrad" in brought
    assert not brought & set(OPTIONAL)
