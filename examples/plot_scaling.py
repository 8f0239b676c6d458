"""How fast a cluster learns, on paper: rows per second by workers, rows and network.

    python examples/plot_scaling.py
    python examples/plot_scaling.py --row 1.2e-6 --round 0.02   # what you measured

The picture goes into a folder for temporary files, unless --picture PATH says where.

A pass is worked out round by round, as sklearn_adagrad.dask learns it: rows are read and learnt by
the workers, each of which sends the sums of the features that its rows have; the client adds them
and sends those of all rows to every worker. Times of rows, blocks, features and rounds are as they
were measured on one machine ("python -m benchmarks dask"); a network adds the bytes that go through
the client's one connection. How many features are in a batch was measured on generated clicks:
37,000 in 10,000 rows, and 4.4 times as many in ten times as many.
"""

import argparse
from typing import NamedTuple

import matplotlib.pyplot as plt
from drawing import add_picture, save
from matplotlib.figure import Figure

ALONE, FRACTION = 2**17, 1 / 128  # rows learnt by the client, and then batches
BYTES = 8  # of a feature and its sum
WORKERS = [1, 2, 4, 8, 16, 32, 64, 128]
JOBS = {"10^9 rows, 2^24 features": (1e9, 2**24), "10^11 rows, 2^28 features": (1e11, 2**28)}
NETWORKS = {"1 Gbit/s": 1e9 / 8, "10 Gbit/s": 1e10 / 8}


class Times(NamedTuple):
    """Seconds that were measured."""

    plain: float = 0.55e-6  # of a row on one machine without Dask: to read, hash and learn it
    row: float = 0.9e-6  # of a row on a worker
    block: float = 0.7e-3  # of each block that a worker has in a round
    feature: float = 25e-9  # to learn its sum
    round: float = 4e-3  # to ask all workers


def features(rows: float, n_features: float) -> float:
    """How many features so many rows have."""
    return min(n_features, 39 * rows, 37_000 * (rows / 10_000) ** 0.64)


def seconds(n_rows, n_features, n_workers, network, times, dealt=False) -> tuple[float, int]:
    """A pass, and its rounds. ``dealt``: if every worker added the sums of its own features."""
    taken, t, n_rounds = ALONE * times.plain, ALONE, 0
    shards = max(8, n_workers)  # of which small batches take few
    while t < n_rows:
        rows = min(FRACTION * t, n_rows - t)
        everyone = features(rows, n_features)
        one = features(rows / n_workers, n_features)
        sent = 2 * everyone if dealt else n_workers * (everyone + one)
        blocks = min(shards, max(1, rows // 4096))
        taken += times.round + rows / min(n_workers, blocks) * times.row
        taken += max(1, blocks / n_workers) * times.block
        taken += BYTES * sent / network + 2 * everyone * times.feature
        t, n_rounds = t + rows, n_rounds + 1
    return taken, n_rounds


def draw(times: Times) -> Figure:
    plt.rcParams |= {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), sharey=True, layout="constrained")
    figure.suptitle("On paper: rows per second, as multiples of one thread without Dask")
    for ax, (job, (n_rows, n_features)) in zip(axes, JOBS.items(), strict=True):
        alone = n_rows * times.plain
        for (network, speed), color in zip(NETWORKS.items(), ("#0072B2", "#D55E00"), strict=True):
            for dealt, line in ((False, "-"), (True, ":")):
                found = [
                    alone / seconds(n_rows, n_features, n, speed, times, dealt)[0] for n in WORKERS
                ]
                label = network + (", if features were dealt to workers" if dealt else "")
                ax.plot(WORKERS, found, line, color=color, linewidth=2, label=label)
        ax.plot(WORKERS, WORKERS, color="0.8", zorder=0)
        ax.set(title=job, xlabel="workers", xscale="log", yscale="log", ylim=(0.3, 150))
        ax.set_xticks(WORKERS, [str(n) for n in WORKERS])
        ax.minorticks_off()
        ticks = ["0.5", "1", "2", "5", "10", "20", "50", "100"]
        ax.set_yticks([float(each) for each in ticks], ticks)
        ax.grid(axis="y", color="0.9")
    axes[0].set_ylabel("times as fast as one thread without Dask")
    axes[0].legend(frameon=False, loc="upper left", fontsize=9)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in Times()._asdict().items():
        parser.add_argument(f"--{name}", type=float, default=value, help=f"seconds ({value:g})")
    add_picture(parser)
    args = parser.parse_args()
    times = Times(args.plain, args.row, args.block, args.feature, args.round)
    for job, (n_rows, n_features) in JOBS.items():
        for network, speed in NETWORKS.items():
            for n in (1, 16, 128):
                taken, n_rounds = seconds(n_rows, n_features, n, speed, times)
                print(
                    f"{job}, {network}, {n} workers: {n_rounds:,} rounds, {taken / 60:,.0f} "
                    f"minutes, {n_rows * times.plain / taken:.1f} times one thread"
                )
    save(draw(times), "plot_scaling.png", args.picture)


if __name__ == "__main__":
    main()
