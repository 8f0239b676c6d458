"""The regressor that tries many hyper-parameters at once."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from .._sklearn import _fit_context
from .._types import Loss, MatrixLike, Rule
from ..estimators.calls import accounted
from ..estimators.regressor import AdagradRegressor
from .base import BaseAdagradCV


class AdagradRegressorCV(BaseAdagradCV):
    """AdagradRegressor that tries many learning rates in one pass over the rows.

    Every combination of the listed values is a candidate. ``fit`` compares them by
    cross-validation, with the result of :class:`~sklearn.model_selection.GridSearchCV`, but visits
    each row once for all of them. ``partial_fit`` compares them on a stream, by the mean loss of
    the rows, each just before it is learnt.

    Parameters
    ----------
    loss : str or loss object, default="squared_error"
        What to minimise; see :ref:`losses`.
    lr : float or list of floats, default=(0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
        Learning rates to try. The default covers what is best on one-hot rows (near 0.05) and on
        TF-IDF rows (1 and more). Here and below, a number means that nothing else is tried.
    eps : float or list of floats, default=1e-10
        Values of ``eps`` to try. On text, 1e-10, 1e-2, 0.1 and 1 are a good choice.
    lr_decay : float, default=0.0
        As in AdagradRegressor, and the same for all candidates, as is every parameter that takes
        no list.
    initial_accumulator_value : float or list of floats, default=0.0
        Values to try.
    rule : {"adagrad", "dual_averaging", "ftrl"} or rule object, default="adagrad"
        The update rule; see :ref:`rules`.
    alpha : float or list of floats, default=0.0
        Strengths of the penalty to try.
    l1_ratio : float or list of floats, default=0.0
        Shares of the absolute values in the penalty to try.
    batch_size : int or float, default=1
        How many rows are learnt together, or a fraction of the rows learnt so far; see
        :doc:`batches`.
    fit_intercept : bool, default=True
        Whether to learn an intercept.
    max_iter : int, default=20
        The number of epochs that ``fit`` makes, in each fold and for the best candidate.
    shuffle : bool, default=True
        Whether ``fit`` learns the rows in a new random order in each epoch, the same for all
        candidates. ``partial_fit`` never shuffles.
    random_state : int, RandomState instance or None, default=None
        For the orders; as in AdagradRegressor, an int makes ``fit`` reproducible.
    scoring : str, callable, list, tuple, dict or None, default=None
        What to judge candidates by, as in :class:`~sklearn.model_selection.GridSearchCV`. None
        is ``score`` of the estimator.
    cv : int, splitter, iterable or None, default=None
        How to split the rows into folds, as in GridSearchCV. None is 5 folds.
    refit : bool, str or callable, default=True
        Whether to train the best candidate on all rows; with several scores, the name of the one
        that decides. A callable picks the best from ``cv_results_``.
    error_score : "raise" or float, default=nan
        The score of a candidate that diverges; "raise" stops the search.
    candidates_per_pass : int or None, default=None
        How many candidates to learn at once. None learns all, which is fastest and takes the
        most memory: 8 bytes per feature, candidate, target and thread for float32 rows and
        "adagrad" without a penalty.
    n_jobs : int or None, default=None
        How many folds to learn at the same time, in threads. Each takes memory of its own. None
        is 1, -1 one for each processor.
    device : str, default="cpu"
        Where to learn and predict: "cpu", "cuda" for the first NVIDIA GPU, or "cuda:1" for another.
        All candidates learn there together, which needs numbers for ``lr``. Experimental; see
        :doc:`devices`.
    verbose : int, default=0
        Above 0, ``fit`` prints a line after each fold. For a progress bar, pass
        :class:`sklearn.callback.ProgressBar` to ``set_callbacks``.

    Attributes
    ----------
    best_estimator_ : AdagradRegressor
        The best candidate, fitted on all rows and ready for ``partial_fit``. In a stream, a new
        copy of the best so far. Not if ``refit=False``.
    best_params_ : dict
        The parameters of the best candidate, of those that were lists.
    best_index_ : int
        The position of the best candidate in ``cv_results_``.
    best_score_ : float
        Its mean score over the folds; in a stream, minus its progressive loss.
    cv_results_ : dict of arrays
        As of GridSearchCV: for each candidate its "params", "mean_test_score",
        "std_test_score", "rank_test_score" and the score of each fold. The time of a pass is
        divided evenly among its candidates. In a stream there are no folds: it has
        "progressive_loss", the mean loss of all rows so far, each just before it was learnt, and
        "mean_test_score", the same with its sign changed.
    scorer_ : callable or dict
        The scorers that were used.
    multimetric_ : bool
        Whether there are several scores.
    n_splits_ : int
        Number of folds of the last ``fit``.
    n_iter_ : int
        Number of epochs of the last ``fit``.
    refit_time_ : float
        Seconds that training the best candidate on all rows took.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if all names of the first input were strings.

    See Also
    --------
    AdagradRegressor : What is searched over.
    sklearn_adagrad.plotting.SearchDisplay : Draws the scores.

    Notes
    -----
    ``fit`` gives, to rounding, the ``cv_results_`` of GridSearchCV with the same lists and
    ``AdagradRegressor(tol=None)``, given the same ``scoring``, ``max_iter``, ``shuffle`` and, as an
    int, ``random_state``. Fetching a feature's record from memory and reading a row costs more than
    updating a weight, and is done once for all candidates of a fold.

    In ``partial_fit`` every candidate predicts each row before it learns it; the one with the
    smallest mean loss so far is the best. No row has to be held out.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import random_array
    >>> from sklearn_adagrad import AdagradRegressorCV
    >>> X = random_array((1000, 50), density=0.1, rng=0, format="csr")
    >>> y = X @ np.linspace(-1, 1, 50) + 3
    >>> stream = AdagradRegressorCV(lr=[0.01, 0.1, 1.0])
    >>> for start in range(0, 1000, 100):
    ...     chunk = slice(start, start + 100)
    ...     stream = stream.partial_fit(X[chunk], y[chunk])
    >>> stream.best_params_
    {'lr': 1.0}
    """

    _plain = AdagradRegressor
    _fixed = (
        "loss",
        "lr_decay",
        "rule",
        "batch_size",
        "device",
        "fit_intercept",
        "max_iter",
        "shuffle",
        "random_state",
    )

    _parameter_constraints: ClassVar[dict] = {
        **AdagradRegressor._parameter_constraints,
        **BaseAdagradCV._parameter_constraints,
    }

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        *,
        lr: float | ArrayLike = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
        eps: float | ArrayLike = 1e-10,
        lr_decay: float = 0.0,
        initial_accumulator_value: float | ArrayLike = 0.0,
        rule: str | Rule = "adagrad",
        alpha: float | ArrayLike = 0.0,
        l1_ratio: float | ArrayLike = 0.0,
        batch_size: int | float = 1,
        fit_intercept: bool = True,
        max_iter: int = 20,
        shuffle: bool = True,
        random_state: Any = None,
        scoring: Any = None,
        cv: Any = None,
        refit: bool | str | Callable = True,
        error_score: float | str = np.nan,
        candidates_per_pass: int | None = None,
        n_jobs: int | None = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        self.loss = loss
        self.lr = lr
        self.eps = eps
        self.lr_decay = lr_decay
        self.initial_accumulator_value = initial_accumulator_value
        self.rule = rule
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.batch_size = batch_size
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.error_score = error_score
        self.candidates_per_pass = candidates_per_pass
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    @accounted
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | float | None = None,
        **params: Any,
    ) -> Self:
        """Find the best candidate by cross-validation, and train it on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows. Finite; float32 and float64 are kept, the rest becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Multiplies the loss of each row, and is passed to scorers that take it. Finite, not
            negative. None is a weight of 1.
        **params : dict of str -> object
            ``groups`` for the splitter, and what scikit-learn's metadata routing takes.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        ValueError
            If the input or a parameter is not valid, or if every candidate diverged.
        MemoryError
            If the candidates don't fit into memory; the message has the number of bytes. It is
            raised before any memory is taken.
        """
        return self._fit(X, y, sample_weight, params)

    @accounted
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | float | None = None
    ) -> Self:
        """Learn rows once with every candidate, in the order given; after ``fit``, with the best.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows to learn, in the form that ``fit`` takes.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Multiplies the loss of each row. Finite, not negative; a row of weight zero is passed
            over as if it were not there. None is a weight of 1.

        Returns
        -------
        self : object
            The search.

        Raises
        ------
        ValueError
            If the input or a parameter is not valid, or if the candidates are no longer those of
            the first call.
        FloatingPointError
            If every candidate has diverged. A single candidate that diverges learns nothing more,
            and its loss is infinite.
        MemoryError
            If the candidates don't fit into memory; the message has the number of bytes.
        """
        return self._partial_fit(X, y, sample_weight=sample_weight)
