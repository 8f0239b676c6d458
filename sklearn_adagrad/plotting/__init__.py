"""Pictures of models and searches; matplotlib is imported only when one is drawn."""

from .progress import ProgressDisplay
from .search import SearchDisplay

__all__ = ["ProgressDisplay", "SearchDisplay"]
