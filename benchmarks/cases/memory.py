"""Memory that training takes beyond its input, at 2^22 features, beside SGDClassifier.

What grows with the features and what grows with the rows is told apart by training on fewer
of each. A learner that copies its input takes at least the bytes of a row for every row.
"""

from .. import learners
from ..measure import judge
from ..subprocesses import probe

COLUMNS = (
    "case", "dtype", "contestant", "allocated", "resident",
    "bytes_per_feature", "bytes_per_row", "data_bytes_per_row", "input_copied", "target",
)  # fmt: skip
TARGETS = {"float32": 8.01, "float64": 16.01}  # and a little for objects of fixed size
ROWS = 200_000


def run(options):
    """Both methods, both dtypes; a process for each."""
    for method in ("partial_fit", "fit"):
        for dtype in TARGETS:
            for who in learners.BOTH:
                figures = probe("memory", who, method, dtype, options.rows(ROWS))
                record = {"case": method, "dtype": dtype, "contestant": who, **figures}
                copied = figures["bytes_per_row"] >= figures["data_bytes_per_row"]
                record["input_copied"] = "yes" if copied else "no"
                if who == learners.OURS:
                    record = judge(record, "bytes_per_feature", at_most=TARGETS[dtype])
                yield record
