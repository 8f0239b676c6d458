"""Readers: files of a log become chunks of sparse rows for ``partial_fit``."""

from .columnar import Arrow, Parquet
from .delimited import Delimited, criteo
from .json_lines import JsonLines
from .svmlight import Svmlight
from .vowpal_wabbit import VowpalWabbit

__all__ = ["Arrow", "Delimited", "JsonLines", "Parquet", "Svmlight", "VowpalWabbit", "criteo"]
