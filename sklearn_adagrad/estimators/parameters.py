"""Hyper-parameters become a loss and a rule."""

from functools import lru_cache
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator

from .._sklearn import HasMethods, Interval, StrOptions, _openmp_effective_n_threads
from ..formulas.row_steps import ImportanceAware
from ..formulas.rules import RULES, is_importance_aware
from ..model.binding import AUTO, bind, within

# What the candidates of a search may differ in.
SEARCHED = ("lr", "eps", "alpha", "l1_ratio", "initial_accumulator_value")


def loss_options(registry):
    """What ``loss=`` accepts: a name from ``registry``, or an object with a loss's methods."""
    return [StrOptions(set(registry)), HasMethods(["value", "gradient"])]


_PLAIN = {int, float, str}  # values that are nobody else's to change


class Parameters(BaseEstimator):
    """The hyper-parameters that both estimators have, and what may be their values."""

    _losses: ClassVar[dict]  # the losses that have a name
    _parameter_constraints: ClassVar[dict] = {
        "lr": [Interval(Real, 0, None, closed="left"), StrOptions({AUTO})],
        "eps": [Interval(Real, 0, None, closed="left")],
        "lr_decay": [Interval(Real, 0, None, closed="left")],
        "initial_accumulator_value": [Interval(Real, 0, None, closed="left")],
        "rule": [StrOptions(set(RULES)), tuple],
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "batch_size": [
            Interval(Integral, 1, 2**40, closed="both"),
            Interval(Real, 0, 1, closed="neither"),
        ],
        "n_jobs": [Integral, None],
        "device": [str],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "early_stopping": ["boolean", StrOptions({AUTO})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _loss(self):
        """The loss as a named tuple whose numbers are floats: one compilation serves them all."""
        if isinstance(self.loss, str):
            if self.loss not in self._losses:
                raise ValueError(f"loss={self.loss!r} is not one of {sorted(self._losses)}.")
            return self._losses[self.loss]()
        if not isinstance(self.loss, tuple):
            raise TypeError(
                f"loss={self.loss!r} must be an instance of a typing.NamedTuple class: the "
                "compiler tells losses apart by their class and reads their fields at run time."
            )
        if not all(isinstance(each, Real) for each in self.loss):
            raise TypeError(f"All fields of loss={self.loss!r} must be numbers.")
        loss = type(self.loss)(*map(float, self.loss))
        if hasattr(loss, "check_parameters"):
            loss.check_parameters()
        return loss

    def _n_threads(self):
        """How many threads may work at once, which others limit too."""
        n = effective_n_jobs(self.n_jobs)
        if n > 1:
            n = min(n, _openmp_effective_n_threads(only_physical_cores=False))
        return max(1, n)

    def _rule(self, dtype, **instead):
        """The rule with ``self``'s hyper-parameters, some of them replaced, for ``dtype``."""
        names = (*SEARCHED, "lr_decay", "batch_size")
        numbers = {name: instead.get(name, getattr(self, name)) for name in names}
        rule = self.rule
        is_aware = isinstance(rule, tuple) and is_importance_aware(rule)
        if is_aware or numbers["lr"] == AUTO:
            has_limit = hasattr(self._loss(), "drop")
            if is_aware and not has_limit:
                raise ValueError(
                    f"rule={rule!r} needs a loss that has the method drop(y, score, reach), but "
                    f"loss={self.loss!r} has none."
                )
            rule = within(rule, ImportanceAware) if has_limit and not is_aware else rule
        plain = isinstance(self.rule, str) and all(
            type(each) in _PLAIN for each in numbers.values()
        )
        try:
            return (_bound_before if plain else bind)(rule, np.dtype(dtype), **numbers)
        except ValueError as error:
            if numbers["lr"] != AUTO:
                raise
            bind(self.rule, np.dtype(dtype), **numbers | {"lr": 0.1})  # or is it not for lr?
            raise ValueError(
                f"rule={self.rule!r} does not go with lr='auto', the default: {error} Set lr to a "
                "number such as 0.1."
            ) from error


@lru_cache(maxsize=256, typed=True)  # a batch_size of 1.0 is none, though it equals 1
def _bound_before(rule, dtype, **numbers):
    """What ``bind`` returned for the same names and numbers: a stream asks again and again."""
    return bind(rule, dtype, **numbers)
