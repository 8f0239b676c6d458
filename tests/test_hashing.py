"""FieldHasher gives what FeatureHasher gives, and what FeatureHasher has not is as documented."""

import pickle
from itertools import combinations, product

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
from common import run_python
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import FeatureHasher
from sklearn.pipeline import make_pipeline
from sklearn.utils import murmurhash3_32

from sklearn_adagrad import AdagradClassifier, FieldHasher
from sklearn_adagrad.arithmetic.jit import compiled
from sklearn_adagrad.engines.cpu import engine
from sklearn_adagrad.engines.cpu.subnormal import flush, restore
from sklearn_adagrad.fields import Category, Log, Quantiles, Words
from sklearn_adagrad.hashing import tables
from sklearn_adagrad.saving import TRUSTED_TYPES

TEXTS = st.text(max_size=20)
# Sums of few of them are exact in float32: FeatureHasher adds up a column's in no certain order.
NUMBERS = st.integers(-(2**12), 2**12).map(lambda n: n / 8)


def as_dicts(columns):
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def assert_same(ours, theirs):
    theirs = theirs.copy()
    theirs.eliminate_zeros()
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape


@st.composite
def tables_of_columns(draw):
    n_rows = draw(st.integers(1, 20))
    names = draw(st.lists(st.text(max_size=9), min_size=1, max_size=12, unique=True))
    values = {"texts": TEXTS, "numbers": NUMBERS, "integers": st.integers(-1000, 1000),
              "flags": st.booleans()}  # fmt: skip
    kinds = [draw(st.sampled_from(sorted(values))) for _ in names]
    return {
        name: draw(st.lists(values[kind], min_size=n_rows, max_size=n_rows))
        for name, kind in zip(names, kinds, strict=True)
    }


@settings(max_examples=150, deadline=None)
@given(
    columns=tables_of_columns(),
    n_features=st.sampled_from([1, 2, 7, 64, 1000, 2**20, 2**31 - 1]),
    signed=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_the_rows_of_feature_hasher(columns, n_features, signed, dtype):
    theirs = FeatureHasher(n_features, alternate_sign=signed, dtype=dtype)
    ours = FieldHasher(n_features, alternate_sign=signed, dtype=dtype)
    assert_same(ours.transform(columns), theirs.transform(as_dicts(columns)))


FORMS = {
    "dict of lists": lambda frame: {name: list(frame[name]) for name in frame},
    "dict of arrays": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "pandas": lambda frame: frame,
    "pandas, Arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, nullable": lambda frame: frame.convert_dtypes(),
    "pandas, categories": lambda frame: frame.astype({"site": "category", "word": "category"}),
    "polars": lambda frame: pl.DataFrame({name: list(frame[name]) for name in frame}),
    "polars, categories": lambda frame: pl.DataFrame(
        {name: list(frame[name]) for name in frame}
    ).cast({"site": pl.Categorical}),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "record batch": lambda frame: pa.RecordBatch.from_pandas(frame, preserve_index=False),
    "large strings": lambda frame: pa.Table.from_pandas(frame, preserve_index=False).cast(
        pa.schema(
            [
                ("site", pa.large_string()),
                ("word", pa.large_binary()),
                ("age", pa.float32()),
                ("count", pa.int16()),
            ]
        )
    ),
    "views": lambda frame: pa.Table.from_pandas(frame, preserve_index=False).cast(
        pa.schema(
            [
                ("site", pa.string_view()),
                ("word", pa.string()),
                ("age", pa.float64()),
                ("count", pa.uint64()),
            ]
        )
    ),
    "structured array": lambda frame: np.array(
        [tuple(row) for row in frame.itertuples(index=False)],
        [("site", object), ("word", object), ("age", float), ("count", int)],
    ),
    "sliced": lambda frame: pa.Table.from_pandas(
        pd.concat([frame, frame]), preserve_index=False
    ).slice(len(frame)),
}


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    n = tables.ROWS + 300
    return pd.DataFrame(
        {
            "site": rng.choice(["a.com", "bé.org", "", "c" * 40], n),
            "word": [f"w{k}" for k in rng.integers(0, 500, n)],
            "age": rng.integers(-8, 8, n) / 4,
            "count": rng.integers(0, 9, n),
        }
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("categories", [(), ("count",)], ids=["numbers", "ids"])
def test_every_kind_of_table_gives_the_same_rows(frame, form, categories):
    rows = as_dicts({name: frame[name].to_list() for name in frame})
    for row in rows:
        row.update({name: str(row[name]) for name in categories})
    hasher = FieldHasher(2**12, fields=dict.fromkeys(categories, "category"))
    assert_same(hasher.fit_transform(FORMS[form](frame)), FeatureHasher(2**12).transform(rows))


def test_two_dimensional_arrays():
    X = np.array([["a", 1.5], ["b", 2.0]], dtype=object)
    expected = FeatureHasher(64).transform([{"x0": "a", "x1": 1.5}, {"x0": "b", "x1": 2.0}])
    assert_same(FieldHasher(64).transform(X), expected)


@pytest.mark.parametrize("missing", ["bucket", "ignore"])
@pytest.mark.parametrize("form", ["pandas", "pyarrow", "polars", "pandas, categories"])
def test_missing_values(form, missing):
    frame = pd.DataFrame(
        {"site": ["a", None, "b"], "word": [None, "", "c"], "age": [np.nan, 1.0, 2.0], "count": 3}
    )
    X = FORMS[form](frame) if form != "polars" else pl.from_pandas(frame)
    rows = [{"site": "a", "count": 3}, {"word": "", "age": 1.0, "count": 3},
            {"site": "b", "word": "c", "age": 2.0, "count": 3}]  # fmt: skip
    if missing == "bucket":
        rows[0] |= {"word": "", "age": ""}
        rows[1] |= {"site": ""}
    hasher = FieldHasher(2**16, missing=missing)
    assert_same(hasher.transform(X), FeatureHasher(2**16).transform(rows))


def test_crosses_are_the_hashes_of_hashes():
    columns = {"a": ["x", "y", ""], "b": ["u", "v", "w"], "n": [2.0, 0.0, -3.0]}
    hasher = FieldHasher(2**20, interactions=[("a", "b"), ("b", "n", "a")])
    for row, X in zip(as_dicts(columns), hasher.transform(columns), strict=True):
        hashes = {"a": _hash(f"a={row['a']}"), "b": _hash(f"b={row['b']}"), "n": _hash("n")}
        expected = np.zeros(2**20)
        for names in (("a",), ("b",), ("n",), ("a", "b"), ("b", "n", "a")):
            joined = b"".join(hashes[name].to_bytes(4, "little") for name in names)
            h = hashes[names[0]] if len(names) == 1 else _hash(joined)
            signed = h - 2**32 * (h >= 2**31)
            expected[abs(signed) % 2**20] += (1 if signed >= 0 else -1) * (
                row["n"] if "n" in names else 1.0
            )
        np.testing.assert_array_equal(X.toarray().ravel(), expected)


def _hash(text):
    return murmurhash3_32(text, seed=0, positive=True)


def test_all_pairs():
    columns = {name: list("xyz") for name in "abcd"}
    pairs = list(combinations("abcd", 2))
    some = FieldHasher(interactions=pairs).transform(columns)
    assert_same(FieldHasher(interactions="all").transform(columns), some)
    assert some.nnz == 3 * (4 + 6)


def test_bins():
    ages = [0.0, 1.0, 2.9, 3.0, -7.0, 1e300, None]
    hasher = FieldHasher(2**16, fields={"age": Log(2)})
    names = ["0", "2", "3", "4", "-6", "1993", ""]
    expected = FeatureHasher(2**16).transform([{"age": name} for name in names])
    assert_same(hasher.transform({"age": ages}), expected)
    numbers = np.random.default_rng(0).normal(size=1000)
    hasher = FieldHasher(2**16, fields={"n": Quantiles(4)}).fit({"n": numbers})
    bins = np.searchsorted(np.quantile(numbers, [0.25, 0.5, 0.75]), numbers, side="right")
    expected = FeatureHasher(2**16).transform([{"n": str(k)} for k in bins])
    assert_same(hasher.transform({"n": numbers}), expected)
    assert_same(pickle.loads(pickle.dumps(hasher)).transform({"n": numbers}), expected)
    with pytest.raises(NotFittedError, match="'n' is in quantiles, which fit has to learn first"):
        clone(hasher).transform({"n": numbers})


def test_words():
    texts = ["The cat, the CAT!", "été à 3", "...", "", None, "x"]
    hasher = FieldHasher(2**16, fields={"t": Words(1, 2)}, alternate_sign=False)
    grams = [
        {"the": 2, "cat": 2, "the cat": 2, "cat the": 1}, {"été": 1, "à": 1, "3": 1, "été à": 1,
        "à 3": 1}, {"": 1}, {"": 1}, {"": 1}, {"x": 1},
    ]  # fmt: skip
    expected = FeatureHasher(2**16, alternate_sign=False).transform(
        [{f"t={gram}": count for gram, count in row.items()} for row in grams]
    )
    assert_same(hasher.transform({"t": texts}), expected)
    crossed = hasher.set_params(interactions=[("t", "u")], n_features=2**20)
    X = crossed.transform({"t": texts[:2], "u": ["k", "l"]})
    assert list(np.diff(X.indptr)) == [4 + 1 + 4, 5 + 1 + 5]


def test_texts_as_numbers():
    texts = ["1", "-2.5", "1e3", "0.1", "123456789012345678901", "", None, "1e-400", "+7", "nan"]
    hasher = FieldHasher(2**10, fields={"n": "number"})
    floats = [float(text) if text else float("nan") for text in texts]
    assert_same(hasher.transform({"n": texts}), hasher.transform({"n": floats}))


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=300, deadline=None)
def test_numbers_are_read_as_python_reads_them(number):
    hasher = FieldHasher(1, fields={"n": "number"}, alternate_sign=False)
    for text in (repr(number), f"{number:.3f}", f"{number:.17g}"):
        assert hasher.transform({"n": [text]}).sum() == float(text)


def test_the_names_behind_columns():
    columns = {
        "site": ["a", "b", "a", None], "n": [1.0, 2.0, None, 0.0], "t": ["x y", "", "z", "x"],
        "id": [7, 8, None, 9], "age": [3.0, 5.0, None, 1.0],
    }  # fmt: skip
    hasher = FieldHasher(
        2**30, interactions=[("site", "t")],
        fields={"t": Words(1, 2), "id": "category", "age": "log"},
    )  # fmt: skip
    X = hasher.fit_transform(columns)
    names = hasher.inverse(columns, X.indices)
    found = {name for each in names.values() for name in each}
    assert found == {
        "site=a", "site=b", "site=", "n", "n=", "t=x", "t=y", "t=x y", "t=", "t=z", "id=7", "id=8",
        "id=", "id=9", "age=2", "age=", "age=1", "site=a & t=x", "site=a & t=y", "site=a & t=x y",
        "site=b & t=", "site=a & t=z", "site= & t=x",
    }  # fmt: skip
    for column, each in names.items():
        for name in each:
            if "&" not in name:
                assert abs(murmurhash3_32(name, seed=0)) % 2**30 == column


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({}, ["a"], r"X must be a table: .* got list\."),
        ({}, {"a": ["x"], "b": ["x", "y"]}, "Column 'b' of X has 2 rows, but column 'a' has 1"),
        ({}, {"a": ["x", 1]}, "Column 'a' of X is neither of strings nor of numbers"),
        ({}, {"a": [[1, 2]]}, "Column 'a' of X is neither of strings nor of numbers"),
        ({}, {"a": pa.array([[1]])}, r"Field 'a' is of type list<.*: turn it into strings"),
        ({}, {"a": np.array(["2020-01-01"], "M8[D]")}, r"Field 'a' is of type date32.*'ignore'"),
        ({}, {"n": [1.0, np.inf]}, "Row 1: field 'n' is inf"),
        ({"dtype": np.float32}, {"n": [1.0, 1e300]}, "Row 1: it has a value that is too large"),
        ({"dtype": np.int32}, {"n": [1.0]}, "dtype must be float32 or float64"),
        ({"fields": {"b": "number"}}, {"a": [1]}, r"fields names 'b', but the fields of"),
        ({"fields": {"a": "nombre"}}, {"a": [1]}, r"fields\['a'\] must be .* 'nombre'"),
        ({"fields": {"a": "category"}}, {"a": [1.5]}, "Field 'a' is of type double: turn"),
        ({"fields": {"a": "words"}}, {"a": [1]}, "Field 'a' is of type int64, not a text"),
        ({"fields": {"a": "number"}}, {"a": ["1", "x"]}, "Row 1: field 'a' is 'x', not a"),
        ({"fields": {"a": "quantiles"}}, {"a": ["1", "x"]}, "Row 1: field 'a' is 'x', not a"),
        ({"fields": {"a": Log(0)}}, {"a": [1]}, "Log: per_octave must be in"),
        ({"fields": {"a": Log("x")}}, {"a": [1]}, "Log: per_octave must be in"),
        ({"fields": {"a": Quantiles(1)}}, {"a": [1]}, "Quantiles: n_bins must be an integer"),
        ({"fields": {"a": Words(2, 1)}}, {"a": ["x"]}, "Words: fewest and most must be"),
        ({"interactions": ["ab"]}, {"a": [1]}, "must be a tuple of two or more"),
        ({"interactions": [3]}, {"a": [1]}, "must be a tuple of two or more fields, got 3"),
        ({"interactions": [("a", "b")]}, {"a": [1]}, "interactions names 'b', but the"),
        ({"n_features": 0}, {"a": [1]}, "The 'n_features' parameter of"),
        ({"n_features": 2**31}, {"a": [1]}, "The 'n_features' parameter of"),
        ({}, pd.DataFrame([[1, 2]], columns=["a", "a"]), "X has 2 columns named 'a'"),
    ],
)  # fmt: skip
def test_errors_name_field_and_row(params, X, message):
    hasher = FieldHasher(**params)
    if "quantiles" not in (params.get("fields") or {}).values():
        with pytest.raises(ValueError, match=message):
            hasher.transform(X)
    with pytest.raises(ValueError, match=message):
        hasher.fit(X).transform(X)


def test_broken_arrow_arrays_are_refused():
    offsets = np.array([0, 50, 3], np.int32)
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(offsets), pa.py_buffer(b"abc")]
    )
    with pytest.raises(ValueError, match="offsets that point outside of its data"):
        FieldHasher().transform(pa.table({"a": broken}))
    codes = pa.Array.from_buffers(pa.int32(), 2, [None, pa.py_buffer(np.array([0, 9], np.int32))])
    broken = pa.DictionaryArray.from_arrays(codes, pa.array(["x"]), safe=False)
    with pytest.raises(ValueError, match="codes of field 'a' are out of range"):
        FieldHasher().transform(pa.table({"a": broken}))


def test_fields_that_fit_saw_in_any_order():
    hasher = FieldHasher().fit({"a": ["x"], "b": [1]})
    assert list(hasher.feature_names_in_) == ["a", "b"]
    assert_same(hasher.transform({"b": [1], "a": ["x"]}), hasher.transform({"a": ["x"], "b": [1]}))
    with pytest.raises(ValueError, match="X has no field 'b', which fit saw"):
        hasher.transform({"a": ["x"]})
    with pytest.raises(ValueError, match="X has a field 'c' that fit did not see"):
        hasher.transform({"a": ["x"], "b": [1], "c": [2]})
    assert len(FieldHasher(4).fit({"a": ["x"]}).get_feature_names_out()) == 4


def test_rows_are_long_or_absent():
    rng = np.random.default_rng(0)
    for n_fields in (1, 2, 3, 63, 64, 65, 130):
        columns = {f"c{k}": [str(v) for v in rng.integers(0, 9, 11)] for k in range(n_fields)}
        expected = FeatureHasher(50).transform(as_dicts(columns))
        assert_same(FieldHasher(50).transform(columns), expected)
    assert FieldHasher(8).transform({"a": pa.array([], pa.string())}).shape == (0, 8)
    nothing = FieldHasher(8, missing="ignore").transform({"a": pa.nulls(20)})
    assert nothing.shape == (20, 8)
    assert nothing.nnz == 0


def test_where_subnormal_numbers_count_as_zero(frame):
    """As libraries that were compiled with -ffast-math make it for a whole thread."""
    expected = FieldHasher(64).transform(frame)
    before = _flush()
    try:
        assert np.float64(1e-310) * 1.0 == 0.0
        found = FieldHasher(64).transform(frame)
    finally:
        _restore(before)
    assert_same(found, expected)


@compiled
def _flush():
    return flush()


@compiled
def _restore(before):
    restore(before)


@pytest.mark.parametrize("interface", ["sparray", "spmatrix"])
def test_in_a_pipeline(frame, interface):
    y = frame["age"] > 0
    with config_context(sparse_interface=interface):
        X = FieldHasher(2**12).fit_transform(frame)
        assert isinstance(X, sparse.sparray) == (interface == "sparray")
        model = make_pipeline(FieldHasher(2**12), AdagradClassifier(lr=0.1)).fit(frame, y)
        assert model.score(frame, y) > 0.9


# --- rows that need not be inspected -------------------------------------------------------------


@pytest.fixture
def looked(monkeypatch):
    """How often rows were inspected."""
    seen = []
    original = engine.inspect

    def inspect(rows, bits, n_features):
        seen.append(len(rows.values))
        return original(rows, bits, n_features)

    monkeypatch.setattr(engine, "inspect", inspect)
    return seen


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_own_rows_are_not_inspected_again(frame, looked, dtype):
    y = np.arange(len(frame)) % 2
    X = FieldHasher(2**12, dtype=dtype).transform(frame)
    sealed = AdagradClassifier(lr=0.1, loss="squared_hinge").partial_fit(X, y, classes=[0, 1])
    assert looked == []
    plain = AdagradClassifier(lr=0.1, loss="squared_hinge").partial_fit(X.copy(), y, classes=[0, 1])
    assert looked == [X.nnz]
    np.testing.assert_array_equal(sealed.coef_, plain.coef_)


def test_nothing_else_passes_for_own_rows(frame, looked):
    y = np.arange(len(frame)) % 2
    X = FieldHasher(2**12).transform(frame)
    for array in (X.data, X.indices, X.indptr):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError, match="cannot set WRITEABLE"):
            array.flags.writeable = True
    others = [X.copy(), X[:-1], pickle.loads(pickle.dumps(X)), X.astype(np.float32)]
    narrower = X.copy()
    narrower.data, narrower.indices, narrower.indptr = X.data, X.indices, X.indptr
    narrower._shape = (X.shape[0], 1)
    broken = X.copy()
    broken.data, broken.indptr = X.data, X.indptr
    broken.indices[5] = 2**12
    for each in (narrower, broken):
        with pytest.raises(ValueError, match="has the column index"):
            AdagradClassifier(lr=0.1).fit(each, y)
    for each in others:
        looked.clear()
        AdagradClassifier(lr=0.1, max_iter=1, tol=None).fit(each, y[: each.shape[0]])
        assert looked


def hash_of_parts(parts):
    """The hash of a name, or of a cross of several."""
    hashes = [murmurhash3_32(part, seed=0) for part in parts]
    return (
        hashes[0]
        if len(hashes) == 1
        else murmurhash3_32(np.array(hashes, np.int32).tobytes(), seed=0)
    )


@pytest.mark.parametrize("cross", [("t", "u"), ("u", "t"), ("t", "s", "u")])
def test_names_of_crosses_of_words_are_those_of_their_columns(cross):
    """Crosses with bags: every combination once, the first field fastest."""
    columns = {"t": ["a b", "c"], "u": ["d e f", ""], "s": ["x", "y"]}
    hasher = FieldHasher(2**30, fields=dict.fromkeys("tu", "words"), interactions=[cross])
    X = hasher.transform(columns)
    names = hasher.inverse(columns, X.indices)
    words = {"t": ["ab", "c"], "u": ["def", [""]], "s": "xy"}
    expected = {
        " & ".join(map("{}={}".format, cross, values))
        for row in (0, 1)
        for values in product(*(words[name][row] for name in cross))
    }
    assert {name for each in names.values() for name in each if "&" in name} == expected
    is_minus = dict(zip(X.indices.tolist(), (X.data < 0).tolist(), strict=True))
    for column, each in names.items():
        for name in each:
            hashed = hash_of_parts(name.split(" & "))
            assert abs(hashed) % 2**30 == column
            assert (hashed < 0) == is_minus[column]
    for column, each in hasher._names_in(columns, X.indices).items():
        assert all(name.is_minus == is_minus[column] for name in each)


def test_kinds_by_name_are_their_defaults(frame):
    by_name = FieldHasher(fields={"site": "category", "age": "log"}).transform(frame)
    assert_same(FieldHasher(fields={"site": Category(), "age": Log()}).transform(frame), by_name)


@pytest.mark.parametrize("fields", [{"site": Words(1, 2)}, {"count": "log", "age": Quantiles(4)}])
def test_saved_by_skops(frame, tmp_path, fields):
    hasher = FieldHasher(2**12, fields=fields).fit(frame)
    skops.io.dump(hasher, tmp_path / "hasher.skops")
    loaded = skops.io.load(tmp_path / "hasher.skops", trusted=TRUSTED_TYPES)
    assert_same(loaded.transform(frame), hasher.transform(frame))


def test_rows_that_are_dicts():
    hasher = FieldHasher(2**16, fields={"age": "log", "day": "ignore"})
    table = {"site": ["a", "b"], "age": [1.0, None], "day": ["x", "y"]}
    expected = hasher.transform(table)
    assert_same(hasher.transform([{"site": "a", "age": 1.0}, {"site": "b"}]), expected)
    one = hasher.transform({"site": "a", "age": 1.0, "day": "x"})
    assert_same(one, expected[[0]])


def test_ignored_fields_need_not_be_there():
    hasher = FieldHasher(2**16, fields={"age": "quantiles", "clicked": "ignore"})
    table = {"age": [1.0, 2.0, 3.0], "site": ["a", "b", "c"]}
    with_clicks = table | {"clicked": [0, 1, 0]}
    hasher.fit(with_clicks)
    assert_same(hasher.transform(table), hasher.transform(with_clicks))
    hasher.fit(table)
    assert_same(hasher.transform(table), hasher.transform(with_clicks))


@pytest.mark.parametrize("index", [pa.int8(), pa.int32(), pa.uint16(), pa.int64()])
@pytest.mark.parametrize("first", [0, 1, 7, 8, 13])
@pytest.mark.parametrize("missing", ["bucket", "ignore"])
def test_dictionaries_with_missing_values_wherever_they_begin(index, first, missing):
    rng = np.random.default_rng(0)
    names = [None if n == 5 else f"v{n}" for n in rng.integers(0, 6, 60)]
    coded = pa.array(names).dictionary_encode().cast(pa.dictionary(index, pa.string()))
    hasher = FieldHasher(2**16, missing=missing)
    expected = hasher.transform({"f": names[first:]})
    assert_same(hasher.transform({"f": coded.slice(first)}), expected)
    found = hasher.inverse({"f": coded.slice(first)}, np.unique(expected.indices))
    assert sorted(name for each in found.values() for name in each) == sorted(
        {f"f={name or ''}" for name in names[first:] if name or missing == "bucket"}
    )


@pytest.mark.parametrize(("kind", "names"), [("words", ["a b", "c"]), ("number", ["1", "2.5"])])
def test_dictionaries_of_views(kind, names):
    hasher = FieldHasher(2**16, fields={"f": kind})
    codes = pa.array([0, 1, None, 0], pa.int32())
    coded = pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string_view()))
    plain = [names[0], names[1], None, names[0]]
    assert_same(hasher.transform({"f": coded}), hasher.transform({"f": plain}))


@pytest.mark.parametrize("kind", ["category", "words", "number", "log"])
def test_nan_alone_is_a_missing_value(kind):
    hasher = FieldHasher(64, fields={"a": kind})
    for rows in ([{"a": float("nan")}], [{"a": None}, {"a": float("nan")}], [{"a": np.nan}]):
        missing = hasher.transform([{"a": None}] * len(rows))
        assert (hasher.transform(rows) != missing).nnz == 0


INTERPRETED = """
import numpy as np
from sklearn_adagrad import FieldHasher
with np.errstate(over="ignore"):
    rows = {"a": [f"x{n}" for n in range(40)], "b": [f"y{n % 7}" for n in range(40)]}
    X = FieldHasher(2**12, interactions="all").transform(rows)
print(X.indptr.tolist(), X.indices.tolist(), X.data.tolist())
"""


def test_interpreted_as_compiled():
    """For the debugger."""
    assert run_python("-c", INTERPRETED, NUMBA_DISABLE_JIT="1") == run_python("-c", INTERPRETED)
