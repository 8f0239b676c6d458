"""Which classes a saved model may be made of.

:data:`TRUSTED_TYPES` is what to pass to ``skops.io.load`` as ``trusted``: the names of all
estimators, searches, rules, wrappers, schedules and losses of this package, of its hasher and
its kinds of fields, none of which does
anything when it is loaded, and of the scorers that searches have by default. Rules and losses of
your own are not among them.
"""

from . import fields, losses, rules
from .estimators.classifier import AdagradClassifier
from .estimators.regressor import AdagradRegressor
from .hashing.hasher import FieldHasher
from .search.classifier import AdagradClassifierCV
from .search.regressor import AdagradRegressorCV
from .search.scoring import NegLogLoss

__all__ = ["TRUSTED_TYPES"]

_ESTIMATORS = (
    AdagradClassifier, AdagradRegressor, AdagradClassifierCV, AdagradRegressorCV, FieldHasher,
)  # fmt: skip
_PUBLIC = [getattr(module, name) for module in (fields, losses, rules) for name in module.__all__]

TRUSTED_TYPES: list[str] = [
    "sklearn.metrics._scorer._PassthroughScorer",
    *(
        f"{each.__module__}.{each.__qualname__}"
        for each in (*_ESTIMATORS, NegLogLoss, *_PUBLIC)
        if isinstance(each, type)
    ),
]
