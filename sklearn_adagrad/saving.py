"""Models in files: :func:`save`, :func:`load`, and which classes a model may be made of.

:data:`TRUSTED_TYPES` is what to pass to ``skops.io.load`` as ``trusted``: the names of all
estimators, searches, rules, wrappers, schedules and losses of this package, of its hasher and
its kinds of fields, none of which does
anything when it is loaded, and of the scorers that searches have by default. Rules and losses of
your own are not among them.
"""

from collections.abc import Iterable
from os import PathLike
from typing import Any

from ._known import KNOWN, MODELS, PARTS
from .dask.estimators import DaskAdagradClassifier, DaskAdagradRegressor
from .files import models
from .search.classifier import AdagradClassifierCV
from .search.regressor import AdagradRegressorCV
from .search.scoring import NegLogLoss

__all__ = ["TRUSTED_TYPES", "load", "save"]

_ON_WORKERS = DaskAdagradClassifier, DaskAdagradRegressor
_SEARCHES = AdagradClassifierCV, AdagradRegressorCV, NegLogLoss

KNOWN_TYPES = (*KNOWN, *_ON_WORKERS)  # of the values in a file
TRUSTED_TYPES: list[str] = [
    "sklearn.metrics._scorer._PassthroughScorer",
    *(
        f"{each.__module__}.{each.__qualname__}"
        for each in (*MODELS, *_ON_WORKERS, *_SEARCHES, *PARTS)
    ),
]


def save(model: Any, path: str | PathLike, *, serving: bool = False) -> None:
    """Save an estimator, a :class:`~sklearn_adagrad.FieldHasher`, or a pipeline of these.

    Parameters
    ----------
    model : AdagradClassifier, AdagradRegressor, FieldHasher, or Pipeline of them
        What to save, fitted or not. Searches have a ``best_estimator_`` to save.
    path : str or path
        The file. A file that exists is replaced.
    serving : bool, default=False
        Whether to leave out what only learning needs; see
        :meth:`AdagradClassifier.save <sklearn_adagrad.AdagradClassifier.save>`.

    Raises
    ------
    TypeError
        If there is something else in the model.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.pipeline import make_pipeline
    >>> import sklearn_adagrad
    >>> rows = [{"site": "a.com"}, {"site": "b.org"}]
    >>> learner = sklearn_adagrad.AdagradClassifier(lr=1.0)
    >>> model = make_pipeline(sklearn_adagrad.FieldHasher(2**10), learner).fit(rows, [1, 0])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> sklearn_adagrad.save(model, path)
    >>> sklearn_adagrad.load(path).predict(rows)
    array([1, 0])
    """
    models.write(path, model, serving=serving)


def load(path: str | PathLike, *, trusted: Iterable[type] = ()) -> Any:
    """Load a model that was saved by :func:`save`, or a checkpoint.

    No code of the file is run, whoever made it: it holds arrays and a description, which may name
    the estimators, rules, losses and kinds of fields of this package. It takes the memory of the
    model; features that are not in the file cost address space until they are learnt.

    Parameters
    ----------
    path : str or path
        The file.
    trusted : iterable of classes, default=()
        Rules and losses of your own that the model may hold.

    Returns
    -------
    model : AdagradClassifier, AdagradRegressor, FieldHasher, or Pipeline of them
        What was saved. It predicts, and learns on, to the last bit like the original.

    Raises
    ------
    ValueError
        If the file is none of a model, is damaged, is of a format that this version does not know,
        or holds objects of classes that are not trusted.
    OSError
        If it cannot be read.
    """
    (model,) = models.read(path, [*KNOWN_TYPES, *trusted])
    return model
