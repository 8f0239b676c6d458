"""Who learns: the workers of a Dask client, or this process alone.

Both have ``seat(share)``, where a learner sits: ``share``, in [0, 1), is which part of all rows it
is to learn. A seat loads blocks (``load``), and learns (``learn``).
"""

import itertools
import uuid
from typing import Any, NamedTuple

from .._optional import optional
from .learner import Learner, hand_over


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

    def seat(self, share):
        return self

    def load(self, block):
        number, rows = next(self._numbers), block.delayed.compute(scheduler="synchronous")
        self._learner.take(number, rows)
        return Handed(number, Done(rows), Done(rows.X.shape[0]))

    def learn(self, round_, parts, n):
        return Done(self._learner.learn(None, parts, n))


class Handed:
    """A block in the hands of a learner, once it is loaded."""

    def __init__(self, number, rows, n_rows):
        self.number, self._rows, self._n_rows = number, rows, n_rows

    def rows(self):
        return self._rows.result()

    def n_rows(self):
        """How many rows it has; ``Lost`` if its learner is, or what went wrong as it was loaded."""
        try:
            count = self._n_rows.result()
        except Exception as error:
            self._rows.result()
            raise Lost from error
        if count is None:
            raise Lost("Rows went to another worker than their learner's.")
        return count


class Round(NamedTuple):
    """What there is to know before a round is learnt: the model, or what is new in it."""

    number: int
    model: Any
    news: Any  # the move and moment of the round before, or None if all of the model is new


class There:
    """The workers of a Dask client."""

    def __init__(self, client):
        self._client, self._seats = client, {}

    def seat(self, share):
        addresses = sorted(self._client.nthreads())
        if not addresses:
            self._client.wait_for_workers(1)
            return self.seat(share)
        address = addresses[int(share * len(addresses))]
        if address not in self._seats or self._seats[address].loss:
            self._seats[address] = _Seat(self._client, address)
        return self._seats[address]


class _Seat:
    """A learner on a worker, the round that its model is of, and how it was lost if it was."""

    def __init__(self, client, address):
        self.loss, self._round, self._numbers = None, None, itertools.count()
        self._client, self._name = client, f"learner-{uuid.uuid4().hex}"
        self._there = {"workers": [address], "allow_other_workers": True}
        self._actor = client.submit(Learner, self._name, actor=True, key=self._name, **self._there)
        self._learner = self._actor.result()

    def load(self, block):
        number = next(self._numbers)
        rows = self._client.compute(block.delayed, **self._there)
        n_rows = self._client.submit(hand_over, self._name, number, rows, pure=False, **self._there)
        return Handed(number, rows, n_rows)

    def learn(self, round_, parts, n):
        given = round_.model
        if self._round == round_.number:
            given = None
        elif self._round == round_.number - 1 and round_.news is not None:
            given = round_.news
        self._round = round_.number
        return self._learner.learn(given, parts, n)


def workers_of(client, model):
    """Whom to ask: ``client``, or the current one, or nobody else, who learns with ``model``."""
    if client is not None:
        return There(client)
    distributed = optional("distributed", "dask")
    try:
        return There(distributed.default_client())
    except ValueError:
        return Here(model)
