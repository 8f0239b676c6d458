"""What fit_stream costs over a bare loop of partial_fit, and what a checkpoint costs.

The same Criteo-format lines, float32, log loss, one pass, 2^22 columns. The bare loop learns and
knows the mean loss; the driver adds log loss, AUC, calibration and normalised entropy of all rows
and of windows of 65,536. "in memory" has rows that are hashed already, which is learning alone.
The last one predicts each chunk before it learns it, as one writes it by hand.
"""

from functools import partial

import numpy as np

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.readers import criteo
from sklearn_adagrad.streams import fit_stream

from .. import logs
from ..measure import Contestant, compare, judge

COLUMNS = ("case", "contestant", "rows", "seconds", "range", "rows_per_second", "ratio", "target")
ROWS, FEATURES = 400_000, 2**22


def run(options):
    """From text with a reading thread, on one thread, and from memory."""
    rows = options.rows(ROWS)
    path, hasher = logs.clicks(rows)["tsv"], FieldHasher(FEATURES, dtype=np.float32)
    sources = {
        "text, a reading thread": criteo(path, hasher),
        "text, one thread": criteo(path, hasher, read_ahead=0),
        "in memory": list(criteo(path, hasher)),
    }
    for case, chunks in sources.items():
        contestants = [
            Contestant("a bare loop", partial(_bare, chunks), size={"rows": rows}),
            Contestant("fit_stream", partial(_driven, chunks), size={"rows": rows}),
            Contestant("predict_proba, then learn", partial(_by_hand, chunks), size={"rows": rows}),
        ]
        for record in compare({"case": case}, contestants, options.rounds or 9):
            is_driver = record["contestant"] == "fit_stream"
            yield judge(record, "ratio", at_most=1.03) if is_driver else record


def _bare(chunks, _):
    model = AdagradClassifier(lr=0.1)
    for X, y, weights in chunks:
        model.partial_fit(X, y, [0, 1], weights)


def _driven(chunks, _):
    fit_stream(AdagradClassifier(lr=0.1), chunks, classes=[0, 1], report=None)


def _by_hand(chunks, _):
    model, lost = AdagradClassifier(lr=0.1), 0.0
    for X, y, weights in chunks:
        if hasattr(model, "classes_"):
            chance = model.predict_proba(X)[:, 1]
            lost -= np.log(np.where(y == 1, chance, 1.0 - chance)).sum()
        model.partial_fit(X, y, [0, 1], weights)
