"""Imports go one way, and the folders are the floors of the house."""

import ast
import inspect
import sys

import numpy as np
import pytest
from common import ESTIMATORS, PACKAGE, every_estimator

import sklearn_adagrad
import sklearn_adagrad.export
from sklearn_adagrad.formulas.losses import CLASSIFICATION, REGRESSION
from sklearn_adagrad.formulas.rules import RULES

FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = {path: path.relative_to(PACKAGE).with_suffix("").as_posix() for path in FILES}
every_file = pytest.mark.parametrize("path", FILES, ids=NAMES.values())

COMPILED = {"numba", "llvmlite", "numpy"}  # and the standard library
# The floors of the house, from the ground up: the folders, and what each may import of the others.
FLOORS = {
    "arithmetic": set(),
    "formulas": {"arithmetic"},
    "input": {"_sklearn", "arithmetic"},
    "model": {"arithmetic", "formulas"},
    "engines": {"_optional", "arithmetic", "formulas", "input", "model"},
    "optim": {"_types", "arithmetic", "engines", "formulas", "input", "model"},
    "hashing": {"_optional", "_sklearn", "arithmetic", "input"},
    "readers": {"arithmetic", "hashing", "input"},
    "files": {"_optional"},
    "estimators": {"_sklearn", "_types", "engines", "files", "formulas", "input", "model"},
    "search": {"_sklearn", "_types", "estimators", "input", "model"},
    "streams": {"_optional", "arithmetic", "estimators", "files", "formulas", "readers", "saving"},
    "command": {
        "AdagradClassifier",
        "AdagradRegressor",
        "FieldHasher",
        "_optional",
        "files",
        "formulas",
        "readers",
        "saving",
        "streams",
    },
    "plotting": {"FieldHasher"},  # a leaf: what is public
    # a leaf: what is public
    "export": {
        "AdagradClassifier",
        "AdagradRegressor",
        "FieldHasher",
        "_optional",
        "fields",
        "losses",
    },
    "dask": {
        "_known",
        "_optional",
        "_sklearn",
        "arithmetic",
        "estimators",
        "files",
        "formulas",
        "input",
        "model",
        "readers",
    },
    "serving": {"engines", "estimators", "formulas", "hashing", "input", "model"},
}
# The files beside them.
FACES = {
    "__init__": {
        "estimators",
        "fields",
        "hashing",
        "losses",
        "merging",
        "rules",
        "saving",
        "search",
    },
    "fields": {"hashing"},
    "losses": {"formulas"},
    "merging": {"_types", "estimators", "formulas", "model"},
    "rules": {"arithmetic", "formulas"},
    "saving": {"_known", "dask", "files", "search"},
    "__main__": {"command"},
    "_known": {"estimators", "fields", "formulas", "hashing", "losses", "rules"},
    "_optional": set(),
    "_sklearn": set(),
    "_types": set(),
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


def floor_of(path):
    return NAMES[path].split("/")[0]


@every_file
def test_imports_within_the_package_go_one_way(path):
    own, floor = {first(name) for name in imports(path) if name.startswith(".")}, floor_of(path)
    assert own <= (FLOORS | FACES)[floor] | {floor}
    assert not [name for name in imports(path) if first(name) == "sklearn_adagrad"]


def test_no_imports_go_in_a_circle():
    """Nothing is left once files without imports are taken away, again and again."""
    left = {NAMES[path]: set() for path in FILES}
    for path in FILES:
        found = {name[1:].replace(".", "/") for name in imports(path) if name.startswith(".")}
        found |= {name.rpartition("/")[0] for name in found}
        left[NAMES[path]] = {name for name in found & set(left) if name != NAMES[path]}
    while free := {name for name, needed in left.items() if not needed}:
        left = {name: needed - free for name, needed in left.items() if name not in free}
    assert left == {}


@every_file
def test_compiled_part_imports_the_compiler_and_numpy_only(path):
    outside = {first(name) for name in imports(path) if not name.startswith(".")}
    outside -= sys.stdlib_module_names
    if NAMES[path].startswith(("arithmetic/", "engines/")):
        assert outside <= COMPILED
    elif NAMES[path].startswith(("formulas/", "model/")):
        assert outside <= {"numpy"}
    else:
        more = {"plotting": "matplotlib", "readers/sources": "fsspec"}
        more |= dict.fromkeys(("search/base", "estimators/parameters"), "joblib")
        also = {more.get(NAMES[path]), more.get(floor_of(path))}
        assert outside <= {"numpy", "scipy", "sklearn"} | also


@every_file
def test_private_names_of_scikit_learn_only_in_one_file(path):
    private = [
        name
        for name in imports(path)
        if first(name) == "sklearn" and any(part.startswith("_") for part in name.split("."))
    ]
    assert NAMES[path] == "_sklearn" or not private


def test_the_rules_above_see_what_they_look_for():
    found = {NAMES[path]: set(imports(path)) for path in FILES}
    assert ".input.rows.Rows" in found["estimators/training"]
    assert ".arithmetic.jit.compiled" in found["engines/cpu/one_head"]
    assert any("._" in name for name in found["_sklearn"] if first(name) == "sklearn")
    assert {floor_of(path) for path in FILES} == set(FLOORS) | set(FACES)


def test_public_names():
    own = {
        name
        for name, each in vars(sklearn_adagrad).items()
        if not name.startswith("_")
        and getattr(each, "__module__", "").startswith("sklearn_adagrad")
    }
    assert sklearn_adagrad.__all__ == sorted({*own, "fields", "losses", "rules"})
    assert sklearn_adagrad.__version__


def public_objects():
    """Everything in an ``__all__``, and the methods of the estimators that are not inherited."""
    for module in (
        sklearn_adagrad,
        sklearn_adagrad.export,
        sklearn_adagrad.fields,
        sklearn_adagrad.losses,
        sklearn_adagrad.rules,
    ):
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
        assert all(callable(getattr(rule, name)) for name in ("start", "step"))
        rule()
