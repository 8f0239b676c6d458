"""Rules, wrapped in one another in many ways, with random parameters; rows for them to learn."""

import numpy as np
import pytest
from common import random_rows, random_targets
from hypothesis import strategies as st

from sklearn_adagrad import AdagradRegressor
from sklearn_adagrad.rules import (
    FTRL,
    Adagrad,
    Admission,
    Averaged,
    Clipped,
    DualAveraging,
    ImportanceAware,
    InverseScaling,
    Momentum,
    Multiplied,
    ScaleFree,
    Scheduled,
    Warmup,
    WeightDecay,
)

N_FEATURES = 13  # three full vectors and one number
MULTIPLES = np.resize([1.0, 0.5, 0.0, 2.0], N_FEATURES)
POSITIVE = np.resize([1.0, 0.5, 3.0], N_FEATURES)
ALPHAS = np.resize([1.0, 0.0, 0.1, 10.0, 0.0, 1e-9], N_FEATURES)

# What each is made of, from ``of``, which chooses one of its arguments; and what may accompany it
# besides nothing: alpha as a number or an array, always ("only") or not, and lr_decay. Every class
# of rule and every kind of alpha compiles the kernels once more, so few wrappers come alone.
STACKS = {
    "adagrad": (lambda of: of("adagrad", Adagrad(eps_inside=True)), "number array decay"),
    "dual averaging": (lambda of: "dual_averaging", "number array decay"),
    "ftrl": (lambda of: of("ftrl", FTRL(beta=0.0), FTRL(beta=0.1)), "number array"),
    "momentum": (lambda of: momentum(of, "adagrad"), "decay"),
    "averaged": (lambda of: Averaged("adagrad", of(1, 1.0, 5, 1000)), "decay"),
    "averaged dual averaging": (lambda of: Averaged(clipped(of, "dual_averaging"), of(1, 7)), ""),
    "averaged ftrl": (lambda of: Averaged(Multiplied(FTRL(), POSITIVE), of(1, 7)), "only array"),
    "scheduled": (lambda of: Scheduled("adagrad", InverseScaling(of(0.0, 0.5, 1))), "decay"),
    "scheduled dual averaging": (
        lambda of: Scheduled(DualAveraging(), Warmup(of(1, 5, 100.0))),
        "only number",
    ),
    "multiplied dual averaging": (
        lambda of: Multiplied(clipped(of, "dual_averaging"), MULTIPLES),
        "only array decay",
    ),
    "decayed ftrl": (
        lambda of: clipped(of, WeightDecay("ftrl", of(0.0, 0.1), decoupled=False)),
        "only number",
    ),
    "multiplied, decayed, clipped": (
        lambda of: Multiplied(clipped(of, decayed(of, "adagrad")), MULTIPLES, POSITIVE),
        "only number array",
    ),
    "all with a mean": (
        lambda of: Averaged(
            Clipped(Multiplied(decayed(of, scheduled(of)), of(MULTIPLES, 2.0), MULTIPLES), of(0.3)),
            of(1, 10),
        ),
        "decay",
    ),
    "all with momentum": (
        lambda of: momentum(of, clipped(of, Multiplied(decayed(of, scheduled(of)), MULTIPLES))),
        "decay",
    ),
    "admitted": (lambda of: Admission("adagrad", of(2, 1, 5)), "number"),
    "admitted ftrl": (lambda of: clipped(of, Admission("ftrl", of(2, 4))), "only number"),
    "admitted dual averaging": (
        lambda of: Averaged(Admission("dual_averaging", of(3, 2)), of(1, 7)),
        "",
    ),
    "scale-free": (lambda of: ScaleFree("adagrad", of(True, False)), "only number"),
    "importance-aware": (lambda of: ImportanceAware("adagrad"), "decay"),
    "scale-free, importance-aware": (
        lambda of: clipped(of, ImportanceAware(ScaleFree("adagrad", of(True, False)))),
        "only array",
    ),
    "scale-free, importance-aware ftrl": (
        lambda of: ScaleFree(ImportanceAware(Admission("ftrl", of(1, 3)))),
        "only number",
    ),
    "scale-free, importance-aware dual averaging": (
        lambda of: Averaged(ImportanceAware(ScaleFree("dual_averaging")), of(1, 7)),
        "",
    ),
    "importance-aware, all with momentum": (
        lambda of: momentum(of, Multiplied(ImportanceAware(decayed(of, scheduled(of))), MULTIPLES)),
        "",
    ),
    "decay beside momentum": (lambda of: decayed(of, momentum(of, Adagrad(True))), ""),
}


def clipped(of, rule):
    return Clipped(rule, value=of(np.inf, 0.5), norm=of(np.inf, 1, 0.1))


def decayed(of, rule):
    return WeightDecay(rule, of(0.0, 0.01, 0.1), decoupled=of(False, True))


def momentum(of, rule):
    return Momentum(rule, of(0.5, 0.9), nesterov=of(False, True))


def scheduled(of):
    return Scheduled(Adagrad(), Warmup(of(1, 10.0)))


def settings_of(allowed):
    """Every combination of alpha as no, one or many numbers, and whether lr decays."""
    alphas = [] if "only" in allowed else ["none"]
    alphas += [kind for kind in ("number", "array") if kind in allowed]
    return [(alpha, decays) for alpha in alphas
            for decays in ([False, True] if "decay" in allowed else [False])]  # fmt: skip


CASES = [
    (name, alpha, decays)
    for name, (_, allowed) in STACKS.items()
    for alpha, decays in settings_of(allowed)
]
FEW = {  # and how many outputs to learn with them: every kernel takes seconds to compile
    ("adagrad", "number", True): (2, 3),
    ("dual averaging", "none", False): (7, 8),
    ("averaged", "none", True): (2, 3),
    ("averaged ftrl", "array", False): (2, 3),
    ("scheduled", "none", False): (2, 3),
    ("multiplied, decayed, clipped", "number", False): (11, 12),
    ("all with momentum", "none", False): (2, 3),
    ("admitted", "number", False): (2, 3),
    ("scale-free", "number", False): (2, 3),
    ("scale-free, importance-aware", "array", False): (2, 3),
}
BATCHED = [  # of which batches are learnt too
    ("adagrad", "none", False),
    ("adagrad", "array", True),
    ("dual averaging", "number", True),
    ("averaged ftrl", "array", False),
    ("all with a mean", "none", False),
    ("all with momentum", "none", True),
    ("admitted ftrl", "number", False),
    ("scale-free, importance-aware", "array", False),
]
LAZY = [  # whose weights move while their features are absent
    case for case in CASES if case[1] != "none" or "momentum" in case[0] or "dual" in case[0]
]


def name_of(case):
    name, alpha, decays = case
    return f"{name}{'' if alpha == 'none' else ', alpha: ' + alpha}{', decay' if decays else ''}"


every_case = pytest.mark.parametrize("case", CASES, ids=name_of)
every_lazy_case = pytest.mark.parametrize("case", LAZY, ids=name_of)


@st.composite
def parameters(draw, case):
    """Settings of an estimator for one of ``CASES``."""
    name, alpha, decays = case

    def of(*values):
        return draw(st.sampled_from(values)) if len(values) > 1 else values[0]

    strength = of(1e-3, 1e-12, 0.03, 1.0)
    return {
        "rule": STACKS[name][0](of),
        "alpha": {"none": 0.0, "number": strength, "array": strength * ALPHAS}[alpha],
        "l1_ratio": of(0.3, 0.0, 1, 1.0 - 1e-9),
        "lr_decay": of(0.01, 1e-6, 0.1, 1) if decays else 0.0,
        "lr": of(0.1, 0.5) * (0.1 if "momentum" in name else 1.0),  # or rounding is amplified
        "eps": of(1e-10, 0.1, 0.0),
        "initial_accumulator_value": of(0.0, 0.1),
        "fit_intercept": of(True, False),
    }


@st.composite
def rule_problems(draw, case, dtype=np.float64, n_outputs=(1,)):
    """An untrained model with one of ``CASES``, and what ``learn`` needs to teach it.

    For one of the ``n_outputs``: several of them are the columns of ``y``.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows = draw(st.integers(2, 40))
    X = random_rows(rng, n_rows, N_FEATURES, draw(st.sampled_from([0.1, 0.4, 1.0])), dtype)
    weights = rng.choice([0.0, 0.5, 1.0, 2.0], n_rows) if draw(st.booleans()) else np.ones(n_rows)
    weights[0] = 1.0
    n_columns = draw(st.sampled_from(n_outputs)) if len(n_outputs) > 1 else n_outputs[0]
    y = [random_targets(rng, AdagradRegressor, "squared_error", n_rows) for _ in range(n_columns)]
    return {
        "model": AdagradRegressor(**draw(parameters(case))),
        "X": X,
        "y": y[0] if n_columns == 1 else np.stack(y, axis=1),
        "sample_weight": weights,
        "classes": (0, 1),
    }


def model_of(case, estimator=AdagradRegressor, nth=0, **more):
    """An untrained model with one of ``CASES``: every parameter has the ``nth`` of its values."""
    name, alpha, decays = case
    return estimator(
        rule=STACKS[name][0](lambda *values: values[nth % len(values)]),
        alpha={"none": 0.0, "number": 0.01, "array": 0.01 * ALPHAS}[alpha],
        l1_ratio=0.4,
        lr_decay=0.01 * decays,
        lr=0.3,
        **more,
    )
