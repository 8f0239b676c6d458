"""A log of clicks in many files, learnt by the workers of a cluster: the model of one machine.

    python examples/click_cluster.py                              # two workers on this machine
    python examples/click_cluster.py --workers 4 --rows 4_000_000
    python examples/click_cluster.py --scheduler tcp://host:8786 part-*.csv

The files are made up as in click_stream.py, or named: then they have its columns, and every worker
must find them under these names. Workers read, parse and hash their own files. The model is learnt
a second time by this process alone, and is the same to the last bit. It needs
python -m pip install "sklearn-adagrad[dask,examples]".
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import numpy as np
from click_stream import write_log
from distributed import Client, LocalCluster

from sklearn_adagrad import FieldHasher
from sklearn_adagrad.dask import DaskAdagradClassifier
from sklearn_adagrad.readers import Delimited


def write_files(folder: Path, n_rows: int, n_files: int) -> list[Path]:
    """A made-up log, cut into files with a header each."""
    whole, paths = folder / "log.csv", []
    write_log(whole, n_rows)
    with whole.open() as lines:
        header = next(lines)
        for n in range(n_files):
            paths.append(folder / f"part-{n:03}.csv")
            rows = (n + 1) * n_rows // n_files - n * n_rows // n_files
            with paths[-1].open("w") as part:
                part.write(header)
                part.writelines(itertools.islice(lines, rows))
    whole.unlink()
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", help="files with the columns of click_stream.py")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a cluster that is there already")
    parser.add_argument("--workers", type=int, default=2, help="on this machine (2)")
    parser.add_argument("--rows", type=int, default=600_000, help="of what is made up (600000)")
    parser.add_argument("--files", type=int, default=24, help="of what is made up (24)")
    parser.add_argument("--bits", type=int, default=18, help="hash to 2**BITS columns (18)")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="click_cluster_"))
    paths = args.paths or write_files(folder, args.rows, args.files)
    kinds = {"price": "log", "hour": "category", "browser": "ignore"}
    hasher = FieldHasher(2**args.bits, fields=kinds, dtype=np.float32)
    log = [Delimited(path, hasher, target="clicked") for path in paths]

    def learn(client: Client | None) -> DaskAdagradClassifier:
        began = time.perf_counter()
        model = DaskAdagradClassifier(lr=0.1, client=client, verbose=1)
        model.partial_fit(log, classes=[0, 1])
        taken = time.perf_counter() - began
        print(f"{model.t_ / taken:,.0f} rows/s, progressive loss {model.progressive_loss_:.5f}")
        return model

    if args.scheduler:
        with Client(args.scheduler) as client:
            model = learn(client)
    else:
        with (
            LocalCluster(args.workers, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            model = learn(client)
    alone = learn(None)
    same = np.array_equal(model.coef_, alone.coef_)
    print(f"the model of the workers and of this process are {'the same' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
