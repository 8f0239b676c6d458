"""Sums that are the same in whatever order their numbers are added: in whole numbers.

A number is taken apart into three *limbs* of 32 bits, from the largest that it can be downwards.
Limbs are whole numbers, and 64 bits hold sums of two billion of them, so that no addition rounds.
What a number has below ``2**-94`` times the largest is cut off. This is a superaccumulator
(Kulisch, 1981) of which only the limbs that gradients of one batch need are kept.
"""

import math

import numpy as np

from .jit import inlined

LIMBS = 3
_LIMB = 2.0**32
_BITS = np.int64(32)
_LEAST = -900  # of an exponent: beyond it, the scale would be out of range


@inlined
def scale_of(largest):
    """What numbers of magnitude ``largest`` at most are multiplied by."""
    _, exponent = math.frexp(largest)
    return math.ldexp(1.0, 31 - (exponent if exponent > _LEAST else _LEAST))


@inlined
def limbs_of(number, scale):
    """The limbs of ``number``."""
    rest = np.float64(number) * scale
    high = np.int64(rest)
    rest = (rest - np.float64(high)) * _LIMB
    middle = np.int64(rest)
    rest = (rest - np.float64(middle)) * _LIMB
    return high, middle, np.int64(rest)


@inlined
def _carried(high, middle, low):
    """The same number, with limbs that are not negative but for the highest."""
    carried = low >> _BITS
    middle, low = middle + carried, low - (carried << _BITS)
    carried = middle >> _BITS
    return high + carried, middle - (carried << _BITS), low


@inlined
def number_of(high, middle, low, scale):
    """The number that is the sum of all whose limbs have these sums."""
    high, middle, low = _carried(high, middle, low)
    if high < 0:  # or a small number would be what remains of two large ones
        high, middle, low = _carried(-high, -middle, -low)
        scale = -scale
    whole = np.float64(high) + (np.float64(middle) + np.float64(low) / _LIMB) / _LIMB
    return whole / scale
