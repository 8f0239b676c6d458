"""Models with many zeros or small weights, and how they forget them."""

import sys
from numbers import Real
from typing import Self

import numpy as np
from scipy.sparse import csr_array
from sklearn.utils.validation import check_is_fitted

from .._sklearn import _align_api_if_sparse
from ..model.untouched import forget
from .calls import turn_of
from .fitted import Fitted


class Forgetting(Fitted):
    """A model that can become smaller."""

    def _coef(self):
        """The weights, a row for each head."""
        coef = self._read("weight", "weights")
        return _align_api_if_sparse(csr_array(coef)) if vars(self).get("_is_sparse") else coef

    @property
    def n_live_features_(self) -> int:
        """Number of features of which some weight is not zero."""
        return int(np.count_nonzero(self._read("weight", "weights").any(axis=0)))

    def sparsify(self) -> Self:
        """Let ``coef_`` be a sparse matrix, and forget all that belongs to weights of zero.

        For models with many zeros, of a penalty with ``l1_ratio`` above 0, say. A feature whose
        weights are zero for all outputs is forgotten, its accumulators and its scale too: it is new
        if it is learnt again. If these are more than half, pickles hold the others only.
        Predictions stay the same, and so does what ``partial_fit`` learns of the others. ``coef_``
        is sparse until ``densify`` or the next ``fit``.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no model yet.
        ValueError
            If the rule begins with weights that are not zero.
        """
        return self._forget(0.0, _is_sparse=True)

    def prune(self, threshold: float) -> Self:
        """Forget all that belongs to features whose weights are all small.

        As ``sparsify`` does with weights of zero: the weights become zero, and the feature is new
        if it is learnt again, its accumulators, its scale of ``ScaleFree`` and its count of
        ``Admission`` too. With ``lr="auto"``, all learners forget it. For streams in which features
        come and go, now and then. A score moves by at most ``threshold`` times the sum of the
        row's magnitudes. A feature stays as it is, to the last bit, if its weight for any output is
        larger. ``coef_`` stays an array or a sparse matrix; intercepts stay.

        Parameters
        ----------
        threshold : float
            The largest magnitude of a weight in ``coef_`` to forget, at least 0 and finite. 0
            forgets features whose weights are zero.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no model yet.
        TypeError, ValueError
            If ``threshold`` is no number, negative or not finite, or if the rule begins with
            weights that are not zero.

        Notes
        -----
        All weights are read and the state is copied, as in ``sparsify``: this takes memory for
        a second model for a moment, and time in proportion to the number of columns.
        """
        if not isinstance(threshold, Real):
            raise TypeError(f"threshold={threshold!r} must be a number.")
        if not 0 <= threshold <= sys.float_info.max:
            raise ValueError(
                f"threshold={threshold!r} is out of range: it must be at least 0 and finite."
            )
        return self._forget(float(threshold))

    def _forget(self, threshold, **more):
        check_is_fitted(self)
        with turn_of(self):
            self._settle()
            self._commit({"_state": forget(self._bound, self._state, threshold)}, **more)
        return self

    def densify(self) -> Self:
        """Let ``coef_`` be an array again; what ``sparsify`` has forgotten does not come back.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no model yet.
        """
        check_is_fitted(self)
        with turn_of(self):
            self._commit({}, gone=["_is_sparse"])
        return self
