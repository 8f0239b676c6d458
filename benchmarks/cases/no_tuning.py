"""lr="auto" beside rates chosen with hindsight, and beside other libraries: losses, and cost.

One pass over real data of the folder that ``--data`` names. The loss is the mean over all rows,
each before it is learnt; the ratio is to the best of 12 rates of plain Adagrad on the same rows.
With 200 chunks, each predicted before it is learnt, calibration errors are in 15 bins of equally
many rows, and SGDClassifier gets the best of eight settings. CalibratedClassifierCV, which has one
with 20 epochs, is fitted anew when the rows are 1.5 times as many. river gets the first 5,000 rows.

Cost is that of a second pass at ``lr=0.1``, for which no memory has to be fetched from the system;
the ratio is to plain Adagrad.
"""

import math
import statistics
from functools import partial
from itertools import chain

import numpy as np
from scipy.special import xlogy
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import Ridge, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.rules import ImportanceAware, ScaleFree

from .. import data, learners, progressive, real
from ..measure import Contestant, compare, judge
from ..peers import river_adagrad, vowpal_wabbit

COLUMNS = (
    "case", "data", "dtype", "contestant", "setting", "seconds", "bytes_per_feature", "loss",
    "calibration_error", "r2", "quotient", "target",
)  # fmt: skip
RATES, FIXED = np.geomspace(0.005, 10, 12), 0.5
AUTO, PLAIN, VW = 'lr="auto"', "Adagrad", "Vowpal Wabbit, default"
RULES = {
    PLAIN: "adagrad",
    "ScaleFree": ScaleFree("adagrad"),
    "ImportanceAware": ImportanceAware("adagrad"),
    "both": ImportanceAware(ScaleFree("adagrad")),
}
VW_OPTIONS = {VW: [], "Vowpal Wabbit, --coin": ["--coin"]}
RIVER_ROWS = 5_000
_TWENTY = {"max_iter": 20, "tol": None, "random_state": 0}
CALIBRATED = CalibratedClassifierCV(SGDClassifier("log_loss", **_TWENTY))
LOSSES = ("squared_error", "poisson", "quantile")
COSTS = {AUTO: 3.0, "ScaleFree": 1.3, "ImportanceAware": 1.5}


def run(options):
    """Two classes, several, regression, and what it costs."""
    if options.data is None:
        yield {"contestant": "real data", "skipped": "no folder: name one by --data"}
    else:
        quotients = {}
        for record in chain(_binary(options), _classes(options)):
            if record["contestant"] == AUTO and "loss" in record:
                quotients[record["data"]] = record["quotient"]
            yield record
        yield from _means(quotients)
        yield from _regression(options)
    yield from _costs(options)


def _record(case, who, setting, loss, best):
    return {**case, "contestant": who, "setting": setting, "loss": loss, "quotient": loss / best}


# --- losses of the rows before they are learnt ----------------------------------------------


def _binary(options):
    for name, (file, read) in real.BINARY.items():
        found = real.load(options, file, read)
        if found is None:
            yield {"contestant": name, "skipped": f"{file} is not in the folder"}
        else:
            yield from _two_classes({"case": "two classes", "data": name}, *found)


def _two_classes(case, X, y):
    auto, best, records = _own(case, partial(_classify, X, y))
    yield from records
    parts, chances = progressive.chunks(len(y)), {}
    runs = vowpal_wabbit.in_chunks(X, y, parts, VW_OPTIONS.values())
    for who, (loss, scores) in zip(VW_OPTIONS, runs, strict=True):
        yield _record(case, who, None, loss, best)
        if who == VW:
            yield _beside_vw(case, auto, loss)
            chances[VW] = 1.0 / (1.0 + np.exp(-scores))
    yield _sgd(case, X, y, parts, best)
    X_few, y_few = X[:RIVER_ROWS], y[:RIVER_ROWS]
    loss = river_adagrad.progressive_loss(X_few, y_few)
    best = min(_classify(X_few, y_few, lr=lr) for lr in RATES)
    setting = None if len(y) == len(y_few) else f"{RIVER_ROWS:,} rows"
    yield _record(case, "river, default", setting, loss, best)
    chances["CalibratedClassifierCV"] = progressive.refitted(CALIBRATED, X, y, parts)
    chances[AUTO] = progressive.learning(AdagradClassifier(lr="auto"), X, y, parts)
    yield from _calibration(case, y, chances)


def _classes(options):
    for name, (file, read) in real.CLASSES.items():
        found = real.load(options, file, read)
        if found is None:
            yield {"contestant": name, "skipped": f"{file} is not in the folder"}
            continue
        for how in ("ovr", "multinomial"):
            case = {"case": "several classes", "data": f"{name}, {how}"}
            yield from _own(case, partial(_classify, *found, multi_class=how))[2]
    yield {"contestant": "other libraries", "skipped": "of several classes: other losses"}


def _regression(options):
    found = real.blog_feedback(options)
    if found is None:
        yield {"contestant": "regression", "skipped": "BlogFeedback.zip is not in the folder"}
        return
    X, y, Z, z = found
    scaler = StandardScaler(with_mean=False).fit(X)
    columns = {"as they come": (X, Z), "scaled": (scaler.transform(X), scaler.transform(Z))}
    for kind, (X, Z) in columns.items():
        for loss in LOSSES:
            case = {"case": "regression", "data": f"BlogFeedback, columns {kind}, {loss}"}
            auto, best, records = _own(case, partial(_regress, X, y, loss=loss))
            yield from records
            if loss == "squared_error":
                yield from _squares(case, X, y, auto, best)
        auto = AdagradRegressor(lr="auto").partial_fit(X, y)
        models = {AUTO: auto, "Ridge": Ridge(solver="cholesky").fit(X.toarray(), y)}
        case = {"case": "R2 on the test", "data": f"BlogFeedback, columns {kind}"}
        for who, model in models.items():
            yield {**case, "contestant": who, "r2": float(model.score(Z, z))}


def _squares(case, X, y, auto, best):
    parts = progressive.chunks(len(y))
    runs = vowpal_wabbit.in_chunks(X, y, parts, VW_OPTIONS.values(), "squared")
    for who, (twice, _) in zip(VW_OPTIONS, runs, strict=True):
        yield _record(case, who, None, twice / 2.0, best)
        if who == VW:
            yield _beside_vw(case, auto, twice / 2.0)


def _own(case, lost):
    """The loss of ``lr="auto"``, the best of plain rates, and the records of all rules."""
    auto, losses = lost(lr="auto"), {}
    for name, rule in RULES.items():
        losses[name] = [lost(lr=lr, rule=rule) for lr in RATES]
    best = min(losses[PLAIN])
    records = [judge(_record(case, AUTO, None, auto, best), "quotient", at_most=1.005)]
    for name, found in losses.items():
        n = int(np.argmin(found))
        records.append(_record(case, name, f"best of 12: lr={RATES[n]:.3g}", found[n], best))
        if name != PLAIN:
            fixed = lost(lr=FIXED, rule=RULES[name])
            records.append(_record(case, name, f"lr={FIXED}", fixed, best))
    n = int(np.argmax(losses[PLAIN]))
    setting = f"worst of 12: lr={RATES[n]:.3g}"
    records.insert(2, _record(case, PLAIN, setting, losses[PLAIN][n], best))
    return auto, best, records


def _classify(X, y, **parameters):
    return _lost(AdagradClassifier(**parameters), X, y, classes=np.unique(y))


def _regress(X, y, loss, **parameters):
    """Of Poisson's, what is above the least there is: half of the mean deviance."""
    least = np.mean(y - xlogy(y, y)) if loss == "poisson" else 0.0
    return float(_lost(AdagradRegressor(loss, **parameters), X, y) - least)


def _lost(model, X, y, **classes):
    try:
        return model.partial_fit(X, y, **classes).progressive_loss_
    except FloatingPointError:  # it diverged
        return math.inf


def _sgd(case, X, y, parts, best):
    losses = {}
    for setting, parameters in learners.SGD_SETTINGS.items():
        chances = progressive.learning(learners.sgd(**parameters), X, y, parts)
        losses[setting] = float(log_loss(y, chances))
    setting = min(losses, key=losses.get)
    return _record(case, learners.SGD, f"best of 8: {setting}", losses[setting], best)


def _beside_vw(case, auto, loss):
    record = {**case, "contestant": f"{AUTO} : {VW}", "quotient": auto / loss}
    return judge(record, "quotient", at_most=1.002)


def _means(quotients):
    """Over all data, and over those whose columns are of one scale, where plain rates can win."""
    scaled = {name: each for name, each in quotients.items() if not name.startswith(real.UNSCALED)}
    for name, found in (("all", quotients), ("columns of one scale", scaled)):
        if found:
            mean = statistics.geometric_mean(found.values())
            record = {"case": "geometric mean", "data": f"{name}: {len(found)} sets",
                      "contestant": AUTO, "quotient": mean}  # fmt: skip
            yield judge(record, "quotient", at_most=0.98)


def _calibration(case, y, chances):
    errors = {who: progressive.calibration_error(y, each) for who, each in chances.items()}
    least = min(error for who, error in errors.items() if who != AUTO)
    for who, error in errors.items():
        record = {**case, "case": "calibration", "contestant": who, "calibration_error": error}
        yield judge(record, "calibration_error", at_most=least) if who == AUTO else record


# --- cost -----------------------------------------------------------------------------------


def _costs(options):
    for name, load in _timed(options).items():
        for dtype in map(np.dtype, learners.DTYPES):
            found = load(dtype)
            if found is None:
                yield {"contestant": f"cost on {name}", "skipped": "not in the folder"}
                break
            yield from _cost({"case": "cost", "data": name, "dtype": dtype.name}, *found, options)


def _timed(options):
    made = {name: partial(_made, name, options.rows(rows)) for name, rows in data.ROWS.items()}
    if options.data is None:
        return made
    return made | {name: partial(_real, options, *real.BINARY[name]) for name in ("a9a", "w8a")}


def _made(name, rows, dtype):
    return data.load(name, dtype, rows)


def _real(options, file, read, dtype):
    found = real.load(options, file, read)
    return found and (found[0].astype(dtype), found[1])


def _cost(case, X, y, options):
    size = {"rows": X.shape[0], "nonzeros": X.nnz}
    makers = {name: partial(AdagradClassifier, lr=0.1, rule=rule) for name, rule in RULES.items()}
    makers[AUTO] = partial(AdagradClassifier, lr="auto")
    learn = partial(_learn, X, y)
    contestants = [
        Contestant(who, learn, lambda make=make: learn(make()), size)
        for who, make in makers.items()
    ]
    for record in compare(case, contestants, options.rounds or 7):
        who = record["contestant"]
        record["quotient"] = record.pop("ratio")
        yield judge(record, "quotient", at_most=COSTS[who]) if who in COSTS else record
    if case["dtype"] == "float32":
        state = _learn(X, y, makers[AUTO]())._state
        arrays = [*state.tables.values(), *state.beside.values()]
        size = sum(each.nbytes for each in arrays if len(each) == X.shape[1]) / X.shape[1]
        record = {**case, "case": "memory", "contestant": AUTO, "bytes_per_feature": size}
        yield judge(record, "bytes_per_feature", at_most=40)


def _learn(X, y, model):
    return model.partial_fit(X, y, classes=data.CLASSES)
