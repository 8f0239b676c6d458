"""What is not a rule or a penalty is refused by name, and the model stays as it was."""

import numpy as np
import pytest
from common import all_bits, assert_refused, bits, every_estimator, small_data, trained, untrained

from sklearn_adagrad import AdagradRegressor
from sklearn_adagrad.rules import (
    FTRL,
    Adagrad,
    Admission,
    Averaged,
    Clipped,
    DualAveraging,
    InverseScaling,
    Momentum,
    Multiplied,
    Scheduled,
    Warmup,
    WeightDecay,
)

NAN, INF = np.nan, np.inf
PENALTY = {"alpha": 0.1}
WRONG = [
    ({"alpha": -1.0}, "alpha.*(at least 0|0.0, inf)"),
    ({"alpha": NAN}, "alpha"),
    ({"alpha": INF}, "alpha"),
    ({"alpha": "much"}, "alpha"),
    ({"alpha": None}, "alpha"),
    ({"alpha": [0.1] * 7}, "alpha has 7 entries, but X has 8 features"),
    ({"alpha": np.ones((8, 1))}, "alpha has shape .* one per feature"),
    ({"alpha": [0.1] * 7 + [-1.0]}, r"alpha\[7\]=-1 .* at least 0"),
    ({"alpha": [NAN] + [0.1] * 7}, r"alpha\[0\]=nan"),
    ({"alpha": [INF] + [0.1] * 7}, r"alpha\[0\]=inf"),
    ({"alpha": ["much"] * 8}, "alpha"),
    ({"alpha": [1e300] * 8}, r"alpha\[0\]"),
    ({"l1_ratio": 1.5}, r"l1_ratio.*\[0(.0)?, 1(.0)?\]"),
    ({"l1_ratio": -0.1}, r"l1_ratio.*\[0(.0)?, 1(.0)?\]"),
    ({"l1_ratio": NAN}, "l1_ratio"),
    ({"l1_ratio": "all"}, "l1_ratio"),
    ({"rule": "sgd"}, "rule.*(?=.*'adagrad')(?=.*'dual_averaging')(?=.*'ftrl')"),
    ({"rule": None}, "rule"),
    ({"rule": (1.0, 2.0)}, "rule=.*rule object"),
    ({"rule": Adagrad}, "rule"),
    ({"rule": Warmup()}, "not a rule"),
    ({"rule": Momentum("sgd")}, "rule='sgd' is not one of"),
    ({"rule": Momentum(Adagrad)}, "rule=.*rule object"),
    ({"rule": Momentum("adagrad", 1)}, r"Momentum.momentum=1 .*\[0, 1\)"),
    ({"rule": Momentum("adagrad", -0.1)}, r"Momentum.momentum=-0.1 .*\[0, 1\)"),
    ({"rule": Momentum("adagrad", NAN)}, r"Momentum.momentum=nan .*\[0, 1\)"),
    ({"rule": Momentum("adagrad", "0.9")}, "Momentum.momentum='0.9' must be a number"),
    ({"rule": Momentum("adagrad", [0.9] * 8)}, "Momentum.momentum"),
    ({"rule": Momentum("adagrad", 0, nesterov=True)}, "Momentum.momentum=0 .*nesterov"),
    ({"rule": Momentum("adagrad", nesterov="yes")}, "Momentum.nesterov"),
    ({"rule": Adagrad(eps_inside=None)}, "Adagrad.eps_inside"),
    ({"rule": Clipped("adagrad", value=0)}, "Clipped.value=0 .*more than 0"),
    ({"rule": Clipped("adagrad", value=NAN)}, "Clipped.value=nan .*more than 0"),
    ({"rule": Clipped("adagrad", norm=-1)}, "Clipped.norm=-1 .*more than 0"),
    ({"rule": WeightDecay("adagrad", -1)}, "WeightDecay.weight_decay=-1 .*in .0, 1e6"),
    ({"rule": WeightDecay("adagrad", INF)}, "WeightDecay.weight_decay=inf .*in .0, 1e6"),
    ({"rule": FTRL(beta=-1)}, "FTRL.beta=-1 .*at least 0"),
    ({"rule": FTRL(beta=INF)}, "FTRL.beta=inf .*finite"),
    ({"rule": Averaged("adagrad", 0)}, "Averaged.first_row=0 .*at least 1"),
    ({"rule": Averaged("adagrad", INF)}, "Averaged.first_row=inf .*finite"),
    ({"rule": Scheduled("adagrad", 3)}, "schedule=3 must be a NamedTuple with a method factor"),
    ({"rule": Scheduled("adagrad", Warmup)}, "schedule=.*Warmup"),
    ({"rule": Scheduled("adagrad", Warmup(0))}, "Warmup.rows=0 .*more than 0"),
    ({"rule": Scheduled("adagrad", Warmup(INF))}, "Warmup.rows=inf .*finite"),
    ({"rule": Scheduled("adagrad", Warmup("10"))}, "Warmup.rows='10' must be a number"),
    ({"rule": Scheduled("adagrad", InverseScaling(-1))}, "InverseScaling.power_t=-1 .*at least 0"),
    ({"rule": Scheduled("adagrad", InverseScaling(NAN))}, "InverseScaling.power_t=nan"),
    ({"rule": Multiplied("adagrad", -1)}, "Multiplied.lr=-1 .*at least 0"),
    ({"rule": Multiplied("adagrad", INF)}, "Multiplied.lr=inf"),
    ({"rule": Multiplied("adagrad", [1.0] * 7)}, "Multiplied.lr has 7 entries, but X has 8"),
    ({"rule": Multiplied("adagrad", [1.0] * 7 + [-1])}, r"Multiplied.lr\[7\]=-1 .*at least 0"),
    ({"rule": Multiplied("adagrad", 1, -1)}, "Multiplied.weight_decay=-1"),
    ({"rule": Multiplied("adagrad", 1, [1.0] * 9)}, "Multiplied.weight_decay has 9 entries"),
    ({"rule": Admission("adagrad", 0)}, "Admission.occurrences=0 .*whole number from 1 to 2..24"),
    ({"rule": Admission("adagrad", 2.5)}, "Admission.occurrences=2.5 .*whole number"),
    ({"rule": Admission("adagrad", 2**24 + 1)}, "Admission.occurrences=1.67772e.07 .*whole"),
    ({"rule": Admission("adagrad", INF)}, "Admission.occurrences=inf"),
    ({"rule": Admission("adagrad", NAN)}, "Admission.occurrences=nan"),
    ({"rule": Admission(Admission("adagrad"))}, "two of Admission"),
    ({"rule": Admission(Averaged("adagrad"))}, "Averaged must be the outermost"),
    ({"rule": Multiplied(Multiplied("adagrad"))}, "two of Multiplied"),
    ({"rule": Momentum(Momentum("adagrad"))}, "two of Momentum"),
    ({"rule": Clipped(Averaged("adagrad"))}, "Averaged must be the outermost"),
    ({"rule": Averaged(Averaged("adagrad"))}, "Averaged"),
    ({"rule": Averaged(Momentum("adagrad"))}, "Averaged.*Momentum"),
    ({"rule": Momentum(DualAveraging())}, "Momentum.*DualAveraging"),
    ({"rule": WeightDecay(DualAveraging())}, "WeightDecay.*DualAveraging"),
    ({"rule": Averaged("dual_averaging"), "lr_decay": 0.1}, "Averaged.*DualAveraging"),
    ({"rule": Averaged(Scheduled("dual_averaging", Warmup()))}, "Averaged.*DualAveraging"),
    ({"rule": Momentum("ftrl")}, "Momentum.*FTRL"),
    ({"rule": WeightDecay("ftrl", decoupled=True)}, "decoupled=True.*FTRL"),
    ({"rule": Scheduled("ftrl", Warmup())}, "Scheduled.*FTRL"),
    ({"rule": "ftrl", "lr_decay": 0.1}, "lr_decay.*FTRL"),
    ({"rule": "ftrl", "lr": 0.0}, "lr=0 .*more than 0"),
    ({"rule": Multiplied("ftrl", 0.0)}, "Multiplied.lr.*more than 0"),
    ({"rule": Multiplied("ftrl", [1.0] * 7 + [0.0])}, "Multiplied.lr.*more than 0"),
    ({"rule": Momentum("adagrad"), **PENALTY}, "alpha.*Momentum.*alpha=0"),
    ({"rule": Averaged("adagrad"), **PENALTY}, "alpha.*Averaged.*alpha=0"),
    ({"rule": Scheduled("adagrad", Warmup()), **PENALTY}, "alpha.*Scheduled.*alpha=0"),
    ({"rule": Averaged("dual_averaging"), **PENALTY}, "Averaged.*DualAveraging.*alpha=0"),
]


@every_estimator
@pytest.mark.parametrize(
    ("parameters", "message"), WRONG, ids=[str(n) for n, _ in enumerate(WRONG)]
)
def test_wrong_parameters_are_refused(estimator, parameters, message):
    X, y = small_data()
    X = X.astype(np.float32)
    refusal = {"error": (ValueError, TypeError), "message": f"(?s){message}"}
    for method in ("fit", "partial_fit"):
        assert_refused(untrained(estimator, **parameters), method, X=X, y=y, **refusal)
    model = trained(estimator)
    model.set_params(**parameters)
    if "rule" in parameters and not isinstance(parameters["rule"], str):
        refusal["message"] += "|rule cannot"
    assert_refused(model, "partial_fit", X=X, y=y, **refusal)


@every_estimator
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("adagrad", "ftrl"),
        ("ftrl", "dual_averaging"),
        (Clipped("dual_averaging"), "adagrad"),
        ("adagrad", Averaged("adagrad")),
        (Averaged("adagrad", 5), "adagrad"),
        (Averaged("adagrad", 5), Averaged("adagrad", 6)),
    ],
    ids=str,
)
def test_some_rules_cannot_follow_others(estimator, before, after):
    X, y = small_data()
    model = trained(estimator, rule=before).set_params(rule=after, warm_start=True)
    for method in ("fit", "partial_fit"):
        assert_refused(model, method, "(rule|first_row) cannot", X, y)
    model.set_params(warm_start=False).fit(X, y)
    assert bits(model) == bits(untrained(estimator, rule=after).fit(X, y))


@pytest.mark.parametrize("name", ["alpha", "Multiplied.lr"])
def test_arrays_are_read_when_they_are_needed(name):
    """They are neither copied by the constructor nor written to, and later changes go unseen."""
    X, y = small_data()
    array = np.linspace(0.0, 0.1, X.shape[1])
    given = {"alpha": array} if name == "alpha" else {"rule": Multiplied("adagrad", array)}
    model = untrained(AdagradRegressor, **given)
    assert model.get_params()[next(iter(given))] is next(iter(given.values()))
    model.fit(X, y)
    before = model.predict(X), bits(model), model.coef_
    array *= 100.0
    np.testing.assert_array_equal(model.predict(X), before[0])
    np.testing.assert_array_equal(model.coef_, before[2])
    assert bits(model) == before[1]
    assert array.flags.writeable


def test_equal_ways_to_say_the_same():
    X, y = small_data()

    def learnt(**parameters):
        return bits(untrained(AdagradRegressor, **parameters).fit(X, y))

    assert learnt(rule=Adagrad()) == learnt() == learnt(rule="adagrad", alpha=[0.0] * 8)
    assert learnt(alpha=0, l1_ratio=1) == learnt()
    assert learnt(rule=DualAveraging(), alpha=0.1) == learnt(rule="dual_averaging", alpha=0.1)
    assert learnt(rule=FTRL(1)) == learnt(rule="ftrl")
    one, ones = (untrained(AdagradRegressor, alpha=each).fit(X, y) for each in (0.1, [0.1] * 8))
    np.testing.assert_allclose(one.coef_, ones.coef_, rtol=1e-13)
    two, twos = (
        untrained(AdagradRegressor, rule=Multiplied("adagrad", each, each)).fit(X, y)
        for each in (2, [2] * 8)
    )
    np.testing.assert_array_equal(two.coef_, twos.coef_)
    np.testing.assert_array_equal(two.intercept_, twos.intercept_)
    idle = Clipped(WeightDecay(Scheduled("adagrad", Warmup(1)), 0))
    coef, wanted = untrained(AdagradRegressor, rule=idle).fit(X, y).coef_, learnt_coef()
    np.testing.assert_allclose(coef, wanted, rtol=1e-12)


def learnt_coef():
    return untrained(AdagradRegressor).fit(*small_data()).coef_


def test_frozen_features_rest():
    X, y = small_data()
    model = untrained(AdagradRegressor, rule=Multiplied("adagrad", 0.0)).fit(X, y)
    assert not model.coef_.any()
    assert model.intercept_.all()


def test_penalties_make_zeros_and_the_intercept_has_none():
    X, y = small_data()
    for rule in ("adagrad", "dual_averaging", "ftrl"):
        model = AdagradRegressor(rule=rule, alpha=50.0, l1_ratio=1.0, lr=0.1).partial_fit(X, y)
        assert not model.coef_.any()
        assert model.intercept_[0] != 0


@pytest.mark.parametrize("eps_inside", [False, True])
def test_the_least_eps_changes_no_step(eps_inside):
    """Of gradients that are tiny but not taken for zero."""
    for g in (1e-15, 1e-10, 1.0):
        model = AdagradRegressor(rule=Adagrad(eps_inside), eps=0.0, lr=0.5, fit_intercept=False)
        model.partial_fit(np.ones((1, 1), np.float32), [g])
        np.testing.assert_allclose(model.coef_, [0.5], rtol=1e-3)


def test_the_least_eps_minds_what_multiplies_lr():
    """lr / eps must be a number, or a gradient of zero would be learnt as NaN."""
    X, y = np.eye(2, dtype=np.float32), np.array([[0.0, 1.0], [1.0, 0.0]])
    model = AdagradRegressor(rule=Multiplied("adagrad", 1e25), eps=0.0, lr=1.0, fit_intercept=False)
    np.testing.assert_allclose(model.partial_fit(X, y).coef_, 1e25 * y.T, rtol=1e-6)


class HalfEveryRow(tuple):
    def factor(self, t):
        return 1.0


def test_a_schedule_of_another_kind_is_refused():
    X, y = small_data()
    model = untrained(AdagradRegressor, rule=Scheduled("adagrad", HalfEveryRow()))
    before = all_bits(model)
    with pytest.raises(TypeError, match=r"schedule=.*NamedTuple"):
        model.fit(X, y)
    assert all_bits(model) == before
