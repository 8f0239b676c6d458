"""The loop over a stream: learn, take note of how well it went, report, and save."""

import time
from collections.abc import Iterable
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..files.checkpoints import checkpoint_of
from ..readers.base import Reader
from ..saving import KNOWN_TYPES
from .history import History
from .interrupts import Interrupts
from .learners import check_learner, learn, n_rows_of
from .metrics import METRICS
from .reports import report_of

_FIRST = 2**10  # rows of the first window


def fit_stream(
    estimator: Any,
    chunks: Iterable,
    *,
    classes: ArrayLike | None = None,
    max_rows: int | None = None,
    window: int = 2**16,
    report: str | None = "lines",
    checkpoint: str | PathLike | None = None,
    checkpoint_seconds: float = 60.0,
    resume: bool = False,
) -> History:
    """Learn a stream once, and keep account of how well each row was predicted before.

    Ctrl-C lets the chunk at hand be learnt, writes a checkpoint if there is to be one, and returns:
    the model is as good as one that was given only these rows. See ``history.interrupted``, where
    a script should not go on then. A second Ctrl-C is an error as anywhere.

    Parameters
    ----------
    estimator : estimator with ``partial_fit``
        What learns. An AdagradClassifier or AdagradRegressor scores rows while it learns them, each
        just before it is learnt. Any other one predicts a chunk before it learns it, as long as
        it is fitted by then.
    chunks : iterable of (X, y) or (X, y, sample_weight)
        The rows: a reader of :mod:`sklearn_adagrad.readers`, a list, a generator.
    classes : array-like of shape (n_classes,), default=None
        All labels that will ever occur. A classifier that is not fitted needs it.
    max_rows : int, default=None
        Stop after so many rows of the stream. None learns all.
    window : int, default=65536
        How many rows a line of the history stands for. Those before have as many as all rows
        before, from 1,024 on.
    report : {"lines", "bar"} or None, default="lines"
        What to show on standard error: a line of figures each time that the number of rows has
        doubled, or a progress bar, which needs rich.
    checkpoint : str or path, default=None
        A file to save the model, the history and the number of rows to: every
        ``checkpoint_seconds``, at the end, and on Ctrl-C. Only for estimators of this package. It
        can be loaded as a model is, by :func:`sklearn_adagrad.load`.
    checkpoint_seconds : float, default=60.0
        How many seconds to learn between two checkpoints: at most these are lost if the process is
        killed.
    resume : bool, default=False
        Whether to go on from the checkpoint, if there is one: ``estimator`` becomes what it was
        then, the rows learnt by then are read and passed over, and the outcome is that of a stream
        that was never interrupted, to the last bit. The parameters of the estimator must be the
        same, and so must the files and settings of a reader. Rows of anything else than the files
        of a reader are trusted to be the same. False refuses a checkpoint that exists.

    Returns
    -------
    history : History
        A table of figures, and whether the stream was interrupted.

        For two classes they are ``log_loss``; ``roc_auc``, to within half of the share of pairs
        whose scores are equal to about four digits; ``calibration``, the mean prediction divided
        by the share of positive rows; and ``normalized_entropy``, the log loss divided by that of
        the share of positive rows as the prediction for all (He et al., 2014, "Practical lessons
        from predicting clicks on ads at Facebook", section 3). For several classes ``log_loss``,
        ``accuracy`` and ``normalized_entropy``; for losses without probabilities ``accuracy``, and
        ``roc_auc`` for two classes; for numbers ``mean_squared_error``, ``mean_absolute_error``
        and ``r2``. All are weighted by ``sample_weight``. Several labels or targets count as
        several rows.

    Raises
    ------
    ValueError
        If a parameter is not as described, the checkpoint is of something else, or a row cannot be
        learnt: then those before it are learnt.
    TypeError
        If the estimator has no ``partial_fit``, or cannot be saved in a checkpoint.
    FloatingPointError
        If the estimator diverges.

    See Also
    --------
    sklearn_adagrad.plotting.ProgressDisplay : Draws the history.

    Examples
    --------
    >>> from sklearn_adagrad import AdagradClassifier, FieldHasher
    >>> from sklearn_adagrad.readers import Delimited
    >>> from sklearn_adagrad.streams import fit_stream
    >>> hasher = FieldHasher(2**20, fields={"price": "log"})
    >>> log = Delimited("examples/data/clicks.csv.gz", hasher, target="clicked")
    >>> model = AdagradClassifier(lr=0.2)
    >>> history = fit_stream(model, log, classes=[0, 1], report=None)
    >>> history["rows"]
    array([1024, 2048, 4096, 5000])
    >>> history["window_log_loss"].round(2)
    array([0.51, 0.51, 0.46, 0.5 ])
    """
    check_learner(estimator)
    if isinstance(chunks, str | bytes | PathLike):
        raise TypeError(f"chunks={chunks!r} is a path: pass a reader of sklearn_adagrad.readers.")
    _check_count("window", window)
    if max_rows is not None:
        _check_count("max_rows", max_rows)
    identity = chunks._identity() if isinstance(chunks, Reader) else {}
    about = estimator, identity, [*KNOWN_TYPES, *METRICS]
    checkpoint = checkpoint_of(checkpoint, checkpoint_seconds, resume, *about)
    run = _Run(estimator, {} if classes is None else {"classes": classes}, window)
    if checkpoint is not None and checkpoint.is_begun:
        run.progress = checkpoint.read()
        checkpoint.restore()
    report = report_of(report, max_rows)
    chunks = iter(chunks)
    try:
        with report, Interrupts() as interrupts:
            history = _loop(run, chunks, max_rows, report, interrupts, checkpoint)
    finally:
        if hasattr(chunks, "close"):  # what a reader has open
            chunks.close()
    if history.interrupted:
        report.say(f"Stopped by Ctrl-C after {history.n_rows:,} rows.")
    return history


def _loop(run, chunks, max_rows, report, interrupts, checkpoint):
    passed, interrupted = 0, False
    for line in run.lines:
        report.line(line, is_last=False)
    while max_rows is None or run.n_rows < max_rows:
        try:
            interrupts.waiting = True
            if interrupts.asked:
                raise KeyboardInterrupt
            chunk = next(chunks, None)
            interrupts.waiting = False
        except KeyboardInterrupt:
            if not interrupts.asked:  # it is not ours
                raise
            interrupted = True
            break
        if chunk is None:
            break
        X, y, sample_weight = (*chunk, None)[:3]
        first, passed = passed, passed + n_rows_of(X)
        if passed <= run.n_rows:
            continue
        size = n_rows_of(X)
        last = size if max_rows is None else min(size, max_rows - first)
        part = slice(max(0, run.n_rows - first), last)
        if part != slice(0, size):
            X, y = (each.iloc[part] if hasattr(each, "iloc") else each[part] for each in (X, y))
            if np.ndim(sample_weight):
                sample_weight = np.asarray(sample_weight)[part]
        for line in run.learn(X, y, sample_weight):
            report.line(line, is_last=False)
        report.learnt(run.n_rows, run.seconds)
        if checkpoint is not None and checkpoint.is_due:
            checkpoint.write(run.progress)
    interrupts.waiting = False
    if checkpoint is not None:
        checkpoint.write(run.progress)
    return run.history(interrupted, report)


class _Run:
    """How far a stream has come, and the sums of the figures so far."""

    def __init__(self, estimator, given, window):
        self._estimator, self._given, self._window = estimator, given, window
        self.n_rows, self.lines, self._metrics = 0, [], None
        self._sums, self._total, self._before, self._since = {}, {}, 0.0, time.perf_counter()

    @property
    def seconds(self):
        return self._before + time.perf_counter() - self._since

    @property
    def progress(self):
        """All this as values."""
        return {
            "n_rows": self.n_rows, "seconds": self.seconds, "window": self._window,
            "lines": self.lines, "metrics": self._metrics, "sums": self._sums,
            "total": self._total,
        }  # fmt: skip

    @progress.setter
    def progress(self, saved):
        if saved["window"] != self._window:
            raise ValueError(
                f"window={self._window}, but the checkpoint was made with {saved['window']}."
            )
        self.n_rows, self._before, self.lines = saved["n_rows"], saved["seconds"], saved["lines"]
        self._metrics, self._sums, self._total = (
            saved[name] for name in ("metrics", "sums", "total")
        )

    def learn(self, X, y, sample_weight):
        """Learn a chunk, and return the lines that are complete with it."""
        predicted = learn(self._estimator, X, y, sample_weight, self._given)
        self._given = {}
        first, n_rows, n_before = 0, n_rows_of(X), len(self.lines)
        if predicted is not None:
            self._begin(predicted.metrics)
        while first < n_rows:
            until = self._end_of_window(self.n_rows)
            last = min(n_rows, first + until - self.n_rows)
            if predicted is not None:
                part = slice(first * predicted.n_per_row, last * predicted.n_per_row)
                rows = (each[part] for each in (predicted.y, predicted.values, predicted.weights))
                self._metrics.add(self._metrics.judged(*rows), self._sums)
            self.n_rows += last - first
            first = last
            if self.n_rows == until and self._metrics is not None:
                self.lines.append(self._line())
                self._total = _added(self._total, self._sums)
                self._sums = self._metrics.empty()
        return self.lines[n_before:]

    def history(self, interrupted, report):
        """The table, with a line for the rows of a window that is not complete."""
        history = History()
        history.n_rows, history.interrupted = self.n_rows, interrupted
        lines = list(self.lines)
        if self._metrics is not None and (not lines or lines[-1]["rows"] < self.n_rows):
            lines.append(self._line())
        if lines:
            report.line(lines[-1], is_last=True)
        history._lines = lines
        return history

    def _begin(self, metrics):
        if self._metrics is None:
            self._metrics = metrics
            self._sums, self._total = metrics.empty(), metrics.empty()

    def _end_of_window(self, n_rows):
        """After how many rows the window ends that the next row is in."""
        doubled = max(_FIRST, 2 ** int(n_rows).bit_length())
        return doubled if doubled < self._window else (n_rows // self._window + 1) * self._window

    def _line(self):
        total, window = _added(self._total, self._sums), self._sums
        figures, of_window = self._metrics.figures(total), self._metrics.figures(window)
        return {
            "rows": self.n_rows, "seconds": self.seconds, **figures,
            **{f"window_{name}": value for name, value in of_window.items()},
        }  # fmt: skip


def _added(sums, others):
    return {name: sums[name] + others[name] for name in others}


def _check_count(name, value):
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
