"""Show what is in a model: settings, rows learnt, loss, the largest weights."""

import numpy as np

from . import formats
from .prediction import loaded

USAGE = "MODEL [options]"
_SAMPLE = 10_000  # rows from which names are taken


def add_arguments(parser):
    add = parser.add_argument
    add("model", help="the file")
    add("--top", type=int, default=10, metavar="N", help="how many weights to show (10)")
    add("--sample", metavar="FILE",
        help="a file with columns, whose first 10,000 rows tell names of features")  # fmt: skip


def run(given):
    """Print what there is to know."""
    hasher, model, how = loaded(given.model)
    plain = type(model)().get_params()
    for name, value in model.get_params().items():
        if value != plain[name] or name in ("loss", "lr", "rule"):
            _say(name, value)
    if hasattr(model, "classes_"):
        _say("classes", ", ".join(map(str, model.classes_)))
    _say("rows", ", ".join(f"{name}={value}" for name, value in how.items() if value is not None))
    if hasher is not None:
        _say("hashed to", f"{hasher.n_features:,} columns")
        for name in ("fields", "interactions"):
            if getattr(hasher, name):
                _say(name, getattr(hasher, name))
    _say("rows learnt", f"{model.t_:,}")
    _say("progressive loss", f"{model.progressive_loss_:.6g}")
    _say("live features", f"{model.n_live_features_:,}")
    _say("intercept", ", ".join(f"{each:.4g}" for each in model.intercept_))
    weights = np.atleast_2d(model.coef_)
    sizes = np.abs(weights).max(axis=0)
    top = np.argsort(-sizes, kind="stable")[: max(0, given.top)]
    top = top[sizes[top] > 0]
    names = {}
    if given.sample:
        table = formats.table_of(given.sample, how, _SAMPLE)
        names = hasher._names_in(table, top)
    print(f"\n{'column':>10}  {'weight':>10}  {'accumulator':>11}  effect and name")
    try:
        accumulators = np.atleast_2d(model.accumulator_)
    except AttributeError:
        accumulators = np.full_like(weights, np.nan)
    for column in top.tolist():
        output = int(np.abs(weights[:, column]).argmax())
        name = " or ".join(
            f"{weights[output, column] * (-1) ** each.is_minus:+.4g} {each}"
            for each in names.get(column, [])[:3]
        )
        if len(weights) > 1:
            name = f"[{model.classes_[output] if hasattr(model, 'classes_') else output}] {name}"
        numbers = f"{weights[output, column]:>10.4g}  {accumulators[output, column]:>11.4g}"
        print(f"{column:>10}  {numbers}  {name}".rstrip())


def _say(name, value):
    print(f"{name + ':':18}{value}")
