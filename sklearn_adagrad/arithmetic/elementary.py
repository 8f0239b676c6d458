"""``exp``, ``expm1``, ``log1p`` and ``compounded`` of numbers and of lanes.

The C library's functions take one number at a time. These take a few multiplications, are the
same for numbers and lanes, and are good to a few units in the last place.
"""

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils

from .jit import by_type, emits
from .lanes import Lanes, call, magnitude, of_each, splat, where

_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860682030941723212e-6  # 16 bits, and the rest
_LOG2_E = 1.4426950408889634
_LEAST = -40.0  # beyond, exp is below all rounding
_LOWEST, _LOWEST_LONG = -80.0, -700.0  # beyond, exp would have to be subnormal

# Taylor series, highest power first, as long as float32 (or else float64) needs them: of
# (exp(x) - 1 - x) / x**2 for |x| <= log(2) / 2, and of (artanh(s) / s - 1) / s**2 in s**2 for
# |s| <= 0.172; then of expm1 and of (log1p(x) - x) / x**2 for numbers below _NEAR.
_EXPM1 = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2)
_EXPM1_LONG = (1 / 6227020800, 1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320)
_EXPM1_LONG += _EXPM1
_ARTANH = (1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3)
_ARTANH_LONG = (1 / 21, 1 / 19, 1 / 17, 1 / 15, 1 / 13, *_ARTANH)
_NEAR = 2.0**-7
_EXPM1_NEAR, _EXPM1_NEAR_LONG = _EXPM1[3:], _EXPM1_LONG[6:]
_LOG1P_NEAR = (-1 / 4, 1 / 3, -1 / 2)
_LOG1P_NEAR_LONG = (-1 / 8, 1 / 7, -1 / 6, 1 / 5, *_LOG1P_NEAR)

# The same for ``compounded``, of log1p(share) / share for a share below _NEAR / 64, and of
# (exp(-x) - 1 + x) / x**2 for ``x`` below _NEAR.
_LOG1P_SHARE, _LOG1P_SHARE_LONG = (1 / 3, -1 / 2, 1.0), (-1 / 4, 1 / 3, -1 / 2, 1.0)
_EXPM1_TOTAL = (1 / 24, -1 / 6, 1 / 2)
_EXPM1_TOTAL_LONG = (1 / 720, -1 / 120, *_EXPM1_TOTAL)


def exp(x):
    """``exp(x)``; of lanes, for ``x <= 0``."""
    return np.exp(x)


def _exp_of_number(x):
    """The C library's, in a form that the compiler computes but once."""


@emits(_exp_of_number)
def _emit_exp(x):
    def emit(context, builder, args):
        return of_each(builder, "exp", *_converted(context, builder, x, args))

    return types.float64, emit


@by_type(exp)
def _choose_exp(x):
    if not isinstance(x, Lanes):
        return lambda x: _exp_of_number(x)
    coefficients = _EXPM1 if _is_short(x) else _EXPM1_LONG
    lowest = _LOWEST if _is_short(x) else _LOWEST_LONG

    def exp(x):
        x = where(x > lowest, x, lowest)
        n = _rounded(x * _LOG2_E)
        f = (x - n * _LN2_HIGH) - n * _LN2_LOW
        return _power_of_two(n) * (1.0 + (f + f * f * _polynomial(f, coefficients)))

    return exp


def expm1(x):
    """``exp(x) - 1`` for ``x <= 0``."""
    return np.expm1(x)


@by_type(expm1)
def _choose_expm1(x):
    short = _is_short(x)
    coefficients = _EXPM1 if short else _EXPM1_LONG
    near = _EXPM1_NEAR if short else _EXPM1_NEAR_LONG

    def expm1(x):
        if _all_small(x):
            return x + x * x * _polynomial(x, near)
        x = where(x > _LEAST, x, _LEAST)
        n = _rounded(x * _LOG2_E)
        f = (x - n * _LN2_HIGH) - n * _LN2_LOW
        power = _power_of_two(n)
        return power * (f + f * f * _polynomial(f, coefficients)) + (power - 1.0)

    return expm1


def log1p(x):
    """``log(1 + x)`` for ``x > -1``."""
    return np.log1p(x)


@by_type(log1p)
def _choose_log1p(x):
    short = _is_short(x)
    coefficients = _ARTANH if short else _ARTANH_LONG
    near = _LOG1P_NEAR if short else _LOG1P_NEAR_LONG

    def log1p(x):
        if _all_small(x):
            return x + x * x * _polynomial(x, near)
        n = _exponent(1.0 + x)
        power = _power_of_two(0.0 - n)
        f = x * power + (power - 1.0)
        s = f / (2.0 + f)
        z = s * s
        return n * _LN2_HIGH + (n * _LN2_LOW + 2.0 * (s + s * z * _polynomial(z, coefficients)))

    return log1p


def compounded(share, rows):
    """``1 - (1 + share) ** -rows``: what is lost of 1 by that many divisions by ``1 + share``."""
    return 0.0 - np.expm1(0.0 - rows * np.log1p(share))


@by_type(compounded)
def _choose_compounded(share, rows):
    short = _is_short(share)
    logarithm = _LOG1P_SHARE if short else _LOG1P_SHARE_LONG
    exponential = _EXPM1_TOTAL if short else _EXPM1_TOTAL_LONG

    def compounded(share, rows):
        x = share * rows
        if _all_small(x + share * 64.0):
            x = x * _polynomial(share, logarithm)
            return x - x * x * _polynomial(x, exponential)
        return 0.0 - expm1(0.0 - rows * log1p(share))

    return compounded


def _polynomial(x, coefficients):
    """A polynomial in ``x``, highest power first."""


@emits(_polynomial)
def _emit_polynomial(x, coefficients):
    def emit(context, builder, args):
        (x_value,) = _converted(context, builder, x, args[:1])
        flags, rest = ("contract",), cgutils.unpack_tuple(builder, args[1])
        rest = [_like(context, builder, each, x) for each in rest]
        y = rest[0]
        for each in rest[1:]:
            y = builder.fadd(builder.fmul(y, x_value, flags=flags), each, flags=flags)
        return y

    return _number(x), emit


def _like(context, builder, value, kind):
    """The float64 ``value`` as a number, or as lanes of ``kind``."""
    if not isinstance(kind, Lanes):
        return value
    return splat(builder, context.cast(builder, value, types.float64, kind.dtype), kind.size)


def _is_short(x):
    return isinstance(x, Lanes) and x.dtype == types.float32


def _number(x):
    """What a result is when ``x`` is a number or lanes: the numbers of float32 lanes stay so."""
    return x if isinstance(x, Lanes) else types.float64


def _words(kind):
    """The integers as wide as the numbers of ``kind``: LLVM's type, and how many bits follow
    the exponent, and the exponent of 1."""
    double = (kind.dtype if isinstance(kind, Lanes) else kind) == types.float64
    word = ir.IntType(64 if double else 32)
    words = ir.VectorType(word, kind.size) if isinstance(kind, Lanes) else word
    return words, (52, 1023) if double else (23, 127)


def _constant(words, value):
    if isinstance(words, ir.VectorType):
        return ir.Constant(words, [value] * words.count)
    return ir.Constant(words, value)


def _all_small(x):
    """Whether no lane of ``x`` is beyond ``_NEAR``, as it should mostly be."""


@emits(_all_small)
def _emit_all_small(x):
    def emit(context, builder, args):
        (value,) = _converted(context, builder, x, args)
        size = magnitude(builder, value)
        small = builder.fcmp_ordered("<", size, _constant(value.type, _NEAR))
        if isinstance(x, Lanes):
            bits = ir.IntType(x.size)
            small = builder.icmp_unsigned("==", builder.bitcast(small, bits), bits(-1))
        return call(builder, "llvm.expect.i1", ir.IntType(1), [small, ir.IntType(1)(1)])

    return types.boolean, emit


def _of_one(function):
    """Compile ``function`` to what is decorated, which emits it for a value of LLVM's."""

    def register(operate):
        @emits(function)
        def define(x):
            def emit(context, builder, args):
                (value,) = _converted(context, builder, x, args)
                return operate(builder, value, *_words(_number(x)))

            return _number(x), emit

        return operate

    return register


def _converted(context, builder, kind, args):
    return [context.cast(builder, value, kind, _number(kind)) for value in args]


def _rounded(x):
    """The nearest number without a fraction."""


@_of_one(_rounded)
def _emit_rounded(builder, value, words, layout):
    return of_each(builder, "rint", value)


def _power_of_two(n):
    """2 to the power of an ``n`` without a fraction."""


@_of_one(_power_of_two)
def _emit_power_of_two(builder, value, words, layout):
    shift, bias = layout
    exponent = builder.add(builder.fptosi(value, words), _constant(words, bias))
    return builder.bitcast(builder.shl(exponent, _constant(words, shift)), value.type)


def _exponent(x):
    """The ``n`` for which ``x / 2**n`` is between the root of 1/2 and that of 2; ``x > 0``."""


@_of_one(_exponent)
def _emit_exponent(builder, value, words, layout):
    shift, _ = layout
    root = int(np.float64(0.5**0.5).view(np.int64) if shift == 52
               else np.float32(0.5**0.5).view(np.int32))  # fmt: skip
    above = builder.sub(builder.bitcast(value, words), _constant(words, root))
    return builder.sitofp(builder.ashr(above, _constant(words, shift)), value.type)
