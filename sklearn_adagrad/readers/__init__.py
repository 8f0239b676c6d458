"""Readers: files of a log become chunks of sparse rows for ``partial_fit``."""

from .delimited import Delimited, criteo

__all__ = ["Delimited", "criteo"]
