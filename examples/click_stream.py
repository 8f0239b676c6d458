"""From a raw log to a server: clicks learnt, interrupted, resumed, drawn, saved and served.

    python examples/click_stream.py                            # the log is made up
    python examples/click_stream.py train.txt.gz               # or is one of Criteo's challenge
    python examples/click_stream.py --rows 20_000_000 --memory 200  # 2.4 GB of log, 200 MB to use

The log is larger than the memory that the process is allowed to take from then on (where the
system counts it, as Linux does). After a quarter of a second the process gets a Ctrl-C, and goes on
from the checkpoint with a new estimator: the figures are those of a stream that nobody has
interrupted.

A log that is made up has six fields (site, device, user, ad, hour, price) and the name of a
browser, which is not learnt. Whether an ad is clicked depends on the ad, on site and device
together, and on the price; half of the users come once. From the middle on, other ads are
liked: the windows in the picture show how the model follows. Lines of a file are as in the Criteo
display advertising challenge.
"""

import argparse
import csv
import gzip
import itertools
import lzma
import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from drawing import add_picture, save
from matplotlib.figure import Figure
from sklearn.pipeline import make_pipeline

import sklearn_adagrad
from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.export import to_onnx, to_sklearn
from sklearn_adagrad.plotting import ProgressDisplay, WeightsDisplay
from sklearn_adagrad.readers import Delimited, criteo
from sklearn_adagrad.readers.delimited import CRITEO
from sklearn_adagrad.serving import Predictor
from sklearn_adagrad.streams import fit_stream

try:
    import resource
except ImportError:  # a system that does not limit memory
    resource = None

FIELDS = ["site", "device", "user", "ad", "hour", "price", "browser"]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
DEVICES = ["phone", "desk", "tablet"]
MEGABYTE = 2**20


def write_log(path: Path, n_rows: int) -> None:
    """A log of clicks, a hundred thousand lines at a time."""
    rng = np.random.default_rng(0)
    of_ad, of_user = rng.normal(0, 0.7, 60), rng.normal(0, 0.7, 2000)
    of_place = rng.normal(0, 0.7, (300, len(DEVICES)))
    with path.open("w", encoding="ascii") as file:
        file.write(",".join(["clicked", *FIELDS]) + "\n")
        for first in range(0, n_rows, 100_000):
            size = min(100_000, n_rows - first)
            if first <= n_rows // 2 < first + size:
                of_ad = rng.permutation(of_ad)
            site = np.minimum(rng.zipf(1.3, size), 300) - 1
            device = rng.choice(3, size, p=[0.6, 0.3, 0.1])
            once = rng.random(size) < 0.5
            user = np.where(once, 2000 + first + np.arange(size), rng.integers(0, 2000, size))
            ad, hour = rng.integers(0, 60, size), rng.integers(0, 24, size)
            price = np.exp(rng.normal(0, 1, size)).round(2)
            score = of_ad[ad] + of_place[site, device] - 0.4 * np.log1p(price) - 2.2
            score += np.where(once, 0.0, of_user[user % 2000])
            clicked = rng.random(size) < 1 / (1 + np.exp(-score))
            columns = clicked.astype(int), site, device, user, ad, hour, price
            for y, s, d, u, a, h, p in zip(*(each.tolist() for each in columns), strict=True):
                file.write(f"{y},site{s}.com,{DEVICES[d]},u{u},ad{a},{h},{p},{BROWSER}\n")


def allow(megabytes: int) -> bool:
    """Let this process take no more memory than so much; whether the system counts it."""
    if resource is None or not Path("/proc/self/status").exists():
        return False
    status = Path("/proc/self/status").read_text()
    used = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmData"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (1024 * used + megabytes * MEGABYTE, hard))
    return True


def interrupt_after(seconds: float) -> threading.Timer:
    """What a person at the keyboard would do."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def draw(history, model, hasher, sample, title: str) -> Figure:
    figure = Figure(figsize=(15, 4.6), layout="constrained")
    figure.suptitle(title)
    left, middle, right = figure.subplots(1, 3)
    ProgressDisplay.from_history(history, metric="log_loss", ax=left)
    ProgressDisplay.from_history(history, metric="calibration", ax=middle)
    middle.get_legend().remove()
    WeightsDisplay.from_estimator(model, hasher=hasher, X=sample, n_weights=15, ax=right)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", help="Criteo-format file (.gz, .xz); or one is made up")
    parser.add_argument("--rows", type=int, default=2_000_000, help="of what is made up (2000000)")
    parser.add_argument("--memory", type=int, default=150, metavar="MB", help="to allow (150)")
    parser.add_argument("--bits", type=int, default=20, help="hash to 2**BITS columns (20)")
    parser.add_argument("--lr", type=float, default=0.1, help="learning rate (0.1)")
    add_picture(parser)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="click_stream_"))

    # The raw log, and how its fields are read.
    hashing = {"n_features": 2**args.bits, "dtype": np.float32}
    if args.path:
        source = args.path
        hasher = FieldHasher(fields={f"I{n}": "log" for n in range(1, 14)}, **hashing)
        reader = criteo(source, hasher)
    else:
        source = folder / "log.csv"
        write_log(source, args.rows)
        kinds = {"price": "log", "hour": "category", "browser": "ignore"}
        hasher = FieldHasher(fields=kinds, interactions=[("site", "device")], **hashing)
        reader = Delimited(source, hasher, target="clicked")
    size = os.path.getsize(source) / MEGABYTE

    # Learn it, with a model of 2**bits weights and accumulators. The first steps, here of two rows,
    # load compiled code; then memory is limited.
    sample = next(iter(reader))
    AdagradClassifier(lr=args.lr).partial_fit(sample[0][:2], [0, 1], [0, 1])
    limit = f"{args.memory} MB more memory" if allow(args.memory) else "memory without a limit"
    print(f"A log of {size:.0f} MB, and {limit} to learn it.")
    checkpoint = folder / "clicks.checkpoint"
    how = {"classes": [0, 1], "checkpoint": checkpoint, "resume": True}
    timer = interrupt_after(0.25)
    history = fit_stream(AdagradClassifier(lr=args.lr), reader, **how)
    timer.cancel()
    if history.interrupted:
        print("It goes on from the checkpoint, with a new estimator.")
    model = AdagradClassifier(lr=args.lr)
    history = fit_stream(model, reader, **how)

    # How good is it? A constant prediction has the normalised entropy 1.
    print(f"{history}\nRows learnt: {model.t_:,}; live features: {model.n_live_features_:,}")

    # One file for the server, with the hasher; and a smaller one of the weights alone.
    pipeline = make_pipeline(hasher, model)
    for name, serving in (("whole", False), ("serving", True)):
        sklearn_adagrad.save(pipeline, folder / name, serving=serving)
        print(f"File, {name}: {os.path.getsize(folder / name) / MEGABYTE:.1f} MB")

    # In the server: load it, and ask for one row at a time.
    served = Predictor(sklearn_adagrad.load(folder / "serving"))
    rows = rows_of(source, args.path, 20_000)
    served.predict_proba(rows[0])
    began = time.perf_counter()
    chances = [served.predict_proba(row)[1] for row in rows]
    took = (time.perf_counter() - began) / len(rows)
    same = np.allclose(chances, pipeline.predict_proba(rows)[:, 1], rtol=1e-6)
    print(f"Served, one row at a time: {1e6 * took:.0f} us a row, the same: {same}")

    # For those who do not have this package: scikit-learn's own estimator, and ONNX.
    print(f"For scikit-learn: {to_sklearn(model)}")
    try:
        graph = to_onnx(pipeline, rows).SerializeToString()
    except ImportError as error:
        print(f"No ONNX: {error}")
    else:
        (folder / "clicks.onnx").write_bytes(graph)
        print(f"ONNX, with the hashing: {len(graph) / MEGABYTE:.1f} MB")

    title = f"{history.n_rows:,} rows of {'Criteo format' if args.path else 'a made-up log'}"
    save(draw(history, model, hasher, rows, title), "click_stream.png", args.picture)


def rows_of(source: str | Path, is_criteo: bool, n_rows: int) -> list[dict]:
    """The first rows of the log as dicts of texts and numbers, as a server would get them."""
    style = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if is_criteo else {}
    numbers = [f"I{n}" for n in range(1, 14)] if is_criteo else ["price"]
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(Path(source).suffix, open)
    with opener(source, "rt", encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file, CRITEO if is_criteo else None, **style)
        rows = list(itertools.islice(lines, n_rows))
    for row in rows:
        del row["label" if is_criteo else "clicked"]
        row |= {name: float(row[name]) if row[name] else None for name in numbers}
    return rows


if __name__ == "__main__":
    main()
