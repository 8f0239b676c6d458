"""Scores of a search against a parameter."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer_names
from sklearn.utils.validation import check_is_fitted

from .axes import BESIDE, VERMILION, axes_for


class SearchDisplay:
    """Scores of a search against the learning rate, with a line for each ``eps``.

    Made with :meth:`from_estimator`. A point is the mean score of the folds, the band around it
    one standard deviation of them, and the star is the best candidate of all. If other parameters
    were searched as well, every point is the best over these, and the label below names them.
    Candidates without a finite score, since training diverged, leave a gap.

    Parameters
    ----------
    params : sequence of dict
        The parameters of each candidate.
    mean_scores : array-like of shape (n_candidates,)
        Their scores, the mean of the folds; greater is better.
    std_scores : array-like of shape (n_candidates,) or None, default=None
        The standard deviation of the folds. None draws no spread.
    score_name : str, default="Score"
        What the scores are called.
    x : str, default="lr"
        The parameter on the x-axis, which is logarithmic (linear from 0 to the first value).
    hue : str or None, default="eps"
        The parameter with a line for each of its values. There is one line if it was not
        searched.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    lines_ : list of matplotlib Line2D
        The mean scores, in ascending order of ``hue``.
    fill_between_ : list of matplotlib PolyCollection or None
        Their bands, if those were drawn.
    errorbar_ : list of matplotlib ErrorbarContainer or None
        Their bars, if those were drawn.
    best_ : matplotlib Line2D or None
        The star. None if no score is finite.

    See Also
    --------
    sklearn.model_selection.ValidationCurveDisplay : For one parameter, without a search.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_adagrad import AdagradClassifier
    >>> from sklearn_adagrad.plotting import SearchDisplay
    >>> X, y = make_classification(random_state=0)
    >>> grid = {"lr": [0.01, 0.1, 1.0], "eps": [1e-10, 1e-2], "alpha": [0.0, 1e-3]}
    >>> model = AdagradClassifier(max_iter=5, tol=None, random_state=0)
    >>> search = GridSearchCV(model, grid, scoring="neg_log_loss").fit(X, y)
    >>> ax = Figure(layout="constrained").subplots()  # without ax, a figure of pyplot
    >>> display = SearchDisplay.from_estimator(search, ax=ax)
    >>> [line.get_label() for line in display.lines_]
    ['1e-10', '0.01']
    >>> display.ax_.get_ylabel(), display.ax_.get_xlabel()
    ('Negative log loss', 'lr (every point at its best alpha)')
    """

    def __init__(
        self,
        *,
        params: Sequence[Mapping[str, Any]],
        mean_scores: ArrayLike,
        std_scores: ArrayLike | None = None,
        score_name: str = "Score",
        x: str = "lr",
        hue: str | None = "eps",
    ) -> None:
        self.params = params
        self.mean_scores = mean_scores
        self.std_scores = std_scores
        self.score_name = score_name
        self.x = x
        self.hue = hue

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        metric: str | None = None,
        x: str = "lr",
        hue: str | None = "eps",
        ax: Any = None,
        std_display_style: str | None = "fill_between",
    ) -> Self:
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : estimator with ``cv_results_``
            Such as a fitted :class:`sklearn.model_selection.GridSearchCV`.
        metric : str or None, default=None
            Which of its scores. None will do if there is only one.
        x : str, default="lr"
            The parameter on the x-axis; that of a pipeline is "adagradclassifier__lr".
        hue : str or None, default="eps"
            The parameter with a line for each of its values.
        ax : matplotlib Axes or None, default=None
            See :meth:`plot`.
        std_display_style : {"fill_between", "errorbar"} or None, default="fill_between"
            See :meth:`plot`.

        Returns
        -------
        SearchDisplay
            What was drawn.
        """
        check_is_fitted(search, "cv_results_")
        results, start = search.cv_results_, "mean_test_"
        metrics = [name.removeprefix(start) for name in results if name.startswith(start)]
        if metric is None and len(metrics) == 1:
            metric = metrics[0]
        if metric not in metrics:
            known = ", ".join(map(repr, metrics))
            raise ValueError(f"metric={metric!r} is no score of this search: give one of {known}.")
        scoring = getattr(search, "scoring", None) or repr(getattr(search, "scorer_", None))
        named = isinstance(scoring, str) and scoring in get_scorer_names()
        name = scoring if metric == "score" and named else metric
        if metric == "score" and "progressive_loss" in results:
            name = "negative progressive loss"
        name = name.replace("neg_", "negative ").replace("_", " ")
        display = cls(
            params=results["params"],
            mean_scores=results[f"mean_test_{metric}"],
            std_scores=results.get(f"std_test_{metric}"),
            score_name=name[:1].upper() + name[1:],
            x=x,
            hue=hue,
        )
        return display.plot(ax, std_display_style=std_display_style)

    def plot(self, ax: Any = None, *, std_display_style: str | None = "fill_between") -> Self:
        """Draw, once more or elsewhere.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure. The legend stands to its right, for which a
            figure made with ``layout="constrained"`` leaves room.
        std_display_style : {"fill_between", "errorbar"} or None, default="fill_between"
            How to show one standard deviation on either side of the mean.

        Returns
        -------
        SearchDisplay
            The same object.
        """
        if std_display_style not in ("fill_between", "errorbar", None):
            raise ValueError(
                f"std_display_style={std_display_style!r} is unknown: give 'fill_between', "
                "'errorbar' or None."
            )
        style = None if self.std_scores is None else std_display_style
        x, score = self._positions(), np.array(self.mean_scores, float)
        score[~np.isfinite(score)] = np.nan
        searched = set().union(*self.params) - {self.x}
        hue = self.hue if self.hue in searched else None
        over = ", ".join(name for name in sorted(searched - {hue}) if self._varies(name))
        lines = self._lines(x, score, hue)

        ax = axes_for(self, ax)
        from matplotlib import colormaps  # after the error that says how to get it

        self.lines_, self.best_ = [], None
        self.fill_between_ = [] if style == "fill_between" else None
        self.errorbar_ = [] if style == "errorbar" else None
        if x.min() > 0:
            ax.set_xscale("log")
        elif x.max() > 0:
            ax.set_xscale("symlog", linthresh=x[x > 0].min())
            ax.set_xticks(np.unique(x), map(_text, np.unique(x)))  # not one for every power of 10
        ax.update_datalim([(each, 0) for each in x], updatey=False)  # gaps at either end too
        colors = colormaps["viridis"](np.linspace(0, 0.8, len(lines)))
        for (value, at), color in zip(lines.items(), colors, strict=True):
            label = None if hue is None else _text(value)
            self.lines_ += ax.plot(x[at], score[at], "o-", markersize=4, color=color, label=label)
            if style is None:
                continue
            std = np.asarray(self.std_scores)[at]
            if style == "fill_between":
                ends = score[at] - std, score[at] + std
                band = ax.fill_between(x[at], *ends, color=color, alpha=0.15, linewidth=0)
                self.fill_between_.append(band)
            else:
                bars = ax.errorbar(x[at], score[at], std, fmt="none", ecolor=color, capsize=3)
                self.errorbar_.append(bars)
        if np.isfinite(score).any():
            best = np.nanargmax(score)
            found = [f"{name} = {_text(_plain(each))}" for name, each in self.params[best].items()]
            look = {"color": VERMILION, "markersize": 15, "markeredgecolor": "black"}
            label = "\n".join(["best:", *found])
            self.best_ = ax.plot(x[best], score[best], "*", label=label, **look)[0]
        if hue or self.best_:
            ax.legend(title=hue, **BESIDE)
        ax.set_xlabel(f"{self.x} (every point at its best {over})" if over else self.x)
        ax.set_ylabel(self.score_name)
        return self

    def _positions(self):
        """Where each candidate is on the x-axis."""
        if not all(self.x in each for each in self.params):
            searched = ", ".join(sorted(set().union(*self.params))) or "no parameters"
            raise ValueError(
                f"x={self.x!r} is not a parameter of every candidate (searched: {searched}): "
                f"search {self.x} in all of them, or give another as x."
            )
        values = [_plain(each[self.x]) for each in self.params]
        for value in values:
            if not isinstance(value, float):
                raise ValueError(
                    f"x={self.x!r} has the value {value}, which is not a number: give it as hue."
                )
        return np.array(values)

    def _lines(self, x, score, hue):
        """For each value of ``hue``, the best candidate at each ``x``, from left to right."""
        lines = {}
        for index in np.argsort(-score, kind="stable"):  # the best first, nan last
            value = _plain(self.params[index].get(hue, "not searched"))
            lines.setdefault(value, {}).setdefault(x[index], index)
        order = sorted(lines, key=lambda value: (isinstance(value, str), value))
        return {value: [at for _, at in sorted(lines[value].items())] for value in order}

    def _varies(self, name):
        """Whether several values of a parameter were tried."""
        return len({_plain(each.get(name)) for each in self.params}) > 1


def _plain(value):
    """A number as float, anything else as text: something that can be sorted and hashed."""
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else str(value)


def _text(value):
    return f"{value:g}" if isinstance(value, float) else value
