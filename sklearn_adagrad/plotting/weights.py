"""The largest weights of a model, with the names of their features."""

from collections import Counter
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .. import FieldHasher
from .axes import BESIDE, BLUE, COLORS, GREY, axes_for

_LONGEST = 48  # characters of a name that are shown
_LISTED = 10  # outputs in an error
_NONE = "white"


class WeightsDisplay:
    """The weights of largest magnitude as bars, the largest on top, in the colours of their fields.

    Made with :meth:`from_estimator`. Beside each bar stands the accumulator of its weight, the sum
    of its squared gradients: a large weight with a small accumulator was learnt from few rows. It
    is left out if the rule keeps none.

    Parameters
    ----------
    names : sequence of str of length n_weights
        What each weight is called. Names of more than 48 characters are cut in the middle.
    weights : array-like of shape (n_weights,)
        The length of the bars.
    fields : sequence of (str or None) of length n_weights, or None, default=None
        Which field each is of. None among them is a bar without a colour, of which no name is
        known. The six fields with most bars have colours of their own, if a field has more than
        one bar.
    accumulators : array-like of shape (n_weights,) or None, default=None
        The accumulator of each.
    weight_name : str, default="Weight"
        What the weights are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the bars were drawn.
    figure_ : matplotlib Figure
        The figure of ``ax_``.
    bars_ : matplotlib BarContainer
        The bars.
    accumulator_texts_ : list of matplotlib Text or None
        What is beside the bars; None if there are no accumulators.

    See Also
    --------
    sklearn_adagrad.FieldHasher.inverse : Which values of some rows fell into a column.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_adagrad import AdagradClassifier, FieldHasher
    >>> from sklearn_adagrad.plotting import WeightsDisplay
    >>> log = {"site": ["a.com", "b.org", "a.com"], "age": [3.0, 1.0, 2.0]}
    >>> model = make_pipeline(FieldHasher(), AdagradClassifier()).fit(log, ["no", "yes", "no"])
    >>> ax = Figure(layout="constrained").subplots()  # without ax, a figure of pyplot
    >>> display = WeightsDisplay.from_estimator(model, X=log, n_weights=3, ax=ax)
    >>> sorted(display.names)
    ['age', 'site=a.com', 'site=b.org']
    >>> display.weight_name
    'Effect on the score for class yes'
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        weights: ArrayLike,
        fields: Sequence[str | None] | None = None,
        accumulators: ArrayLike | None = None,
        weight_name: str = "Weight",
    ) -> None:
        self.names = names
        self.weights = weights
        self.fields = fields
        self.accumulators = accumulators
        self.weight_name = weight_name

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        *,
        hasher: FieldHasher | None = None,
        X: Any = None,
        n_weights: int = 20,
        output: Any = None,
        ax: Any = None,
    ) -> Self:
        """Draw the largest weights of a fitted model.

        Names are those of the hasher, if there are rows to find them in; or
        ``feature_names_in_``; or the number of the column. A weight that belongs to several names
        is shown with the most frequent one of them, and how many more there are.

        Half of the hashed features count negatively (``alternate_sign`` of
        :class:`~sklearn_adagrad.FieldHasher`): what is shown is the effect on the score of the
        name, that is the weight times the sign of the name's hash. If several names share a column,
        the effect of another one may have the other sign. Where no name is known, the bar is the
        weight, and the sign of its effect is not known.

        Parameters
        ----------
        model : estimator with ``coef_``, or Pipeline
            A fitted :class:`~sklearn_adagrad.AdagradClassifier` or
            :class:`~sklearn_adagrad.AdagradRegressor`, or a pipeline that ends with one.
        hasher : FieldHasher or None, default=None
            What made the columns. None takes the first step of a pipeline, if it is one.
        X : table or None, default=None
            A sample of the rows, as ``hasher.transform`` takes them, in which names are looked for:
            with more rows, more weights have a name.
        n_weights : int, default=20
            How many weights, or fewer if all others are zero.
        output : label, int or None, default=None
            Which of several outputs: a class by its label, or a target by its number. None will do
            if there is only one; with two classes, that is the second one.
        ax : matplotlib Axes or None, default=None
            See :meth:`plot`.

        Returns
        -------
        WeightsDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If there is no such output, ``hasher`` makes other columns than the model has, or a
            parameter is not valid.
        sklearn.exceptions.NotFittedError
            If there is no model yet.
        """
        if not (isinstance(n_weights, Integral) and n_weights > 0):
            raise ValueError(f"n_weights must be a whole number above 0, got {n_weights!r}.")
        if isinstance(model, Pipeline):
            if hasher is None and isinstance(model[0], FieldHasher):
                hasher = model[0]
            model = model[-1]
        check_is_fitted(model)
        coef, accumulators = model.coef_, getattr(model, "accumulator_", None)
        at, of = _output_of(model, output, 1 if coef.ndim == 1 else coef.shape[0])
        weights = _row(coef, at)
        columns = _largest(weights, n_weights)
        names, fields, signs = _names_of(columns, model, hasher, X)
        display = cls(
            names=names,
            weights=weights[columns] * signs,
            fields=fields,
            accumulators=None if accumulators is None else _row(accumulators, at)[columns],
            weight_name=("Weight" if X is None else "Effect on the score") + of,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw, once more or elsewhere.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure, which is higher the more weights there are. The
            legend stands to its right, for which a figure made with ``layout="constrained"`` leaves
            room.

        Returns
        -------
        WeightsDisplay
            The same object.
        """
        colors, legend = self._colors()
        places = np.arange(len(colors))[::-1]

        ax = axes_for(self, ax, figsize=(9, 1.2 + 0.22 * len(colors)))
        edges = [GREY if color == _NONE else color for color in colors]
        self.bars_ = ax.barh(places, self.weights, height=0.7, color=colors, edgecolor=edges)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_yticks(places, map(_shown, self.names), parse_math=False)
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(-0.7, len(colors) - 0.3)
        label = self.weight_name
        self.accumulator_texts_ = None
        if self.accumulators is not None:
            texts = [
                f"{each:,.0f}" if 99.5 <= each < 1e6 else f"{each:.2g}"
                for each in self.accumulators
            ]
            look = {"fontsize": "small", "color": "dimgrey"}
            self.accumulator_texts_ = ax.bar_label(self.bars_, texts, padding=3, **look)
            ax.margins(x=0.25)
            label += "\n(beside the bars: accumulator)"
        ax.set_xlabel(label, parse_math=False)
        if legend:
            handles = [self.bars_[colors.index(color)] for _, color in legend]
            box = ax.legend(handles, [""] * len(legend), title="field", **BESIDE)
            for text, (field, _) in zip(box.get_texts(), legend, strict=True):
                text.set(text=_shown(field), parse_math=False)  # may begin with _, or have a $
        return self

    def _colors(self):
        """The colour of each bar, and which are in the legend: fields and colours."""
        fields = [""] * len(self.names) if self.fields is None else list(self.fields)
        counts = Counter(field for field in fields if field is not None)
        frequent = [field for field, _ in counts.most_common(len(COLORS))]
        color_of, legend = dict(zip(frequent, COLORS, strict=False)), []
        if len(counts) == 1 or set(counts.values()) == {1}:
            color_of = dict.fromkeys(counts, BLUE)
        else:
            legend += color_of.items()
            if len(counts) > len(COLORS):
                legend.append(("others", GREY))
        if None in fields:
            legend.append(("unknown", _NONE))
        colors = [_NONE if field is None else color_of.get(field, GREY) for field in fields]
        return colors, legend


def _output_of(model, output, n_outputs):
    """Which row of ``coef_`` belongs to ``output``, and how the label of an axis says it."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        outputs, kind = list(range(n_outputs)), "target"
    else:  # one row for two classes is that of the second
        outputs, kind = classes[-n_outputs:].tolist(), "class"
    if output is None and n_outputs == 1:
        output = outputs[0]
    if output not in outputs:
        known = ", ".join(map(repr, outputs[:_LISTED])) + ", ..." * (n_outputs > _LISTED)
        raise ValueError(f"output={output!r} is none of this model: give one of {known}.")
    is_only = classes is None and n_outputs == 1
    return outputs.index(output), "" if is_only else f" for {kind} {output}"


def _row(values, at):
    """Row ``at`` of the weights or accumulators of all outputs."""
    return values[[at]].toarray()[0] if issparse(values) else np.atleast_2d(values)[at]


def _largest(weights, n_weights):
    """The columns of the weights of largest magnitude that are not zero, the largest first."""
    columns = np.flatnonzero(weights)
    if len(columns) > n_weights:
        last = np.argpartition(np.abs(weights[columns]), -n_weights)[-n_weights:]
        columns = columns[np.sort(last)]
    return columns[np.argsort(-np.abs(weights[columns]), kind="stable")]


def _names_of(columns, model, hasher, X):
    """The names of columns, their fields, and the signs of their hashes."""
    names, signs = [f"column {column}" for column in columns], np.ones(len(columns))
    if X is None:
        if not hasattr(model, "feature_names_in_"):
            return names, None, signs
        names = model.feature_names_in_[columns].tolist()
        return names, [_field_of([name]) for name in names], signs
    if not isinstance(hasher, FieldHasher):
        raise ValueError(
            f"X is to be hashed for its names, but hasher={hasher!r}: give the FieldHasher of the "
            "model, or a pipeline that begins with it."
        )
    if hasher.n_features != model.n_features_in_:
        raise ValueError(
            f"hasher makes {hasher.n_features} columns, but the model has {model.n_features_in_} "
            "weights: give the hasher that the model was trained with."
        )
    fields = [None] * len(columns)
    for n, found in enumerate(hasher._names_in(X, columns).values()):
        if found:
            names[n] = str(found[0]) + f" (+{len(found) - 1} more)" * (len(found) > 1)
            fields[n] = _field_of(found[0].parts)
            signs[n] = -1.0 if hasher.alternate_sign and found[0].is_minus else 1.0
        elif hasher.alternate_sign:
            names[n] += " (either sign)"
    return names, fields, signs


def _field_of(parts):
    """The field of a feature, or those of a cross."""
    return " & ".join(part.partition("=")[0] for part in parts)


def _shown(name):
    """A name that fits into a line."""
    name = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in name)
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[:half]}…{name[1 - half :]}"
