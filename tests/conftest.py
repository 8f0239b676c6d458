"""Runs scikit-learn's checks of array API input too; scipy reads this when it is imported."""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")
