"""Every loss: its gradient is its derivative, its kinks are decided, its extremes are sane."""

import itertools
import math

import numpy as np
import pytest
from common import (
    LOSSES,
    all_bits,
    every_loss,
    loss_object,
    random_rows,
    random_targets,
    stream,
)
from numba import njit
from sklearn import _loss, metrics
from sklearn.linear_model import _sgd_fast as sgd

import sklearn_adagrad
from sklearn_adagrad import AdagradRegressor, losses
from sklearn_adagrad.formulas.losses import CLASSIFICATION, REGRESSION, drop, gradient, value

# Every registered loss with its defaults, and those with parameters also with others.
OBJECTS = [loss_object(*each) for each in LOSSES]
OBJECTS += [losses.Huber(1.5), losses.EpsilonInsensitive(0.5), losses.EpsilonInsensitive(0.0)]
OBJECTS += [losses.SquaredEpsilonInsensitive(0.5), losses.Quantile(0.9), losses.Quantile(0.125)]
OBJECTS += [losses.Tweedie(power) for power in (0.0, 1.0, 1.25, 2.0, 3.0)]
every_object = pytest.mark.parametrize("loss", OBJECTS, ids=repr)

EXTREMES = [1e-310, 1e-30, 1.0, 40.0, 709.0, 1e4, 1e30, 1e150, 1e300]


def targets(loss):
    """Targets that ``loss`` accepts, in binary fractions: kinks are hit exactly."""
    if type(loss) in CLASSIFICATION.values():
        return [-1.0, 1.0]
    accepted = []
    for y in (-2.5, 0.0, 0.5, 8.0):
        try:
            getattr(loss, "check_target", np.size)(np.array([y]))
        except ValueError:
            continue
        accepted.append(y)
    return accepted


def points(loss):
    """Pairs of target and score, on, beside and far from every kink."""
    for y in targets(loss):
        edges = [y + sign * each for each in loss for sign in (-1, 1)]
        near = {y, -y, 0.0, *(edge for edge in edges if abs(edge - y) in loss)}  # not rounded
        for score in (*near, *np.linspace(-5.0, 5.0, 41), -20.0, 20.0):
            yield y, float(score)


def one_sided(loss, y, score, h=1e-6):
    """Difference quotients of the loss to the left and to the right of ``score``."""
    here = loss.value(y, score)
    left = (here - loss.value(y, score - h)) / h
    right = (loss.value(y, score + h) - here) / h
    rounding = 4.0 * np.finfo(float).eps * (1.0 + abs(here) + abs(score * left)) / h
    return left, right, rounding + 2.0 * h * (1.0 + abs(loss.gradient(y, score)))


@every_object
def test_gradient_is_the_derivative(loss):
    for y, score in points(loss):
        left, right, slack = one_sided(loss, y, score)
        found = loss.gradient(y, score)
        assert min(left, right) - slack <= found <= max(left, right) + slack, (y, score)


def kinks(loss):
    """The points at which 0 lies between two different one-sided derivatives."""
    for y, score in points(loss):
        left, right, slack = one_sided(loss, y, score)
        if right - left > 0.05 and left <= slack and right >= -slack:
            yield y, score


@every_object
def test_gradient_at_a_kink_is_zero_except_the_perceptrons(loss):
    found = list(kinks(loss))
    for y, score in found:
        wanted = -y if isinstance(loss, losses.Perceptron) else 0.0
        assert loss.gradient(y, score) == wanted, (y, score)
    pointed = (losses.Hinge, losses.Perceptron, losses.AbsoluteError, losses.Quantile)
    assert bool(found) == isinstance(loss, (*pointed, losses.EpsilonInsensitive))


@every_object
def test_compiled_equals_interpreted(loss):
    both = njit(error_model="numpy")(
        lambda loss, y, score: (value(loss, y, score), gradient(loss, y, score))
    )
    scores = [sign * each for each in EXTREMES for sign in (-1, 1)]
    pairs = [*points(loss), *((y, score) for y in targets(loss) for score in scores)]
    with np.errstate(all="ignore"):
        plain = [(loss.value(y, np.float64(s)), loss.gradient(y, np.float64(s))) for y, s in pairs]
        compiled = [both(loss, y, s) for y, s in pairs]
    # Where two exponentials overflow their difference is anything.
    compiled, plain = np.array(compiled), np.array(plain)
    known = np.isfinite(plain) | (np.isinf(plain) & ~np.isnan(compiled))
    np.testing.assert_allclose(compiled[known], plain[known], rtol=1e-13, atol=1e-15)
    assert known.mean() > 0.7


# Tweedie losses of other powers are differences of two exponentials: inf - inf is honest.
@pytest.mark.parametrize(
    "loss",
    [loss for loss in OBJECTS if not isinstance(loss, losses.Tweedie) or 1 <= loss.power <= 2],
    ids=repr,
)
def test_extreme_scores_give_no_nan(loss):
    """Overflow to infinity is seen and said by the loop; NaN must come from nowhere."""
    with np.errstate(all="ignore"):
        for y in targets(loss):
            for score in np.array([*EXTREMES, 0.0, *(-each for each in EXTREMES)]):
                assert not np.isnan(loss.value(y, score)), (y, score)
                assert not np.isnan(loss.gradient(y, score)), (y, score)


@pytest.mark.parametrize("y", [-1.0, 1.0])
def test_log_loss_is_accurate_in_both_tails(y):
    loss = losses.LogLoss()
    for score in (0.0, 1e-17, 1e-3, 0.5, 1.0, 5.0, 17.0, 36.0, 37.5, 100.0, 500.0, 700.0):
        for z in (np.longdouble(score), -np.longdouble(score)):
            e = np.exp(-abs(z))
            exact = np.log1p(e) + max(-z, np.longdouble(0))
            slope = -y * (e if z > 0 else np.longdouble(1)) / (1 + e)
            np.testing.assert_allclose(loss.value(y, float(y * z)), float(exact), rtol=5e-16)
            np.testing.assert_allclose(loss.gradient(y, float(y * z)), float(slope), rtol=5e-16)


# --- agreement with scikit-learn --------------------------------------------------------------


def theirs(loss):
    """The loss of scikit-learn's own solvers, as a function of target and score."""
    return lambda y, score: float(loss.loss(np.array([y]), np.array([score]))[0])


PEERS = [
    (losses.LogLoss(), lambda y, s: theirs(_loss.HalfBinomialLoss())((y + 1) / 2, s)),
    (losses.Hinge(), lambda y, s: sgd.Hinge(1.0).py_loss(s, y)),
    (losses.SquaredHinge(), lambda y, s: sgd.SquaredHinge(1.0).py_loss(s, y)),
    (losses.ModifiedHuber(), lambda y, s: sgd.ModifiedHuber().py_loss(s, y)),
    (losses.Perceptron(), lambda y, s: sgd.Hinge(0.0).py_loss(s, y)),
    (losses.SquaredError(), lambda y, s: metrics.mean_squared_error([y], [s]) / 2),
    (losses.Huber(1.5), theirs(_loss.HuberLoss(delta=1.5))),
    (losses.EpsilonInsensitive(0.5), lambda y, s: sgd.EpsilonInsensitive(0.5).py_loss(s, y)),
    (
        losses.SquaredEpsilonInsensitive(0.5),
        lambda y, s: sgd.SquaredEpsilonInsensitive(0.5).py_loss(s, y),
    ),
    (losses.AbsoluteError(), lambda y, s: metrics.mean_absolute_error([y], [s])),
    (losses.Quantile(0.9), lambda y, s: metrics.mean_pinball_loss([y], [s], alpha=0.9)),
]
POWERS = [
    (losses.Poisson(), 1.0),
    (losses.Gamma(), 2.0),
    *((losses.Tweedie(power), power) for power in (1.0, 1.5, 2.0, 3.0)),
]


@pytest.mark.parametrize(("loss", "peer"), PEERS, ids=[repr(loss) for loss, _ in PEERS])
def test_value_is_scikit_learns(loss, peer):
    for y, score in points(loss):
        np.testing.assert_allclose(loss.value(y, score), peer(y, score), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("loss", "power"), POWERS, ids=repr)
def test_value_is_half_the_deviance_up_to_a_term_in_y(loss, power):
    """So their differences between two scores are equal."""
    for y in targets(loss):
        found, wanted = [], []
        for score in (-2.0, 0.0, 0.25, 3.0):
            prediction = [float(loss.prediction(np.array([score]))[0])]
            found.append(loss.value(y, score))
            wanted.append(metrics.mean_tweedie_deviance([y], prediction, power=power) / 2)
        np.testing.assert_allclose(np.diff(found), np.diff(wanted), rtol=1e-11, atol=1e-12)


# --- probability, prediction, targets ---------------------------------------------------------


@pytest.mark.parametrize(
    "loss", [loss for loss in OBJECTS if hasattr(loss, "probability")], ids=repr
)
def test_probability_is_that_of_which_the_score_is_the_optimum(loss):
    """If the positive class has this probability, the expected loss is flat at this score."""
    scores = np.concatenate([np.linspace(-0.99, 0.99, 34), [0.0, -800.0, 800.0, -1e300, 1e300]])
    chances = loss.probability(scores)
    for score, p in zip(scores, chances, strict=True):
        expected = p * loss.gradient(1.0, score) + (1 - p) * loss.gradient(-1.0, score)
        assert abs(expected) < 1e-12, score
    assert chances.min() >= 0
    assert chances.max() <= 1
    np.testing.assert_array_equal(np.diff(loss.probability(np.sort(scores))) >= 0, True)
    np.testing.assert_allclose(chances + loss.probability(-scores), 1.0, rtol=1e-15)


@pytest.mark.parametrize(
    "loss", [loss for loss in OBJECTS if hasattr(loss, "prediction")], ids=repr
)
def test_prediction_is_the_target_of_which_the_score_is_the_optimum(loss):
    for score in (-3.0, -0.5, 0.0, 1.0, 4.0):
        y = loss.prediction(np.array([score]))[0]
        assert abs(loss.gradient(y, score)) <= 1e-13 * (1.0 + abs(loss.gradient(2.0 * y, score)))


@every_loss
def test_only_losses_with_a_probability_offer_predict_proba(estimator, loss):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng), random_targets(rng, estimator, loss, 50)
    model = stream(estimator(loss, lr=0.1), X, y)
    assert hasattr(model, "predict_proba") == hasattr(loss_object(estimator, loss), "probability")
    if hasattr(model, "predict_proba"):
        chances = model.predict_proba(X)
        np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-15)
        wanted = loss_object(estimator, loss).probability(model.decision_function(X))
        np.testing.assert_array_equal(chances[:, 1], wanted)
        np.testing.assert_array_equal(chances[:, 1] > 0.5, model.predict(X) == 1)
        np.testing.assert_array_equal(
            np.exp(model.predict_log_proba(X)).round(12), chances.round(12)
        )


BAD_TARGETS = [
    (losses.Poisson(), -0.5),
    (losses.Gamma(), 0.0),
    (losses.Gamma(), -1.0),
    (losses.Tweedie(1.0), -1.0),
    (losses.Tweedie(1.5), -1e-9),
    (losses.Tweedie(2.0), 0.0),
    (losses.Tweedie(3.0), 0.0),
]


@pytest.mark.parametrize(("loss", "bad"), BAD_TARGETS, ids=repr)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_targets_out_of_range_are_refused(loss, bad, method):
    rng = np.random.default_rng(0)
    X, y = random_rows(rng), np.full(50, 0.5)
    model = AdagradRegressor(loss, lr=0.1).partial_fit(X, y)
    before = all_bits(model)
    y[7] = bad
    with pytest.raises(ValueError, match=r"y\[7\] = .*needs.* y >=? 0"):
        getattr(model, method)(X, y)
    assert all_bits(model) == before


def test_every_named_loss_is_public():
    named = {*CLASSIFICATION.values(), *REGRESSION.values()}
    assert {getattr(losses, name) for name in losses.__all__} == named
    assert "losses" in sklearn_adagrad.__all__


# --- small steps ----------------------------------------------------------------------------

WITH_LIMITS = [loss for loss in OBJECTS if hasattr(loss, "drop")]
NOT_AT_ONCE = [loss for loss in WITH_LIMITS
               if not (type(loss) is losses.Tweedie and loss.power not in (1.0, 2.0))]  # fmt: skip
REACHES = [1e-3, 0.1, 1.0, 7.0]


def in_small_steps(loss, y, score, reach, n=20_000):
    """By how much the score falls in ``n`` steps, each with the gradient halfway."""
    now = score
    for _ in range(n):
        halfway = now - 0.5 * reach / n * loss.gradient(y, now)
        now -= reach / n * loss.gradient(y, halfway)
    return score - now


@pytest.mark.parametrize("loss", NOT_AT_ONCE, ids=repr)
def test_drop_is_the_limit_of_small_steps(loss):
    compiled = njit(lambda y, score, reach: drop(loss, y, score, reach))
    for n, y in enumerate(targets(loss)):
        for score, reach in zip([-3.0, -0.7, 0.3, 4.0], np.roll(REACHES, n), strict=True):
            found = loss.drop(y, score, reach)
            assert compiled(y, score, reach) == pytest.approx(found, rel=1e-12, abs=1e-300)
            # At a kink small steps go to and fro.
            wanted = in_small_steps(loss, y, score, reach)
            assert found == pytest.approx(wanted, rel=1e-6, abs=3.0 * reach / 20_000)


@pytest.mark.parametrize("loss", WITH_LIMITS, ids=repr)
def test_drop_never_goes_beyond_the_target(loss):
    """It has the sign of the gradient, is at most a plain step, and leaves no other sign."""
    for y in targets(loss):
        for score in (-30.0, -3.0, -0.5, 0.25, 2.0, 30.0):
            slope = loss.gradient(y, score)
            for reach in (0.0, 1e-12, *REACHES, 1e3, 1e6, 1e12):
                with np.errstate(all="ignore"):
                    fall = loss.drop(y, score, reach)
                assert np.isfinite(fall)
                assert fall * slope >= 0.0
                if 1.0 <= getattr(loss, "power", 1.0) <= 2.0:  # others are not convex
                    assert abs(fall) <= abs(slope) * reach * (1.0 + 1e-6)
                left = loss.gradient(y, score - fall) * np.sign(slope)
                assert left >= -1e-6 * (1.0 + abs(slope))


def test_drop_of_the_log_loss_at_all_magnitudes():
    """It solves its equation, with a margin of 300 for all beyond, and 1e30 for all reaches."""
    loss = losses.LogLoss()
    compiled = njit(lambda y, score, reach: drop(loss, y, score, reach))
    margins = (-1e4, -600.0, -50.0, -3.0, -1e-9, 0.0, 1e-9, 3.0, 37.0, 250.0, 600.0, 1e4)
    reaches = (0.0, 1e-300, 1e-20, 1e-3, 1.0, 30.0, 1e3, 1e10, 1e30, 1e300)
    for z, reach in itertools.product(margins, reaches):
        d = -loss.drop(1.0, z, reach)
        assert loss.drop(-1.0, -z, reach) == d
        assert -compiled(1.0, z, reach) == pytest.approx(d, rel=1e-12, abs=1e-300)
        odds = math.exp(min(max(z, -300.0), 300.0))
        found = d + odds * math.expm1(d)
        assert found == pytest.approx(min(reach, 1e30), rel=2e-6 * max(1.0, d), abs=1e-300)


def test_two_halves_of_a_row_are_the_row():
    for loss in NOT_AT_ONCE:
        for y in targets(loss):
            first = loss.drop(y, -1.3, 0.4)
            both = first + loss.drop(y, -1.3 - first, 0.9)
            assert both == pytest.approx(loss.drop(y, -1.3, 1.3), rel=1e-6, abs=1e-12)


def test_the_perceptron_has_no_limit():
    rule = sklearn_adagrad.rules.ImportanceAware("adagrad")
    model = sklearn_adagrad.AdagradClassifier("perceptron", lr=0.1, rule=rule)
    with pytest.raises(ValueError, match=r"needs a loss that has the method drop"):
        model.partial_fit([[1.0]], [0], classes=[0, 1])
    learnt = sklearn_adagrad.AdagradClassifier("perceptron", lr="auto")
    learnt.partial_fit([[1.0], [-1.0]], [0, 1], classes=[0, 1])
    np.testing.assert_array_equal(learnt.predict([[1.0], [-1.0]]), [0, 1])
