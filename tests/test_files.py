"""Models in files: what is loaded is what was saved, and no file does harm."""

import contextlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from common import bits, every_estimator, random_rows, run_python, stream, trained
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import learn, problems
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from stacks import FEW, model_of, name_of
from test_own_losses import Cauchy  # a loss of a user

import sklearn_adagrad
from sklearn_adagrad import AdagradClassifier, AdagradClassifierCV, AdagradRegressor, FieldHasher
from sklearn_adagrad.rules import Adagrad, Momentum, Multiplied
from sklearn_adagrad.saving import load, save

KEY = "sklearn_adagrad"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def predictions(model, X):
    names = ("decision_function", "predict_proba", "predict")
    return [getattr(model, name)(X).tolist() for name in names if hasattr(model, name)]


# --- what is loaded ---------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(data=st.data(), serving=st.booleans())
def test_loaded_is_saved(tmp_path_factory, data, serving):
    problem = data.draw(problems())
    model, path = learn(problem), tmp_path_factory.mktemp("models") / "model"
    model.save(path, serving=serving)
    loaded = load(path)
    assert predictions(loaded, problem["X"]) == predictions(model, problem["X"])
    assert str(loaded.get_params()) == str(model.get_params())
    assert (loaded.t_, loaded.progressive_loss_) == (model.t_, model.progressive_loss_)
    if not serving:
        assert bits(loaded) == bits(model)


@pytest.mark.parametrize("case", FEW, ids=name_of)  # test_storage has all, in pickles
def test_rules(case, path):
    X, y = random_rows(np.random.default_rng(0), n_features=13), np.arange(50.0)
    model = stream(model_of(case), X[:30], y[:30])
    model.save(path)
    resumed = stream(load(path), X[30:], y[30:])
    assert bits(resumed) == bits(stream(model, X[30:], y[30:]))
    model.save(path, serving=True)
    np.testing.assert_array_equal(load(path).coef_, model.coef_)
    if "scale-free" in case[0]:  # values are not divided any more
        np.testing.assert_allclose(load(path).predict(X), model.predict(X), 1e-11, 1e-11)
    else:
        assert predictions(load(path), X) == predictions(model, X)


@every_estimator
def test_what_fit_knows(estimator, path):
    X, y = random_rows(np.random.default_rng(0)), np.arange(50) % 3
    model = estimator(lr=0.1, early_stopping=True, max_iter=3, tol=None, random_state=0).fit(X, y)
    model.save(path)
    for name in ("n_iter_", "loss_curve_", "validation_loss_curve_", "best_n_iter_"):
        assert getattr(load(path), name) == getattr(model, name)


LABELS = {
    "texts": ["b", "ä", ""], "objects": np.array(["x", "yy", "\ud800"], object),
    "ints": [-(2**62), 0, 7],
    "unsigned": np.array([0, 1, 2**64 - 1], np.uint64), "floats": [-1.0, 2.0, 3.0],
    "bools": [False, True], "small": np.array([1, 2], np.int8),
}  # fmt: skip


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels(labels, path):
    labels = np.asarray(labels)
    y = labels[np.arange(50) % len(labels)]
    model = AdagradClassifier(lr=0.1).partial_fit(random_rows(np.random.default_rng(0)), y, labels)
    model.save(path)
    assert load(path).classes_.dtype == model.classes_.dtype
    assert load(path).classes_.tolist() == model.classes_.tolist()


@every_estimator
def test_not_fitted(estimator, path):
    model = estimator(rule=Momentum(Adagrad(True), 0.5), alpha=[0.1, 0.2], lr=np.float32(0.3))
    model.save(path)
    loaded = load(path)
    model.lr = float(np.float32(0.3))
    assert str(loaded.get_params()) == str(model.get_params())
    assert not loaded.__sklearn_is_fitted__()


def test_names_of_features(path):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": [1.0, 2.0], "ü": [0.0, 1.0]})
    AdagradRegressor(lr=0.1).fit(X, [0.0, 1.0]).save(path)
    assert load(path).feature_names_in_.tolist() == ["a", "ü"]
    assert load(path).predict(X).shape == (2,)


def test_pipeline_is_one_file(path):
    rows = [{"site": "a.com", "age": 3.0, "n": 1}, {"site": "b.org", "age": None, "n": 2}] * 10
    hasher = FieldHasher(
        2**12, fields={"age": "quantiles", "n": "log"}, interactions=[("site", "n")],
        dtype=np.float32,
    )  # fmt: skip
    model = make_pipeline(hasher, AdagradClassifier(lr=0.1)).fit(rows, [0, 1] * 10)
    save(model, path)
    loaded = load(path)
    assert [name for name, _ in loaded.steps] == ["fieldhasher", "adagradclassifier"]
    assert (loaded.predict_proba(rows) == model.predict_proba(rows)).all()
    assert str(loaded.get_params()) == str(model.get_params())
    save(hasher, path)
    assert (load(path).transform(rows) != hasher.transform(rows)).nnz == 0


def test_serving_only_predicts(path):
    model = trained(AdagradClassifier)
    model.save(path, serving=True)
    loaded = load(path)
    with pytest.raises(ValueError, match="saved for serving: it has no accumulators"):
        loaded.partial_fit(np.ones((1, 8)), [0])
    with pytest.raises(ValueError, match="saved for serving"):
        loaded.uncertainty(np.ones((1, 8)))
    with pytest.raises(AttributeError, match="keeps no accumulator"):
        _ = loaded.accumulator_
    assert bits(loaded.fit(np.eye(8), [0, 1] * 4)) == bits(clone(model).fit(np.eye(8), [0, 1] * 4))


def test_correction_for_sampling_is_saved(path):
    model, X = trained(AdagradClassifier, negatives_kept=0.1), np.eye(8)
    for serving in (False, True):
        model.save(path, serving=serving)
        assert predictions(load(path), X) == predictions(model, X)


def test_serving_is_small(path):
    X = random_rows(np.random.default_rng(0), 100, 2**12, 0.1, np.float32)
    model = AdagradClassifier(lr=0.1).partial_fit(X, np.arange(100) % 2, [0, 1])
    sizes = []
    for serving in (False, True):
        model.save(path, serving=serving)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]
    model = AdagradClassifier(lr=0.1).partial_fit(X[:1, :].reshape(1, -1), [1], [0, 1])
    model.save(path)
    assert path.stat().st_size < 2 * 16 * X[:1].nnz + 4096


def test_loss_of_a_user_is_trusted_by_its_class(path):
    trained(AdagradRegressor, loss=Cauchy()).save(path)
    with pytest.raises(ValueError, match=r"'test_own_losses\.Cauchy'.*is yours, pass its class"):
        load(path)
    assert load(path, trusted=[Cauchy]).loss == Cauchy()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            AdagradClassifier(lr=0.1, random_state=np.random.RandomState(0)),
            "random_state=RandomState",
        ),
        (
            make_pipeline(MaxAbsScaler(), AdagradClassifier(lr=0.1)),
            "Step 'maxabsscaler' of the pipe",
        ),
        (AdagradClassifierCV(), "only estimators of this package"),
        (AdagradClassifier(lr=0.1, loss=print), "loss=<built-in function print> cannot be saved"),
    ],
)
def test_what_cannot_be_saved(model, message, path):
    with pytest.raises(TypeError, match=message):
        save(model, path)
    assert not path.exists()


# --- versions -----------------------------------------------------------------------------------

RELEASED = sorted((Path(__file__).parent / "files").glob("*/*.safetensors"))


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_files_of_every_format_load(file):
    name, _, serving = file.stem.partition("-")
    known, model = json.loads(file.with_name(f"{name}.json").read_text()), load(file)
    X = known["rows"] if isinstance(known["rows"][0], dict) else np.array(known["rows"])
    for found, wanted in zip(predictions(model, X), known["predictions"], strict=True):
        if isinstance(wanted[0], str):
            assert found == wanted
        else:
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    if not serving:
        model, X = (model[-1], model[0].transform(X)) if hasattr(model, "steps") else (model, X)
        assert model.partial_fit(X, known["y"]).t_ == 2 * len(known["y"])


def test_there_are_such_files():
    assert {file.parent.name for file in RELEASED} == {"format_1"}


# --- files that are not what they say -----------------------------------------------------------


def parts_of(path):
    with safetensors.safe_open(path, "numpy") as file:
        return json.loads(file.metadata()[KEY]), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def write(path, text, arrays):
    text = text if isinstance(text, str) else json.dumps(text)
    safetensors.numpy.save_file(arrays, path, metadata={KEY: text})


def test_bytes_that_are_none_of_ours(path):
    for content in (b"", b"\x80\x04\x95pickle", os.urandom(1000), (2**63).to_bytes(8, "little")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is no model, or is damaged"):
            load(path)
    safetensors.numpy.save_file({"a": np.zeros(3)}, path)
    with pytest.raises(ValueError, match="but no model of sklearn_adagrad"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(path.with_name("nothing"))
    with pytest.raises(ValueError, match="is no file of a model"):
        load(path.parent)


def test_format_of_the_future(path):
    trained(AdagradClassifier).save(path)
    text, arrays = parts_of(path)
    write(path, text | {"format": 2, "written_by": "9.9"}, arrays)
    with pytest.raises(ValueError, match=r"of format 2, written by sklearn_adagrad 9\.9"):
        load(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_bytes(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "model"
    model = trained(data.draw(st.sampled_from([AdagradClassifier, AdagradRegressor])))
    model.save(path, serving=data.draw(st.booleans()))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        loaded = load(path)
    except ValueError:
        return
    predict_quietly(loaded)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**66) | st.floats() | st.sampled_from(
        ["", "float64", "Frozen", "model.places", "adagrad", "Pipeline", "LogLoss"]
    ),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "fields", "array", "texts", "as", "tuple", "dict", "float"]),
        each, max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_texts_that_lie(tmp_path_factory, data):
    """Whatever the description says, loading ends in a model or in a ValueError."""
    path = tmp_path_factory.mktemp("lying") / "model"
    hasher = FieldHasher(8, fields={"a": "quantiles"}).fit({"a": [1.0, 2.0]})
    models = [trained(AdagradClassifier), trained(AdagradRegressor, alpha=np.ones(8)), hasher]
    save(data.draw(st.sampled_from(models)), path, serving=data.draw(st.booleans()))
    text, arrays = parts_of(path)
    places = list(places_in(text))
    for _ in range(data.draw(st.integers(1, 3))):
        parent, key = data.draw(st.sampled_from(places))
        parent[key] = data.draw(VALUES)
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(arrays)))
        arrays[name] = data.draw(
            st.sampled_from([arrays[name][:1], arrays[name].astype("f4"), np.zeros(0)])
        )
    write(path, text, arrays)
    try:
        loaded = load(path)
    except (ValueError, MemoryError):
        return
    predict_quietly(loaded)


def places_in(item):
    for key, value in item.items() if isinstance(item, dict) else enumerate(item):
        yield item, key
        if isinstance(value, dict | list):
            yield from places_in(value)


def predict_quietly(model):
    """Predict with a model of unknown weights."""
    if isinstance(model, AdagradClassifier | AdagradRegressor) and hasattr(model, "n_features_in_"):
        with np.errstate(all="ignore"), contextlib.suppress(ValueError, FloatingPointError):
            model.predict(np.ones((2, min(model.n_features_in_, 100))))


HUGE = """
import json, resource, sys
from test_files import parts_of, write
from sklearn_adagrad import load
path = sys.argv[1]
text, arrays = parts_of(path)
text["model"]["state"]["n_features"] = text["model"]["fitted"]["n_features_in_"] = 2**40
write(path, text, arrays)
try:
    load(path)
except (MemoryError, ValueError) as error:
    print(type(error).__name__)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
text["model"]["state"]["n_features"] = text["model"]["fitted"]["n_features_in_"] = 2**28
write(path, text, arrays)
model = load(path)
model.predict(__import__("scipy.sparse").sparse.csr_array((1, 2**28)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000)
text["model"]["state"]["rule"][0]["dict"] = [
    [key, 0.5 if key == "initial_accumulator_value" else value]
    for key, value in text["model"]["state"]["rule"][0]["dict"]
]
write(path, text, arrays)
try:
    load(path)
except ValueError as error:
    print(error)
"""


def test_small_file_does_not_take_much_memory(path):
    X = random_rows(np.random.default_rng(0), 2, 2**12, 0.001)
    AdagradRegressor(lr=0.1).partial_fit(X, [0.0, 1.0]).save(path)
    assert path.stat().st_size < 5000
    output = run_python("-c", HUGE, path).splitlines()
    assert output[:-2] in (["MemoryError"], [])
    assert output[-2] == "True"
    assert "features are left out, though they are not zero at first" in output[-1]


# --- interrupted --------------------------------------------------------------------------------

KILLED = """
import os, signal, sys, time
import numpy as np
from common import random_rows
from sklearn_adagrad import AdagradClassifier, load
path, rng = sys.argv[1], np.random.default_rng(0)
X, y = random_rows(rng, 50, 20_000), np.arange(50) % 2
model = AdagradClassifier(lr=0.1).partial_fit(X, y, [0, 1])
model.save(path)
model.coef_, load(path)
found = set()
for n in range(50):
    child = os.fork()
    if not child:
        while True:
            model.partial_fit(X, y)
            model.save(path)
    time.sleep(0.1 * rng.random())
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    loaded = load(path)
    assert np.isfinite(loaded.coef_).all()
    found.add(loaded.t_)
assert all(t % 50 == 0 for t in found)
print(len(found))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_killed_at_any_moment(path):
    """Fifty processes that save again and again: what was saved last is always complete."""
    assert int(run_python("-c", KILLED, path)) > 1


def test_what_was_there_stays_if_saving_fails(path, monkeypatch):
    model = trained(AdagradClassifier)
    model.save(path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        Path(args[1]).write_bytes(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(safetensors.numpy, "save_file", full)
    with pytest.raises(OSError, match="cannot be written: No space left"):
        stream(model, np.ones((1, 8)), [0]).save(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such permissions and links")
def test_permissions_and_links_stay(path):
    model = trained(AdagradClassifier)
    model.save(path)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path)
    model.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


def test_top_level_names():
    assert sklearn_adagrad.load is load
    assert sklearn_adagrad.save is save
    assert Multiplied


def test_files_that_would_take_much_memory(path):
    """An array is there once, and texts of one length do not take more than some texts need."""
    labels = list("abcdefgh")
    model = AdagradClassifier(lr=0.1, alpha=np.ones(8)).partial_fit(np.eye(8), labels, labels)
    model.save(path)
    text, arrays = parts_of(path)
    params = text["model"]["params"]
    twice = text["model"] | {"params": params | {"lr": params["alpha"]}}
    write(path, text | {"model": twice}, arrays)
    with pytest.raises(ValueError, match=r"the array 'model\.alpha' is there twice"):
        load(path)
    long = {
        "model.classes_.bytes": np.zeros(2**20, np.uint8),
        "model.classes_.ends": np.append(np.zeros(2000, np.int64), 2**20),
    }
    write(path, text, arrays | long)
    with pytest.raises(ValueError, match="take much more memory than the file"):
        load(path)
    write(path, text, arrays | {"model.classes_.ends": np.array([8, 0] * 4)})
    with pytest.raises(ValueError, match="are not where they should be"):
        load(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with names")
def test_what_is_no_file_is_neither_read_nor_replaced(path):
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is no file of a model"):
        load(path)
    with pytest.raises(OSError, match="is no file: it would be replaced"):
        trained(AdagradClassifier).save(path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        trained(AdagradClassifier).save(path.with_name("absent") / "model")


def test_saving_in_threads_leaves_the_process_as_it_was(tmp_path):
    mask = os.umask(0o027)
    try:
        model = trained(AdagradClassifier)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda n: model.save(tmp_path / str(n)), range(60)))
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
    finally:
        assert os.umask(mask) == 0o027


def test_names_of_files(tmp_path):
    model = trained(AdagradClassifier)
    for name in ("n" * 250, "😀" * 60, os.fsencode("ü")):
        path = os.path.join(os.fsencode(tmp_path) if isinstance(name, bytes) else tmp_path, name)
        model.save(path)
        assert bits(load(path)) == bits(model)
