"""What the estimators of Dask share: how blocks are learnt, and what is refused."""

import functools
import inspect
from contextlib import closing
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._known import KNOWN
from .._optional import optional
from ..estimators.training import warn_of_max_iter
from ..files.checkpoints import checkpoint_of
from ..formulas.rules import is_batched, is_importance_aware, is_scale_free
from ..formulas.wrappers import Clipped, WeightDecay
from ..model.combinations import chain
from ..model.state import copy_state
from .blocks import blocks_of
from .epochs import Epochs, Once
from .journal import Journal
from .reports import Report
from .rounds import learn_pass
from .validation import validation_loss
from .workers import workers_of

_MORE = {"n_shards": 8, "client": None}
_BATCH_SIZE = 1 / 128
_BY_ROW = Clipped, WeightDecay  # what is about a row's gradient, and knows of no other row


def constructor(plain):
    """``__init__`` with the parameters of ``plain``, another default, and those that are new."""
    signature = inspect.signature(plain.__init__)

    @functools.wraps(plain.__init__)
    def __init__(self, *args, n_shards=_MORE["n_shards"], client=_MORE["client"], **parameters):
        plain.__init__(self, *args, **{"lr": 0.1, "batch_size": _BATCH_SIZE} | parameters)
        self.n_shards = n_shards
        self.client = client

    known = [
        each.replace(default={"batch_size": _BATCH_SIZE, "lr": 0.1}.get(name, each.default))
        for name, each in signature.parameters.items()
    ]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in _MORE.items()
    ]
    __init__.__signature__ = signature.replace(parameters=[*known, *more])
    return __init__


class OnWorkers:
    """What both estimators share."""

    _plain: ClassVar[type]

    def to_local(self):
        """A copy of the model as an estimator of one machine.

        Returns
        -------
        model : AdagradClassifier or AdagradRegressor
            With the same parameters, weights, and whatever else was learnt.
        """
        local = self._begun()
        if self.__sklearn_is_fitted__():
            local._become(self)
            vars(local).update(_state=copy_state(self._state))
        return local

    def _begun(self):
        """An estimator of one machine that has learnt nothing."""
        parameters = self.get_params(deep=False)
        plain = {name: value for name, value in parameters.items() if name not in _MORE}
        return self._plain(**plain)

    def __getstate__(self):
        return super().__getstate__() | {"client": None}

    def _described(self, encoder, name):
        model = self._at_once()
        model.client = None
        return super(OnWorkers, model)._described(encoder, name)

    def __sklearn_clone__(self):
        """A client is not copied: clones have the same."""
        copied = clone(self._begun()).get_params(deep=False)
        return type(self)(**copied, n_shards=self.n_shards, client=self.client)

    def _progressive_partial_fit(self, *args, **kwargs):
        raise TypeError(
            f"{type(self).__name__} learns blocks, not a stream: call partial_fit with a list of "
            "readers, or let to_local() learn the stream."
        )

    def _pass(self, X, y, sample_weight, model, course_of, kept, **begin):
        """Let ``model``, one of one machine, pass over the blocks; become it.

        ``course_of(n_blocks)`` says how often and in which order, ``kept`` is about a checkpoint:
        its path, seconds, and whether to resume.
        """
        self._validate_params()
        _check(self)
        blocks = blocks_of(X, y, sample_weight)
        course = course_of(len(blocks))
        identity = {
            "method": "partial_fit" if isinstance(course, Once) else "fit",
            "n_shards": f"{self.n_shards}",
            "blocks": f"{[each.name for each in blocks]}",
        }
        journal = Journal(checkpoint_of(*kept, model, identity, KNOWN), course, model)
        places = journal.resumed()
        report = Report(self.verbose, model.t_ if model.__sklearn_is_fitted__() else 0)

        def learnt(places):
            journal.learnt(places)
            report(model)

        try:
            while course.begin(model):
                journal.begins(places)
                chosen = [blocks[n] for n in course.order]
                with closing(workers_of(self.client, model)) as workers:
                    learn_pass(model, workers, chosen, self.n_shards, begin, learnt, places)
                course.end(model)
                places = None
            course.finish(model)
            journal.ended()
        except KeyboardInterrupt:
            journal.interrupted()
            raise
        finally:
            if model.__sklearn_is_fitted__():
                self._become(model)
        report.end(model)
        return self

    def _fit_blocks(self, X, y, sample_weight, validation, kept, **begin):
        model, validate = self._begun(), None
        if any(each is not None for each in validation):
            if self.early_stopping is not True:
                raise ValueError(
                    "X_val and y_val are used for early stopping only: set early_stopping=True."
                )
            judges = blocks_of(*validation, "_val")

            def validate(model):
                return validation_loss(model, judges, workers_of(self.client, model))

        elif self.early_stopping is True:
            raise ValueError(
                "early_stopping=True needs X_val: blocks are not cut, so name those to judge by."
            )
        courses = []

        def course_of(n_blocks):
            courses.append(Epochs(self, n_blocks, validate))
            return courses[0]

        self._pass(X, y, sample_weight, model, course_of, kept, **begin)
        if self.tol is not None and not courses[0].converged:
            warn_of_max_iter(self, stacklevel=4)
        return self

    def _lazily(self, method, X):
        """What ``method`` says of each block of a Dask array, once it is asked for."""
        if not hasattr(X, "to_delayed"):
            return getattr(self._plain, method)(self, X)
        if not hasattr(X, "rechunk"):
            raise TypeError(
                f"X is a {type(X).__name__}: it must be a Dask array (of a dataframe FieldHasher "
                "makes one, and to_dask_array if all is numbers), or rows in memory."
            )
        check_is_fitted(self)
        dask, array = optional("dask", "dask"), optional("dask.array", "dask")
        local, X = dask.delayed(self.to_local()), X.rechunk({1: -1})
        like = getattr(self._plain, method)(self, np.zeros((1, X.shape[1])))
        parts = [
            array.from_delayed(
                getattr(local, method)(block), (rows, *like.shape[1:]), dtype=like.dtype
            )
            for block, rows in zip(X.to_delayed().ravel(), X.chunks[0], strict=True)
        ]
        return array.concatenate(parts)

    def predict(self, X: Any) -> Any:
        """Predictions; of a Dask array a Dask array, which is computed when it is asked for.

        Parameters
        ----------
        X : dask array, or what AdagradClassifier and AdagradRegressor take
            The rows.

        Returns
        -------
        predictions : dask array or ndarray of shape (n_samples,) or (n_samples, n_outputs)
            As the plain estimator has them.
        """
        return self._lazily("predict", X)


def _check(model):
    """Refuse what cannot be learnt in parts."""
    rule = model._rule(np.float64).rule
    if is_scale_free(rule) or is_importance_aware(rule):
        raise ValueError(
            f"lr={model.lr!r} with rule={model.rule!r} cannot be learnt by several workers: the "
            "step of a row would depend on all rows before it. Set lr to a number such as 0.1, "
            "without ScaleFree and ImportanceAware."
        )
    if not is_batched(rule):
        raise ValueError(
            "batch_size=1 leaves nothing to share, since every row is scored by the weights after "
            "the row before: set it to a fraction such as 1/128, or to thousands of rows."
        )
    for each in chain(rule):
        if getattr(each, "each_row", False) and not isinstance(each, _BY_ROW):
            raise ValueError(
                f"{type(each).__name__} cannot be learnt by several workers: it counts rows one "
                "after the other."
            )
    for name, value in (("device", "cpu"), ("warm_start", False)):
        if getattr(model, name) != value:
            raise ValueError(
                f"{name}={getattr(model, name)!r} is not for Dask's workers: set it to {value!r}."
            )
