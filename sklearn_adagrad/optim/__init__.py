"""The update rules as an optimizer, for NumPy arrays and gradients of one's own."""

from ._gradients import SparseRows
from ._optimizer import Optimizer
from .presets import downhill, keras, mindspore, mxnet1, mxnet2, optax, puzzlelib, pytorch

__all__ = [
    "Optimizer",
    "SparseRows",
    "downhill",
    "keras",
    "mindspore",
    "mxnet1",
    "mxnet2",
    "optax",
    "puzzlelib",
    "pytorch",
]
