"""A rule or a wrapper of one's own: a named tuple of a few lines, without registration."""

import pickle
from typing import NamedTuple

import numpy as np
import pytest
from common import bits, random_rows, run_python, stream
from numba.core import event

from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor, optim, rules
from sklearn_adagrad.rules import rate, replaced, sqrt, step, where


class RMSProp(NamedTuple):
    decay: float = 0.9

    def start(self, settings):
        return {"weight": 0.0, "accumulator": settings.initial_accumulator_value}

    def step(self, record, g, row):
        accumulator = self.decay * record.accumulator + (1.0 - self.decay) * g * g
        return replaced(record, "accumulator", accumulator), row.lr * g / (
            sqrt(accumulator) + row.eps
        )


class Shrinking(NamedTuple):
    """RMSProp that says how it takes penalties."""

    penalty = "proximal"

    def start(self, settings):
        return {"weight": 0.0, "accumulator": 0.0}

    def rate(self, record, lr, row):
        return lr / (sqrt(record.accumulator) + row.eps)

    def step(self, record, g, row):
        record = replaced(record, "accumulator", 0.9 * record.accumulator + 0.1 * g * g)
        return record, rate(self, record, row.lr, row) * g


class Signed(NamedTuple):
    """A wrapper: the rule within sees the sign of a gradient."""

    rule: tuple

    def step(self, record, g, row):
        return step(
            self.rule, record, where(g > 0.0, 1.0 + 0.0 * g, where(g < 0.0, -1.0 + 0.0 * g, g)), row
        )


class Scattered(NamedTuple):
    """Adagrad from random weights, as a rule with factors would begin."""

    rule: tuple = rules.Adagrad()
    spread: float = 0.1

    def draw(self, settings, random, shape):
        return {"weight": random.normal(0.0, self.spread, shape)}


def problem(n_rows=60):
    rng = np.random.default_rng(0)
    return random_rows(rng, n_rows, 11, 0.4), rng.standard_normal(n_rows)


def by_hand(X, y, lr, decay):
    """RMSProp on rows without an intercept."""
    w, s = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for x, target in zip(X.toarray(), y, strict=True):
        g = (x @ w - target) * x
        s[x != 0] = decay * s[x != 0] + (1 - decay) * g[x != 0] ** 2
        w[x != 0] -= lr * g[x != 0] / (np.sqrt(s[x != 0]) + 1e-10)
    return w


def test_rule_by_hand():
    X, y = problem()
    model = AdagradRegressor(rule=RMSProp(0.8), lr=0.05, fit_intercept=False).partial_fit(X, y)
    np.testing.assert_allclose(model.coef_, by_hand(X, y, 0.05, 0.8), rtol=1e-10)


@pytest.mark.parametrize("rule", [RMSProp(), Shrinking(), Signed(RMSProp())])
def test_all_that_rules_can(rule):
    X, y = problem()
    model = AdagradRegressor(rule=rule, lr=0.05)
    whole = stream(model, X, y)
    cut = stream(AdagradRegressor(rule=rule, lr=0.05), X, y, [slice(0, 7), slice(7, 60)])
    assert bits(whole) == bits(cut)
    assert bits(pickle.loads(pickle.dumps(whole))) == bits(whole)
    assert np.isfinite(whole.coef_).all()
    labels = np.arange(60) % 3
    many = AdagradClassifier(rule=rule, lr=0.05).partial_fit(X, labels, classes=range(3))
    one = AdagradClassifier(rule=rule, lr=0.05).partial_fit(X, labels == 1, classes=[False, True])
    np.testing.assert_allclose(many.coef_[1], one.coef_[0], rtol=1e-10)
    if isinstance(rule, Signed):
        search = AdagradClassifierCV(rule=rule, lr=[0.01, 0.1], cv=2, max_iter=1).fit(X, labels)
        assert set(search.best_params_) == {"lr"}
    w = np.zeros(3)
    optim.Optimizer(rule, lr=0.5).step(w, np.array([1.0, 0.0, -2.0]))
    assert w[0] < 0 == w[1] < w[2]


def test_wrappers_of_the_package_hold_it():
    X, y = problem()
    for rule in (rules.Momentum(RMSProp()), rules.Averaged(rules.Clipped(RMSProp(), norm=1.0))):
        assert np.isfinite(AdagradRegressor(rule=rule, lr=0.01).partial_fit(X, y).coef_).all()


@pytest.mark.parametrize("alpha", [1e-3, [1e-3] * 11])
def test_penalties_are_refused_by_a_rule_that_says_nothing_of_them(alpha):
    X, y = problem()
    with pytest.raises(ValueError, match="alpha > 0 would have no effect with RMSProp"):
        AdagradRegressor(lr=0.1, rule=RMSProp(), alpha=alpha).partial_fit(X, y)
    AdagradRegressor(lr=0.1, rule=RMSProp(), alpha=0.0).partial_fit(X, y)


def test_penalties_of_a_rule_that_declares_them():
    """Absent for many rows, a weight shrinks to exactly zero."""
    X, y = problem()
    plain = AdagradRegressor(rule=Shrinking(), lr=0.05).partial_fit(X, y)
    model = AdagradRegressor(rule=Shrinking(), lr=0.05, alpha=0.5, l1_ratio=1.0).partial_fit(X, y)
    assert np.abs(model.coef_).sum() < np.abs(plain.coef_).sum()
    rows = random_rows(np.random.default_rng(1), 3000, 11, 0.2)[:, :1].toarray() * np.eye(11)[0]
    assert not model.partial_fit(rows, np.zeros(3000)).coef_[1:].any()


def test_declared_needs_are_checked():
    class Fixed(NamedTuple):
        moves_in_steps = False
        needs_constant_lr = True
        start, step = RMSProp.start, lambda self, record, g, row: (record, g)

    X, y = problem()
    for rule, more, message in (
        (rules.Momentum(Fixed()), {}, "not made of"),
        (Fixed(), {"lr_decay": 0.1}, "its lr must be constant"),
        (Fixed(), {"lr": 0.0}, "needs more than 0"),
    ):
        with pytest.raises(ValueError, match=message):
            AdagradRegressor(rule=rule, **{"lr": 0.1} | more).partial_fit(X, y)


def test_what_is_not_a_rule():
    class Nothing(NamedTuple):
        x: float = 1.0

    with pytest.raises(TypeError, match="it has no method start"):
        AdagradRegressor(lr=0.1, rule=Nothing()).partial_fit(*problem())


def test_accumulators_of_a_rule_that_has_none():
    class Constant(NamedTuple):
        def start(self, settings):
            return {"weight": 0.0}

        def step(self, record, g, row):
            return record, row.lr * g

    model = AdagradRegressor(lr=0.1, rule=Constant()).partial_fit(*problem())
    assert model.coef_.any()
    with pytest.raises(AttributeError, match="Constant keeps no accumulator of a weight"):
        model.accumulator_  # noqa: B018


def test_random_starts():
    X, y = problem()
    first = AdagradRegressor(lr=0.1, rule=Scattered(), random_state=0).partial_fit(
        X[:1], y[:1], 0.0
    )
    again = AdagradRegressor(lr=0.1, rule=Scattered(), random_state=0).partial_fit(
        X[:1], y[:1], 0.0
    )
    other = AdagradRegressor(lr=0.1, rule=Scattered(), random_state=1).partial_fit(
        X[:1], y[:1], 0.0
    )
    assert bits(first) == bits(again) != bits(other)
    assert 0.02 < first.coef_.std() < 0.3
    assert first.intercept_ == 0.0
    assert bits(pickle.loads(pickle.dumps(first))) == bits(first)
    with pytest.raises(ValueError, match=r"rule=Scattered.* begins with weights that are not"):
        first.sparsify()
    many = AdagradClassifier(lr=0.1, rule=Scattered(), random_state=0)
    many.partial_fit(X, np.arange(60) % 3, classes=range(3))
    assert len(np.unique(many.coef_[:, 0])) == 3


def test_no_parameter_recompiles():
    X, y = problem()
    AdagradRegressor(lr=0.1, rule=RMSProp()).partial_fit(X, y).predict(X)
    with event.install_recorder("numba:compile") as recorder:
        AdagradRegressor(rule=RMSProp(0.5), lr=0.3).partial_fit(X, y).predict(X)
    assert not recorder.buffer


TWO = """
from typing import NamedTuple
import numpy as np
from sklearn_adagrad import AdagradRegressor
from sklearn_adagrad.rules import replaced

def rule_of(factor):
    class Own(NamedTuple):
        def start(self, settings): return {"weight": 0.0, "accumulator": 0.0}
        def step(self, record, g, row): return record, factor * row.lr * g
    return Own()

X, y = np.eye(4), np.ones(4)
models = [AdagradRegressor(lr=0.1, rule=rule_of(f), fit_intercept=False) for f in (1.0, 2.0)]
found = [model.partial_fit(X, y).coef_ for model in models]
np.testing.assert_allclose(found[1], 2.0 * found[0])
assert found[0].any()
"""


def test_two_classes_of_one_name_are_two_rules():
    """As in a notebook where a cell is run again."""
    run_python("-c", TWO)
