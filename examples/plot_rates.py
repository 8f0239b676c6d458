"""Losses of plain, scale-free and importance-aware Adagrad against the rate, beside lr="auto".

    python examples/plot_rates.py train.tsv texts.jsonl.gz
    python examples/plot_rates.py train.tsv.xz texts.jsonl.gz --small --picture rates.png

The picture goes into a folder for temporary files, unless --picture PATH says where.

The first file has clicks, as in the Criteo display advertising challenge; the second has lines of
{"split": ..., "label": ..., "text": ...} as text_pipeline.py reads them, here the 20 newsgroups:
those whose names begin with "comp." or "sci." against the rest. Neither is part of the examples.

Every row is predicted and then learnt, once. The loss is the mean over all rows; where it is beyond
the top of the picture, the model is worse than the share of positives as a prediction for every
row. The dashed line has no rate: it is that of lr="auto".
"""

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from click_through import LOGARITHMS
from drawing import add_picture, save
from matplotlib.ticker import NullFormatter
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from text_pipeline import json_lines

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.readers import criteo
from sklearn_adagrad.rules import ImportanceAware, ScaleFree

RATES = np.geomspace(0.003, 30, 17)
RULES = {
    "plain": ("adagrad", "#0072B2", "o"),
    "ScaleFree": (ScaleFree("adagrad"), "#D55E00", "s"),
    "ImportanceAware": (ImportanceAware("adagrad"), "#009E73", "^"),
    "both": (ImportanceAware(ScaleFree("adagrad")), "#CC79A7", "D"),
}


def clicks(path: Path):
    parts, labels, _ = zip(*criteo(path, FieldHasher(2**18, fields=LOGARITHMS)), strict=True)
    return sparse.vstack(parts, format="csr"), np.concatenate(labels) > 0


def texts(path: Path):
    (words, groups), _ = json_lines(path, None)
    y = np.array([each.startswith(("comp.", "sci.")) for each in groups])
    order = np.random.default_rng(0).permutation(len(y))
    X = TfidfVectorizer(sublinear_tf=True).fit_transform([words[row] for row in order])
    return X, y[order]


def lost(X, y: np.ndarray, **parameters) -> float:
    """Mean log loss of the rows, each before it was learnt; infinite if the model diverged."""
    try:
        model = AdagradClassifier(**parameters).partial_fit(X, y, classes=[False, True])
    except FloatingPointError:
        return np.inf
    return model.progressive_loss_


def draw(ax, title: str, X, y: np.ndarray) -> None:
    auto, least = lost(X, y, lr="auto"), np.inf
    print(f"{title}: {X.shape[0]:,} rows of about {X.nnz / X.shape[0]:.0f} features")
    for name, (rule, color, marker) in RULES.items():
        losses = np.array([lost(X, y, lr=rate, rule=rule) for rate in RATES])
        least = min(least, losses.min())
        best = RATES[losses.argmin()]
        print(f"{name:16} best {losses.min():.4f} at {best:.2g}, worst {losses.max():.4f}")
        ax.plot(RATES, losses, color=color, marker=marker, markersize=4, linewidth=2, label=name)
    print(f"{'auto':16}      {auto:.4f}\n")
    ax.axhline(auto, color="black", linestyle="--", linewidth=1.5, label='lr="auto"', zorder=3)
    share = y.mean()
    limit(ax, min(least, auto), -share * np.log(share) - (1.0 - share) * np.log(1.0 - share))
    ax.set_title(f"{title}, {X.shape[0]:,} rows", loc="left", fontsize="medium")
    ax.set(xscale="log", xlabel="lr")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)


def limit(ax, low: float, high: float) -> None:
    """Show losses from ``low`` to ``high``, on a logarithmic axis if they differ much."""
    if high < 2 * low:
        ax.set_ylim(low - 0.06 * (high - low), high)
        return
    bottom = low * (low / high) ** 0.06
    ax.set(yscale="log", ylim=(bottom, high))
    ax.set_yticks([each for each in (0.05, 0.1, 0.2, 0.3, 0.5) if bottom < each < high])
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clicks", type=Path, help="Criteo-format file (.gz, .xz)")
    parser.add_argument("texts", type=Path, help="the 20 newsgroups, .jsonl(.gz)")
    parser.add_argument("--small", action="store_true", help="for a narrow place, as the README")
    add_picture(parser)
    args = parser.parse_args()
    size = (7.2, 2.9) if args.small else (11, 4.8)
    plt.rcParams |= {"font.size": 8 if args.small else 11}
    figure, (left, right) = plt.subplots(1, 2, figsize=size, layout="constrained")
    draw(left, "Clicks (Criteo)", *clicks(args.clicks))
    draw(right, "Texts (20 newsgroups, TF-IDF)", *texts(args.texts))
    left.set_ylabel("progressive log loss (nats per row)")
    named = left.get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=len(named[0]), frameon=False)
    save(figure, "plot_rates.png", args.picture)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
