"""The regressor: targets, and the inverse of the link function."""

from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.base import RegressorMixin
from sklearn.model_selection import ShuffleSplit

from .._sklearn import _fit_context
from .._types import Loss, MatrixLike, Rule
from ..formulas.losses import REGRESSION
from ..input.checks import check_numbers
from ..input.targets import of_columns
from .base import BaseAdagrad
from .calls import accounted
from .parameters import loss_options


class AdagradRegressor(RegressorMixin, BaseAdagrad):
    """Linear regressor with a learning rate for every feature, for sparse rows and streams.

    Each weight ``w`` has an accumulator ``s`` of its squared gradients. With gradient ``g``, a row
    does ``s += g ** 2`` and ``w -= lr * g / (sqrt(s) + eps)``: frequent features soon take small
    steps, rare ones still take large steps when they occur. Only the features of the row are read
    and written, so a row takes the same time in 2**10 and in 2**24 columns.

    ``fit`` makes shuffled epochs until the loss stops improving, by default that of rows held out;
    ``partial_fit`` learns rows once, in the order given, and it makes no difference how a stream is
    cut into calls. Several targets are learnt in one visit of each row.

    Parameters
    ----------
    loss : str or loss object, default="squared_error"
        What to minimise; see :ref:`losses`. "squared_error" is for the mean, and so are
        "poisson", "gamma" and "tweedie" with a log link (for counts, positive amounts and
        sums of amounts); "absolute_error" is for the median, "quantile" for a quantile. "huber"
        is robust to outliers, "epsilon_insensitive" is robust to outliers and ignores small
        errors, "squared_epsilon_insensitive" ignores small errors. Losses with a parameter are
        best given as objects: ``sklearn_adagrad.losses.Quantile(0.9)``. An object with the methods
        ``value(y, score)`` and ``gradient(y, score)`` may be your own: see :ref:`own_loss`.
    lr : float or "auto", default="auto"
        Learning rate. The default is there so that whoever sets nothing gets a good model. "auto"
        needs no rate and no scaling: four learners with different rates, three of them on columns
        divided by their scales, are averaged by how well they predict; see :doc:`no_tuning`.
        It takes three to six times the time of one rate, and four times the memory and 4 or 8
        bytes per feature.
        A number is the rate of the plain rule: the size of a feature's very first step, and an
        upper bound of every later one. The best value is near 0.05 for one-hot rows and 1 or more
        for TF-IDF rows, and smaller if a row has many features; it is always worth a search. Start
        with 0.1.
    eps : float, default=1e-10
        Added to the root of the accumulator, outside the root; the default is PyTorch's. It
        makes the steps of features with small gradients smaller: large values, up to 1, help on
        text, values below 1e-4 make little difference on one-hot rows. 0 is allowed, and 0 / 0 is
        a step of 0.
    lr_decay : float, default=0.0
        Row ``t`` is learnt with ``lr / (1 + (t - 1) * lr_decay)``. The accumulator already
        makes steps smaller, hence no further decay by default.
    initial_accumulator_value : float, default=0.0
        What every accumulator starts from. A small value such as 1e-3 makes the first steps of
        rare features smaller, where ``lr`` is high; the default is PyTorch's.
    rule : {"adagrad", "dual_averaging", "ftrl"} or rule object, default="adagrad"
        The update rule; see :ref:`rules`. "adagrad" takes a step from the present weights (mirror
        descent); "dual_averaging" and "ftrl" compute them from sums of gradients, and have many
        more exact zeros for the same penalty. Objects from ``sklearn_adagrad.rules`` have
        parameters of their own and wrap one another:
        ``Momentum(Clipped(Adagrad(eps_inside=True), norm=1.0), momentum=0.9)``. You can write
        others: see :ref:`own_rule`.
    alpha : float or array of shape (n_features,), default=0.0
        Strength of the penalty ``alpha * (l1_ratio * abs(w) + (1 - l1_ratio) / 2 * w ** 2)`` on
        every weight in every row, whether the row has the feature or not: exactly, in closed
        form. With ``rule="ftrl"`` it is one penalty for all rows together. An array has one
        strength for each feature; 0 means no penalty. The intercept has no penalty.
    l1_ratio : float, default=0.0
        Share of the absolute values in the penalty, in [0, 1]: above 0, weights become exactly
        0. The default is a penalty on squares only.
    batch_size : int or float, default=1
        How many rows are learnt together: they are all scored before any of them is learnt, and
        their gradients are summed. A float in (0, 1) is that fraction of the rows learnt so far, at
        least one row: ``1 / 128`` costs next to nothing in quality, while a large fixed number
        costs much at the beginning. The default learns row by row, which is fastest on one thread.
        See :doc:`batches`.
    n_jobs : int or None, default=None
        How many threads may work at once: on rows that are predicted, and on large batches, if
        ``lr`` is a number. Whatever it is, the model is the same to the last bit. One output is
        learnt in one thread or in three and more; see :doc:`batches`. None is 1, -1 one for each
        processor; the settings of joblib, threadpoolctl and numba may allow fewer.
    device : str, default="cpu"
        Where to learn and predict: "cpu", "cuda" for the first NVIDIA GPU, or "cuda:1" for another.
        A GPU is for many outputs, row by row or in batches, and for large batches of one output; it
        needs a number for ``lr``. The model is the same up to rounding, and an ordinary model: it
        is pickled, saved and read as any other. Experimental; needs
        ``pip install "sklearn-adagrad[cuda]"``. See :doc:`devices`.
    fit_intercept : bool, default=True
        Whether to learn an intercept. It has its own accumulator, like any feature.
    max_iter : int, default=100
        The most epochs (passes over the rows) that ``fit`` makes. ``partial_fit`` makes one.
    tol : float or None, default=1e-3
        ``fit`` stops when the loss fails to improve by ``tol``; see ``n_iter_no_change``. None
        trains for ``max_iter`` epochs.
    n_iter_no_change : int, default=5
        How many epochs in a row must fail to improve the best loss by ``tol``.
    shuffle : bool, default=True
        Whether ``fit`` visits the rows in a new random order in every epoch. ``partial_fit``
        never shuffles.
    early_stopping : bool or "auto", default="auto"
        Whether ``fit`` judges epochs by the loss of rows that it does not learn, and keeps the
        weights of the best epoch. Those rows are ``X_val`` if given to ``fit``, else a random
        ``validation_fraction`` of ``X``.
        Keeping the best weights takes a second copy of the state. ``partial_fit`` makes one pass
        and has nothing to stop: it does not read this.
        "auto" is False where ``lr`` is a number. With ``lr="auto"`` and at least ten rows, ``fit``
        finds the number of epochs and the learner by rows held out in ten folds (five of many
        rows), of which ``validation_fraction``, ``tol`` and ``n_iter_no_change`` say nothing, and
        returns the mean of the models; see :doc:`no_tuning`. This takes memory for twenty states
        or more while these are small, for about five where they are large.
    validation_fraction : float, default=0.1
        Share of the rows to hold out for early stopping. Not used if ``X_val`` is given.
    warm_start : bool, default=False
        Whether ``fit`` continues with the weights, accumulators and number of rows of the previous
        call instead of starting anew.
    random_state : int, RandomState instance or None, default=None
        Decides the order of the rows in ``fit`` and which of them are held out. An int makes
        results reproducible.
    verbose : int, default=0
        Above 0, ``fit`` prints a line after each epoch. For a progress bar, pass
        :class:`sklearn.callback.ProgressBar` to ``set_callbacks``.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        The weights, float32 if the first input was float32, else float64. Reading it copies
        all weights. After ``sparsify`` a sparse matrix or array, by scikit-learn's option
        ``sparse_interface``, of shape (n_targets, n_features).
    intercept_ : ndarray of shape (1,) or (n_targets,)
        The intercept; 0 if never learnt.
    accumulator_ : ndarray of the shape of ``coef_``
        Sum of the squared gradients of each weight. With ``lr="auto"``, of the learner that counts
        most, and for the columns as it sees them.
    n_live_features_ : int
        Number of features with a weight that is not zero, for some target at least. Reading it
        copies all weights.
    t_ : int
        Number of rows learnt so far, over all epochs and calls. A row of weight zero does not
        count.
    progressive_loss_ : float
        Weighted mean loss of all rows that were new, each just before it was learnt: those of
        ``partial_fit``, and of the first epoch of ``fit``. It estimates the loss on new rows
        without setting any aside (progressive validation). With the rule ``Averaged`` it is that
        of the weights themselves, not of their mean.
    n_iter_ : int
        Number of epochs of the last ``fit``.
    loss_curve_ : list of float
        For each epoch of the last ``fit``, the mean loss of its rows, each before it was learnt.
    validation_loss_curve_ : list of float
        For each epoch of the last ``fit``, the mean loss of the held-out rows after it. Only with
        ``early_stopping``; with "auto", the smallest of the learners.
    best_n_iter_ : int
        The epoch, counted from 1, whose weights were kept. Only with ``early_stopping``.
    fit_summary_ : str
        What the last ``fit`` did, in a sentence. Only with ``lr="auto"`` and
        ``early_stopping="auto"``, after which ``progressive_loss_`` is the loss of held-out rows.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if all names of the first input were strings.

    See Also
    --------
    AdagradClassifier : The same for labels.
    sklearn.linear_model.SGDRegressor : One learning rate for all features.

    Notes
    -----
    Where ``lr`` is a number, a weight moves by at most that per row. Targets far from 0 are
    therefore slow to reach: let ``lr`` be "auto", or the rule
    :class:`~sklearn_adagrad.rules.ScaleFree`, or scale ``y`` to a spread near 1, for instance with
    :class:`sklearn.compose.TransformedTargetRegressor`.

    CSR input of float32 or float64 is used without a copy if its indices are sorted and distinct
    and it stores no zeros. Other input is converted first. float32 input gives a float32 model of
    half the size: 36 bytes per feature, or with a number for ``lr`` 8, 12 with "ftrl", and 16 with
    "adagrad" and a penalty.

    References
    ----------
    Duchi, J., Hazan, E. and Singer, Y. (2011). Adaptive Subgradient Methods for Online
    Learning and Stochastic Optimization. JMLR 12, 2121-2159: "adagrad" is the composite mirror
    descent of equation 4 with the regularisers of section 5, "dual_averaging" equation 3.

    McMahan, H. B. and others (2013). Ad Click Prediction: a View from the Trenches. KDD:
    algorithm 1 is "ftrl".

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import random_array
    >>> from sklearn_adagrad import AdagradRegressor
    >>> X = random_array((1000, 50), density=0.1, rng=0, format="csr")
    >>> y = X @ np.linspace(-1, 1, 50) + 3
    >>> model = AdagradRegressor(random_state=0).fit(X, y)
    >>> round(model.score(X, y), 2)
    1.0
    >>> model.intercept_.round(1)
    array([3.])
    """

    _parameter_constraints: ClassVar[dict] = {
        "loss": loss_options(REGRESSION),
        **BaseAdagrad._parameter_constraints,
    }
    _losses: ClassVar[dict] = REGRESSION
    _fitted_names: ClassVar[tuple] = (*BaseAdagrad._fitted_names, "_n_targets")

    def __init__(
        self,
        loss: str | Loss = "squared_error",
        *,
        lr: float | str = "auto",
        eps: float = 1e-10,
        lr_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        rule: str | Rule = "adagrad",
        alpha: float | ArrayLike = 0.0,
        l1_ratio: float = 0.0,
        batch_size: int | float = 1,
        n_jobs: int | None = None,
        device: str = "cpu",
        fit_intercept: bool = True,
        max_iter: int = 100,
        tol: float | None = 1e-3,
        n_iter_no_change: int = 5,
        shuffle: bool = True,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
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
        self.n_jobs = n_jobs
        self.device = device
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @accounted
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | float | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | float | None = None,
    ) -> Self:
        """Train from the beginning, or with ``warm_start`` continue the previous training.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows to learn. Finite; float32 and float64 are kept, the rest becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets. Finite; poisson, gamma and tweedie losses restrict their sign.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Multiplies the loss of each row. Finite, not negative, not all zero; a row of weight
            zero is passed over as if it were not there. None is a weight of 1.
        X_val, y_val, sample_weight_val : default=None
            Rows to judge epochs by, in the form of ``X``, ``y`` and ``sample_weight``. Only with
            ``early_stopping=True``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the input or a parameter is not valid; the message names the row or parameter.
        FloatingPointError
            If training diverges; the message says what to change. In both cases the estimator
            is as it was before the call.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val)

    @accounted
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | float | None = None
    ) -> Self:
        """Learn rows once, in the order given, in addition to what was learnt before.

        It makes no difference how a stream of rows is cut into calls.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows to learn. Finite. The first call decides the dtype of the model: float32 if
            ``X`` is float32, else float64; later rows are converted to it.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            The targets. Finite; poisson, gamma and tweedie losses restrict their sign.
        sample_weight : float or array-like of shape (n_samples,), default=None
            Multiplies the loss of each row. Finite, not negative; a row of weight zero is passed
            over as if it were not there. None is a weight of 1.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If the input or a parameter is not valid; the message names the row or parameter, and
            the estimator is as it was before the call.
        FloatingPointError
            If a score or gradient leaves the range of numbers; the message names the row, which
            is not learnt, and says what to change. The rows before it are learnt.
        """
        return self._partial_fit(X, y, sample_weight)

    def _begin_fit(self, y, weights, warm):
        return {"_n_targets": y.shape[1] if y.ndim == 2 else None}

    def _begin_partial_fit(self, y):
        if self.__sklearn_is_fitted__():
            return {"_n_targets": self._n_targets}
        return self._begin_fit(y, None, False)

    def _targets(self, y, fitted, name="y"):
        y = check_numbers(y, name)
        n_targets = fitted["_n_targets"] or 1
        y = y.reshape(len(y), -1)
        if y.shape[1] != n_targets:
            raise ValueError(
                f"{name} has {y.shape[1]} columns, but the model has {n_targets} targets."
            )
        loss = self._loss()
        if hasattr(loss, "check_target"):
            for column in y.T:
                try:
                    loss.check_target(column)
                except ValueError as error:
                    raise ValueError(f"{name} is not for this loss: {error}") from error
        return of_columns(y)

    def _n_outputs(self):
        return 1 if self._n_targets is None else self._n_targets

    def _splitter(self, fitted):
        return ShuffleSplit(
            n_splits=1, test_size=self.validation_fraction, random_state=self.random_state
        )

    def predict(self, X: MatrixLike) -> NDArray:
        """Predictions for the rows: their scores, or for a loss with a log link their exponentials.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        predictions : ndarray of shape (n_samples,) or (n_samples, n_targets), float64
            In the units of ``y``.

        Raises
        ------
        FloatingPointError
            If a score, or its exponential, is beyond the range of float64; it names the row.
        """
        model = self._at_once()
        return model._predictions(model._scores(X))

    def _predictions(self, scores):
        """The predictions for rows that have these scores."""
        loss, scores = self._loss(), self._flat(scores)
        if not hasattr(loss, "prediction"):
            return scores
        with np.errstate(over="ignore"):
            predictions = loss.prediction(scores)
        finite = np.isfinite(predictions)
        if not finite.all():
            place = tuple(np.argwhere(~finite)[0])
            raise FloatingPointError(
                f"The prediction of row {place[0]} is beyond the range of float64, since its score "
                f"is {scores[place]:.4g}. Scale the features as those that were learnt, or learn "
                "with a lower lr."
            )
        return predictions

    def score(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | float | None = None
    ) -> float:
        """R2, the coefficient of determination; for several targets, the mean of theirs.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            What is right.
        sample_weight : float or array-like of shape (n_samples,), default=None
            The weight of each row. None is a weight of 1.

        Returns
        -------
        score : float
            At most 1.
        """
        return super().score(X, *self._with_targets(X, y, sample_weight))

    def _flat(self, columns):
        return columns[:, 0] if self._n_targets is None else columns

    @property
    def coef_(self) -> NDArray | csr_array | csr_matrix:
        model = self._at_once()
        return model._for_targets(model._coef())

    @property
    def intercept_(self) -> NDArray:
        return self._read("weight", "intercept")[:, 0]

    @property
    def accumulator_(self) -> NDArray:
        model = self._at_once()
        return model._for_targets(model._read("accumulator", "weights"))

    def _for_targets(self, fields):
        is_flat = self._n_targets is None and not issparse(fields)
        return fields[0] if is_flat else fields
