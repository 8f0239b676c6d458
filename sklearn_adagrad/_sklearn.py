"""The private names of scikit-learn that this package uses, each with the reason.

No other file imports any. They were looked at in scikit-learn 1.9; a new release is a reason to
look again.
"""

# Checks parameters by ``_parameter_constraints`` before a method, as in every estimator of
# scikit-learn; without it, ``global_skip_validation`` would have no effect here.
from sklearn.base import _fit_context

# What GridSearchCV and its kin share: scorers, refit, ``cv_results_``, delegation to the best.
from sklearn.model_selection._search import BaseSearchCV

# ``error_score`` of GridSearchCV: failures become this score, a warning, or an error.
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _score,  # calls one scorer or several, and tells scorers of different kinds apart
    _warn_or_raise_about_fit_failures,
)

# Whether sparse results are arrays or matrices, by scikit-learn's option ``sparse_interface``.
from sklearn.utils import _align_api_if_sparse

# How many threads scikit-learn's own loops would use, which threadpoolctl limits.
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

# What ``_parameter_constraints`` are written in.
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

# Splits precomputed, listed and framed ``X`` as GridSearchCV does.
from sklearn.utils.metaestimators import _safe_split

# Weights and groups are indexed by folds where they have an entry for each row. Names of features
# are looked for in anything that may be a frame, which takes a sixth of a call with one row.
from sklearn.utils.validation import _check_method_params, _check_n_features

__all__ = [
    "BaseSearchCV",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_align_api_if_sparse",
    "_check_method_params",
    "_check_n_features",
    "_fit_context",
    "_insert_error_scores",
    "_openmp_effective_n_threads",
    "_safe_split",
    "_score",
    "_warn_or_raise_about_fit_failures",
]
