"""Predict clicks from a stream: hash each row, predict it, then learn it, once.

    python examples/click_through.py                         # Adult, ships with the examples
    python examples/click_through.py train.tsv --chunk 5000  # or train.tsv.gz, train.tsv.xz
    zcat day_*.gz | python examples/click_through.py -

The picture goes into a folder for temporary files, unless --picture PATH says where.

Without a path the rows are the 48,842 people of UCI Adult (see data/README.md), in an order
shuffled once; a "click" is an income above 50,000 dollars a year. With a path they are lines
as in the Criteo display advertising challenge: a label, 13 integer and 26 categorical fields,
separated by tabs, a missing value being empty; the integers go into bins by their logarithm. A
thread reads and hashes them while the learners work.

AdagradClassifier is compared with SGDClassifier, with and without averaging: the same rows in
the same order, the same rates to choose from, the best rate counts. A chunk is predicted
before it is learnt, so log loss and AUC are those of unseen rows; the first is only learnt.
(SGDClassifier visits all 2**bits columns in every call, so larger chunks speed it up.)
"""

import argparse
import io
import itertools
import lzma
import math
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from adult import adult_rows
from drawing import add_picture, save
from matplotlib.figure import Figure
from scipy.special import entr
from sklearn.linear_model import SGDClassifier

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.readers import VowpalWabbit, criteo

# No penalty: at SGD's best rates, no alpha from 1e-5 to 1e-3 gained more than 0.0001.
SGD = {"loss": "log_loss", "penalty": None, "learning_rate": "constant", "shuffle": False}
LEARNERS = {
    "AdaGrad": lambda rate: AdagradClassifier(lr=rate),
    "SGD": lambda rate: SGDClassifier(eta0=rate, **SGD),
    "averaged SGD": lambda rate: SGDClassifier(eta0=rate, average=True, **SGD),
}
STYLES = [("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", ":", "^")]
LOGARITHMS = {f"I{i}": "log" for i in range(1, 14)}


def adult_text() -> io.BytesIO:
    """Lines as Vowpal Wabbit reads them: a label, a bar, and names."""
    lines = (f"{1 if label else -1} | {' '.join(names)}\n" for label, names in adult_rows())
    return io.BytesIO("".join(lines).encode())


class Contestant:
    """A model, and how well it predicted each chunk just before it learnt it."""

    def __init__(self, name: str, rate: float) -> None:
        self.name, self.rate, self.model = name, rate, LEARNERS[name](rate)
        self.loss, self.seconds = 0.0, 0.0  # sum over the rows, and spent in learning
        self.histogram = np.zeros((20_000, 2))  # of the scores, by label
        self.curve = []  # (rows predicted, log loss)

    def see(self, X, clicked: np.ndarray) -> None:
        if not hasattr(self.model, "classes_"):  # the first chunk
            self.model.partial_fit(X, clicked, classes=[False, True])
            return
        scores = self.model.decision_function(X).astype(np.float64)
        began = time.perf_counter()
        self.model.partial_fit(X, clicked)
        self.seconds += time.perf_counter() - began
        bins = (9_999 * (1.0 + scores / (1.0 + np.abs(scores)))).astype(int)
        self.histogram += np.bincount(2 * bins + clicked, minlength=40_000).reshape(-1, 2)
        self.loss += np.logaddexp(0.0, np.where(clicked, -scores, scores)).sum()
        self.log_loss = self.loss / self.histogram.sum()
        self.curve.append((self.histogram.sum(), self.log_loss))

    @property
    def auc(self) -> float:
        """How often a click scored higher than another row; a tie counts half."""
        others, clicks = self.histogram.T
        pairs = others.sum() * clicks.sum()
        return clicks @ (np.cumsum(others) - others / 2.0) / pairs if pairs else math.nan


def best(tried: list[Contestant]) -> Contestant:
    return min(tried, key=lambda one: one.log_loss)


def draw(title: str, contest: list[list[Contestant]], constant: float) -> Figure:
    plt.rcParams |= {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}
    plt.rcParams |= {"axes.grid": True, "grid.alpha": 0.25, "figure.constrained_layout.use": True}
    both = {"xscale": "log", "ylabel": "progressive log loss (nats per row)"}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), subplot_kw=both)
    figure.suptitle(title)
    rates = [one.rate for one in contest[0]]
    for tried, (color, line, marker) in zip(contest, STYLES, strict=True):
        one, style = best(tried), {"color": color, "linestyle": line, "linewidth": 2}
        label = f"{one.name} at {one.rate:g}:\nlog loss {one.log_loss:.4f}, AUC {one.auc:.4f}"
        left.plot(*np.transpose(one.curve), **style)
        right.plot(rates, [each.log_loss for each in tried], **style, marker=marker, label=label)
    right.axhline(constant, color="0.4", label=f"share of clicks for\nevery row: {constant:.4f}")
    right.set_ylim(0.97 * min(best(tried).log_loss for tried in contest), 1.03 * constant)
    left.set(title="On the way, each at its best rate", xlabel="rows predicted")
    left.xaxis.set_major_formatter("{x:,.0f}")
    right.set(title="At the end, at every rate", xlabel="learning rate")
    right.set_xticks(rates, [f"{rate:g}" for rate in rates])
    right.minorticks_off()
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", help="Criteo-format file (.gz, .xz), or - for stdin")
    parser.add_argument("--bits", type=int, default=22, help="hash to 2**BITS columns (22)")
    parser.add_argument("--lr", type=float, nargs="+", metavar="RATE", help="rates to try")
    parser.add_argument("--chunk", type=int, default=1000, help="rows in a chunk (1000)")
    parser.add_argument("--rows", type=int, help="stop after so many rows")
    add_picture(parser)
    parser.set_defaults(lr=[0.003, 0.01, 0.03, 0.1, 0.3])
    args = parser.parse_args()

    # A value is +1 or -1: the name is there. Thanks to the signs, which are part of the hash,
    # names that share a column blur each other but do not add up. On 10,000 Criteo rows, hashed
    # in eight ways, lr=0.1 had log loss 0.4985 with and 0.5047 without signs at 2**10 columns,
    # and the same from 2**18 on. float32 halves the memory at the same loss.
    hashing = {"n_features": 2**args.bits, "dtype": np.float32}
    if args.path:
        hasher = FieldHasher(**hashing, fields=LOGARITHMS)
        reader = criteo(args.path, hasher, chunk_rows=args.chunk)
    else:
        reader = VowpalWabbit(adult_text(), FieldHasher(**hashing), chunk_rows=args.chunk)
    contest = [[Contestant(name, rate) for rate in sorted(set(args.lr))] for name in LEARNERS]
    n_rows, n_entries, next_line, reading = 0, 0, 2 * args.chunk, 0.0
    began = time.perf_counter()
    print("Log loss and AUC of all predictions so far, at the (rate) that is best so far")
    print(f"{'rows':>12}", *(f"{name:>24}" for name in LEARNERS))
    for X, labels, _ in reader:
        reading += time.perf_counter() - began
        clicked = labels > 0
        if args.rows is not None and n_rows + len(clicked) > args.rows:
            X, clicked = X[: args.rows - n_rows], clicked[: args.rows - n_rows]
        for one in itertools.chain(*contest):
            one.see(X, clicked)
        n_rows += len(clicked)
        n_entries += X.nnz
        if n_rows >= next_line:
            next_line = 2 * n_rows
            said = (f"{o.log_loss:.4f} {o.auc:.4f} ({o.rate:g})" for o in map(best, contest))
            print(f"{n_rows:12,}", *(f"{each:>24}" for each in said), flush=True)
        if n_rows == args.rows:
            break
        began = time.perf_counter()
    if n_rows <= args.chunk:
        raise ValueError(f"{n_rows} rows are too few: the first {args.chunk} are only learnt")

    others, clicks = contest[0][0].histogram.sum(axis=0)
    share, model = clicks / (others + clicks), best(contest[0]).model
    constant = entr(share) + entr(1.0 - share)
    print(f"\nClicks: {share:.1%}; predicting that for every row has log loss {constant:.4f}.")
    print(f"Waiting for rows to be read: {reading:.2f} s for {n_rows:,} rows.\n")
    rates = "".join(f"{one.rate:8g}" for one in contest[0])
    print(f"Log loss at rate{rates}   best AUC   learnt rows/s")
    for tried in contest:
        losses = "".join(f"{one.log_loss:8.4f}" for one in tried)
        speed = (others + clicks) * len(tried) / sum(one.seconds for one in tried)
        print(f"{tried[0].name:16}{losses}{best(tried).auc:11.4f}{speed:16,.0f}")
    print(f"\nAdaGrad at {model.lr:g}, row by row: progressive_loss_ {model.progressive_loss_:.4f}")
    title = {None: "UCI Adult", "-": "Standard input"}.get(args.path, args.path)
    title = f"{title}: {n_rows:,} rows of about {n_entries / n_rows:.0f} features"
    save(draw(title, contest, constant), "click_through.png", args.picture)


if __name__ == "__main__":
    try:
        main()
    except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
