"""Fitted models for those who do not have this package: scikit-learn's estimators.

See :ref:`export`.
"""

from .plain import to_sklearn

__all__ = ["to_sklearn"]
