"""Data sets that anyone can make again, from a seed.

``clicks`` and ``text`` are the two shapes that sparse online learning meets: rows of equal
length over a feature space too large for the cache, and rows of words, most of them frequent,
over a vocabulary that fits. Making them takes seconds, so they are kept in a folder for
temporary files (or in the one that SKLEARN_ADAGRAD_BENCHMARK_DATA names).
"""

import os
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse

ROWS = {"clicks": 400_000, "text": 200_000}
CLASSES = np.array([0, 1])
_EDITION = 1


def load(name, dtype, rows=None):
    """Rows and labels of ``clicks`` or ``text``."""
    rows = rows or ROWS[name]
    path = file_of(name, rows, ".npz")
    if not path.exists():
        X, y = {"clicks": clicks, "text": text}[name](rows)
        unfinished = path.with_suffix(".unfinished.npz")
        np.savez(unfinished, values=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape, y=y)
        unfinished.replace(path)
    with np.load(path) as file:
        parts = (file["values"].astype(dtype), file["indices"], file["indptr"])
        return sparse.csr_array(parts, shape=tuple(file["shape"])), file["y"]


def file_of(name, rows, suffix):
    """Where data is kept between runs; count ``_EDITION`` up when a generator changes."""
    default = Path(tempfile.gettempdir()) / "sklearn-adagrad-benchmarks"
    path = Path(os.environ.get("SKLEARN_ADAGRAD_BENCHMARK_DATA", default))
    path.mkdir(parents=True, exist_ok=True)
    return path / f"{name}-{rows}-{_EDITION}{suffix}"


def clicks(rows, fields=39, bits=22):
    """One value in each of ``fields`` categories, hashed to ``2 ** bits`` features.

    The categories have from 4 to 2 million values, whose frequencies fall as in Zipf's law
    (exponent 1.3), as those of sites, devices and users do. Where two fields collide in a
    row, the value is 2.
    """
    rng = np.random.default_rng(0)
    sizes = np.geomspace(4, 2_000_000, fields).astype(np.int64)
    first = np.cumsum(sizes) - sizes
    drawn = [rng.zipf(1.3, size=rows) % size for size in sizes]
    names = (np.stack(drawn, axis=1) + first).astype(np.uint64)
    hashed = (names * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits)
    X = _csr(np.ones(hashed.shape, np.float32), hashed, 2**bits)
    return X, _labels(X, rng.normal(0, 0.4, X.shape[1]), -2.0, rng)


def text(rows, words=82, vocabulary=47_000):
    """Documents of ``words`` words, about 66 of them different, as TF-IDF rows of length 1.

    Frequencies fall as in Zipf's law, and frequent words are spread over the vocabulary. The
    weighting is that of scikit-learn's ``TfidfVectorizer(sublinear_tf=True)``.
    """
    rng = np.random.default_rng(1)
    share = 1.0 / np.arange(1, vocabulary + 1)
    cumulative = np.cumsum(share) / share.sum()
    drawn = np.searchsorted(cumulative, rng.random((rows, words)))
    column = rng.permutation(vocabulary)
    X = _csr(np.ones(drawn.shape), column[np.minimum(drawn, vocabulary - 1)], vocabulary)
    documents = np.bincount(X.indices, minlength=vocabulary)
    idf = np.log(rows / np.maximum(1, documents)) + 1
    X.data = (1 + np.log(X.data)) * idf[X.indices]
    norms = np.sqrt(X.multiply(X).sum(axis=1))
    X.data = (X.data / np.repeat(norms, np.diff(X.indptr))).astype(np.float32)
    return X, _labels(X, rng.normal(0, 3, vocabulary), 0.0, rng)


def classes(rows, n_classes, bits=18):
    """Texts with their words hashed to ``2 ** bits`` features, and one of the classes for each.

    Labels are drawn from the probabilities of a multinomial logistic model.
    """
    X, _ = text(rows)
    hashed = (X.indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - bits)
    rng = np.random.default_rng(3)
    scores = X @ rng.normal(0, 8, (X.shape[1], n_classes)) + rng.gumbel(size=(rows, n_classes))
    parts = (X.data, hashed.astype(np.int32), X.indptr)
    X = sparse.csr_array(parts, shape=(rows, 2**bits))
    X.sum_duplicates()
    return X, scores.argmax(axis=1)


def uniform(rows, features, dtype, nonzeros=39):
    """Rows of ``nonzeros`` ones, each in its own stretch of the features: no row has two alike.

    For what depends on sizes alone: memory, and the price of a call.
    """
    rng = np.random.default_rng(2)
    width = features // nonzeros
    columns = rng.integers(width, size=(rows, nonzeros)) + np.arange(nonzeros) * width
    return _csr(np.ones(columns.shape, dtype), columns, features), rng.integers(2, size=rows)


def compact(X):
    """Without the columns that never occur, which would only take time."""
    columns, indices = np.unique(X.indices, return_inverse=True)
    parts = (X.data, indices.astype(np.int32), X.indptr.astype(np.int32))
    return sparse.csr_array(parts, shape=(X.shape[0], len(columns)))


def _csr(values, columns, n_features):
    """Rows of equal length, sorted, with what occurs twice in a row summed."""
    rows, length = columns.shape
    indptr = np.arange(0, rows * length + 1, length, dtype=np.int32)
    parts = (values.ravel(), columns.astype(np.int32).ravel(), indptr)
    X = sparse.csr_array(parts, shape=(rows, n_features))
    X.sum_duplicates()
    return X


def _labels(X, weights, intercept, rng):
    """Labels drawn from the probabilities of a logistic model."""
    chance = 1 / (1 + np.exp(-(X @ weights + intercept)))
    return (rng.random(X.shape[0]) < chance).astype(np.int64)
