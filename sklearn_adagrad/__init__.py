"""Sparse online learners with a learning rate for every feature."""

from importlib.metadata import version

from . import losses, rules
from ._classifier import AdagradClassifier
from ._classifier_cv import AdagradClassifierCV
from ._regressor import AdagradRegressor
from ._regressor_cv import AdagradRegressorCV

__version__ = version("sklearn-adagrad")
__all__ = [
    "AdagradClassifier",
    "AdagradClassifierCV",
    "AdagradRegressor",
    "AdagradRegressorCV",
    "losses",
    "rules",
]
