"""Vowpal Wabbit's own driver, reading its own binary cache file.

The driver runs inside this process, so that neither Python nor the start of a process is
timed. In the Python package it uses one thread: its processor time equals its wall time. Like
the others it starts each run with a model that has seen nothing.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

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


def in_chunks(X, y, chunks, runs, loss="logistic"):
    """Mean loss of the rows before they are learnt, and scores, for each of ``runs`` of options.

    Scores are those of every chunk before it is learnt: its rows come without labels first.
    """
    from vowpalwabbit import Workspace

    bits = max(18, (X.shape[1] - 1).bit_length() + 1)
    with tempfile.TemporaryDirectory() as folder:
        text, told = Path(folder) / "rows.vw", Path(folder) / "scores"
        with text.open("w", encoding="ascii") as file:
            for each in chunks:
                rows = list(_rows(X[each]))
                file.writelines(rows)
                labels = np.where(y[each] > 0, 1, -1) if loss == "logistic" else y[each]
                file.writelines(map("{} {}".format, labels.tolist(), rows))
        asked = np.concatenate([np.repeat([True, False], len(y[each])) for each in chunks])
        for extra in runs:
            arguments = ["-d", text, "-p", told, "-b", bits, "--loss_function", loss, "--quiet"]
            model = Workspace(arg_list=[*map(str, arguments), "--no_stdin", *extra])
            lost = model.get_sum_loss() / len(y)
            model.finish()
            yield lost, np.loadtxt(told)[asked]


def _write(path, X, y):
    """Rows in VW's text format, with labels 1 and -1."""
    with path.open("w", encoding="ascii") as file:
        for label, row in zip(y, _rows(X), strict=True):
            file.write(f"{1 if label else -1} {row}")


def _rows(X):
    """The features of each row; names that are numbers are used as they are, without hashing."""
    for part in map(slice, X.indptr[:-1].tolist(), X.indptr[1:].tolist()):
        pairs = zip(X.indices[part].tolist(), X.data[part].tolist(), strict=True)
        yield f"| {' '.join(f'{column}:{value:.9g}' for column, value in pairs)}\n"
