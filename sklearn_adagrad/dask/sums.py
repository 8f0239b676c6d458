"""Sums by feature, and the sums of two of them."""

import numpy as np

from ..arithmetic.jit import compiled


class Sums:
    """Adds what there is of some of ``n_features`` features; there is room for all of them."""

    def __init__(self, n_features):
        self.n_features = n_features
        self._places = np.full(n_features, -1, np.int32 if n_features < 2**31 else np.int64)

    def distinct(self, indices):
        """Those among ``indices`` that are the first of theirs."""
        features = np.empty(min(len(indices), len(self._places)), indices.dtype)
        return features[: _distinct(indices, self._places, features)]

    def added(self, features, sums, other_features, other_sums):
        """The features of both, those of the first before, and their sums."""
        both = np.empty(len(features) + len(other_features), features.dtype)
        at = np.empty(len(other_features), self._places.dtype)
        both = both[: _united(features, other_features, self._places, both, at)]
        total = np.zeros((len(both), *sums.shape[1:]), sums.dtype)
        total[: len(features)] = sums
        total[at] += other_sums
        return both, total


@compiled
def _distinct(indices, places, features):
    n = 0
    for j in indices:
        if places[j] < 0:
            places[j] = n
            features[n] = j
            n += 1
    for k in range(n):
        places[features[k]] = -1
    return n


@compiled
def _united(ours, others, places, both, at):
    n = len(ours)
    for k in range(n):
        both[k] = ours[k]
        places[ours[k]] = k
    for k in range(len(others)):
        j = others[k]
        if places[j] < 0:
            places[j] = n
            both[n] = j
            n += 1
        at[k] = places[j]
    for k in range(n):
        places[both[k]] = -1
    return n
