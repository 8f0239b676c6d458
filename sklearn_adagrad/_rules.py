"""From what the user says about the update rule to what the kernels need to know."""

from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ._range import check_fits, largest, least_eps
from .kernels.penalty import DecayingPenalised, Penalised
from .kernels.rules import FTRL, RULES, Adagrad, DualAveraging, Settings
from .kernels.wrappers import (
    Averaged,
    Clipped,
    FeaturePenalty,
    Mean,
    Momentum,
    Multiplied,
    Scheduled,
    WeightDecay,
)

# What a rule that holds no other one must have.
_METHODS = ("start", "local", "settled", "renewed", "step", "moved", "weight", "factor", "longest",
            "rests", "settles", "resumed")  # fmt: skip

# l2 is nothing beside l1 if it is smaller by this factor.
_NOTHING = 1e-15
_TOO_LITTLE = 1e-17

_PENALISED = (Penalised, DecayingPenalised)


class BoundRule(NamedTuple):
    """A rule with all its numbers: what one estimator learns with."""

    rule: Any  # for the kernels: its fields are numbers and rules
    settings: Settings
    start: dict  # of every field of a record: what it starts from, a number or one per feature

    @property
    def reading(self):
        """The rule as it predicts."""
        return Mean(self.rule) if isinstance(self.rule, Averaged) else self.rule

    @property
    def n_candidates(self):
        """How many models with settings of their own it is for; see ``stacked``."""
        return np.size(self.settings.lr)

    @property
    def largest_lr(self):
        """The largest rate of any feature in the first row."""
        multiple = float(np.max(self.start.get("lr_multiplier", 1.0), initial=0.0))
        return float(np.max(self.settings.lr)) * multiple

    @property
    def base(self):
        """The innermost rule."""
        return list(chain(self.rule))[-1]


def chain(rule):
    """``rule``, the rule that it holds, and so on."""
    while True:
        yield rule
        if "rule" not in rule._fields:
            return
        rule = rule.rule


def bind(
    rule, dtype, *, lr, eps, lr_decay, initial_accumulator_value, alpha, l1_ratio, floor_eps=True
):  # fmt: skip
    """The rule that the kernels run, or an error that names what is wrong with it."""
    numbers = {
        "lr": lr,
        "eps": eps,
        "lr_decay": lr_decay,
        "initial_accumulator_value": initial_accumulator_value,
        "l1_ratio": l1_ratio,
    }
    for name, value in numbers.items():
        if not isinstance(value, Real):
            raise TypeError(f"{name}={value!r} must be a number.")
        value = float(value)
        if name == "l1_ratio" and not 0 <= value <= 1:
            raise ValueError(f"l1_ratio={value:g} is out of range: it must be in [0, 1].")
        check_fits(name, value, dtype)
    lr, eps, lr_decay, initial_accumulator_value, l1_ratio = map(float, numbers.values())
    alpha = _checked_array("alpha", alpha, dtype)
    rule = _checked(rule, dtype)
    penalised = bool(np.any(np.asarray(alpha) > 0))
    _check_together(rule, penalised, lr, lr_decay)
    for each in chain(rule):
        if isinstance(each, Multiplied):
            check_fits("lr times Multiplied.lr", lr * float(np.max(each.lr, initial=0.0)), dtype)
    base = list(chain(rule))[-1]
    if penalised and isinstance(base, Adagrad):
        rule = (DecayingPenalised if lr_decay > 0 else Penalised)(rule)
    single = np.ndim(alpha) == 0
    if penalised and not single:
        rule = _with_feature_penalty(rule, alpha)
    l1, l2 = l1_ratio * (alpha if single else 1.0), (1.0 - l1_ratio) * (alpha if single else 1.0)
    multiple = max((float(np.max(each.lr, initial=0.0)) for each in chain(rule)
                    if isinstance(each, Multiplied)), default=1.0)  # fmt: skip
    least = least_eps(dtype, lr * multiple) ** (2 if getattr(base, "eps_inside", False) else 1)
    least = least if floor_eps else 0.0
    l1, l2 = (l1, l2 if l2 > _NOTHING * l1 else 0.0) if penalised else (0.0, 0.0)
    settings = Settings(
        lr,
        max(eps, least),
        lr_decay,
        initial_accumulator_value,
        l1,
        l2,
        l1 / l2 if l2 > 0.0 else np.inf,
    )
    start = {}
    for each in reversed(list(chain(rule))):
        if hasattr(each, "start"):
            start |= each.start(settings)
    return BoundRule(_numbers(rule), settings, start)


def _with_feature_penalty(rule, alpha):
    """Within a mean, which must see every change of a weight."""
    if isinstance(rule, Averaged):
        return rule._replace(rule=FeaturePenalty(rule.rule, alpha))
    return FeaturePenalty(rule, alpha)


def stacked(bounds):
    """One rule for several candidates, whose numbers are arrays of shape (1, n_candidates).

    ``bounds`` are the candidates' own rules. They may differ in their settings only, of which
    ``lr_decay`` must be the same.
    """
    if len(bounds) == 1:
        return bounds[0]
    penalised = [each for each in bounds if isinstance(each.rule, _PENALISED)]
    rule = (penalised or bounds)[0].rule
    fields = zip(*(each.settings for each in bounds), strict=True)
    settings = Settings(*(np.array([field]) for field in fields))
    settings = settings._replace(lr_decay=bounds[0].settings.lr_decay)
    if penalised:  # such rules need a ratio: without l2, let there be too little to matter
        l2 = np.where(settings.l2 > 0, settings.l2, settings.l1 * _TOO_LITTLE)
        ratio = np.divide(settings.l1, l2, out=np.zeros_like(l2), where=l2 > 0)
        settings = settings._replace(l2=l2, ratio=ratio)
    names = (penalised or bounds)[0].start
    start = {
        name: _stacked_values([each.start.get(name, 0.0) for each in bounds]) for name in names
    }
    return BoundRule(rule, settings, start)


def _stacked_values(values):
    return values[0] if np.ndim(values[0]) or len(set(values)) == 1 else np.array([values])


def same_rule(a, b):
    """Whether two rules do the same."""
    return (
        a.rule == b.rule
        and [type(each) for each in chain(a.rule)] == [type(each) for each in chain(b.rule)]
        and a.start.keys() == b.start.keys()
        and all(np.array_equal(a.start[name], b.start[name]) for name in a.start)
        and all(map(np.array_equal, a.settings, b.settings))
    )


def unstacked(bound, n):
    """The rule of candidate ``n`` as ``stacked`` has it."""
    settings = Settings(*(field[0, n] if np.ndim(field) else field for field in bound.settings))
    start = {
        name: float(value[0, n]) if np.ndim(value) == 2 else value
        for name, value in bound.start.items()
    }
    return bound._replace(settings=settings, start=start)


def _checked(rule, dtype):
    """``rule`` as an object whose numbers are in range and of one kind each."""
    if isinstance(rule, str):
        if rule not in RULES:
            raise ValueError(f"rule={rule!r} is not one of {sorted(RULES)}.")
        return RULES[rule]()
    if not isinstance(rule, tuple) or not hasattr(rule, "_fields"):
        raise TypeError(
            f"rule={rule!r} must be one of {sorted(RULES)} or a rule object, such as "
            "sklearn_adagrad.rules.FTRL(beta=1.0)."
        )
    missing = [name for name in _METHODS if not hasattr(rule, name)]
    if "rule" not in rule._fields and missing:
        raise TypeError(f"rule={rule!r} is not a rule: it has no method {missing[0]}.")
    return _with_checked_fields(rule, dtype)


def _with_checked_fields(item, dtype):
    item = type(item)(*(_checked_field(item, name, dtype) for name in item._fields))
    if hasattr(item, "check"):
        item.check()
    return item


def _checked_field(item, name, dtype):
    value, full_name = getattr(item, name), f"{type(item).__name__}.{name}"
    if name == "rule":
        return _checked(value, dtype)
    if name == "schedule":
        named = isinstance(value, tuple) and hasattr(value, "_fields")
        if not (named and hasattr(value, "factor")) or hasattr(value, "step"):
            raise TypeError(
                f"schedule={value!r} must be a NamedTuple with a method factor(t), such as "
                "sklearn_adagrad.rules.Warmup(rows=1000)."
            )
        return _with_checked_fields(value, dtype)
    if isinstance(item, Multiplied):
        return _checked_array(full_name, value, dtype)
    if not isinstance(value, Real | np.bool_):
        raise TypeError(f"{full_name}={value!r} must be a number.")
    like = item._field_defaults.get(name, value)
    if isinstance(like, bool | np.bool_):
        return bool(value)
    if np.isfinite(value):
        check_fits(full_name, abs(float(value)), dtype)
    return float(value)


def _checked_array(name, value, dtype):
    """``value`` as a float, or as an array of them."""
    try:
        with np.errstate(over="ignore"):  # what is too large is refused below
            array = np.array(value, dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number or one per feature: {error}") from error
    if array.ndim > 1:
        raise ValueError(f"{name} has shape {array.shape}: it must be a number or one per feature.")
    if array.ndim == 0:
        if not isinstance(value, Real | np.ndarray):
            raise TypeError(f"{name}={value!r} must be a number or one per feature.")
        check_fits(name, float(value), dtype)
        return float(value)
    for n in np.flatnonzero(~((array >= 0) & (array <= largest(dtype))))[:1]:
        check_fits(f"{name}[{n}]", float(array[n]), dtype)
    array.flags.writeable = False
    return array


def _check_together(rule, penalised, lr, lr_decay):
    """Refuse what has no exact meaning, or none at all."""
    links = list(chain(rule))
    kinds = [type(each) for each in links]
    base = kinds[-1]
    for kind in set(kinds):
        if kinds.count(kind) > 1 and hasattr(kind, "start"):
            raise ValueError(f"rule={rule!r} has two of {kind.__name__}: one is enough.")
    if Averaged in kinds[1:]:
        raise ValueError(f"rule={rule!r}: Averaged must be the outermost of the wrappers.")
    for n, each in enumerate(links):
        outside = links[:n]
        clipped = any(isinstance(link, Clipped) and link.value < np.inf for link in outside)
        decayed = any(isinstance(link, WeightDecay) and not link.decoupled for link in outside)
        if isinstance(each, Clipped) and each.norm < np.inf and (clipped or decayed):
            raise ValueError(
                "Clipped.norm is about the gradient of a row as it is: it must be outside of "
                "WeightDecay and of Clipped.value."
            )
    changing = {
        "lr_decay": lr_decay > 0,
        "Scheduled": Scheduled in kinds,
    }
    if penalised and base is Adagrad:
        for kind in (Momentum, Averaged, Scheduled):
            if kind in kinds:
                raise ValueError(
                    f"alpha > 0 cannot be combined with {kind.__name__}: the penalties of a "
                    "feature's absence have no closed form then. Set alpha=0, or use WeightDecay."
                )
    if Averaged in kinds and Momentum in kinds:
        raise ValueError("Averaged cannot be combined with Momentum: weights must rest meanwhile.")
    if base is DualAveraging:
        for kind in (Momentum, WeightDecay):
            if kind in kinds:
                raise ValueError(
                    f"{kind.__name__} cannot be combined with DualAveraging, whose weights are not "
                    "made of steps. Use alpha for a penalty."
                )
        if Averaged in kinds and (penalised or any(changing.values())):
            raise ValueError(
                "Averaged can be combined with DualAveraging only if alpha=0 and lr is constant: "
                "weights must rest while their feature is absent."
            )
    if base is FTRL:
        if Momentum in kinds:
            raise ValueError("Momentum cannot be combined with FTRL: its weights are not made of "
                             "steps.")  # fmt: skip
        if any(isinstance(each, WeightDecay) and each.decoupled for each in links):
            raise ValueError("decoupled=True cannot be combined with FTRL: its weights are not "
                             "made of steps. Use alpha.")  # fmt: skip
        for name, is_so in changing.items():
            if is_so:
                raise ValueError(f"{name} cannot be combined with FTRL: its lr must be constant.")
        if not lr > 0:
            raise ValueError(f"lr={lr:g} is out of range: FTRL needs more than 0.")
        for each in links:
            if isinstance(each, Multiplied) and not np.all(np.asarray(each.lr) > 0):
                raise ValueError("Multiplied.lr must be more than 0 with FTRL.")


def _numbers(rule):
    """``rule`` with 1.0 for its arrays, which the kernels find in the records."""
    return type(rule)(
        *(
            _numbers(each) if isinstance(each, tuple) else 1.0 if np.ndim(each) else each
            for each in rule
        )
    )
