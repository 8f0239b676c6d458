"""From what the user says about the update rule to what an engine needs to know."""

from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ..formulas.penalty import DecayingPenalised, Penalised
from ..formulas.row_steps import ImportanceAware, ScaleFree
from ..formulas.rules import RULES, Settings, is_lazy
from ..formulas.wrappers import FeaturePenalty
from .batching import checked_size, in_batches
from .combinations import chain, check_decay, check_divisor, check_together
from .limits import check_fits, largest, least_eps

# What a rule that holds no other one must have.
_METHODS = ("start", "step")

AUTO = "auto"
# The learners of ``lr="auto"``: their rates, and whether columns have scales of their own.
LEARNERS = ((0.4, True), (2.0, True), (12.0, True), (20.0, False))

# l2 is nothing beside l1 if it is smaller by this factor.
_NOTHING = 1e-15
_TOO_LITTLE = 1e-17


class BoundRule(NamedTuple):
    """A rule with all its numbers: what one estimator learns with."""

    rule: Any  # for the engines: its fields are numbers and rules
    intercept_rule: Any  # the same without what is about features only
    settings: Settings
    start: dict  # of every field of a record: what it starts from, a number or one per feature
    arguments: list  # those of ``bind``, for each candidate: what makes the same again
    mixes: bool = False  # whether the candidates are learners whose mean predicts

    @property
    def n_candidates(self):
        """How many models with settings of their own it is for; see ``stacked``."""
        lr = self.settings.lr
        return 1 if isinstance(lr, float) else np.size(lr)

    @property
    def largest_lr(self):
        """The largest rate of any feature in the first row."""
        lr = self.settings.lr
        largest = lr if isinstance(lr, float) else float(np.max(lr))
        if "lr_multiplier" in self.start:
            largest *= float(np.max(self.start["lr_multiplier"], initial=0.0))
        return largest

    @property
    def max_norm(self):
        """To which the gradient of a row is shortened, or infinity."""
        return min(getattr(each, "max_norm", np.inf) for each in chain(self.rule))

    @property
    def base(self):
        """The innermost rule."""
        return list(chain(self.rule))[-1]

    @property
    def given(self):
        """The fields that hold what the user gives for each feature, and the user's name of it."""
        return {
            field: name
            for each in chain(self.rule)
            for field, name in getattr(each, "given", {}).items()
        }

    @property
    def derived(self):
        """The fields that follow from the settings, or are times."""
        return self._declared("derived")

    @property
    def times(self):
        """The fields that are times of rows."""
        return self._declared("times")

    @property
    def pending(self):
        """The fields that belong to a batch that has not ended."""
        return self._declared("pending") & {*self.start}

    def _declared(self, name):
        return {field for each in chain(self.rule) for field in getattr(each, name, ())}

    @property
    def remembers_settings(self):
        """Whether records depend on the settings that they were learnt with."""
        return any(
            is_lazy(each) or getattr(each, "remembers_settings", False) for each in chain(self.rule)
        )

    def drawn(self, random, shape):
        """What rules that begin at random put into the fields of the weights' records."""
        return {
            field: values
            for each in chain(self.rule)
            if hasattr(each, "draw")
            for field, values in each.draw(self.settings, random, shape).items()
        }


def reading(rule):
    """``rule`` as it predicts."""
    return next((each.reading for each in chain(rule) if hasattr(each, "reading")), rule)


def bind(
    rule, dtype, *, lr, eps, lr_decay, initial_accumulator_value, alpha, l1_ratio, batch_size=1,
    floor_eps=True,
):  # fmt: skip
    """The rule that the kernels run, or an error that names what is wrong with it."""
    batch_size = checked_size(batch_size)
    if lr == AUTO:
        return _bind_learners(
            rule, dtype, eps=eps, lr_decay=lr_decay, alpha=alpha, l1_ratio=l1_ratio,
            initial_accumulator_value=initial_accumulator_value, batch_size=batch_size,
        )  # fmt: skip
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
    arguments = {
        "rule": rule,
        "lr": lr,
        "eps": eps,
        "lr_decay": lr_decay,
        "initial_accumulator_value": initial_accumulator_value,
        "alpha": alpha,
        "l1_ratio": l1_ratio,
        "batch_size": batch_size,
        "floor_eps": floor_eps,
    }
    links = list(chain(rule))
    penalised = bool(np.any(np.asarray(alpha) > 0))
    multiple = max(getattr(each, "lr_multiple", 1.0) for each in links)
    check_together(rule, penalised, lr, lr_decay)
    check_decay(links, lr)
    if getattr(links[-1], "needs_constant_lr", False):
        check_divisor(links, lr, dtype)
    check_fits("lr times Multiplied.lr", lr * multiple, dtype)
    if penalised and getattr(links[-1], "penalty", None) == "proximal":
        rule = (DecayingPenalised if lr_decay > 0 else Penalised)(rule)
    single = np.ndim(alpha) == 0
    if penalised and not single:
        rule = _with_feature_penalty(rule, alpha)
    rule = in_batches(rule, batch_size)
    l1, l2 = l1_ratio * (alpha if single else 1.0), (1.0 - l1_ratio) * (alpha if single else 1.0)
    least = least_eps(dtype, lr * multiple) ** (2 if getattr(links[-1], "eps_inside", False) else 1)
    if not floor_eps:  # what keeps lr / eps a number
        info = np.finfo(dtype)
        least = 2.0 * lr * multiple / float(info.max) if eps > 0.0 else 0.0
    l1, l2 = (l1, l2 if l2 > _NOTHING * l1 else 0.0) if penalised else (0.0, 0.0)
    settings = Settings(
        lr,
        max(eps, least),
        lr_decay,
        initial_accumulator_value,
        l1,
        l2,
        l1 / l2 if l2 > 0.0 else np.inf,
        float(any(getattr(each, "by_column", False) for each in links)),
    )
    start = {}
    for each in reversed(list(chain(rule))):
        if hasattr(each, "start"):
            begun = each.start(settings)
            _check_names(each, begun.keys() & start.keys())
            start |= begun
    rule = _numbers(rule)
    return BoundRule(rule, _for_intercept(rule), settings, start, [arguments])


def _bind_learners(rule, dtype, **numbers):
    """The rule of several learners, whose mean is the model."""
    rule = _checked(rule, dtype)
    own = [each for each in chain(rule) if isinstance(each, ScaleFree | ImportanceAware)]
    if [type(each) for each in own] not in ([], [ImportanceAware]):
        raise ValueError("its learners are ScaleFree already, so it may be left out.")
    bounds = [
        bind(within(rule, ScaleFree, by_column), dtype, lr=lr, **numbers)
        for lr, by_column in LEARNERS
    ]
    arguments = [{"rule": rule, "lr": AUTO, **numbers}]
    return stacked(bounds)._replace(arguments=arguments, mixes=True)


def within(rule, wrapper, *fields):
    """``rule``, the innermost of which has this ``wrapper``; by name or as an object."""
    if isinstance(rule, tuple) and "rule" in rule._fields:
        return rule._replace(rule=within(rule.rule, wrapper, *fields))
    return wrapper(rule, *fields)


def _for_intercept(rule):
    """``rule`` without what is about features only."""
    if getattr(rule, "for_features_only", False):
        return _for_intercept(rule.rule)
    return rule._replace(rule=_for_intercept(rule.rule)) if "rule" in rule._fields else rule


def _with_feature_penalty(rule, alpha):
    """Within a mean, which must see every change of a weight."""
    if getattr(rule, "is_outermost", False):
        return rule._replace(rule=FeaturePenalty(rule.rule, alpha))
    return FeaturePenalty(rule, alpha)


def _check_names(link, names):
    """Refuse a rule of the user's whose records have names that those of a wrapper have too."""
    if names and type(link).__module__.partition(".")[0] == __name__.partition(".")[0]:
        raise ValueError(
            f"{type(link).__name__} keeps an entry {min(names)!r} in the record of a weight, and "
            "so does the rule that it wraps: give that another name."
        )


def stacked(bounds):
    """One rule for several candidates, whose numbers are arrays of shape (1, n_candidates).

    ``bounds`` are the candidates' own rules. They may differ in their settings only, of which
    ``lr_decay`` must be the same.
    """
    if len(bounds) == 1:
        return bounds[0]
    penalised = [each for each in bounds if "share" in each.start]
    first = (penalised or bounds)[0]
    fields = zip(*(each.settings for each in bounds), strict=True)
    settings = Settings(*(np.array([field]) for field in fields))
    settings = settings._replace(lr_decay=bounds[0].settings.lr_decay)
    if penalised:  # such rules need a ratio: without l2, let there be too little to matter
        l2 = np.where(settings.l2 > 0, settings.l2, settings.l1 * _TOO_LITTLE)
        ratio = np.divide(settings.l1, l2, out=np.zeros_like(l2), where=l2 > 0)
        settings = settings._replace(l2=l2, ratio=ratio)
    start = {
        name: _stacked_values([each.start.get(name, 0.0) for each in bounds])
        for name in first.start
    }
    arguments = [each for bound in bounds for each in bound.arguments]
    return first._replace(settings=settings, start=start, arguments=arguments)


def rebound(arguments, dtype):
    """The rule that has these ``arguments``."""
    return stacked([bind(dtype=dtype, **each) for each in arguments])


def _stacked_values(values):
    return values[0] if np.ndim(values[0]) or len(set(values)) == 1 else np.array([values])


def same_rule(a, b):
    """Whether two rules do the same."""
    return (
        a.rule == b.rule
        and kinds(a.rule) == kinds(b.rule)
        and a.start.keys() == b.start.keys()
        and all(np.array_equal(a.start[name], b.start[name]) for name in a.start)
        and all(map(np.array_equal, a.settings, b.settings))
    )


def kinds(item):
    """The classes of a rule and of all within it: tuples are equal whatever their class."""
    return [type(item), *(kinds(each) for each in item if isinstance(each, tuple))]


def unstacked(bound, n):
    """The rule of candidate ``n`` as ``stacked`` has it."""
    settings = Settings(*(field[0, n] if np.ndim(field) else field for field in bound.settings))
    start = {
        name: float(value[0, n]) if np.ndim(value) == 2 else value
        for name, value in bound.start.items()
    }
    arguments = bound.arguments if bound.mixes else [bound.arguments[n]]
    return bound._replace(settings=settings, start=start, arguments=arguments, mixes=False)


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
    missing = [name for name in _METHODS if not callable(getattr(rule, name, None))]
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
    if name in getattr(item, "per_feature", ()):
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


def _numbers(rule):
    """``rule`` with 1.0 for its arrays, which the kernels find in the records."""
    return type(rule)(
        *(
            _numbers(each) if isinstance(each, tuple) else 1.0 if np.ndim(each) else each
            for each in rule
        )
    )
