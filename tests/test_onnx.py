"""Models as ONNX: onnxruntime predicts the same."""

import sys

import numpy as np
import pytest
from common import every_dtype, every_loss, random_rows, small_data, untrained
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from test_export import OwnLogLoss, OwnPoisson, every_example, example

from sklearn_adagrad import AdagradClassifier, AdagradRegressor, FieldHasher
from sklearn_adagrad.export import register_onnx, to_onnx
from sklearn_adagrad.fields import Log, Quantiles

onnx = pytest.importorskip("onnx")
skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

NUMBERS = {np.float32: "tensor(float)", np.float64: "tensor(double)"}


def session_of(onnx_model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        onnx_model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(onnx_model, **inputs):
    """The outputs by their names."""
    session = session_of(onnx_model)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def assert_same(outputs, model, X):
    if "variable" in outputs:
        ours = model.predict(X)
        tolerance = {"rtol": 1e-6, "atol": 1e-6}
        np.testing.assert_allclose(outputs["variable"], ours.reshape(len(ours), -1), **tolerance)
        return
    np.testing.assert_array_equal(outputs["label"], model.predict(X))
    has_probabilities = hasattr(model, "predict_proba")
    assert set(outputs) == {"label", "probabilities" if has_probabilities else "scores"}
    if has_probabilities:
        ours = model.predict_proba(X)
        np.testing.assert_allclose(outputs["probabilities"], ours, rtol=0, atol=1e-6)
    else:
        ours = model.decision_function(X)
        ours = ours.reshape(len(ours), -1)
        np.testing.assert_allclose(outputs["scores"], ours, rtol=1e-6, atol=1e-6)


# --- estimators and pipelines that skl2onnx knows ----------------------------------------------


@every_dtype
@every_example
def test_predictions_are_the_same(estimator, loss, n_outputs, labels, dtype):
    model, X = example(estimator, loss, n_outputs, dtype, labels)
    for of_rows in (np.float32, np.float64):
        rows = X.toarray().astype(of_rows)
        onnx_model = to_onnx(model, rows)
        assert session_of(onnx_model).get_outputs()[-1].type == NUMBERS[of_rows]
        assert_same(run(onnx_model, X=rows), model, rows)
        assert_same(run(onnx_model, X=rows[:1]), model, rows[:1])


@pytest.mark.parametrize("labels", [True, False])
def test_multinomial_models(labels):
    X, y = small_data()
    y = np.arange(len(y)) % 4
    model = untrained(AdagradClassifier, multi_class="multinomial")
    model.fit(X, np.eye(4)[y] if labels else y)
    assert_same(run(to_onnx(model, X), X=X.toarray()), model, X)


@pytest.mark.parametrize(
    "labels",
    [[False, True], [-3, 5], [2.0, 7.0], ["é", "a"], np.array(["b", "a"], object)],
    ids=str,
)
def test_labels(labels):
    y = np.tile(np.array(labels), 10)
    X = random_rows(np.random.default_rng(0), len(y), 5)
    model = untrained(AdagradClassifier).fit(X, y)
    outputs = run(to_onnx(model, X), X=X.toarray())
    assert_same(outputs, model, X)
    assert outputs["label"].dtype == (object if isinstance(labels[0], str) else np.int64)


def test_labels_that_onnx_does_not_have():
    X, y = small_data()
    dates = np.array(["2024-01-01", "2024-01-02"], "datetime64[D]").astype(object)
    model = AdagradClassifier(lr=0.1).partial_fit(X, y, classes=[0, 1])
    model.classes_ = dates
    with pytest.raises(ValueError, match="The labels are of type date"):
        to_onnx(model, X)


@every_loss
def test_raw_scores(estimator, loss):
    model, X = example(estimator, loss, 1)
    outputs = run(to_onnx(model, X, raw_scores=True), X=X.toarray())
    scores = X @ np.ravel(model.coef_) + model.intercept_
    assert list(outputs) == (["variable"] if estimator is AdagradRegressor else ["label", "scores"])
    np.testing.assert_allclose(list(outputs.values())[-1][:, 0], scores, rtol=1e-12, atol=1e-14)


def test_probabilities_that_are_all_zero_become_equal():
    model = untrained(AdagradClassifier, loss="modified_huber", lr=1.0).fit(np.eye(3), range(3))
    rows = np.full((1, 3), 9.0)
    assert_same(run(to_onnx(model, rows), X=rows), model, rows)
    np.testing.assert_allclose(model.predict_proba(rows), 1 / 3)


@every_dtype
def test_pipelines(dtype):
    X, y = small_data()
    X = X.toarray().astype(dtype)
    model = make_pipeline(StandardScaler(), untrained(AdagradClassifier)).fit(X, y)
    assert_same(run(to_onnx(model, X), X=X), model, X)
    texts = ["the cat sat", "a dog ran", "the dog sat", "cats and dogs", "birds sing"] * 3
    # Where onnxruntime runs, the locale en_US must be known for capital letters.
    vectorizer = TfidfVectorizer(lowercase=False, dtype=dtype)
    model = make_pipeline(vectorizer, untrained(AdagradClassifier)).fit(texts, list("xyxyz") * 3)
    outputs = run(to_onnx(model, texts), X=np.array(texts).reshape(-1, 1))
    assert_same(outputs, model, texts)


def test_columns_of_a_dataframe_are_inputs():
    X, y = small_data()
    X = pandas.DataFrame(X.toarray()[:, :3], columns=["a", "b", "c"])
    X["c"] = X["c"] > 0
    inputs = {name: X[[name]].to_numpy() for name in X}
    for model in (
        untrained(AdagradClassifier),
        make_pipeline(MaxAbsScaler(), untrained(AdagradRegressor)),
    ):
        model.fit(X.astype(float), y)
        if isinstance(model, AdagradClassifier):
            assert_same(run(to_onnx(model, X), **inputs), model, X.astype(float))
        else:
            some = X.astype(float)
            inputs = {name: some[[name]].to_numpy() for name in some}
            assert_same(run(to_onnx(model, some), **inputs), model, some)


def test_functions_of_skl2onnx():
    register_onnx()
    X, y = small_data()
    rows = X.toarray().astype(np.float32)
    model = make_pipeline(StandardScaler(), untrained(AdagradClassifier)).fit(rows, y)
    first = model.predict_proba(rows)[0]
    label, named = run(skl2onnx.to_onnx(model, rows), X=rows).values()
    np.testing.assert_array_equal(label, model.predict(rows))
    assert list(named[0]) == [0, 1]
    np.testing.assert_allclose(list(named[0].values()), first, atol=1e-6)

    def outputs(**options):
        return run(skl2onnx.to_onnx(model, rows, options={AdagradClassifier: options}), X=rows)

    assert list(outputs(zipmap="columns")) == ["output_label", "i0", "i1"]
    assert_same(outputs(zipmap=False), model, rows)
    assert outputs(zipmap=False, raw_scores=True)["probabilities"].shape == (len(rows), 1)
    assert outputs(zipmap=False, output_class_labels=True)["class_labels"].tolist() == [0, 1]
    model.set_params(adagradclassifier__loss="hinge")
    with pytest.raises(ValueError, match="zipmap names a number for each class"):
        outputs(zipmap=True)
    named = untrained(AdagradClassifier).fit(rows, np.array(["a", "b"])[y])
    positions = run(skl2onnx.to_onnx(named, rows, options={"zipmap": False, "nocl": True}), X=rows)
    np.testing.assert_array_equal(named.classes_[positions["label"]], named.predict(rows))


def test_what_cannot_be_exported():
    X, y = small_data()
    with pytest.raises(NotFittedError):
        to_onnx(AdagradClassifier(), X)
    with pytest.raises(ValueError, match="StandardScaler cannot be exported"):
        to_onnx(StandardScaler(), X)
    for estimator, loss in ((AdagradClassifier, OwnLogLoss()), (AdagradRegressor, OwnPoisson())):
        model = untrained(estimator, loss=loss).fit(X, y)
        with pytest.raises(ValueError, match=r"has a method .* of its own"):
            to_onnx(model, X)
        assert run(to_onnx(model, X, raw_scores=True), X=X.toarray())


@pytest.mark.parametrize("module", ["skl2onnx", "onnx.helper"])
def test_without_the_packages(module, monkeypatch):
    X, y = small_data()
    model, rows = untrained(AdagradClassifier).fit(X, y), X
    if module == "onnx.helper":
        model, rows = make_pipeline(FieldHasher(8), model), {"x": [1.0, 2.0]}
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"python -m pip install \"sklearn-adagrad\[onnx\]\""):
        to_onnx(model, rows)


# --- pipelines of a FieldHasher ----------------------------------------------------------------


def inputs_of(onnx_model, table):
    """The columns of a table, of the types that the graph wants."""
    kinds = {"tensor(string)": object, "tensor(int64)": np.int64, "tensor(double)": np.float64,
             "tensor(uint64)": np.uint64}  # fmt: skip
    inputs = {}
    for each in session_of(onnx_model).get_inputs():
        values = table[each.name]
        if each.type == "tensor(string)":
            values = ["" if value is None else str(value) for value in values]
        inputs[each.name] = np.array(values, kinds[each.type]).reshape(-1, 1)
    return inputs


def hashed(table, n_outputs=1, estimator=AdagradClassifier, loss="log_loss", **parameters):
    """A pipeline that knows the rows of a table, badly."""
    hasher = FieldHasher(**parameters)
    n_rows, rng = len(next(iter(table.values()))), np.random.default_rng(0)
    X = hasher.fit_transform(table)
    model = untrained(estimator, loss=loss, lr=0.5)
    if estimator is AdagradClassifier:
        model.partial_fit(X, rng.integers(0, n_outputs + 1, n_rows), classes=range(n_outputs + 1))
    else:
        model.partial_fit(X, rng.random((n_rows, n_outputs)) + 0.5)
    return make_pipeline(hasher, model)


def assert_hashed_the_same(model, table):
    onnx_model = to_onnx(model, table)
    onnx.checker.check_model(onnx_model, full_check=True)
    inputs = inputs_of(onnx_model, table)
    assert_same(run(onnx_model, **inputs), model, table)
    first = {name: values[:1] for name, values in table.items()}
    one = {name: values[:1] for name, values in inputs.items()}
    assert_same(run(onnx_model, **one), model, first)


FIELDS = {"number": "number", "count": "category", "log": Log(2.3), "rank": Quantiles(7)}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
COLUMNS = {
    "text": texts | st.none(),
    "más=": st.sampled_from(["a", "b", "日本", "\0"]),
    "count": st.integers(-(2**63), 2**63 - 1),
    "number": st.floats(-100, 100, width=32) | st.just(np.nan),
    "log": finite | st.just(np.nan),
    "rank": finite | st.just(np.nan),
}


@st.composite
def tables(draw):
    n_rows = draw(st.integers(1, 12))
    columns = {
        name: draw(st.lists(values, min_size=n_rows, max_size=n_rows))
        for name, values in COLUMNS.items()
    }
    columns["text"][0] = columns["text"][0] or "a"  # or it is a column of no type
    numbers = {name: np.array(columns[name]) for name in ("number", "log", "rank")}
    return columns | numbers


@settings(deadline=None, max_examples=12)
@given(
    tables(),
    st.sampled_from([1, 7, 2**10, 10**6 + 3]),
    st.sampled_from([(), "all", [("log", "text"), ("number", "count")], [("text", "text")]]),
    st.sampled_from(["bucket", "ignore"]),
    st.booleans(),
    st.sampled_from([np.float32, np.float64]),
)
def test_tables_of_any_fields(table, n_features, interactions, missing, sign, dtype):
    if missing == "ignore":  # an empty string is a missing value of ONNX
        table["text"] = [text or None for text in table["text"]]
        table["text"][0] = table["text"][0] or "a"
    model = hashed(
        table,
        n_features=n_features,
        fields=FIELDS,
        interactions=interactions,
        missing=missing,
        alternate_sign=sign,
        dtype=dtype,
    )
    assert_hashed_the_same(model, table)


TABLE = {
    "site": ["a.com", "b.org", "", "a.com"] * 5,
    "user": [5, -3, 2**40, 0] * 5,
    "price": [0.5, np.nan, -3.0, 1.0] * 5,
}
IDS = {"user": "category"}


@every_dtype
@every_loss
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_every_loss_of_fields(estimator, loss, n_outputs, dtype):
    model = hashed(TABLE, n_outputs, estimator, loss, n_features=64, fields=IDS, dtype=dtype)
    assert_hashed_the_same(model, TABLE)
    number = session_of(to_onnx(model, TABLE)).get_outputs()[-1].type
    assert number == NUMBERS[dtype]


@pytest.mark.parametrize("per_octave", [0.3, 1.0, 2.5, 64.0])
def test_bins_at_their_edges(per_octave):
    from sklearn_adagrad.export.hashed import _edges_of

    kind = Log(per_octave)
    edges = _edges_of(kind)
    bins = np.arange(1, len(edges) + 1)
    np.testing.assert_array_equal(kind.bins(edges, None), bins)
    np.testing.assert_array_equal(kind.bins(np.nextafter(edges, 0), None), bins - 1)
    powers = 2.0 ** np.arange(60) - 1
    numbers = np.concatenate([edges[:50], np.nextafter(edges[:50], 0), powers, [edges[-1], -0.0]])
    table = {"x": [*numbers.tolist(), *(-numbers).tolist()]}
    assert_hashed_the_same(hashed(table, n_features=2**12, fields={"x": kind}), table)


def test_integers_with_missing_values_are_strings():
    table = {"user": [5, None, -7, 5], "junk": [None] * 4}
    model = hashed(table, n_features=64, fields={"user": "category", "junk": "ignore"})
    as_texts = {"user": ["5", "", "-7", "5"]}
    outputs = run(to_onnx(model, as_texts), **inputs_of(to_onnx(model, as_texts), as_texts))
    assert_same(outputs, model, table)


def test_types_of_columns():
    pa = pytest.importorskip("pyarrow")
    values = {
        "of few": pa.array(["u", "v", "u"]).dictionary_encode(),
        "large": pa.array([2**64 - 1, 0, 5], pa.uint64()),
        "small": pa.array([1, -2, 3], pa.int8()),
        "bool": pa.array([True, False, True]),
        "half": pa.array(np.array([0.5, 1.5, 2.0], np.float32)),
    }
    fields = {"large": "category", "small": "number", "bool": "category", "half": "log"}
    model = hashed(values, n_features=64, fields=fields)
    onnx_model, table = to_onnx(model, values), pa.table(values)
    inputs = inputs_of(onnx_model, {name: each.to_pylist() for name, each in values.items()})
    assert_same(run(onnx_model, **inputs), model, table)
    kinds = [each.type for each in session_of(onnx_model).get_inputs()]
    assert kinds == [f"tensor({kind})" for kind in ("string", "uint64", "int64", "int64", "double")]


def test_fields_with_the_names_of_outputs():
    table = {"label": ["a", "b"], "Gather": ["c", "d"], "probabilities": [1.0, 2.0]}
    model = hashed(table, n_features=64)
    outputs = run(to_onnx(model, table), **inputs_of(to_onnx(model, table), table))
    assert list(outputs) == ["label_0", "probabilities_0"]
    np.testing.assert_allclose(outputs["probabilities_0"], model.predict_proba(table), atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "interactions", "message"),
    [
        ({"a": "words"}, (), "Field 'a' is of words"),
        ({"n": "log"}, [("a", "b", "n")], r"interaction \('a', 'b', 'n'\) is of 3 fields"),
        ({"n": Log(2000.0)}, (), "Field 'n' has 2000 bins per octave"),
        ({"d": "number"}, (), "Field 'd' is of type string, but is taken for a number"),
    ],
)
def test_fields_that_cannot_be_exported(fields, interactions, message):
    table = {"a": ["x", "y"], "b": ["x", "y"], "n": [1.0, 2.0], "d": ["1", "2"]}
    model = hashed(table, n_features=64, fields=fields, interactions=interactions)
    with pytest.raises(ValueError, match=message):
        to_onnx(model, table)


def test_a_hasher_has_one_step_beside_it():
    table = {"a": ["x", "y"]}
    model = hashed(table, n_features=8)
    longer = make_pipeline(model[0], MaxAbsScaler(), model[1])
    with pytest.raises(ValueError, match=r"only as the first of the two steps .* 'maxabsscaler'"):
        to_onnx(longer, table)
    model[0].set_params(n_features=16)
    with pytest.raises(ValueError, match="n_features=16, but the model has 8 weights"):
        to_onnx(model, table)
    with pytest.raises(ValueError, match="X has no field 'a'"):
        to_onnx(model, {"b": ["x"]})


def test_rows_are_not_made():
    """A row of 2**22 columns would take 32 megabytes, these four hundred 13 gigabytes."""
    table = {"site": [f"{n}.com" for n in range(400)]}
    model = hashed(table, n_features=2**22, dtype=np.float32)
    assert_same(run(to_onnx(model, table), site=np.array([table["site"]], object).T), model, table)


def test_correction_for_sampling_is_exported():
    X, y = np.eye(4, dtype=np.float32), [0, 1, 0, 1]
    model = AdagradClassifier(lr=0.1, max_iter=2, tol=None, random_state=0, negatives_kept=0.1).fit(
        X, y
    )
    (found,) = session_of(to_onnx(model, X)).run(["probabilities"], {"X": X})
    np.testing.assert_allclose(found, model.predict_proba(X), atol=1e-6)
