"""FieldHasher: a table of fields becomes sparse rows."""

import copy
import itertools
from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError

from .._sklearn import HasMethods, Interval, StrOptions, _align_api_if_sparse, _fit_context
from .builder import Builder
from .kinds import Category, Ignored, Quantiles, Words, kind_of
from .lazily import hashed, is_lazy, sample_of
from .names import names_in
from .plan import Field, Plan, Settings, numbers_of
from .refused import RowsRefused
from .rows import columns_of
from .tables import Batches, forms_of, table_of
from .values import values_of

_LARGEST = 2**31 - 1
# What a field may be, by the form of its column; the first is for fields of which nothing is said.
_KINDS_OF = {
    "texts": "category",
    "codes": "category",
    "integers": "number",
    "numbers": "number",
}


class FieldHasher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turn tables of names, numbers and texts into sparse rows by hashing.

    The rows are those of scikit-learn's :class:`~sklearn.feature_extraction.FeatureHasher` for the
    same table as dicts, ``{"site": "a.com", "age": 31.0}``, to the last bit, without an object of
    Python for each value: the column of a name is the MurmurHash3 (32 bits, seed 0) of
    ``site=a.com``, that of a number the hash of ``age``. Beyond it there are crosses of fields,
    bins of numbers, words of texts, and missing values.

    Parameters
    ----------
    n_features : int, default=2**20
        Number of columns, 1 to 2**31 - 1. Powers of two are fastest. Values that share a column
        share a weight, so there should be several times as many columns as frequent values.
    fields : mapping of str to str or object, default=None
        What fields are, by name: ``"category"``, ``"number"``, ``"log"``, ``"quantiles"``,
        ``"words"``, ``"ignore"``, or an object of :mod:`sklearn_adagrad.fields`, such as
        ``Quantiles(32)``. Fields to ignore need not be there. Fields that are not in it are
        categories if they are of strings, and numbers if they are of numbers. Ids that are integers
        are therefore to be called categories.
    interactions : "all" or sequence of tuples of str, default=()
        Which fields are crossed: a feature for each combination of their values. ``"all"`` is all
        pairs. The hash of a cross is the MurmurHash3 of the hashes it combines.
    missing : {"bucket", "ignore"}, default="bucket"
        A missing value is the feature ``site=``, as an empty string is, or no feature.
    alternate_sign : bool, default=True
        Whether half of the features count negatively, by the sign of their hash, so that those
        that share a column cancel out in the mean (Weinberger et al., 2009, "Feature hashing for
        large scale multitask learning", section 2).
    dtype : dtype, default=numpy.float64
        Of the values: float64, or float32, which takes half the memory here and in the learner.

    Attributes
    ----------
    feature_names_in_ : ndarray of shape (n_fields,)
        Names of the fields that ``fit`` saw.
    n_features_in_ : int
        How many there were.

    See Also
    --------
    sklearn.feature_extraction.FeatureHasher : The same for rows that are dicts.

    Notes
    -----
    ``transform`` needs no ``fit``, except for quantiles. Its result is write-protected; the
    estimators of this package trust it for that, and do not look through it again.

    Values that cancel out in a column are not stored; FeatureHasher stores a zero.

    Examples
    --------
    >>> from sklearn_adagrad import FieldHasher
    >>> rows = {"site": ["a.com", "b.org"], "age": [31.0, None]}
    >>> hasher = FieldHasher(2**10, interactions=[("site", "age")])
    >>> hasher.fit_transform(rows).nnz
    6
    """

    _parameter_constraints: ClassVar = {
        "n_features": [Interval(Integral, 1, _LARGEST, closed="both")],
        "fields": [HasMethods(["items"]), None],
        "interactions": [StrOptions({"all"}), list, tuple],
        "missing": [StrOptions({"bucket", "ignore"})],
        "alternate_sign": ["boolean"],
        "dtype": "no_validation",
    }

    def __init__(
        self, n_features=2**20, *, fields=None, interactions=(), missing="bucket",
        alternate_sign=True, dtype=np.float64,
    ):  # fmt: skip
        self.n_features = n_features
        self.fields = fields
        self.interactions = interactions
        self.missing = missing
        self.alternate_sign = alternate_sign
        self.dtype = dtype

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.dict = True
        tags.requires_fit = False
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the names of the fields, and the bins of those in quantiles.

        Parameters
        ----------
        X : table
            As in ``transform``; a sample of the rows will do. Of a dataframe of Dask it is the
            first partition.
        y : None
            Ignored.

        Returns
        -------
        self : FieldHasher

        Raises
        ------
        ValueError
            If a parameter, or a column of X, is not as described.
        """
        X = sample_of(X) if is_lazy(X) else X
        names, forms, _, batches = self._read(X, keep_missing=False)
        kinds, edges = self._kinds(names, forms), {}
        for n, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            if isinstance(kind, Quantiles):
                edges[name] = kind.edges(_known_numbers(batches, n, name))
        self._plan(names, kinds, edges)
        self._edges = edges
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        return self

    def transform(self, X):
        """Hash the rows of a table.

        Parameters
        ----------
        X : table of shape (n_samples, n_fields)
            A DataFrame of pandas or polars, a Table or RecordBatch of pyarrow, anything else with
            ``__arrow_c_stream__``, a dict of columns, a dict of values for one row or a list of
            such dicts, a structured array, or a two-dimensional array, whose fields are called x0,
            x1, and so on. Or a dataframe of Dask.

        Returns
        -------
        X_hashed : sparse array or matrix of shape (n_samples, n_features)
            CSR, by scikit-learn's option ``sparse_interface``, with sorted columns. Of a dataframe
            of Dask a Dask array of such blocks, which are hashed when they are asked for.

        Raises
        ------
        ValueError
            If a column is of another type, a number is infinite, or X has other fields than ``fit``
            saw.
        """
        if is_lazy(X):
            as_it_is = copy.deepcopy(self)
            return hashed(as_it_is.transform, X, self.n_features, self._checked_dtype())
        names, forms, n_rows, batches = self._read(X, self.missing == "bucket")
        plan, builder = self._plan_of(names, forms), self._builder(n_rows)
        for batch in batches:
            try:
                entries = plan.entries(batch)
            except RowsRefused as refused:
                raise RowsRefused(refused.rows + builder.n_rows, refused.reason) from None
            builder.add(*entries, builder.n_rows)
        return _align_api_if_sparse(builder.sealed())

    def inverse(self, X, columns):
        """Which values of a sample of rows fell into some columns.

        Parameters
        ----------
        X : table
            As in ``transform``.
        columns : iterable of int
            Columns of the result of ``transform``, for instance those with the largest weights.

        Returns
        -------
        names : dict of int to list of str
            For each column the names that are hashed there, as ``field=value``, crosses joined by
            ``" & "``; the most frequent first.
        """
        found = self._names_in(X, columns)
        return {column: [str(name) for name in names] for column, names in found.items()}

    def _names_in(self, X, columns):
        """The same with what else is known of a ``Name``."""
        table = table_of(X)
        plan = self._plan_of(table.schema.names, forms_of(table.schema))
        return names_in(plan, Batches(table, self.missing == "bucket"), columns)

    def _read(self, X, keep_missing):
        """Names and forms of the fields of ``X``, how many rows there are, and their batches."""
        values = values_of(X)
        if values is not None:
            return values.names, values.forms, values.n_rows, values.batches(keep_missing)
        table = table_of(X)
        names, forms = table.schema.names, forms_of(table.schema)
        return names, forms, len(table), Batches(table, keep_missing)

    @property
    def _n_features_out(self):
        return self.n_features

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_edges")

    def _described(self, encoder, name):
        params = self.get_params(deep=False)
        fitted = None
        if self.__sklearn_is_fitted__():
            fitted = {
                "names": encoder.encode(self.feature_names_in_, f"{name}.names"),
                "edges": encoder.encode(self._edges, f"{name}.edges"),
            }
        encoded = {each: encoder.encode(params[each], f"{name}.{each}") for each in params}
        return {"params": encoded, "fitted": fitted}

    @classmethod
    def _restored(cls, item, decoder):
        hasher = cls(**{name: decoder.decode(value) for name, value in item["params"].items()})
        hasher._validate_params()
        if item["fitted"] is not None:
            names, edges = (decoder.decode(item["fitted"][each]) for each in ("names", "edges"))
            for each in edges.values():
                if each.dtype != np.float64 or each.ndim != 1 or not (np.diff(each) > 0).all():
                    raise ValueError("the bins of its fields are out of order")
            hasher.feature_names_in_, hasher.n_features_in_ = names, len(names)
            hasher._edges = edges
        return hasher

    def _learnt(self):
        """What ``fit`` has learnt that matters to ``transform``, as text."""
        edges = getattr(self, "_edges", {})
        return repr([(name, edges[name].tolist()) for name in sorted(edges)])

    def _builder(self, n_rows):
        """What puts about ``n_rows`` together."""
        columns = columns_of(self.n_features, self.alternate_sign)
        return Builder(columns, self._checked_dtype(), n_rows)

    def _checked_dtype(self):
        dtype = np.dtype(self.dtype)
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype!r}.")
        return dtype

    def _plan_of(self, names, forms):
        """The plan for batches whose fields have these names and forms."""
        self._check_names(names)
        return self._plan(names, self._kinds(names, forms), getattr(self, "_edges", {}))

    def _plan_for(self, X):
        """The plan for a table, and the form and type of each column."""
        schema = table_of(X).schema
        forms = forms_of(schema)
        return self._plan_of(schema.names, forms), forms

    def _check_names(self, names):
        if not hasattr(self, "_edges"):
            return
        known, ignored = set(self.feature_names_in_), self._ignored()
        for name in sorted(known - set(names) - ignored):
            raise ValueError(f"X has no field {name!r}, which fit saw.")
        for name in sorted(set(names) - known - ignored):
            raise ValueError(f"X has a field {name!r} that fit did not see.")

    def _ignored(self):
        """The fields that need not be there."""
        fields = dict(self.fields or {})
        return {name for name, kind in fields.items() if isinstance(kind_of(name, kind), Ignored)}

    def _kinds(self, names, forms):
        """The kind of each field."""
        self._validate_params()
        given = dict(self.fields or {})
        for name in given:
            if name not in names and name not in self._ignored():
                raise ValueError(f"fields names {name!r}, but the fields of X are {names}.")
        kinds = []
        for name, (form, column) in zip(names, forms, strict=True):
            chosen = kind_of(name, given.get(name, _KINDS_OF.get(form, "category")))
            if isinstance(chosen, Ignored):
                kinds.append(chosen)
                continue
            if form is None:
                raise ValueError(
                    f"Field {name!r} is of type {column}: turn it into strings or numbers, or "
                    f"leave it out with fields={{{name!r}: 'ignore'}}."
                )
            if isinstance(chosen, Category) and form == "numbers":
                raise ValueError(
                    f"Field {name!r} is of type {column}: turn it into integers or strings before "
                    "it is a category."
                )
            if isinstance(chosen, Words) and form not in ("texts", "codes"):
                raise ValueError(f"Field {name!r} is of type {column}, not a text with words.")
            kinds.append(chosen)
        return kinds

    def _plan(self, names, kinds, edges):
        fields = []
        for position, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            if isinstance(kind, Quantiles) and name not in edges:
                raise NotFittedError(
                    f"Field {name!r} is in quantiles, which fit has to learn first."
                )
            if not isinstance(kind, Ignored):
                fields.append(Field(position, name, kind, edges.get(name)))
        if not fields:
            raise ValueError("X has no fields to hash: all are ignored.")
        settings = Settings(self.n_features, self.missing == "bucket", self._checked_dtype())
        return Plan(fields, self._crosses([field.name for field in fields]), settings)

    def _crosses(self, names):
        """Which of the fields ``names`` are crossed, by their positions."""
        if isinstance(self.interactions, str):
            return list(itertools.combinations(range(len(names)), 2))
        place = {name: n for n, name in enumerate(names)}
        crosses = []
        for cross in self.interactions:
            if not isinstance(cross, tuple | list) or len(cross) < 2:
                raise ValueError(
                    f"Each of interactions must be a tuple of two or more fields, got {cross!r}."
                )
            for name in cross:
                if name not in place:
                    raise ValueError(f"interactions names {name!r}, but the fields are {names}.")
            crosses.append(tuple(place[name] for name in cross))
        return crosses


def _known_numbers(batches, position, name):
    """The numbers of a field that are not missing."""
    parts, n_before = [np.empty(0)], 0
    for batch in batches:
        try:
            parts.append(numbers_of(batch, position, name))
        except RowsRefused as refused:
            raise RowsRefused(refused.rows + n_before, refused.reason) from None
        n_before += batch.n_rows
    numbers = np.concatenate(parts)
    return numbers[~np.isnan(numbers)]
