"""Saving and loading a model of 2^22 features: seconds, and megabytes on disk.

A classifier, float32, that has seen 400,000 rows of clicks: of its features, most or few. Files of
safetensors are on disk when ``save`` returns; pickle, joblib and skops leave that to the system.
"""

import pickle
import tempfile
from functools import partial
from pathlib import Path

import joblib
import numpy as np

import sklearn_adagrad
from sklearn_adagrad import AdagradClassifier
from sklearn_adagrad.saving import TRUSTED_TYPES

from .. import data
from ..measure import Contestant, compare

COLUMNS = ("case", "contestant", "seconds", "range", "ratio", "megabytes")
FEATURES = 2**22


def run(options):
    """Most features live, then few."""
    rows = options.rows(400_000)
    with tempfile.TemporaryDirectory() as folder:
        for name, nonzeros, n in (("most features live", 39, rows), ("few", 39, rows // 40)):
            X, y = data.uniform(n, FEATURES, np.float32, nonzeros=nonzeros)
            model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=data.CLASSES)
            yield from _both(name, model, Path(folder), options.rounds or 7)


def _both(name, model, folder, rounds):
    ways = {"model.save": (model.save, sklearn_adagrad.load)}
    ways["model.save, serving"] = partial(model.save, serving=True), sklearn_adagrad.load
    ways["pickle"] = partial(_pickled, model), _unpickled
    ways["joblib"] = partial(joblib.dump, model), joblib.load
    try:
        import skops.io
    except ImportError:
        pass
    else:
        ways["skops"] = partial(skops.io.dump, model), partial(skops.io.load, trusted=TRUSTED_TYPES)
    for verb, place in (("save", 0), ("load", 1)):
        contestants = [
            Contestant(who, partial(_called, way[place], folder / who.replace(" ", "")))
            for who, way in ways.items()
        ]
        for record in compare({"case": f"{verb}, {name}"}, contestants, rounds):
            size = (folder / record["contestant"].replace(" ", "")).stat().st_size
            yield {**record, "megabytes": size / 1e6}


def _called(way, path, _):
    return way(path)


def _pickled(model, path):
    path.write_bytes(pickle.dumps(model))


def _unpickled(path):
    return pickle.loads(path.read_bytes())
