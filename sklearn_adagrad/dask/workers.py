"""Who learns: the workers of a Dask client, or this process alone.

Both have ``seat(lane)``, where the learner of a lane sits. A seat loads blocks (``load``), and
learns (``learn``). ``close()`` ends all learners.
"""

import contextlib
import itertools
import uuid
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from .._optional import optional
from .learner import Learner, hand_over

TRIES = 5  # to have something done by workers that may be lost
_PATIENCE = 1.0  # seconds until somebody looks whether a worker is still there


class Lost(Exception):
    """A worker was lost with what it had."""


class Done(NamedTuple):
    """What has been found at once."""

    value: Any

    def result(self):
        return self.value


class Here:
    """This process, which does one thing after the other."""

    loss = None

    def __init__(self, model):
        self._learner, self._rows, self._numbers = Learner("here", model), {}, itertools.count()

    def seat(self, lane):
        return self

    def load(self, block):
        number, rows = next(self._numbers), block.delayed().compute(scheduler="synchronous")
        self._learner.take(number, rows)
        return Handed(number, Done(rows), Done(rows.X.shape[0]))

    def learn(self, round_, parts, n):
        return Done(self._learner.learn(None, parts, n))

    def each(self, function, model, blocks):
        """``function(model, rows, name)`` of the rows of each block, none of which is kept."""
        for block in blocks:
            yield function(model, block.delayed().compute(scheduler="synchronous"), block.name)

    def close(self):
        pass


class Handed(NamedTuple):
    """A block in the hands of a learner, once it is loaded."""

    number: int  # what it was handed as
    rows: Any
    n_rows: Any  # the result of it raises ``Lost`` if its learner is


class Round(NamedTuple):
    """What there is to know before a round is learnt: the model, or what is new in it."""

    number: int
    model: Any
    news: Any  # the move and moment of the round before, or None if all of the model is new


class There:
    """The workers of a Dask client."""

    def __init__(self, client):
        if client.asynchronous:
            raise ValueError(
                "The client is asynchronous, but the estimators wait for what it does: pass one "
                "with asynchronous=False."
            )
        self._client, self._seats = client, {}

    def seat(self, lane):
        addresses = sorted(self._client.nthreads())
        if not addresses:
            self._client.wait_for_workers(1)
            return self.seat(lane)
        address = addresses[lane % len(addresses)]
        if address not in self._seats or self._seats[address].loss:
            with contextlib.suppress(Lost):
                self._seats[address] = _Seat(self._client, address)
                return self._seats[address]
            return self.seat(lane)
        return self._seats[address]

    def each(self, function, model, blocks):
        """``function(model, rows, name)`` of the rows of each block, none of which is kept."""
        delayed = optional("dask", "dask").delayed(function, pure=False)
        for _ in range(TRIES):
            self._client.wait_for_workers(1)
            shared = self._client.scatter(model, broadcast=True, hash=False)
            calls = [delayed(shared, block.delayed(), block.name) for block in blocks]
            try:
                return self._client.gather(self._client.compute(calls))
            except CancelledError as error:  # all that had the model are lost
                loss = error
        raise RuntimeError("Workers were lost whenever they judged rows.") from loss

    def close(self):
        """Dask's calls of actors refer to themselves: garbage would keep learners, and models."""
        if self._client.status == "running":
            self._client.cancel([seat.actor for seat in self._seats.values()])


class _Seat:
    """A learner on a worker, the round that its model is of, and how it was lost if it was."""

    def __init__(self, client, address):
        self.loss, self._round, self._numbers = None, None, itertools.count()
        self._client, self._address = client, address
        self._name = f"learner-{uuid.uuid4().hex}"
        self.actor = client.submit(
            Learner, self._name, actor=True, key=self._name, workers=[address]
        )
        self._learner = _Awaited(self.actor, self).result()

    def __repr__(self):
        return f"The worker at {self._address}"

    def is_there(self):
        return self._address in self._client.nthreads()

    def load(self, block):
        number = next(self._numbers)
        with optional("dask", "dask").annotate(workers=[self._address]):
            call = block.delayed()
        rows = self._client.compute(call)  # out of there: what it needs may be anywhere
        n_rows = self._client.submit(
            hand_over, self._name, number, rows, pure=False, workers=[self._address]
        )
        return Handed(number, _Awaited(rows, self), _Awaited(n_rows, self))

    def learn(self, round_, parts, n):
        given = round_.model
        if self._round == round_.number:
            given = None
        elif self._round == round_.number - 1 and round_.news is not None:
            given = round_.news
        self._round = round_.number
        return _Awaited(self._learner.learn(given, parts, n), self)


class _Awaited(NamedTuple):
    """What a worker is to find; Dask would wait for ever for one that is lost."""

    future: Any
    seat: _Seat

    def result(self):
        patience = _PATIENCE
        while True:
            try:
                return self.future.result(timeout=patience)
            except TimeoutError:
                if getattr(self.future, "status", None) == "error":  # what the task has raised
                    raise
                if not self.seat.is_there():
                    raise Lost(f"{self.seat} is not there any more.") from None
                if self.future.done():  # and on its way, but begun again with each try
                    patience *= 2


def workers_of(client, model):
    """Whom to ask: ``client``, or the current one, or nobody else, who learns with ``model``."""
    if client is not None:
        return There(client)
    distributed = optional("distributed", "dask")
    try:
        return There(distributed.default_client())
    except ValueError:
        return Here(model)
