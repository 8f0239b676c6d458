"""Labels become numbers, and class weights become weights of rows."""

from numbers import Real

import numpy as np

from ..input.labels import shown

# Beyond, not every integer is a float64.
_EXACT = 2**53


def check_classes(classes):
    """Refuse fewer than two classes."""
    if len(classes) < 2:
        raise ValueError(
            f"The number of classes has to be greater than one; got {len(classes)} class: "
            f"{classes!r}."
        )


def encode(y, classes, name="y"):
    """The position of each label among the sorted ``classes``."""
    labels = _comparable(y, classes)
    if len(classes) == 2:  # two comparisons are faster than a search
        positive = np.asarray(labels == classes[1])
        known = positive | np.asarray(labels == classes[0])
        codes = positive.view(np.int8)
    else:
        try:
            codes = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        except TypeError:  # labels that do not compare
            codes = np.array([np.argmax(classes == label) for label in labels])
        known = np.asarray(classes[codes] == labels)
    if not known.all():
        row = int(np.argmin(known))
        raise ValueError(
            f"{name}[{row}] = {shown(y[row])} is not one of the classes {classes!r} of the model. "
            "None can join it: name all of them in the first call to partial_fit, or fit to rows "
            "of all classes."
        )
    return codes


def _comparable(y, classes):
    """``y`` in a form that compares exactly: NumPy compares mixed kinds as floats."""
    mixed = y.dtype.kind in "iuf" and classes.dtype.kind in "iu" and y.dtype != classes.dtype
    if mixed and max(map(abs, classes[[0, -1]].tolist())) > _EXACT:
        return np.array([int(each) if each == int(each) else each for each in y.tolist()], object)
    return y


def encode_labels(y, n_labels, name="y"):
    """The indicator matrix ``y``, a column for each label, as 0 and 1."""
    if y.ndim != 2 or y.shape[1] != n_labels:
        raise ValueError(
            f"{name} has shape {y.shape}, but the model has {n_labels} labels, a column for each."
        )
    on = np.asarray(y == 1)
    known = on | np.asarray(y == 0)
    if not known.all():
        row, column = (int(n) for n in np.argwhere(~known)[0])
        raise ValueError(
            f"{name}[{row}, {column}] = {shown(y[row, column])}: columns of labels must be 0 or 1. "
            "Several classes in each of several columns are not supported: use "
            "sklearn.multioutput.MultiOutputClassifier."
        )
    return on


def class_factors(class_weight, classes):
    """The factor of each class by a dict; 1 for a class that it leaves out."""
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight={class_weight!r} must be a dict, 'balanced' or None.")
    for label, factor in class_weight.items():
        if not (isinstance(factor, Real) and 0 <= factor < np.inf):
            raise ValueError(
                f"class_weight[{label!r}] = {factor!r} must be a finite number, not negative."
            )
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown and not set(labels) <= set(class_weight):  # as in scikit-learn: a misspelt label
        raise ValueError(f"class_weight names {unknown}, which are not among the classes {labels}.")
    return np.array([float(class_weight.get(label, 1.0)) for label in labels])


def balanced_factors(counts):
    """The factor of each class that gives all classes the same total weight."""
    return counts.sum() / (len(counts) * np.where(counts > 0, counts, 1.0))


def balanced_in_passing(codes, weights, counts, total):
    """The factor of each row by the counts up to and with that row, and the counts after.

    ``counts`` are the weights of the classes before the first row, ``total`` that of all. The
    sums run on from row to row, so that it makes no difference where a stream is cut.
    """
    counts, own = counts.copy(), np.empty(len(codes))
    by_class = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[by_class], np.arange(len(counts) + 1))
    for code in np.unique(codes):
        rows = by_class[ends[code] : ends[code + 1]]
        own[rows] = np.cumsum(np.append(counts[code], weights[rows]))[1:]
        counts[code] = own[rows[-1]]
    everyone = np.cumsum(np.append(total, weights))
    factors = np.divide(everyone[1:], len(counts) * own, out=np.zeros_like(own), where=own > 0)
    return factors, counts, everyone[-1]
