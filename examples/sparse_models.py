"""How many weights does a click model need? Three update rules, penalised more and more.

    python examples/sparse_models.py              # both streams, about two minutes
    python examples/sparse_models.py train.tsv    # or train.tsv.gz, train.tsv.xz, or -

The picture goes into a folder for temporary files, unless --picture PATH says where.

The streams are clicks drawn from a seed, with 39 fields of up to two million values, and the
people of UCI Adult (see data/README.md), with a feature for each field and each pair of fields.
With a path they are the lines of a file as in the Criteo challenge (click_through.py says
more). Each stream is learnt once, in chunks of 1000 rows. A chunk is predicted before it is
learnt, so the AUC is that of unseen rows; the first is only learnt.

The penalty is alpha times the sum of the absolute weights. For FTRL that is one penalty on all
rows together, for AdaGrad and dual averaging one in every row: they get alpha / rows. At every
alpha each rule has the learning rate and the eps (for FTRL: the beta) of its best AUC.

Two kinds of noise are shown. The band is the 95 % interval of AdaGrad's AUC: what other rows
of that kind would have done to it. The bars are those of a difference to AdaGrad on the same
rows, and much shorter. Both are by DeLong, DeLong and Clarke-Pearson (1988). An AUC is called
"within noise" of AdaGrad's by the second, stricter kind.
"""

import argparse
import itertools
import lzma
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from adult import Row, adult_rows
from drawing import add_picture, save
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from scipy.sparse import csr_array, vstack
from scipy.stats import rankdata
from sklearn.feature_extraction import FeatureHasher

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.readers import criteo
from sklearn_adagrad.rules import FTRL

CHUNK = 1000
ALPHAS = [0.0, 0.3, 0.7, 1.0, 2.0, 5.0]
RATES = [0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3]
BETAS = [0.0, 0.1, 1.0]
STYLES = {
    "AdaGrad": ("#0072B2", "-", "o"),
    "dual averaging": ("#D55E00", "--", "s"),
    "FTRL": ("#009E73", "-", "^"),
}
LABELS = {  # which point of its path bears the rule's name, and how
    "AdaGrad": (-1, {"xytext": (-9, -3), "ha": "right", "va": "center"}),
    "dual averaging": (2, {"xytext": (8, -18), "ha": "left", "va": "top"}),
    "FTRL": (-1, {"xytext": (10, -4), "ha": "left", "va": "top"}),
}
KEY = """\
Numbers: alpha of FTRL. Bars: 95 % interval of the difference to AdaGrad without a penalty, on the
same rows. Grey: AUC of AdaGrad without a penalty, and its own 95 % interval."""
Rows = tuple[csr_array, np.ndarray]  # and whether they were clicked
Stream = list[Rows]  # chunks


def make(rule: str, rows: int, alpha: float, lr: float, beta: float) -> AdagradClassifier:
    if rule == "FTRL":
        return AdagradClassifier(lr=lr, rule=FTRL(beta=beta), alpha=alpha, l1_ratio=1.0)
    name = {"AdaGrad": "adagrad", "dual averaging": "dual_averaging"}[rule]
    return AdagradClassifier(lr=lr, eps=beta, rule=name, alpha=alpha / rows, l1_ratio=1.0)


def generated_rows(rows: int = 100_000) -> Iterator[Row]:
    """Values as frequent as in Zipf's law; labels drawn from a logistic model of all of them."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(4, 2_000_000, 39).astype(int)
    values = [rng.zipf(1.3, rows) % size for size in sizes]
    effects = [rng.normal(0.0, 0.4, size) for size in sizes]
    scores = sum(each[value] for each, value in zip(effects, values, strict=True)) - 2.0
    clicked = rng.random(rows) < 1.0 / (1.0 + np.exp(-scores))
    for label, row in zip(clicked, np.transpose(values), strict=True):
        yield label, [f"{field}={value}" for field, value in enumerate(row)]


def adult_pairs() -> Iterator[Row]:
    for label, tokens in adult_rows():
        yield label, tokens + ["&".join(pair) for pair in itertools.combinations(tokens, 2)]


def hashed(rows: Iterable[Row], bits: int) -> Rows:
    labels, tokens = zip(*rows, strict=True)
    hasher = FeatureHasher(2**bits, input_type="string", dtype=np.float32)
    return hasher.transform(tokens), np.array(labels)


def criteo_rows(path: str, rows: int | None, bits: int) -> Rows:
    """The first ``rows`` of a file."""
    fields = {f"I{i}": "log" for i in range(1, 14)}
    read, n_rows = [], 0
    for X, labels, _ in criteo(path, FieldHasher(2**bits, fields=fields, dtype=np.float32)):
        read.append((X, labels == 1))
        n_rows += len(labels)
        if rows is not None and n_rows >= rows:
            break
    X, clicked = zip(*read, strict=True)
    return vstack(X).tocsr()[:rows], np.concatenate(clicked)[:rows]


def chunks(X: csr_array, y: np.ndarray) -> Stream:
    if len(y) <= CHUNK:
        raise ValueError(f"{len(y)} rows are too few: the first {CHUNK} are only learnt")
    if len(set(y[CHUNK:].tolist())) < 2:
        raise ValueError("both labels, 0 and 1, must occur after the first rows")
    # Columns that never occur would change nothing but the time that it takes.
    columns, indices = np.unique(X.indices, return_inverse=True)
    X = csr_array((X.data, indices.astype(np.int32), X.indptr), shape=(len(y), len(columns)))
    starts = range(0, len(y), CHUNK)
    return [(X[start : start + CHUNK], y[start : start + CHUNK]) for start in starts]


class Passed(NamedTuple):
    """What a model was made with, its non-zeros after a stream, and how well it ranked the rows."""

    alpha: float
    lr: float
    beta: float
    nonzeros: int
    clicks: np.ndarray  # of every click, the share of the other rows with a lower score
    others: np.ndarray  # of every other row, the share of the clicks with a higher score

    @property
    def auc(self) -> float:
        return self.clicks.mean()

    @property
    def noise(self) -> float:
        """Half of the 95 % interval of the AUC."""
        return interval(self.clicks, self.others)

    def gain(self, base: "Passed") -> tuple[float, float]:
        """The AUC less that of ``base``, and half of the 95 % interval of that."""
        noise = interval(self.clicks - base.clicks, self.others - base.others)
        return self.auc - base.auc, noise


def interval(clicks: np.ndarray, others: np.ndarray) -> float:
    return 1.96 * np.sqrt(np.var(clicks) / len(clicks) + np.var(others) / len(others))


def learn(rule: str, stream: Stream, *setting: float) -> Passed:
    clicked = np.concatenate([labels for _, labels in stream])
    model, scores = make(rule, len(clicked), *setting), []
    for X, labels in stream:
        if hasattr(model, "classes_"):
            scores.append(model.decision_function(X))
        model.partial_fit(X, labels, classes=[False, True])
    scores, clicked = np.concatenate(scores), clicked[CHUNK:]
    ranks = rankdata(scores)
    below = (ranks[clicked] - rankdata(scores[clicked])) / np.sum(~clicked)
    above = 1.0 - (ranks[~clicked] - rankdata(scores[~clicked])) / np.sum(clicked)
    return Passed(*setting, np.count_nonzero(model.coef_), below, above)


def best(rule: str, stream: Stream, alpha: float) -> Passed:
    settings = itertools.product([alpha], RATES, BETAS)
    return max((learn(rule, stream, *each) for each in settings), key=lambda one: one.auc)


def sparsest(path: list[Passed], base: Passed) -> Passed | None:
    """The fewest non-zeros with an AUC within noise of that of ``base``, or above."""
    within = [one for one in path if sum(one.gain(base)) >= 0]
    return min(within, key=lambda one: one.nonzeros, default=None)


def report(paths: dict[str, list[Passed]]) -> None:
    base = paths["AdaGrad"][0]
    print(f"{'':14}{'alpha':>7}{'lr':>7}{'eps':>6}{'non-zeros':>11}     AUC    less AdaGrad's at 0")
    for rule, path in paths.items():
        for one in path:
            print(f"{rule:14}{one.alpha:7g}{one.lr:7g}{one.beta:6g}{one.nonzeros:11,}", end="")
            print(f"{one.auc:8.4f}{one.gain(base)[0]:+13.4f} +- {one.gain(base)[1]:.4f}")
    for rule, path in paths.items():
        if one := sparsest(path, base):
            print(f"{rule} within noise of it: {one.nonzeros:,} non-zeros at alpha {one.alpha:g}")
    print(f"95 % interval of AdaGrad's AUC: +- {base.noise:.4f}\n", flush=True)


def draw(streams: dict[str, dict[str, list[Passed]]]) -> Figure:
    plt.rcParams |= {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}
    plt.rcParams |= {"axes.grid": True, "grid.alpha": 0.25, "figure.constrained_layout.use": True}
    figure, panels = plt.subplots(1, len(streams), figsize=(11, 5.2), squeeze=False)
    figure.suptitle(
        "One pass, every point at its best learning rate; stronger penalties to the left"
    )
    figure.supxlabel(KEY, fontsize=10, color="0.3")
    for axes, (title, paths) in zip(panels.flat, streams.items(), strict=True):
        axes.set(title=title, xscale="log", xlabel="weights other than zero at the end")
        axes.set_ylabel("AUC of rows before they were learnt")
        draw_paths(axes, paths)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 4)))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.minorticks_off()
    return figure


def draw_paths(axes: plt.Axes, paths: dict[str, list[Passed]]) -> None:
    base = paths["AdaGrad"][0]
    axes.axhspan(base.auc - base.noise, base.auc + base.noise, color="0.5", alpha=0.15, lw=0)
    axes.axhline(base.auc, color="0.4", linewidth=1)
    for rule, path in paths.items():
        color, line, marker = STYLES[rule]
        points = [(one.nonzeros, one.auc) for one in path]
        bars = [one.gain(base)[1] for one in path]
        style = {"color": color, "linestyle": line, "marker": marker, "linewidth": 2}
        axes.errorbar(*np.transpose(points), bars, elinewidth=1, capsize=3, **style)
        which, place = LABELS[rule]
        axes.annotate(rule, points[which], textcoords="offset points", color=color, **place)
    place = {"xytext": (-6, 6), "textcoords": "offset points", "ha": "right", "fontsize": 9}
    for one in paths["FTRL"][1:]:
        axes.annotate(f"{one.alpha:g}", (one.nonzeros, one.auc), color=STYLES["FTRL"][0], **place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", help="Criteo-format file (.gz, .xz), or - for stdin")
    parser.add_argument("--bits", type=int, default=22, help="hash to 2**BITS columns (22)")
    parser.add_argument("--rows", type=int, help="stop after so many rows")
    add_picture(parser)
    args = parser.parse_args()
    generators = {
        "Generated clicks": generated_rows,
        "UCI Adult, pairs of fields": adult_pairs,
    }
    sources = {
        name: lambda rows=rows: hashed(itertools.islice(rows(), args.rows), args.bits)
        for name, rows in generators.items()
    }
    if args.path:
        sources = {args.path: lambda: criteo_rows(args.path, args.rows, args.bits)}
    streams = {}
    for name, load in sources.items():
        stream = chunks(*load())
        n_rows, began = sum(len(labels) for _, labels in stream), time.perf_counter()
        paths = {rule: [best(rule, stream, each) for each in ALPHAS] for rule in STYLES}
        streams[f"{name}: {n_rows:,} rows"] = paths
        print(f"{name}: {n_rows:,} rows, {time.perf_counter() - began:.0f} s")
        report(paths)
    save(draw(streams), "sparse_models.png", args.picture)


if __name__ == "__main__":
    try:
        main()
    except (OSError, EOFError, lzma.LZMAError, ValueError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
