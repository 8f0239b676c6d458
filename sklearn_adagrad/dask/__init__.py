"""Learning on several machines, with Dask: the same model on any number of workers."""

from .estimators import DaskAdagradClassifier, DaskAdagradRegressor

__all__ = ["DaskAdagradClassifier", "DaskAdagradRegressor"]
