"""Real data sets, read from a folder that the command line names; none may be passed on here."""

import gzip
import io
import lzma
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.datasets import load_svmlight_file
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder

from sklearn_adagrad import FieldHasher
from sklearn_adagrad.readers import VowpalWabbit, criteo

from . import newsgroups
from .data import compact

KDD_ROWS = 100_000
_LOGARITHMS = {f"I{n}": "log" for n in range(1, 14)}
_SYMBOLS = ("f1", "f2", "f3")  # pyarrow's names of columns; f41 is the label


def _shuffled(X, y):
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


def _libsvm(path):
    with lzma.open(path) as file:
        X, y = load_svmlight_file(file)
    return _shuffled(sparse.csr_array(X), (y > 0).astype(int))


def _multiplied(path):
    """Each column in a unit of its own."""
    X, y = _libsvm(path)
    units = 10 ** np.random.default_rng(1).uniform(-3, 3, X.shape[1])
    return sparse.csr_array(X.multiply(units)), y


def _stamped(path):
    """One more column: the seconds since 1970, a few of which pass between two rows."""
    X, y = _libsvm(path)
    seconds = 1.7e9 + np.cumsum(np.random.default_rng(1).integers(1, 60, len(y)))
    return sparse.csr_array(sparse.hstack([X, seconds[:, np.newaxis]], format="csr")), y


def _hashed(reader):
    parts, labels, _ = zip(*reader, strict=True)
    return sparse.csr_array(sparse.vstack(parts, format="csr")), np.concatenate(labels)


def _clicks(path):
    X, y = _hashed(criteo(path, FieldHasher(2**22, fields=_LOGARITHMS)))
    return X, (y > 0).astype(int)


def _signs(path):
    X, y = _hashed(VowpalWabbit(path, FieldHasher(2**22)))
    return X, (y > 0).astype(int)


def _texts(path, vectorizer):
    """Those to learn, with their 20 groups."""
    (texts, y), _ = newsgroups.load(path)
    return _shuffled(sparse.csr_array(vectorizer(dtype=np.float64).fit_transform(texts)), y)


def _technical(path, vectorizer):
    X, y = _texts(path, vectorizer)
    return X, np.array([each.startswith(("comp.", "sci.")) for each in y], dtype=int)


def _kinds(path):
    """Connections with what they were: columns as they come, and one for each symbol."""
    from pyarrow import csv

    with gzip.open(path) as file:
        options = csv.ReadOptions(autogenerate_column_names=True)
        table = csv.read_csv(file, options)
    order = np.random.default_rng(0).permutation(len(table))[:KDD_ROWS]
    table = table.take(order)
    symbols = np.column_stack([table[name].to_numpy() for name in _SYMBOLS])
    numbers = np.column_stack(
        [table[f"f{n}"].to_numpy() for n in range(41) if f"f{n}" not in _SYMBOLS]
    )
    X = sparse.hstack([sparse.csr_array(numbers), OneHotEncoder().fit_transform(symbols)])
    return sparse.csr_array(X), table["f41"].to_numpy()


def _attacks(path):
    X, y = _kinds(path)
    return X, (y != "normal.").astype(int)


# What there is: the file, and what makes rows and labels of it.
_COUNTS, _WEIGHTS = CountVectorizer, partial(TfidfVectorizer, sublinear_tf=True)
_A9A, _NEWS, _KDD = "a9a.xz", "20news_bydate.jsonl.gz", "kddcup.data_10_percent.gz"
BINARY = {
    "a9a": (_A9A, _libsvm),
    "a9a, columns times 10^U(-3, 3)": (_A9A, _multiplied),
    "a9a, and the time": (_A9A, _stamped),
    "w8a": ("w8a.xz", _libsvm),
    "agaricus": ("agaricus.txt.train.xz", _libsvm),
    "Criteo, 10,000 rows": ("criteo_first10k.tsv.xz", _clicks),
    "rcv1, 1,000 rows": ("rcv1_small.dat.xz", _signs),
    "20 newsgroups, TF-IDF": (_NEWS, partial(_technical, vectorizer=_WEIGHTS)),
    "20 newsgroups, counts": (_NEWS, partial(_technical, vectorizer=_COUNTS)),
    "KDD Cup 1999, attacks": (_KDD, _attacks),
}
UNSCALED = ("a9a, columns", "a9a, and", "KDD")  # how names begin where columns differ in scale
CLASSES = {
    "20 newsgroups, TF-IDF, classes": (_NEWS, partial(_texts, vectorizer=_WEIGHTS)),
    "20 newsgroups, counts, classes": (_NEWS, partial(_texts, vectorizer=_COUNTS)),
    "KDD Cup 1999, kinds of attacks": (_KDD, _kinds),
}


def load(options, file, read):
    """The first rows and their labels, without columns that are empty; None without the file."""
    path = Path(options.data) / file
    if not path.exists():
        return None
    X, y = read(path)
    rows = options.rows(len(y))
    X = compact(X[:rows])
    X.sort_indices()
    return X, y[:rows]


def blog_feedback(options):
    """Rows and numbers of comments, shuffled, then those of the test; None without the file."""
    path = Path(options.data) / "BlogFeedback.zip"
    if not path.exists():
        return None
    with zipfile.ZipFile(path) as archive:
        names = sorted(archive.namelist())
        learnt, test = (
            np.vstack([
                np.loadtxt(io.BytesIO(archive.read(each)), delimiter=",", ndmin=2)
                for each in names if part in each
            ])
            for part in ("train", "test")
        )  # fmt: skip
    rows = options.rows(len(learnt))
    X, y = _shuffled(sparse.csr_array(learnt[:, :-1]), learnt[:, -1])
    return X[:rows], y[:rows], sparse.csr_array(test[:, :-1]), test[:, -1]
