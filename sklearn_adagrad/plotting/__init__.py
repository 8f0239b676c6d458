"""Pictures of models and searches; matplotlib is imported only when one is drawn."""

from .search import SearchDisplay

__all__ = ["SearchDisplay"]
