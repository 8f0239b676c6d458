"""Learners of the same outputs that are one model: the mean of them, by how well they predict."""

import numpy as np


def averaged(state, values):
    """The mean of the learners' ``values``, which have a row for each head, for each output."""
    n_outputs = state.n_outputs
    values = values.reshape(-1, n_outputs, values.shape[1])
    mean = np.zeros(values.shape[1:])
    for share, each in zip(_shares(state)[..., np.newaxis], values, strict=True):
        mean += np.multiply(share, each, where=share > 0, out=np.zeros_like(mean))
    return mean


def leading(state, values):
    """The rows of ``values`` of the learner which counts most."""
    found, n_outputs = _shares(state).argmax(axis=0), state.n_outputs
    return values.reshape(-1, n_outputs, values.shape[1])[found, np.arange(n_outputs)]


def _shares(state):
    return state.beside["shares"].reshape(-1, state.n_outputs)
