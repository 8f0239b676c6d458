"""What a class costs: one pass over texts of 2 to 100 classes, beside SGDClassifier.

    python examples/many_classes.py                      # less than a minute
    python examples/many_classes.py --picture time.png   # not in a folder for temporary files

The texts are drawn from a seed: 10,000 rows of up to 100 words out of 50,000, whose frequencies
fall as in Zipf's law, hashed to 2**18 columns, TF-IDF weights in float32. What the labels are makes
no difference to the time. Every learner takes the same rows once, in one thread, with
``partial_fit``; SGDClassifier has no penalty and a constant rate, which is its fastest setting. A
point is the median of five rounds, in which the learners take turns.
"""

import argparse
import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"

import matplotlib.pyplot as plt
import numpy as np
from drawing import add_picture, save
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import SGDClassifier

from sklearn_adagrad import AdagradClassifier

ROWS, WORDS, VOCABULARY, BITS = 10_000, 100, 50_000, 18
N_CLASSES = [2, 3, 5, 8, 12, 20, 40, 100]
ROUNDS = 5
LEARNERS = {
    "SGDClassifier, one-versus-rest": lambda: SGDClassifier(
        "log_loss", penalty=None, learning_rate="constant", eta0=1.0
    ),
    "AdagradClassifier, multinomial": lambda: AdagradClassifier(lr=0.1, multi_class="multinomial"),
    "AdagradClassifier, one-versus-rest": lambda: AdagradClassifier(lr=0.1, multi_class="ovr"),
}
STYLES = [("#D55E00", "--", "s"), ("#009E73", ":", "^"), ("#0072B2", "-", "o")]


def texts(rows=ROWS):
    """TF-IDF rows."""
    rng = np.random.default_rng(0)
    share = 1.0 / np.arange(1, VOCABULARY + 1)
    words = rng.choice(VOCABULARY, (rows, WORDS), p=share / share.sum())
    columns = rng.integers(2**BITS, size=VOCABULARY)[words]
    indptr = np.arange(0, rows * WORDS + 1, WORDS)
    X = csr_array((np.ones(rows * WORDS), columns.ravel(), indptr), shape=(rows, 2**BITS))
    X.sum_duplicates()
    return TfidfTransformer(sublinear_tf=True).fit_transform(X).astype(np.float32)


def seconds(make, X, y, classes):
    model = make()
    began = time.perf_counter()
    model.partial_fit(X, y, classes=classes)
    return time.perf_counter() - began


def measure(X):
    """Median seconds of every learner for every number of classes."""
    rng = np.random.default_rng(1)
    medians = {name: [] for name in LEARNERS}
    for n_classes in N_CLASSES:
        y, classes = rng.integers(n_classes, size=X.shape[0]), np.arange(n_classes)
        taken = {name: [] for name in LEARNERS}
        for turn in range(ROUNDS + 1):  # the first compiles, and does not count
            for name, make in LEARNERS.items():
                taken[name] += [seconds(make, X, y, classes)] if turn else []
                if not turn:
                    seconds(make, X, y, classes)
        for name, each in taken.items():
            medians[name].append(statistics.median(each))
        slow, *ours = (medians[name][-1] for name in LEARNERS)
        print(
            f"{n_classes:4} classes: SGDClassifier {1e3 * slow:7.1f} ms, "
            f"multinomial {slow / ours[0]:4.1f} times as fast, "
            f"one-versus-rest {slow / ours[1]:4.1f} times"
        )
    return medians


def draw(medians, nonzeros):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for (name, taken), (colour, line, marker) in zip(medians.items(), STYLES, strict=True):
        style = {"color": colour, "linestyle": line, "marker": marker, "label": name}
        left.plot(N_CLASSES, taken, **style)
        heads = np.maximum(N_CLASSES, 1) - (np.array(N_CLASSES) == 2)  # two classes, one head
        right.plot(N_CLASSES, 1e9 * np.array(taken) / nonzeros / heads, **style)
    left.set(xscale="log", yscale="log", ylabel=f"Seconds for one pass over {ROWS:,} texts")
    right.set(xscale="log", ylim=(0, None), ylabel="Nanoseconds per word and class")
    for ax in (left, right):
        ax.set_xlabel("Classes")
        ax.set_xticks(N_CLASSES, map(str, N_CLASSES))
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False, fontsize=9)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_picture(parser)
    options = parser.parse_args()
    X = texts()
    save(draw(measure(X), X.nnz), "many_classes.png", options.picture)


if __name__ == "__main__":
    main()
