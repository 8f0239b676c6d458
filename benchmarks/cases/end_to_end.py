"""From a file to a trained model: rows a second, beside Vowpal Wabbit and scikit-learn.

Log loss, Adagrad at a rate of 0.1, 2^22 columns, float32, one pass. Criteo-format lines have 13
integers and 26 names, all taken as names. Vowpal Wabbit reads the same rows in its own text, all
features in one namespace (its fastest) and each field in its own (what crosses need), with its two
threads. scikit-learn splits lines in Python, hashes them with FeatureHasher and learns with
SGDClassifier; it gets the first rows only.

"eat rate" is the data that Fwumious Wabbit is measured on: -q AB for Vowpal Wabbit, the same cross
here. It reports 5.6 times Vowpal Wabbit's speed from text and 8.9 times from its cache.
"""

from functools import partial
from itertools import islice

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import SGDClassifier

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.readers import Parquet, VowpalWabbit, criteo

from .. import logs
from ..data import file_of
from ..measure import Contestant, compare, judge

COLUMNS = (
    "data", "contestant", "rows", "seconds", "range", "rows_per_second", "log_loss", "ratio",
    "target",
)  # fmt: skip
ROWS, FEWER, FEATURES, CHUNK = 400_000, 20_000, 2**22, 10_000
TARGETS = {
    "Vowpal Wabbit, text": 10,
    "Vowpal Wabbit, text, a namespace for each field": 10,
    "scikit-learn": 50,
}
_VW = [
    "--loss_function",
    "logistic",
    "-l",
    "0.1",
    "-b",
    "22",
    "--adaptive",
    "--quiet",
    "--no_stdin",
]


def run(options):
    """Made rows, then those of a file of clicks, then eat rate."""
    for criteo_file in (None, options.criteo) if options.criteo else (None,):
        yield from _clicks(options, criteo_file)
    yield from _eat_rate(options)


def _clicks(options, criteo_file):
    rows = options.rows(ROWS)
    paths = logs.clicks(rows, criteo_file)
    hasher, size = FieldHasher(FEATURES, dtype=np.float32), {"rows": rows}
    cache = file_of("log-criteo-rows" if criteo_file else "log-rows", rows, ".arrow")
    cache.unlink(missing_ok=True)
    losses = {}

    def ours(name, reader, classes=(0, 1)):
        return Contestant(name, partial(_learn, reader, classes, losses, name), size=size)

    contestants = [
        ours("text, one thread", criteo(paths["tsv"], hasher, read_ahead=0)),
        ours("text, a reading thread", criteo(paths["tsv"], hasher)),
        ours("Parquet, a reading thread", Parquet(paths["parquet"], hasher, target="label")),
        ours("own cache, one thread", criteo(paths["tsv"], hasher, read_ahead=0, cache=cache)),
        *_vowpal_wabbit("Vowpal Wabbit, text", paths["vw"], [], losses, size),
        *_vowpal_wabbit(
            "Vowpal Wabbit, text, a namespace for each field", paths["namespaces"], [], losses, size
        ),
        Contestant(
            "scikit-learn",
            lambda _: _scikit_learn(paths["tsv"], min(rows, FEWER)),
            size={"rows": min(rows, FEWER)},
        ),
    ]
    case = {"data": "clicks of a file" if criteo_file else "clicks"}
    for record in compare(case, contestants, options.rounds or 5):
        who = record["contestant"]
        record |= {"log_loss": losses[who]} if who in losses else {}
        yield judge(record, "ratio", at_least=TARGETS[who]) if who in TARGETS else record


def _eat_rate(options):
    rows = options.rows(ROWS)
    path, size, losses = logs.eat_rate(rows), {"rows": rows}, {}
    hasher = FieldHasher(FEATURES, dtype=np.float32, interactions=[("A", "B")])
    caches = [file_of("eat-rate", rows, suffix) for suffix in (".arrow", ".cache")]
    for cache in caches:
        cache.unlink(missing_ok=True)
    readers = {
        "from text": (VowpalWabbit(path, hasher), ["-q", "AB"], 8),
        "from caches": (
            VowpalWabbit(path, hasher, read_ahead=0, cache=caches[0]),
            ["-q", "AB", "--cache_file", str(caches[1])],
            14,
        ),
    }
    for how, (reader, arguments, target) in readers.items():
        name = f"sklearn-adagrad {how}"
        contestants = [
            Contestant(name, partial(_learn, reader, (-1, 1), losses, name), size=size),
            *_vowpal_wabbit(f"Vowpal Wabbit {how}", path, arguments, losses, size),
        ]
        for record in compare({"data": "eat rate"}, contestants, options.rounds or 5):
            who = record["contestant"]
            record |= {"log_loss": losses[who]}
            yield record if who == name else judge(record, "ratio", at_least=target)


def _learn(reader, classes, losses, name, _):
    model = AdagradClassifier(lr=0.1)
    for X, y, sample_weight in reader:
        model.partial_fit(X, y, classes, sample_weight)
    losses[name] = model.progressive_loss_


def _vowpal_wabbit(name, path, arguments, losses, size):
    try:
        from vowpalwabbit import Workspace
    except ImportError:
        return []

    def learn(_):
        model = Workspace(arg_list=["-d", str(path), *_VW, *arguments])
        losses[name] = model.get_sum_loss() / model.get_weighted_examples()
        model.finish()

    return [Contestant(name, learn, size=size)]


def _scikit_learn(path, rows):
    """What is usually written by hand."""
    hasher = FeatureHasher(FEATURES, input_type="string", dtype=np.float32)
    model = SGDClassifier(loss="log_loss", penalty=None, learning_rate="constant", eta0=0.1)
    with open(path, encoding="ascii") as file:
        lines = islice(file, rows)
        while chunk := [line.rstrip("\n").split("\t") for line in islice(lines, CHUNK)]:
            names = (
                [f"{name}={value}" for name, value in zip(logs.NAMES[1:], row[1:], strict=True)]
                for row in chunk
            )
            model.partial_fit(hasher.transform(names), [row[0] for row in chunk], ["0", "1"])
