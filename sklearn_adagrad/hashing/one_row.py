"""One row of fields becomes a sparse row by a single call of compiled code.

What is known beforehand, which is all but the values, is prepared once: see
``arithmetic.prepared``. The kernels are those that hash tables. Only values of the usual types are
taken here, and only if they are of the form that their field had in the row that this was made
of, or missing.
"""

from operator import is_, itemgetter
from struct import Struct, error

import numpy as np

from ..arithmetic.jit import compiled
from ..arithmetic.prepared import prepared
from ..input.rows import bits_of
from .entries import Entries, Ranges
from .kinds import Log, Number, Quantiles
from .rows import LANES, columns_of, layout_of, sort_rows

_SEPARATOR = 0
_ROOM = 4096  # bytes of texts
_PLAIN = frozenset({float, int, bool, np.float64, np.float32})  # what a number may be
_LARGEST = 2.0**63  # magnitudes beyond are left to others, who see that they are sound


@compiled
def arrange(data, sizes, absent, ranges, edges, starts, numbers, bins, present):
    """Find the texts between separators, and the bins of the first numbers by their ``edges``.

    ``sizes`` are the length of ``data``, and what becomes 1 if there are as many texts as there
    should be, and no number is too large.
    """
    last, n, n_texts, first = sizes[0], 0, len(absent), 0
    sizes[1] = 0
    if n_texts > 0:
        for at in range(last + 1):
            if at == last or data[at] == _SEPARATOR:
                if n == n_texts:
                    return 0
                ranges.firsts[0, n], ranges.lasts[0, n] = first, first - 1 if absent[n] else at
                first = at + 1
                n += 1
        if n < n_texts:
            return 0
    for k in range(numbers.shape[1]):
        if abs(numbers[0, k]) >= _LARGEST:
            return 0
    for k in range(len(starts) - 1):
        number = numbers[0, k]
        low, high = starts[k], starts[k + 1]
        while low < high:
            middle = (low + high) // 2
            if edges[middle] <= number:
                low = middle + 1
            else:
                high = middle
        bins[0, k], present[0, k] = low - starts[k], number == number
    sizes[1] = 1
    return 1


def _values_at(keys):
    """What takes the values at these keys out of a row, as a tuple."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda row: tuple(row[key] for key in keys)


def order_of(hasher):
    """The fields that ``fit`` saw, without those to ignore; None before ``fit``."""
    names = getattr(hasher, "feature_names_in_", None)
    if names is None:
        return None
    ignored = hasher._ignored()
    return tuple(name for name in names if name not in ignored)


class Form:
    """How rows look that have the fields of one row, and values of the same kinds.

    ``values`` are those of the one, ``hasher`` says what its fields are. ``of`` says whether rows
    of this form can be hashed one at a time by a ``Writer``.
    """

    @classmethod
    def of(cls, hasher, values):
        """The form, or None."""
        known = vars(hasher).copy()
        if values is None or values.n_rows > 1:
            return None
        plan = hasher._plan_of(values.names, values.forms)
        spelt = any(
            values.forms[field.position] == ("texts", "string")
            for field in plan.fields
            if field.kind.needs == "numbers"
        )
        is_in_order = tuple(values.names) == order_of(hasher)
        return None if plan.bags or spelt else cls(known, plan, values, is_in_order)

    def __init__(self, known, plan, values, is_in_order):
        self._known, self.plan, self.names = known, plan, values.names
        self.size, self._set = plan.size_of_row(), set(values.names)
        self._is_in_order = is_in_order
        self.columns = columns_of(plan.settings.n_features, known["alternate_sign"])
        self.texts, self.integers, self.ranked, self.logs, self.plain = [], [], [], [], []
        groups = {Quantiles: self.ranked, Log: self.logs, Number: self.plain}
        for n, field in enumerate(plan.fields):
            by_form = self.integers if values.form(field.position) == "integers" else self.texts
            groups.get(type(field.kind), by_form).append(n)
        # Sums of ones do not depend on their order, which that of the fields decides.
        self._any_order = not self.plain and known["interactions"] != "all"

    def is_of(self, hasher):
        """Whether the hasher is what it was."""
        now = vars(hasher)
        return len(now) == len(self._known) and all(map(is_, now.values(), self._known.values()))

    def has(self, row):
        """Whether a row has these fields, a dict by their names, a sequence in their order."""
        if type(row) is not dict:
            known = self._is_in_order and type(row) in (list, tuple)
            return known and len(row) == len(self.names)
        names = list(row)
        return names == self.names or (self._any_order and set(names) == self._set)

    def fits(self, rows):
        """Whether ``rows`` have room for one."""
        own = rows.indices.dtype, rows.values.dtype
        return own == (np.int32, self.plan.settings.dtype) and len(rows.indices) >= self.size

    def getters(self, fields):
        """What takes the values of these fields out of a dict, and out of a sequence."""
        places = [self.plan.fields[n].position for n in fields]
        return _values_at([self.names[place] for place in places]), _values_at(places)


class Writer:
    """Hashes one row of a ``form`` after the other, into ``rows``."""

    def __init__(self, form, rows):
        self._form, plan = form, form.plan
        ranked, logs, plain, texts, integers = (
            form.ranked, form.logs, form.plain, form.texts, form.integers,
        )  # fmt: skip
        self._texts, self._integers = form.getters(texts), form.getters(integers)
        self._numbers, self._has_integers = form.getters(ranked + logs + plain), bool(integers)
        n_bins = len(ranked) + len(logs)
        numbers = np.zeros((1, n_bins + len(plain)))
        bins = np.zeros((1, n_bins + len(integers)), np.int64)
        present = np.ones(bins.shape, bool)
        self._packed = Struct(f"{numbers.size}d"), memoryview(numbers[0])
        self._whole = Struct(f"{len(integers)}q"), memoryview(bins[0, n_bins:])
        self._present = present[0, n_bins:]
        by_log = slice(len(ranked), n_bins)
        self._logs = [each[0, by_log] for each in (numbers, bins, present)]
        self._log = Log(np.array([plan.fields[n].kind.per_octave for n in logs])) if logs else None
        data = np.zeros(_ROOM, np.uint8)
        self._data, self._sizes = memoryview(data), np.zeros(2, np.int64)
        self._absent, self._keep_missing = np.zeros(len(texts), bool), plan.settings.keep_missing
        ranges = Ranges(data, *(np.zeros((1, len(texts)), np.int32) for _ in range(2)))
        edges = [plan.fields[n].edges for n in ranked]
        starts = np.cumsum([0, *map(len, edges)], dtype=np.int64)
        size, dtype = form.size, rows.values.dtype
        entries = Entries(np.array([0, size]), np.empty(size, np.uint32), np.empty(size, dtype))
        layout = layout_of(form.columns.n_features, size)
        keys = np.empty(size * LANES, type(layout.normal))
        self._ends, self._indptr = rows.indptr, np.zeros(2, np.int64)
        rows, bits = rows._replace(indptr=self._indptr), bits_of(rows.values)
        infinity = bits_of(np.array([np.inf], dtype)).words[0]
        self._infinity = int(infinity)
        self._call = prepared(
            (
                arrange,
                (data, self._sizes, self._absent, ranges, np.concatenate([np.empty(0), *edges]),
                 starts, numbers, bins, present),
            ),
            *plan.calls(
                (texts, ranges),
                (ranked + logs + integers, bins, present),
                (plain, numbers[:, n_bins:]),
                entries,
            ),
            (
                sort_rows,
                (entries, form.columns, layout, keys, keys.view(f"f{keys.itemsize}"), rows, bits,
                 infinity, 0),
            ),
        )  # fmt: skip

    def hash(self, row):
        """Let ``rows`` hold this row, a dict or a sequence. Returns whether that was possible."""
        if not self._form.has(row):
            return False
        way = type(row) is not dict
        taken = (
            self._take_texts(self._texts[way](row))
            and self._take_numbers(self._numbers[way](row))
            and (not self._has_integers or self._take_integers(self._integers[way](row)))
        )
        if not (taken and self._call() < self._infinity and self._sizes[1]):
            return False
        self._ends[1] = self._indptr[1]
        return True

    def _take_texts(self, texts):
        try:
            text = "\0".join(texts)
            self._absent.fill(False)
        except TypeError:
            absent = [each is None for each in texts]
            try:
                text = "\0".join(["" if each is None else each for each in texts])
            except TypeError:
                return False
            if not self._keep_missing:
                self._absent[:] = absent
        try:
            text = text.encode()
        except UnicodeEncodeError:
            return False
        size = len(text)
        if size > _ROOM:
            return False
        self._data[:size] = text
        self._sizes[0] = size
        return True

    def _take_numbers(self, numbers):
        if not _PLAIN.issuperset(map(type, numbers)):
            numbers = [np.nan if each is None else each for each in numbers]
            if not _PLAIN.issuperset(map(type, numbers)):
                return False
        packed, memory = self._packed
        try:
            packed.pack_into(memory, 0, *numbers)
        except (error, OverflowError):
            return False
        if self._log is not None:
            logs, bins, present = self._logs
            present[:] = np.abs(logs) < _LARGEST
            bins[:] = self._log.bins(np.where(present, logs, 0.0), None)
        return True

    def _take_integers(self, integers):
        whole, memory = self._whole
        try:
            whole.pack_into(memory, 0, *integers)
            self._present.fill(True)
        except error:
            present = [each is not None for each in integers]
            try:
                whole.pack_into(memory, 0, *[0 if each is None else each for each in integers])
            except error:
                return False
            self._present[:] = present
        return True
