"""Prints what a pass of a cluster over files takes: arguments are workers, parts and repetitions.

Without workers, what it takes one machine, which learns the same batches.
"""

import json
import os
import sys
import time

import numpy as np

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.dask import DaskAdagradClassifier, rounds
from sklearn_adagrad.readers import criteo

FEATURES, FRACTION = 2**22, 1 / 128
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**31 - 1, "MALLOC_MMAP_THRESHOLD_": 2**30}


def main():
    """One pass, after a short one for which everything is compiled and connected."""
    n_workers, repetitions, paths = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    hasher = FieldHasher(FEATURES, dtype=np.float32)
    readers = [criteo(path, hasher, read_ahead=0) for path in paths]
    if not n_workers:
        print(json.dumps(_timed(_alone, readers, repetitions)))
        return
    import dask
    from distributed import Client, LocalCluster

    how = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    dask.config.set({f"distributed.nanny.pre-spawn-environ.{name}": value
                     for name, value in KEEP_MEMORY.items()})  # fmt: skip
    with LocalCluster(**how) as cluster, Client(cluster, direct_to_workers=True) as client:
        for core, worker in enumerate(sorted(client.nthreads())):
            client.run(_stay, core, workers=[worker])
        print(json.dumps(_timed(_together, readers, repetitions)))


def _stay(core):
    """Let all threads of this process be on that core."""
    if hasattr(os, "sched_setaffinity"):
        for thread in (0, *map(int, os.listdir("/proc/self/task"))):
            os.sched_setaffinity(thread, {core})


def _timed(learn, readers, repetitions):
    learn(readers)
    sent = _count()
    began = time.perf_counter()
    model = learn(readers * repetitions)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rows": model.t_, "loss": model.progressive_loss_, **sent}


def _alone(readers):
    model = AdagradClassifier(lr=0.1, batch_size=FRACTION)
    for reader in readers:
        for X, y, weights in reader:
            model.partial_fit(X, y, [0, 1], weights)
    return model


def _together(readers):
    model = DaskAdagradClassifier(lr=0.1, batch_size=FRACTION)
    return model.partial_fit(readers, classes=[0, 1])


def _count():
    """Rounds from now on, and the bytes of all moves that workers send and are sent."""
    sent, move, learnt = {"rounds": 0, "bytes": 0}, rounds._move, rounds._learnt

    def noted(*args):
        for found in learnt(*args):
            sent["bytes"] += sum(each.nbytes for each in found.values())
            yield found

    def moved(round_, plan, seats, sums):
        found = move(round_, plan, seats, sums)
        sent["rounds"] += 1
        sent["bytes"] += found.nbytes * len({*seats})
        return found

    rounds._move, rounds._learnt = moved, noted
    return sent


if __name__ == "__main__":
    main()
