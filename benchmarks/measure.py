"""Timing: contestants take turns, so that a slow minute of the machine hits all of them.

One untimed round comes first: it loads compiled code and fills caches. What a contestant
prepares (a fresh model, usually) is not timed; what it returns is freed outside the timing.
"""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Contestant(NamedTuple):
    """``run(prepare())`` is the work; ``size`` says how much work it is."""

    name: str
    run: Callable[[Any], Any]
    prepare: Callable[[], Any] = lambda: None
    size: dict | None = None  # "rows" and "nonzeros" of one run, or "calls"


def interleaved(contestants, rounds):
    """Seconds of every run: one list per contestant, in turns A B C A B C ..."""
    times = [[] for _ in contestants]
    for contestant in contestants:
        _time(contestant)
    for _ in range(rounds):
        for contestant, taken in zip(contestants, times, strict=True):
            taken.append(_time(contestant))
    return times


def _time(contestant):
    prepared = contestant.prepare()
    gc.collect()
    gc.disable()  # the collector would charge one contestant for another's garbage
    try:
        began = time.perf_counter()
        result = contestant.run(prepared)
        taken = time.perf_counter() - began
    finally:
        gc.enable()
    del result, prepared
    return taken


def summary(times, *, rows=0, nonzeros=0, calls=1):
    """The fields of a record that come from the times of equal runs."""
    seconds = [each / calls for each in times]
    median = statistics.median(seconds)
    fields = {
        "seconds": median,
        "min_seconds": min(seconds),
        "max_seconds": max(seconds),
        "rounds": len(seconds),
    }
    if rows:
        fields |= {"rows": rows, "rows_per_second": rows / median}
    if nonzeros:
        fields["nonzeros_per_second"] = nonzeros / median
    return fields


def compare(case, contestants, rounds):
    """A record for every contestant; ``ratio`` is how many times faster the first one is.

    Where runs differ in size (a slow peer gets fewer rows), it compares rows per second.
    """
    first = None
    for contestant, times in zip(contestants, interleaved(contestants, rounds), strict=True):
        fields = summary(times, **(contestant.size or {}))
        first = first or fields
        by_rows = "rows_per_second" in fields
        ratio = (
            first["rows_per_second"] / fields["rows_per_second"]
            if by_rows
            else fields["seconds"] / first["seconds"]
        )
        yield {**case, "contestant": contestant.name, **fields, "ratio": ratio}


def judge(record, field, *, at_least=None, at_most=None):
    """``record`` with a target for one of its fields, and whether it is met."""
    value = record[field]
    met = value >= at_least if at_most is None else value <= at_most
    target = {"at_least": at_least} if at_most is None else {"at_most": at_most}
    return {**record, "target": {"field": field, **target}, "met": met}
