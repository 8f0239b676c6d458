"""What was published about the update rules, beside the same on the data at hand.

Duchi, Hazan and Singer (2011), tables 1 (texts) and 4 (incomes), and McMahan et al. (2013),
table 1 and section 3.1 (clicks). Their data is not at hand: what can be compared is who wins,
and by how much. Texts (as ``examples/text_pipeline.py`` reads them) and real clicks (as
``examples/click_through.py`` reads them) are files that the command line names; the examples'
readers need matplotlib.
"""

import itertools
from functools import partial

import numpy as np
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import PolynomialFeatures

from sklearn_adagrad import AdagradClassifier
from sklearn_adagrad.rules import FTRL

from .. import adult, data, newsgroups

COLUMNS = ("case", "data", "contestant", "measured", "published")
TEXTS, INCOMES = "Duchi et al., table 1", "Duchi et al., table 4"
CLICKS, RATES_OF_EACH = "McMahan et al., table 1", "McMahan et al., section 3.1"
TOPICS = ("comp", "rec", "sci", "talk")
SHUFFLES = 4
CLICK_ROWS, CHUNK = 100_000, 1000
SETTINGS = list(itertools.product((0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3), (0.0, 0.1, 1.0)))


def run(options):
    """All of them, or why one is missing."""
    if options.newsgroups is None:
        yield {"contestant": TEXTS, "skipped": "no texts: name a file by --newsgroups"}
    else:
        yield from _texts(options.newsgroups)
    found = adult.load(options.adult)
    if found is None:
        yield {"contestant": INCOMES, "skipped": "no Adult: name a file by --adult"}
    else:
        yield from _incomes(*found)
    yield from _clicks("clicks", *data.load("clicks", np.float32, options.rows(CLICK_ROWS)))
    if options.criteo is None:
        yield {"contestant": f"{CLICKS}, Criteo", "skipped": "no file: name one by --criteo"}
    else:
        yield from _clicks("Criteo", *_criteo(options.criteo))


def _ours(rule, rows, lr, eps=0.0, alpha=0.0, loss="log_loss"):
    """A model with a penalty of ``alpha`` on all rows together."""
    if rule == "ftrl":
        return AdagradClassifier(loss, lr=lr, rule=FTRL(beta=eps), alpha=alpha, l1_ratio=1.0)
    return AdagradClassifier(loss, lr=lr, rule=rule, eps=eps, alpha=alpha / rows, l1_ratio=1.0)


def _sgd(schedule, rows, lr, alpha=0.0, loss="log_loss"):
    penalty = {"penalty": "l1", "alpha": alpha / rows} if alpha else {"penalty": None}
    return SGDClassifier(
        loss, learning_rate=schedule, eta0=lr, power_t=0.5, shuffle=False, **penalty
    )


# --- Duchi et al.: the error after one pass, and the share of weights that are not zero -----


def _texts(path):
    """Four groups of newsgroups, each against the rest."""
    contestants = {
        "AdaGrad-RDA": (partial(_ours, "dual_averaging", alpha=1.0), ".043 (.084)"),
        "AdaGrad-FB": (partial(_ours, "adagrad", alpha=1.0), ".043 (.229)"),
        "FTRL-Proximal": (partial(_ours, "ftrl", alpha=1.0), None),
        "FOBOS; here SGDClassifier, L1": (partial(_sgd, "constant", alpha=1.0), ".070 (.187)"),
        "PA; here SGDClassifier, pa1": (partial(_sgd, "pa1"), ".071"),
    }
    X, y, Z, z = _newsgroups(path)
    for name, (make, published) in contestants.items():
        found = [_trials(make, (X, y == topic), (Z, z == topic), len(y)) for topic in TOPICS]
        yield _record(TEXTS, "20 newsgroups", name, np.mean(found, axis=0), published)


def _incomes(X, y):
    """Fields and their pairs; a third of the rows is held out, as in the paper."""
    pairs = PolynomialFeatures(degree=2, interaction_only=True, include_bias=False)
    X, n = data.compact(pairs.fit_transform(X)), 2 * len(y) // 3
    train, test = (X[:n], y[:n] == 1), (X[n:], y[n:] == 1)
    for share, published in ((20, (".053", ".052 (.062)", None, ".055")),
                             (1, (".047", ".049 (.037)", None, ".048"))):  # fmt: skip
        alpha = 20.0 / share  # the same in every row
        contestants = {
            "AdaGrad-RDA": partial(_ours, "dual_averaging"),
            "AdaGrad-RDA, L1": partial(_ours, "dual_averaging", alpha=alpha),
            "FTRL-Proximal, L1": partial(_ours, "ftrl", alpha=alpha),
            "PA; here SGDClassifier, pa1": partial(_sgd, "pa1"),
        }
        case = f"{INCOMES}, {100 // share} % of the rows"
        for (name, make), figure in zip(contestants.items(), published, strict=True):
            yield _record(case, "Adult", name, _trials(make, train, test, n // share), figure)


def _trials(make, train, test, rows):
    """Error and share of non-zeros, means over shuffles; the first one chooses the rate.

    It is that of the fewest errors on the last fifth of the rows, not learnt for that purpose.
    """
    X, y = train
    orders = [np.random.default_rng(seed).permutation(len(y))[:rows] for seed in range(SHUFFLES)]
    learnt, left = np.split(orders[0], [4 * rows // 5])
    rates = (0.003, 0.01, 0.03, 0.1, 0.3)
    make = partial(make, rows, loss="hinge")
    errors = [_trial(make(lr), X[learnt], y[learnt], X[left], y[left])[0] for lr in rates]
    lr = rates[np.argmin(errors)]
    return np.mean([_trial(make(lr), X[order], y[order], *test) for order in orders], axis=0)


def _trial(model, X, y, Z, z):
    model.partial_fit(X, y, classes=[False, True])
    return np.mean(model.predict(Z) != z), np.mean(model.coef_ != 0)


def _record(case, name, who, found, published):
    error, share = map(float, found)
    text = f"{error:.3f} ({share:.3f})".replace("0.", ".")
    fields = {"case": case, "data": name, "contestant": who, "error": error, "nonzero": share}
    return {**fields, "measured": text, "published": published}


def _newsgroups(path):
    """Words and pairs of words, 0 or 1, and the first part of the names of the groups."""
    (train, y), (test, z) = newsgroups.load(path)
    words = CountVectorizer(ngram_range=(1, 2), binary=True, dtype=np.float32)
    first = [np.array([label.partition(".")[0] for label in labels]) for labels in (y, z)]
    return words.fit_transform(train), first[0], words.transform(test), first[1]


# --- McMahan et al.: the AUC of every row before it is learnt, and non-zeros ----------------


def _clicks(name, X, y):
    """RDA where it has as many non-zeros as FTRL, FOBOS where its AUC is the same."""
    X = data.compact(X)
    best = partial(_best, X, y)
    size, auc = best("ftrl", 1.0)
    fields = {"case": CLICKS, "data": name}
    text = f"AUC loss {1 - auc:.4f}, {size:,} non-zeros"
    yield {**fields, "contestant": "FTRL-Proximal", "auc": auc, "nonzeros": size, "measured": text}
    sizes, aucs = np.transpose([best("dual_averaging", each) for each in (2.0, 1.0, 0.7)])
    more = float(1 - np.interp(np.log(size), np.log(sizes), aucs)) / (1 - auc) - 1
    yield {**fields, "contestant": "RDA", "more_auc_loss": more, "more_nonzeros": 0.0,
           "measured": f"{more:+.1%} AUC loss, +0 % non-zeros",
           "published": "+0.6% AUC loss, +3% non-zeros"}  # fmt: skip
    found = sorted((a, n) for n, a in (best("adagrad", each) for each in (0.3, 0.7, 1.0, 2.0, 5.0)))
    aucs, sizes = np.transpose(found)
    more = float(np.exp(np.interp(auc, aucs, np.log(sizes)))) / size - 1
    yield {**fields, "contestant": "FOBOS", "more_auc_loss": 0.0, "more_nonzeros": more,
           "measured": f"+0.0% AUC loss, {more:+.0%} non-zeros",
           "published": "+0.0% AUC loss, +38% non-zeros"}  # fmt: skip
    less = (1 - best("adagrad", 0.0)[1]) / (1 - _best_of_one_rate(X, y)) - 1
    yield {**fields, "case": RATES_OF_EACH, "contestant": "a rate for each feature, not one",
           "less_auc_loss": less, "measured": f"{less:+.1%} AUC loss",
           "published": "-11.2% AUC loss"}  # fmt: skip


def _best(X, y, rule, alpha):
    """Non-zeros and AUC at the rate and eps of the best AUC."""
    models = [_ours(rule, len(y), *each, alpha=alpha) for each in SETTINGS]
    aucs = [_progressive(each, X, y) for each in models]
    return int(np.count_nonzero(models[np.argmax(aucs)].coef_)), max(aucs)


def _best_of_one_rate(X, y):
    rates = {"constant": (0.001, 0.003, 0.01, 0.03, 0.1), "invscaling": (0.1, 0.3, 1.0, 3.0)}
    models = [_sgd(each, len(y), lr) for each, tried in rates.items() for lr in tried]
    return max(_progressive(each, X, y) for each in models)


def _progressive(model, X, y):
    """AUC of all rows but the first chunk, each chunk predicted before it is learnt."""
    scores = []
    for start in range(0, len(y), CHUNK):
        rows, labels = X[start : start + CHUNK], y[start : start + CHUNK]
        if start:
            scores.append(model.decision_function(rows))
        model.partial_fit(rows, labels, classes=data.CLASSES)
    return float(roc_auc_score(y[CHUNK:], np.concatenate(scores)))


def _criteo(path):
    from examples.click_through import criteo_rows

    labels, tokens = zip(*itertools.islice(criteo_rows(path), CLICK_ROWS), strict=True)
    hasher = FeatureHasher(2**22, input_type="string", dtype=np.float32)
    return hasher.transform(tokens), np.array(labels, dtype=int)
