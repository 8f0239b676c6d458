"""Dataframes of Dask: hashed partition by partition, once somebody asks for the rows."""

import numpy as np

from .._optional import optional


def is_lazy(X):
    """Whether ``X`` is a dataframe of Dask."""
    return hasattr(X, "map_partitions") and hasattr(X, "to_delayed") and hasattr(X, "columns")


def sample_of(X):
    """The first partition that has rows."""
    for n in range(X.npartitions):
        rows = X.partitions[n].compute()
        if len(rows):
            return rows
    raise ValueError("X has no rows: a dataframe of Dask is fitted by its first partition.")


def hashed(transform, X, n_features, dtype):
    """A Dask array of CSR blocks, one for each partition."""
    array, delayed = optional("dask.array", "dask"), optional("dask", "dask").delayed
    blocks = [
        array.from_delayed(delayed(transform)(part), (np.nan, n_features), dtype=dtype)
        for part in X.to_delayed()
    ]
    return array.concatenate(blocks)
