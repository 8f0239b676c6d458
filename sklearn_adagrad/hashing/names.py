"""The names behind columns, spelt in Python for a sample of rows."""

import re
from collections import Counter
from itertools import product
from typing import NamedTuple

import numpy as np

from .entries import code_of
from .kinds import Category, Number, Words
from .numbers import text_of

_WORD = re.compile(rb"[A-Za-z0-9_\x80-\xff]+")


class Name(NamedTuple):
    """The name of a feature: ``field=value``, one for each of the fields that are crossed."""

    parts: tuple
    is_minus: bool  # whether its hash is negative

    def __str__(self):
        return " & ".join(self.parts)


def names_in(plan, batches, columns):
    """For each of ``columns``, the ``Name``s that are hashed there, the most frequent first."""
    found = {int(column): Counter() for column in columns}
    for batch in batches:
        entries, _ = plan.entries(batch)
        fell = plan.columns_of(entries.hashes)
        hits = np.flatnonzero(np.isin(fell, list(found)) & (entries.values != 0))
        rows = np.searchsorted(entries.starts, hits, side="right") - 1
        spell = _speller(plan, batch)
        for k, row in zip(hits, rows, strict=True):
            parts, is_minus = spell(row)[k - entries.starts[row]], bool(entries.hashes[k] >> 31)
            found[fell[k]][Name(parts, is_minus)] += 1
    return {column: [name for name, _ in names.most_common()] for column, names in found.items()}


def _speller(plan, batch):
    """A function that spells the names of all entries of a row, in their order."""
    spellers = [_speller_of_field(field, batch) for field in plan.fields]

    def spell(row):
        of_fields = [spell_field(row) for spell_field in spellers]
        ordered = [of_fields[n] for n in (*plan.singles, *plan.bags)]
        crossed = (product(*(of_fields[n] for n in reversed(cross))) for cross in plan.crosses)
        names = [(name,) for names in ordered for name in names]
        return names + [parts[::-1] for combinations in crossed for parts in combinations]

    return spell


def _speller_of_field(field, batch):
    name, kind, position = field.name, field.kind, field.position
    form = batch.form(position) if isinstance(kind, Category) else "numbers"
    if isinstance(kind, Words):
        ranges, column = batch.texts(position)
        return lambda row: _spell_words(name, kind, text_of(ranges, column, row))
    if form == "texts":
        ranges, column = batch.texts(position)
        return lambda row: [f"{name}={text_of(ranges, column, row).decode(errors='replace')}"]
    if form == "codes":
        codes, values = batch.codes(position)
        return lambda row: [
            f"{name}={text_of(values, 0, code_of(codes, row)).decode(errors='replace')}"
        ]
    if form == "integers":
        integers, present = batch.integers(position)
        return lambda row: [f"{name}={integers[row] if present[row] else ''}"]
    numbers = batch.numbers(position)
    missing = np.isnan(numbers)
    if isinstance(kind, Number):
        return lambda row: [f"{name}=" if missing[row] else name]
    bins = kind.bins(np.where(missing, 0.0, numbers), field.edges)
    return lambda row: [f"{name}={'' if missing[row] else int(bins[row])}"]


def _spell_words(name, kind, text):
    words = [word.lower() for word in _WORD.findall(text)]  # of bytes: ASCII only
    grams = (
        b" ".join(words[first : first + n])
        for n in range(kind.fewest, kind.most + 1)
        for first in range(len(words) - n + 1)
    )
    return [f"{name}={gram.decode(errors='replace')}" for gram in grams] or [f"{name}="]
