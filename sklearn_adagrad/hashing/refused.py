"""The error for rows that cannot be taken."""

import numpy as np


class RowsRefused(ValueError):
    """Some ``rows`` of a batch cannot be taken; ``reason`` says why the first of them cannot."""

    def __init__(self, rows, reason):
        super().__init__(rows, reason)
        self.rows, self.reason = np.asarray(rows), reason

    def __str__(self):
        return f"Row {self.rows[0]}: {self.reason}."
