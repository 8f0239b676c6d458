"""The two learners that most cases compare, each at the settings that serve it best.

For ``SGDClassifier`` that means no penalty and a constant rate (anything else costs time in
every step), and rows in the order in which they come.
"""

import numpy as np
from sklearn.linear_model import SGDClassifier

from sklearn_adagrad import AdagradClassifier

DTYPES = (np.float32, np.float64)
_INVSCALING = {"learning_rate": "invscaling", "power_t": 0.25}
SGD_SETTINGS = {  # those that are tried
    **{f"constant, eta0={eta0:g}": {"eta0": eta0} for eta0 in (0.003, 0.01, 0.03, 0.1, 0.3)},
    **{
        f"invscaling, power_t=0.25, eta0={eta0:g}": {**_INVSCALING, "eta0": eta0}
        for eta0 in (0.1, 0.3, 1.0)
    },
}
OURS, SGD = "AdagradClassifier", "SGDClassifier"


def ours(**parameters):
    """An untrained AdagradClassifier; by default of the log loss, and at a rate of 0.1."""
    return AdagradClassifier(**({"lr": 0.1} | parameters))


def sgd(**parameters):
    """An untrained SGDClassifier, log loss."""
    best = {"penalty": None, "learning_rate": "constant", "eta0": 0.1, "shuffle": False}
    return SGDClassifier(loss="log_loss", **(best | parameters))


BOTH = {OURS: ours, SGD: sgd}
