"""Sparse online learners with a learning rate for every feature."""

from importlib.metadata import version

from . import fields, losses, rules
from .estimators.classifier import AdagradClassifier
from .estimators.regressor import AdagradRegressor
from .hashing.hasher import FieldHasher
from .merging import merge
from .saving import load, save
from .search.classifier import AdagradClassifierCV
from .search.regressor import AdagradRegressorCV

__version__ = version("sklearn-adagrad")
__all__ = [
    "AdagradClassifier",
    "AdagradClassifierCV",
    "AdagradRegressor",
    "AdagradRegressorCV",
    "FieldHasher",
    "fields",
    "load",
    "losses",
    "merge",
    "rules",
    "save",
]
