"""What whoever sets nothing gets: the model of ``lr="auto"``, or an error that says what to set."""

from typing import NamedTuple

import numpy as np
import pytest
from common import assert_refused, bits, every_estimator, random_rows, run_python, stream
from sklearn.exceptions import ConvergenceWarning

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, rules

X = random_rows(np.random.default_rng(0), dtype=np.float32)
Y = np.arange(50) % 2

EVERYTHING = """
import numpy as np
from common import LOSSES, random_rows, random_targets, stream
from sklearn_adagrad.formulas.rules import RULES

rng = np.random.default_rng(0)
np.seterr(all="ignore")  # the interpreter warns of what compiled code does not
for estimator, loss in LOSSES:
    X, y = random_rows(rng, 20, 4), random_targets(rng, estimator, loss, 20)
    for rule in RULES:
        model = estimator(loss, rule=rule, max_iter=2).fit(X, y)
        other = stream(estimator(loss, rule=rule), X, y)
        assert np.isfinite([each.predict(X) for each in (model, other)]).all(), (loss, rule)
        print(loss, rule, model.fit_summary_)
"""


class NoShare(NamedTuple):
    start = rules.Adagrad.start
    step = rules.Adagrad.step


@every_estimator
def test_it_is_the_model_without_tuning(estimator):
    assert estimator().lr == "auto"
    model = estimator(random_state=0).fit(X, Y)
    assert model.fit_summary_.startswith("The mean of 10 models after epoch ")
    assert bits(model) == bits(estimator(lr="auto", random_state=0).fit(X, Y))
    assert bits(stream(estimator(), X, Y)) == bits(stream(estimator(lr="auto"), X, Y))


def test_every_rule_and_every_loss():
    """Interpreted: it is about what is refused."""
    said = run_python("-W", "error", "-c", EVERYTHING, NUMBA_DISABLE_JIT="1")
    assert said.count("The mean of 10 models") == 3 * (5 + 9)


@every_estimator
@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (rules.ScaleFree("ftrl"), "learners are ScaleFree already"),
        (rules.Clipped(rules.ScaleFree("adagrad", False), 1.0), "learners are ScaleFree already"),
        (rules.WeightDecay("adagrad", 0.2, decoupled=True), "must be at most 2"),
        (NoShare(), "does not declare takes_share"),
    ],
    ids=str,
)  # fmt: skip
def test_rules_that_need_a_number_say_so(estimator, rule, why):
    message = rf"rule=.* does not go with lr='auto', the default: .*{why}.* lr to a number such as"
    for method in ("fit", "partial_fit"):
        assert_refused(estimator(rule=rule), method, message, X, Y)
    estimator(lr=0.1, rule=rule)._rule(np.float32)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"eps": 1e300}, "eps=1e.300"), ({"alpha": [-1.0]}, r"alpha\[0\]"),
     ({"rule": "sgd"}, "rule='sgd'"), ({"rule": rules.Momentum("adagrad", 2.0)}, "momentum")],
    ids=str,
)  # fmt: skip
def test_what_no_number_would_help_is_said_as_ever(parameters, message):
    with pytest.raises(ValueError, match=message) as raised:
        AdagradRegressor(**parameters)._rule(np.float32)
    assert "auto" not in str(raised.value)


def test_a_rate_that_is_set_too_late():
    model = AdagradClassifier().partial_fit(X, Y, classes=[0, 1]).set_params(lr=0.05)
    with pytest.raises(ValueError, match=r"'auto' is the default: set lr to a number .* before"):
        model.partial_fit(X, Y)


def test_a_warning_names_no_rate_that_is_not_there():
    y = np.random.default_rng(0).standard_normal(50)
    for lr, what in (("auto", "max_iter"), (0.1, "max_iter or lr, scale y")):
        model = AdagradRegressor(lr=lr, early_stopping=False, max_iter=2, tol=1e-9)
        with pytest.warns(ConvergenceWarning, match=f"Raise {what}, or set tol"):
            model.fit(X, y)
