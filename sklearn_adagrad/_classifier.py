"""The classifier: the only place that knows labels."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted

from ._base import BaseAdagrad, StrOptions, _fit_context, loss_options
from .kernels.losses import CLASSIFICATION


def _has_probabilities(self):
    if hasattr(self._loss(), "probability"):
        return True
    named = [name for name, loss in CLASSIFICATION.items() if hasattr(loss, "probability")]
    raise AttributeError(
        f"Probabilities are not available with loss={self.loss!r}, only with {' and '.join(map(repr, named))} "
        "or a loss object with a method probability(score)."
    )


class AdagradClassifier(ClassifierMixin, BaseAdagrad):
    """TODO."""

    _parameter_constraints = {
        "loss": loss_options(CLASSIFICATION),
        **BaseAdagrad._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }
    _losses = CLASSIFICATION

    def __init__(
        self,
        loss="log_loss",
        *,
        lr=0.1,
        eps=1e-10,
        lr_decay=0.0,
        initial_accumulator_value=0.0,
        rule="adagrad",
        fit_intercept=True,
        max_iter=100,
        tol=1e-3,
        n_iter_no_change=5,
        shuffle=True,
        early_stopping=False,
        validation_fraction=0.1,
        class_weight=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.lr = lr
        self.eps = eps
        self.lr_decay = lr_decay
        self.initial_accumulator_value = initial_accumulator_value
        self.rule = rule
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return self._partial_fit(X, y, sample_weight, classes=classes)

    # --- labels ---------------------------------------------------------------------------

    def _begin_fit(self, y, weights, warm):
        check_classification_targets(y)
        classes = np.unique(y)
        if warm:
            _encode(y, self.classes_)
            classes = self.classes_
        _check_classes(classes)
        counts = np.bincount(_encode(y, classes), weights, len(classes))
        return {"classes_": classes, "_class_counts": counts, "_all_counts": counts.sum()}

    def _begin_partial_fit(self, classes):
        if self.__sklearn_is_fitted__():
            if classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
                raise ValueError(
                    f"classes={classes!r} differs from the classes of the first call, {self.classes_!r}. "
                    "They cannot change: leave the argument out, or train a new model."
                )
            names = ("classes_", "_class_counts", "_all_counts")
            return {name: getattr(self, name) for name in names}
        if classes is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all labels that will ever occur."
            )
        classes = unique_labels(classes)
        _check_classes(classes)
        return {"classes_": classes, "_class_counts": np.zeros(len(classes)), "_all_counts": 0.0}

    def _n_heads(self, fitted):
        n_classes = len(fitted["classes_"])
        return 1 if n_classes == 2 else n_classes

    def _targets(self, y, fitted):
        codes = _encode(y, fitted["classes_"])
        positives = range(1, 2) if len(fitted["classes_"]) == 2 else range(len(fitted["classes_"]))
        return tuple(np.where(codes == positive, 1.0, -1.0) for positive in positives)

    def _weigh(self, y, weights, fitted):
        """Weights times class weights; "balanced" goes by the counts of the whole fit."""
        if self.class_weight is None:
            return weights
        codes, classes = _encode(y, fitted["classes_"]), fitted["classes_"]
        if self.class_weight == "balanced":
            counts = fitted["_class_counts"]
            present = np.where(counts > 0, counts, 1.0)
            return weights * (counts.sum() / (len(classes) * present))[codes]
        return weights * _factors(self.class_weight, classes)[codes]

    def _weigh_in_passing(self, y, weights, fitted):
        """Weights times class weights; "balanced" goes by the counts up to and with each row."""
        if self.class_weight != "balanced":
            return self._weigh(y, weights, fitted), {}
        codes, counts = _encode(y, fitted["classes_"]), fitted["_class_counts"]
        # Sums run on from row to row, so that it does not matter where a chunk ends.
        by_class = [
            np.cumsum(np.append(count, np.where(codes == code, weights, 0.0)))
            for code, count in enumerate(counts)
        ]
        everyone = np.cumsum(np.append(fitted["_all_counts"], weights))
        own = np.stack(by_class)[codes, np.arange(1, len(codes) + 1)]
        factors = np.divide(everyone[1:], len(counts) * own, out=np.zeros_like(own), where=own > 0)
        after = {
            "_class_counts": np.array([each[-1] for each in by_class]),
            "_all_counts": everyone[-1],
        }
        return weights * factors, after

    def _splitter(self):
        return StratifiedShuffleSplit(
            n_splits=1, test_size=self.validation_fraction, random_state=self.random_state
        )

    # --- prediction -----------------------------------------------------------------------

    def decision_function(self, X):
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        scores = self._scores(X)
        best = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1)
        return self.classes_[best.astype(np.intp)]

    @available_if(_has_probabilities)
    def predict_proba(self, X):
        check_is_fitted(self)
        chances = self._loss().probability(self._scores(X))
        if chances.shape[1] == 1:
            return np.column_stack([1.0 - chances, chances])
        total = chances.sum(axis=1, keepdims=True)
        equal = np.full_like(chances, 1.0 / chances.shape[1])
        return np.divide(chances, total, out=equal, where=total > 0)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X):
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @property
    def coef_(self):
        return self._read("weight", "cells")

    @property
    def intercept_(self):
        return self._read("weight", "intercept")[:, 0]

    @property
    def accumulator_(self):
        return self._read("accumulator", "cells")


def _encode(y, classes):
    """The number of each label among ``classes``, which are sorted."""
    if len(classes) == 2:  # two comparisons beat a search
        codes = y == classes[1]
        known = codes | (y == classes[0])
        codes = np.asarray(codes, np.intp)
    else:
        codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
        known = classes[codes] == y
    if not np.all(known):
        row = int(np.argmin(known))
        raise ValueError(
            f"y[{row}] = {y[row]!r} is not one of the classes {classes!r}. New classes cannot join a "
            "trained model: name all of them in the first call to partial_fit, or fit a new model."
        )
    return codes


def _check_classes(classes):
    if len(classes) < 2:
        raise ValueError(
            f"The number of classes has to be greater than one; got {len(classes)} class: {classes!r}."
        )


def _factors(class_weight, classes):
    """The weight of each class by a dict; 1 where it says nothing."""
    unknown = set(class_weight) - set(classes.tolist())
    bad = {
        label: each for label, each in class_weight.items() if not (np.isfinite(each) and each >= 0)
    }
    if unknown or bad:
        raise ValueError(
            f"class_weight={class_weight!r}: "
            + (
                f"{sorted(map(str, unknown))} are not among the classes {classes!r}."
                if unknown
                else f"{bad!r} must be finite and not negative."
            )
        )
    return np.array([float(class_weight.get(label, 1.0)) for label in classes.tolist()])
