"""Rows per second of one pass over clicks, beside Vowpal Wabbit, river and PyTorch.

All use Adagrad, the log loss, a rate of 0.1, an intercept and float32 data. Slow peers get the
first rows only; what is compared is rows per second. Where a learner reports the mean loss of
the rows before it learnt them, the table has it: equal losses come from equal work.
"""

from importlib import import_module

import numpy as np

from .. import data
from ..measure import compare, judge

COLUMNS = (
    "contestant", "rows", "seconds", "range", "rows_per_second", "log_loss", "ratio", "target",
)  # fmt: skip
PEERS = ("ours", "vowpal_wabbit", "river_adagrad", "pytorch")
TARGETS = {
    "Vowpal Wabbit, --adaptive": 15,
    "river": 100,
    "PyTorch, batches of 1": 200,
}


def run(options):
    """Every peer that is installed."""
    X, y = data.load("clicks", np.float32, options.rows(data.ROWS["clicks"]))
    contestants, losses = [], {}
    for name in PEERS:
        peer = import_module(f"..peers.{name}", __package__)
        try:
            contestants += peer.contestants(X, y)
        except ImportError as error:
            yield {"data": "clicks", "contestant": name, "skipped": f"not installed: {error}"}
            continue
        if hasattr(peer, "progressive_losses"):
            losses |= peer.progressive_losses(X, y)
    for record in compare({"data": "clicks"}, contestants, options.rounds or 5):
        who = record["contestant"]
        if who in losses:
            record["log_loss"] = losses[who]
        yield judge(record, "ratio", at_least=TARGETS[who]) if who in TARGETS else record
