"""Predictions for one row at a time, and learning it, in microseconds."""

from .predictor import Predictor

__all__ = ["Predictor"]
