"""What decides between candidates if the user does not say it."""

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics import log_loss
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import column_or_1d


class NegLogLoss:
    """Minus the log loss of an estimator's probabilities; for several labels, the mean of theirs.

    scikit-learn's "neg_log_loss", but that it also judges labels, and rows of a class that no
    row of training had: its probability is 0.
    """

    def __init__(self, estimator):
        self._estimator = estimator

    def __call__(self, estimator, X, y, sample_weight=None):
        chances = estimator.predict_proba(X)
        if np.ndim(y) == 2 and np.shape(y)[1] > 1:
            y = y.toarray() if issparse(y) else np.asarray(y)
            labels = (np.stack([1.0 - each, each], axis=1) for each in chances.T)
            columns = zip(y.T, labels, strict=True)
            return float(np.mean([self._score(*each, [0, 1], sample_weight) for each in columns]))
        y = column_or_1d(y)
        classes = np.union1d(estimator.classes_, y)
        every = np.zeros((len(chances), len(classes)))
        every[:, np.searchsorted(classes, estimator.classes_)] = chances
        return self._score(y, every, classes, sample_weight)

    def _score(self, y, chances, classes, sample_weight):
        return -log_loss(y, chances, sample_weight=sample_weight, labels=classes)

    def __repr__(self):
        return "neg_log_loss"

    def get_metadata_routing(self):
        """As the estimator's own ``score`` takes metadata."""
        return get_routing_for_object(self._estimator)
