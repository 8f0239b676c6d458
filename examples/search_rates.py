"""Search lr and eps in one pass over the rows, and let learning rates compete on a stream.

    python examples/search_rates.py                       # less than a minute
    python examples/search_rates.py --picture rates.png   # not in a folder for temporary files

The rows are the people of UCI Adult (see data/README.md), with a feature for each field and each
pair of fields, hashed to 2**18 columns: about 103 in a row. click_through.py has about 14 in a row,
the fields alone, and there the best rate is about ten times as large: what a step does to the score
grows with the number of features.

On the left, AdagradClassifierCV compares 18 candidates in five folds, and GridSearchCV does the
same with as many processes as the other has threads; the scores are equal, and what both took is
printed. On the right the rows arrive once, in chunks of 1000: every candidate predicts each row
before it learns it, and the one with the smallest mean loss so far predicts.
"""

import argparse
import itertools
import time

import matplotlib.pyplot as plt
import numpy as np
from adult import adult_rows
from drawing import add_picture, save
from sklearn.feature_extraction import FeatureHasher
from sklearn.model_selection import GridSearchCV

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV
from sklearn_adagrad.plotting import SearchDisplay

GRID = {"lr": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3], "eps": [1e-10, 1.0, 10.0]}
RATES = [0.003, 0.01, 0.02, 0.05, 0.1]
CHUNK = 1000
JOBS = 2


def load():
    """Rows and labels of Adult."""
    labels, tokens = zip(*adult_rows(), strict=True)
    pairs = ([*row, *("&".join(two) for two in itertools.combinations(row, 2))] for row in tokens)
    hasher = FeatureHasher(2**18, input_type="string", dtype=np.float32)
    return hasher.transform(pairs), np.array(labels)


def timed(search, X, y):
    began = time.perf_counter()
    search.fit(X, y)
    return time.perf_counter() - began


def folds(X, y, ax):
    """Draw the search in folds; say what it took, beside GridSearchCV."""
    plain = AdagradClassifier(shuffle=False, max_iter=2, tol=None)
    same = {"scoring": "neg_log_loss", "cv": 5, "n_jobs": JOBS}
    contestants = [
        AdagradClassifierCV(**GRID, max_iter=2, **same),
        GridSearchCV(plain, GRID, **same),
    ]
    for search in contestants:
        search.fit(X[:2000], y[:2000])  # what is compiled or started once is not timed
    seconds = [timed(search, X, y) for search in contestants]
    ours, grid = contestants
    name = "mean_test_score"
    difference = np.abs(ours.cv_results_[name] - grid.cv_results_[name]).max()
    print(f"{len(ours.cv_results_['params'])} candidates, 5 folds, {X.shape[0]:,} rows")
    print(f"AdagradClassifierCV {seconds[0]:6.2f} s    best: {ours.best_params_}")
    print(f"GridSearchCV        {seconds[1]:6.2f} s    largest difference: {difference:.0e}")
    SearchDisplay.from_estimator(ours, ax=ax)
    ax.set_title(f"Five folds: {ours.best_params_['lr']:g} wins", loc="left", fontsize=10)


def stream(X, y, ax):
    """Draw the progressive losses of the candidates."""
    search = AdagradClassifierCV(lr=RATES)
    learnt, losses, best = [], [], []
    for start in range(0, len(y), CHUNK):
        chunk = slice(start, start + CHUNK)
        search.partial_fit(X[chunk], y[chunk], classes=[0, 1])
        learnt.append(min(start + CHUNK, len(y)))
        losses.append(-search.cv_results_["mean_test_score"])
        best.append(search.best_params_["lr"])
    losses = np.array(losses)
    colours = plt.colormaps["viridis"](np.linspace(0, 0.9, len(RATES)))
    for lr, loss, colour in zip(RATES, losses.T, colours, strict=True):
        ax.plot(learnt, loss, color=colour, label=f"lr={lr:g}")
    ax.plot(learnt, losses.min(axis=1), "k:", linewidth=2.5, label="the best so far")
    ax.set(xscale="log", xlabel="rows seen", ylabel="Mean log loss so far, each row beforehand")
    ax.set_ylim(losses.min() - 0.005, np.quantile(losses, 0.97))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    ax.set_title(f"A stream: {search.best_params_['lr']:g} wins", loc="left", fontsize=10)
    print(f"Stream: best {search.best_params_}, mean log loss {-search.best_score_:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_picture(parser)
    options = parser.parse_args()
    X, y = load()
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    title = "UCI Adult, fields and pairs of fields"
    figure.suptitle(f"{title}: {X.shape[0]:,} rows of about {X.nnz / X.shape[0]:.0f} features")
    folds(X, y, left)
    stream(X, y, right)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    save(figure, "search_rates.png", options.picture)


if __name__ == "__main__":
    main()
