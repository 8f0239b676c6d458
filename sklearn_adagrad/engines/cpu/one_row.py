"""A row as a user gives it becomes the row that a prepared call works on."""

import numpy as np

from ...arithmetic.jit import compiled


@compiled
def take(indices, values, indptr, own_indices, own_values, n_features):
    """Put a row into arrays of one's own: in the order of its indices, without zeros.

    ``values`` may be a single one for all. Returns whether this was possible: not if an index is
    out of range or there twice, a value is not finite, or the row is too long for the arrays.
    """
    kind, used = own_values.dtype.type, np.int64(0)
    if len(indices) > len(own_indices):
        return False
    for k in range(len(indices)):
        index, value = np.int64(indices[k]), kind(values[k if len(values) > 1 else 0])
        if not (0 <= index < n_features and abs(value) < np.inf):
            return False
        if value == 0:
            continue
        place = used
        while place > 0 and own_indices[place - 1] > index:
            own_indices[place], own_values[place] = own_indices[place - 1], own_values[place - 1]
            place -= 1
        if place > 0 and own_indices[place - 1] == index:
            return False
        own_indices[place], own_values[place] = index, value
        used += 1
    indptr[1] = used
    return True
