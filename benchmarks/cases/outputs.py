"""One pass with many classes, beside SGDClassifier, one-versus-rest.

Every run trains a fresh model on the same arrays, which were hashed to 2^18 features; validating
the input is part of the time. 20 newsgroups are read if ``--newsgroups`` names their file.
"""

from functools import partial

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline

from .. import data, learners, newsgroups
from ..measure import Contestant, compare, judge

COLUMNS = (
    "data", "dtype", "contestant", "seconds", "range", "rows_per_second", "ratio", "target",
)  # fmt: skip
ROWS = 20_000
TARGETS = {20: 5.0, 100: 6.0}  # in float32
JOINT = f"{learners.OURS}, multinomial"
RATIO_OF_JOINT = 1.5


def run(options):
    """Real texts of 20 classes, generated ones of 20 and of 100."""
    if options.newsgroups is None:
        yield {
            "data": "20 newsgroups",
            "contestant": "",
            "skipped": "no file: name one by --newsgroups",
        }
    else:
        yield from _compare("20 newsgroups", *_texts(options.newsgroups), options.rounds)
    for n_classes in (20, 100):
        X, y = data.classes(options.rows(ROWS), n_classes)
        yield from _compare(f"{n_classes} classes", X, y, options.rounds)


def _texts(path):
    """The texts to learn as TF-IDF rows."""
    (texts, y), _ = newsgroups.load(path)
    vectorizer = make_pipeline(
        HashingVectorizer(n_features=2**18, alternate_sign=False, norm=None),
        TfidfTransformer(sublinear_tf=True),
    )
    return vectorizer.fit_transform(texts), y


def _compare(name, X, y, rounds):
    classes = np.unique(y)
    for dtype in map(np.dtype, learners.DTYPES):
        rows = X.astype(dtype)
        makers = {
            learners.OURS: learners.ours,
            JOINT: partial(learners.ours, multi_class="multinomial"),
            learners.SGD: learners.sgd,
        }
        contestants = [
            Contestant(who, partial(_learn, rows, y, classes), make, {"rows": len(y)})
            for who, make in makers.items()
        ]
        for record in compare({"data": name, "dtype": dtype.name}, contestants, rounds or 7):
            if record["contestant"] == JOINT:
                record = judge(record, "ratio", at_most=RATIO_OF_JOINT)
            elif record["contestant"] == learners.SGD and dtype == np.float32:
                record = judge(record, "ratio", at_least=TARGETS[len(classes)])
            yield record


def _learn(X, y, classes, model):
    return model.partial_fit(X, y, classes=classes)
