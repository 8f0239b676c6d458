"""Rooms for a single row, with the prepared calls that score it and learn it."""

from numbers import Real
from operator import is_, itemgetter

import numpy as np
from sklearn.base import is_classifier

from ..engines import ENGINES
from ..formulas.losses import CLASSIFICATION
from ..hashing.one_row import Writer
from ..input.rows import Rows
from ..input.targets import Targets
from ..model.limits import largest_gradient

_CPU = ENGINES["cpu"]
_NARROW = 2**31 - 1
_TINY = float(np.finfo(np.float64).tiny)
_SETTLED_AT = 2**31 - 1  # the estimator has something to do when the clock comes by a multiple
_NUMBERS = {float, int, np.float64, np.float32, np.int64, np.int32}
_HYPER = (
    "loss", "lr", "eps", "lr_decay", "initial_accumulator_value", "rule", "alpha", "l1_ratio",
    "fit_intercept",
)  # fmt: skip


class Room:
    """A row of up to ``size`` entries for a model as it is now, and what is known of that."""

    def __init__(self, model, size, names):
        self.model, self.size = model._at_once(), size
        known = vars(self.model)
        names = [name for name in ("_state", "_bound", *names) if name in known]
        self._now, self._then = itemgetter(*names), [known[name] for name in names]
        self.state, self.bound = known["_state"], known["_bound"]
        self.guard, self.n_features = self.state.guard, self.state.n_features
        index = np.int32 if self.n_features <= _NARROW else np.int64
        self.rows = Rows(
            np.zeros(2, index), np.empty(size, index), np.empty(size, self.state.dtype)
        )
        self._form = self.writer = None
        self._take = _CPU.take
        self._table = self.state.tables["weights"]

    def is_of(self, model):
        """Whether the model is what it was when this room was made."""
        same = all(map(is_, self._now(vars(model)), self._then))
        return same and self.state.tables["weights"] is self._table

    def writer_of(self, form):
        """What hashes rows of this form into this room, or None."""
        if self._form is not form:
            fits = form.plan.settings.n_features == self.n_features and form.fits(self.rows)
            self._form, self.writer = form, Writer(form, self.rows) if fits else None
        return self.writer

    def take(self, indices, values):
        """Let the row be this one, if it is in order."""
        return self._take(indices, values, *self.rows, self.n_features)


class Scored(Room):
    """A room whose row is scored."""

    def __init__(self, model, size):
        super().__init__(model, size, ("loss", "multi_class", "negatives_kept"))
        model, state = self.model, self.state
        self._scores = np.empty((1, state.n_outputs))
        self.is_single, self.is_classifier = state.n_outputs == 1, is_classifier(model)
        loss = model._loss_for(vars(model))
        self.has_chances = self.is_classifier and hasattr(loss, "probability")
        self.chance = self.classes = None  # of two, if there is a short way to their probabilities
        if self.is_single and self.is_classifier and not model._is_multilabel:
            self.classes = model.classes_
            if type(loss) in CLASSIFICATION.values() and self.has_chances:
                self.chance = loss.probability
        self._shift = 0.0
        if self.is_classifier and model.negatives_kept != 1:
            self._shift = model._shift()
        self.is_identity = (
            not self.is_classifier and model._n_targets is None and not hasattr(loss, "prediction")
        )
        self._call = _CPU.prepared_scores(self.rows, self.bound, state, self._scores)

    def score(self):
        """The scores of the row, from a moment when nobody learns; a single one as a float."""
        self.guard.read(self._call)
        if self._shift:
            self._scores += self._shift
        return self._scores.item() if self.is_single else self._scores.copy()


class Learnt(Room):
    """A room whose row is learnt, for a model that has just learnt with its hyper-parameters."""

    def __init__(self, model, size):
        super().__init__(model, size, (*_HYPER, "multi_class", "class_weight", "negatives_kept"))
        model, state = self.model, self.state
        n_outputs = state.n_heads // self.bound.n_candidates
        classes = vars(model).get("classes_")
        self._is_plain = n_outputs == 1 if classes is None else not model._is_multilabel
        by_class = classes is not None and self._is_plain and n_outputs > 1
        values = np.zeros((0 if by_class else 1, n_outputs))
        self._targets = Targets(values, np.zeros(int(by_class), np.intp), n_outputs)
        self._codes = None
        if classes is not None and self._is_plain and classes.dtype.kind in "biufU":
            self._codes = {label: n for n, label in enumerate(classes.tolist())}
        loss = model._loss_for(vars(model))
        self._is_any_number = not hasattr(loss, "check_target")
        self._weights, self._clock = np.ones(1), state.totals["t"]
        self._call = _CPU.prepared_learn(
            self.rows, self._targets, self._weights, loss, self.bound, state,
            fit_intercept=bool(model.fit_intercept),
            limit=largest_gradient(state.dtype, self.bound.largest_lr),
            has_unit=model._has_unit(loss),
        )  # fmt: skip

    @staticmethod
    def is_for(model):
        """Whether the hyper-parameters of ``model`` are what nobody can change but by name."""
        known = vars(model)
        names = [name for name in _HYPER if name in known]
        return known.get("class_weight") is None and all(_is_fixed(known[name]) for name in names)

    @property
    def t(self):
        """How many rows were learnt."""
        return self._clock.item(0)

    def aim(self, y, weight):
        """Let this be what is to be learnt of the row, if it is in order."""
        if type(weight) not in _NUMBERS:
            return False
        weight = _float(weight)
        if not (weight == 0.0 or _TINY <= weight < np.inf):
            return False
        self._weights[0] = weight
        values, codes, n_outputs = self._targets
        if self._codes is not None:
            try:
                code = self._codes[y]
            except (KeyError, TypeError):
                return False
            if n_outputs == 1:
                values[0, 0] = 2.0 * code - 1.0
            else:
                codes[0] = code
            return True
        if not (self._is_plain and self._is_any_number and type(y) in _NUMBERS):
            return False
        y = _float(y)
        values[0, 0] = y
        return abs(y) < np.inf

    def learn(self):
        """Learn the row, as the one who has the turn. Returns whether it was learnt."""
        if self.bound.times and self.t & _SETTLED_AT == _SETTLED_AT:
            return False
        return self.guard.change(self._call) == 1


def _float(number):
    """A number as float, one that is too large as infinity."""
    try:
        return float(number)
    except OverflowError:
        return np.inf


def _is_fixed(value):
    if isinstance(value, tuple):
        return all(map(_is_fixed, value))
    return isinstance(value, str | Real | np.bool_)
