"""What a saved estimator holds: arrays, numbers, and objects that have a public name.

Not one class of the package's own besides its estimators, rules and losses, so that the rest may
change its names; and a number for the format. ``packed`` is for pickles, ``described`` for files.
"""

import numpy as np

from ..formulas.rules import Frozen
from ..model.binding import bind, rebound
from ..model.guard import Guard
from ..model.state import State, field, new_state
from ..model.untouched import by_feature, compact, expanded, is_zero_at_first

FORMAT = 1
_LARGEST = 2**48  # features: none of their positions would be lost in a float


def packed(attributes):
    """The attributes of an estimator as pickles have them."""
    saved = {name: value for name, value in attributes.items() if name != "_turn"}
    saved["_format"] = FORMAT
    if "_state" in saved:
        state, bound = saved.pop("_state"), saved.pop("_bound")
        tables, beside = compact(bound, state)
        saved["_learnt"] = {
            "tables": tables,
            "totals": state.totals,
            "losses": state.losses,
            "beside": beside,
            "arguments": bound.arguments,
        }
    return saved


def unpacked(saved, name):
    """The attributes that were saved, or ValueError."""
    # What pickles of earlier versions do not have.
    later = {"batch_size": 1, "n_jobs": None, "device": "cpu"}
    known = saved | {name: later[name] for name in later if name not in saved}
    number = known.pop("_format", 0)
    if number != FORMAT:
        raise ValueError(
            f"This {name} was saved in format {number} by another version of sklearn_adagrad; "
            f"this one reads format {FORMAT}. Load it with the version that saved it, or train "
            "it anew."
        )
    if "_learnt" in known:
        learnt = known.pop("_learnt")
        tables, losses = learnt["tables"], learnt["losses"]
        dtype = tables["intercept"].dtype[0].base
        bound = rebound(learnt["arguments"], dtype)
        beside = learnt.get("beside", {})  # not there in pickles of earlier versions
        tables, beside = expanded(bound, tables, beside, dtype, losses.shape[1])
        state = State(tables, learnt["totals"], losses, beside, Guard())
        known |= {"_state": state, "_bound": bound}
    return known


# --- files ----------------------------------------------------------------------------------------


def described(bound, state, encoder, name):
    """A state for an ``Encoder``: its arrays are called ``name``, then what they are."""
    if encoder.serving:
        bound, state = _frozen(bound, state)
    tables, beside = state.tables, state.beside
    if is_zero_at_first(bound):
        tables, beside = compact(bound, state)
    places, weights = None, tables["weights"]
    if isinstance(weights, dict):
        places, weights = encoder.add(f"{name}.places", weights["places"]), weights["records"]
    for table, records in (("weights", weights), ("intercept", tables["intercept"])):
        for each in records.dtype.names:
            values = _heads_of(records[each], state.n_heads)
            encoder.add(f"{name}.{table}.{each}", values)
    for total in state.totals.dtype.names:
        encoder.add(f"{name}.totals.{total}", state.totals[total])
    encoder.add(f"{name}.losses", state.losses)
    for each, values in beside.items():
        encoder.add(f"{name}.beside.{each}", values)
    return {
        "name": name,
        "n_features": state.n_features,
        "n_heads": state.n_heads,
        "dtype": state.dtype.name,
        "rule": encoder.encode(bound.arguments, f"{name}.rule"),
        "fields": list(bound.start),
        "places": places,
        "beside": list(beside),
    }


def restored(item, decoder):
    """The rule and the state that ``described`` was given, or ValueError."""
    name, dtype = item["name"], np.dtype({"float32": "f4", "float64": "f8"}[item["dtype"]])
    n_features, n_heads = (_count(item, each) for each in ("n_features", "n_heads"))
    (arguments,) = decoder.decode(item["rule"])
    bound = rebound([arguments], dtype)
    if list(bound.start) != item["fields"]:
        raise ValueError(f"its rule has the fields {list(bound.start)}, not {item['fields']}")
    n_outputs, rest = divmod(n_heads, bound.n_candidates)
    if rest or not n_outputs:
        raise ValueError(f"n_heads={n_heads} are no multiple of {bound.n_candidates} learners")
    kinds = dict.fromkeys(bound.start, dtype)
    kinds |= dict.fromkeys(bound.times, np.dtype(np.uint32 if dtype == np.float32 else np.uint64))
    places = _places(item, decoder, bound, n_features)
    sizes = {"weights": n_features if places is None else len(places), "intercept": 1}
    arrays = {
        (table, each): decoder.array(f"{name}.{table}.{each}", kinds[each], (size, n_heads))
        for table, size in sizes.items()
        for each in bound.start
    }
    losses = decoder.array(f"{name}.losses", np.float64, (2, n_heads))
    # Only now memory is taken: for what the file holds, and zeros that are not touched.
    state = new_state(bound, n_features, dtype, n_outputs)
    for (table, each), values in arrays.items():
        at = slice(None) if places is None or table == "intercept" else places
        _heads_of(state.tables[table][each], n_heads)[at] = values
    for total in state.totals.dtype.names:
        state.totals[total] = decoder.array(f"{name}.totals.{total}", shape=(1,))
    state.losses[:] = losses
    if list(state.beside) != item.get("beside", []):  # not there in files of earlier versions
        raise ValueError(f"it has {item.get('beside')} beside its weights, not {[*state.beside]}")
    for each, values in state.beside.items():
        at = places if places is not None and each in by_feature(state.beside) else slice(None)
        size = values[at].shape
        values[at] = decoder.array(f"{name}.beside.{each}", values.dtype, size)
    return bound, state


def _places(item, decoder, bound, n_features):
    """The features that are in the file, or None if all are."""
    if item["places"] is None:
        return None
    if not is_zero_at_first(bound):
        raise ValueError("features are left out, though they are not zero at first")
    places = decoder.array(item["places"], np.int64)
    if places.ndim != 1 or (np.diff(places, prepend=-1, append=n_features) <= 0).any():
        raise ValueError("the places of its features are out of range, or not in order")
    return places


def _heads_of(values, n_heads):
    """``values`` of a field as an array with a column for each head."""
    return values[:, np.newaxis] if values.ndim == 1 else values[:, :n_heads]


def _count(item, name):
    count = item[name]
    if type(count) is not int or not 1 <= count <= _LARGEST:
        raise ValueError(f"{name}={count!r} is out of range")
    return count


def _frozen(bound, state):
    """The weights alone, as they predict, as a state of a rule that does not learn."""
    zeros = {"lr": 0.0, "alpha": 0.0, "l1_ratio": 0.0, "initial_accumulator_value": 0.0}
    plain = {"rule": Frozen(), "batch_size": 1}
    frozen = bind(dtype=state.dtype, **bound.arguments[0] | zeros | plain)
    new = new_state(frozen, state.n_features, state.dtype, state.n_outputs)
    for table, cells in new.tables.items():
        weights = field(bound, state, table, "weight")
        _heads_of(cells["weight"], state.n_outputs)[:] = weights.T
    new.totals[:], new.losses[:] = state.totals, state.lost[:2]
    return frozen, new
