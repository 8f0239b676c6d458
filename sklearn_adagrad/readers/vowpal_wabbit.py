"""Vowpal Wabbit's text: ``label weight 'tag|namespace feature feature:value |namespace ...``."""

import itertools
from typing import ClassVar, NamedTuple

import numpy as np

from ..arithmetic.bytes import SIZE, marks, trailing_zeros
from ..arithmetic.jit import compiled, inlined, read_only
from ..arithmetic.murmur import WORD, Prefix, hash_of, load_word, mixed
from ..hashing.crosses import Crosses, Places, cross
from ..hashing.kinds import Ignored, kind_of
from ..hashing.numbers import HARD, POWERS, number_in
from ..hashing.plan import LONGEST
from .base import ROWS
from .lines import FINE, FULL, LONG, Found, Lines

_FEED, _RETURN, _SPACE, _TAB, _COLON, _PIPE, _QUOTE = 10, 13, 32, 9, 58, 124, 39
_EQUALS = 61
_BASE, _NO_NAME, _COLONS, _TWICE = range(LONG + 1, LONG + 5)
_LABEL, _NAMESPACE, _NAMESPACE_VALUE, _FEATURE, _VALUE = range(5)  # what is being read


class Namespaces(NamedTuple):
    """Namespaces that are special: their names, one behind the other, and which are left out."""

    text: np.ndarray  # uint8
    ends: np.ndarray  # int64
    ignored: np.ndarray  # bool


@inlined
def _prefix_in(data, first, last):
    """The ``Prefix`` of ``data[first:last]`` and an equals sign; of nothing if that is empty."""
    if first == last:
        return Prefix(np.uint32(0), np.uint64(0), 0)
    value, at = np.uint32(0), first
    while at + WORD <= last:
        value = mixed(value, load_word(data, at))
        at += WORD
    rest, shift = np.uint64(0), np.uint64(0)
    while at < last:
        rest |= np.uint64(data[at]) << shift
        shift += np.uint64(8)
        at += 1
    rest |= np.uint64(_EQUALS) << shift
    if shift == np.uint64(8 * (WORD - 1)):
        value, rest = mixed(value, np.uint32(rest)), np.uint64(0)
    return Prefix(value, rest, last - first + 1)


@inlined
def _which(data, first, last, special):
    """The number of the special namespace that is called so, or -1."""
    begin = 0
    for n in range(len(special.ends)):
        size = special.ends[n] - begin
        if size == last - first:
            same = True
            for k in range(size):
                same &= special.text[begin + k] == data[first + k]
            if same:
                return n
        begin = special.ends[n]
    return -1


@inlined
def _n_crossed(crosses, counts):
    """How many entries the crosses of a row have; beyond ``LONGEST``, at least one more."""
    starts, fields = crosses
    total = 0
    for n in range(len(starts) - 1):
        product = 1
        for m in range(starts[n], starts[n + 1]):
            product = min(product * counts[fields[m]], LONGEST + 1)
        total = min(total + product, LONGEST + 1)
    return total


@compiled
def scan(data, first, stop, skip_bad, special, crosses, powers, room, places, first_of_crosses):
    """Read rows of ``data[first:stop]`` into ``room``, until it or the text is at its end.

    ``places`` are those of the special namespaces. Room is left for crosses.
    """
    row, n_lines, n_bad, n_hard = 0, 0, 0, 0
    begin = start = first  # of the line, and of a token
    state, n_tokens, reason, where = _LABEL, 0, FINE, 0
    name_first = name_last = value_first = 0
    which, scale, prefix = -1, 1.0, Prefix(np.uint32(0), np.uint64(0), 0)
    scale_first = scale_last = -1  # of a scale that is hard to read
    used, used_before, hard_before = 0, 0, 0
    places.counts[0] = 0
    for at in range(first, stop, SIZE):
        bits = marks(
            data, at, np.uint8(_SPACE), np.uint8(_TAB), np.uint8(_COLON), np.uint8(_PIPE),
            np.uint8(_FEED), np.uint8(_RETURN),
        )  # fmt: skip
        if at + SIZE > stop:
            bits &= (np.uint64(1) << np.uint64(stop - at)) - np.uint64(1)
        while bits != np.uint64(0):
            k = at + trailing_zeros(bits)
            bits &= bits - np.uint64(1)
            byte = data[k]
            if state == _LABEL:
                if byte == _COLON:
                    continue
                is_tag = k > start and (data[start] == _QUOTE or byte == _PIPE)
                if k > start and not is_tag:
                    if n_tokens < 2:
                        room.firsts[row, n_tokens], room.lasts[row, n_tokens] = start, k
                    elif reason == FINE:
                        reason, where = _BASE, start
                    n_tokens += 1
                if byte == _PIPE:
                    state = _NAMESPACE
                start = k + 1
            elif state in (_NAMESPACE, _NAMESPACE_VALUE):
                if state == _NAMESPACE:
                    prefix, scale, scale_first = _prefix_in(data, start, k), 1.0, -1
                    which = _which(data, start, k, special)
                    if which >= 0:
                        count = places.counts[row, which]
                        if count == 0:
                            places.firsts[row, which] = used - used_before
                        elif places.firsts[row, which] + count != used - used_before:
                            reason, where = _TWICE, start
                elif byte != _COLON:
                    scale, verdict = number_in(data, start, k, powers)
                    if verdict == HARD:
                        scale, scale_first, scale_last = 1.0, start, k
                    if k == start:
                        reason, where = _COLONS, start
                if byte == _COLON:
                    if state == _NAMESPACE_VALUE:
                        reason, where = _COLONS, start
                    state = _NAMESPACE_VALUE
                else:
                    state = _NAMESPACE if byte == _PIPE else _FEATURE
                start = k + 1
            elif byte == _COLON:
                if state == _VALUE:
                    reason, where = _COLONS, start
                name_first, name_last, state, value_first = start, k, _VALUE, k + 1
                if k == start:
                    reason, where = _NO_NAME, start
            else:
                if k > start and reason == FINE:
                    value, verdict = 1.0, 0
                    if state == _FEATURE:
                        name_first, name_last = start, k
                    else:
                        value, verdict = number_in(data, value_first, k, powers)
                        if value_first == k:
                            reason, where = _COLONS, start
                    if which >= 0 and special.ignored[which]:
                        pass
                    elif used == len(room.hashes):
                        reason = FULL
                    else:
                        if verdict == HARD:
                            room.hard[n_hard, 0] = used
                            room.hard[n_hard, 1], room.hard[n_hard, 2] = value_first, k
                            n_hard += 1
                            value = 1.0
                        if scale_first >= 0:
                            room.hard[n_hard, 0] = used
                            room.hard[n_hard, 1], room.hard[n_hard, 2] = scale_first, scale_last
                            n_hard += 1
                        room.hashes[used] = hash_of(prefix, data, name_first, name_last)
                        room.values[used] = value * scale
                        used += 1
                        if which >= 0:
                            places.counts[row, which] += 1
                state, start = _NAMESPACE if byte == _PIPE else _FEATURE, k + 1
            if byte not in (_FEED, _RETURN):
                continue
            is_blank = n_tokens == 0 and state == _LABEL
            first_of_crosses[row] = used - used_before
            if reason == FINE:
                n_crossed = _n_crossed(crosses, places.counts[row])
                if used - used_before + n_crossed > LONGEST:
                    reason, where = LONG, begin
                elif used + n_crossed > len(room.hashes):
                    reason = FULL
                else:
                    used += n_crossed
            if reason == FULL:
                return Found(row, hard_before, begin, n_lines, n_bad, FULL, begin)
            if reason != FINE:
                if not skip_bad:
                    return Found(row, hard_before, begin, n_lines, n_bad, reason, where)
                n_bad += 1
            if reason != FINE or is_blank:
                used, n_hard = used_before, hard_before
            else:
                for n in range(n_tokens, 2):
                    room.firsts[row, n], room.lasts[row, n] = 1, 0
                room.lines[row] = n_lines
                row += 1
                room.starts[row] = used
            n_lines += byte == _RETURN or data[k - 1] != _RETURN
            begin, state, n_tokens, reason, which = k + 1, _LABEL, 0, FINE, -1
            used_before, hard_before = used, n_hard
            if row == len(room.lines):
                return Found(row, n_hard, begin, n_lines, n_bad, FINE, begin)
            for n in range(len(special.ends)):
                places.counts[row, n] = 0
    return Found(row, hard_before, begin, n_lines, n_bad, FINE, begin)


class VowpalWabbit(Lines):
    """Rows of files in Vowpal Wabbit's text format.

    A feature ``user`` of the namespace ``site`` is hashed as ``site=user``, as a value of a field
    of that name is by :class:`~sklearn_adagrad.FieldHasher`; without a namespace as ``user``. Its
    value is 1, or what stands behind the colon, times that of the namespace.

    Parameters
    ----------
    source : str, path, binary file, or list of them
        Where to read, as in :class:`Delimited`.
    hasher : FieldHasher
        Its fields are the namespaces. ``interactions`` crosses them, by their whole names: all
        features of the one with all of the other. ``fields`` may only say what to ignore.
    is_labelled : bool, default=True
        Whether lines have labels. Otherwise there are no ``y`` and no weights.
    on_bad_lines : {"error", "skip"}, default="error"
        What to do with a line that is not in this format, has no label, a bad weight or a value
        that is not finite. ``n_bad_lines`` tells how many were skipped.
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

    Notes
    -----
    The second number of a line is its weight. Tags are passed over. A third number, from where to
    learn, is refused, and so is a crossed namespace that comes twice on a line, apart from itself.
    Labels are taken as they are: -1 and 1 for two classes.

    Examples
    --------
    >>> import io
    >>> from sklearn_adagrad import FieldHasher
    >>> from sklearn_adagrad.readers import VowpalWabbit
    >>> log = io.BytesIO(b"1 2.0 'first|site a.com |user u7 u8\\n-1 |site b.org |user u7\\n")
    >>> hasher = FieldHasher(2**20, interactions=[("site", "user")])
    >>> [(X.nnz, y.tolist(), w.tolist()) for X, y, w in VowpalWabbit(log, hasher)]
    [(8, [1.0, -1.0], [2.0, 1.0])]
    """

    _settings = ("is_labelled",)
    _reasons: ClassVar = {
        _BASE: "there is a third number, from where to learn, which cannot be followed",
        _NO_NAME: "a feature has no name",
        _COLONS: "what is behind a colon is not one finite number",
        _TWICE: "a namespace that is crossed comes twice",
    }

    def __init__(
        self, source, hasher, *, is_labelled=True, on_bad_lines="error", compression="infer",
        chunk_rows=2**14, read_ahead=2, cache=None,
    ):  # fmt: skip
        self.is_labelled = is_labelled
        super().__init__(
            source, hasher, on_bad_lines=on_bad_lines, compression=compression,
            chunk_rows=chunk_rows, read_ahead=read_ahead, cache=cache,
        )  # fmt: skip
        _special_of(hasher)

    def _parts(self, sources):
        self._special = _special_of(self.hasher)
        return super()._parts(sources)

    @property
    def _is_labelled(self):
        return self.is_labelled

    def _scan(self, window, room):
        special, crosses = self._special
        shape = (ROWS, len(special.ends))
        places = Places(np.zeros(shape, np.int64), np.zeros(shape, np.int64))
        first_of_crosses = np.empty(ROWS, np.int64)
        found = scan(
            read_only(window.data), window.first, window.stop, self.on_bad_lines == "skip",
            special, crosses, read_only(POWERS), room, places, first_of_crosses,
        )  # fmt: skip
        return found, (crosses, places, first_of_crosses)

    def _finish(self, entries, own):
        crosses, places, first_of_crosses = own
        if len(crosses.starts) > 1:
            cross(crosses, places, first_of_crosses, entries)
        return int(np.diff(entries.starts).max(initial=0))


def _special_of(hasher):
    """The namespaces that are crossed or left out, and the crosses."""
    fields = dict(hasher.fields or {})
    for name, kind in fields.items():
        if not isinstance(kind_of(name, kind), Ignored):
            raise ValueError(
                f"fields[{name!r}] is {kind!r}, but namespaces can only be ignored: what they hold "
                "says itself what it is."
            )
    if isinstance(hasher.interactions, str):
        raise ValueError(
            'interactions="all" needs fields that are known before: name the namespaces.'
        )
    crossed = list(dict.fromkeys(itertools.chain(*hasher.interactions)))
    for name in crossed:
        if name in fields:
            raise ValueError(f"Namespace {name!r} is crossed and ignored.")
    names = [*crossed, *fields]
    encoded = [name.encode() for name in names]
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    text = np.frombuffer(b"".join(encoded) + b" ", np.uint8)
    ignored = np.array([name in fields for name in names], bool)
    return Namespaces(text, ends, ignored), Crosses.of(hasher._crosses(names))
