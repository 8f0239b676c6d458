"""The two learners that most cases compare, each at the settings that serve it best.

For ``SGDClassifier`` that means no penalty and a constant rate (anything else costs time in
every step), and rows in the order in which they come.
"""

import numpy as np
from sklearn.linear_model import SGDClassifier

from sklearn_adagrad import AdagradClassifier

DTYPES = (np.float32, np.float64)
OURS, SGD = "AdagradClassifier", "SGDClassifier"


def ours(**parameters):
    """An untrained AdagradClassifier; its loss is the log loss by default."""
    return AdagradClassifier(**parameters)


def sgd(**parameters):
    """An untrained SGDClassifier, log loss."""
    best = {"penalty": None, "learning_rate": "constant", "eta0": 0.1, "shuffle": False}
    return SGDClassifier(loss="log_loss", **(best | parameters))


BOTH = {OURS: ours, SGD: sgd}
