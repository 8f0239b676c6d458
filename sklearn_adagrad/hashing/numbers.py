"""Decimal numbers in text, exactly as ``float`` reads them."""

import numpy as np

from ..arithmetic.jit import compiled

_EXACT = 10.0 ** np.arange(23)  # the powers of ten that float64 holds exactly
_MANTISSA = 2**53  # whole numbers up to here too
_READ, _MISSING, _HARD = 0, 1, 2


@compiled
def _parse(ranges, column, powers, numbers, verdicts):
    """Read what is one exact multiplication or division away; the rest is hard.

    Source: William D. Clinger, How to read floating point numbers accurately, 1990, section 3.
    """
    data, firsts, lasts = ranges
    for i in range(len(firsts)):
        at, last = np.int64(firsts[i, column]), np.int64(lasts[i, column])
        numbers[i], verdicts[i] = np.nan, _MISSING
        if at >= last:
            continue
        negative = data[at] == 45
        at += negative or data[at] == 43
        whole, digits, behind, seen_point = np.int64(0), 0, 0, False
        while at < last:
            byte = data[at]
            if 48 <= byte <= 57 and digits < 18:
                whole = whole * 10 + np.int64(byte - 48)
                digits += 1
                behind += seen_point
            elif byte == 46 and not seen_point:
                seen_point = True
            else:
                break
            at += 1
        if at < last or digits == 0 or whole > _MANTISSA or behind > 22:
            verdicts[i] = _HARD
            continue
        number = np.float64(whole) / powers[behind]
        numbers[i], verdicts[i] = -number if negative else number, _READ


def read_numbers(ranges, column):
    """The texts of a column as float64, NaN for what is empty, missing or NaN.

    And which of them are no numbers.
    """
    n_rows = len(ranges.firsts)
    numbers, verdicts = np.empty(n_rows), np.empty(n_rows, np.uint8)
    _parse(ranges, column, _EXACT, numbers, verdicts)
    others = []
    for i in np.flatnonzero(verdicts == _HARD):
        text = text_of(ranges, column, i)
        try:
            numbers[i] = float(text.replace(b"_", b"?"))
        except ValueError:
            others.append(int(i))
    return numbers, others


def parse_numbers(ranges, column):
    """The texts of a column as float64; NaN for what is empty, missing or NaN."""
    numbers, others = read_numbers(ranges, column)
    if others:
        raise NotANumber(others[0], text_of(ranges, column, others[0]))
    return numbers


def text_of(ranges, column, row):
    """The bytes of one text."""
    return ranges.data[ranges.firsts[row, column] : ranges.lasts[row, column]].tobytes()


class NotANumber(ValueError):
    """``text`` in row ``row`` is not a number."""

    def __init__(self, row, text):
        super().__init__(row, text)
        self.row, self.text = row, text.decode(errors="replace")
