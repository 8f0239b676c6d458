"""Fitted models as ONNX."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from .. import FieldHasher
from .converters import register_onnx
from .graph import library
from .hashed import hashed_model
from .linear import linear_of


def to_onnx(model: BaseEstimator, X: Any, *, raw_scores: bool = False) -> Any:
    """A fitted model as ONNX, for other languages and for prediction of single rows.

    All sums are of float64 and the weights of the dtype of the model, so predictions are those of
    the model up to rounding. What the model refuses, such as infinite numbers, is not refused. See
    :ref:`export` for what runs the result.

    Parameters
    ----------
    model : AdagradClassifier, AdagradRegressor or Pipeline
        Fitted. A pipeline ends with one of these. Its other steps are those that skl2onnx knows, or
        one :class:`~sklearn_adagrad.FieldHasher`, whose fields are then the inputs of the graph:
        no row of its ``n_features`` columns is made.
    X : array, sparse matrix, sparse array, DataFrame, list of str or table
        Rows such as those to predict, of which only the names and types matter. An array is one
        input of its type and shape, called X; texts are an input of shape (n_samples, 1). Of a
        DataFrame, or a table for a ``FieldHasher``, each column is an input of shape
        (n_samples, 1) with its name. Fields of a ``FieldHasher`` are strings, int64 (uint64 if X
        has that) or float64. An empty string and NaN are missing values.
    raw_scores : bool, default=False
        Whether a classifier gives scores instead of probabilities, as ``decision_function``, and a
        regressor scores instead of their exponentials. Losses without probabilities always give
        scores.

    Returns
    -------
    onnx_model : onnx.ModelProto
        Its outputs are for classifiers ``label``, of shape (n_samples,) or (n_samples, n_labels),
        strings or int64, and ``probabilities``, of shape (n_samples, n_classes), or ``scores``, of
        shape (n_samples, n_classes), or (n_samples, 1) for two classes; for regressors
        ``variable``, of shape (n_samples, n_targets). Numbers are float64 if the input is
        (for a ``FieldHasher``: if the model is), else float32.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    ValueError
        If it ends with another estimator; if the loss is your own and has a ``probability`` or
        ``prediction``; if labels are neither strings nor numbers; if a ``FieldHasher`` has fields
        of words, crosses of three or more fields, or other steps beside it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adagrad import AdagradClassifier
    >>> from sklearn_adagrad.export import to_onnx
    >>> X, y = np.eye(4, dtype=np.float32), ["no", "yes", "no", "yes"]
    >>> model = to_onnx(AdagradClassifier(lr=1.0, random_state=0).fit(X, y), X)
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(model.SerializeToString())
    >>> session.run(["label"], {"X": X[:2]})
    [array(['no', 'yes'], dtype=object)]
    """
    steps = model.steps if isinstance(model, Pipeline) else [("", model)]
    if any(isinstance(step, FieldHasher) for _, step in steps):
        return hashed_model(model, X, raw_scores)
    last = steps[-1][1]
    linear = linear_of(last, raw_scores=raw_scores)
    register_onnx()
    options, names = {"raw_scores": raw_scores}, ["variable"]
    if linear.classes is not None:
        options["zipmap"] = False
        names = ["label", "probabilities" if linear.link else "scores"]
    return library("skl2onnx").to_onnx(
        model,
        _as_skl2onnx_reads(X),
        options={type(last): options},
        final_types=[(name, None) for name in names],
    )


def _as_skl2onnx_reads(X):
    if issparse(X):
        return X[:1].toarray()
    if not hasattr(X, "columns") and np.ndim(X) == 1:
        return np.array(X, dtype=object).reshape(-1, 1)
    return X
