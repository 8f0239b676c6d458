"""Text in the format of SVMlight and LIBSVM: ``target index:value index:value``."""

from numbers import Integral
from typing import ClassVar

import numpy as np

from ..arithmetic.bytes import SIZE, marks, trailing_zeros
from ..arithmetic.jit import compiled, read_only
from ..hashing.hasher import FieldHasher
from ..hashing.numbers import HARD, POWERS, number_in
from ..hashing.plan import LONGEST
from .lines import FINE, FULL, LONG, Found, Lines

_FEED, _RETURN, _SPACE, _TAB, _COLON, _HASH = 10, 13, 32, 9, 58, 35
_NO_LABEL, _NO_PAIR, _NO_INDEX, _ORDER, _RANGE = range(LONG + 1, LONG + 6)


@compiled
def scan(data, first, stop, settings, powers, room):
    """Read rows of ``data[first:stop]`` into ``room``, until it or the text is at its end.

    ``settings``: the lowest index, the number of features, and whether to skip bad lines.
    """
    lowest, n_features, skip_bad = settings
    row, n_lines, n_bad, n_hard = 0, 0, 0, 0
    begin = start = first  # of the line, and of a token
    middle, comment, reason, where = -1, -1, FINE, 0  # a colon, a #
    has_label, used, before = False, 0, -1
    used_before = hard_before = 0
    for at in range(first, stop, SIZE):
        bits = marks(
            data, at, np.uint8(_SPACE), np.uint8(_TAB), np.uint8(_COLON), np.uint8(_HASH),
            np.uint8(_FEED), np.uint8(_RETURN),
        )  # fmt: skip
        if at + SIZE > stop:
            bits &= (np.uint64(1) << np.uint64(stop - at)) - np.uint64(1)
        while bits != np.uint64(0):
            k = at + trailing_zeros(bits)
            bits &= bits - np.uint64(1)
            byte = data[k]
            if byte == _COLON:
                if comment < 0 and middle < 0:
                    middle = k
                continue
            if k > start and comment < 0 and reason == FINE:  # a token
                where = start
                if not has_label:
                    room.firsts[row, 0], room.lasts[row, 0] = start, k
                    has_label = True
                    if middle >= 0:
                        reason = _NO_LABEL
                elif middle < 0:
                    reason = _NO_PAIR
                elif not (
                    middle - start == 3
                    and data[start] == 113 and data[start + 1] == 105 and data[start + 2] == 100
                ):  # fmt: skip  # qid
                    index, n = np.int64(0), start
                    while n < middle and 48 <= data[n] <= 57 and index < 2**32:
                        index = index * 10 + np.int64(data[n] - 48)
                        n += 1
                    index -= lowest
                    if n < middle or n == start:
                        reason = _NO_INDEX
                    elif index < 0 or index >= n_features:
                        reason = _RANGE
                    elif index <= before:
                        reason = _ORDER
                    elif used == len(room.hashes):
                        reason = FULL
                    else:
                        value, verdict = number_in(data, middle + 1, k, powers)
                        if verdict == HARD:
                            room.hard[n_hard, 0] = used
                            room.hard[n_hard, 1], room.hard[n_hard, 2] = middle + 1, k
                            n_hard += 1
                            value = 1.0
                        elif middle + 1 == k:
                            reason = _NO_PAIR
                        room.hashes[used], room.values[used] = index, value
                        used, before = used + 1, index
            start, middle = k + 1, -1
            if byte == _HASH and comment < 0:
                comment = k
            if byte not in (_FEED, _RETURN):
                continue
            if reason == FINE and used - used_before > LONGEST:
                reason, where = LONG, begin
            if reason == FULL:
                return Found(row, hard_before, begin, n_lines, n_bad, FULL, begin)
            if reason != FINE:
                if not skip_bad:
                    return Found(row, hard_before, begin, n_lines, n_bad, reason, where)
                n_bad += 1
            if reason != FINE or not has_label:
                used, n_hard = used_before, hard_before
            else:
                room.firsts[row, 1], room.lasts[row, 1] = 1, 0
                room.lines[row] = n_lines
                row += 1
                room.starts[row] = used
            n_lines += byte == _RETURN or data[k - 1] != _RETURN
            begin, has_label, before, comment, reason = k + 1, False, -1, -1, FINE
            used_before, hard_before = used, n_hard
            if row == len(room.lines):
                return Found(row, n_hard, begin, n_lines, n_bad, FINE, begin)
    return Found(row, hard_before, begin, n_lines, n_bad, FINE, begin)


class Svmlight(Lines):
    """Rows of files in the format of SVMlight and LIBSVM.

    They are those of :func:`sklearn.datasets.load_svmlight_file`: the features are numbered
    already, so nothing is hashed. Each has a target; comments behind ``#`` and query ids are passed
    over.

    Parameters
    ----------
    source : str, path, binary file, or list of them
        Where to read, as in :class:`Delimited`.
    n_features : int
        How many features there are, 1 to 2**31 - 1: a stream does not tell before its end.
    zero_based : bool, default=False
        Whether the first feature is 0 in the file, or 1 as is usual.
    dtype : dtype, default=numpy.float64
        Of the values: float64, or float32, which takes half the memory here and in the learner.
    on_bad_lines : {"error", "skip"}, default="error"
        What to do with a line that is not in this format, has an index that is out of range or not
        larger than the one before it, or a value that is not finite. ``n_bad_lines`` tells how many
        were skipped.
    compression, chunk_rows, read_ahead, cache
        As in :class:`Delimited`.

    Attributes
    ----------
    n_bad_lines : int
        How many lines the latest loop skipped.

    Raises
    ------
    ValueError
        If a parameter or a line is not as described. The message has the file and the line number.
    OSError
        If the source cannot be read.

    Examples
    --------
    >>> import io
    >>> from sklearn_adagrad.readers import Svmlight
    >>> file = io.BytesIO(b"+1 1:0.5 4:2\\n-1 2:1e-3\\n")
    >>> [(X.toarray().tolist(), y.tolist()) for X, y, _ in Svmlight(file, 4)]
    [([[0.5, 0.0, 0.0, 2.0], [0.0, 0.001, 0.0, 0.0]], [1.0, -1.0])]
    """

    _settings = ("zero_based",)
    _reasons: ClassVar = {
        _NO_LABEL: "there is no target before the features",
        _NO_PAIR: "a feature is not index:value",
        _NO_INDEX: "an index is no whole number",
        _ORDER: "the indices do not increase",
        _RANGE: "an index is not in the range that n_features and zero_based say",
    }

    def __init__(
        self, source, n_features, *, zero_based=False, dtype=np.float64, on_bad_lines="error",
        compression="infer", chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        if not isinstance(n_features, Integral):
            raise ValueError(f"n_features must be an integer, got {n_features!r}.")
        self.n_features, self.zero_based = n_features, zero_based
        super().__init__(
            source, FieldHasher(n_features, alternate_sign=False, dtype=dtype),
            on_bad_lines=on_bad_lines, compression=compression, chunk_rows=chunk_rows,
            read_ahead=read_ahead, cache=cache,
        )  # fmt: skip

    def _scan(self, window, room):
        settings = int(not self.zero_based), int(self.n_features), self.on_bad_lines == "skip"
        found = scan(
            read_only(window.data), window.first, window.stop, settings, read_only(POWERS), room
        )
        return found, None

    def _finish(self, entries, own):
        return int(np.diff(entries.starts).max(initial=0))
