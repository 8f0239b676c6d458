"""Tune AdagradClassifier in a text pipeline by grid search, and draw the grid.

    python examples/text_pipeline.py                 # four of the 20 newsgroups, a download
    python examples/text_pipeline.py texts/          # one sub-folder of texts for each class
    python examples/text_pipeline.py texts.jsonl.gz  # {"split": ..., "label": ..., "text": ...}

The picture goes into a folder for temporary files, unless --picture PATH says where.

The pipeline hashes words to columns, weighs them by TF-IDF and learns them with
AdagradClassifier. GridSearchCV tries 25 pairs of ``lr`` and ``eps``, and then 25 settings of
SGDClassifier in its place: five penalties, each with SGD's own schedule and four constant
rates. All learn for the same number of epochs. They are judged by log loss, which tells them
apart better than accuracy, in cross-validation on the training texts. The best of either
side then predicts the test texts: those of the split "test" or, of a folder, every fourth.
With one process the four newsgroups take about a minute.
"""

import argparse
import gzip
import json
import socket
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from sklearn.datasets import fetch_20newsgroups, get_data_home, load_files
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from sklearn_adagrad import AdagradClassifier

FOUR = ["comp.graphics", "rec.autos", "sci.med", "sci.space"]
EPOCHS = {"max_iter": 10, "tol": None, "random_state": 0}
ALPHA = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4]
SEARCHES = {  # learner: (itself, what to try)
    "AdagradClassifier": (
        AdagradClassifier(**EPOCHS),
        # At lr=0.3, all eps from 1e-12 to 1e-3 came out within 2 % of each other.
        {"learner__eps": [1e-3, 1e-2, 1e-1, 1.0, 10.0], "learner__lr": [0.3, 1.0, 3.0, 10.0, 30.0]},
    ),
    "SGDClassifier": (
        SGDClassifier("log_loss", **EPOCHS),
        [
            {"learner__alpha": ALPHA, "learner__learning_rate": ["optimal"]},
            {
                "learner__alpha": ALPHA,
                "learner__learning_rate": ["constant"],
                "learner__eta0": [1.0, 3.0, 10.0, 30.0],
            },
        ],
    ),
}
NO_NEWSGROUPS = """\
text_pipeline.py: the 20 newsgroups are not in {home} and cannot be downloaded.
    {error}
Use texts of your own, from a folder with a sub-folder of text files for each class,
    python {program} path/to/folder
or from a file with lines {{"split": "train" or "test", "label": "...", "text": "..."}},
    python {program} path/to/texts.jsonl.gz
Or run this where there is a network, and copy its folder ~/scikit_learn_data to {home}:
    python -c "from sklearn.datasets import fetch_20newsgroups; fetch_20newsgroups()"
"""

Texts = tuple[list[str], np.ndarray]  # texts and their labels


def newsgroups(categories: list[str] | None) -> tuple[Texts, Texts]:
    socket.setdefaulttimeout(30)  # seconds; a download must not wait for ever
    parts = []
    for split in ("train", "test"):
        part = fetch_20newsgroups(subset=split, categories=categories, n_retries=1)
        parts.append((part.data, np.array(part.target_names)[part.target]))
    return parts[0], parts[1]


def folder(path: Path, categories: list[str] | None) -> tuple[Texts, Texts]:
    found = load_files(path, categories=categories, encoding="utf-8", decode_error="replace")
    labels = np.array([found.target_names[number] for number in found.target])
    train_x, test_x, train_y, test_y = train_test_split(
        found.data, labels, test_size=0.25, stratify=labels, random_state=0
    )
    return (train_x, train_y), (test_x, test_y)


def json_lines(path: Path, categories: list[str] | None) -> tuple[Texts, Texts]:
    parts = {"train": ([], []), "test": ([], [])}
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                split, label, text = (row[name] for name in ("split", "label", "text"))
                texts, labels = parts[split]
            except (ValueError, KeyError, TypeError) as error:
                wanted = "a JSON object with split (train or test), label and text"
                raise ValueError(f"{path}, line {number}: not {wanted}: {error!r}") from error
            if categories is None or label in categories:
                texts.append(text)
                labels.append(label)
    return tuple((texts, np.array(labels)) for texts, labels in parts.values())


def search(name: str, train: Texts, folds: int, jobs: int, cache: str) -> GridSearchCV:
    learner, grid = SEARCHES[name]
    steps = [
        ("hash", HashingVectorizer(alternate_sign=False, norm=None)),  # TF-IDF wants counts
        ("weigh", TfidfTransformer(sublinear_tf=True)),
        ("learner", learner),
    ]
    pipeline = Pipeline(steps, memory=cache)  # hash and weigh each fold once, not 25 times
    return GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=folds, n_jobs=jobs).fit(*train)


def draw(title: str, found: dict[str, GridSearchCV]) -> Figure:
    plt.rcParams |= {"font.size": 11, "figure.constrained_layout.use": True}
    figure, both = plt.subplots(1, 2, figsize=(11, 4.8))
    figure.suptitle(f"Log loss in cross-validation (nats per text)\n{title}")
    losses = -np.concatenate([each.cv_results_["mean_test_score"] for each in found.values()])
    colors = {"norm": LogNorm(losses.min(), losses.max()), "cmap": "cividis_r"}
    for axes, name, up, across in zip(both, found, ("eps", "alpha"), ("lr", "eta0"), strict=True):
        results = found[name].cv_results_
        rows = [each[f"learner__{up}"] for each in results["params"]]
        columns = [each.get(f"learner__{across}", "optimal") for each in results["params"]]
        ys, xs = list(dict.fromkeys(rows)), list(dict.fromkeys(columns))
        grid = np.empty((len(ys), len(xs)))
        for row, column, score in zip(rows, columns, results["mean_test_score"], strict=True):
            grid[ys.index(row), xs.index(column)] = -score
        axes.imshow(grid, origin="lower", aspect="auto", **colors)
        for (y, x), loss in np.ndenumerate(grid):
            best = loss == grid.min()
            axes.text(
                x, y, f"{loss:.3f}", ha="center", va="center",
                color="white" if colors["norm"](loss) > 0.5 else "black",
                fontweight="bold" if best else "normal",
            )  # fmt: skip
            if best:
                axes.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, lw=3))
        axes.set(title=name, xlabel=across, ylabel=up)
        axes.set_xticks(range(len(xs)), [x if isinstance(x, str) else f"{x:g}" for x in xs])
        axes.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
    return figure


def main() -> None:
    # Not above: the readers of this file are also imported from outside this folder.
    from drawing import add_picture, save

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", type=Path, help="folder of texts, or .jsonl(.gz) file")
    parser.add_argument("--categories", nargs="+", help="classes to use; all: every one")
    parser.add_argument("--folds", type=int, default=3, help="of the cross-validation (3)")
    parser.add_argument("--jobs", type=int, default=1, help="processes; -1: one per core (1)")
    add_picture(parser)
    args = parser.parse_args()
    categories = None if args.categories == ["all"] else args.categories
    if args.path is None:
        try:
            train, test = newsgroups(categories if args.categories else FOUR)
        except OSError as error:
            home = get_data_home()
            sys.stderr.write(NO_NEWSGROUPS.format(error=error, program=sys.argv[0], home=home))
            sys.exit(2)
    else:
        train, test = (folder if args.path.is_dir() else json_lines)(args.path, categories)
    classes = np.unique(train[1])
    title = f"{len(train[0]):,} texts of {len(classes)} classes to learn, {len(test[0]):,} to test"
    print(f"{title}\n")
    if len(classes) < 2 or not len(test[0]):
        raise ValueError("at least two classes are needed, and texts to test")

    found = {}
    print("                   CV log loss   test log loss   test accuracy   search   best setting")
    with tempfile.TemporaryDirectory() as cache:
        for name in SEARCHES:
            began = time.perf_counter()
            one = found[name] = search(name, train, args.folds, args.jobs, cache)
            seconds = time.perf_counter() - began
            chances = one.predict_proba(test[0])
            loss = log_loss(test[1], chances, labels=classes)
            accuracy = np.mean(classes[chances.argmax(axis=1)] == test[1])
            best = {key.removeprefix("learner__"): each for key, each in one.best_params_.items()}
            print(f"{name:18}{-one.best_score_:12.4f}{loss:16.4f}{accuracy:16.4f}", end="")
            print(f"{seconds:7.0f} s   {best}", flush=True)
    print()
    save(draw(title, found), "text_pipeline.png", args.picture)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
