"""What a field is: a name, a number, a bin of numbers, or a text."""

from numbers import Real
from typing import NamedTuple

import numpy as np


class Category(NamedTuple):
    """A name, hashed as ``field=value``. Integers count as their decimal digits."""

    needs = "names"

    def check_parameters(self):
        pass


class Number(NamedTuple):
    """A number, kept as the value of the feature ``field``."""

    needs = "numbers"

    def check_parameters(self):
        pass


class Ignored(NamedTuple):
    """A field that is left out."""

    needs = "nothing"

    def check_parameters(self):
        pass


class Log(NamedTuple):
    """A number by its order of magnitude: the bin ``±floor(per_octave * log2(1 + |x|))`` as a name.

    Counts and prices spread over orders of magnitude, and a linear model of bins may have any
    shape.

    Parameters
    ----------
    per_octave : float, default=1.0
        How many bins there are for each doubling of ``1 + |x|``. The default has few: each is
        learnt from many rows.
    """

    per_octave: float = 1.0
    needs = "numbers"

    def check_parameters(self):
        if not (isinstance(self.per_octave, Real) and 0 < self.per_octave <= 1e6):
            raise ValueError(f"Log: per_octave must be in (0, 1e6], got {self.per_octave!r}.")

    def bins(self, numbers, edges):
        """The bin of each number, a whole number."""
        return np.copysign(np.floor(self.per_octave * np.log2(1 + np.abs(numbers))), numbers)


class Quantiles(NamedTuple):
    """A number by its rank among the numbers that ``fit`` saw: the name of one of ``n_bins`` bins.

    Parameters
    ----------
    n_bins : int, default=16
        How many bins of equally many rows there are, at most: numbers that are frequent take
        several.
    """

    n_bins: int = 16
    needs = "numbers"

    def check_parameters(self):
        if not (isinstance(self.n_bins, int | np.integer) and 2 <= self.n_bins <= 2**20):
            raise ValueError(
                f"Quantiles: n_bins must be an integer from 2 to 2**20, got {self.n_bins!r}."
            )

    def edges(self, numbers):
        """The numbers between the bins, in increasing order."""
        inner = np.linspace(0, 1, self.n_bins + 1)[1:-1]
        return np.unique(np.quantile(numbers, inner)) if len(numbers) else np.empty(0)

    def bins(self, numbers, edges):
        """The bin of each number, a whole number."""
        return np.searchsorted(edges, numbers, side="right")


class Words(NamedTuple):
    """A text: ``field=word`` for each of its words, or runs of words, with the number of times.

    Words are of letters, digits, underscores and everything that is not ASCII. ASCII letters
    become small ones. A text without words counts as missing.

    Parameters
    ----------
    fewest : int, default=1
        How many neighbouring words make a feature, at least.
    most : int, default=1
        And at most: with 2, pairs of words count too, joined by a space.
    """

    fewest: int = 1
    most: int = 1
    needs = "texts"

    def check_parameters(self):
        whole = all(isinstance(each, int | np.integer) for each in self)
        if not (whole and 1 <= self.fewest <= self.most <= 16):
            raise ValueError(
                f"Words: fewest and most must be integers, 1 <= fewest <= most <= 16, got {self!r}."
            )


KINDS = {
    "category": Category(),
    "number": Number(),
    "log": Log(),
    "quantiles": Quantiles(),
    "words": Words(),
    "ignore": Ignored(),
}


def kind_of(name, kind):
    """The kind that a user says a field is, a name or an object."""
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind]
    if isinstance(kind, tuple(type(each) for each in KINDS.values())):
        kind.check_parameters()
        return kind
    raise ValueError(
        f"fields[{name!r}] must be one of {', '.join(map(repr, KINDS))}, or an object of "
        f"sklearn_adagrad.fields such as Quantiles(32), got {kind!r}."
    )
