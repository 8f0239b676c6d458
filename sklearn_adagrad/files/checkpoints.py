"""Checkpoints: a model, and how far its stream has come, in one file."""

import os
import time
from numbers import Real

from . import models
from .container import check_place
from .values import Encoder

_OF_NO_MATTER = {"verbose", "n_jobs"}  # to what is learnt


def checkpoint_of(path, seconds, resume, *about):
    """The :class:`Checkpoint` at ``path`` that is written every so many ``seconds``; None without.

    ``about`` is what it is about.
    """
    if not (isinstance(seconds, Real) and seconds >= 0):
        raise ValueError(f"checkpoint_seconds must be a number of at least 0, got {seconds!r}.")
    if path is None:
        if resume:
            raise ValueError("resume=True needs a checkpoint.")
        return None
    checkpoint = Checkpoint(path, seconds, *about)
    if checkpoint.is_begun and not resume:
        raise ValueError(
            f"checkpoint={checkpoint.path!r} exists: pass resume=True to go on from it, or "
            "remove it to begin anew."
        )
    return checkpoint


class Checkpoint:
    """The file at ``path``, which is about ``estimator`` and rows with this ``identity``.

    That is what tells one source of rows from another, as texts by name. ``types`` are the classes
    that values in the file may be of, besides those of the estimator's parameters.
    """

    def __init__(self, path, seconds, estimator, identity, types):
        if not hasattr(estimator, "_described"):
            raise TypeError(
                f"{type(estimator).__name__} cannot be saved in a checkpoint: only "
                "AdagradClassifier and AdagradRegressor can. Set checkpoint=None."
            )
        self.path = os.fsdecode(path)
        check_place(self.path)
        self._estimator, self._identity, self._types = estimator, identity, types
        self._seconds, self._saved = seconds, time.perf_counter()
        self.is_begun = os.path.exists(self.path)

    @property
    def is_due(self):
        """Whether so many seconds have passed since the last one."""
        return time.perf_counter() - self._saved >= self._seconds

    def write(self, progress):
        """Save the model with its ``progress``, a dict of values."""
        stream = {"source": self._identity, **progress}
        models.write(self.path, self._estimator, more={"stream": stream})
        self._saved = time.perf_counter()

    def read(self):
        """The progress that was saved, if it is of the same estimator and rows."""
        own = [type(each) for each in _parts_of(self._estimator.get_params(deep=False))]
        types = [*self._types, *own]
        model, stream = models.read(self.path, types, ("model", "stream"))
        if stream is None:
            raise ValueError(f"{self.path!r} is a model, but no checkpoint of a stream.")
        self._check_same(model, stream)
        self._model = model
        return stream

    def restore(self):
        """Let the estimator be what was read."""
        self._estimator._become(self._model)

    def _check_same(self, model, stream):
        if type(model) is not type(self._estimator):
            raise ValueError(
                f"{self.path!r} is a checkpoint of {type(model).__name__}, not of "
                f"{type(self._estimator).__name__}."
            )
        given, saved = self._estimator.get_params(deep=False), model.get_params(deep=False)
        for name in given.keys() - _OF_NO_MATTER:
            value = given[name]
            if _text_of(value) != _text_of(saved[name]):
                raise ValueError(
                    f"{name}={value!r}, but the checkpoint {self.path!r} was made with "
                    f"{name}={saved[name]!r}. Resume with the same, or begin with another file."
                )
        then, now = stream["source"], self._identity
        for name in {**then, **now}:
            if then.get(name) != now.get(name):
                raise ValueError(
                    f"The checkpoint {self.path!r} is of other rows: {name} was {then.get(name)} "
                    f"then, and is {now.get(name)} now."
                )


def _text_of(value):
    """A value as it is in a file, where numbers of NumPy and of Python are the same."""
    encoder = Encoder()
    text = encoder.encode(value, "value")
    return repr((text, {name: array.tolist() for name, array in encoder.arrays.items()}))


def _parts_of(value):
    """The named tuples in a value, which a user may have written."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        if hasattr(value, "_fields"):
            yield value
        for each in value:
            yield from _parts_of(each)
