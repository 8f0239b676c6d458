"""Rows that are learnt together."""

import numpy as np
import pytest
from common import all_bits, bits
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import fit, learn
from sklearn.base import clone
from stacks import BATCHED, name_of, rule_problems
from test_exactness import EPOCH, INTERRUPTIONS, cut, read_everything, with_ignored_rows
from test_rules_against_oracle import assert_same, expected

every_batched_case = pytest.mark.parametrize("case", BATCHED, ids=name_of)
SIZES = st.sampled_from([2, 7, 64, 0.1, 0.5, 0.99])
some = settings(max_examples=10, deadline=None)


def drawn(data, case, dtype=np.float64, **more):
    problem = data.draw(rule_problems(case, dtype, **more))
    problem["model"].set_params(batch_size=data.draw(SIZES))
    return problem


@every_batched_case
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_stream(case, data):
    """The state of the eager oracle, and its predictions: as if the last batch had ended."""
    problem = drawn(data, case)
    model = learn(problem)
    learnt = expected(model, *(problem[name] for name in ("X", "y", "sample_weight")))
    assert_same(model, learnt)
    scores = problem["X"] @ learnt.coef + learnt.intercept
    np.testing.assert_allclose(model.predict(problem["X"]), scores, rtol=1e-11, atol=1e-11)


@every_batched_case
@some
@given(data=st.data())
def test_chunks_rows_of_weight_zero_and_epochs(case, data):
    problem = drawn(data, case, data.draw(st.sampled_from([np.float32, np.float64])))
    whole = learn(problem)
    assert bits(learn(problem, cut(data, len(problem["y"])))) == bits(whole)
    padded = with_ignored_rows(data, problem)
    assert bits(learn(padded, cut(data, len(padded["y"])))) == bits(whole)
    assert bits(fit(problem, **EPOCH)) == bits(whole)
    twice = fit(problem, warm_start=True, **EPOCH)
    twice.fit(problem["X"], problem["y"], sample_weight=problem["sample_weight"])
    assert bits(twice) == bits(fit(problem, **EPOCH | {"max_iter": 2}))


@every_batched_case
@some
@given(data=st.data())
def test_reading_and_interruptions(case, data):
    problem = drawn(data, case)
    X, y, weights = problem["X"], problem["y"], problem["sample_weight"]
    interrupted = INTERRUPTIONS[data.draw(st.sampled_from(list(INTERRUPTIONS)))]
    model = clone(problem["model"])
    for part in cut(data, len(y)):
        model = interrupted(model).partial_fit(X[part].toarray(), y[part],
                                               sample_weight=weights[part])  # fmt: skip
        before = all_bits(model)
        read_everything(model, X, y)
        assert all_bits(model) == before
    assert bits(model) == bits(learn(problem))
