"""The estimators: those of one machine, whose rows are learnt by the workers of a Dask client."""

import functools
import inspect
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._optional import optional
from .._sklearn import Interval
from ..estimators.classifier import AdagradClassifier
from ..estimators.regressor import AdagradRegressor
from ..formulas.rules import is_batched, is_importance_aware, is_scale_free
from ..formulas.wrappers import Clipped, WeightDecay
from ..model.combinations import chain
from ..model.state import copy_state
from .blocks import blocks_of
from .reports import Report
from .rounds import learn_pass
from .workers import workers_of

_MORE = {"n_shards": 8, "client": None}
_BATCH_SIZE = 1 / 128
_BY_ROW = Clipped, WeightDecay  # what is about a row's gradient, and knows of no other row


def _constructor(plain):
    """``__init__`` with the parameters of ``plain``, another default, and those that are new."""
    signature = inspect.signature(plain.__init__)

    @functools.wraps(plain.__init__)
    def __init__(self, *args, n_shards=_MORE["n_shards"], client=_MORE["client"], **parameters):
        plain.__init__(self, *args, **{"lr": 0.1, "batch_size": _BATCH_SIZE} | parameters)
        self.n_shards = n_shards
        self.client = client

    known = [
        each.replace(default={"batch_size": _BATCH_SIZE, "lr": 0.1}.get(name, each.default))
        for name, each in signature.parameters.items()
    ]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in _MORE.items()
    ]
    __init__.__signature__ = signature.replace(parameters=[*known, *more])
    return __init__


class _OnWorkers:
    """What both estimators share."""

    _plain: ClassVar[type]

    def to_local(self):
        """A copy of the model as an estimator of one machine.

        Returns
        -------
        model : AdagradClassifier or AdagradRegressor
            With the same parameters, weights, and whatever else was learnt.
        """
        local = self._begun()
        if self.__sklearn_is_fitted__():
            local._become(self)
            vars(local).update(_state=copy_state(self._state))
        return local

    def _begun(self):
        """An estimator of one machine that has learnt nothing."""
        parameters = self.get_params(deep=False)
        plain = {name: value for name, value in parameters.items() if name not in _MORE}
        return self._plain(**plain)

    def __getstate__(self):
        return super().__getstate__() | {"client": None}

    def _described(self, encoder, name):
        model = self._at_once()
        model.client = None
        return super(_OnWorkers, model)._described(encoder, name)

    def __sklearn_clone__(self):
        """A client is not copied: clones have the same."""
        copied = clone(self._begun()).get_params(deep=False)
        return type(self)(**copied, n_shards=self.n_shards, client=self.client)

    def _learn(self, X, y, sample_weight, model, passes, **begin):
        """Let ``model``, one of one machine, make ``passes`` over the blocks; become it."""
        self._validate_params()
        _check(self)
        blocks, workers = blocks_of(X, y, sample_weight), workers_of(self.client)
        report = Report(self.verbose, model.t_ if model.__sklearn_is_fitted__() else 0)
        try:
            for order in passes(model, len(blocks)):
                chosen = [blocks[n] for n in order]
                learn_pass(model, workers, chosen, self.n_shards, begin, report)
        finally:
            if model.__sklearn_is_fitted__():
                self._become(model)
        report.end(model)
        return self

    def _once(self, model, n_blocks):
        yield range(n_blocks)

    def _until_it_stops_improving(self, model, n_blocks):
        """The order of the blocks in each epoch, while the mean loss of epochs improves."""
        random = check_random_state(self.random_state) if self.shuffle else None
        best, waited, losses = np.inf, 0, []
        for _ in range(self.max_iter):
            if losses:
                model._state.losses[1], model._state.totals["epoch_weight"] = 0.0, 0.0
            yield range(n_blocks) if random is None else random.permutation(n_blocks)
            state = model._state if model.__sklearn_is_fitted__() else None
            if state is None or not state.totals["epoch_weight"][0] > 0:
                raise ValueError(
                    "All blocks are empty or of weight zero: there is no row to go by."
                )
            losses.append(float(state.losses[1].sum() / state.totals["epoch_weight"][0]))
            waited = 0 if losses[-1] <= best - (self.tol or 0.0) else waited + 1
            best = min(best, losses[-1])
            if self.tol is not None and waited >= self.n_iter_no_change:
                break
        model._commit({"n_iter_": len(losses), "loss_curve_": losses})

    def _lazily(self, method, X):
        """What ``method`` says of each block of a Dask array, once it is asked for."""
        if not hasattr(X, "to_delayed"):
            return getattr(self._plain, method)(self, X)
        check_is_fitted(self)
        dask, array = optional("dask", "dask"), optional("dask.array", "dask")
        local, X = dask.delayed(self.to_local()), X.rechunk({1: -1})
        like = getattr(self._plain, method)(self, np.zeros((1, X.shape[1])))
        parts = [
            array.from_delayed(
                getattr(local, method)(block), (rows, *like.shape[1:]), dtype=like.dtype
            )
            for block, rows in zip(X.to_delayed().ravel(), X.chunks[0], strict=True)
        ]
        return array.concatenate(parts)

    def predict(self, X: Any) -> Any:
        """Predictions; of a Dask array a Dask array, which is computed when it is asked for.

        Parameters
        ----------
        X : dask array, or what AdagradClassifier and AdagradRegressor take
            The rows.

        Returns
        -------
        predictions : dask array or ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As the plain estimator has them.
        """
        return self._lazily("predict", X)


def _check(model):
    """Refuse what cannot be learnt in parts."""
    rule = model._rule(np.float64).rule
    if is_scale_free(rule) or is_importance_aware(rule):
        raise ValueError(
            f"lr={model.lr!r} with rule={model.rule!r} cannot be learnt by several workers: the "
            "step of a row would depend on all rows before it. Set lr to a number such as 0.1, "
            "without ScaleFree and ImportanceAware."
        )
    if not is_batched(rule):
        raise ValueError(
            "batch_size=1 leaves nothing to share, since every row is scored by the weights after "
            "the row before: set it to a fraction such as 1/128, or to thousands of rows."
        )
    for each in chain(rule):
        if getattr(each, "each_row", False) and not isinstance(each, _BY_ROW):
            raise ValueError(
                f"{type(each).__name__} cannot be learnt by several workers: it counts rows one "
                "after the other."
            )
    for name, value in (("device", "cpu"), ("warm_start", False), ("early_stopping", "auto")):
        if getattr(model, name) not in (value, False):
            raise ValueError(
                f"{name}={getattr(model, name)!r} is not for Dask's workers: set it to {value!r}."
            )


class DaskAdagradClassifier(_OnWorkers, AdagradClassifier):
    """:class:`~sklearn_adagrad.AdagradClassifier` whose rows are learnt by Dask's workers.

    Rows are learnt in batches. Each is dealt to several blocks of rows, which any workers may have:
    they score their rows by the weights at its start and sum the gradients, and what they found is
    added in the order of the blocks. So the model is the same to the last bit on any number of
    workers, or without any. See :doc:`scaling`. Experimental.

    Parameters
    ----------
    loss, lr, eps, ... : object
        As AdagradClassifier has them, but for the defaults of two: ``lr=0.1``, since
        ``lr="auto"`` learns each row by all rows before it, and ``batch_size=1 / 128``.
        ``early_stopping=True``, ``warm_start`` and a ``device`` are refused.
    n_shards : int, default=8
        How many blocks are learnt at the same time. Batches take rows from each of them, so it is
        part of what the model depends on, unlike the number of workers, which it should not be
        below. The default suits up to eight workers.
    client : distributed.Client or None, default=None
        Whose workers learn. None is the current client or, if there is none, this process alone.
        It is not pickled or saved with the model.

    Attributes
    ----------
    coef_, intercept_, ... : object
        As AdagradClassifier has them. ``n_iter_`` and ``loss_curve_`` are of ``fit``.

    See Also
    --------
    AdagradClassifier : The same on one machine; ``to_local`` returns one.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adagrad.dask import DaskAdagradClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = (X @ [1, 2, 3] > 0).astype(int)
    >>> chunks = [(X[n : n + 100], y[n : n + 100]) for n in range(0, 400, 100)]
    >>> model = DaskAdagradClassifier(lr=0.1).partial_fit(chunks, classes=[0, 1])
    >>> model.t_
    400
    """

    _plain = AdagradClassifier
    _parameter_constraints: ClassVar[dict] = AdagradClassifier._parameter_constraints | {
        "n_shards": [Interval(Integral, 1, None, closed="left")],
        "client": "no_validation",
    }
    __init__ = _constructor(AdagradClassifier)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, classes: ArrayLike) -> Self:
        """Learn the blocks from the beginning, in epochs, until their loss stops improving.

        With ``shuffle``, each epoch takes the blocks in another order; the rows of a block keep
        theirs.

        Parameters
        ----------
        X : dask array, or list
            The rows: a Dask array, dense or of CSR blocks; or a list with a reader of
            :mod:`sklearn_adagrad.readers` for each file, or with chunks ``(X, y)`` or
            ``(X, y, sample_weight)``, delayed or not. Each is a block: it is loaded by the worker
            that learns it, as a whole.
        y, sample_weight : dask array, default=None
            Targets and weights of a Dask array, in the same chunks.
        classes : array-like of shape (n_classes,)
            All labels that will ever occur.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the input is not valid.
        FloatingPointError
            If training diverges. As with other errors in a block, its name and row are in a note,
            and the model has what was learnt before.
        """
        passes = self._until_it_stops_improving
        return self._learn(X, y, sample_weight, self._begun(), passes, classes=classes)

    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, classes: ArrayLike | None = None
    ) -> Self:
        """Learn the blocks once, in their order, in addition to what was learnt before.

        Parameters
        ----------
        X, y, sample_weight : dask array, or list
            As ``fit`` has them.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed before the first row.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError, TypeError, FloatingPointError
            As by ``fit``.
        """
        return self._learn(X, y, sample_weight, self.to_local(), self._once, classes=classes)

    def decision_function(self, X: Any) -> Any:
        """Scores; of a Dask array a Dask array, which is computed when it is asked for.

        Parameters
        ----------
        X : dask array, or what AdagradClassifier takes
            The rows.

        Returns
        -------
        values : dask array or ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the plain estimator has them.
        """
        return self._lazily("decision_function", X)

    def predict_proba(self, X: Any) -> Any:
        """Probabilities; of a Dask array a Dask array, which is computed when it is asked for.

        Parameters
        ----------
        X : dask array, or what AdagradClassifier takes
            The rows.

        Returns
        -------
        values : dask array or ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the plain estimator has them.
        """
        return self._lazily("predict_proba", X)


class DaskAdagradRegressor(_OnWorkers, AdagradRegressor):
    """:class:`~sklearn_adagrad.AdagradRegressor` whose rows are learnt by Dask's workers.

    Rows are learnt in batches. Each is dealt to several blocks of rows, which any workers may have:
    they score their rows by the weights at its start and sum the gradients, and what they found is
    added in the order of the blocks. So the model is the same to the last bit on any number of
    workers, or without any. See :doc:`scaling`. Experimental.

    Parameters
    ----------
    loss, lr, eps, ... : object
        As AdagradRegressor has them, but for the defaults of two: ``lr=0.1``, since
        ``lr="auto"`` learns each row by all rows before it, and ``batch_size=1 / 128``.
        ``early_stopping=True``, ``warm_start`` and a ``device`` are refused.
    n_shards : int, default=8
        How many blocks are learnt at the same time. Batches take rows from each of them, so it is
        part of what the model depends on, unlike the number of workers, which it should not be
        below. The default suits up to eight workers.
    client : distributed.Client or None, default=None
        Whose workers learn. None is the current client or, if there is none, this process alone.
        It is not pickled or saved with the model.

    Attributes
    ----------
    coef_, intercept_, ... : object
        As AdagradRegressor has them. ``n_iter_`` and ``loss_curve_`` are of ``fit``.

    See Also
    --------
    AdagradRegressor : The same on one machine; ``to_local`` returns one.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adagrad.dask import DaskAdagradRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = X @ [1, 2, 3]
    >>> chunks = [(X[n : n + 100], y[n : n + 100]) for n in range(0, 400, 100)]
    >>> model = DaskAdagradRegressor(lr=0.1).partial_fit(chunks)
    >>> model.t_
    400
    """

    _plain = AdagradRegressor
    _parameter_constraints: ClassVar[dict] = AdagradRegressor._parameter_constraints | {
        "n_shards": [Interval(Integral, 1, None, closed="left")],
        "client": "no_validation",
    }
    __init__ = _constructor(AdagradRegressor)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the blocks from the beginning, in epochs, until their loss stops improving.

        With ``shuffle``, each epoch takes the blocks in another order; the rows of a block keep
        theirs.

        Parameters
        ----------
        X : dask array, or list
            The rows: a Dask array, dense or of CSR blocks; or a list with a reader of
            :mod:`sklearn_adagrad.readers` for each file, or with chunks ``(X, y)`` or
            ``(X, y, sample_weight)``, delayed or not. Each is a block: it is loaded by the worker
            that learns it, as a whole.
        y, sample_weight : dask array, default=None
            Targets and weights of a Dask array, in the same chunks.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the input is not valid.
        FloatingPointError
            If training diverges. As with other errors in a block, its name and row are in a note,
            and the model has what was learnt before.
        """
        return self._learn(X, y, sample_weight, self._begun(), self._until_it_stops_improving)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the blocks once, in their order, in addition to what was learnt before.

        Parameters
        ----------
        X, y, sample_weight : dask array, or list
            As ``fit`` has them.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError, TypeError, FloatingPointError
            As by ``fit``.
        """
        return self._learn(X, y, sample_weight, self.to_local(), self._once)
