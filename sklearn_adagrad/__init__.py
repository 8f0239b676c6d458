"""Sparse online learners with a learning rate for every feature."""

from importlib.metadata import version

from . import losses, rules
from ._classifier import AdagradClassifier
from ._regressor import AdagradRegressor

__version__ = version("sklearn-adagrad")
__all__ = ["AdagradClassifier", "AdagradRegressor", "losses", "rules"]
