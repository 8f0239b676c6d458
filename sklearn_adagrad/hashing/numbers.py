"""Decimal numbers in text, exactly as ``float`` reads them."""

import numpy as np

from ..arithmetic.jit import compiled, inlined
from .refused import RowsRefused

POWERS = 10.0 ** np.arange(23)  # those of ten that float64 holds exactly
_MANTISSA = 2**53  # whole numbers up to here too
READ, MISSING, HARD = 0, 1, 2


@inlined
def number_in(data, first, last, powers):
    """The number that ``data[first:last]`` spells, and a verdict.

    Read is what is one exact multiplication or division away; the rest is hard.

    Source: William D. Clinger, How to read floating point numbers accurately, 1990, section 3.
    """
    at = first
    if at >= last:
        return np.nan, MISSING
    negative = data[at] == 45
    at += negative or data[at] == 43
    whole, digits, power, seen_point = np.int64(0), 0, 0, False
    while at < last:
        byte = data[at]
        if 48 <= byte <= 57 and digits < 18:
            whole = whole * 10 + np.int64(byte - 48)
            digits += 1
            power -= seen_point
        elif byte == 46 and not seen_point:
            seen_point = True
        else:
            break
        at += 1
    if at + 1 < last and digits > 0 and (data[at] | 32) == 101:  # e
        at += 1
        below = data[at] == 45
        at += below or data[at] == 43
        exponent, begin = 0, at
        while at < last and 48 <= data[at] <= 57 and at - begin < 4:
            exponent = exponent * 10 + np.int64(data[at] - 48)
            at += 1
        power += -exponent if below else exponent
        if at == begin:
            return np.nan, HARD
    if at < last or digits == 0 or whole > _MANTISSA or abs(power) > 22:
        return np.nan, HARD
    number = np.float64(whole)
    number = number / powers[-power] if power < 0 else number * powers[power]
    return -number if negative else number, READ


@compiled
def _parse(ranges, column, powers, numbers, verdicts):
    data, firsts, lasts = ranges
    for i in range(len(firsts)):
        first, last = np.int64(firsts[i, column]), np.int64(lasts[i, column])
        numbers[i], verdicts[i] = number_in(data, first, last, powers)


def spelt(texts):
    """The numbers that texts spell, and which of these are none."""
    numbers, others = np.full(len(texts), np.nan), []
    for n, text in enumerate(texts):
        try:
            numbers[n] = float(text.replace(b"_", b"?"))
        except ValueError:
            others.append(n)
    return numbers, others


def read_numbers(ranges, column):
    """The texts of a column as float64, NaN for what is empty, missing or NaN.

    And which of them are no numbers.
    """
    n_rows = len(ranges.firsts)
    numbers, verdicts = np.empty(n_rows), np.empty(n_rows, np.uint8)
    _parse(ranges, column, POWERS, numbers, verdicts)
    hard = np.flatnonzero(verdicts == HARD)
    numbers[hard], others = spelt([text_of(ranges, column, row) for row in hard])
    return numbers, hard[others].tolist()


def parse_numbers(ranges, column, what):
    """The texts of a column as float64; NaN for what is empty, missing or NaN.

    ``what`` the column is called if there is something else in it.
    """
    numbers, others = read_numbers(ranges, column)
    if others:
        text = text_of(ranges, column, others[0]).decode(errors="replace")
        raise RowsRefused(others, f"{what} is {text!r}, not a number")
    return numbers


def text_of(ranges, column, row):
    """The bytes of one text."""
    return ranges.data[ranges.firsts[row, column] : ranges.lasts[row, column]].tobytes()
