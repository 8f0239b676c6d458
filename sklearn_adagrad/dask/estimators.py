"""The estimators: those of one machine, whose rows are learnt by the workers of a Dask client."""

from numbers import Integral
from os import PathLike
from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike

from .._sklearn import Interval
from ..estimators.classifier import AdagradClassifier
from ..estimators.regressor import AdagradRegressor
from .common import OnWorkers, constructor
from .epochs import Once


class DaskAdagradClassifier(OnWorkers, AdagradClassifier):
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
        ``early_stopping=True`` needs ``X_val``; ``warm_start`` and a ``device`` are refused.
    n_shards : int, default=8
        How many blocks are learnt at the same time. Batches take rows from each of them, so it is
        part of what the model depends on, unlike the number of workers. Use at least as many as
        there are workers; the default suits up to eight.
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
    __init__ = constructor(AdagradClassifier)

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        classes: ArrayLike,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        checkpoint: str | PathLike | None = None,
        checkpoint_seconds: float = 60.0,
        resume: bool = False,
    ) -> Self:
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
        X_val, y_val, sample_weight_val : default=None
            Blocks to judge epochs by, in the form of ``X``, ``y`` and ``sample_weight``. With
            ``early_stopping=True``, and needed then: the weights of the best epoch are kept.
        checkpoint : str or path, default=None
            A file to save the model to, and how far it has come: every ``checkpoint_seconds``, at
            the end, and on Ctrl-C between two rounds. Needs safetensors. It is for one call:
            other rows need another file. :func:`sklearn_adagrad.load` has it as a model of one
            machine.
        checkpoint_seconds : float, default=60.0
            How many seconds to learn between two checkpoints.
        resume : bool, default=False
            Whether to go on from the checkpoint, if there is one: the model becomes what it was
            then, blocks that were done are passed over, and the outcome is that of a call that was
            never interrupted, to the last bit. Method, parameters, ``n_shards`` and the names of
            the blocks must be the same; what is in them is trusted to be. If all was done already,
            nothing is learnt, with a warning. False refuses a checkpoint that exists.

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
        validation = X_val, y_val, sample_weight_val
        kept = checkpoint, checkpoint_seconds, resume
        return self._fit_blocks(X, y, sample_weight, validation, kept, classes=classes)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        classes: ArrayLike | None = None,
        checkpoint: str | PathLike | None = None,
        checkpoint_seconds: float = 60.0,
        resume: bool = False,
    ) -> Self:
        """Learn the blocks once, in their order, in addition to what was learnt before.

        Parameters
        ----------
        X, y, sample_weight : dask array, or list
            As ``fit`` has them.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur; needed before the first row.
        checkpoint : str or path, default=None
            A file to save the model to, and how far it has come: every ``checkpoint_seconds``, at
            the end, and on Ctrl-C between two rounds. Needs safetensors. It is for one call:
            other rows need another file. :func:`sklearn_adagrad.load` has it as a model of one
            machine.
        checkpoint_seconds : float, default=60.0
            How many seconds to learn between two checkpoints.
        resume : bool, default=False
            Whether to go on from the checkpoint, if there is one: the model becomes what it was
            then, blocks that were done are passed over, and the outcome is that of a call that was
            never interrupted, to the last bit. Method, parameters, ``n_shards`` and the names of
            the blocks must be the same; what is in them is trusted to be. If all was done already,
            nothing is learnt, with a warning. False refuses a checkpoint that exists.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError, TypeError, FloatingPointError
            As by ``fit``.
        """
        kept = checkpoint, checkpoint_seconds, resume
        return self._pass(X, y, sample_weight, self.to_local(), Once, kept, classes=classes)

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


class DaskAdagradRegressor(OnWorkers, AdagradRegressor):
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
        ``early_stopping=True`` needs ``X_val``; ``warm_start`` and a ``device`` are refused.
    n_shards : int, default=8
        How many blocks are learnt at the same time. Batches take rows from each of them, so it is
        part of what the model depends on, unlike the number of workers. Use at least as many as
        there are workers; the default suits up to eight.
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
    __init__ = constructor(AdagradRegressor)

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        checkpoint: str | PathLike | None = None,
        checkpoint_seconds: float = 60.0,
        resume: bool = False,
    ) -> Self:
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
        X_val, y_val, sample_weight_val : default=None
            Blocks to judge epochs by, in the form of ``X``, ``y`` and ``sample_weight``. With
            ``early_stopping=True``, and needed then: the weights of the best epoch are kept.
        checkpoint : str or path, default=None
            A file to save the model to, and how far it has come: every ``checkpoint_seconds``, at
            the end, and on Ctrl-C between two rounds. Needs safetensors. It is for one call:
            other rows need another file. :func:`sklearn_adagrad.load` has it as a model of one
            machine.
        checkpoint_seconds : float, default=60.0
            How many seconds to learn between two checkpoints.
        resume : bool, default=False
            Whether to go on from the checkpoint, if there is one: the model becomes what it was
            then, blocks that were done are passed over, and the outcome is that of a call that was
            never interrupted, to the last bit. Method, parameters, ``n_shards`` and the names of
            the blocks must be the same; what is in them is trusted to be. If all was done already,
            nothing is learnt, with a warning. False refuses a checkpoint that exists.

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
        validation = X_val, y_val, sample_weight_val
        return self._fit_blocks(
            X, y, sample_weight, validation, (checkpoint, checkpoint_seconds, resume)
        )

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        checkpoint: str | PathLike | None = None,
        checkpoint_seconds: float = 60.0,
        resume: bool = False,
    ) -> Self:
        """Learn the blocks once, in their order, in addition to what was learnt before.

        Parameters
        ----------
        X, y, sample_weight : dask array, or list
            As ``fit`` has them.
        checkpoint : str or path, default=None
            A file to save the model to, and how far it has come: every ``checkpoint_seconds``, at
            the end, and on Ctrl-C between two rounds. Needs safetensors. It is for one call:
            other rows need another file. :func:`sklearn_adagrad.load` has it as a model of one
            machine.
        checkpoint_seconds : float, default=60.0
            How many seconds to learn between two checkpoints.
        resume : bool, default=False
            Whether to go on from the checkpoint, if there is one: the model becomes what it was
            then, blocks that were done are passed over, and the outcome is that of a call that was
            never interrupted, to the last bit. Method, parameters, ``n_shards`` and the names of
            the blocks must be the same; what is in them is trusted to be. If all was done already,
            nothing is learnt, with a warning. False refuses a checkpoint that exists.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError, TypeError, FloatingPointError
            As by ``fit``.
        """
        kept = checkpoint, checkpoint_seconds, resume
        return self._pass(X, y, sample_weight, self.to_local(), Once, kept)
