"""Predict rows of files with a saved model: a line for each, on standard output."""

import sys

import numpy as np
from sklearn.base import is_classifier

from ..files import models
from ..saving import KNOWN_TYPES
from ..streams.learners import predicted_of
from ..streams.reports import Lines
from . import formats

USAGE = "SOURCE ... -m FILE [options]"
KINDS = ("probability", "label", "score")


def add_arguments(parser):
    add = parser.add_argument
    add("source", nargs="+", help="files as those of training, or - for stdin")
    add("-m", "--model", required=True, metavar="FILE", help="the model")
    add("-o", "--output", metavar="FILE", help="where to write; the default is standard output")
    add("--output-kind", choices=KINDS, metavar="KIND",
        help="probability (of the second of two classes, or of each), label (or number), or score; "
        "the default is the first that the model has")  # fmt: skip
    add("--no-target", action="store_true", help="the files have no targets (and no weights)")
    add("--format", choices=formats.NAMES, metavar="NAME", help="if it is not that of training")
    add("--skip-bad-lines", action="store_true", help="leave them out, and say how many")


def loaded(path):
    """The hasher or None, the estimator, and how the rows were read that it was trained on."""
    pipeline, how = models.read(path, KNOWN_TYPES, ("model", "rows"))
    if how is None:
        raise ValueError(f"{path} was not saved by sklearn-adagrad train: load it in Python.")
    return pipeline[0] if len(pipeline) == 2 else None, pipeline[-1], how


def run(given):
    """Predict, and say how well, if there are targets."""
    if sys.stdout is None and not given.output:
        raise ValueError("Standard output is closed.")
    hasher, model, how = loaded(given.model)
    how |= {"format": given.format} if given.format else {}
    is_text = is_classifier(model) and model.classes_.dtype.kind in "UO"
    reader = formats.reader_of(
        how, given.source, hasher or _Width(model), has_target=not given.no_target,
        target_type=str if is_text else float, skip=given.skip_bad_lines,
    )  # fmt: skip
    report, metrics, sums, n_rows = Lines(), None, None, 0
    output = open(given.output, "w") if given.output else sys.stdout  # noqa: SIM115
    try:
        for X, y, weights in reader:
            values = _values_of(model, X, given.output_kind)
            output.write("\n".join(map(_line, values)))
            output.write("\n")
            n_rows += X.shape[0]
            if not given.no_target:
                judged = predicted_of(model, X, y, weights)
                if metrics is None:
                    metrics, sums = judged.metrics, judged.metrics.empty()
                parts = metrics.judged(judged.y, judged.values, judged.weights)
                metrics.add(parts, sums)
        output.flush()
    finally:
        if given.output:
            output.close()
    if reader.n_bad_lines:
        report.say(f"{reader.n_bad_lines:,} bad lines were skipped.")
    if metrics is not None:
        figures = metrics.figures(sums)
        text = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())
        report.say(f"{n_rows:,} rows: {text}")


def _values_of(model, X, kind):
    if kind is None:
        kind = "probability" if hasattr(model, "predict_proba") else "label"
    if kind == "label":
        return model.predict(X)
    if not is_classifier(model):
        raise ValueError(f"--output-kind {kind} is for classes, but the model predicts numbers.")
    if kind == "score":
        return model.decision_function(X)
    chances = model.predict_proba(X)
    return chances[:, 1] if chances.shape[1] == 2 else chances


def _line(value):
    if np.ndim(value):
        return " ".join(map(_line, value))
    return f"{value:.7g}" if isinstance(value, float | np.floating) else str(value)


class _Width:
    """What a reader of numbered features needs to know of a model."""

    def __init__(self, model):
        self.n_features, self.dtype = model.n_features_in_, model.coef_.dtype
