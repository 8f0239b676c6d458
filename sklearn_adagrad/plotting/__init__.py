"""Pictures of models and searches; matplotlib is imported only when one is drawn."""

from .progress import ProgressDisplay
from .search import SearchDisplay
from .weights import WeightsDisplay

__all__ = ["ProgressDisplay", "SearchDisplay", "WeightsDisplay"]
