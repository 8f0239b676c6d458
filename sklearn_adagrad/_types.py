"""Types of the public signatures."""

from typing import Any, Protocol

from numpy.typing import ArrayLike
from scipy import sparse

# Data frames of any library are taken too; none of them is imported to say so.
MatrixLike = ArrayLike | sparse.sparray | sparse.spmatrix | Any


class Loss(Protocol):
    """What a loss object must offer, besides being a ``typing.NamedTuple``."""

    def value(self, y: float, score: float) -> float:
        """The loss."""

    def gradient(self, y: float, score: float) -> float:
        """Its derivative by the score."""


class Rule(Protocol):
    """A named tuple from ``sklearn_adagrad.rules``."""

    _fields: tuple[str, ...]
