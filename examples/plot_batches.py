"""What batches cost: the loss of one pass by their size, in per cent above that of row by row.

    python examples/plot_batches.py                      # less than a minute
    python examples/plot_batches.py --lr 0.1 --rows 20000

The picture goes into a folder for temporary files, unless --picture PATH says where.

The streams are the people of UCI Adult (see data/README.md), clicks drawn from a seed as in
sparse_models.py, and texts drawn from a seed as in many_classes.py, whose labels are drawn from a
logistic model. Every row is predicted, with the weights at the beginning of its batch, and is
learnt once. The loss is the mean over all rows. On the left a batch is a fraction of the rows that
were learnt before it, on the right a fixed number of rows.
"""

import argparse
import itertools

import matplotlib.pyplot as plt
import numpy as np
from adult import adult_rows
from drawing import add_picture, save
from many_classes import texts
from matplotlib.figure import Figure
from sparse_models import Rows, generated_rows, hashed

from sklearn_adagrad import AdagradClassifier

FRACTIONS = [512, 256, 128, 64, 32, 16, 8]  # one over these
FIXED = [4, 16, 64, 256, 1024, 4096]
STYLES = [("#0072B2", "-", "o"), ("#D55E00", "--", "s"), ("#009E73", ":", "^")]


def labelled_texts(rows: int | None) -> Rows:
    X, rng = texts(rows or 40_000), np.random.default_rng(1)
    scores = X @ rng.normal(0, 8, X.shape[1])
    return X, rng.random(X.shape[0]) < 1 / (1 + np.exp(-scores))


SETS = {
    "UCI Adult": lambda rows: hashed(itertools.islice(adult_rows(), rows), 18),
    "generated clicks": lambda rows: hashed(generated_rows(rows or 100_000), 22),
    "generated texts": labelled_texts,
}


def lost(X, y: np.ndarray, **parameters) -> float:
    """Mean log loss of the rows, each before its batch was learnt."""
    model = AdagradClassifier(**parameters)
    return model.partial_fit(X, y, classes=[False, True]).progressive_loss_


def draw(found: dict[str, np.ndarray], lr: float | str) -> Figure:
    plt.rcParams |= {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
    named = f'lr="{lr}"' if isinstance(lr, str) else f"lr={lr:g}"
    figure.suptitle(f"One pass, {named}: progressive log loss above that of row by row")
    shown = [f"1/{n}" for n in FRACTIONS], [f"{n:,}" for n in FIXED]
    for (name, above), (color, line, marker) in zip(found.items(), STYLES, strict=True):
        style = {"color": color, "linestyle": line, "marker": marker, "linewidth": 2}
        for ax, part in zip((left, right), np.split(above, [len(FRACTIONS)]), strict=True):
            ax.plot(part, **style, label=name)
    for ax, sizes in zip((left, right), shown, strict=True):
        ax.axhline(0, color="0.4", linewidth=1)
        ax.set_yscale("symlog", linthresh=0.1, linscale=0.5)
        ax.set_xticks(range(len(sizes)), sizes)
        ax.grid(alpha=0.25)
    low, high = np.min(list(found.values())), 1.4 * np.max(list(found.values()))
    left.set_ylim(1.5 * min(low, -0.06), high)
    ticks = [each for each in (0, 0.1, 0.3, 1, 3, 10, 30, 100, 300) if each < high]
    left.set_yticks(ticks, [f"{each:+g} %" if each else "the same" for each in ticks])
    left.minorticks_off()
    left.axvline(shown[0].index("1/128"), color="0.92", linewidth=14, zorder=0)
    left.set(xlabel="batch_size: a fraction of the rows learnt so far")
    right.set(xlabel="batch_size: a number of rows")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3,
                  frameon=False)  # fmt: skip
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lr", type=float, metavar="RATE", help="a plain rate (auto)")
    parser.add_argument("--rows", type=int, help="stop after so many rows")
    add_picture(parser)
    args = parser.parse_args()
    lr = "auto" if args.lr is None else args.lr
    sizes = {f"1/{n}": 1 / n for n in FRACTIONS} | {f"{n:,}": n for n in FIXED}
    found = {}
    print(f"{'per cent above row by row':34}", *(f"{name:>6}" for name in sizes))
    for name, load in SETS.items():
        X, y = load(args.rows)
        alone = lost(X, y, lr=lr)
        losses = [lost(X, y, lr=lr, batch_size=size) for size in sizes.values()]
        above = 100 * (np.array(losses) / alone - 1)
        title = f"{name}, {len(y):,} rows"
        found[title] = above
        print(f"{title:34}", *(f"{each:6.2f}" for each in above), flush=True)
    save(draw(found, lr), "plot_batches.png", args.picture)


if __name__ == "__main__":
    main()
