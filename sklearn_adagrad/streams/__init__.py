"""Learning from streams, and knowing how it goes."""

from .driver import fit_stream
from .history import History

__all__ = ["History", "fit_stream"]
