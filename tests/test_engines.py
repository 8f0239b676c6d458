"""What every engine must do: the contract in ``sklearn_adagrad.engines``."""

import contextlib

import numpy as np
import oracle
import pytest
import scalar_engine
from common import bits, loss_object, random_rows, random_targets, stream
from stacks import BATCHED, CASES, N_FEATURES, model_of, name_of

from sklearn_adagrad import AdagradClassifier, AdagradRegressor
from sklearn_adagrad.engines import ENGINES, engine_of
from sklearn_adagrad.estimators import fitted
from sklearn_adagrad.estimators.base import BaseAdagrad

EVERY = ENGINES | {"scalar": scalar_engine}
FUNCTIONS = ("inspect", "learn", "scores", "losses")


with contextlib.suppress(ImportError, RuntimeError):
    EVERY["cuda"] = engine_of("cuda")


@pytest.fixture(params=EVERY)
def engine(request, monkeypatch):
    """Let all estimators run on an engine."""
    engine = EVERY[request.param]
    monkeypatch.setattr(BaseAdagrad, "_engine", engine)
    monkeypatch.setattr(fitted, "_CPU", engine)
    return engine


def skip_if_refused(engine, *arguments):
    """Some rules are for the processor only."""
    if hasattr(engine, "check_rule"):
        try:
            engine.check_rule(*arguments)
        except ValueError as error:
            pytest.skip(str(error))


def problem(n_rows=40, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = random_rows(rng, n_rows, N_FEATURES, 0.4, dtype)
    weights = rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)
    return X, random_targets(rng, AdagradRegressor, "squared_error", n_rows), weights


def test_an_engine_has_these_functions(engine):
    assert all(callable(getattr(engine, name)) for name in FUNCTIONS)


@pytest.mark.parametrize("nth", [0, 1])
@pytest.mark.parametrize(
    ("case", "batch_size"), [*((each, 1) for each in CASES), *((each, 0.2) for each in BATCHED)],
    ids=lambda each: name_of(each) if isinstance(each, tuple) else str(each),
)  # fmt: skip
def test_every_rule(engine, case, batch_size, nth):
    """The state of the eager oracle, and its predictions."""
    X, y, weights = problem()
    model = model_of(case, nth=nth, batch_size=batch_size)
    skip_if_refused(engine, model._rule(X.dtype))
    model = stream(model, X, y, sample_weight=weights)
    given = model.get_params() | {"loss": loss_object(AdagradRegressor, "squared_error")}
    begun = oracle.nothing(N_FEATURES, model.initial_accumulator_value)
    learnt = oracle.learn(begun, X.toarray(), y, weights, **given)
    np.testing.assert_allclose(model.coef_, learnt.coef, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(model.intercept_[0], learnt.intercept, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_, atol=1e-11)
    np.testing.assert_allclose(model.progressive_loss_, learnt.loss / learnt.mass, rtol=1e-10)
    assert model.t_ == learnt.t == np.count_nonzero(weights)


def test_where_a_stream_is_cut_makes_no_difference(engine):
    X, y, weights = problem()
    model = AdagradRegressor(lr=0.1, alpha=0.01, l1_ratio=0.5, lr_decay=0.01)
    parts = [slice(0, 1), slice(1, 17), slice(17, 40)]
    whole = stream(model_of(CASES[1]), X, y, sample_weight=weights)
    cut = stream(model_of(CASES[1]), X, y, parts, sample_weight=weights)
    assert bits(whole) == bits(cut)
    assert bits(stream(model, X, y, sample_weight=weights)) != bits(whole)


def test_a_row_out_of_range_is_named_and_not_learnt(engine):
    X, y, _ = problem()
    y[7] = 1e300
    model = AdagradRegressor(lr=0.1)
    with pytest.raises(FloatingPointError, match="row 7"):
        model.partial_fit(X, y)
    assert bits(model) == bits(AdagradRegressor(lr=0.1).partial_fit(X[:7], y[:7]))


def test_epochs_and_early_stopping(engine):
    X, y, _ = problem()
    labels = (y > 0).astype(int)
    model = AdagradClassifier(lr=0.1, early_stopping=True, max_iter=3, tol=None, random_state=0)
    model.fit(X, labels)
    assert len(model.validation_loss_curve_) == 3
    assert model.n_iter_ == 3
    assert model.loss_curve_[0] == pytest.approx(np.log(2), abs=0.2)
