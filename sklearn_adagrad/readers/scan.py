"""Lines of fields, found 64 bytes at a time.

What is between separators is a field, what is between ends of lines a row. A field that begins
with a quote goes on to the next single one, over separators and ends of lines; two of them stand
for one. Where a text is no proper one, it is taken as pandas takes it.
"""

from typing import NamedTuple

import numpy as np

from ..arithmetic.bytes import SIZE, marks, trailing_zeros
from ..arithmetic.jit import compiled, inlined

_LINE_FEED, _RETURN, _SPACE, _TAB = 10, 13, 32, 9
NO_QUOTES = _LINE_FEED  # never seen as a quote: it ends the line first


class Style(NamedTuple):
    """How a text is written."""

    separator: int
    quote: int
    n_fields: int
    is_missing: int  # 1: an empty field is missing, 0: it is an empty text
    skip_bad: bool


class Found(NamedTuple):
    """What a scan found."""

    n_rows: int
    first: int  # where the next row begins
    n_lines: int  # that were passed
    n_bad: int  # rows that were skipped
    n_fields: int  # of a row that is not as it should be, where the scan stopped; or 0
    is_open: bool  # whether the text ended within quotes


@inlined
def _is_blank(data, first, last, separator):
    for k in range(first, last):
        if data[k] == separator or (data[k] != _SPACE and data[k] != _TAB):
            return False
    return True


@inlined
def _without_quotes(data, first, last, quote):
    """Take the quotes of ``data[first:last]`` away, in place. Returns where it ends then."""
    end, quoted, k = first, True, first + 1
    while k < last:
        byte = data[k]
        k += 1
        if quoted and byte == quote:
            quoted = k < last and data[k] == quote
            k += quoted
            if not quoted:
                continue
        data[end] = byte
        end += 1
    for k in range(end, last):  # no end of a line is to be counted twice
        data[k] = quote
    return end


@compiled
def scan(data, first, stop, style, firsts, lasts, lines):
    """Find the fields of rows in ``data[first:stop]``: ``firsts`` and ``lasts`` of all, row by row.

    It ends with the text or when ``lines`` is full: how many lines were before each row. Behind
    ``stop`` there must be 64 more bytes, and one before ``first``.
    """
    separator, quote = np.uint8(style.separator), np.uint8(style.quote)
    one, n_fields = np.uintp(1), np.uintp(style.n_fields)
    row, n_bad, n_lines, first_line = 0, 0, 0, 0
    begin = start = first  # of the row, and of the field
    of_row = field = np.uintp(0)  # among all fields: the first of the row, and the one that begins
    inside, quoted, closed = False, False, -1
    for at in range(first, stop, SIZE):
        bits = marks(data, at, separator, quote, np.uint8(_LINE_FEED), np.uint8(_RETURN))
        if at + SIZE > stop:
            bits &= (np.uint64(1) << np.uint64(stop - at)) - np.uint64(1)
        while bits != np.uint64(0):
            k = at + trailing_zeros(bits)
            bits &= bits - np.uint64(1)
            byte = data[np.uintp(k)]
            if byte == separator and not inside:
                if field - of_row < n_fields:
                    firsts[field], lasts[field] = start, k - style.is_missing * (k == start)
                field += one
                start = k + 1
                continue
            if byte in (_LINE_FEED, _RETURN):
                n_lines += byte == _RETURN or data[np.uintp(k - 1)] != _RETURN
                if inside:
                    continue
                if field == of_row and _is_blank(data, begin, k, separator):
                    begin = start = k + 1
                    first_line = n_lines
                    continue
                if field - of_row < n_fields:
                    firsts[field], lasts[field] = start, k - style.is_missing * (k == start)
                field += one
                if field - of_row == n_fields:
                    if quoted:
                        for n in range(of_row, field):
                            start, last = np.int64(firsts[n]), np.int64(lasts[n])
                            if last > start and data[start] == quote:
                                last = _without_quotes(data, start, last, quote)
                                lasts[n] = last - style.is_missing * (last == start)
                    lines[row] = first_line
                    row += 1
                    of_row = field
                elif style.skip_bad:
                    n_bad += 1
                else:
                    return Found(row, begin, first_line, n_bad, np.int64(field - of_row), False)
                begin = start = k + 1
                first_line, field, quoted = n_lines, of_row, False
                if row == len(lines):
                    return Found(row, begin, first_line, n_bad, np.int64(0), False)
            elif byte == quote:
                if inside:
                    inside, closed = False, k
                elif k == start:
                    inside = quoted = True
                elif closed == k - 1:
                    inside = True
    return Found(row, begin, first_line, n_bad, np.int64(0), inside)
