"""Vowpal Wabbit's own driver, reading its own binary cache file.

The driver runs inside this process, so that neither Python nor the start of a process is
timed. In the Python package it uses one thread: its processor time equals its wall time. Like
the others it starts each run with a model that has seen nothing.
"""

from functools import partial

from .. import data
from ..measure import Contestant

_OPTIONS = ["--loss_function", "logistic", "-l", "0.1", "--quiet", "--no_stdin"]
SAME = "Vowpal Wabbit, --adaptive"  # our update rule; less work than its default


def contestants(X, y):
    """One pass over the cache with our update rule, and one with VW's default."""
    from vowpalwabbit import Workspace

    arguments = _arguments(X, y, Workspace)
    size = {"rows": X.shape[0], "nonzeros": X.nnz}

    def learn(extra, _):
        Workspace(arg_list=arguments + extra).finish()

    return [
        Contestant(SAME, partial(learn, ["--adaptive"]), size=size),
        Contestant("Vowpal Wabbit, default", partial(learn, []), size=size),
    ]


def progressive_losses(X, y):
    """Mean loss of the rows before they are learnt: equal to ours, so the work is the same."""
    from vowpalwabbit import Workspace

    model = Workspace(arg_list=[*_arguments(X, y, Workspace), "--adaptive"])
    return {SAME: model.get_sum_loss() / model.get_weighted_examples()}


def _arguments(X, y, workspace):
    """The command line, after making text and cache files where there are none yet."""
    text, cache = (data.file_of("clicks", X.shape[0], suffix) for suffix in (".vw", ".cache"))
    bits = (X.shape[1] - 1).bit_length()
    arguments = ["-d", str(text), "--cache_file", str(cache), "-b", str(bits), *_OPTIONS]
    if not cache.exists():
        _write(text, X, y)
        workspace(arg_list=arguments).finish()
    return arguments


def _write(path, X, y):
    """Rows in VW's text format; names that are numbers are used as they are, without hashing."""
    with path.open("w", encoding="ascii") as file:
        for row, label in enumerate(y):
            part = slice(X.indptr[row], X.indptr[row + 1])
            pairs = zip(X.indices[part].tolist(), X.data[part].tolist(), strict=True)
            features = " ".join(f"{column}:{value:g}" for column, value in pairs)
            file.write(f"{1 if label else -1} | {features}\n")
