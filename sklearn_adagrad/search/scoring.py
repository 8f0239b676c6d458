"""What decides between candidates if the user does not say it."""

import numpy as np
from sklearn.metrics import log_loss
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.multiclass import unique_labels

from ..estimators.labels import encode, encode_labels
from ..input.checks import check_target


class NegLogLoss:
    """Minus the log loss of an estimator's probabilities; for several labels, the mean of theirs.

    scikit-learn's "neg_log_loss", but that it also judges labels, and rows of a class that no
    row of training had: its probability is 0.
    """

    def __init__(self, estimator):
        self._estimator = estimator

    def __call__(self, estimator, X, y, sample_weight=None):
        chances = estimator.predict_proba(X)
        y = check_target(estimator, y, len(chances))
        if estimator._is_multilabel:
            columns = zip(encode_labels(y, chances.shape[1]).T, chances.T, strict=True)
            return -float(
                np.mean(
                    [
                        log_loss(on, chance, sample_weight=sample_weight, labels=[False, True])
                        for on, chance in columns
                    ]
                )
            )
        if y.ndim == 2:
            raise ValueError("y has columns of labels, but the model has one class for each row.")
        known, classes = estimator.classes_, unique_labels(estimator.classes_, y)
        if len(classes) == len(known):
            y, classes = encode(y, known), np.arange(len(known))
        else:
            every = np.zeros((len(chances), len(classes)))
            every[:, np.searchsorted(classes, known)] = chances
            chances = every
        return -log_loss(y, chances, sample_weight=sample_weight, labels=classes)

    def __repr__(self):
        return "neg_log_loss"

    def get_metadata_routing(self):
        """As the estimator's own ``score`` takes metadata."""
        return get_routing_for_object(self._estimator)
