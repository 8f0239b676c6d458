"""Readers give the rows that the straightforward way gives, whatever the files look like."""

import bz2
import csv
import gc
import gzip
import io
import json
import lzma
import os
import re
import socket
import sys
import threading
import time
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.feature_extraction import FeatureHasher

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.readers import (
    Arrow,
    Delimited,
    JsonLines,
    Parquet,
    Svmlight,
    VowpalWabbit,
    criteo,
)

HASHER = FieldHasher(2**20)


class Dripping(io.RawIOBase):
    """A stream that gives a few bytes at a time, so that rows are cut wherever they can be."""

    def __init__(self, content, n_bytes):
        self._content, self._n_bytes = io.BytesIO(content), n_bytes

    def readable(self):
        return True

    def readinto(self, room):
        return self._content.readinto(memoryview(room)[: self._n_bytes])


def joined(reader):
    """All chunks of a reader as one."""
    X, y, sample_weight = zip(*reader, strict=True)
    y, sample_weight = (
        None if each[0] is None else np.concatenate(each) for each in (y, sample_weight)
    )
    return sparse.csr_array(sparse.vstack(X)), y, sample_weight


def same(a, b):
    return a.shape == b.shape and (a != b).nnz == 0


def by_pandas(content, hasher, **options):
    """What pandas reads, hashed: every column is of strings, an empty field is missing."""
    table = pd.read_csv(
        io.BytesIO(content), dtype=str, keep_default_na=False, na_values=[""], **options
    )
    return hasher.transform(table)


def has_blank_returns(content):
    """Whether a blank line ends with a lone return: pandas loses the separator behind it."""
    return re.search(rb"[\r\n][ \t]*\r(?!\n)", content)


# --- delimited text -----------------------------------------------------------------------------

words = st.text(st.sampled_from("ab,\"\n\r\t; 'é漢\\0"), max_size=9)
tables = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(words, min_size=n, max_size=n), min_size=1, max_size=8)
)


@given(
    rows=tables,
    sep=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    mark=st.sampled_from(["", "\ufeff"]),
    is_ended=st.booleans(),
    n_bytes=st.integers(1, 70),
    missing=st.sampled_from(["bucket", "ignore"]),
)
@settings(max_examples=300, deadline=None)
def test_written_tables_are_read_as_pandas_reads_them(
    rows, sep, end, quoting, mark, is_ended, n_bytes, missing
):
    if any(end in value for row in rows for value in row for end in "\r\n"):
        quoting = csv.QUOTE_ALL  # csv itself does not quote every end of a line
    text = io.StringIO()
    writer = csv.writer(text, delimiter=sep, lineterminator=end, quoting=quoting)
    writer.writerow([f"f{n}" for n in range(len(rows[0]))])
    writer.writerows(rows)
    content = (mark + (text.getvalue() if is_ended else text.getvalue().removesuffix(end))).encode()
    assume(not has_blank_returns(content))
    hasher = FieldHasher(2**20, missing=missing)
    expected = by_pandas(content, hasher, sep=sep)
    found = list(Delimited(Dripping(content, n_bytes), hasher, sep=sep, read_ahead=0))
    assert sum(len(X.indptr) - 1 for X, _, _ in found) == expected.shape[0]
    assert not found or same(joined(found)[0], expected)


@given(
    st.lists(
        st.sampled_from([b"a", b"b,", b",", b'"', b'""', b"\n", b"\r\n", b"\r", b" ", b"x,y\n"])
    ),
    st.integers(1, 9),
)
@settings(max_examples=500, deadline=None)
def test_any_text_that_is_read_is_read_as_by_pandas(pieces, n_bytes):
    content = b"f,g\n" + b"".join(pieces)
    assume(not has_blank_returns(content))
    try:
        found = list(Delimited(Dripping(content, n_bytes), HASHER, read_ahead=0))
    except ValueError:
        return  # of another number of fields, or with a quote that is never closed
    if found:
        assert same(joined(found)[0], by_pandas(content, HASHER))


def test_invalid_utf_8_is_hashed_as_it_is():
    content = b"f,g\n\xff\xfe,b\nc,\xc3\x28\n"
    table = pa.table({"f": [b"\xff\xfe", b"c"], "g": [b"b", b"\xc3\x28"]})
    assert same(joined(Delimited(io.BytesIO(content), HASHER))[0], HASHER.transform(table))


@pytest.mark.parametrize("n_bytes", [1, 7, 2**20])
def test_a_row_cut_at_every_byte(n_bytes):
    content = b'y,f,g,w\n1,"a,""b""\nc",d,2\r\n0,,e,1\n'
    X, y, w = joined(Delimited(Dripping(content, n_bytes), HASHER, target="y", sample_weight="w"))
    assert same(X, HASHER.transform({"f": ['a,"b"\nc', None], "g": ["d", "e"]}))
    assert y.tolist() == [1, 0]
    assert w.tolist() == [2, 1]


def test_a_very_long_line():
    long = b"x" * 100_000_000
    X, _, _ = joined(Delimited(io.BytesIO(b"f,g\na,b\n" + long + b",c\nd,e\n"), HASHER))
    assert same(X, HASHER.transform({"f": [b"a", long, b"d"], "g": [b"b", b"c", b"e"]}))


def test_kinds_of_fields_and_types_of_targets():
    content = b"y,site,age,text\nno,a,1e3,Big cats\nyes,b,,\n"
    fields = {"age": "log", "text": "words"}
    hasher = FieldHasher(2**20, fields=fields, interactions=[("site", "text")])
    X, y, w = joined(Delimited(io.BytesIO(content), hasher, target="y", target_type=str))
    table = {"site": ["a", "b"], "age": [1000.0, None], "text": ["Big cats", None]}
    assert same(X, hasher.transform(table))
    assert y.tolist() == ["no", "yes"]
    assert w is None
    quantiles = FieldHasher(2**20, fields={"age": "quantiles"})
    table = pd.DataFrame({"age": ["1", "2", "3"]})
    quantiles.fit(table)
    X, y, _ = joined(Delimited(io.BytesIO(b"age\n1\n2\n3\n"), quantiles))
    assert same(X, quantiles.transform(table))
    assert y is None


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"f,g\na,b\n\na\n", {}, "line 4: 1 fields, not 2"),
        (b"f,g\na,b\na,b,c\n", {}, "line 3: 3 fields, not 2"),
        (b'f,g\n"a\n",b\nc\n', {}, "line 4: 1 fields"),
        (b'f,g\na,b\n"a,b\nc,d\n', {}, "line 3: a quote is never closed"),
        (b'"f', {}, "line 1: a quote is never closed"),
        (b"f,f\na,b\n", {}, "2 columns are named 'f'"),
        (b"f,g\n1,b\nx,b\n", {"target": "f"}, r"line 3: the target .*is 'x', not a number"),
        (b"f,g\n1,b\n,b\n", {"target": "f"}, "line 3: the target is missing"),
        (b"f,g\n1,b\ninf,b\n", {"target": "f"}, "line 3: the target is infinite"),
        (b"f,g\n,b\n", {"target": "f", "target_type": str}, "line 2: the target is missing"),
        (
            b"f,g\r\n1,b\r\n-1,b\r\n",
            {"sample_weight": "f"},
            "line 3: the weight is -1.0, not a fin",
        ),
        (b"f,g\n1,b\n,b\n", {"sample_weight": "f"}, "line 3: the weight is missing"),
        (b"f,g\n1,b\n", {"target": "h"}, "target='h' is no column"),
        (b"\xff,g\n1,b\n", {}, "line 1: 'utf-8'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(content, options, message):
    with pytest.raises(ValueError, match=message):
        list(Delimited(io.BytesIO(content), HASHER, **options))


@pytest.mark.parametrize("n_bytes", range(1, 9))
def test_a_line_is_counted_once_wherever_it_is_cut(n_bytes):
    content = Dripping(b"f,g\r\n1,b\r\n-1,b\r\n", n_bytes)
    with pytest.raises(ValueError, match="line 3: the weight is"):
        list(Delimited(content, HASHER, sample_weight="f"))
    content = Dripping(b"1 1:1\r\n0 1:1\r\n1 1:x\r\n", n_bytes)
    with pytest.raises(ValueError, match="line 3: the value 'x'"):
        list(Svmlight(content, 3))


@pytest.mark.parametrize("number", ["x", "inf", "1e39"])
def test_numbers_that_cannot_be(number):
    content = f"y,n\n1,2\n0,{number}\n1,3\n".encode()
    hasher = FieldHasher(2**20, fields={"n": "number"}, dtype=np.float32)
    with pytest.raises(
        ValueError, match=r"line 3: (field 'n' is|it has a value that is too large)"
    ):
        list(Delimited(io.BytesIO(content), hasher, target="y"))
    reader = Delimited(io.BytesIO(content), hasher, target="y", on_bad_lines="skip")
    X, y, _ = joined(reader)
    assert same(X, hasher.transform({"n": [2.0, 3.0]}))
    assert y.tolist() == [1, 1]
    assert reader.n_bad_lines == 1


def test_bad_lines_are_skipped_and_counted():
    lines = [b"y,f,g", *(b"%d,a%d,b" % (n % 2, n) for n in range(10_000))]
    for n in (5, 77, 78, 9000):
        lines[n] = [b"1,a", b"1,a,b,c", b"x,a,b", b",a,b"][n % 4]
    reader = Delimited(io.BytesIO(b"\n".join(lines)), HASHER, target="y", on_bad_lines="skip")
    X, y, _ = joined(reader)
    assert X.shape[0] == len(y) == 9996
    assert reader.n_bad_lines == 4
    good = [
        line.decode().split(",") for n, line in enumerate(lines) if n not in (0, 5, 77, 78, 9000)
    ]
    assert same(X, HASHER.transform({"f": [row[1] for row in good], "g": [row[2] for row in good]}))
    only_bad = Delimited(io.BytesIO(b"f,g\na\nb\n"), HASHER, on_bad_lines="skip")
    assert list(only_bad) == []
    assert only_bad.n_bad_lines == 2


def test_columns_in_another_order_are_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"f,g\n1,2\n")
    (tmp_path / "b.csv").write_bytes(b"g,f\n1,2\n")
    with pytest.raises(ValueError, match=r"b.csv has the columns \['g', 'f'\], not \['f', 'g'\]"):
        list(Delimited(str(tmp_path / "*.csv"), HASHER))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": "ab"}, "sep must be one ASCII character"),
        ({"sep": "é"}, "sep must be"),
        ({"quotechar": "\n"}, "quotechar must be"),
        ({"quotechar": ","}, "sep and quotechar are both ','"),
        ({"on_bad_lines": "warn"}, "on_bad_lines must be one of 'error', 'skip'"),
        ({"target_type": int}, "target_type must be float or str"),
        ({"compression": "zip"}, "compression must be one of"),
        ({"chunk_rows": 0}, "chunk_rows must be an integer of at least 1, got 0"),
        ({"read_ahead": -1}, "read_ahead must be"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Delimited("log.csv", HASHER, **options)
    with pytest.raises(ValueError, match="hasher must be a FieldHasher"):
        Delimited("log.csv", FeatureHasher())


@pytest.mark.parametrize("chunk_rows", [1, 7, 2048, 5000, 2**20])
@pytest.mark.parametrize("read_ahead", [0, 1, 3])
def test_chunks_of_any_size(chunk_rows, read_ahead):
    lines = b"".join(b"%d,a%d\n" % (n % 2, n % 97) for n in range(6000 if chunk_rows > 7 else 40))
    options = {"target": "y", "names": ["y", "f"], "chunk_rows": chunk_rows}
    chunks = list(Delimited(io.BytesIO(lines), HASHER, read_ahead=read_ahead, **options))
    n_rows = lines.count(b"\n")
    assert [len(y) for _, y, _ in chunks] == [
        min(chunk_rows, n_rows - first) for first in range(0, n_rows, chunk_rows)
    ]
    values = [f"a{n % 97}" for n in range(n_rows)]
    assert same(joined(chunks)[0], HASHER.transform({"f": values}))


# --- where bytes come from ----------------------------------------------------------------------

CONTENT = b"y,f\n1,a\n0,b\n"
PACK = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2"])
def test_packed_files_and_where_they_are(suffix, tmp_path):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACK.get(suffix, bytes)(CONTENT))
    expected = HASHER.transform({"f": ["a", "b"]})
    for source in (path, str(path), str(tmp_path / "a.*"), [path], f"file://{path}"):
        assert same(joined(Delimited(source, HASHER, target="y"))[0], expected)
    X, _, _ = joined(Delimited([path, path], HASHER, target="y"))
    assert same(X, sparse.csr_array(sparse.vstack([expected, expected])))
    names = {"": None, ".gz": "gzip", ".xz": "xz", ".bz2": "bz2"}
    with path.open("rb") as file:
        reader = Delimited(file, HASHER, target="y", compression=names[suffix])
        assert same(joined(reader)[0], expected)
        assert not file.closed
        with pytest.raises(ValueError, match="a stream, which can be read once"):
            list(reader)


def test_zstandard(tmp_path):
    path, expected = tmp_path / "a.csv.zst", HASHER.transform({"f": ["a", "b"]})
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(CONTENT)
    for source in (path, f"file://{path}"):
        assert same(joined(Delimited(source, HASHER, target="y"))[0], expected)
    with path.open("rb") as file:
        reader = Delimited(file, HASHER, target="y", compression="zstd")
        assert same(joined(reader)[0], expected)
        assert not file.closed


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CONTENT)))
    assert joined(Delimited("-", HASHER, target="y"))[1].tolist() == [1, 0]


def test_memory_of_fsspec():
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://logs/a.csv", "wb") as file:
        file.write(CONTENT)
    assert joined(Delimited("memory://logs/a.csv", HASHER, target="y"))[1].tolist() == [1, 0]


def test_sources_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="No file matches"):
        list(Delimited(str(tmp_path / "*.csv"), HASHER))
    with pytest.raises(FileNotFoundError):
        list(Delimited(tmp_path / "a.csv", HASHER))
    with pytest.raises(ValueError, match="open as text"):
        list(Delimited(io.StringIO("f\na\n"), HASHER))
    with pytest.raises(ValueError, match="source must be a path"):
        list(Delimited(3, HASHER))
    cut = tmp_path / "a.csv.gz"
    cut.write_bytes(gzip.compress(CONTENT * 1000)[:-20])
    with pytest.raises(OSError, match=r"a.csv.gz cannot be read: Compressed file ended"):
        list(Delimited(cut, HASHER, target="y", on_bad_lines="skip"))
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    assert list(Delimited(empty, HASHER)) == []


# --- reading ahead ------------------------------------------------------------------------------


class Endless(io.RawIOBase):
    def __init__(self):
        self.n_read = 0

    def readable(self):
        return True

    def readinto(self, room):
        line = b"1,abc\n"
        n = len(room) // len(line) * len(line)
        memoryview(room)[:n] = line * (n // len(line))
        self.n_read += n
        return n


@pytest.mark.parametrize("read_ahead", [0, 1])
def test_a_thread_of_its_own_reads(read_ahead):
    class Watched(io.BytesIO):
        def readinto(self, room):
            self.thread = threading.current_thread()
            return super().readinto(room)

    stream = Watched(CONTENT)
    list(Delimited(stream, HASHER, target="y", read_ahead=read_ahead))
    assert (stream.thread is threading.current_thread()) == (read_ahead == 0)


def test_reading_ahead_stops_with_the_loop():
    before, stream = threading.active_count(), Endless()
    for _ in Delimited(stream, HASHER, names=["y", "f"], target="y"):
        break
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before
    n_read = stream.n_read
    time.sleep(0.05)
    assert stream.n_read == n_read < 2**24


def test_memory_stays_flat():
    how = {"names": ["y", "f"], "target": "y", "chunk_rows": 4096, "read_ahead": 0}
    taken = []
    tracemalloc.start()
    try:
        for n, _ in enumerate(Delimited(Endless(), HASHER, **how)):
            if n % 100 == 50:
                gc.collect()
                taken.append(tracemalloc.get_traced_memory()[0])
            if n == 250:
                break
    finally:
        tracemalloc.stop()
    assert taken[-1] < taken[0] + 100_000  # bytes, an eighth of one for each row between


def test_chunks_that_are_kept_keep_their_rows():
    """Their memory is taken for other rows when, and only when, nobody has them any longer."""
    lines = b"".join(b"%d,a%d,b%d\n" % (n % 2, n % 89, n % 97) for n in range(20_000))
    how = {"names": ["y", "f", "g"], "target": "y", "chunk_rows": 500}
    kept, rng = [], np.random.default_rng(0)
    for n, (X, _, _) in enumerate(Delimited(io.BytesIO(lines), HASHER, **how)):
        first = 500 * n
        parts = {
            "indices": X.indices,
            "data": X.data[3:],
            "rows": X[10:20],
            "view": memoryview(X.data),
        }
        name = str(rng.choice([*parts, "nothing"]))
        kept.append((name, first, parts.get(name)))
        del X, parts
    values = {name: [f"{name}{n % m}" for n in range(20_000)] for name, m in (("a", 89), ("b", 97))}
    whole = HASHER.transform({"f": values["a"], "g": values["b"]})
    for name, first, part in kept:
        X = whole[first : first + 500]
        expected = {
            "indices": X.indices,
            "data": X.data[3:],
            "rows": X[10:20].toarray(),
            "view": X.data,
        }
        found = part.toarray() if name == "rows" else part
        assert name == "nothing" or np.array_equal(found, expected[name])


class Odd(io.RawIOBase):
    """A stream that answers something else than how many bytes it has put."""

    def __init__(self, answer):
        self._answer = answer

    def readable(self):
        return True

    def readinto(self, room):
        return self._answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [(None, "has no bytes yet"), (10**9, "says that it read"), (-1, "says that it read -1")],
)
def test_streams_that_do_not_keep_their_word(answer, message):
    with pytest.raises(OSError, match=message):
        list(Delimited(Odd(answer), HASHER))


def test_a_pipe_is_read_as_it_comes():
    out, into = os.pipe()
    with os.fdopen(out, "rb") as stream, os.fdopen(into, "wb", buffering=0) as sink:
        sink.write(b"f\na\nb\n")
        chunks = iter(Delimited(stream, HASHER, chunk_rows=1, read_ahead=0))
        assert [next(chunks)[0].nnz for _ in range(2)] == [1, 1]  # the pipe is still open


def test_a_thread_that_cannot_start_is_none(monkeypatch):
    def refuse(self):
        raise RuntimeError("no more threads")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="no more threads"):
        list(Delimited(io.BytesIO(CONTENT), HASHER))


def test_chunks_larger_than_memory_take_what_there_is():
    ((X, _, _),) = Delimited(io.BytesIO(CONTENT), HASHER, chunk_rows=10**13)
    assert X.shape[0] == 2


def test_errors_of_the_thread_arrive():
    class Broken(Endless):
        def readinto(self, room):
            if self.n_read > 10_000:
                raise OSError("the cable was pulled")
            return super().readinto(room)

    with pytest.raises(OSError, match="the cable was pulled"):
        list(Delimited(Broken(), HASHER, names=["y", "f"], target="y"))


def test_learning_from_a_reader_is_learning_from_a_table(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"f": rng.integers(0, 50, 5000), "g": rng.integers(0, 9, 5000)}).astype(
        str
    )
    y = (rng.random(5000) < 0.3).astype(int)
    table.assign(y=y).to_csv(tmp_path / "log.csv", index=False)
    whole = AdagradClassifier(lr=0.1).partial_fit(HASHER.transform(table), y, [0, 1])
    model = AdagradClassifier(lr=0.1)
    for X, clicks, weight in Delimited(tmp_path / "log.csv", HASHER, target="y", chunk_rows=700):
        model.partial_fit(X, clicks, [0, 1], weight)
    assert np.array_equal(model.coef_, whole.coef_)


# --- Criteo -------------------------------------------------------------------------------------


def test_criteo():
    row = ["1", *map(str, range(13)), *(f"{n:08x}" for n in range(25)), ""]
    content = ("\t".join(row) + "\n").encode()
    fields = {f"I{n}": "log" for n in range(1, 14)}
    hasher = FieldHasher(2**22, fields=fields)
    reader = criteo(io.BytesIO(content), hasher)
    X, y, _ = joined(reader)
    table = {name: [value or None] for name, value in zip(reader.names[1:], row[1:], strict=True)}
    assert same(X, hasher.transform(table))
    assert y.tolist() == [1]


# --- svmlight -----------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.booleans(), st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_svmlight_is_read_as_scikit_learn_reads_it(seed, zero_based, n_bytes):
    rng = np.random.default_rng(seed)
    X = sparse.random_array((9, 7), density=0.4, rng=rng, format="csr")
    X.data *= 10.0 ** rng.integers(-30, 20, X.nnz)
    y, file = rng.normal(size=9).round(int(rng.integers(0, 17))), io.BytesIO()
    dump_svmlight_file(
        sparse.csr_matrix(X), y, file, zero_based=zero_based, comment="a: b" if seed % 2 else None
    )
    content = file.getvalue()
    expected, targets = load_svmlight_file(io.BytesIO(content), n_features=7, zero_based=zero_based)
    found, labels, _ = joined(Svmlight(Dripping(content, n_bytes), 7, zero_based=zero_based))
    assert same(found, sparse.csr_array(expected))
    assert np.array_equal(labels, targets)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2:1 2:3", "line 3: the indices do not increase"),
        ("1 3:1 2:3", "line 3: the indices do not increase"),
        ("1 9:1", "line 3: an index is not in the range"),
        ("1 0:1", "line 3: an index is not in the range"),
        ("1 a:1", "line 3: an index is no whole number"),
        ("1 :1", "line 3: an index is no whole number"),
        ("1 1:", "line 3: a feature is not index:value"),
        ("1 1", "line 3: a feature is not index:value"),
        ("1 1:x", "line 3: the value 'x' is no finite number"),
        ("1 1:nan", "line 3: the value 'nan' is no finite number"),
        ("1 1:1e999", "line 3: the value '1e999' is no finite number"),
        ("1:1 2:3", "line 3: there is no target"),
        ("x 2:3", "line 3: the target is 'x', not a number"),
    ],
)
def test_svmlight_errors(line, message):
    content = f"1 1:1 2:1 # x:y\n\n{line}\r\n-1 qid:3 2:1.5".encode()
    with pytest.raises(ValueError, match=message):
        list(Svmlight(io.BytesIO(content), 8))
    reader = Svmlight(io.BytesIO(content), 8, on_bad_lines="skip")
    X, y, _ = joined(reader)
    assert X.toarray()[:, :2].tolist() == [[1, 1], [0, 1.5]]
    assert y.tolist() == [1, -1]
    assert reader.n_bad_lines == 1


def test_svmlight_rows_of_many_features():
    line = "1 " + " ".join(f"{n}:{n}" for n in range(1, 300_001)) + "\n"
    X, _, _ = joined(Svmlight(io.BytesIO(line.encode() * 3), 300_000))
    assert (X.toarray() == np.arange(1, 300_001)).all()


# --- Vowpal Wabbit ------------------------------------------------------------------------------

names = st.text(st.sampled_from("abcdé_7="), min_size=1, max_size=12)
features = st.lists(
    st.tuples(names, st.sampled_from(["", ":2", ":0.25", ":1e-3", ":12345678901234567890"])),
    max_size=6,
)


@given(
    st.lists(
        st.lists(st.tuples(names, features), max_size=3, unique_by=lambda each: each[0]),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 50),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_vowpal_wabbit_rows_are_those_of_feature_hasher(rows, n_bytes, is_crossed):
    lines, pairs = [], []
    for n, row in enumerate(rows):
        line = f"{n} 0.5 'tag{n}"
        for namespace, found in row:
            line += f"|{namespace} " + "  ".join(name + value for name, value in found) + " "
        lines.append(line)
        pairs.append(
            [
                (f"{namespace}={name}", float(value[1:] or 1))
                for namespace, found in row
                for name, value in found
            ]
        )
    content = "\n".join(lines).encode()
    X, y, w = joined(VowpalWabbit(Dripping(content, n_bytes), HASHER))
    expected = FeatureHasher(2**20, input_type="pair").transform(pairs)
    assert np.allclose(X.toarray(), expected.toarray(), rtol=1e-15, atol=0)
    assert y.tolist() == list(range(len(rows)))
    assert (w == 0.5).all()


def test_vowpal_wabbit_crosses_are_those_of_fields():
    hasher = FieldHasher(2**20, fields={"w": "words"}, interactions=[("f", "w"), ("w", "f")])
    table = {"f": ["a", "b"], "w": ["x yy zzz", "x"]}
    lines = b"1 |f a |w x yy zzz\n-1 |w x |f b |skipped q:7\n"
    hashed = FieldHasher(2**20, fields={"skipped": "ignore"}, interactions=hasher.interactions)
    X, y, w = joined(VowpalWabbit(io.BytesIO(lines), hashed))
    assert same(X, hasher.transform(table))
    assert y.tolist() == [1, -1]
    assert w.tolist() == [1, 1]


def test_vowpal_wabbit_values_of_namespaces_and_features_without_one():
    lines = b"1 2 tag|n:0.5 a b:4 |n c | d e:0x\n1 3| d e:2\n2\n"
    with pytest.raises(ValueError, match="line 1: the value '0x' is no finite number"):
        list(VowpalWabbit(io.BytesIO(lines), HASHER))
    X, y, w = joined(VowpalWabbit(io.BytesIO(lines.replace(b"0x", b"2")), HASHER, chunk_rows=9))
    pairs = [
        [("n=a", 0.5), ("n=b", 2.0), ("n=c", 1.0), ("d", 1.0), ("e", 2.0)],
        [("d", 1.0), ("e", 2.0)],
        [],
    ]
    assert same(X, sparse.csr_array(FeatureHasher(2**20, input_type="pair").transform(pairs)))
    assert y.tolist() == [1, 1, 2]
    assert w.tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 3 |f a", "there is a third number"),
        ("|f a", "the target is missing"),
        ("x |f a", "the target is 'x', not a number"),
        ("1 -2 |f a", "the weight is -2.0, not a finite number of at least 0"),
        ("1 |f :2", "a feature has no name"),
        ("1 |f a:", "what is behind a colon"),
        ("1 |f a:1:2", "what is behind a colon"),
        ("1 |f:x a", "the value 'x' is no finite number"),
        ("1 |f: a", "what is behind a colon"),
        ("1 |f a |g b |f a", "a namespace that is crossed comes twice"),
    ],
)
def test_vowpal_wabbit_errors(line, message):
    hasher = FieldHasher(2**20, interactions=[("f", "g")])
    content = f"1 |f a |g b\n\n{line}\n0 |f b".encode()
    with pytest.raises(ValueError, match=f"line 3: {message}"):
        list(VowpalWabbit(io.BytesIO(content), hasher))
    reader = VowpalWabbit(io.BytesIO(content), hasher, on_bad_lines="skip")
    assert joined(reader)[1].tolist() == [1, 0]
    assert reader.n_bad_lines == 1


def test_vowpal_wabbit_parameters_of_the_hasher():
    with pytest.raises(ValueError, match='interactions="all" needs fields that are known'):
        VowpalWabbit("a.vw", FieldHasher(interactions="all"))
    with pytest.raises(ValueError, match="namespaces can only be ignored"):
        VowpalWabbit("a.vw", FieldHasher(fields={"f": "log"}))
    with pytest.raises(ValueError, match="Namespace 'f' is crossed and ignored"):
        VowpalWabbit("a.vw", FieldHasher(fields={"f": "ignore"}, interactions=[("f", "g")]))
    content = b"|f a\n|f b\n"
    X, y, w = joined(VowpalWabbit(io.BytesIO(content), HASHER, is_labelled=False))
    assert X.shape[0] == 2
    assert y is None
    assert w is None


def test_vowpal_wabbit_scales_that_are_hard_to_read():
    lines = b"1 |n:0.30000000000000004 a b:0.30000000000000004 |m:1e-30 c |k d\n"
    X, _, _ = joined(VowpalWabbit(io.BytesIO(lines), HASHER))
    scale = 0.30000000000000004
    pairs = [("n=a", scale), ("n=b", scale * scale), ("m=c", 1e-30), ("k=d", 1.0)]
    assert same(X, sparse.csr_array(FeatureHasher(2**20, input_type="pair").transform([pairs])))


@pytest.mark.parametrize("n_times", [55109, 2**16])  # products beyond 2**63, and of 0 in 64 bits
def test_crosses_of_too_many_features(n_times):
    row = b"1 " + b"".join(b"|%c " % name + b"x " * n_times for name in b"abcd") + b"\n"
    hasher = FieldHasher(2**20, interactions=[("a", "b", "c", "d")])
    content = b"0 |a x\n" + row + b"1 |a x\n" * 10
    with pytest.raises(ValueError, match="line 2: it has more than 16777216 features"):
        list(VowpalWabbit(io.BytesIO(content), hasher))
    reader = VowpalWabbit(io.BytesIO(content), hasher, on_bad_lines="skip")
    assert joined(reader)[1].tolist() == [0] + 10 * [1]
    assert reader.n_bad_lines == 1
    words = FieldHasher(
        2**20, fields=dict.fromkeys("abcd", "words"), interactions=hasher.interactions
    )
    text = b"a,b,c,d\nx,,,\n" + b",".join([b"x " * n_times] * 4) + b"\n"
    with pytest.raises(ValueError, match=r"line 3: it has .* features, more than 16777216"):
        list(Delimited(io.BytesIO(text), words))
    reader = Delimited(io.BytesIO(text), words, on_bad_lines="skip")
    assert joined(reader)[0].shape[0] == reader.n_bad_lines == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_that_end_with_returns(end):
    lines = [b"1 1:2", b"", b"0 2:1 # x", b"1 3:1"]
    for content in (end.join(lines), end.join(lines) + end):
        X, y, _ = joined(Svmlight(io.BytesIO(content), 3))
        assert X.toarray().tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 1]]
        assert y.tolist() == [1, 0, 1]
        content = content.replace(b" # x", b"").replace(b"0 2", b"0 | 2").replace(b"1 ", b"1 | ")
        assert joined(VowpalWabbit(io.BytesIO(content), HASHER))[1].tolist() == [1, 0, 1]
        with pytest.raises(ValueError, match="line 4: a feature is not"):
            list(Svmlight(io.BytesIO(content.replace(b"| ", b"").replace(b"3:1", b"3")), 3))


def test_values_that_overflow_are_bad_lines():
    hasher = FieldHasher(2**20, dtype=np.float32, interactions=[("a", "a")])
    content = b"1 |a x:1e20\n0 |a x:2\n"
    with pytest.raises(ValueError, match="line 1: it has a value that is too large for float32"):
        list(VowpalWabbit(io.BytesIO(content), hasher))
    reader = VowpalWabbit(io.BytesIO(content), hasher, on_bad_lines="skip")
    assert joined(reader)[1].tolist() == [0]
    crossed = FieldHasher(
        2**20, fields={"f": "number", "g": "number"}, dtype=np.float32, interactions=[("f", "g")]
    )
    content = b"y,f,g\n1,1e20,1e20\n0,1,1\n1,1e39,0\n"
    reader = Delimited(io.BytesIO(content), crossed, target="y", on_bad_lines="skip")
    assert joined(reader)[1].tolist() == [0]
    assert reader.n_bad_lines == 2


# --- tables by column, and JSON -----------------------------------------------------------------

TABLE = pa.table(
    {
        "y": [1, 0, 1, 0],
        "site": ["a", None, "b", "a"],
        "age": [1.5, 2.0, None, 4.0],
        "w": [1.0, 2.0, 3.0, 4.0],
    }
)


def written(kind, path, table):
    if kind == "parquet":
        pyarrow.parquet.write_table(table, path, row_group_size=3)
    elif kind == "stream":
        with pyarrow.ipc.new_stream(path, table.schema) as sink:
            sink.write_table(table)
    else:
        with pyarrow.ipc.new_file(path, table.schema) as sink:
            sink.write_table(table, max_chunksize=3)
    return Parquet if kind == "parquet" else Arrow


@pytest.mark.parametrize("kind", ["parquet", "arrow", "stream"])
def test_tables_by_column(kind, tmp_path):
    reader = written(kind, str(tmp_path / "a"), TABLE)
    expected = HASHER.transform(TABLE.select(["site", "age"]))
    roles = {"target": "y", "sample_weight": "w"}
    for source in (tmp_path / "a", f"file://{tmp_path}/a", (tmp_path / "a").open("rb")):
        X, y, w = joined(reader(source, HASHER, **roles))
        assert same(X, expected)
        assert y.tolist() == [1, 0, 1, 0]
        assert w.tolist() == [1, 2, 3, 4]
    if hasattr(source, "close"):
        source.close()
    missing = TABLE.set_column(0, "y", pa.array([1.0, None, 0.0, 1.0]))
    written(kind, str(tmp_path / "b"), missing)
    with pytest.raises(ValueError, match="row 1: the target is missing"):
        list(reader(tmp_path / "b", HASHER, **roles))
    skipping = reader(tmp_path / "b", HASHER, **roles, on_bad_lines="skip")
    X, y, w = joined(skipping)
    assert same(X, expected[[0, 2, 3]])
    assert w.tolist() == [1, 3, 4]
    assert skipping.n_bad_lines == 1
    with pytest.raises(ValueError, match="sample_weight='site' is a column of type"):
        list(reader(tmp_path / "a", HASHER, sample_weight="site"))
    with pytest.raises(ValueError, match="target='z' is no column"):
        list(reader(tmp_path / "a", HASHER, target="z"))
    (tmp_path / "c").write_bytes((tmp_path / "a").read_bytes()[:-30])
    with pytest.raises(OSError, match="c cannot be read"):
        list(reader(tmp_path / "c", HASHER))


def test_numbers_that_cannot_be_in_a_table(tmp_path):
    table = pa.table({"y": [1, 0, 1], "n": [1.0, np.inf, 3.0]})
    written("parquet", str(tmp_path / "a"), table)
    with pytest.raises(ValueError, match="a, row 1: field 'n' is inf"):
        list(Parquet(tmp_path / "a", HASHER, target="y"))
    reader = Parquet(tmp_path / "a", HASHER, target="y", on_bad_lines="skip")
    X, y, _ = joined(reader)
    assert X.data.tolist() == HASHER.transform({"n": [1.0, 3.0]}).data.tolist()
    assert y.tolist() == [1, 1]


@pytest.mark.parametrize(
    "target", [pa.array([[1]]), pa.array([1], pa.timestamp("s")), pa.array([{"a": 1}])]
)
def test_targets_that_are_none(target, tmp_path):
    written("parquet", str(tmp_path / "a"), pa.table({"y": target, "f": ["a"]}))
    with pytest.raises(ValueError, match="target='y' is a column of type"):
        list(Parquet(tmp_path / "a", HASHER, target="y"))


def test_types_that_change_between_files(tmp_path):
    written("parquet", str(tmp_path / "a"), pa.table({"f": ["1"]}))
    written("parquet", str(tmp_path / "b"), pa.table({"f": [1]}))
    with pytest.raises(ValueError, match="b, row 0: 'f' has numbers here and others before"):
        list(Parquet([tmp_path / "a", tmp_path / "b"], HASHER))
    written("parquet", str(tmp_path / "b"), pa.table({"f": pa.array([b"1"], pa.large_binary())}))
    X, _, _ = joined(Parquet([tmp_path / "a", tmp_path / "b"], HASHER))
    assert X.indices[0] == X.indices[1]


def test_arrow_from_a_pipe():
    out, into = os.pipe()
    with os.fdopen(into, "wb") as sink, pyarrow.ipc.new_stream(sink, TABLE.schema) as stream:
        stream.write_table(TABLE)
    with os.fdopen(out, "rb") as stream:
        _, y, _ = joined(Arrow(stream, HASHER, target="y"))
    assert y.tolist() == [1, 0, 1, 0]


def test_names_that_are_many_and_dictionaries_that_grow(tmp_path):
    rng = np.random.default_rng(0)
    table = pa.table(
        {"f": [f"v{n}" for n in rng.zipf(1.3, 70_000)], "y": rng.integers(0, 2, 70_000)}
    )
    pyarrow.parquet.write_table(table, tmp_path / "a", row_group_size=30_000)
    X, y, _ = joined(Parquet(tmp_path / "a", HASHER, target="y"))
    assert same(X, HASHER.transform(table.select(["f"])))
    assert np.array_equal(y, table.column("y").to_numpy())


def test_json_lines():
    rows = [{"y": n % 2, "site": f"s{n}", "age": n / 2, "day": "2026-01-01"} for n in range(5000)]
    del rows[3]["age"]
    rows[5]["site"] = None
    content = "\n\n".join(map(json.dumps, rows)).encode()
    table = pd.DataFrame(rows).drop(columns="y")
    for n_bytes in (1000, 2**20):
        X, y, _ = joined(JsonLines(Dripping(content, n_bytes), HASHER, target="y"))
        assert same(X, HASHER.transform(table))
        assert y.tolist() == [row["y"] for row in rows]
    some = JsonLines(io.BytesIO(content), HASHER, target="y", names=["y", "site"])
    assert same(joined(some)[0], HASHER.transform(table[["site"]]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"y": 1', "line 3: Expecting ',' delimiter, at character 8"),
        (b"[1]", "line 3: it is no JSON object"),
        (b'{"y": null, "f": "a"}', "line 3: the target is missing"),
        (b'{"y": 1} {"y": 0}', "line 3: Extra data"),
    ],
)
def test_json_errors(line, message):
    content = b'{"y": 1, "f": "a"}\n\n' + line + b'\n{"y": 0, "f": "b"}'
    with pytest.raises(ValueError, match=message):
        list(JsonLines(io.BytesIO(content), HASHER, target="y"))
    reader = JsonLines(io.BytesIO(content), HASHER, target="y", on_bad_lines="skip")
    assert joined(reader)[1].tolist() == [1, 0]
    assert reader.n_bad_lines == 1


def test_json_blocks_of_bad_lines_only():
    reader = JsonLines(io.BytesIO(b"bad\n{\n"), HASHER, on_bad_lines="skip")
    assert list(reader) == []
    assert reader.n_bad_lines == 2
    deep = b'{"f": ' + b"[" * 100_000 + b"\n"
    for line in (deep, b'{"f": "a", "f": "b"}\n', b'{"f": "' + b"\\u12" + b'"}\n'):
        reader = JsonLines(io.BytesIO(b'{"f": "a"}\n' + line), HASHER, on_bad_lines="skip")
        assert joined(reader)[0].nnz == 1
        assert reader.n_bad_lines == 1
    with pytest.raises(ValueError, match="there are no keys"):
        list(JsonLines(io.BytesIO(b"{}\n{}\n"), HASHER))


def test_json_keys_that_change():
    first = b'{"f": "a"}\n' * 60_000
    with pytest.raises(ValueError, match="there is a new key 'g': say with names"):
        list(JsonLines(Dripping(first + b'{"f": "a", "g": 1}\n', len(first)), HASHER))
    for n_bytes in (len(first), 10 * len(first)):
        with pytest.raises(
            ValueError, match=r"changed from string to number|numbers here and others"
        ):
            list(JsonLines(Dripping(first + b'{"f": 1}\n' * 60_000, n_bytes), HASHER))


@pytest.mark.parametrize("n_bytes", [1, 15, 100])
def test_json_keys_do_not_depend_on_how_a_pipe_is_filled(n_bytes):
    content = b'{"y": 1, "a": 1}\n{"y": 0, "a": 1, "b": "x"}\n'
    X, _, _ = joined(JsonLines(Dripping(content, n_bytes), HASHER, target="y"))
    assert X.nnz == 4  # b is missing in the first line


# --- the cache ----------------------------------------------------------------------------------


def log_of(path, n_rows=5000, shift=0):
    path.write_bytes(b"y,f\n" + b"".join(b"%d,a%d\n" % (n % 2, n + shift) for n in range(n_rows)))
    return path


def test_a_cache_gives_the_same_chunks(tmp_path):
    log, cache = log_of(tmp_path / "log.csv"), tmp_path / "rows.arrow"
    log.write_bytes(log.read_bytes() + b"bad\n")

    def reader(**options):
        how = {"target": "y", "chunk_rows": 1000, "on_bad_lines": "skip"} | options
        return Delimited(log, HASHER, cache=cache, **how)

    first, time_made = reader(), None
    for again in (first, reader(), first):
        X, y, w = joined(again)
        assert same(X, HASHER.transform({"f": [f"a{n}" for n in range(5000)]}))
        assert y.tolist() == [n % 2 for n in range(5000)]
        assert w is None
        assert again.n_bad_lines == 1
        assert time_made in (None, cache.stat().st_mtime_ns)
        time_made = cache.stat().st_mtime_ns
    assert sorted(os.listdir(tmp_path)) == ["log.csv", "rows.arrow"]


def test_bad_lines_behind_the_last_chunk_are_counted(tmp_path):
    log, cache = log_of(tmp_path / "log.csv", 2048), tmp_path / "rows.arrow"
    log.write_bytes(log.read_bytes() + b"bad\n")
    how = {"target": "y", "chunk_rows": 2048, "on_bad_lines": "skip", "cache": cache}
    for _ in range(2):
        reader = Delimited(log, HASHER, **how)
        assert len(list(reader)) == reader.n_bad_lines == 1


def test_loops_beside_each_other_make_a_cache_each(tmp_path):
    log, cache = log_of(tmp_path / "log.csv"), tmp_path / "rows.arrow"
    reader = Delimited(log, HASHER, target="y", chunk_rows=1000, cache=cache)
    other = Delimited(log, FieldHasher(2**19), target="y", chunk_rows=1000, cache=cache)
    for _ in reader:
        assert len(list(other)) == 5
    assert same(joined(reader)[0], joined(Delimited(log, HASHER, target="y"))[0])
    assert sorted(os.listdir(tmp_path)) == ["log.csv", "rows.arrow"]


def test_a_cache_knows_the_settings_of_the_loop(tmp_path):
    log, cache = tmp_path / "log.csv", tmp_path / "rows.arrow"
    log.write_bytes(b"y,u,f\n1,0,a\n")
    reader = Delimited(log, FieldHasher(2**20, fields={"f": "words"}), target="y", cache=cache)
    assert joined(reader)[1].tolist() == [1]
    reader.target = "u"
    assert joined(reader)[1].tolist() == [0]


def test_targets_in_a_cache_are_of_one_type(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"y": 1, "f": "a"}\n' * 80_000 + b'{"y": 0.5, "f": "a"}\n' * 80_000)
    reader = JsonLines(log, HASHER, target="y", cache=tmp_path / "rows.arrow")
    for _ in range(2):
        assert joined(reader)[1].tolist() == [1.0] * 80_000 + [0.5] * 80_000


def test_a_source_without_a_time_is_not_kept(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://logs/b.csv", "wb") as file:
        file.write(CONTENT)
    reader = Delimited("memory://logs/b.csv", HASHER, target="y", cache=tmp_path / "rows.arrow")
    with pytest.raises(ValueError, match="it has no size and no time"):
        list(reader)


@pytest.mark.parametrize("change", ["file", "time", "setting", "hasher", "quantiles"])
def test_a_cache_of_something_else_is_made_anew(change, tmp_path):
    log, cache = log_of(tmp_path / "log.csv"), tmp_path / "rows.arrow"
    fields = {"f": "quantiles"} if change == "quantiles" else None
    if fields:
        log.write_bytes(log.read_bytes().replace(b"a", b""))
    hasher = FieldHasher(2**20, fields=fields)
    if fields:
        hasher.fit({"f": [1, 2, 3]})
    list(Delimited(log, hasher, target="y", cache=cache))
    before = cache.read_bytes()
    options, n_rows = {"target": "y"}, 5000
    if change == "file":
        log_of(log, 4000)
        n_rows = 4000
    elif change == "time":
        os.utime(log, (1, 1))
    elif change == "setting":
        options["chunk_rows"] = 100
    elif change == "hasher":
        hasher = FieldHasher(2**19)
    else:
        hasher.fit({"f": [5, 6, 700]})
    X, _, _ = joined(Delimited(log, hasher, cache=cache, **options))
    values = [f"a{n}" for n in range(n_rows)] if not fields else [float(n) for n in range(n_rows)]
    assert same(X, hasher.transform({"f": values}))
    assert cache.read_bytes() != before


def test_a_cache_is_whole_or_not_there(tmp_path):
    log, cache = log_of(tmp_path / "log.csv"), tmp_path / "rows.arrow"
    for _ in Delimited(log, HASHER, target="y", chunk_rows=100, cache=cache):
        break
    assert os.listdir(tmp_path) == ["log.csv"]
    log.write_bytes(log.read_bytes() + b"bad\n")
    with pytest.raises(ValueError, match="line 5002"):
        list(Delimited(log, HASHER, target="y", cache=cache))
    assert os.listdir(tmp_path) == ["log.csv"]


def test_a_file_of_something_else_is_not_written_over(tmp_path):
    log, cache = log_of(tmp_path / "log.csv"), tmp_path / "thesis.txt"
    cache.write_bytes(b"years of work")
    with pytest.raises(ValueError, match="is a file of something else"):
        list(Delimited(log, HASHER, target="y", cache=cache))
    assert cache.read_bytes() == b"years of work"
    with pytest.raises(ValueError, match="cannot be kept in a cache"):
        list(Delimited(io.BytesIO(b"f\na\n"), HASHER, cache=tmp_path / "rows.arrow"))


def test_a_damaged_cache_reaches_no_model(tmp_path):
    """Whatever byte of it is turned over: an error, or numbers that an estimator inspects."""
    log, cache = log_of(tmp_path / "log.csv", 300), tmp_path / "rows.arrow"
    list(Delimited(log, HASHER, target="y", cache=cache))
    good, rng = cache.read_bytes(), np.random.default_rng(0)
    for at in rng.integers(0, len(good), 150):
        damaged = bytearray(good)
        damaged[at] ^= 0xFF
        cache.write_bytes(damaged)
        model, n_rows = AdagradClassifier(lr=0.1), 0
        try:
            for X, y, _ in Delimited(log, HASHER, target="y", cache=cache):
                n_rows += len(y)
                model.partial_fit(X, y, [0, 1])
        except (ValueError, OSError):
            continue
        assert n_rows == model.t_ == 300


@pytest.mark.parametrize("column", [-(10**9), 12, 2**31 - 1])
def test_columns_of_a_damaged_cache_are_in_range(column, tmp_path):
    log, cache = tmp_path / "log", tmp_path / "rows.arrow"
    log.write_bytes(b"1 5:7.25 9:3.5\n")
    list(Svmlight(log, 12, cache=cache))
    before, after = (np.array(each, np.int32).tobytes() for each in ([4, 8], [column, 8]))
    content = cache.read_bytes()
    assert content.count(before) == 1
    cache.write_bytes(content.replace(before, after))
    with pytest.raises(ValueError, match="is damaged: a column is out of range"):
        list(Svmlight(log, 12, cache=cache))


def test_targets_and_weights_of_all_kinds_in_a_cache(tmp_path):
    log, cache = tmp_path / "log.csv", tmp_path / "rows.arrow"
    log.write_bytes(b"y,w,f\nno,1,a\nyes,2.5,b\n")
    how = {"target": "y", "target_type": str, "sample_weight": "w", "cache": cache}
    for _ in range(2):
        X, y, w = joined(Delimited(log, HASHER, **how))
        assert y.tolist() == ["no", "yes"]
        assert w.tolist() == [1, 2.5]
        assert X.nnz == 2


def test_buffer_that_is_larger_than_the_window():
    """What is in it when a pipe is first read is not passed over."""
    lines = b"y,a\n" + b"1,u\n" * 700_000
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=lambda: (theirs.sendall(lines), theirs.close()))
    thread.start()
    with ours, ours.makefile("rb", buffering=2**22) as stream:
        stream.peek(1)
        time.sleep(0.2)
        rows = sum(len(y) for _, y, _ in Delimited(stream, HASHER, target="y"))
    thread.join()
    assert rows == 700_000


@pytest.mark.parametrize(
    ("content", "first_bad", "n_rows"),
    [
        (b'null\n{"y":1,"a":1}\n', 1, 1),
        (b'{"y":1,"a":1}\nnull\nxx\n{"y":1,"a":1}\n', 2, 2),
        (b'{"y":1,"a":1}\nxx\n null \n{"y":1,"a":1}\n', 2, 2),
        (b'{"y":1,"a":1}\n{"y":,"a":1}\nnull\n[{"y":1}]\n7\n', 2, 1),
        (b'{"y":1,"a":1}{"y":2,"a":2}\n{"y":\n3,"a":3}\n{"y":1,"a":1}\n', 1, 1),
    ],
)
def test_lines_that_are_no_objects(content, first_bad, n_rows):
    """Arrow ends the process at a null, and counts objects, not lines."""
    with pytest.raises(ValueError, match=f"line {first_bad}: "):
        list(JsonLines(io.BytesIO(content), HASHER, target="y"))
    reader = JsonLines(io.BytesIO(content), HASHER, target="y", on_bad_lines="skip")
    assert len(joined(reader)[1]) == n_rows
    assert reader.n_bad_lines == content.count(b"\n") - n_rows
