"""Features that no row has had: their records are as they began, and need not be saved."""

import numpy as np

from .binding import chain
from .state import copy_state, field, new_state

_FEW = 8  # words of a record


def forget(bound, state, threshold):
    """A copy of ``state`` in which features are new whose weights are all within ``threshold``."""
    began = _beginning(bound, state)
    if began is None or field(bound, began, "weights", "weight").any():
        raise ValueError(
            f"rule={bound.arguments[0]['rule']!r} begins with weights that are not zero: a feature "
            "that is forgotten would have one again."
        )
    small = (np.abs(field(bound, state, "weights", "weight")) <= threshold).all(axis=0)
    state = copy_state(state)
    state.tables["weights"][small] = began.tables["weights"][small]
    return state


def compact(bound, state):
    """The tables of ``state``; if that saves half of the weights', only what is not untouched."""
    began, table = _beginning(bound, state), state.tables["weights"]
    if began is None:
        return state.tables
    places = np.flatnonzero(_differs(table, began.tables["weights"]))
    if 2 * len(places) > len(table):
        return state.tables
    touched = {"size": len(table), "places": places, "records": table[places]}
    return state.tables | {"weights": touched}


def expanded(bound, tables, dtype, n_heads):
    """From what ``compact`` has returned to the tables of a state."""
    touched = tables["weights"]
    if not isinstance(touched, dict):
        return tables
    weights = _new_state(bound, touched["size"], dtype, n_heads).tables["weights"]
    weights[touched["places"]] = touched["records"]
    return tables | {"weights": weights}


def is_zero_at_first(bound):
    """Whether untouched records are zeros, unless the user gave a number for each feature."""
    drawn = any(hasattr(each, "draw") for each in chain(bound.rule))
    return not drawn and not any(np.ndim(each) == 0 and each for each in bound.start.values())


def _beginning(bound, state):
    """What ``state`` was before the first row, or None if that was random.

    Only what rules write there takes memory: zeros are not touched.
    """
    if any(hasattr(each, "draw") for each in chain(bound.rule)):
        return None
    return _new_state(bound, state.n_features, state.dtype, state.n_heads)


def _new_state(bound, n_features, dtype, n_heads):
    return new_state(bound, n_features, dtype, n_heads // bound.n_candidates)


def _differs(table, other):
    """Which records of two tables differ in some bit."""
    a, b = _words(table), _words(other)
    if a.shape[1] > _FEW:
        return (a != b).any(axis=1)
    differs = a[:, 0] != b[:, 0]  # NumPy is slow at many sums of few
    for n in range(1, a.shape[1]):
        differs |= a[:, n] != b[:, n]
    return differs


def _words(table):
    words = np.ascontiguousarray(table).view(np.uint8).reshape(len(table), -1)
    return words.view(f"u{np.gcd(8, words.shape[1])}")
