"""What workers do, and who asks them: the workers of a Dask client, or this process alone.

A worker keeps a copy of the model from one round to the next. It is told what is new and what
round that makes. One that does not have the round before, since it is new or was away, says so
and gets all of the model. So a worker that dies takes nothing with it.
"""

import contextlib
import copy
import threading
from concurrent.futures import CancelledError

from .._optional import optional
from .moves import bring_up_to_date, move_of

_MOST_RUNS = 8  # whose models are kept, if nobody says that they have ended
_SMALL = 2**18  # bytes that travel with each call
_copies = {}  # by run: the round, and the model then
_lock = threading.RLock()


def n_rows_of(rows):
    return rows.X.shape[0]


def piece(run, number, given, rows, first, last, moment, name):
    """The move of some rows of a block in round ``number``, or None without the model for it.

    ``given`` is the model of this round, or what is new in it since the round before.
    """
    with _lock:
        model = _copy_of(run, number, given)
        if model is None:
            return None
        X, y, weights = (each[first:last] for each in rows)

        def learn(model):
            model.partial_fit(X, y, sample_weight=weights)

        try:
            return move_of(model, X, moment, learn)
        except (ArithmeticError, ValueError, TypeError) as error:
            error.add_note(f"Row 0 of this message is row {first} of {name}.")
            raise


def _copy_of(run, number, given):
    known, model = _copies.get(run, (None, None))
    if known == number:
        return model
    if hasattr(given, "partial_fit"):
        # What came over a network is Dask's, and cannot be written.
        _copies[run] = number, copy.deepcopy(given)
        for other in list(_copies)[:-_MOST_RUNS]:
            del _copies[other]
        return _copies[run][1]
    if known is None or known != number - 1:
        return None
    bring_up_to_date(model, given)
    _copies[run] = number, model
    return model


def forget(run):
    """Keep the model of this run no longer."""
    with _lock:
        _copies.pop(run, None)


class Here:
    """This process, which does one thing after the other."""

    def load(self, block):
        return block.delayed.compute(scheduler="synchronous")

    def share(self, item, n_bytes):
        return item

    def submit(self, function, *args):
        return function(*args)

    def results(self, calls):
        return calls

    def result(self, call):
        return call

    def forget(self, run):
        forget(run)


class There:
    """The workers of a Dask client."""

    def __init__(self, client):
        self._client = client

    def load(self, block):
        return self._client.compute(block.delayed)

    def share(self, item, n_bytes):
        """``item`` for several calls: in the memory of all workers, or within the calls."""
        if n_bytes < _SMALL:
            return item
        return self._client.scatter(item, broadcast=True, hash=False)

    def submit(self, function, *args):
        return self._client.submit(function, *args, pure=False)

    def results(self, calls):
        """What the calls return; all are None if what is shared was lost with those who had it."""
        try:
            return self._client.gather(calls)
        except CancelledError:
            if self._client.status != "running":
                raise
            return [None] * len(calls)

    def result(self, call):
        return call.result()

    def forget(self, run):
        """Let workers forget the models of a run; those that cannot be told will in time."""
        with contextlib.suppress(Exception):
            self._client.run(forget, run, wait=False, on_error="ignore")


def workers_of(client):
    """Whom to ask: ``client``, or the current one, or nobody else."""
    if client is not None:
        return There(client)
    distributed = optional("distributed", "dask")
    try:
        return There(distributed.default_client())
    except ValueError:
        return Here()
