"""The functions and sums behind penalties and momentum, against numpy and against plain sums."""

import math

import numpy as np
import oracle
import pytest
from common import every_dtype, random_rows
from numba import njit
from stacks import N_FEATURES, model_of

from sklearn_adagrad.arithmetic import elementary, times
from sklearn_adagrad.arithmetic.arrays import load, store
from sklearn_adagrad.arithmetic.lanes import SIZE, where
from sklearn_adagrad.arithmetic.tuples import record_of
from sklearn_adagrad.formulas.penalty import DecayingPenalised, _digammas, _log_gammas
from sklearn_adagrad.formulas.rules import Adagrad, RowContext
from sklearn_adagrad.losses import SquaredError

OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}}
TINY = np.logspace(-300, 2, 4001)
POINTS = {
    "expm1": np.concatenate([[0.0], -TINY, -np.linspace(0, 45, 4000), [-800.0, -1e30, -np.inf]]),
    "log1p": np.concatenate(
        [[0.0], TINY, 10.0 ** np.arange(2, 300), -np.linspace(0, 1, 4001)[:-1], -TINY[TINY < 0.9]]
    ),
}


def on_lanes(function):
    @njit(**OPTIONS)
    def run(values, out):
        for k in range(0, len(values), SIZE):
            store(out, np.uintp(k), function(load(values, np.uintp(k), None)))

    return run


def on_numbers(function):
    @njit(**OPTIONS)
    def run(values, out):
        for k in range(len(values)):
            out[k] = function(values[k])

    return run


@every_dtype
@pytest.mark.parametrize("kind", [on_lanes, on_numbers])
@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("mixed", [False, True])
def test_elementary_functions(name, kind, dtype, mixed):
    """``mixed``: small and large numbers side by side."""
    with np.errstate(over="ignore"):
        points = POINTS[name].astype(dtype)
    if name == "log1p":
        points = points[(points > -1) & np.isfinite(points)]
    points = np.resize(points, -(-len(points) // SIZE) * SIZE)
    points = np.random.default_rng(0).permutation(points) if mixed else np.sort(points)
    found = np.empty_like(points)
    kind(getattr(elementary, name))(points, found)
    wanted = getattr(np, name)(points.astype(np.float64))
    eps, least = np.finfo(dtype).eps, np.finfo(dtype).tiny
    np.testing.assert_allclose(found, wanted, rtol=4 * eps, atol=least)
    assert not found[points == 0].any()
    assert found[np.abs(points) > least].all()


@every_dtype
@pytest.mark.parametrize("mixed", [False, True])
def test_compounded(dtype, mixed):
    """On lanes and on numbers; the shares of a vector are alike, or anything."""
    rng = np.random.default_rng(0)
    share = np.sort(10.0 ** rng.uniform(-30, 3, 4000)).astype(dtype)
    rows = np.floor(10.0 ** rng.uniform(0, 9, 4000)).astype(dtype)
    if mixed:
        order = rng.permutation(4000)
        share, rows = share[order], rows[order]

    @njit(**OPTIONS)
    def run(share, rows, lanes, numbers):
        for k in range(0, len(share), SIZE):
            at = np.uintp(k)
            store(lanes, at, elementary.compounded(load(share, at, None), load(rows, at, None)))
        for k in range(len(share)):
            numbers[k] = elementary.compounded(np.float64(share[k]), np.float64(rows[k]))

    lanes, numbers = np.empty_like(share), np.empty(4000)
    run(share, rows, lanes, numbers)
    wanted = -np.expm1(-rows.astype(float) * np.log1p(share.astype(float)))
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(lanes, wanted, rtol=8 * eps)
    np.testing.assert_allclose(numbers, wanted, rtol=8 * np.finfo(float).eps)
    assert elementary.compounded(0.0, 5.0) == 0.0


def test_where_of_an_integer_and_a_fraction():
    @njit
    def run(x):
        return where(x > 0.0, 1, x), where(x > 0.0, x, 1)

    for x in (0.5, -0.5, np.float32(0.5), np.float32(-0.5)):
        assert run(x) == (where(x > 0.0, 1, x), where(x > 0.0, x, 1))


# --- times ----------------------------------------------------------------------------------------

TURN = 2**32
TIMES = [(5, 1), (TURN - 1, TURN - 5), (TURN + 3, TURN - 2), (3 * TURN + 7, 3 * TURN - TURN + 8)]


@every_dtype
@pytest.mark.parametrize(("t", "since"), TIMES)
def test_times_beyond_the_largest_word(dtype, t, since):
    word = times.TIME_OF[np.dtype(dtype)]
    stamps = np.full(SIZE, since % TURN if word.itemsize == 4 else since, word)

    @njit(**OPTIONS)
    def run(t, stamps, out):
        first = np.uintp(0)
        store(out, first, times.elapsed(t, load(stamps, first, None)))
        store(out, np.uintp(SIZE), times.moment(t, load(stamps, first, None)))
        out[2 * SIZE] = times.elapsed(t, stamps[0])
        out[2 * SIZE + 1] = times.moment(t, stamps[0])
        store(stamps, first, times.stamp(t, load(stamps, first, None)))

    out = np.empty(2 * SIZE + 2)
    wanted = [t - since] * SIZE + [since] * SIZE + [t - since, since]
    interpreted = times.elapsed(t, stamps), times.moment(t, stamps)
    numbers = times.elapsed(t, stamps[0]), times.moment(t, stamps[0])
    np.testing.assert_array_equal(np.concatenate([*interpreted, numbers]), wanted)
    stamped = times.stamp(t, stamps)
    out = out.astype(dtype)
    run(t, stamps, out)
    np.testing.assert_array_equal(out, np.array(wanted, dtype))
    np.testing.assert_array_equal(stamps, t % TURN if word.itemsize == 4 else t)
    np.testing.assert_array_equal(stamps, stamped)
    assert stamped.dtype == word


WRAPPED = [("adagrad", "number", False), ("momentum", "none", False)]


@every_dtype
@pytest.mark.parametrize("case", [*WRAPPED, ("adagrad", "number", True)], ids=str)
def test_model_whose_clock_passes_the_largest_word(case, dtype):
    rng = np.random.default_rng(0)
    X = random_rows(rng, 40, N_FEATURES, 0.2, dtype)
    y = rng.standard_normal(40)
    model = model_of(case).partial_fit(X[:1], y[:1], sample_weight=[0.0])
    state, learnt, late = model._state, oracle.nothing(N_FEATURES), TURN - 15
    for cells in state.tables.values():
        cells["since"] = np.array(late).astype(cells["since"].dtype)
    state.totals["t"] = learnt.t = late
    model.partial_fit(X, y)
    given = model.get_params() | {"loss": SquaredError()}
    learnt = oracle.learn(learnt, X.toarray(), y, np.ones(40), **given)
    tolerance = 1e-11 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(model.coef_, learnt.coef, rtol=0, atol=tolerance)
    assert model.t_ == late + 40 > TURN


# --- sums -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [20.0, 20.7, 1e3, 1e6 + 0.5, 1e9])
@pytest.mark.parametrize("rows", [0, 1, 2, 17, 1000, 100_000])
def test_closed_forms_against_plain_sums(start, rows):
    x = start + np.arange(rows)
    for u in (1e-12, 1e-3, 0.5, 20.0, 1e5, 1e12):
        found = _log_gammas(u, start, start + rows, float(rows))
        np.testing.assert_allclose(found, math.fsum(np.log1p(u / x)), rtol=1e-12)
    np.testing.assert_allclose(
        _digammas(start, start + rows, float(rows)), math.fsum(1.0 / x), rtol=1e-12
    )


@pytest.mark.parametrize("lr_decay", [1e-9, 1e-6, 0.01, 0.049, 0.051, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("l2", [0.0, 1e-6, 1.0])
def test_what_decaying_penalties_take(lr_decay, l2):
    """``since`` before, within and after the rows that are summed one by one; and after all."""
    rule = DecayingPenalised(Adagrad())
    since = np.array([0, 1, 4, 18, 19, 20, 21, 299, 2999, 3000], np.uint64)
    share = np.geomspace(1e-8, 1e4, len(since))
    for t in (1, 2, 10, 25, 3000):
        seen = since[since <= t]
        record = rule_record(seen, share[: len(seen)])
        row = RowContext(
            t, 0.1, 0.1, lr_decay, 0.0, 1.0, l2, np.inf if l2 == 0 else 1 / l2, 1.0, 1.0, None
        )
        found = rule.lost(record, t, row)
        for n, last in enumerate(seen):
            each = record.share[n] / (1.0 + np.arange(int(last), t) * lr_decay)
            wanted = -np.expm1(-math.fsum(np.log1p(each))) if l2 else math.fsum(each)
            np.testing.assert_allclose(found[n], wanted, rtol=1e-12)


def rule_record(since, share):
    zeros = np.zeros(len(since))
    return record_of(("weight", "accumulator", "share", "since"))(zeros, zeros, share, since)
