"""The formats of files, by their names, and what a model remembers of the one it was trained on."""

import csv
import io
import json
import lzma
import zlib
from copy import copy
from itertools import islice
from pathlib import Path

from .._optional import optional
from ..readers import Arrow, Delimited, JsonLines, Parquet, Svmlight, VowpalWabbit, criteo
from ..readers.delimited import CRITEO
from ..readers.sources import opened, sources_of

_SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".json": "json",
    ".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow", ".svm": "svmlight",
    ".svmlight": "svmlight", ".libsvm": "svmlight", ".vw": "vw",
}  # fmt: skip
_PACKED = {".gz", ".xz", ".bz2", ".zst"}
NAMES = ("csv", "tsv", "criteo", "json", "parquet", "arrow", "svmlight", "vw")
WITH_HEADERS = {"csv", "tsv", "criteo", "parquet", "arrow"}
_UNREADABLE = (
    EOFError, OSError, StopIteration, ValueError, csv.Error, lzma.LZMAError, zlib.error,
)  # fmt: skip
_WITHOUT_COLUMNS = {"criteo", "svmlight", "vw"}


class UsageError(ValueError):
    """Options that make no sense."""


def format_of(sources):
    """The name of the format, by the end of the first source's name."""
    suffixes = [each.lower() for each in Path(sources[0]).suffixes if each.lower() not in _PACKED]
    if not suffixes or suffixes[-1] not in _SUFFIXES:
        raise UsageError(f"{sources[0]}: say what it is by --format, one of {', '.join(NAMES)}.")
    return _SUFFIXES[suffixes[-1]]


def described(given, sources):
    """What is to be remembered of the options that say how rows are read, as plain values."""
    form = given.format or format_of(sources)
    if form not in _WITHOUT_COLUMNS and given.target is None:
        raise UsageError(f"--target is missing: which column of the {form} is to be predicted?")
    if form in _WITHOUT_COLUMNS and (given.target or given.sample_weight):
        raise UsageError(f"--target and --sample-weight are for columns, which {form} has not.")
    if given.names and form not in ("csv", "tsv"):
        raise UsageError("--names is for csv and tsv without a header.")
    return {
        "format": form, "target": given.target, "sample_weight": given.sample_weight,
        "names": given.names.split(",") if given.names else None,
    }  # fmt: skip


def reader_of(how, sources, hasher, *, has_target=True, target_type=float, skip=False):
    """A reader of ``sources`` as ``described``."""
    form, names = how["format"], how["names"]
    options = {"on_bad_lines": "skip" if skip else "error"}
    if form == "vw":
        return VowpalWabbit(sources, hasher, is_labelled=has_target, **options)
    if form == "svmlight":
        return Svmlight(sources, hasher.n_features, dtype=hasher.dtype, **options)
    if form == "criteo":
        return criteo(sources, hasher, **options | ({} if has_target else {"target": None}))
    roles = {role: how[role] for role in ("target", "sample_weight") if how[role]}
    if has_target:
        options |= roles
    else:  # their columns may be there all the same
        ignored = dict.fromkeys(roles.values(), "ignore")
        hasher = copy(hasher).set_params(fields={**(hasher.fields or {}), **ignored})
    if form in ("csv", "tsv"):
        if names and not has_target:
            names = [name for name in names if name not in roles.values()]
        sep = "," if form == "csv" else "\t"
        return Delimited(sources, hasher, names=names, sep=sep, target_type=target_type, **options)
    return {"json": JsonLines, "parquet": Parquet, "arrow": Arrow}[form](sources, hasher, **options)


def table_of(path, how, n_rows):
    """The first rows of a file with columns for a hasher, without targets and weights."""
    form, roles = how["format"], {how["target"], how["sample_weight"]}
    if form in ("parquet", "arrow"):
        dataset = optional("pyarrow.dataset").dataset(sources_of(path)[0].name, format=form)
        table = dataset.head(n_rows)
        return table.drop_columns([name for name in table.schema.names if name in roles])
    if form in ("svmlight", "vw"):
        raise ValueError(f"--sample is for files with columns, which {form} has not.")
    try:
        return _rows_of(path, how, form, roles, n_rows)
    except _UNREADABLE as error:
        raise ValueError(f"{path} has no rows to take names from: {error!r}.") from error


def _rows_of(path, how, form, roles, n_rows):
    with opened(sources_of(path)[0], "infer") as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        if form == "json":
            rows = [json.loads(line) for line in islice(text, n_rows) if line.strip()]
            return [{k: v for k, v in row.items() if k not in roles} for row in rows]
        style = {"quoting": csv.QUOTE_NONE} if form == "criteo" else {}
        lines = csv.reader(text, delimiter="," if form == "csv" else "\t", **style)
        names = (CRITEO if form == "criteo" else how["names"]) or next(lines)
        roles |= {"label"} if form == "criteo" else set()
        return [
            {name: value for name, value in zip(names, row, strict=True) if name not in roles}
            for row in islice(lines, n_rows)
            if len(row) == len(names)
        ]
