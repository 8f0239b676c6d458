"""Tables of names to sparse rows: FieldHasher beside scikit-learn's FeatureHasher.

39 columns of strings as in logs of clicks, in Arrow memory, hashed to 2^22 columns in float32.
FeatureHasher takes the same rows as dicts, which it does not have to make.
"""

import numpy as np
from sklearn.feature_extraction import FeatureHasher

from sklearn_adagrad import FieldHasher

from ..measure import Contestant, compare, judge

COLUMNS = (
    "data", "contestant", "seconds", "range", "rows_per_second", "nonzeros_per_second", "ratio",
    "target",
)  # fmt: skip
ROWS, FEWER, FIELDS, FEATURES = 200_000, 5_000, 39, 2**22


def run(options):
    """Strings, the same as dictionaries of Arrow, and all pairs of twelve of them."""
    import pyarrow as pa

    rows = options.rows(ROWS)
    rng = np.random.default_rng(0)
    sizes = np.geomspace(4, 2_000_000, FIELDS).astype(np.int64)
    columns = {f"C{n}": _names(rng.zipf(1.3, rows) % size) for n, size in enumerate(sizes)}
    strings = pa.table(columns)
    coded = pa.table({name: column.dictionary_encode() for name, column in columns.items()})
    few = strings.select(strings.schema.names[:12])
    plain = FieldHasher(FEATURES, dtype=np.float32)
    pairs = FieldHasher(FEATURES, dtype=np.float32, interactions="all")
    dicts = strings.slice(0, FEWER).to_pylist()
    theirs = FeatureHasher(FEATURES, dtype=np.float32)
    contestants = [
        _contestant("FieldHasher", plain, strings),
        Contestant(
            "FeatureHasher",
            lambda _: theirs.transform(dicts),
            size={"rows": len(dicts), "nonzeros": len(dicts) * FIELDS},
        ),
        _contestant("FieldHasher, dictionaries", plain, coded),
        _contestant("FieldHasher, 12 columns, all pairs", pairs, few, 12 + 66),
    ]
    for record in compare({"data": "39 columns"}, contestants, options.rounds or 11):
        ours = record["contestant"] == "FieldHasher"
        yield judge(record, "rows_per_second", at_least=1e6) if ours else record


def _names(numbers):
    """Eight hexadecimal digits for each number, as the categories of clicks often are."""
    import pyarrow as pa

    mixed = (numbers * 2654435761) & 0xFFFFFFFF
    return pa.array([f"{number:08x}" for number in mixed.tolist()])


def _contestant(name, hasher, table, entries=FIELDS):
    size = {"rows": len(table), "nonzeros": len(table) * entries}
    return Contestant(name, lambda _: hasher.transform(table), size=size)
