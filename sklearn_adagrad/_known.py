"""Which classes a model of one machine may be made of."""

from . import fields, losses, rules
from .estimators.classifier import AdagradClassifier
from .estimators.regressor import AdagradRegressor
from .formulas.rules import Frozen
from .hashing.hasher import FieldHasher

MODELS = AdagradClassifier, AdagradRegressor, FieldHasher
_PUBLIC = [getattr(module, name) for module in (fields, losses, rules) for name in module.__all__]
PARTS = [each for each in _PUBLIC if isinstance(each, type)]
KNOWN = (*MODELS, Frozen, *PARTS)
