"""The Adult data (Becker and Kohavi, 1996, UCI, CC BY 4.0) as one-hot libsvm rows, if at hand."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
from sklearn.datasets import load_svmlight_file

_OPEN = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
_FOLDERS = ("tests", "examples", "sklearn_adagrad")
_ROOT = Path(__file__).resolve().parents[1]


def load(path=None):
    """Rows and labels 0 and 1 of the file, or of an ``a9a`` in this repository; None if none."""
    if path is None:
        found = [each for folder in _FOLDERS for each in sorted((_ROOT / folder).rglob("a9a*"))
                 if not each.name.startswith("a9a.t")]  # fmt: skip
        if not found:
            return None
        path = found[0]
    with _OPEN.get(Path(path).suffix, open)(path, "rb") as file:
        X, y = load_svmlight_file(file, n_features=123, dtype=np.float32, zero_based=False)
    return X, (y > 0).astype(np.int64)
