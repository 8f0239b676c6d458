"""Benchmarks of sklearn_adagrad beside its peers: ``python -m benchmarks NAME``.

Every figure is the median of several runs, on one thread, the contestants taking turns; but that of
the benchmark of threads, whose processes are given a number. The thread counts must be fixed before
NumPy is first imported, and this file is what Python runs first.
"""

import os

for _name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
):
    os.environ[_name] = os.environ.get("SKLEARN_ADAGRAD_BENCHMARK_THREADS", "1")
