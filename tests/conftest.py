"""Options of the whole test run.

Property tests try the same examples in every run, so that a change is judged by itself;
``--hypothesis-profile=search`` looks for new ones.
"""

import gc
import os
from pathlib import Path

import hypothesis

gc.set_threshold(100_000, 50, 50)  # compilers leave many objects, which live on
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # scikit-learn's checks of array API input too
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("search", derandomize=False)
hypothesis.settings.load_profile("same")


def pytest_addoption(parser):
    parser.addoption(
        "--golden-dir",
        type=Path,
        default=Path(__file__).parent / "golden",
        help="where test_golden.py finds the recorded runs (default: tests/golden)",
    )
