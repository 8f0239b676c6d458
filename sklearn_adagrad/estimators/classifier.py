"""The classifier: all that is about labels and probabilities."""

from math import log
from numbers import Real
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import ClassifierMixin
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from .._sklearn import Interval, StrOptions, _fit_context
from .._types import Loss, MatrixLike, Rule
from ..formulas.losses import CLASSIFICATION, LogLoss, Multinomial
from ..input.labels import refuse_missing
from ..input.targets import of_classes, of_columns
from .base import BaseAdagrad
from .calls import accounted
from .labels import (
    balanced_factors,
    balanced_in_passing,
    check_classes,
    class_factors,
    encode,
    encode_labels,
)
from .parameters import loss_options


def _has_probabilities(self):
    if hasattr(self._loss(), "probability"):
        return True
    named = [name for name, loss in CLASSIFICATION.items() if hasattr(loss, "probability")]
    raise AttributeError(
        f"Probabilities are not available with loss={self.loss!r}, only with "
        f"{' and '.join(map(repr, named))} or a loss object that has probability(score)."
    )


def _sorted(classes):
    """The labels that will ever occur, sorted."""
    try:
        refuse_missing(np.asarray(classes), "classes")
        return unique_labels(classes)
    except (TypeError, ValueError) as error:
        raise ValueError(f"classes={classes!r} must be a vector of labels: {error}") from error


class AdagradClassifier(ClassifierMixin, BaseAdagrad):
    """Linear classifier with a learning rate for every feature, for sparse rows and streams.

    Each weight ``w`` has an accumulator ``s`` of its squared gradients. With gradient ``g``, a row
    does ``s += g ** 2`` and ``w -= lr * g / (sqrt(s) + eps)``: frequent features soon take small
    steps, rare ones still take large steps when they occur. Only the features of the row are read
    and written, so a row takes the same time in 2**10 and in 2**24 columns.

    ``fit`` makes shuffled epochs until the loss stops improving, by default that of rows held out;
    ``partial_fit`` learns rows once, in the order given, and it makes no difference how a stream is
    cut into calls. More than two classes, and several labels for a row, are learnt in one visit of
    each row.

    Parameters
    ----------
    loss : str or loss object, default="log_loss"
        What to minimise; see :ref:`losses`. "log_loss" (logistic regression) and
        "modified_huber" give probabilities; "hinge" and "squared_hinge" are linear support
        vector machines; "perceptron" learns from mistakes only. An object with the methods
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
        weights of the best epoch. Those rows are ``X_val`` if given to ``fit``, else a stratified
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
    multi_class : {"ovr", "multinomial"}, default="ovr"
        How more than two classes are learnt: each against the rest, or all together by the loss
        ``log(sum(exp(scores))) - scores[label]``, for which ``loss`` must be "log_loss". The
        default was more accurate on texts (20 newsgroups); "multinomial" gives better
        probabilities where features are few and dense. No effect on two classes or on labels.
    class_weight : dict, "balanced" or None, default=None
        Multiplies the weights of the rows of each class. "balanced" uses
        ``n_rows / (n_classes * n_rows_of_the_class)``, counting by ``sample_weight``: in ``fit``
        over all of ``y``; in ``partial_fit`` over the rows up to and including the one being
        learnt, so that it also works on a stream. Must be None if ``y`` has several labels.
    negatives_kept : float, default=1.0
        Share of the negative rows (of ``classes_[0]``) that are in the training data, in (0, 1],
        where these were sampled at random and all positive ones kept. Scores, labels and
        probabilities are then for rows before sampling: a probability ``p`` by the sampled rows
        becomes ``p / (p + (1 - p) / negatives_kept)``, which adds ``log(negatives_kept)`` to
        the score. Learning, ``coef_``, ``intercept_``, ``progressive_loss_``, ``loss_curve_`` and
        ``validation_loss_curve_`` are those of the sampled rows. Only for two classes and
        ``loss="log_loss"``. The default is for rows that were not sampled.
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
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; if ``y`` has several for a row, the numbers of its columns.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The weights, float32 if the first input was float32, else float64. One row if there are
        two classes; positive weights are for ``classes_[1]``. Reading it copies all weights. After
        ``sparsify`` a sparse matrix or array, by scikit-learn's option ``sparse_interface``.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts; 0 if never learnt.
    accumulator_ : ndarray of the shape of ``coef_``
        Sum of the squared gradients of each weight. With ``lr="auto"``, of the learner that counts
        most, and for the columns as it sees them.
    n_live_features_ : int
        Number of features with a weight that is not zero, for some class at least. Reading it
        copies all weights.
    t_ : int
        Number of rows learnt so far, over all epochs and calls. A row of weight zero does not
        count.
    progressive_loss_ : float
        Weighted mean loss of all rows that were new, each just before it was learnt: those of
        ``partial_fit``, and of the first epoch of ``fit``. It estimates the loss on new rows
        without setting any aside (progressive validation). With several classes, the losses of the
        one-versus-rest problems are added, as are those of several labels. With the rule
        ``Averaged`` it is that of the weights themselves, not of their mean.
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
    AdagradRegressor : The same for numbers.
    sklearn.linear_model.SGDClassifier : One learning rate for all features.

    Notes
    -----
    CSR input of float32 or float64 is used without a copy if its indices are sorted and distinct
    and it stores no zeros; scikit-learn's vectorizers make such matrices. Other input is converted
    first. float32 input gives a float32 model of half the size: 36 bytes per feature, or with a
    number for ``lr`` 8, 12 with "ftrl", and 16 with "adagrad" and a penalty.

    References
    ----------
    Duchi, J., Hazan, E. and Singer, Y. (2011). Adaptive Subgradient Methods for Online
    Learning and Stochastic Optimization. JMLR 12, 2121-2159: "adagrad" is the composite mirror
    descent of equation 4 with the regularisers of section 5, "dual_averaging" equation 3.

    McMahan, H. B. and others (2013). Ad Click Prediction: a View from the Trenches. KDD:
    algorithm 1 is "ftrl".

    He, X. and others (2014). Practical Lessons from Predicting Clicks on Ads at Facebook. ADKDD:
    section 6.3 is ``negatives_kept``.

    Blum, A., Kalai, A. and Langford, J. (1999). Beating the hold-out: bounds for k-fold and
    progressive cross-validation. COLT.

    Examples
    --------
    >>> from sklearn.feature_extraction import FeatureHasher
    >>> from sklearn_adagrad import AdagradClassifier
    >>> hasher = FeatureHasher(2**20, input_type="string")
    >>> rows = [["user=ann", "ad=shoes"], ["user=bob", "ad=shoes"], ["user=ann", "ad=tea"]]
    >>> clicked = [1, 0, 1]
    >>> model = AdagradClassifier()
    >>> for _ in range(10):  # chunks of a stream
    ...     model = model.partial_fit(hasher.transform(rows), clicked, classes=[0, 1])
    >>> model.predict(hasher.transform([["user=ann", "ad=hats"], ["user=bob", "ad=hats"]]))
    array([1, 0])
    >>> model.t_
    30
    """

    _parameter_constraints: ClassVar[dict] = {
        "loss": loss_options(CLASSIFICATION),
        **BaseAdagrad._parameter_constraints,
        "multi_class": [StrOptions({"ovr", "multinomial"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "negatives_kept": [Interval(Real, 0, 1, closed="right")],
    }
    _losses: ClassVar[dict] = CLASSIFICATION
    _fitted_names: ClassVar[tuple] = (
        *BaseAdagrad._fitted_names, "classes_", "_is_multilabel", "_class_counts", "_all_counts",
    )  # fmt: skip

    def __init__(
        self,
        loss: str | Loss = "log_loss",
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
        multi_class: str = "ovr",
        class_weight: dict | str | None = None,
        negatives_kept: float = 1.0,
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
        self.multi_class = multi_class
        self.class_weight = class_weight
        self.negatives_kept = negatives_kept
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        takes_labels = self.class_weight is None and self.negatives_kept == 1
        tags.classifier_tags.multi_class = self.negatives_kept == 1
        tags.classifier_tags.multi_label = takes_labels
        tags.target_tags.multi_output = takes_labels
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
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The labels, of a sortable type; at least two different ones. Or a matrix of 0 and 1
            with a column for each label; it may be sparse.
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
        self,
        X: MatrixLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | float | None = None,
    ) -> Self:
        """Learn rows once, in the order given, in addition to what was learnt before.

        It makes no difference how a stream of rows is cut into calls.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows to learn. Finite. The first call decides the dtype of the model: float32 if
            ``X`` is float32, else float64; later rows are converted to it.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            The labels, all of them among ``classes``; or a matrix of 0 and 1 with a column for each
            label.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever occur. Required in the first call, and the same or left out
            in later ones. Not needed if ``y`` is a matrix.
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
        return self._partial_fit(X, y, sample_weight, classes=classes)

    # --- labels ---------------------------------------------------------------------------

    def _begin_fit(self, y, weights, warm):
        if y.ndim == 2:
            return self._begin_labels(y.shape[1], warm)
        if warm and self._is_multilabel:
            raise ValueError("y has one class for each row, but the model was trained with labels.")
        try:
            check_classification_targets(y)
            classes = np.unique(y)
        except TypeError as error:
            raise ValueError(f"The labels in y do not sort; are some missing? {error}") from error
        if warm:
            encode(y, self.classes_)
            classes = self.classes_
        check_classes(classes)
        counts = np.bincount(encode(y, classes), weights, len(classes))
        return {
            "classes_": classes,
            "_is_multilabel": False,
            "_class_counts": counts,
            "_all_counts": counts.sum(),
        }

    def _begin_partial_fit(self, y, classes=None):
        if y.ndim == 2:
            return self._begin_labels(y.shape[1], self.__sklearn_is_fitted__(), classes)
        if self.__sklearn_is_fitted__():
            if classes is not None and not np.array_equal(self.classes_, _sorted(classes)):
                raise ValueError(
                    f"classes={classes!r} differs from those of the first call, "
                    f"{self.classes_!r}. They cannot change: leave the argument out, or train a "
                    "new model."
                )
            names = ("classes_", "_is_multilabel", "_class_counts", "_all_counts")
            return {name: getattr(self, name) for name in names}
        if classes is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all labels that will "
                "ever occur."
            )
        classes = _sorted(classes)
        check_classes(classes)
        return {
            "classes_": classes,
            "_is_multilabel": False,
            "_class_counts": np.zeros(len(classes)),
            "_all_counts": 0.0,
        }

    def _begin_labels(self, n_labels, fitted, classes=None):
        """The same for an indicator matrix."""
        if self.class_weight is not None:
            raise ValueError(
                f"class_weight={self.class_weight!r} is for rows of one class each, but y has a "
                "column for every label. Leave it out."
            )
        if fitted and not (self._is_multilabel and n_labels == len(self.classes_)):
            raise ValueError(
                f"y has {n_labels} columns of labels, but the model was trained with "
                f"{len(self.classes_)} {'labels' if self._is_multilabel else 'classes'}."
            )
        if classes is not None and not np.array_equal(classes, np.arange(n_labels)):
            raise ValueError(
                f"classes={classes!r} must be the numbers of the {n_labels} columns of y, or left "
                "out."
            )
        return {
            "classes_": np.arange(n_labels),
            "_is_multilabel": True,
            "_class_counts": np.zeros(0),
            "_all_counts": 0.0,
        }

    def _targets(self, y, fitted, name="y"):
        if fitted["_is_multilabel"]:
            return of_columns(2.0 * encode_labels(y, len(fitted["classes_"]), name) - 1.0)
        if y.ndim == 2:
            raise ValueError(f"{name} has columns of labels, but y has one class for each row.")
        codes = encode(y, fitted["classes_"], name)
        if len(fitted["classes_"]) == 2:
            return of_columns(2.0 * codes[:, np.newaxis] - 1.0)
        return of_classes(codes, len(fitted["classes_"]))

    def _loss_for(self, fitted):
        loss = self._loss()
        if self.negatives_kept != 1:
            self._check_sampling(loss, fitted)
        if self.multi_class != "multinomial":
            return loss
        if not isinstance(loss, LogLoss):
            raise ValueError(
                f"multi_class='multinomial' needs loss='log_loss', but loss={self.loss!r}. Use "
                "multi_class='ovr'."
            )
        is_joint = len(fitted["classes_"]) > 2 and not fitted["_is_multilabel"]
        return Multinomial() if is_joint else loss

    def _check_sampling(self, loss, fitted):
        """The correction is exact for log-odds, and for one kind of negative rows."""
        kept = self.negatives_kept
        if not (isinstance(kept, Real) and 0 < kept <= 1):
            raise ValueError(f"negatives_kept={kept!r} must be a number in (0, 1].")
        said = f"negatives_kept={kept:g} needs"
        if not isinstance(loss, LogLoss):
            raise ValueError(
                f"{said} loss='log_loss', but loss={self.loss!r}. Leave it out, and give the "
                f"negative rows a sample_weight of {1 / kept:g}."
            )
        if len(fitted["classes_"]) != 2 or fitted["_is_multilabel"]:
            kind = "labels" if fitted["_is_multilabel"] else "classes"
            raise ValueError(
                f"{said} two classes, but y has {len(fitted['classes_'])} {kind}. Leave it out, "
                "and give rows that were sampled a sample_weight of 1 over the share that was kept."
            )

    def _weigh(self, y, weights, fitted):
        if self.class_weight is None:
            return weights
        if self.class_weight == "balanced":
            factors = balanced_factors(fitted["_class_counts"])
        else:
            factors = class_factors(self.class_weight, fitted["classes_"])
        return weights * factors[encode(y, fitted["classes_"])]

    def _weigh_in_passing(self, y, weights, fitted):
        if self.class_weight != "balanced":
            return self._weigh(y, weights, fitted), {}
        factors, counts, total = balanced_in_passing(
            encode(y, fitted["classes_"]), weights, fitted["_class_counts"], fitted["_all_counts"]
        )
        return weights * factors, {"_class_counts": counts, "_all_counts": total}

    def _labels_of(self, y, fitted):
        if fitted["_is_multilabel"]:
            return super()._labels_of(y, fitted)
        return encode(y, fitted["classes_"])

    def _splitter(self, fitted):
        kind = ShuffleSplit if fitted["_is_multilabel"] else StratifiedShuffleSplit
        return kind(n_splits=1, test_size=self.validation_fraction, random_state=self.random_state)

    def _n_outputs(self):
        size, counts = len(self.classes_), self._class_counts
        classes = self.classes_
        if self._is_multilabel:
            return size
        if not np.array_equal(classes, np.unique(classes)) or counts.shape != (size,):
            raise ValueError("its classes are not sorted, or do not have a count each")
        return 1 if size == 2 else size

    # --- prediction -----------------------------------------------------------------------

    def decision_function(self, X: MatrixLike) -> NDArray:
        """Scores of the rows: the weighted sums of their features, plus the intercept.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            For two classes, a positive score means ``classes_[1]``; with ``loss="log_loss"``
            scores are log-odds. For more classes, the largest score decides. With
            ``negatives_kept``, its logarithm is added.
        """
        model = self._at_once()
        return model._flat(model._scores_of_all(X))

    def _scores_of_all(self, X):
        """Scores for rows of which none was left out by sampling."""
        scores = self._scores(X)
        if self.negatives_kept != 1:
            scores += self._shift()
        return scores

    def _shift(self):
        """What is added to the scores of sampled rows."""
        self._check_sampling(self._loss(), vars(self))
        return log(self.negatives_kept)

    def _flat(self, columns):
        return columns[:, 0] if columns.shape[1] == 1 else columns

    def predict(self, X: MatrixLike) -> NDArray:
        """Labels of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The class of the largest score; or 1 for each label whose score is positive, else 0.
        """
        model = self._at_once()
        return model._labels(model._scores_of_all(X))

    def _labels(self, scores):
        """The labels of rows that have these scores."""
        if self._is_multilabel:
            return (scores > 0).astype(np.intp)
        best = scores[:, 0] > 0 if scores.shape[1] == 1 else scores.argmax(axis=1)
        return self.classes_[best.astype(np.intp)]

    @available_if(_has_probabilities)
    def predict_proba(self, X: MatrixLike) -> NDArray:
        """Probabilities of the classes; only for losses that have them.

        For more than two classes, those of the one-versus-rest problems, divided by their sum, or
        with ``multi_class="multinomial"`` the softmax of the scores.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), float64
            In the order of ``classes_``. Those of several labels don't sum to 1.

        Raises
        ------
        AttributeError
            If the loss has no probabilities.
        ValueError
            If a loss of your own gives a probability that is none.

        References
        ----------
        For ``loss="modified_huber"``: Zadrozny, B. and Elkan, C. (2002). Transforming classifier
        scores into accurate multiclass probability estimates. KDD; as in scikit-learn.
        """
        model = self._at_once()
        return model._probabilities(model._scores_of_all(X))

    def _probabilities(self, scores):
        """The probabilities of the classes for rows that have these scores."""
        loss = self._loss_for(vars(self))
        with np.errstate(under="ignore"):
            chances = loss.probability(scores)
        possible = (chances >= 0.0) & (chances <= 1.0)
        if not possible.all():
            place = tuple(np.argwhere(~possible)[0])
            raise ValueError(
                f"loss={self.loss!r} gives row {place[0]} the probability {chances[place]:g}: its "
                "method probability(score) must return numbers from 0 to 1."
            )
        if self._is_multilabel:
            return chances
        if chances.shape[1] == 1:
            return np.hstack([1.0 - chances, chances])
        total = chances.sum(axis=1, keepdims=True)
        equal = np.full_like(chances, 1.0 / chances.shape[1])
        return np.divide(chances, total, out=equal, where=total > 0)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: MatrixLike) -> NDArray:
        """Logarithms of ``predict_proba``; only for losses that have probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), float64
            In the order of ``classes_``; -inf for a probability of 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def score(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | float | None = None
    ) -> float:
        """Mean accuracy of the predictions; for several labels, of whole rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            What is right.
        sample_weight : float or array-like of shape (n_samples,), default=None
            The weight of each row. None is a weight of 1.

        Returns
        -------
        score : float
            At most 1.
        """
        y, sample_weight = self._with_targets(X, y, sample_weight)
        if vars(self).get("_is_multilabel"):
            y = encode_labels(y, len(self.classes_))
        return super().score(X, y, sample_weight)

    @property
    def coef_(self) -> NDArray | csr_array | csr_matrix:
        return self._at_once()._coef()

    @property
    def intercept_(self) -> NDArray:
        return self._read("weight", "intercept")[:, 0]

    @property
    def accumulator_(self) -> NDArray:
        return self._read("accumulator", "weights")
