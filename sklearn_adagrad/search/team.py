"""Several candidates as one estimator: every candidate is a head, or a set of them."""

import numpy as np
from sklearn.base import clone

from ..estimators.classifier import AdagradClassifier
from ..estimators.regressor import AdagradRegressor
from ..estimators.training import Problem
from ..model.binding import same_rule, stacked
from ..model.state import candidate_state, new_state, record_dtype
from .memory import check_memory


class Team:
    """Learns every row with all candidates at once.

    ``candidates`` is a list of dicts: what each has instead of the parameters of the team.
    """

    @classmethod
    def of(cls, estimator, candidates):
        team = cls()
        team._take(estimator, candidates)
        return team

    def _take(self, estimator, candidates):
        only = candidates[0] if len(candidates) == 1 else {}
        self.set_params(**estimator.get_params(deep=False) | only)
        self._plain, self.candidates = estimator, candidates

    def parts(self, size):
        """Teams of ``size`` of the candidates, which have not learnt yet."""
        for first in range(0, len(self.candidates), size):
            part = type(self).of(self._plain, self.candidates[first : first + size])
            vars(part).update(self._learnt())
            yield part

    def resume(self, estimator, candidates):
        """Take over what has changed in ``estimator``; the candidates must be as they were."""
        if candidates != self.candidates:
            raise ValueError(
                "The candidates cannot change during a stream: begin anew with a new estimator."
            )
        self._take(estimator, candidates)

    def _rule(self, dtype):
        rule = stacked(self._rules(dtype))
        if not self.__sklearn_is_fitted__():
            return rule
        if not same_rule(rule, self._bound):
            raise ValueError(
                "The rule and its numbers cannot change during a stream: begin anew with a new "
                "estimator."
            )
        return self._bound

    def _rules(self, dtype):
        return [self._rule_of(each, dtype) for each in self.candidates]

    def _rule_of(self, candidate, dtype):
        try:
            return super()._rule(dtype, **candidate)
        except (TypeError, ValueError) as error:
            raise type(error)(f"With the candidate {candidate}: {error}") from error

    def check_memory(self, n_features, dtype, n_outputs, *, per_pass, at_once=1, n_test=0):
        """MemoryError if so many states, and the scores of ``n_test`` rows, would not fit."""
        per_pass = min(per_pass, len(self.candidates))
        n_heads = per_pass * n_outputs
        state = n_features * record_dtype(self._rule(dtype), dtype, n_heads).itemsize
        check_memory(
            at_once * (state + 8 * n_test * n_heads),
            f"A search with {at_once} times {per_pass} candidates of {n_outputs} outputs",
            "Set candidates_per_pass or n_jobs to less, search fewer candidates, or hash the "
            "features to fewer columns.",
        )

    def _new_state(self, bound, n_features, dtype, n_outputs):
        self.check_memory(n_features, dtype, n_outputs, per_pass=len(self.candidates))
        return super()._new_state(bound, n_features, dtype, n_outputs)

    def learn(self, rows, n_features, max_abs, y, weights, train, *, max_iter):
        """Learn the rows ``train`` in that order, ``max_iter`` times, from the beginning."""
        weights, n_rows = weights[train], len(weights)
        self._require_weight(weights, "sample_weight")
        fitted = self._begin_fit(y[train], weights, False)
        weights = self._weigh(y[train], weights, fitted)
        self._require_weight(weights, "class_weight")
        targets = self._targets(y[train], fitted)
        loss, bound = self._loss_for(fitted), self._rule(rows.values.dtype)
        state = new_state(bound, n_features, rows.values.dtype, targets.n_outputs)
        every = np.zeros(n_rows)
        every[train] = weights
        problem = Problem(rows, targets.spread(train, n_rows), every, max_abs)
        for _ in range(max_iter):
            row = self._learn(problem, train, loss, bound, state)
            if row is not None:
                raise self._divergence(problem, row, loss, bound, state)
        vars(self).update(fitted, _state=state, _bound=bound, n_iter_=max_iter)

    @property
    def progressive_losses(self):
        """Those of the candidates; infinite once a candidate has diverged."""
        losses = self._state.losses[0].reshape(len(self.candidates), -1).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return losses / self._state.totals["weight"][0]

    def divergences(self):
        """What went wrong with each candidate, or None."""
        return [
            None
            if np.isfinite(loss)
            else f"Training diverged with {candidate}: a score or a gradient is out of range for "
            f"{self._dtype}. Lower lr, or scale the features."
            for candidate, loss in zip(self.candidates, self.progressive_losses, strict=True)
        ]

    def columns(self, n):
        """The heads of candidate ``n``."""
        size = self._state.n_heads // len(self.candidates)
        return slice(n * size, (n + 1) * size)

    def state_of(self, n):
        """The state of candidate ``n``, copied."""
        bound = self._rules(self._dtype)[n]
        return candidate_state(self._state, self._bound, n, bound), bound

    def member(self, n):
        """Candidate ``n`` as an estimator that predicts from the state of the team."""
        member = self._member(**self._plain.get_params(deep=False) | self.candidates[n])
        vars(member).update(self._learnt(), _team=self, _number=n, _known=None)
        return member

    def plain(self, n):
        """Candidate ``n`` as an estimator of its own."""
        plain = clone(self._plain).set_params(**self.candidates[n])
        state, bound = self.state_of(n)
        vars(plain).update(self._learnt(), _state=state, _bound=bound)
        return plain

    def _learnt(self):
        own = {"_plain", "candidates", "_state", "_bound", *self.get_params(deep=False)}
        return {name: value for name, value in vars(self).items() if name not in own}


class Member:
    """A candidate whose weights are copied only if someone asks for them."""

    _known = None

    def with_scores(self, X, scores):
        """Let ``scores`` be those of ``X``, this very object."""
        self._known = (X, scores)
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_clone__(self):
        return clone(self._team._plain).set_params(**self._team.candidates[self._number])

    def _scores(self, X):
        if "_state" in vars(self):
            return super()._scores(X)
        if self._known is not None and X is self._known[0]:
            return self._known[1].copy()
        return self._team._scores(X)[:, self._team.columns(self._number)]

    def __getattr__(self, name):
        if name not in ("_state", "_bound"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        vars(self)["_state"], vars(self)["_bound"] = self._team.state_of(self._number)
        return vars(self)[name]


class ClassifierMember(Member, AdagradClassifier):
    pass


class ClassifierTeam(Team, AdagradClassifier):
    _member = ClassifierMember


class RegressorMember(Member, AdagradRegressor):
    pass


class RegressorTeam(Team, AdagradRegressor):
    _member = RegressorMember


# What errors call them.
ClassifierTeam.__name__, RegressorTeam.__name__ = "AdagradClassifierCV", "AdagradRegressorCV"
