"""Sums in whole numbers are exact to what is cut off, whatever their order and sign."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_adagrad.arithmetic.exact import limbs_of, number_of, scale_of

NUMBERS = st.builds(
    lambda x, power: x * 2.0**-power, st.floats(-1, 1), st.sampled_from([0, 10, 30, 50, 80])
)


def total(numbers, largest=1.0):
    scale = scale_of(largest)
    limbs = np.sum([limbs_of(each, scale) for each in numbers], axis=0)
    return float(number_of(*map(np.int64, limbs), scale))


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_sums(numbers):
    exact = sum(map(Fraction, numbers))
    bound = len(numbers) * Fraction(2) ** -94 + abs(exact) * Fraction(2) ** -51
    assert abs(Fraction(total(numbers)) - exact) <= bound
    assert total(numbers[::-1]) == total(numbers) == -total([-each for each in numbers])


@pytest.mark.parametrize("rest", [2.0**-60 / 3, -(2.0**-60) / 3, 2.0**-85, -(2.0**-85)])
def test_what_remains_of_large_numbers(rest):
    assert total([1.0, rest, -1.0]) == pytest.approx(rest, rel=1e-10, abs=0)
