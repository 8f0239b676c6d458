"""How good predictions were, as figures that follow from sums over rows.

Each class here is for one kind of prediction. ``empty()`` are sums of no rows, a dict of arrays,
``judged(y, predicted, weights)`` is what rows add, ``add(judged, sums)`` adds them row by row,
and ``figures(sums)`` has the metrics, NaN where there are not enough rows for one.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import entr

from .tally import BINS, add_log_odds, add_rows, add_scores


class _Judged(NamedTuple):
    """What rows add: a row of ``columns`` for each sum, and what goes into a histogram."""

    columns: np.ndarray | None
    scores: np.ndarray
    codes: np.ndarray
    weights: np.ndarray


class LogOdds(NamedTuple):
    """Two classes, predicted as log-odds."""

    def empty(self):
        return {"sums": np.zeros(4), "histogram": np.zeros((2, BINS))}

    def judged(self, y, predicted, weights):
        return _Judged(None, np.ascontiguousarray(predicted), np.asarray(y, bool), weights)

    def add(self, judged, sums):
        _, log_odds, positive, weights = judged
        room = np.zeros(20)
        add_log_odds(log_odds, positive, weights, room, sums["sums"], sums["histogram"])

    def figures(self, sums):
        weight, positive, predicted, lost = sums["sums"]
        log_loss = _ratio(lost, weight)
        share = _ratio(positive, weight)
        return {
            "log_loss": log_loss,
            "roc_auc": roc_auc(sums["histogram"]),
            "calibration": _ratio(predicted, positive),
            "normalized_entropy": _ratio(log_loss, entr(share) + entr(1.0 - share)),
        }


class Scores(NamedTuple):
    """Two classes, predicted as scores of which positive ones are for the second."""

    def empty(self):
        return {"sums": np.zeros(2), "histogram": np.zeros((2, BINS))}

    def judged(self, y, predicted, weights):
        right = (predicted > 0) == (y > 0)
        columns = np.stack([weights, weights * right])
        return _Judged(columns, np.array(predicted, float), np.array(y, float), weights)

    def add(self, judged, sums):
        add_rows(judged.columns, sums["sums"])
        add_scores(judged.scores, judged.codes, judged.weights, sums["histogram"])

    def figures(self, sums):
        weight, right = sums["sums"]
        return {"accuracy": _ratio(right, weight), "roc_auc": roc_auc(sums["histogram"])}


class Chances(NamedTuple):
    """Several classes, predicted as their probabilities. ``y`` are their numbers."""

    n_classes: int

    def empty(self):
        return {"sums": np.zeros(3), "counts": np.zeros(self.n_classes)}

    def judged(self, y, predicted, weights):
        chance = np.maximum(predicted[np.arange(len(y)), y], np.finfo(np.float64).eps)
        right = predicted.argmax(axis=1) == y
        columns = np.stack([weights, weights * right, weights * -np.log(chance)])
        return _Judged(columns, predicted, y, weights)

    def add(self, judged, sums):
        add_rows(judged.columns, sums["sums"])
        np.add.at(sums["counts"], judged.codes, judged.weights)

    def figures(self, sums):
        weight, right, lost = sums["sums"]
        log_loss = _ratio(lost, weight)
        shares = sums["counts"] / weight if weight > 0 else sums["counts"]
        return {
            "log_loss": log_loss,
            "accuracy": _ratio(right, weight),
            "normalized_entropy": _ratio(log_loss, entr(shares).sum()),
        }


class Labels(NamedTuple):
    """Classes, predicted as such. ``y`` and the predictions are their numbers."""

    def empty(self):
        return {"sums": np.zeros(2)}

    def judged(self, y, predicted, weights):
        right = weights * (np.asarray(predicted) == y)
        return _Judged(np.stack([weights, right]), predicted, y, weights)

    def add(self, judged, sums):
        add_rows(judged.columns, sums["sums"])

    def figures(self, sums):
        return {"accuracy": _ratio(sums["sums"][1], sums["sums"][0])}


class Numbers(NamedTuple):
    """Numbers, of one target or several; of these the mean, and one R2 of all together.

    ``origin`` is a number among them, or near: sums are of differences to it.
    """

    origin: float

    def empty(self):
        return {"sums": np.zeros(5)}

    def judged(self, y, predicted, weights):
        y, predicted = (np.reshape(each, (len(weights), -1)) for each in (y, predicted))
        y = y.astype(float)
        with np.errstate(over="ignore", invalid="ignore"):
            error = predicted - y
            y = y - self.origin
            sizes = np.ones_like(y), error**2, abs(error), y, y**2
            columns = np.stack([each.mean(axis=1) for each in sizes]) * weights
        columns[:, weights == 0] = 0.0  # infinity times zero too
        return _Judged(columns, predicted, y, weights)

    def add(self, judged, sums):
        add_rows(judged.columns, sums["sums"])

    def figures(self, sums):
        weight, squares, absolutes, total, total_squares = sums["sums"]
        with np.errstate(over="ignore", invalid="ignore"):
            spread = total_squares - total * _ratio(total, weight)
        return {
            "mean_squared_error": _ratio(squares, weight),
            "mean_absolute_error": _ratio(absolutes, weight),
            "r2": 1.0 - _ratio(squares, spread),
        }


METRICS = (LogOdds, Scores, Chances, Labels, Numbers)


def roc_auc(histogram):
    """The share of pairs of a negative and a positive row in order; pairs in one bin count half.

    So it is wrong by at most half of the share of pairs in one bin.
    """
    negative, positive = histogram
    pairs = negative.sum() * positive.sum()
    below = np.cumsum(negative) - negative / 2.0
    return _ratio((positive * below).sum(), pairs)


def _ratio(a, b):
    return float(a / b) if b > 0 else float("nan")
