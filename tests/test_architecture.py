"""Imports go one way: leaves, estimators, ``_base``, engines, kernels."""

import ast
import inspect
import sys

import numpy as np
import pytest
from common import ESTIMATORS, PACKAGE, every_estimator

import sklearn_adagrad
from sklearn_adagrad.formulas.losses import CLASSIFICATION, REGRESSION
from sklearn_adagrad.formulas.rules import RULES

FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = {path: path.relative_to(PACKAGE).with_suffix("").as_posix() for path in FILES}
every_file = pytest.mark.parametrize("path", FILES, ids=NAMES.values())

COMPILED = {"numba", "llvmlite", "numpy", "math"}  # and the standard library
# What each part of the package may import of the others; the first whose name begins so counts.
ALLOWED = {
    "kernels/": {"kernels"},
    "engines/": {"engines", "kernels"},
    "optim/": {"optim", "_adaptation", "_rules", "_types", "kernels"},
    "_base": {
        "engines",
        "kernels",
        "_callbacks",
        "_parameters",
        "_range",
        "_state",
        "_training",
        "_validation",
    },
    "_parameters": {"_range", "_rules", "kernels"},
    "_rules": {"_range", "kernels"},
    "_adaptation": {"_rules", "kernels"},
    "_state": {"_adaptation", "_rules", "kernels"},
    "_search": {"_folds", "_parameters", "_types"},
    "_folds": {"_validation"},
    "_team": {"_classifier", "_memory", "_regressor", "_rules", "_state", "_training"},
    "_classifier_cv": {"_base", "_classifier", "_search", "_team", "_types"},
    "_regressor_cv": {"_base", "_regressor", "_search", "_team", "_types"},
    "_classifier": {"_base", "_labels", "_types", "_validation", "kernels"},
    "_regressor": {"_base", "_types", "_validation", "kernels"},
    "__init__": {
        "_classifier",
        "_classifier_cv",
        "_regressor",
        "_regressor_cv",
        "losses",
        "rules",
    },
    "_": {"_broken", "_state", "kernels"},
    "losses": {"kernels"},
    "rules": {"kernels"},
    "": {"AdagradClassifier", "AdagradRegressor", "losses"},  # a leaf: what is public
}


def imports(path):
    """Every ``module.name`` that a file imports; those of the package from its root, as ".x.y"."""
    folder = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = folder[: len(folder) + 1 - node.level] if node.level else ()
            parts = [*up, *(node.module.split(".") if node.module else [])]
            start = "." if node.level else ""
            yield from (start + ".".join([*parts, alias.name]) for alias in node.names)


def first(name):
    return name.lstrip(".").split(".")[0]


@every_file
def test_imports_within_the_package_go_one_way(path):
    own = {first(name) for name in imports(path) if name.startswith(".")}
    prefix = next(each for each in ALLOWED if NAMES[path].startswith(each))
    assert own <= ALLOWED[prefix]
    assert not [name for name in imports(path) if first(name) == "sklearn_adagrad"]


@every_file
def test_compiled_part_imports_the_compiler_and_numpy_only(path):
    outside = {first(name) for name in imports(path) if not name.startswith(".")}
    outside -= sys.stdlib_module_names
    if NAMES[path].startswith("kernels/"):
        assert outside <= COMPILED
    elif NAMES[path].startswith("engines/"):
        assert outside <= {"numpy"}
    else:
        more = {"plotting": {"matplotlib"}, "_search": {"joblib"}}.get(NAMES[path], set())
        assert outside <= {"numpy", "scipy", "sklearn"} | more


@every_file
def test_private_names_of_scikit_learn_only_in_a_few_files(path):
    private = [
        name
        for name in imports(path)
        if first(name) == "sklearn" and any(part.startswith("_") for part in name.split("."))
    ]
    assert NAMES[path] in ("_base", "_parameters", "_folds", "_search") or not private


def test_the_rules_above_see_what_they_look_for():
    found = {NAMES[path]: set(imports(path)) for path in FILES}
    assert ".kernels.rows.Rows" in found["_training"]
    assert any(name.startswith(".kernels._jit.") for name in found["kernels/learn"])
    assert any("._" in name for name in found["_base"] if first(name) == "sklearn")


def test_public_names():
    own = {
        name
        for name, each in vars(sklearn_adagrad).items()
        if not name.startswith("_")
        and getattr(each, "__module__", "").startswith("sklearn_adagrad")
    }
    assert sklearn_adagrad.__all__ == sorted({*own, "losses", "rules"})
    assert sklearn_adagrad.__version__


def public_objects():
    """Everything in an ``__all__``, and the methods of the estimators that are not inherited."""
    for module in (sklearn_adagrad, sklearn_adagrad.losses, sklearn_adagrad.rules):
        for name in module.__all__:
            yield f"{module.__name__}.{name}", getattr(module, name)
    for estimator in ESTIMATORS:
        for name in vars(estimator):
            if callable(getattr(estimator, name)) and not name.startswith(("_", "set_")):
                yield f"{estimator.__name__}.{name}", getattr(estimator, name)


PUBLIC = dict(public_objects())


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_has_a_docstring(name):
    text = inspect.getdoc(PUBLIC[name])
    assert text
    assert "TODO" not in text
    assert len(text) > 10


@every_estimator
def test_every_parameter_and_attribute_is_documented(estimator):
    text = inspect.getdoc(estimator)
    parameters, attributes = text.split("Attributes\n---")[0], text.split("Attributes\n---")[1]
    for name in estimator().get_params():
        assert f"\n{name} : " in parameters, name
    y = np.array([0, 1] * 10)
    model = estimator(early_stopping=True, max_iter=2, tol=None).fit(np.eye(20), y)
    fitted = {name for name in dir(model) if name.endswith("_") and not name.startswith("_")}
    for name in fitted:
        assert f"\n{name} : " in attributes, name


def test_registries_hold_named_tuples_with_their_methods():
    for loss in (*CLASSIFICATION.values(), *REGRESSION.values()):
        assert issubclass(loss, tuple)
        assert callable(loss.value)
        assert callable(loss.gradient)
        loss()  # by name, with its defaults
    for rule in RULES.values():
        assert issubclass(rule, tuple)
        assert all(callable(getattr(rule, name)) for name in ("start", "step", "moved", "weight"))
        rule()
