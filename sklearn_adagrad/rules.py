"""Update rules and their wrappers, for ``rule=``.

``Adagrad``, ``DualAveraging`` and ``FTRL`` are rules; the others wrap a rule and change one thing
about it. Wrappers can be stacked in any order, but ``Averaged`` must be the outermost.
``InverseScaling`` and ``Warmup`` are schedules for ``Scheduled``. Combinations without an exact
meaning are refused with a ``ValueError`` that says so.

Rules of one's own (:ref:`own_rule`) are written with ``replaced``, ``sqrt``, ``where``, ``clip``,
``add`` and ``subtract``, which work on numbers, vectors and arrays alike; wrappers call the methods
of the rule within by ``step(self.rule, ...)`` and the like.
"""

from .arithmetic.lanes import clip, sqrt, where
from .arithmetic.rounding import add, subtract
from .arithmetic.tuples import replaced
from .formulas.admission import Admission
from .formulas.row_steps import ImportanceAware, ScaleFree
from .formulas.rules import (
    FTRL,
    Adagrad,
    DualAveraging,
    advanced,
    factor,
    local,
    moved,
    pull,
    rate,
    renewed,
    settled,
    step,
    weight,
)
from .formulas.schedules import InverseScaling, Scheduled, Warmup
from .formulas.wrappers import (
    Averaged,
    Clipped,
    Momentum,
    Multiplied,
    WeightDecay,
)

__all__ = [
    "FTRL",
    "Adagrad",
    "Admission",
    "Averaged",
    "Clipped",
    "DualAveraging",
    "ImportanceAware",
    "InverseScaling",
    "Momentum",
    "Multiplied",
    "ScaleFree",
    "Scheduled",
    "Warmup",
    "WeightDecay",
    "add",
    "advanced",
    "clip",
    "factor",
    "local",
    "moved",
    "pull",
    "rate",
    "renewed",
    "replaced",
    "settled",
    "sqrt",
    "step",
    "subtract",
    "weight",
    "where",
]
