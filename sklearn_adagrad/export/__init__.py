"""Fitted models for those who do not have this package: scikit-learn's estimators, and ONNX.

See :ref:`export`.
"""

from .conversion import to_onnx
from .converters import register_onnx
from .plain import to_sklearn

__all__ = ["register_onnx", "to_onnx", "to_sklearn"]
