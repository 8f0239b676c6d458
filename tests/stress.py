"""Interrupts at random moments, and readers beside a learner, as often as one likes.

    python tests/stress.py interrupts 20000
    python tests/stress.py readers 200

``test_stress.py`` runs both in small. Each prints what it did, or stops at the first thing wrong.
"""

import argparse
import pickle
import random
import re
import signal
import sys
import threading
import traceback
import warnings
from collections import Counter

import numpy as np
from common import bits
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_adagrad import (
    AdagradClassifier,
    AdagradClassifierCV,
    AdagradRegressor,
    AdagradRegressorCV,
)
from sklearn_adagrad.engines.cpu import engine as cpu
from sklearn_adagrad.rules import FTRL, Averaged, Momentum, Multiplied, WeightDecay

N_FEATURES = 60


class Interrupt(BaseException):
    """What the handler of the signal raises, as KeyboardInterrupt is raised by Ctrl-C."""


def rows(n_rows, seed=0, dtype=np.float64):
    """Rows with labels, and weights with zeros among them."""
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n_rows, N_FEATURES), density=0.2, rng=rng, format="csr", dtype=dtype)
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    return X, rng.integers(0, 2, n_rows), rng.choice([0.0, 1.0, 2.0], n_rows)


MODELS = {
    "plain": AdagradClassifier(lr=0.1),
    "penalty": AdagradClassifier(lr=0.1, alpha=1e-3, l1_ratio=0.5, class_weight="balanced"),
    "momentum": AdagradClassifier(rule=Momentum("adagrad", 0.5), lr=0.05),
    "ftrl": AdagradClassifier(lr=0.1, rule=FTRL(), alpha=1e-3, l1_ratio=0.5),
    "dual averaging": AdagradClassifier(lr=0.1, rule="dual_averaging", alpha=1e-5),
    "mean": AdagradRegressor(lr=0.1, rule=Averaged(WeightDecay("adagrad"))),
    "multiplied": AdagradRegressor(lr=0.1, rule=Multiplied("adagrad", 0.5), alpha=1e-4),
    "search": AdagradClassifierCV(cv=2, lr=[0.05, 0.5], alpha=1e-4, class_weight="balanced"),
    "search of numbers": AdagradRegressorCV(cv=2, lr=[0.05, 0.5]),
}


def learn(model, X, y, weights):
    begin = {"classes": [0, 1]} if "Classifier" in type(model).__name__ else {}
    return model.partial_fit(X, y, sample_weight=weights, **begin)


def known(model):
    """All that is learnt, to the last bit, and what is made of it."""
    is_search = hasattr(model, "cv")
    estimator = pickle.loads(pickle.dumps(model._team.estimator if is_search else model))
    found = [bits(estimator), model.predict(rows(3, 9)[0]).tolist()]
    return found + ([model.best_params_, model.best_score_] if is_search else [model.t_])


# --- interrupts -----------------------------------------------------------------------------

ACCOUNT = re.compile(
    r"(All|The first (\d+) of \d+) rows of this call were learnt|(No row) of this call"
)


def interrupts(n_calls, seed=0):
    """Interrupt calls that learn, read and fit; each must leave what its note says."""
    rng, counts = random.Random(seed), Counter()
    signal.signal(signal.SIGALRM, handler)
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y, weights = rows(12_000)
    for model in MODELS.values():  # compiled before anyone is in a hurry
        learn(clone(model), X, y, weights)
        known(learn(clone(model), X, y, weights))
    for _ in range(n_calls):
        cpu.entries_at_once = rng.choice([2**12, 2**22])  # in many parts, too
        name = rng.choice(list(MODELS))
        size = rng.choice([20, 300, 6000])
        part = slice(0, size), slice(size, 2 * size)
        model = clone(MODELS[name])
        if rng.random() < 0.7:
            learn(model, X[part[0]], y[part[0]], weights[part[0]])
            if rng.random() < 0.3 and name in ("plain", "penalty", "ftrl"):
                model.set_params(alpha=2e-3)
        before = pickle.dumps(model)
        what = rng.choice(["partial_fit", "partial_fit", "predict", "pickle", "fit"])
        arguments = X[part[1]], y[part[1]], weights[part[1]]
        if what in ("predict", "pickle") and not model.__sklearn_is_fitted__():
            continue
        error = interrupted(rng, what, model, arguments)
        counts[what, "interrupted" if error else "done"] += 1
        assert (np.full(16, 1e-310) / 2.0 > 0.0).all(), "arithmetic of the thread"
        if what in ("predict", "pickle"):
            assert known(model) == known(pickle.loads(before)), what
            continue
        if error is None:
            continue
        said = ACCOUNT.search("\n".join(getattr(error, "__notes__", ())))
        wanted, done = pickle.loads(before), 0
        if said and not said[3]:
            done = int(said[2]) if said[2] else arguments[0].shape[0]
        elif not said:  # no line of the call was run yet
            last = traceback.extract_tb(error.__traceback__)[-2].name
            assert last == "call", "".join(traceback.format_exception(error))
        counts[what, "all" if said and said[1] == "All" else "some" if done else "nothing"] += 1
        if what == "fit":
            if done:
                model.predict(X[:3])
            else:
                same(model, wanted)
            continue
        if done:
            learn(wanted, *(each[:done] for each in arguments))
        same(model, wanted)
        # It goes on as if nothing had been.
        for each in (model, wanted):
            learn(each, *arguments)
        same(model, wanted)
    return counts


def same(model, wanted):
    if not wanted.__sklearn_is_fitted__():
        assert not model.__sklearn_is_fitted__() or model.t_ == 0
        return
    found, right = known(model), known(wanted)
    assert found == right, (model, *each_that_differs(found, right))


def each_that_differs(found, right):
    if isinstance(found, list | dict) and len(found) == len(right):
        keys = found if isinstance(found, dict) else range(len(found))
        for key in keys:
            yield from each_that_differs(found[key], right[key])
    elif found != right:
        yield found, right


def handler(signum, frame):
    raise Interrupt


def interrupted(rng, what, model, arguments):
    """The exception of a call that was interrupted, or None."""
    X = arguments[0]
    call = {
        "partial_fit": lambda: learn(model, *arguments),
        "predict": lambda: [model.predict(X), getattr(model, "coef_", None)],
        "pickle": lambda: pickle.dumps(model),
        "fit": lambda: model.fit(X, arguments[1]),
    }[what]
    if what == "fit":
        model.set_params(max_iter=2)
    try:
        signal.setitimer(signal.ITIMER_REAL, 10 ** rng.uniform(-5.3, -2.2))
        call()
        signal.setitimer(signal.ITIMER_REAL, 0)
    except Interrupt as error:
        return error if within(error) else None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def within(error):
    """Whether the package was reached before the interrupt came."""
    places = [each.filename for each in traceback.extract_tb(error.__traceback__)]
    return any("sklearn_adagrad" in place and "tests" not in place for place in places)


# --- readers --------------------------------------------------------------------------------


def readers(n_rounds, seed=0):
    """Read and save each model while another thread learns it."""
    counts, switch = Counter(), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    cpu.entries_at_once = 2**16
    X, y, _ = rows(4000, seed)
    many = sparse.vstack([X] * 20, format="csr")
    many.indices, many.indptr = many.indices.astype(np.int32), many.indptr.astype(np.int32)
    targets = np.tile(y, 20)
    names = [name for name in MODELS if "search" not in name]
    for n in range(n_rounds):
        name = names[n % len(names)]
        model = learn(clone(MODELS[name]), X, y, None)
        states = [0]
        learner = threading.Thread(target=learn, args=(model, many, targets, None))
        learner.start()
        seen = []
        while learner.is_alive():
            seen.append(pickle.loads(pickle.dumps(model)))
            scores, t = model.predict(X[:5]), model.t_
            assert np.isfinite(scores).all()
            assert t >= states[-1]
            states.append(t)
        learner.join()
        for copy in seen:  # each is what the model was after so many rows
            done = copy.t_ - len(y)
            wanted = learn(clone(MODELS[name]), X, y, None)
            if done:
                learn(wanted, many[:done], targets[:done], None)
            assert known(copy) == known(wanted), (name, done)
            counts[
                name, "before" if not done else "between" if done < len(targets) else "after"
            ] += 1
    sys.setswitchinterval(switch)
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["interrupts", "readers"])
    parser.add_argument("times", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for key, count in sorted(globals()[options.what](options.times, options.seed).items()):
        print(*key, count)
