"""Predictor: a model that is asked for one row at a time."""

from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_array
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from ..estimators.base import BaseAdagrad
from ..estimators.calls import ACCOUNT, ALL, NOTHING, accounted, turn_of
from ..hashing.hasher import FieldHasher
from ..hashing.one_row import Form, order_of
from ..hashing.values import values_of
from .rooms import Learnt, Scored

_INDICES = (np.dtype(np.int32), np.dtype(np.int64))
_VALUES = (np.dtype(np.float32), np.dtype(np.float64))
_ONE = np.ones(1)
_LARGEST = 2**63 - 1
_CERTAIN = 700.0  # beyond, the exponentials of scores underflow, of which NumPy may warn
_SIZE = 64  # entries that there is room for at first
_FORMS = 16  # of rows of fields, among which each is expected in the one seen last


class Predictor:
    """A fitted model for one row at a time: predictions and learning in microseconds.

    What an estimator does for a matrix of one row takes a hundred microseconds, of which the row
    takes one: the rest is for finding out what the matrix is. A predictor knows beforehand. It
    gives the same results to the last bit, and is no copy: it sees what the estimator learns, and
    the estimator learns what ``partial_fit`` of the predictor is given.

    Parameters
    ----------
    model : AdagradClassifier, AdagradRegressor or Pipeline
        The fitted estimator, or a pipeline of a :class:`~sklearn_adagrad.FieldHasher` and one.
    hasher : FieldHasher, default=None
        What made the rows that the model has learnt, if they were made of fields.

    Attributes
    ----------
    fields : tuple of str or None
        The order of the values in rows that are sequences: the fields that ``fit`` of the hasher
        saw, without those to ignore. None without a fitted hasher.

    See Also
    --------
    AdagradClassifier.partial_fit : The same for many rows.

    Notes
    -----
    A *row* is, for a predictor with a hasher,

    * a dict of values, ``{"site": "a.com", "age": 31.0}``, as ``FieldHasher.transform`` takes it;
    * a list or tuple of the values of ``fields``, None if missing;

    and for one without,

    * an array or list of indices, whose values are 1;
    * a tuple of two of these: indices and values.

    Indices may be in any order. Those that are there twice count with the sum of their values. The
    values of a list are float64; the model rounds them to its own dtype.

    Any number of threads may use a predictor at the same time, beside others that use the
    estimator. Attributes that are set, ``set_params`` and ``fit`` of the estimator and of the
    hasher have effect on the next row; a dict that is a parameter of the hasher is not to be
    changed in place.

    Raises
    ------
    TypeError
        If ``model`` or ``hasher`` is something else.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Examples
    --------
    >>> from sklearn_adagrad import AdagradClassifier, FieldHasher
    >>> from sklearn_adagrad.serving import Predictor
    >>> hasher = FieldHasher(2**10)
    >>> rows = [{"site": "a.com", "age": 31.0}, {"site": "b.org", "age": 20.0}]
    >>> model = AdagradClassifier().partial_fit(hasher.transform(rows), [1, 0], classes=[0, 1])
    >>> predictor = Predictor(model, hasher)
    >>> bool(predictor.predict_proba(rows[0])[1] > 0.5)
    True
    >>> predictor.partial_fit(rows[1], 0).predict(rows[1])
    np.int64(0)
    >>> model.t_
    3
    """

    def __init__(self, model, hasher=None):
        if isinstance(model, Pipeline) and hasher is None and len(model) == 2:
            hasher, model = model[0], model[1]
            if not isinstance(hasher, FieldHasher):
                raise TypeError(
                    f"The first step of model is {type(hasher).__name__}: it must be a FieldHasher."
                )
        if not isinstance(model, BaseAdagrad):
            raise TypeError(
                f"model={model!r} must be an AdagradClassifier, an AdagradRegressor, or a Pipeline "
                "of a FieldHasher and one of these."
            )
        if not isinstance(hasher, FieldHasher | None):
            raise TypeError(f"hasher={hasher!r} must be a FieldHasher.")
        check_is_fitted(model)
        self._model, self._hasher = model, hasher
        self._rooms, self._learnt = [], None
        self._form, self._size, self._forms_left = None, _SIZE, _FORMS

    def __reduce__(self):
        return type(self), (self._model, self._hasher)

    @property
    def fields(self):
        return None if self._hasher is None else order_of(self._hasher)

    def decision_function(self, row):
        """The score of a row; only for classifiers.

        Parameters
        ----------
        row : dict, list, tuple or array
            See the notes on :class:`Predictor`.

        Returns
        -------
        score : float or ndarray of shape (n_classes,), float64
            The row that the estimator's method returns.

        Raises
        ------
        ValueError
            If the row is not valid; the message says how.
        """
        room, scores = self._scored(row)
        if room is None or not room.is_classifier:
            return self._model.decision_function(self._matrix(row))[0]
        return scores if room.is_single else scores[0]

    def predict(self, row):
        """The label of a row, or for a regressor the prediction.

        Parameters
        ----------
        row : dict, list, tuple or array
            See the notes on :class:`Predictor`.

        Returns
        -------
        prediction : label or float, or ndarray of shape (n_outputs,)
            The entry, or row, of what the estimator's method returns.

        Raises
        ------
        ValueError
            If the row is not valid; the message says how.
        FloatingPointError
            If a prediction is beyond the range of float64.
        """
        room, scores = self._scored(row)
        if room is None:
            return self._model.predict(self._matrix(row))[0]
        if room.classes is not None:
            return room.classes[int(scores > 0)]
        if room.is_identity:
            return scores
        scores = np.array([[scores]]) if room.is_single else scores
        convert = room.model._labels if room.is_classifier else room.model._predictions
        return convert(scores)[0]

    def predict_proba(self, row):
        """The probabilities of the classes for a row; only for losses that have them.

        Parameters
        ----------
        row : dict, list, tuple or array
            See the notes on :class:`Predictor`.

        Returns
        -------
        probabilities : ndarray of shape (n_classes,), float64
            In the order of the estimator's ``classes_``.

        Raises
        ------
        AttributeError
            If the loss has no probabilities.
        ValueError
            If the row is not valid; the message says how.
        """
        room, scores = self._scored(row)
        if room is None or not room.has_chances:
            return self._model.predict_proba(self._matrix(row))[0]
        if room.chance is not None and -_CERTAIN < scores < _CERTAIN:
            chance = float(room.chance(scores))
            return np.array([1.0 - chance, chance])
        scores = np.array([[scores]]) if room.is_single else scores
        return room.model._probabilities(scores)[0]

    @accounted
    def partial_fit(self, row, y, sample_weight=1.0):
        """Let the estimator learn a row.

        Parameters
        ----------
        row : dict, list, tuple or array
            See the notes on :class:`Predictor`.
        y : label or number, or array-like of shape (n_outputs,)
            What is right: what is the entry, or row, of ``y`` for the estimator's method.
        sample_weight : float, default=1.0
            Multiplies the loss of the row. Finite, not negative; with 0 nothing is learnt.

        Returns
        -------
        self : Predictor

        Raises
        ------
        ValueError
            If the row or ``y`` is not valid; nothing is learnt.
        FloatingPointError
            If a score or gradient leaves the range of numbers; the row is not learnt.
        """
        model = self._model
        if model.device != "cpu":
            raise ValueError(
                f"device={model.device!r} learns no single rows: model.set_params(device='cpu') "
                "lets the processor go on."
            )
        with turn_of(model):
            room, self._learnt = self._learnt, None  # a handler of signals may learn meanwhile
            if (
                room is not None
                and room.is_of(model)
                and "_pending" not in vars(model)  # what an interrupted call has left behind
                and self._fill(room, row)
                and room.aim(y, sample_weight)
            ):
                t = room.t
                ACCOUNT.tell = lambda: NOTHING if room.t == t else ALL
                if room.learn():
                    self._learnt = room
                    return self
            model.partial_fit(self._matrix(row), np.asarray([y]), sample_weight=[sample_weight])
            if room is None or not room.is_of(model) or room.size < self._size:
                room = Learnt(model, self._size) if Learnt.is_for(model) else None
            self._learnt = room
        return self

    def _scored(self, row):
        """A room and the scores of the row there, one as a float; None if it has none."""
        try:
            room = self._rooms.pop()  # of no other thread
            if not room.is_of(self._model) or room.size < self._size:
                self._rooms = []  # the others are as old
                room = Scored(self._model, self._size)
        except IndexError:
            room = Scored(self._model, self._size)
        if not self._fill(room, row):
            self._rooms.append(room)
            return None, None
        scores = room.score()
        self._rooms.append(room)
        if room.is_single:
            return (room, scores) if abs(scores) < np.inf else (None, None)
        return (room, scores) if np.isfinite(scores).all() else (None, None)

    # --- rows -----------------------------------------------------------------------------

    def _fill(self, room, row):
        """Let this be the row of a room; returns whether it is one that can be scored there."""
        if self._hasher is None:
            indices, values = _entries(row)
            if len(indices) > room.size:
                self._size = 2 * len(indices)  # next time there is room
                return False
            return room.take(indices, values)
        form = self._form
        if form is not None:
            if not form.is_of(self._hasher):
                self._form, self._forms_left = None, _FORMS
            elif room.writer_of(form) is not None and room.writer.hash(row):
                return True
        X = self._matrix(row)
        if self._forms_left:
            self._forms_left -= 1
            self._form = form = Form.of(self._hasher, values_of(self._by_name(row)))
            self._size = max(self._size, form.size if form else 0)
        if X.nnz > room.size:
            self._size = max(self._size, 2 * X.nnz)
        return X.shape[1] == room.n_features and room.take(X.indices.copy(), X.data.copy())

    def _matrix(self, row):
        """The row as a matrix for the estimator."""
        if self._hasher is not None:
            return self._hasher.transform([self._by_name(row)])
        indices, values = _entries(row)
        values = np.ones(len(indices), self._model._dtype) if values is _ONE else values
        shape = (1, self._model.n_features_in_)
        return csr_array((values, indices, [0, len(indices)]), shape=shape)

    def _by_name(self, row):
        """A row of fields as a dict."""
        if isinstance(row, Mapping):
            return dict(row)
        names = self.fields
        if not isinstance(row, list | tuple) or names is None or len(row) != len(names):
            raise ValueError(
                f"row is of type {type(row).__name__}, but for this predictor it must be a dict of "
                "fields, or, if its hasher was fitted, a list or tuple of the values of "
                f"{names or 'its fields'}."
            )
        return dict(zip(names, row, strict=True))


def _entries(row):
    """The indices and values of a row, as arrays that ``take`` is compiled for."""
    values = None
    if type(row) is tuple:
        if len(row) != 2:
            raise ValueError(
                f"row is a tuple of {len(row)}: it must be one of two, indices and values, or a "
                "list or array of indices alone."
            )
        row, values = row
    elif isinstance(row, Mapping):
        raise ValueError("row is of fields, but there is no hasher: use Predictor(model, hasher).")
    indices = row if type(row) is np.ndarray else np.array(row)
    if not (indices.dtype in _INDICES and indices.ndim == 1 and indices.flags.carray):
        if indices.ndim != 1 or (indices.dtype.kind not in "iu" and len(indices)):
            raise ValueError(
                f"The indices of row are of dtype {indices.dtype} and shape {indices.shape}: they "
                "must be integers, in a vector."
            )
        if indices.dtype == np.uint64 and len(indices) and indices.max() > _LARGEST:
            raise ValueError(f"Index {indices.max()} of row is out of range.")
        indices = indices.astype(np.int64)
    if values is None:
        return indices, _ONE
    if type(values) is not np.ndarray:
        values = np.array(values)
    if values.shape != indices.shape:
        raise ValueError(
            f"row has {len(indices)} indices, but values of shape {values.shape}: there must be "
            "one for each."
        )
    if not (values.dtype in _VALUES and values.flags.carray):
        if values.dtype.kind not in "biuf":
            raise ValueError(f"The values of row are of dtype {values.dtype}, not numbers.")
        values = values.astype(np.float32 if values.dtype == np.float32 else np.float64)
    return indices, values
