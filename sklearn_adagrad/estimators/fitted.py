"""What is known of a model that has learnt: its attributes, its predictions and its pickles."""

from abc import abstractmethod
from os import PathLike
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from .._types import MatrixLike
from ..engines import ENGINES, engine_of
from ..files import models
from ..input.checks import check_rows, check_target, check_weights, take_rows
from ..input.sealed import trusting
from ..model.limits import largest_gradient
from ..model.state import copy_state, field
from ..model.uncertainty import moves
from .calls import turn_of
from .divergence import check_finite_scores, check_learnable, scores_by_parts
from .parameters import Parameters
from .saving import described, packed, restored, unpacked

_CPU = ENGINES["cpu"]
INPUT = ("n_features_in_", "feature_names_in_")
TRIES = 3  # before a reader that needs all of one moment waits for its turn


class Fitted(Parameters):
    """A model and what can be asked of it; ``base`` has what trains it."""

    _fitted_names: ClassVar[tuple] = (  # what files hold besides parameters and the state
        *INPUT, "n_iter_", "loss_curve_", "validation_loss_curve_", "best_n_iter_", "fit_summary_",
        "_is_sparse",
    )  # fmt: skip

    @property
    def _engine(self):
        """Where rows are learnt. What is known is read on the processor, which is always there."""
        return engine_of(self.device)

    def _check_width(self, n_features):
        """``n_features_in_`` runs ahead of the state while the estimator is being refitted."""
        size = self._state.n_features
        if n_features != size:
            raise ValueError(f"X has {n_features} features, but the model has {size} weights.")

    # --- fitted attributes ----------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_state")

    @property
    def _dtype(self):
        return self._state.dtype

    def _read(self, name, table):
        """Field ``name`` of all records of ``table`` ("weights" or "intercept"), a row per head."""
        model = self._at_once()
        model._check_has_state()
        if name != "weight" and name not in model._bound.start:
            raise AttributeError(
                f"{type(model._bound.base).__name__} keeps no {name} of a weight, only "
                f"{', '.join(model._bound.start)}."
            )
        return field(model._bound, model._state, table, name)

    @property
    def t_(self) -> int:
        """Number of rows learnt so far; a row of weight zero does not count."""
        self._check_has_state()
        return self._state.t

    @property
    def progressive_loss_(self) -> float:
        """Weighted mean loss of all rows, each just before it was learnt; nan before the first."""
        self._check_has_state()
        state = self._state

        def mean():
            weight = state.totals["weight"][0]
            return float(state.lost[0].sum() / weight) if weight else float("nan")

        return state.guard.read(mean)

    def _check_has_state(self):
        if not self.__sklearn_is_fitted__():
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet: call fit or partial_fit first."
            )

    def _scores(self, X, *, refuses=True, engine=None):
        """Scores of shape (n_samples, n_outputs); FloatingPointError if one is no number.

        By the processor, if no ``engine`` is named: to the same bits wherever a model is.
        """
        check_is_fitted(self)
        state, bound, scores = self._state, self._bound, None
        n_jobs, engine = self._n_threads(), engine or _CPU

        def inspect(rows, bits, n_features):
            nonlocal scores
            self._check_width(n_features)
            scores, verdict = state.guard.read(
                lambda: engine.scores(rows, bits, n_features, bound, state, n_jobs=n_jobs)
            )
            return verdict

        rows = check_rows(self, X, reset=False, dtype=state.dtype, inspect=inspect)[0]
        beyond = np.flatnonzero(~np.isfinite(scores).all(axis=1))
        if len(beyond):
            coef, intercept = (field(bound, state, each, "weight") for each in state.tables)
            chosen = take_rows(rows, beyond, coef.shape[1])
            scores[beyond] = scores_by_parts(chosen, coef, intercept)
            if refuses:
                check_finite_scores(scores[beyond], beyond, rows)
        return scores

    def uncertainty(self, X: MatrixLike) -> NDArray:
        """How far the score of each row would move if it were learnt once more, now.

        With a gradient of the score of 1 or -1, whichever moves it further: the largest that log
        loss can have, of a row of weight 1. It is large for rows whose features are new or rare,
        and becomes small as they are learnt. For ``rule="adagrad"`` without a penalty it is the
        sum of ``lr * x ** 2 / (sqrt(accumulator + x ** 2) + eps)`` over the values ``x`` of a row
        and the 1 of the intercept. With any rule, copies of the records of the row's features are
        advanced; only these are read.

        With :class:`~sklearn_adagrad.rules.ScaleFree` the columns of the row have the scales that
        it would be learnt with, as for a row of weight 1. With
        :class:`~sklearn_adagrad.rules.ImportanceAware` it is the step of such a gradient that stays
        the same, while that of a loss shrinks as the score comes closer to its target. With
        ``lr="auto"`` it is how far the mean of the learners would move.

        With ``Averaged`` it is that of the weights that learn, since one row hardly moves a mean.
        A feature that ``Admission`` would not learn yet adds nothing.

        Parameters
        ----------
        X : {array-like, sparse matrix, sparse array, dataframe} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        uncertainty : ndarray of shape (n_samples,) or (n_samples, n_outputs), float64
            In units of the score, not negative.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no model yet.
        FloatingPointError
            If a row has values beyond what can be learnt; it names the row.

        References
        ----------
        McMahan, H. B. and others (2013). Ad Click Prediction: a View from the Trenches. KDD:
        section 7, "uncertainty score", which sums the rates of the features of a row.
        """
        check_is_fitted(self)
        model = self._at_once()
        state = model._state
        rows, n_features, max_abs = check_rows(
            model, X, reset=False, dtype=state.dtype, inspect=trusting(_CPU.inspect)
        )
        model._check_width(n_features)
        check_learnable(rows, max_abs, largest_gradient(state.dtype, model._bound.largest_lr))
        about = bool(model.fit_intercept), model._has_unit(model._loss_for(vars(model)))
        return model._flat(state.guard.read(lambda: moves(model._bound, state, rows, *about)))

    def _with_targets(self, X, y, sample_weight):
        """What ``score`` takes besides ``X``, checked before anything converts it."""
        shape = np.shape(X)
        if not shape:  # no rows: predict will say so
            return y, sample_weight
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, shape[0])
        return check_target(self, y, shape[0]), sample_weight

    # --- other threads, interrupts, files -------------------------------------------------

    def _settle(self):
        """Count the rows of a call, also if it did not come to its end."""
        pending = vars(self).get("_pending")
        if pending is None:
            return
        done, counts = pending.done(self._state.t), pending.counts
        if counts and done < len(pending.y):
            passed = pending.y[:done], pending.weights[:done]
            _, counts = self._weigh_in_passing(*passed, vars(self))
        self._commit(counts, gone=["_pending"])

    def _at_once(self):
        """This estimator as it is now: what is set or fitted from now on is not in it."""
        model = object.__new__(type(self))
        model.__dict__ = vars(self).copy()
        return model

    def _commit(self, learnt, gone=(), **more):
        """Let this be known, and what is ``gone`` no longer, all in one moment."""
        known = vars(self) | learnt | more
        for name in gone:
            known.pop(name, None)
        self.__dict__ = known

    def _about_input(self):
        return {name: vars(self)[name] for name in INPUT if name in vars(self)}

    def _in_one_moment(self, copied):
        """This estimator with the ``_state`` that ``copied`` takes from it, between two rows."""

        def taken():
            model = self._at_once()
            vars(model).update(_state=copied(model))
            model._settle()
            return model

        for _ in range(TRIES):
            before = vars(self)
            try:
                model = taken()
            except LookupError:  # rows were learnt meanwhile that the call before did not have
                continue
            if vars(self) is before:  # every call that learns begins with new ones
                return model
        with turn_of(self):
            return taken()

    def save(self, path: str | PathLike, *, serving: bool = False) -> None:
        """Save the model to a file that holds arrays and a description, and runs no code.

        :func:`sklearn_adagrad.load` reads it. The file has its name only when it is complete and on
        disk: whatever interrupts, what was there before is there still. Features that no row has
        had are left out if they are at least half. Callbacks, metadata requests and attributes of
        your own are not saved. Needs safetensors.

        Parameters
        ----------
        path : str or path
            The file. A file that exists is replaced.
        serving : bool, default=False
            Whether to save what predicts, and leave out what only learning needs, such as
            accumulators. The file is then half as large or smaller, features of weight zero are
            left out if they are at least half, and ``partial_fit`` of the loaded model raises
            ValueError.

        Raises
        ------
        TypeError
            If a parameter cannot be saved: a RandomState, or an object that is no named tuple.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import sklearn_adagrad
        >>> model = sklearn_adagrad.AdagradRegressor().partial_fit([[1.0], [2.0]], [1.0, 2.0])
        >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
        >>> model.save(path)
        >>> bool(sklearn_adagrad.load(path).coef_ == model.coef_)
        True
        """
        models.write(path, self, serving=serving)

    def _described(self, encoder, name):
        model = self
        if self.__sklearn_is_fitted__():
            model = self._in_one_moment(lambda model: copy_state(model._state))
        known = vars(model)
        parts = {
            "params": {
                each: encoder.encode(value, f"{name}.{each}")
                for each, value in model.get_params(deep=False).items()
            },
            "fitted": {
                each: encoder.encode(known[each], f"{name}.{each}")
                for each in self._fitted_names
                if each in known
            },
            "state": None,
        }
        if "_state" in known:
            parts["state"] = described(known["_bound"], known["_state"], encoder, name)
        return parts

    @classmethod
    def _restored(cls, item, decoder):
        params = {name: decoder.decode(value) for name, value in item["params"].items()}
        model = cls(**params)
        model._validate_params()
        if item["state"] is not None:
            fitted = {name: decoder.decode(item["fitted"][name]) for name in item["fitted"]}
            if not set(fitted) <= set(cls._fitted_names):
                raise ValueError(f"its attributes are {sorted(fitted)}")
            bound, state = restored(item["state"], decoder)
            model._commit(fitted, _bound=bound, _state=state)
            if (
                model._n_outputs() != state.n_outputs
                or fitted["n_features_in_"] != state.n_features
            ):
                raise ValueError("its attributes and its weights are of different models")
        return model

    @abstractmethod
    def _n_outputs(self):
        """How many outputs the attributes speak of."""

    def _become(self, model):
        """Let this be known of this estimator what is known of ``model``, one of the same class."""
        with turn_of(self):
            self._settle()
            names = ("_state", "_bound", *self._fitted_names)
            known = {name: vars(model)[name] for name in names if name in vars(model)}
            self._commit(known, gone={*names} - {*known})

    def __getstate__(self):
        if not self.__sklearn_is_fitted__():
            return packed(vars(self))
        return packed(vars(self._in_one_moment(lambda model: copy_state(model._state))))

    def __setstate__(self, saved):
        self.__dict__ = unpacked(saved, type(self).__name__)
