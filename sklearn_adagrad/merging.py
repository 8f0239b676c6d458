"""One model from several that learnt different rows."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ._types import MatrixLike
from .estimators.classifier import AdagradClassifier
from .estimators.judging import judged_by
from .estimators.regressor import AdagradRegressor
from .formulas import losses
from .formulas.rules import FTRL, Adagrad, DualAveraging
from .formulas.wrappers import Clipped
from .model.adaptation import refuse_frozen
from .model.binding import kinds
from .model.combinations import chain
from .model.joining import added, joined, moves_of, part_of
from .model.state import copy_state, new_state

# What has been measured, see ``benchmarks/cases/merging.py``.
_LOSSES = (
    losses.LogLoss, losses.Multinomial, losses.Hinge, losses.SquaredHinge, losses.ModifiedHuber,
    losses.SquaredError, losses.AbsoluteError, losses.Huber, losses.Poisson, losses.Quantile,
)  # fmt: skip
_REACHES = [2.0**n for n in range(13, -7, -1)]
_PATIENCE = 3  # reaches that are worse than the best before the search ends
_COUNTS = ("_class_counts", "_all_counts")
_OF_FIT = (
    "n_iter_", "loss_curve_", "validation_loss_curve_", "best_n_iter_", "fit_summary_", "_turn",
)  # fmt: skip

Model = AdagradClassifier | AdagradRegressor


def merge(
    models: Sequence[Model],
    *,
    start: Model | None = None,
    X: MatrixLike | None = None,
    y: ArrayLike | None = None,
    sample_weight: ArrayLike | float | None = None,
) -> Model:
    """One model from several that learnt different rows from the same start.

    Days, regions, devices: each learns its own rows, and what comes out is close to what one model
    would be that had learnt all of them. Features that only one of the models had keep its weight
    to the last bit; clocks, ``progressive_loss_`` and the counts of classes are those of all rows.
    See :doc:`merging`.

    With rows ``X`` and ``y`` to go by, moves of weights are added up as far as these speak for it.
    Without, weights and accumulators become the means of those of the models that had the feature.

    Parameters
    ----------
    models : list of AdagradClassifier or of AdagradRegressor
        The fitted models, of the same parameters, features, dtype and classes. They stay as they
        are.
    start : AdagradClassifier or AdagradRegressor, default=None
        The model that all of them were when they began to learn their own rows: a copy or a file
        of that time. None if they began from nothing.
    X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
        Rows to choose by, some thousands, which no model should have learnt. They are not learnt
        here either.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets, as ``fit`` takes them.
    sample_weight : float or array-like of shape (n_samples,), default=None
        Their weights.

    Returns
    -------
    model : AdagradClassifier or AdagradRegressor
        A model like any other, with the parameters of the first one.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If a model has learnt nothing yet.
    TypeError, ValueError
        If the models do not belong together or did not begin from ``start``, if the rows are not
        valid, or if the loss or the rule is one for which merging was not measured.

    Notes
    -----
    Supported are the rules Adagrad, FTRL and DualAveraging, with penalties and in ``Clipped``, with
    a number for ``lr`` and without ``lr_decay`` or batches; and all losses of the library but
    perceptron, gamma, tweedie and those with an epsilon. DualAveraging is not for more than two
    classes one-versus-rest.

    References
    ----------
    Agarwal, A., Chapelle, O., Dudik, M. and Langford, J. (2014). A Reliable Effective Terascale
    Linear Learning System. JMLR 15: means weighted by accumulators, which this starts from.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_adagrad import AdagradClassifier, merge
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 3))
    >>> y = (X @ [1, 2, 3] > 0).astype(int)
    >>> days = [
    ...     AdagradClassifier(lr=0.1).partial_fit(X[n : n + 100], y[n : n + 100], classes=[0, 1])
    ...     for n in range(0, 400, 100)
    ... ]
    >>> merge(days, X=X, y=y).t_
    400
    """
    if (X is None) != (y is None) or (X is None and sample_weight is not None):
        raise ValueError("X and y must be given together: they are the rows to choose by.")
    models = _checked(models, start)
    first = _as_it_is(models[0])
    _check_supported(first)
    bound, (began, counted) = first._bound, _beginning(first, start)
    parts, counts = _parts(first, models, began)
    moves = moves_of(bound, began, parts)
    sums = {name: added(counted[name], [each[name] for each in counts]) for name in counted}
    first._commit(sums, gone=_OF_FIT, _state=joined(bound, began, parts, moves, None))
    if X is None:
        return first
    lost, weights = judged_by(first, X, y, sample_weight)
    first._require_weight(weights, "sample_weight")
    loss, state = _reached(lost, bound, began, parts, moves)
    if loss < lost(first._state):
        vars(first).update(_state=state)
    return first


def _as_it_is(model):
    """A copy between two rows, whoever lets the model learn."""
    return model._in_one_moment(lambda model: copy_state(model._state))


def _counts(model):
    """What is known of the labels of its rows."""
    return {name: vars(model)[name] for name in _COUNTS if name in vars(model)}


def _beginning(first, start):
    """The state that all models began from, and its counts."""
    if start is None:
        state, counts = first._state, _counts(first)
        began = new_state(first._bound, state.n_features, state.dtype, state.n_outputs)
        return began, {name: 0.0 * count for name, count in counts.items()}
    start = _as_it_is(start)
    _check_like(first, start, "start")
    return start._state, _counts(start)


def _parts(first, models, began):
    """What is in each model that was not in its beginning, and its counts."""
    parts, counts = [], []
    for n, each in enumerate(models):
        known = _as_it_is(each)
        _check_like(first, known, f"models[{n}]")
        parts.append(part_of(began, known._state))
        counts.append(_counts(known))
        if parts[-1] is None:
            raise ValueError(
                f"models[{n}] did not begin from start: it has fewer rows or smaller accumulators. "
                "Name the model that all began from; features must not be forgotten in between."
            )
    return parts, counts


def _reached(lost, bound, began, parts, moves):
    """The least loss and its state, from averaged moves to added ones until it becomes worse."""
    best, waited = (np.inf, None), 0
    for reach in _REACHES:
        state = joined(bound, began, parts, moves, reach)
        loss = lost(state)
        waited = 0 if loss < best[0] else waited + (loss != best[0])
        best = (loss, state) if loss < best[0] else best
        if waited == _PATIENCE:
            break
    return best


def _checked(models, start):
    """The models as a list: fitted ones, each of which is there once."""
    if not isinstance(models, Iterable):
        raise TypeError(f"models is a {type(models).__name__}: it must be a list of models.")
    models = list(models)
    if not models:
        raise ValueError("models is empty: there is nothing to merge.")
    named = {f"models[{n}]": each for n, each in enumerate(models)}
    named |= {} if start is None else {"start": start}
    seen = {}
    for name, each in named.items():
        if not isinstance(each, Model):
            raise TypeError(
                f"{name} is a {type(each).__name__}: it must be an AdagradClassifier or an "
                "AdagradRegressor."
            )
        check_is_fitted(each)
        if name != "start" and id(each) in seen:
            raise ValueError(f"{name} is {seen[id(each)]} again: its rows would count twice.")
        seen[id(each)] = name
    return models


def _check_supported(model):
    """Refuse what has not been measured, or is known not to work."""
    bound, loss = model._bound, model._loss_for(vars(model))
    refuse_frozen(bound)
    about = bound.arguments[0]
    if about["lr"] == "auto":
        said = "lr='auto': its learners have scales of their own. Set lr to a number such as 0.1"
    elif about["lr_decay"] > 0 or about["lr"] == 0:
        said = f"lr={about['lr']:g} with lr_decay={about['lr_decay']:g}: lr must be constant"
    elif about["batch_size"] != 1:
        said = (
            f"batch_size={about['batch_size']:g}, as those of Dask are: only with batch_size=1 "
            "from their first row on"
        )
    elif not _is_supported(about["rule"]):
        said = f"rule={about['rule']!r}: take Adagrad, FTRL or DualAveraging, alone or in Clipped"
    elif type(loss) not in _LOSSES:
        said = f"loss={model.loss!r}: what merging does to it was not measured"
    elif isinstance(bound.base, DualAveraging) and _is_one_versus_rest(model, loss):
        said = (
            "rule='dual_averaging' and multi_class='ovr' for more than two classes: their average "
            "is better. Set multi_class='multinomial'"
        )
    else:
        return
    raise ValueError(f"Models cannot be merged that were learnt with {said}.")


def _is_one_versus_rest(model, loss):
    several = len(vars(model).get("classes_", ())) > 2 and not model._is_multilabel
    return several and not isinstance(loss, losses.Multinomial)


def _is_supported(rule):
    *wrappers, base = chain(rule)
    return all(type(each) is Clipped for each in wrappers) and (
        type(base) in (FTRL, DualAveraging) or (type(base) is Adagrad and not base.eps_inside)
    )


def _check_like(first, other, name):
    """Refuse a model that is not of the same kind as the first one."""
    for what, of_first, of_other in _compared(first, other):
        if not _same(of_first, of_other):
            raise ValueError(
                f"{name} has {what}={of_other!r}, but models[0] has {of_first!r}: only models that "
                "are alike can be merged."
            )


def _compared(first, other):
    """What must be the same of two models: its name, and what either has."""
    yield "the class", type(first).__name__, type(other).__name__
    yield "dtype", str(first._dtype), str(other._dtype)
    for name in ("n_features_in_", "feature_names_in_", "classes_", "_is_multilabel", "_n_targets"):
        yield name.removeprefix("_"), vars(first).get(name), vars(other).get(name)
    for name, value in first._bound.arguments[0].items():
        yield name, value, other._bound.arguments[0][name]
    yield "loss", first._loss(), other._loss()
    for name in ("fit_intercept", "class_weight", "multi_class", "negatives_kept"):
        yield name, getattr(first, name, None), getattr(other, name, None)


def _same(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple):
        return a == b and kinds(a) == kinds(b)
    return bool(np.array_equal(a, b))
