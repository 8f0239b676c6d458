"""What rows there are: blocks, each of which one worker loads whenever it is needed."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .._optional import optional
from ..input.broken import refuse_broken
from ..readers.base import Reader

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class Rows(NamedTuple):
    """The rows of a block that has been loaded."""

    X: sparse.csr_array
    y: np.ndarray
    weights: np.ndarray | None

    def part(self, first, last):
        """The rows from ``first`` to before ``last``."""
        return Rows(*(None if each is None else each[first:last] for each in self))


class Block(NamedTuple):
    """A block that can be loaded: its name, and a call with arguments that Dask may compute."""

    name: str
    function: Any
    args: tuple

    def delayed(self):
        """The call as a task of its own."""
        return optional("dask", "dask").delayed(self.function, pure=False)(*self.args)


def blocks_of(X, y=None, sample_weight=None, suffix=""):
    """The blocks of a Dask array and its targets, or of a list of readers or of chunks.

    ``suffix`` is that of the arguments' names.
    """
    optional("dask", "dask")
    if hasattr(X, "to_delayed") and hasattr(X, "rechunk"):
        return _blocks_of_array(X, y, sample_weight, suffix)
    if not isinstance(X, list | tuple):
        raise TypeError(
            f"X{suffix} is of type {type(X).__name__}: it must be a Dask array (of a dataframe "
            "FieldHasher makes one, and to_dask_array if all is numbers), or a list of readers, of "
            "delayed chunks, or of chunks (X, y) or (X, y, sample_weight)."
        )
    if y is not None or sample_weight is not None:
        raise ValueError(
            f"y{suffix} and sample_weight{suffix} are in the chunks of a list: leave them out."
        )
    if not X:
        raise ValueError(f"X{suffix} is an empty list: there is no row.")
    blocks = []
    for n, each in enumerate(X):
        name = _name(n, suffix)
        if isinstance(each, Reader):
            blocks.append(Block(f"{name}, {each!r}", _read, (each,)))
        else:
            blocks.append(Block(name, _rows_of_chunk, (each,)))
    return blocks


def _name(n, suffix):
    return f"block {n} of X{suffix}" if suffix else f"block {n}"


def _blocks_of_array(X, y, sample_weight, suffix):
    if y is None:
        raise ValueError(f"y{suffix} is missing: a Dask array needs targets.")
    X = X.rechunk({1: -1})
    parts = [X.to_delayed().ravel()]
    for name, each in ((f"y{suffix}", y), (f"sample_weight{suffix}", sample_weight)):
        if each is None:
            parts.append([None] * len(parts[0]))
            continue
        if not hasattr(each, "to_delayed"):
            raise TypeError(f"{name} must be of Dask, as X is, not a {type(each).__name__}.")
        if hasattr(each, "rechunk"):
            each = each.rechunk(dict.fromkeys(range(1, each.ndim), -1))
            _check_rows(name, each.chunks[0], X.chunks[0])
        own = np.ravel(each.to_delayed())
        if len(own) != len(parts[0]):
            raise ValueError(
                f"{name} has {len(own)} partitions and X {len(parts[0])}: repartition one of them."
            )
        parts.append(own)
    rows = enumerate(zip(*parts, strict=True))
    return [Block(_name(n, suffix), _rows_of, each) for n, each in rows]


def _check_rows(name, chunks, of_X):
    """Refuse chunks that are known to have other rows than those of X."""
    if len(chunks) != len(of_X) or np.nan_to_num(np.subtract(chunks, of_X)).any():
        raise ValueError(
            f"{name} has chunks of {chunks[:3]}... rows and X of {of_X[:3]}...: rechunk one of "
            "them."
        )


def _read(reader):
    """All rows of a reader."""
    chunks = [_rows_of_chunk(chunk) for chunk in reader]
    if not chunks:
        raise ValueError(f"{reader!r} has no row.")
    X, y, weights = zip(*chunks, strict=True)
    weights = None if weights[0] is None else np.concatenate(weights)
    return Rows(sparse.csr_array(sparse.vstack(X)), np.concatenate(y), weights)


def _rows_of_chunk(chunk):
    if not isinstance(chunk, tuple | list) or not 2 <= len(chunk) <= 3:
        raise TypeError("A chunk must be (X, y) or (X, y, sample_weight).")
    return _rows_of(*chunk)


def _rows_of(X, y, weights=None):
    """One form for all, of which slices are cheap."""
    if sparse.issparse(X):
        refuse_broken(X, "X")
    X = sparse.csr_array(X)
    if X.dtype not in _FLOATS:
        X = X.astype(np.float64)
    if not X.has_canonical_format:
        X = X.copy()  # the arrays are the caller's, or Dask's
        X.sum_duplicates()
    y = np.asarray(y)
    if y.ndim == 0 or len(y) != X.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows, but y has shape {y.shape}.")
    if weights is None:
        return Rows(X, y, None)
    weights = np.asarray(weights, np.float64)
    if weights.shape != (len(y),):
        raise ValueError(f"X has {X.shape[0]} rows, but sample_weight has shape {weights.shape}.")
    return Rows(X, y, weights)
