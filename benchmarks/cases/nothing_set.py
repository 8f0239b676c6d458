"""fit with lr="auto", beside numbers of epochs that are chosen with hindsight: held-out loss.

A quarter of the rows is held out, ten times where rows are few, else three times: losses are means.
The rows of scikit-learn's data are sorted by label. The ratio is to the best of one pass,
``early_stopping=True``, and that number of epochs from 1 to 50 whose held-out loss is the smallest,
all with ``lr="auto"``. The real data are those of the folder that ``--data`` names.
"""

import warnings
from functools import partial

import numpy as np
from sklearn import datasets
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import train_test_split

from sklearn_adagrad import AdagradClassifier, AdagradRegressor

from .. import real
from ..measure import judge

COLUMNS = ("data", "contestant", "setting", "loss", "quotient", "target")
EPOCHS, SPLITS, SPLITS_LARGE, LARGE = 50, 10, 3, 5_000
SMALL = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}
WITHOUT = ("KDD Cup 1999, kinds of attacks",)  # fifty epochs of 92 models: a quarter of an hour


def run(options):
    """Data that scikit-learn has, then real ones."""
    for name, read in SMALL.items():
        X, y = read(return_X_y=True)
        order = np.argsort(y, kind="stable")
        yield from _compared(name, X[order], y[order], name == "diabetes")
    if options.data is None:
        yield {"contestant": "real data", "skipped": "no folder: name one by --data"}
        return
    for name, (file, read) in (real.BINARY | real.CLASSES).items():
        found = None if name in WITHOUT else real.load(options, file, read)
        if found is None:
            yield {"contestant": name, "skipped": f"{file} is not in the folder, or takes long"}
        else:
            yield from _compared(name, *found, False)
    found = real.blog_feedback(options)
    if found is not None:
        yield from _compared("BlogFeedback", *found[:2], True)


def _compared(name, X, y, is_regression):
    n_splits = SPLITS if len(y) < LARGE else SPLITS_LARGE
    make = AdagradRegressor if is_regression else partial(AdagradClassifier, "log_loss")
    make = partial(make, lr="auto", random_state=0)
    found = [_split_losses(make, X, y, is_regression, seed) for seed in range(n_splits)]
    ours, said = float(np.mean([each[0] for each in found])), sum(each[1] for each in found)
    others = {who: float(np.mean([each[2][who] for each in found])) for who in found[0][2]}
    curve = np.mean([each[3] for each in found], axis=0)
    best = int(np.argmin(curve)) + 1
    settings = {f"best of 1 to {EPOCHS} epochs": f"{best} epochs"}
    others[f"best of 1 to {EPOCHS} epochs"] = float(curve.min())
    least, size = min(others.values()), {"data": name, "rows": len(y)}
    record = {**size, "contestant": "fit", "loss": ours, "quotient": ours / least, "warnings": said}
    yield judge(record, "quotient", at_most=1.01)
    for who, loss in others.items():
        yield {**size, "contestant": who, "setting": settings.get(who), "loss": loss,
               "quotient": loss / least}  # fmt: skip


def _split_losses(make, X, y, is_regression, seed):
    """The loss of ``fit``, its warnings, the losses of the others, and that after each epoch."""
    rows, held_out = train_test_split(
        np.arange(len(y)), random_state=seed, stratify=None if is_regression else y
    )
    rows = np.sort(rows)
    lost = partial(_lost, X[held_out], y[held_out], is_regression)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ours = lost(make().fit(X[rows], y[rows]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        others = {
            "one pass": lost(make(early_stopping=False, max_iter=1).fit(X[rows], y[rows])),
            "early_stopping=True": lost(make(early_stopping=True).fit(X[rows], y[rows])),
        }
    model, random, curve = make(), np.random.default_rng(seed), []
    classes = {} if is_regression else {"classes": np.unique(y)}
    for _ in range(EPOCHS):
        order = random.permutation(rows)
        curve.append(lost(model.partial_fit(X[order], y[order], **classes)))
    return ours, len(said), others, curve


def _lost(X, y, is_regression, model):
    if is_regression:
        return float(mean_squared_error(y, model.predict(X)))
    return float(log_loss(y, model.predict_proba(X), labels=model.classes_))
