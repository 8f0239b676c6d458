"""What a pickled estimator holds: arrays, numbers, and objects that have a public name.

Not one class of the package's own besides its estimators, rules and losses, so that the rest may
change its names; and a number for the format.
"""

from ..model.binding import rebound
from ..model.guard import Guard
from ..model.state import State
from ..model.untouched import compact, expanded

FORMAT = 1


def packed(attributes):
    """The attributes of an estimator as they are saved."""
    saved = {name: value for name, value in attributes.items() if name != "_turn"}
    saved["_format"] = FORMAT
    if "_state" in saved:
        state, bound = saved.pop("_state"), saved.pop("_bound")
        saved["_learnt"] = {
            "tables": compact(bound, state),
            "totals": state.totals,
            "losses": state.losses,
            "arguments": bound.arguments,
        }
    return saved


def unpacked(saved, name):
    """The attributes that were saved, or ValueError."""
    known = dict(saved)
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
        tables = expanded(bound, tables, dtype, losses.shape[1])
        known |= {"_state": State(tables, learnt["totals"], losses, Guard()), "_bound": bound}
    return known
