"""What a field of a table may be, for :class:`~sklearn_adagrad.FieldHasher`.

A name stands for each with its defaults: ``"category"``, ``"number"``, ``"log"``, ``"quantiles"``,
``"words"``, ``"ignore"``.
"""

from .hashing.kinds import Category, Ignored, Log, Number, Quantiles, Words

__all__ = ["Category", "Ignored", "Log", "Number", "Quantiles", "Words"]
