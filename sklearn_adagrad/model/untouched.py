"""Features that no row has had: their records are as they began, and need not be saved."""

import numpy as np

from .binding import chain
from .state import copy_state, field, new_state

_FEW = 8  # words of a record
_BY_FEATURE = ("largest",)


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
    for each in by_feature(state.beside):
        state.beside[each][small] = began.beside[each][small]
    return state


def by_feature(beside):
    """The names of the arrays beside the tables that have a number for each feature."""
    return [name for name in _BY_FEATURE if len(beside.get(name, ()))]


def compact(bound, state):
    """The tables of ``state``, and what is beside them.

    If that saves half of the weights, only of features which are not untouched.
    """
    began, table = _beginning(bound, state), state.tables["weights"]
    if began is None:
        return state.tables, state.beside
    differs = differing(table, began.tables["weights"])
    for each in by_feature(state.beside):
        differs |= state.beside[each] != began.beside[each]
    places = np.flatnonzero(differs)
    if 2 * len(places) > len(table):
        return state.tables, state.beside
    touched = {"size": len(table), "places": places, "records": table[places]}
    beside = {each: state.beside[each][places] for each in by_feature(state.beside)}
    return state.tables | {"weights": touched}, state.beside | beside


def expanded(bound, tables, beside, dtype, n_heads):
    """From what ``compact`` has returned to the tables of a state, and what is beside them."""
    touched = tables["weights"]
    if not isinstance(touched, dict):
        return tables, beside
    began = _new_state(bound, touched["size"], dtype, n_heads)
    began.tables["weights"][touched["places"]] = touched["records"]
    for each in by_feature(began.beside):
        began.beside[each][touched["places"]] = beside[each]
        beside = beside | {each: began.beside[each]}
    return tables | {"weights": began.tables["weights"]}, beside


def is_zero_at_first(bound):
    """Whether untouched records are zeros, unless the user gave a number for each feature."""
    drawn = any(hasattr(each, "draw") for each in chain(bound.rule))
    values = (each for each in bound.start.values() if np.ndim(each) != 1)
    return not drawn and not any(map(np.any, values))


def _beginning(bound, state):
    """What ``state`` was before the first row, or None if that was random.

    Only what rules write there takes memory: zeros are not touched.
    """
    if any(hasattr(each, "draw") for each in chain(bound.rule)):
        return None
    return _new_state(bound, state.n_features, state.dtype, state.n_heads)


def _new_state(bound, n_features, dtype, n_heads):
    return new_state(bound, n_features, dtype, n_heads // bound.n_candidates)


def differing(table, other):
    """Which records of two tables differ in some bit, as an array of bools."""
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
