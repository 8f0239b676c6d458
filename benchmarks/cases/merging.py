"""Models of parts of the rows become one: its loss as a ratio to that of one pass over all rows.

A quarter of the rows is held out. The others go to a number of models, either all at once (1 merge)
or in 8 rounds, each of which begins from what the one before left. The rate is the best of six for
the one pass. ``best``: the best of the models of the last round. ``average``: weights and
accumulators are averaged. ``vw``: weights are averaged by accumulators, as Vowpal Wabbit does.
``merged``: by ``merge`` without rows; ``chosen``: with 4,000 rows that nobody learns, or half of
those that are held out; figures are of the rest.
"""

import math
import pickle
from functools import partial

import numpy as np

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, merge
from sklearn_adagrad.merging import judged_by
from sklearn_adagrad.model.joining import joined, moves_of, part_of
from sklearn_adagrad.model.state import new_state

from .. import adult, data, real
from ..measure import judge

COLUMNS = (
    "data", "setting", "rule", "contestant", "best", "average", "vw", "merged", "chosen", "target",
)  # fmt: skip
RULES = ("adagrad", "ftrl", "dual_averaging")
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ROUNDS = 8
SAMPLE = 4_000
REAL = ("w8a", "Criteo, 10,000 rows", "rcv1, 1,000 rows", "20 newsgroups, TF-IDF")
# FTRL's is that of all rows at once.
ALPHAS = {"adagrad": 1e-4, "ftrl": 1.0, "dual_averaging": 1e-4}


def run(options):
    """Losses for classes, then for numbers; every rule, and all numbers of models with Adagrad."""
    for name, load, settings in _sets(options):
        found = load()
        if found is None:
            yield {"contestant": name, "skipped": "it is not there"}
            continue
        for setting, make in settings.items():
            yield from _all_of(name, setting, make, *found)
    if options.data is None:
        yield {"contestant": "real data", "skipped": "no folder: name one by --data"}


def _sets(options):
    classes = {"log_loss": partial(AdagradClassifier)}
    losses = ("hinge", "squared_hinge", "modified_huber")
    more = {each: partial(AdagradClassifier, each) for each in losses}
    more |= {"log_loss, L1 and L2": partial(AdagradClassifier, l1_ratio=0.5)}
    several = {
        f"log_loss, {each}": partial(AdagradClassifier, multi_class=each)
        for each in ("ovr", "multinomial")
    }
    losses = ("squared_error", "absolute_error", "huber", "quantile")
    numbers = {each: partial(AdagradRegressor, each) for each in losses}
    counts = {"poisson": partial(AdagradRegressor, "poisson")}
    yield "Adult", partial(adult.load, options.adult), classes | more
    yield "clicks", partial(_clicks, options.rows(60_000)), classes
    yield "text", partial(data.load, "text", np.float32, options.rows(40_000)), classes | more
    yield "text", partial(_numbers, options.rows(40_000)), numbers
    yield "text", partial(_numbers, options.rows(40_000), counts=True), counts
    yield "5 classes", partial(_classes, options.rows(20_000)), several
    if options.data is not None:
        for name in REAL:
            yield name, partial(real.load, options, *real.BINARY[name]), classes
        yield "BlogFeedback", partial(_comments, options), numbers


def _clicks(rows):
    X, y = data.load("clicks", np.float32, rows)
    return data.compact(X), y


def _classes(rows):
    X, y = data.classes(rows, 5)
    return data.compact(X), y


def _numbers(rows, counts=False):
    """Texts with numbers, or counts, from a linear model with noise."""
    X, _ = data.load("text", np.float32, rows)
    rng = np.random.default_rng(0)
    scores = X @ rng.normal(size=X.shape[1])
    y = rng.poisson(np.exp(0.7 * scores)) if counts else 3 * scores + rng.normal(size=rows)
    return X, y


def _comments(options):
    """Numbers of comments and all that is known of a page, as logarithms."""
    found = real.blog_feedback(options)
    if found is None:
        return None
    X, y = found[0].copy(), np.log1p(found[1])
    X.data = np.log1p(np.abs(X.data))
    return X, y


def _all_of(name, setting, make, X, y):
    cut = len(y) * 3 // 4
    end = cut + min(SAMPLE, (len(y) - cut) // 2)
    learnt, sample, held_out = ((X[a:b], y[a:b]) for a, b in ((0, cut), (cut, end), (end, len(y))))
    rules = RULES[:2] if setting == "log_loss, ovr" else RULES  # the other one is refused
    for rule in rules:
        begun = partial(make, rule=rule)
        if "l1_ratio" in make.keywords:
            begun = partial(begun, alpha=ALPHAS[rule])
        if make.func is AdagradClassifier:
            begun = partial(_with_classes, begun, X[:2], np.unique(y))
        alone = {lr: _alone(begun(lr=lr), learnt, held_out) for lr in RATES}
        lr = min(alone, key=alone.get)
        many = rule == "adagrad" and setting == "log_loss"
        for models in (2, 4, 8) if many else (8,):
            for rounds in (1, ROUNDS):
                found = _losses(partial(begun, lr=lr), models, rounds, learnt, sample, held_out)
                record = {"data": name, "setting": setting, "rule": rule, "loss": alone[lr]}
                record["contestant"] = f"{models} models, {rounds} merge{'s' * (rounds > 1)}"
                record |= {each: loss / alone[lr] for each, loss in found.items()}
                yield judge(record, "chosen", at_most=record["average"] * 1.005)


def _alone(model, learnt, held_out):
    """The loss after one pass over all rows."""
    try:
        return _loss(model.partial_fit(*learnt), *held_out)
    except FloatingPointError:  # it diverged
        return math.inf


def _with_classes(make, X, classes, **parameters):
    """A model that knows its classes, and no row."""
    zeros = np.zeros(2)
    return make(**parameters).partial_fit(X, classes[[0, 0]], classes, sample_weight=zeros)


def _losses(begun, n_models, n_rounds, learnt, sample, held_out):
    chosen = partial(merge, X=sample[0], y=sample[1])
    ways = {"average": _averaged, "vw": _by_accumulators, "merged": merge, "chosen": chosen}
    found = {}
    for name, way in ways.items():
        start = None
        for rows in np.array_split(np.arange(len(learnt[1])), n_rounds):
            models = []
            for part in np.array_split(rows, n_models):
                model = begun() if start is None else pickle.loads(pickle.dumps(start))
                models.append(model.partial_fit(*(each[part] for each in learnt)))
            start = way(models, start=start)
        if name == "average":
            found["best"] = min(_loss(model, *held_out) for model in models)
        found[name] = _loss(start, *held_out)
    return found


def _averaged(models, start):
    """A coordinate that a model did not have counts as much as others."""
    return _by(models, start, lambda moves: moves)


def _by_accumulators(models, start):
    """Weights are averaged by accumulators, and so are these."""

    def weighted(moves):
        accumulators = moves.start + moves.gained
        total = accumulators.sum(axis=0)
        shares = accumulators / np.where(total > 0, total, 1.0) * len(models)
        way, gained = shares * (moves.ended - moves.begun), (shares * accumulators).mean(axis=0)
        gained = np.broadcast_to(gained - moves.start, way.shape)
        return moves._replace(ended=moves.begun + way, gained=gained)

    return _by(models, start, weighted)


def _by(models, start, changed):
    """The means of moves that were ``changed``, with every model having had every coordinate."""
    merged, bound = merge(models, start=start), models[0]._bound
    state = models[0]._state
    if start is None:
        began = new_state(bound, state.n_features, state.dtype, state.n_outputs)
    else:
        began = start._state
    parts = [part_of(began, model._state) for model in models]
    moves = {
        name: changed(each)._replace(touched=np.ones_like(each.touched))
        for name, each in moves_of(bound, began, parts).items()
    }
    merged._state = joined(bound, began, parts, moves, None)
    return merged


def _loss(model, X, y):
    return judged_by(model, X, y, None)(model._state) / len(y)
