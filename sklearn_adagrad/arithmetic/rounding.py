"""Sums that stay right although each change is smaller than their last digit.

A float32 has 24 binary digits. A sum that is rounded to the nearest one ignores every change below
half its last digit: after ten million rows most steps of a frequent weight, but not the large
ones of rare classes, so that its mean drifts. Rounded up or down at random, in proportion to what
is cut off, the error of each change is zero on average (Connolly, Higham and Mary, 2021,
"Stochastic rounding and its probabilistic error analysis", section 2).

The sum of ``x``, ``change`` and a random number of up to half a last digit of ``x`` is rounded to
nearest, which is the same at three more instructions. The random numbers are a function of the
row's time and of the entry's place in the row: no generator is part of a model's state, and
results depend on nothing but the rows. Where a record is changed by no row in particular, they
are a function of the record. float64 needs none of this, nor does reading.
"""

import functools

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core.target_extension import current_target

from .jit import call_part, compiled_part, emits
from .lanes import SIZE, Lanes, call, index, splat

_I32, _F32, _F64 = ir.IntType(32), ir.FloatType(), ir.DoubleType()
_OTHERS = (0, 0x9E3779B9, 0, 0x9E3779B9)  # what makes another seed of one
_MIXES = (16, 0x85EBCA6B), (13, 0xC2B2AE35)  # MurmurHash3's finaliser of 32 bits
_ALONE = ("arcp",)  # of no effect on sums and products; without a flag, numba lets them be fused
_EXPONENT = 0x7F800000
_SMALL = (127 - 23) << 23  # the bits of 2**-23


def _seed_of(t):
    """32 random bits for row ``t``: the finaliser of MurmurHash3."""
    h = np.uint64(t)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return np.uint32(h >> np.uint64(32))


def noise_of(t, values):
    """Random numbers in (-0.5, 0.5) * 2**-23 for the lanes of row ``t``.

    Of two numbers and their opposites: errors of the features of a row cancel one another. None
    if ``values`` are float64.
    """
    if values.dtype == np.float64:
        return None
    with np.errstate(over="ignore"):
        seeds = _seed_of(t) ^ np.array(_OTHERS, np.uint32)
    small = (seeds >> np.uint32(9)) | np.uint32(_SMALL + 1)
    noise = small.view(np.float32) - np.float32(1.5 * 2**-23)
    return noise * np.array([1, 1, -1, -1], np.float32)


def noise_at(noise, place):
    """That of the entry at ``place`` of a row."""
    return None if noise is None else noise[int(place) % SIZE]


def add(x, change, noise):
    """``x + change``, rounded at random if there is ``noise``. A ``change`` of zero is none."""
    if noise is None:
        return x + change
    x = np.asarray(x, np.float32)
    power = (x.view(np.uint32) & np.uint32(_EXPONENT)).view(np.float32)
    dither = np.where(change == 0.0, 0.0, np.float64(power) * noise)
    return np.float32(np.float64(x) + (dither + change))[()]


def subtract(x, change, noise):
    """``x - change`` in the same way."""
    return x - change if noise is None else add(x, 0.0 - change, noise)


def product(a, b):
    """``a * b``, rounded: no compiler fuses it with a sum, so it can be made anywhere."""
    return a * b


def gathered(x, change, noise):
    """``x + change`` in the same way, by random numbers of ``x`` and the first of ``noise``.

    A sum that needs no rounding is exact: gradients that cancel one another leave nothing.
    """
    if noise is None:
        return x + change
    noise = noise_of_record(noise, x, _bits_of(noise))
    x, change = np.asarray(x, np.float32), np.asarray(change, np.float32)
    total = np.asarray(x + change)
    part = total - x
    lost = (x - (total - part)) + (change - part)  # Knuth: what the sum has been rounded by
    power = (total.view(np.uint32) & np.uint32(_EXPONENT)).view(np.float32)
    return (total + np.where(lost == 0, np.float32(0), lost + power * noise))[()]


def _bits_of(noise):
    return None if noise is None else np.asarray(noise, np.float32).view(np.uint32).ravel()[0]


def noise_of_record(noise, number, time):
    """Random numbers as ``noise`` has them, by a ``number`` and a ``time`` of the record."""
    if noise is None:
        return None
    with np.errstate(over="ignore"):
        bits = np.asarray(number, np.float32).view(np.uint32) ^ (time * np.uint32(_OTHERS[1]))
        for shift, factor in _MIXES:
            bits = (bits ^ (bits >> np.uint32(shift))) * np.uint32(factor)
    small = (bits >> np.uint32(9)) | np.uint32(_SMALL + 1)
    return (small.view(np.float32) - np.float32(1.5 * 2**-23))[()]


# --- compiled -------------------------------------------------------------------------------


def _emit_noise(builder, bits):
    """Floats in (-0.5, 0.5) * 2**-23 from vectors of random bits."""
    kind = bits.type
    like = ir.VectorType(_F32, kind.count) if isinstance(kind, ir.VectorType) else _F32
    small = builder.or_(builder.lshr(bits, _same(9, kind)), _same(_SMALL + 1, kind))
    return builder.fsub(builder.bitcast(small, like), _same(1.5 * 2**-23, like))


def _same(value, kind):
    """A constant number, or a vector of it."""
    return ir.Constant(kind, [value] * kind.count if isinstance(kind, ir.VectorType) else value)


@emits(noise_of)
def _noise_of(t, values):
    if values.dtype != types.float32:
        return types.none, lambda context, builder, args: context.get_dummy_value()
    part = compiled_part(_seed_of, (t,))

    def emit(context, builder, args):
        seeds = splat(builder, call_part(part, context, builder, args[:1]), SIZE)
        seeds = builder.xor(seeds, ir.Constant(seeds.type, _OTHERS))
        noise = _emit_noise(builder, seeds)
        signs = ir.Constant(noise.type, [1.0, 1.0, -1.0, -1.0])
        return builder.fmul(noise, signs)

    return Lanes(types.float32, SIZE), emit


@emits(noise_of_record)
def _noise_of_record(noise, number, time):
    if noise == types.none:
        return types.none, lambda context, builder, args: context.get_dummy_value()

    return number, lambda context, builder, args: _emit_noise_of(builder, *args[1:])


def _emit_noise_of(builder, number, time):
    words = time.type
    bits = builder.mul(time, _same(_OTHERS[1], words))
    bits = builder.xor(builder.bitcast(number, words), bits)
    for shift, factor in _MIXES:
        bits = builder.xor(bits, builder.lshr(bits, _same(shift, words)))
        bits = builder.mul(bits, _same(factor, words))
    return _emit_noise(builder, bits)


@emits(noise_at)
def _noise_at(noise, place):
    if noise == types.none:
        return types.none, lambda context, builder, args: context.get_dummy_value()

    def emit(context, builder, args):
        lane = builder.trunc(index(context, builder, place, args[1]), _I32)
        return builder.extract_element(args[0], builder.and_(lane, _I32(SIZE - 1)))

    return types.float32, emit


def _define(function, sign, flags=("contract",), own_noise=False):
    """Compile ``function``, which adds ``sign * change``.

    With ``own_noise``, noise is made of the sum and the first of ``noise``.
    """

    def sum_of(builder, value, change):
        operate = builder.fadd if sign > 0 else builder.fsub
        return operate(value, change, flags=flags)

    def of_lanes(context, builder, x, change, noise):
        if own_noise:
            return _emit_gathered(builder, x, change, noise)
        return builder.fadd(x, sum_of(builder, _dither(builder, x, noise, change), change))

    def of_numbers(context, builder, x, change, noise):
        dither = _dither(builder, x, noise, change)
        value, dither = (builder.fpext(each, _F64) for each in (x, dither))
        total = builder.fadd(value, sum_of(builder, dither, change))
        return builder.fptrunc(total, _F32)

    @emits(function)
    def define(x, change, noise):
        lanes = next((kind for kind in (x, change) if isinstance(kind, Lanes)), None)
        kinds = (x, change)
        number = types.float32 if kinds == (types.float32,) * 2 else types.float64
        number = lanes.dtype if lanes else number

        def as_number(context, builder, kind, value, number):
            if isinstance(kind, Lanes):
                return value
            value = context.cast(builder, value, kind, number)
            return splat(builder, value, lanes.size) if lanes else value

        def plainly(context, builder, args):
            values = zip(kinds, args[:2], strict=True)
            return sum_of(builder, *(as_number(context, builder, *each, number) for each in values))

        def at_random(context, builder, args):
            wide = types.float32 if own_noise else types.float64
            change_ = as_number(context, builder, change, args[1], number if lanes else wide)
            noise_ = args[2]
            if own_noise and isinstance(noise, Lanes):
                noise_ = builder.extract_element(noise_, _I32(0))
            plain = types.float32 if own_noise else noise
            noise_ = as_number(context, builder, plain, noise_, types.float32)
            emit = of_lanes if lanes or own_noise else of_numbers
            x_ = as_number(context, builder, x, args[0], lanes or types.float32)
            if own_noise:
                words = ir.VectorType(_I32, lanes.size) if lanes else _I32
                noise_ = _emit_noise_of(builder, x_, builder.bitcast(noise_, words))
            return emit(context, builder, x_, change_, noise_)

        if noise == types.none:
            return lanes or number, plainly
        return lanes or types.float32, at_random


def _dither(builder, x, noise, change):
    """``noise`` times the power of two in ``x``, and zero where there is no change.

    A choice between ``x`` and the sum would be stored under a mask, which some processors do in
    twenty times the time.
    """
    dither = _scaled(builder, x, noise)
    is_zero = builder.fcmp_ordered("==", change, ir.Constant(change.type, None))
    return builder.select(is_zero, ir.Constant(x.type, None), dither)


def _scaled(builder, x, noise):
    """``noise`` times the power of two in ``x``."""
    vector = isinstance(x.type, ir.VectorType)
    words = ir.VectorType(_I32, x.type.count) if vector else _I32
    power = builder.and_(builder.bitcast(x, words), _same(_EXPONENT, words))
    return builder.fmul(builder.bitcast(power, x.type), noise, flags=("contract",))


_define(add, 1)
_define(subtract, -1)
_define(gathered, 1, flags=_ALONE, own_noise=True)


def _alone(builder, operation, a, b):
    """Emit an operation that no compiler fuses with another one."""
    if current_target() == "cpu":
        return getattr(builder, f"f{operation}")(a, b, flags=_ALONE)
    if isinstance(a.type, ir.VectorType):
        result = ir.Constant(a.type, ir.Undefined)
        for n in range(a.type.count):
            pair = (builder.extract_element(each, _I32(n)) for each in (a, b))
            result = builder.insert_element(result, _alone(builder, operation, *pair), _I32(n))
        return result
    kind = "f" if a.type == _F32 else "d"
    return call(builder, f"__nv_{kind}{operation}_rn", a.type, [a, b])


def _emit_gathered(builder, x, change, noise):
    add, sub = (functools.partial(_alone, builder, each) for each in ("add", "sub"))
    total = add(x, change)
    part = sub(total, x)
    lost = add(sub(x, sub(total, part)), sub(change, part))
    nothing = ir.Constant(x.type, None)
    at_random = add(lost, _scaled(builder, total, noise))
    is_exact = builder.fcmp_ordered("==", lost, nothing)
    return add(total, builder.select(is_exact, nothing, at_random))


@emits(product)
def _product(a, b):
    lanes = next((kind for kind in (a, b) if isinstance(kind, Lanes)), None)
    number = types.float32 if (a, b) == (types.float32,) * 2 else types.float64
    number = lanes.dtype if lanes else number

    def emit(context, builder, args):
        values = []
        for kind, value in zip((a, b), args, strict=True):
            if not isinstance(kind, Lanes):
                value = context.cast(builder, value, kind, number)
                value = splat(builder, value, lanes.size) if lanes else value
            values.append(value)
        return _alone(builder, "mul", *values)

    return lanes or number, emit
