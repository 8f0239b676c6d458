"""Metrics of a model against the number of rows that it has learnt."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from .axes import COLORS, GREY, axes_for

_WINDOW = "window_"
_LABELS = {
    "roc_auc": "ROC AUC",
    "r2": "R²",
    "calibration": "Calibration (1 is right)",
    "normalized_entropy": "Normalized entropy (1: a constant)",
}
_COMPARED_TO_ONE = ("calibration", "normalized_entropy")


class ProgressDisplay:
    """A progressive metric against the number of rows learnt.

    Made with :meth:`from_history`. Every row is predicted just before it is learnt, so these are
    metrics of new rows. The line is over all rows so far, and ends in a disc. Each of the dots
    around it is over the rows since the dot before: they are the first to tell of drift, and of a
    model that still improves. Where the metric is not defined there is a gap.

    A dashed line at 1 is drawn for two metrics: for "calibration" (mean prediction / mean of
    ``y``), where predictions are right in the mean; and for "normalized_entropy" (log loss /
    entropy of the share of positives), what that share as a constant prediction has.

    The x-axis is logarithmic if half of the points are within the first tenth of the rows, as if
    their distances double, and linear otherwise.

    Parameters
    ----------
    rows : array-like of shape (n_points,)
        How many rows were learnt up to each point, in ascending order.
    overall : array-like of shape (n_points,)
        The metric over all rows up to there; NaN where it is not defined.
    window : array-like of shape (n_points,) or None, default=None
        The metric over the rows since the point before. None draws no dots.
    metric : str, default="log_loss"
        What the metric is called.
    name : str or None, default=None
        What the model is called in the legend. None is for a picture of one model.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    line_ : matplotlib Line2D
        The metric over all rows so far.
    window_ : matplotlib Line2D or None
        The dots; None if there are none.
    reference_ : matplotlib Line2D or None
        The dashed line; None if the metric has none.

    See Also
    --------
    SearchDisplay : The scores of a search.

    Notes
    -----
    Several models go into one picture with a ``name`` for each and the same ``ax``. Several metrics
    are several axes.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn_adagrad.plotting import ProgressDisplay
    >>> slow = {"rows": [1000, 2000, 3000], "log_loss": [0.5, 0.4, 0.36]}
    >>> fast = slow | {"log_loss": [0.4, 0.35, 0.33], "window_log_loss": [0.4, 0.3, 0.29]}
    >>> ax = Figure(layout="constrained").subplots()  # without ax, a figure of pyplot
    >>> for name, history in {"lr=0.01": slow, "lr=0.1": fast}.items():
    ...     display = ProgressDisplay.from_history(history, name=name, ax=ax)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['lr=0.01', 'lr=0.1']
    >>> ax.get_ylabel()
    'Log loss'
    """

    def __init__(
        self,
        *,
        rows: ArrayLike,
        overall: ArrayLike,
        window: ArrayLike | None = None,
        metric: str = "log_loss",
        name: str | None = None,
    ) -> None:
        self.rows = rows
        self.overall = overall
        self.window = window
        self.metric = metric
        self.name = name

    @classmethod
    def from_history(
        cls, history: Any, *, metric: str = "log_loss", name: str | None = None, ax: Any = None
    ) -> Self:
        """Draw one metric of a history.

        Parameters
        ----------
        history : dict of arrays, pandas DataFrame, or object with ``to_dict()``
            Columns of shape (n_points,): ``rows``, how many rows were learnt up to each point; a
            column for each metric, over all rows up to there, NaN where it is not defined; and, if
            there is one, ``window_`` and the name of the metric, over the rows since the point
            before.
        metric : str, default="log_loss"
            Which column.
        name : str or None, default=None
            What the model is called in the legend.
        ax : matplotlib Axes or None, default=None
            See :meth:`plot`.

        Returns
        -------
        ProgressDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If the history has no such metric, or its columns are not of one length.
        TypeError
            If it is no history at all.
        """
        columns = _columns_of(history)
        if "rows" not in columns:
            raise ValueError("The history has no column 'rows', the number of rows learnt.")
        others = [name for name in columns if name not in ("rows", "seconds")]
        metrics = [name for name in others if not name.startswith(_WINDOW)]
        if metric not in metrics:
            known = ", ".join(map(repr, metrics)) or "none"
            raise ValueError(f"metric={metric!r} is not in the history. Its metrics are {known}.")
        display = cls(
            rows=columns["rows"],
            overall=columns[metric],
            window=columns.get(_WINDOW + metric),
            metric=metric,
            name=name,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None, *, name: str | None = None) -> Self:
        """Draw, once more or elsewhere.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw, beside what is there; None makes a new figure. The legend stands where
            right, for which a figure made with ``layout="constrained"`` leaves room.
        name : str or None, default=None
            What the model is called in the legend. None is the display's own ``name``.

        Returns
        -------
        ProgressDisplay
            The same object.
        """
        name = self.name if name is None else name
        rows = np.asarray(self.rows, float)
        overall = _defined(self.overall, rows, self.metric)
        has_window = self.window is not None
        window = _defined(self.window, rows, _WINDOW + self.metric) if has_window else None

        ax = axes_for(self, ax)
        from matplotlib.ticker import EngFormatter

        if not ax.lines:
            ax.set_prop_cycle(color=COLORS)
        last = np.flatnonzero(~np.isnan(overall))[-1:].tolist()
        look = {"linewidth": 2, "markersize": 5, "markevery": last, "zorder": 3}
        self.line_ = ax.plot(rows, overall, "o-", label=name or "all rows so far", **look)[0]
        self.window_ = self.reference_ = None
        if has_window:
            look = {"color": self.line_.get_color(), "alpha": 0.7, "markeredgewidth": 0}
            label = None if name else "since the dot before"
            self.window_ = ax.plot(rows, window, ".", markersize=7, label=label, **look)[0]
        if self.metric in _COMPARED_TO_ONE:
            self.reference_ = ax.axhline(1, color=GREY, linestyle="--", linewidth=1, zorder=1)
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        if rows.size and np.median(rows) < rows.max() / 10:
            ax.set_xscale("log")
        title = "line: all rows so far\ndots: since the dot before"
        ax.legend(title=title if name and has_window else None, loc="best", frameon=False)
        ax.set_xlabel("Rows learnt")
        label = self.metric.replace("_", " ")
        ax.set_ylabel(_LABELS.get(self.metric, label[:1].upper() + label[1:]))
        return self


def _columns_of(history):
    """The columns of a history by their names."""
    if not hasattr(history, "items"):
        if not hasattr(history, "to_dict"):
            raise TypeError(
                "history must be a dict of arrays, a DataFrame or an object with to_dict(), got "
                f"{type(history).__name__}."
            )
        history = history.to_dict()
    return dict(history.items())


def _defined(values, rows, metric):
    """A metric at each of ``rows``, NaN where it is not defined."""
    values = np.array(values, float)
    if values.shape != rows.shape or rows.ndim != 1:
        raise ValueError(
            f"{metric!r} of shape {values.shape} does not belong to 'rows' of shape {rows.shape}: "
            "there must be a number for each point."
        )
    values[np.isinf(values)] = np.nan
    return values
