"""Records that are as they began: they need not be saved."""

import numpy as np

from .binding import chain
from .state import copy_state, field, new_state


def forget_zeros(bound, state):
    """A copy of ``state`` in which features without a weight other than zero are new."""
    began = _beginning(bound, state)
    if began is None or field(bound, began, "weights", "weight").any():
        raise ValueError(
            f"{type(bound.base).__name__} begins with weights that are not zero: a feature that "
            "is forgotten would have one again."
        )
    zeros = ~field(bound, state, "weights", "weight").any(axis=0)
    state = copy_state(state)
    state.tables["weights"][zeros] = began.tables["weights"][zeros]
    return state


def without_untouched(bound, state):
    """The tables of ``state``; that of the weights without what need not be saved, if much is."""
    began, table = _beginning(bound, state), state.tables["weights"]
    if began is None:
        return state.tables
    places = np.flatnonzero((_words(table) != _words(began.tables["weights"])).any(axis=1))
    if 2 * len(places) > len(table):
        return state.tables
    touched = {"size": len(table), "places": places, "records": table[places]}
    return state.tables | {"weights": touched}


def with_untouched(bound, tables, dtype, n_heads):
    """The tables again."""
    touched = tables["weights"]
    if not isinstance(touched, dict):
        return tables
    began = new_state(bound, touched["size"], dtype, n_heads // bound.n_candidates)
    weights = began.tables["weights"]
    weights[touched["places"]] = touched["records"]
    return tables | {"weights": weights}


def _beginning(bound, state):
    """What ``state`` was before the first row, or None if that was random."""
    if any(hasattr(each, "draw") for each in chain(bound.rule)):
        return None
    n_outputs = state.n_heads // bound.n_candidates
    return new_state(bound, state.n_features, state.dtype, n_outputs)


def _words(table):
    words = np.ascontiguousarray(table).view(np.uint8).reshape(len(table), -1)
    return words.view(f"u{np.gcd(8, words.shape[1])}")
