"""The benchmarks that exist. A new one is a file in ``cases/`` and a line here.

A case module has a docstring whose first line says what it measures, ``COLUMNS`` (the fields
of its records that the table shows) and ``run(options)``, which yields records: plain dicts.
"""

from importlib import import_module

NAMES = (
    "one_pass",
    "epochs",
    "peers",
    "one_row",
    "predict",
    "memory",
    "startup",
    "penalties",
    "outputs",
    "search",
    "optimizer",
    "quality",
    "classes_quality",
    "calibration",
    "hashing",
    "end_to_end",
    "streams",
    "saving",
    "published",
    "no_tuning",
    "nothing_set",
    "batches",
    "merging",
    "dask",
    "threads",
    "cuda",
)


def load(name):
    """Import a benchmark only when it is asked for."""
    return import_module(f"{__package__}.cases.{name}")
