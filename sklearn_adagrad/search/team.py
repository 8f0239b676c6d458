"""Several candidates that learn every row at once: each is a head, or a set of them."""

from copy import copy, deepcopy
from functools import cached_property

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from ..estimators.classifier import AdagradClassifier
from ..estimators.fitted import INPUT
from ..estimators.regressor import AdagradRegressor
from ..estimators.training import Problem
from ..model.binding import same_rule, stacked
from ..model.state import candidate_state, copy_state, new_state, record_dtype
from .memory import check_memory


class Team:
    """Candidates that differ in what a search is over, and the one estimator that they share.

    ``estimator`` has the other parameters, and all that is learnt: its rule is that of all
    ``candidates`` together. These are dicts: what each has instead of the estimator's parameters.
    """

    def __init__(self, plain_estimator, candidates, estimator=None):
        self.plain_estimator, self.candidates = plain_estimator, candidates
        self.estimator = estimator or copy(plain_estimator)
        if len(candidates) == 1:
            self.estimator.set_params(**candidates[0])

    def parts(self, size):
        """Teams of ``size`` of the candidates, which have not learnt yet."""
        for first in range(0, len(self.candidates), size):
            part = Team(self.plain_estimator, self.candidates[first : first + size])
            about = vars(self.estimator)
            vars(part.estimator).update({name: about[name] for name in INPUT if name in about})
            yield part

    def resumed(self, estimator, candidates):
        """This team with what has changed in ``estimator``; an error leaves this one as it was."""
        if candidates != self.candidates:
            raise ValueError(
                "The candidates cannot change during a stream: begin anew with a new estimator."
            )
        team = Team(estimator, candidates)
        vars(team.estimator).update(self._learnt(), **self._memory())
        return team

    # --- learning -------------------------------------------------------------------------

    def bind(self, dtype):
        """The rule of all candidates; in a stream, that of the rows before, if it is the same."""
        rule = stacked(self._rules(dtype))
        if not self.estimator.__sklearn_is_fitted__():
            return rule
        if not same_rule(rule, self.estimator._bound):
            raise ValueError(
                "The rule and its numbers cannot change during a stream: begin anew with a new "
                "estimator."
            )
        return self.estimator._bound

    def _rules(self, dtype):
        return [self._rule_of(each, dtype) for each in self.candidates]

    def _rule_of(self, candidate, dtype):
        try:
            return self.plain_estimator._rule(dtype, **candidate)
        except (TypeError, ValueError) as error:
            raise type(error)(f"With the candidate {candidate}: {error}") from error

    def check_memory(self, n_features, dtype, n_outputs, *, per_pass, at_once=1, n_test=0):
        """MemoryError if so many states, and the scores of ``n_test`` rows, would not fit."""
        per_pass = min(per_pass, len(self.candidates))
        n_heads = per_pass * n_outputs
        state = n_features * record_dtype(self.bind(dtype), dtype, n_heads).itemsize
        check_memory(
            at_once * (state + 8 * n_test * n_heads),
            f"A search in {at_once} thread(s), each with {per_pass} candidate(s) of {n_outputs} "
            "output(s),",
            "Set candidates_per_pass or n_jobs to less, search fewer candidates, or hash the "
            "features to fewer columns.",
        )

    def partial_fit(self, X, y, **given):
        """Learn rows in a stream."""
        self.estimator._partial_fit(X, y, bind=self.bind, begin_state=self._begin_state, **given)

    def _begin_state(self, bound, n_features, dtype, n_outputs):
        self.check_memory(n_features, dtype, n_outputs, per_pass=len(self.candidates))
        return self.estimator._new_state(bound, n_features, dtype, n_outputs)

    def learn(self, rows, n_features, max_abs, y, weights, train, *, max_iter):
        """Learn the rows ``train``, ``max_iter`` times, from the beginning."""
        estimator, n_rows = self.estimator, len(weights)
        fitted, weights, targets, loss = estimator._prepared(y[train], weights[train])
        bound = self.bind(rows.values.dtype)
        state = new_state(bound, n_features, rows.values.dtype, targets.n_outputs)
        every = np.zeros(n_rows)
        every[train] = weights
        problem = Problem(rows, targets.spread(train, n_rows), every, max_abs)
        order, random = np.arange(len(train)), None
        if estimator.shuffle:  # as clones of the estimator do
            random = check_random_state(deepcopy(estimator.random_state))
        for epoch in range(max_iter):
            progressive, weight = state.losses[0].copy(), state.totals["weight"].copy()
            order = order if random is None else random.permutation(order)
            row = estimator._learn(problem, train[order], loss, bound, state)
            if row is not None:
                raise estimator._divergence(problem, row, loss, bound, state)
            if epoch:  # the progressive loss is that of the first, infinite after a divergence
                diverged = np.isinf(state.losses[0])
                state.losses[0] = np.where(diverged, np.inf, progressive)
                state.totals["weight"] = weight
        vars(estimator).update(fitted, _state=state, _bound=bound, n_iter_=max_iter)

    # --- the candidates -------------------------------------------------------------------

    @property
    def progressive_losses(self):
        """Those of the candidates; infinite once a candidate has diverged."""
        state = self.estimator._state

        def means():
            losses = state.losses[0].reshape(len(self.candidates), -1).sum(axis=1)
            with np.errstate(invalid="ignore"):
                return losses / state.totals["weight"][0]

        return state.guard.read(means)

    @property
    def t(self):
        """How many rows were learnt."""
        return self.estimator._state.t if self.estimator.__sklearn_is_fitted__() else 0

    def divergences(self):
        """What went wrong with each candidate, or None."""
        dtype = self.estimator._state.dtype
        return [
            None
            if np.isfinite(loss)
            else f"Training diverged with {candidate}: a score or a gradient is out of range for "
            f"{dtype}. Lower lr, or scale the features."
            for candidate, loss in zip(self.candidates, self.progressive_losses, strict=True)
        ]

    def scores(self, X):
        """Scores of all candidates, side by side."""
        engine = self.estimator._engine
        return self.estimator._scores(X, refuses=False, engine=engine)  # some may have diverged

    def columns(self, n):
        """Where those of candidate ``n`` are."""
        size = self.estimator._state.n_heads // len(self.candidates)
        return slice(n * size, (n + 1) * size)

    def copied(self, n):
        """What is learnt, with the state of candidate ``n``, copied, and its rule."""
        bound = self._rules(self.estimator._state.dtype)[n]
        copied = self.estimator._in_one_moment(
            lambda model: candidate_state(model._state, model._bound, n, bound)
        )
        vars(copied).update(_bound=bound)
        return copied

    def whole(self):
        """The estimator of all candidates, copied."""
        return self.estimator._in_one_moment(lambda model: copy_state(model._state))

    def member(self, n):
        """Candidate ``n`` as an estimator that predicts from the state of the team."""
        parameters = self.plain_estimator.get_params(deep=False) | self.candidates[n]
        member = _MEMBERS[type(self.plain_estimator)](**parameters)
        vars(member).update(self._learnt(), _team=self, _number=n)
        return member

    def plain(self, n):
        """Candidate ``n`` as an estimator of its own."""
        plain = clone(self.plain_estimator).set_params(**self.candidates[n])
        own = {"_turn", *plain.get_params(deep=False)}
        learnt = vars(self.copied(n)).items()
        vars(plain).update({name: value for name, value in learnt if name not in own})
        return plain

    def _learnt(self):
        """The fitted attributes that all candidates share."""
        own = {"_state", "_bound", "_pending", "_turn", *self.estimator.get_params(deep=False)}
        return {name: value for name, value in vars(self.estimator).items() if name not in own}

    def _memory(self):
        about = vars(self.estimator)
        names = ("_state", "_bound", "_pending")
        return {name: about[name] for name in names if name in about}


class _Member:
    """A candidate whose weights are copied only if someone asks for them."""

    _known = None

    def with_scores(self, X, scores):
        """Let ``scores`` be those of ``X``, this very object."""
        self._known = (X, scores)
        return self

    @cached_property
    def _copied(self):
        return self._team.copied(self._number)

    @cached_property
    def _state(self):
        return self._copied._state

    @cached_property
    def _bound(self):
        return self._copied._bound

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_clone__(self):
        return clone(self._team.plain_estimator).set_params(**self._team.candidates[self._number])

    def _scores(self, X):
        if "_state" in vars(self):
            return super()._scores(X)
        if self._known is not None and X is self._known[0]:
            return self._known[1].copy()
        return self._team.scores(X)[:, self._team.columns(self._number)]


class _ClassifierMember(_Member, AdagradClassifier):
    def _scores_of_all(self, X):
        judged = self._known is not None  # by rows that were sampled as those that it learnt
        return self._scores(X) if judged else super()._scores_of_all(X)


class _RegressorMember(_Member, AdagradRegressor):
    pass


_MEMBERS = {AdagradClassifier: _ClassifierMember, AdagradRegressor: _RegressorMember}
